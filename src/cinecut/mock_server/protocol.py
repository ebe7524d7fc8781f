"""Speaks llama-server's HTTP: one handler a connection, one slot a chat request."""

from __future__ import annotations

import json
import math
import os
import queue
import random
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Final

from cinecut.mock_server import replies
from cinecut.mock_server.answers import Answer, spoiled, streamed, whole
from cinecut.mock_server.chat import ChatRequest, RequestError, check_prompt, read_chat, tokens_in
from cinecut.mock_server.faults import Fault
from cinecut.mock_server.options import Options

POLL_S: Final = 0.02
_CHAT: Final = "/v1/chat/completions"
_COUNT: Final = f"{_CHAT}/input_tokens"
_FILLER: Final = b"very " * 200_000
_PUBLIC_PATHS: Final = {"/health", "/v1/health", "/models", "/v1/models"}


class MockServer(socketserver.ThreadingTCPServer):
    """The listening socket, the slots, and what all connections share.

    `strike` is called for each fault that concerns the whole process, `log` with llama-server's
    three columns: level, function, text.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    # On Windows the option would let two servers share one port.
    allow_reuse_address = os.name != "nt"

    def __init__(
        self,
        options: Options,
        *,
        strike: Callable[[Fault], None],
        log: Callable[[str, str, str], None],
    ) -> None:
        self.options = options
        self.strike = strike
        self.log = log
        self.ready = threading.Event()
        self.stopping = threading.Event()
        self.free_slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(options.slots):
            self.free_slots.put(slot)
        self._lock = threading.Lock()
        self._chats = 0
        self._in_flight = 0
        super().__init__((options.host, options.port), _Connection)

    @property
    def url(self) -> str:
        """Where it listens."""
        host, port = self.socket.getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def in_flight(self) -> int:
        """How many requests have neither been answered nor been given up by their client."""
        with self._lock:
            return self._in_flight

    @contextmanager
    def request(self) -> Iterator[None]:
        """Count a request in and out."""
        with self._lock:
            self._in_flight += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def next_chat(self) -> int:
        """Return the number of the chat request that has just arrived, from 1."""
        with self._lock:
            self._chats += 1
            return self._chats


class _ClientGoneError(ConnectionError):
    """The client closed its end before it had its answer."""


class _Connection(BaseHTTPRequestHandler):
    server: MockServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(lambda path, _: self._get(path))

    def do_POST(self) -> None:
        self._answer(self._post)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def version_string(self) -> str:
        return "llama.cpp"

    def log_message(self, *_: object) -> None:
        """Be as silent as llama-server is about single requests."""

    def _answer(self, route: Callable[[str, bytes], Answer]) -> None:
        with self.server.request():
            path = self.path.partition("?")[0]
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            try:
                self._admit(path)
                answer = route(path, content)
            except RequestError as error:
                answer = whole(error.status, error.body)
            self._send(answer)

    def _admit(self, path: str) -> None:
        """Refuse requests without the key, and all of them while the model is loading."""
        keys = self.server.options.api_keys
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = given or self.headers.get("X-Api-Key", "")
        if keys and given not in keys and path not in _PUBLIC_PATHS:
            self.server.log("W srv", "operator()", "unauthorized: Invalid API Key")
            raise RequestError(401, "Invalid API Key")
        if not self.server.ready.is_set():
            raise RequestError(503, "Loading model")

    def _get(self, path: str) -> Answer:
        if path in {"/health", "/v1/health"}:
            return whole(200, {"status": "ok"})
        if path == "/props":
            return whole(200, replies.props(self.server.options))
        if path in {"/models", "/v1/models"}:
            return whole(200, replies.models(self.server.options))
        raise RequestError(404, "File Not Found")

    def _post(self, path: str, content: bytes) -> Answer:
        if path not in {"/apply-template", "/tokenize", _CHAT, _COUNT}:
            raise RequestError(404, "File Not Found")
        try:
            body = json.loads(content)
        except ValueError as error:
            raise RequestError(500, f"[json.exception.parse_error.101] {error}") from error
        if path == "/tokenize":
            return whole(200, {"tokens": [*range(tokens_in(str(body.get("content", ""))))]})
        request = read_chat(body, self.server.options)
        if path == "/apply-template":
            return whole(200, {"prompt": request.prompt})
        if path == _COUNT:
            count = {"input_tokens": request.prompt_tokens, "object": "response.input_tokens"}
            return whole(200, count)
        return self._chat(request)

    def _chat(self, request: ChatRequest) -> Answer:
        server = self.server
        number = 0 if request.is_trial else server.next_chat()
        with self._slot(number):
            check_prompt(request, server.options)
            started_s = time.monotonic()
            drawn = random.Random(f"{server.options.seed} {number}")
            self._pause(drawn.uniform(*server.options.frame_s) if number else 0)
            faults = server.options.plan.due(number) if number else []
            for fault in faults:
                if fault.name == "stall":
                    self._pause(float(fault.value or "inf"))
                server.strike(fault)
            took_s = time.monotonic() - started_s
            reply = replies.completion(request, server.options, number=number, took_s=took_s)
            for fault in faults:
                answer = spoiled(fault, reply)
                if answer is not None:
                    return answer
            return streamed(reply) if request.streams else whole(200, reply)

    @contextmanager
    def _slot(self, number: int) -> Iterator[None]:
        slot = None
        while slot is None:
            try:
                slot = self.server.free_slots.get(timeout=POLL_S)
            except queue.Empty:
                self._pause(0)
        try:
            self.server.log(
                "I slot", "launch_slot_", f"id  {slot} | task {number} | processing task"
            )
            yield
            self.server.log("I slot", "release", f"id  {slot} | task {number} | stop processing")
        finally:
            self.server.free_slots.put(slot)

    def _pause(self, seconds: float) -> None:
        """Wait, unless the client goes away.

        Once it is told to stop, a llama-server answers no more and waits for its clients to go.
        """
        end_s = time.monotonic() + seconds
        while True:
            left_s = math.inf if self.server.stopping.is_set() else end_s - time.monotonic()
            readable, _, _ = select.select([self.connection], [], [], max(0, min(left_s, POLL_S)))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                raise _ClientGoneError
            if left_s <= 0:
                return
            if readable:  # a client that already sends its next request
                time.sleep(POLL_S)

    def _send(self, answer: Answer) -> None:
        if answer.close:
            self.close_connection = True
        if not answer.status:
            return
        self.send_response(answer.status)
        if answer.events:
            self._send_events(answer.events)
            return
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(answer.length))
        if answer.close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.body)
        for left in range(answer.filler_bytes, 0, -len(_FILLER)):
            self.wfile.write(_FILLER[:left])
        self.wfile.write(answer.tail)

    def _send_events(self, events: Iterable[bytes]) -> None:
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.wfile.write(_chunk(b"data: %b\n\n" % event))
        self.wfile.write(_chunk(b""))


def _chunk(content: bytes) -> bytes:
    """Return a chunk of a body whose length nobody knows before; the empty one is its end."""
    return b"%x\r\n%b\r\n" % (len(content), content)
