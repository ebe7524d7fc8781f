"""Nothing comes between CineCut and a server of this machine, whatever the environment says."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import command
import hostile_environment
import pytest
from clips import BIKES
from faults.reply_bodies import raw_server
from server_process import API_KEY, ServerProcess, ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import InferenceError, UsageError
from cinecut.inference.address import checked_key, is_on_this_machine, server_root, ways_to
from cinecut.inference.asking import ServerLostError, ask_server


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that notes what it is asked for and answers nothing of use: its URL, its notes."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline:
                seen.append(self.raw_requestline.decode(errors="replace"))
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hostile(proxy: tuple[str, list[str]], tmp_path: Path) -> dict[str, str]:
    return hostile_environment.variables(tmp_path, proxy[0])


def test_the_proxy_sees_nothing_and_netrc_replaces_no_key(
    proxy: tuple[str, list[str]],
    hostile: dict[str, str],
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
) -> None:
    film = shutil.copy(BIKES, tmp_path)
    files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
    environment = {**hostile, "CINECUT_LLAMA_SERVER": str(mock_server.path)}
    for arguments in (("describe", film, *files, "--strict"), ("doctor", *files), ("demo",)):
        done = command.run(*arguments, cwd=tmp_path, **environment)
        assert done.returncode == 0, done.stderr

    assert proxy[1] == []


def test_a_server_named_by_loopback_gets_its_own_key_and_no_proxy(
    proxy: tuple[str, list[str]],
    hostile: dict[str, str],
    mock_server: ServerProgram,
    tiny_model: TinyModel,
    tmp_path: Path,
) -> None:
    film = shutil.copy(BIKES, tmp_path)
    files = ("-m", tiny_model.model, "--mmproj", tiny_model.mmproj)
    with ServerProcess(mock_server, *files, log_path=tmp_path / "server.log") as server:
        done = command.run(
            *("describe", film, "--server-url", server.url), CINECUT_API_KEY=API_KEY, **hostile
        )

    assert done.returncode == 0, done.stderr
    assert proxy[1] == []


def test_a_server_that_redirects_is_named_and_not_followed(tmp_path: Path) -> None:
    """The key and the picture go to the address that was named and to no other."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(f"{self.server.server_address[1]} {self.headers.get('Authorization')}")
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{other.server_address[1]}/v1/models")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    first, other = (ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2))
    for server in (first, other):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    film = shutil.copy(BIKES, tmp_path)
    url = f"http://127.0.0.1:{first.server_address[1]}"
    done = command.run("describe", film, "--server-url", url, CINECUT_API_KEY="the-key")
    for server in (first, other):
        server.shutdown()
        server.server_close()

    assert done.returncode == 1
    assert "sends its callers on to" in done.stderr
    assert {line.split()[0] for line in seen} == {str(first.server_address[1])}
    assert "the-key" not in done.stderr


FAR = "http://far.example:8080"


def test_a_far_host_is_reached_as_the_environment_says(
    proxy: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*hostile_environment.PROXY_VARIABLES, "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy[0])
    with pytest.raises(ServerLostError):
        ask_server(f"{FAR}/props", timeout_s=30)
    assert proxy[1] == [f"GET {FAR}/props HTTP/1.1\r\n"]

    monkeypatch.setenv("NO_PROXY", "far.example")
    with pytest.raises(ServerLostError):
        ask_server(f"{FAR}/props", timeout_s=30)
    assert len(proxy[1]) == 1


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_certificates_are_those_that_the_environment_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    assert ways_to("https://far.example")["verify"] is True

    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv(name, str(bundle))
    with pytest.raises(InferenceError, match=f"{name} names certificates that are not there"):
        ask_server("https://far.example", timeout_s=30)
    bundle.write_text("no certificate")
    assert ways_to("https://far.example")["verify"] == str(bundle)
    refused = pytest.raises(ServerLostError, match="holds no certificates")
    with raw_server(lambda connection: None) as server, refused:
        ask_server(server.replace("http:", "https:"), timeout_s=30)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        (" http://h:1/v1/ \n", "http://h:1"),
        ("https://h/llama/v1", "https://h/llama"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_root_of_a_server(url: str, root: str) -> None:
    assert server_root(url) == root


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://", "ftp://h", "file:///etc", "http://[::1", "http://h:99999", "http://h:x"),
        *("http://a b", "http://h/a b", "http://h\n/x", "http://*.h", "http://h?key=s3cret"),
        *("http://u:s3cret@h", "http://u:s3cret@[::1", "u:s3/cret@h", "http://h#x", "http://h:0"),
    ],
)
def test_what_is_no_address_is_told_without_its_secret(url: str) -> None:
    with pytest.raises(UsageError, match="--server-url") as raised:
        server_root(url)
    assert "s3" not in str(raised.value)


def test_a_key_is_what_a_header_can_hold() -> None:
    assert checked_key(" sk-1 2\n") == "sk-1 2"
    assert checked_key("") is checked_key(None) is None
    for key in ("s3cret\u00e9", "s3cret\u20ac", "s3cret\nX: y", "s3cret\x00"):
        with pytest.raises(UsageError) as raised:
            checked_key(key)
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.1.2.3:8080/v1", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://LOCALHOST.:8080", True),
        ("http://0.0.0.0:8080", True),
        ("http://[::ffff:127.0.0.1]:8080", True),
        ("http://localhost.example.com", False),
        ("http://192.168.1.4:8080", False),
        ("https://example.com", False),
    ],
)
def test_what_is_on_this_machine(url: str, here: bool) -> None:
    assert is_on_this_machine(url) is here
