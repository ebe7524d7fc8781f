"""A server of another make: OpenAI's interface, and nothing that llama-server has besides."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Body = dict[str, Any]
Answer = tuple[int, Body]

DESCRIPTION = {
    "visual_content": "Two bicycles lean on a wall.",
    "mood": "Calm.",
    "action": "Nothing moves.",
    "setting": "A yard by day.",
}


class FarServer:
    """Inside its block it answers chat completions with what `answer` makes of them."""

    def __init__(self, answer: Callable[[Body], Answer]) -> None:
        self.asked: list[Body] = []
        """The chat completion requests so far."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(answer))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> FarServer:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def pictures(self) -> list[Body]:
        """The requests that had a picture."""
        return [body for body in self.asked if "image_url" in json.dumps(body)]

    def _handler(self, answer: Callable[[Body], Answer]) -> type[BaseHTTPRequestHandler]:
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_list = self.path == "/v1/models"
                self._reply(*((200, {"data": [{"id": "far"}]}) if is_list else (404, {})))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path != "/v1/chat/completions":
                    self._reply(404, {})
                    return
                asked.append(body)
                self._reply(*answer(body))

            def _reply(self, status: int, body: Body) -> None:
                sent = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def completion(ends: str = "stop", **message: Any) -> Answer:
    """Return an answer whose message has these parts."""
    return 200, {"choices": [{"message": message, "finish_reason": ends}]}


def describe(body: Body) -> Answer:
    """Answer as a model that does not think."""
    return completion(content=json.dumps(DESCRIPTION))


def think_unless_told(body: Body) -> Answer:
    """Answer as Qwen3.5 does: untold, its thoughts take more than a reply may have.

    Its template asks whether the variable is false: the word "false" is not.
    """
    if body.get("chat_template_kwargs", {}).get("enable_thinking") is False:
        return describe(body)
    return completion("length", content=None, reasoning_content="Hmm, what is there to see?")


def refuse(
    status: int, said: Any, otherwise: Callable[[Body], Answer] = describe
) -> Callable[[Body], Answer]:
    """Answer as a server that knows each argument, and refuses those of chat templates."""

    def answer(body: Body) -> Answer:
        return (status, said) if "chat_template_kwargs" in body else otherwise(body)

    return answer
