"""Which line of a server's log tells its port, and whose port it has to be."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from server_process import ServerProgram

from cinecut.errors import InferenceError
from cinecut.inference.server.child import LlamaServer
from cinecut.inference.server.listening import ports_told_in, unfinished_line

SPOILING = ("LLAMA_ARG_API_PREFIX", "LLAMA_ARG_API_KEY_FILE", "LLAMA_ARG_LOG_VERBOSITY")


@pytest.mark.parametrize(
    "line",
    [
        b"0.00.028.373 I srv  llama_server: listening on http://127.0.0.1:8123\n",
        b"main: server is listening on http://127.0.0.1:8123 - starting the main loop\r\n",
        b"\x1b[32mI \x1b[0msrv  llama_server: listening on http://127.0.0.1:8123\x1b[0m\n",
    ],
)
def test_a_server_tells_its_port_in_a_line_of_its_own(line: bytes) -> None:
    log = b"I srv  load: ready\n" + line

    assert ports_told_in(log) == {8123}
    assert not ports_told_in(log[: log.rindex(b"3")])  # the port may have more digits


@pytest.mark.parametrize(
    "text",
    [
        b"print_info: general.name = X listening on http://127.0.0.1:18777\n",
        b"print_info: general.name = Y: listening on http://127.0.0.1:18777\n",
        b"- kv   2:  general.name str = X listening on http://evil:18777 \n",
        b"srv  llama_server: listening on http://evil:18777\n",
        b"srv  llama_server: listening on http://127.0.0.1:18777.evil\n",
        b"x" * 5000 + b": listening on http://127.0.0.1:18777\n",
    ],
)
def test_a_models_own_text_names_no_port(text: bytes) -> None:
    assert not ports_told_in(text)

    seen = b""
    for at in range(0, len(text), 100):
        seen = unfinished_line(seen) + text[at : at + 100]
        assert not ports_told_in(seen)


class _TakesAnyKey(http.server.BaseHTTPRequestHandler):
    keys: list[str | None]
    tells: object

    def do_GET(self) -> None:
        self.keys.append(self.headers["Authorization"])
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(self.tells).encode())

    def log_message(self, *_: object) -> None: ...


def test_who_takes_any_key_never_learns_the_right_one(
    new_server: Callable[..., LlamaServer], tmp_path: Path
) -> None:
    handler = type("Handler", (_TakesAnyKey,), {"keys": [], "tells": {}})
    program = tmp_path / "program"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
        told = f"srv llama_server: listening on http://127.0.0.1:{service.server_port}"
        program.write_text(f"#!/bin/sh\necho '{told}'\nexec /bin/sleep 600\n")
        program.chmod(0o755)
        server = new_server(program=program)
        with pytest.raises(InferenceError, match="takes any key"):
            server.start()
        service.shutdown()

    assert len(handler.keys) == 1
    assert server.api_key not in str(handler.keys)


@contextmanager
def port_of(user: int | None) -> Iterator[int]:
    """Yield a port on which this user listens; on that of None nobody does.

    Whoever is heard there makes it fail.
    """
    listens = f"import os, socket; os.setuid({user}); s = socket.create_server(('127.0.0.1', 0))"
    talks = "print(s.getsockname()[1], flush=True); s.accept(); print('heard')"
    with socket.socket() as nobody, ExitStack() as resources:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        alien = None
        if user is not None:
            alien = resources.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", f"{listens}; {talks}"], stdout=subprocess.PIPE
                )
            )
            assert alien.stdout
            port = int(alien.stdout.readline())
        yield port
        if alien:
            alien.kill()
            assert alien.communicate()[0] == b""


ROOT = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may be two users"
)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody tells who listens")
@pytest.mark.parametrize(
    "user",
    [
        pytest.param(None, id="nobody listens"),
        pytest.param(54321, id="another user", marks=ROOT),
    ],
)
def test_a_whole_line_that_a_models_text_forges_is_passed_over(
    user: int | None,
    new_server: Callable[..., LlamaServer],
    mock_server: ServerProgram,
    tmp_path: Path,
) -> None:
    program = tmp_path / "program"
    with port_of(user) as port:
        forged = f"srv llama_server: listening on http://127.0.0.1:{port}"
        program.write_text(
            f"#!/bin/sh\necho 'general.name = X'\necho '{forged}'\n"
            f'exec "{mock_server.path}" "$@"\n'
        )
        program.chmod(0o755)
        server = new_server(program=program)
        server.start()

        assert server.answers()
        assert not server.base_url.endswith(f":{port}")


def test_what_would_spoil_the_start_does_not_reach_the_server(
    new_server: Callable[..., LlamaServer],
) -> None:
    server = new_server(environment=dict.fromkeys((*SPOILING, "LLAMA_ARG_THREADS"), "0"))

    assert not set(SPOILING) & server._environment.keys()
    assert "LLAMA_ARG_THREADS" in server._environment
