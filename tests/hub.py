"""A small Hugging Face Hub on the loopback interface, with switches for what goes wrong.

It knows what its own client asks for: the facts of a file (HEAD) and its bytes (GET), which like
the real one it redirects to a storage of another origin.
"""

from __future__ import annotations

import hashlib
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_CHUNK_BYTES = 64 * 1024
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/main/(?P<path>[^?]+)")


@dataclass(frozen=True)
class Request:
    """What was asked of the hub or of its storage."""

    method: str
    path: str
    from_byte: int
    token: str | None
    sent_bytes: int


@dataclass
class _File:
    content: bytes
    told_sha256: str


@dataclass
class Hub:
    """The hub; leaving the block ends it."""

    drops: list[int] = field(default_factory=list)
    """After so many bytes of an answer the connection breaks; one entry for each answer."""
    stops_after: int | None = None
    """After so many bytes an answer says no more and the connection stays."""
    token: str | None = None
    """Without this token nothing is shown."""
    is_gated: bool = False
    requests: list[Request] = field(default_factory=list)
    _files: dict[tuple[str, str], _File] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _servers: list[ThreadingHTTPServer] = field(default_factory=list)

    def __enter__(self) -> Hub:
        hub = self

        class Handler(_Handler):
            served = hub

        self._servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(2)]
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def storage_url(self) -> str:
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def downloads(self) -> list[Request]:
        """What was asked of the storage."""
        return [request for request in self.requests if request.path.startswith("/storage/")]

    def add(self, repo: str, path: str, content: bytes, told_sha256: str | None = None) -> None:
        """Publish a file; `told_sha256` is a checksum that is not its own."""
        digest = hashlib.sha256(content).hexdigest()
        self._files[repo, path] = _File(content, told_sha256 or digest)

    def find(self, repo: str, path: str) -> _File | None:
        return self._files.get((repo, path))

    def knows(self, repo: str) -> bool:
        return any(known == repo for known, _ in self._files)

    def wait_for_end(self) -> None:
        self._ended.wait()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self) -> None:
        hub = self.served
        match = _RESOLVE.fullmatch(self.path.removeprefix("/storage"))
        if match is None:
            self._note(0, 0)
            self._refuse(404, "NotFound")
            return
        if self.path.startswith("/storage/"):
            file = hub.find(match["repo"], match["path"])
            assert file is not None
            self._send_bytes(file.content)
            return
        self._note(0, 0)
        if hub.token and self.headers["Authorization"] != f"Bearer {hub.token}":
            self._refuse(401, "RepoNotFound")
        elif hub.is_gated:
            self._refuse(403, "GatedRepo")
        elif not hub.knows(match["repo"]):
            self._refuse(404, "RepoNotFound")
        elif (file := hub.find(match["repo"], match["path"])) is None:
            self._refuse(404, "EntryNotFound")
        else:
            self.send_response(302)
            self.send_header("Location", f"{hub.storage_url}/storage{self.path}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag", f'"{file.told_sha256}"')
            self.send_header("X-Linked-Size", str(len(file.content)))
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send_bytes(self, content: bytes) -> None:
        hub = self.served
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        first = int(wanted[1]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        end = min(first + hub.drops.pop(0), len(content)) if hub.drops else len(content)
        sent = first
        try:
            while sent < end:
                if hub.stops_after is not None and sent - first >= hub.stops_after:
                    hub.wait_for_end()
                    break
                self.wfile.write(content[sent : min(sent + _CHUNK_BYTES, end)])
                sent = min(sent + _CHUNK_BYTES, end)
        except ConnectionError:
            pass  # the client has gone
        self._note(first, sent - first)
        self.close_connection = True

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _note(self, from_byte: int, sent_bytes: int) -> None:
        token = self.headers["Authorization"]
        request = Request(self.command, self.path, from_byte, token, sent_bytes)
        self.served.requests.append(request)
