"""Drives a headless Chromium over the DevTools protocol, for tests of pages people see."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")

FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium's own sandbox refuses to run as root
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
)

DEADLINE_S = 30.0

_KEY_CODES = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39}
_KEY_CODES |= {"ArrowDown": 40, "Tab": 9, "Home": 36, "End": 35}


def find_chromium() -> str | None:
    """Return the path of a Chromium, or None; `CHROMIUM` names another one."""
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Browser]:
    """Run a Chromium with the fresh folder `profile` for as long as the block lasts."""
    log = profile.parent / f"{profile.name}.log"
    # Its helpers come and go as it likes, so they do not bear the tests' mark; they end with it.
    environment = {name: text for name, text in os.environ.items() if "CINECUT" not in name}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        port, browser_path = _debugging_address(process, profile, log)
        browser_url = f"ws://127.0.0.1:{port}{browser_path}"
        with connect(browser_url, max_size=None, proxy=None) as socket:
            browser = Browser(socket)
            yield browser
            browser.call("Browser.close")
        process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()


class Refused(AssertionError):
    """A command that Chromium did not carry out."""


class Browser:
    """A running Chromium: sends it commands of the protocol, one at a time."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last_id = 0
        self.listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}

    def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """Send a command and return its result; what happens meanwhile goes to the listeners."""
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": params}
        self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            try:
                answer = json.loads(self._socket.recv(DEADLINE_S))
            except ConnectionClosed as error:
                raise AssertionError("Chromium went away") from error
            if answer.get("id") == self._last_id:
                if error := answer.get("error"):
                    raise Refused(f"{method}: {error['message']}")
                return answer["result"]
            if listener := self.listeners.get(answer.get("sessionId", "")):
                listener(answer["method"], answer["params"])

    @contextmanager
    def page(self) -> Iterator[Page]:
        """Open a tab that shares neither storage nor cache with any other."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        yield Page(self, attached["sessionId"])
        del self.listeners[attached["sessionId"]]
        self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """One tab: what it loaded and said, and hands to use it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.requests: list[str] = []
        """Addresses asked for since the last `open`."""
        self.complaints: list[str] = []
        """Errors and warnings of the console since the last `open`, uncaught exceptions too."""
        browser.listeners[session] = self._take_note
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> Any:
        """Send a command of the protocol to this tab and return its result."""
        return self._browser.call(method, self._session, **params)

    def open(self, path: Path) -> None:
        """Open a file and wait until it has loaded."""
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait("document.readyState === 'complete'")

    def js(self, expression: str) -> Any:
        """Return what `expression` gives in the page; a promise is waited for."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def lead(self, expression: str) -> None:
        """Run what leads to another page, as soon as this one has answered."""
        self.js(f"void setTimeout(() => {expression})")

    def wait(self, condition: str) -> None:
        """Wait until `condition` holds in the page, or in the one that it leads to meanwhile."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._holds(condition):
            assert time.monotonic() < deadline, f"never true: {condition}"
            time.sleep(0.02)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.js(condition))
        except Refused:  # the page that was asked is no longer there
            return False

    def settle(self) -> None:
        """Wait until the page has drawn what it was last told, or the page that it led to."""
        drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        self.wait(f"{drawn}.then(() => true)")

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element that is shown and matches `selector`."""
        return self.js(
            f"Array.from(document.querySelectorAll({json.dumps(selector)}))"
            ".filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
        )

    def size(self, width: int, height: int) -> None:
        """Give the page a window of this size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def media(self, *, scheme: str = "light", kind: str = "") -> None:
        """Ask for light or dark, and for `screen` or `print` whatever the page is shown on."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def click(self, selector: str, at: float = 0.5) -> None:
        """Click into the element that matches `selector`, at a share of its width."""
        x, y = self.js(
            f"(() => {{ const box = document.querySelector({json.dumps(selector)})"
            f".getBoundingClientRect(); return [box.x + box.width * {at}, box.y + box.height / 2];"
            " })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            button = "none" if kind == "mouseMoved" else "left"
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, clickCount=1)
        self.settle()

    def type(self, text: str) -> None:
        """Type `text` into what has the focus, in one go."""
        self.call("Input.insertText", text=text)
        self.settle()

    def press(self, key: str) -> None:
        """Press and release one key, named as in KeyboardEvent.key."""
        code = _KEY_CODES.get(key, ord(key[0].upper()))
        typed = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        for kind, extra in (("keyDown", typed), ("keyUp", {})):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **extra
            )
        self.settle()

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what the page shows as a PNG, or all of it."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    def pdf(self, path: Path) -> None:
        """Print the page into a PDF."""
        answer = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _take_note(self, event: str, params: dict[str, Any]) -> None:
        match event:
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in {"error", "warning", "assert"}:
                self.complaints.append(json.dumps(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(json.dumps(params["entry"]))


def _debugging_address(process: subprocess.Popen[bytes], profile: Path, log: Path) -> list[str]:
    """Return port and path that Chromium writes down once it listens."""
    written = profile / "DevToolsActivePort"
    deadline = time.monotonic() + DEADLINE_S
    while True:
        if written.is_file() and len(lines := written.read_text().splitlines()) == 2:
            return lines
        assert process.poll() is None, f"Chromium ended: {log.read_text(errors='replace')[-2000:]}"
        assert time.monotonic() < deadline, "Chromium opened no debugging port"
        time.sleep(0.02)
