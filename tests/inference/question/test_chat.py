"""Replies are told apart: what is one frame's misfortune, and what would meet every frame."""

from __future__ import annotations

import json

import pytest
import requests
import responses

from cinecut.errors import InferenceError
from cinecut.inference import SceneDescription
from cinecut.inference.asking import NoReplyError, ServerLostError
from cinecut.inference.question.chat import ServerBusyError, ask
from cinecut.inference.question.reply import read_reply
from cinecut.models import Skip

URL = "http://127.0.0.1:9/v1/chat/completions"
WORDS = {"visual_content": "A wall.", "mood": "calm", "action": "Nothing.", "setting": "A yard."}
PATIENCE_S = 30.0


def completion(content: object, finish_reason: str = "stop") -> dict[str, object]:
    message = {"role": "assistant", "content": content}
    return {"choices": [{"message": message, "finish_reason": finish_reason}]}


def ask_for(body: object = None, status: int = 200, **more: object) -> SceneDescription | Skip:
    """Return what `ask` makes of a reply."""
    given = {"body": body} if isinstance(body, bytes | Exception) else {"json": body}
    with responses.RequestsMock() as mock:
        mock.post(URL, status=status, **given, **more)
        return ask(URL, None, {}, PATIENCE_S, read_reply)


def error(message: str, kind: str = "server_error") -> dict[str, object]:
    return {"error": {"code": 0, "message": message, "type": kind}}


def test_a_good_reply_is_its_description() -> None:
    assert ask_for(completion(json.dumps(WORDS))) == SceneDescription(**WORDS)


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        ("not json", "no whole JSON object in 'not json'"),
        (json.dumps({**WORDS, "mood": " "}), "mood: Value error, it says nothing"),
        (json.dumps({**WORDS, "mood": 7}), "mood: Input should be a valid string"),
        (json.dumps({"mood": "calm"}), "visual_content: Field required"),
        (None, "It says nothing"),
        (["a"], "no whole JSON object in 'a'"),
    ],
)
def test_a_reply_that_is_no_description_is_malformed_and_says_where(
    content: object, detail: str
) -> None:
    skip = read_reply(completion(content))

    assert isinstance(skip, Skip)
    assert skip.reason == "malformed"
    assert detail in skip.detail
    assert "\n" not in skip.detail
    assert len(skip.detail) <= 200


def test_a_reply_that_was_cut_off_is_truncated() -> None:
    cut = json.dumps(WORDS)[:30]

    assert read_reply(completion(cut, "length")) == Skip(
        "truncated", "The reply was cut off at its longest."
    )
    assert isinstance(read_reply(completion(json.dumps(WORDS), "length")), SceneDescription)


@pytest.mark.parametrize("body", [{}, [], None, 7, "x", {"choices": []}, {"choices": [{}]}])
def test_a_body_that_is_no_completion_is_malformed(body: object) -> None:
    assert read_reply(body) == Skip("malformed", "The reply has no message.")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"\xff\xfe{\x00}\x00", b"[" * 100_000, b"9" * 5000, b'{"choices": [{'],
)
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    skip = ask_for(body)

    assert isinstance(skip, Skip)
    assert skip.reason == "malformed"


def test_a_body_that_is_not_utf_8_is_malformed_whatever_its_header_says() -> None:
    """It must not be taken for text in another encoding, and described by accident."""
    body = json.dumps(completion(json.dumps(WORDS))).encode().replace(b"wall", b"w\xe4ll")

    for kind in ("application/json; charset=latin-1", "application/json"):
        skip = ask_for(body, content_type=kind)
        assert isinstance(skip, Skip)
        assert skip.reason == "malformed"


def test_a_reply_too_large_to_be_one_is_malformed_and_not_read_to_its_end() -> None:
    skip = ask_for(completion("very " * 300_000))

    assert skip == Skip("malformed", "The reply is larger than 1048576 bytes.")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (500, error("The model produced output that does not match"), "server_error"),
        (500, b"\xff\xfe oops", "server_error"),
        (502, b"", "server_error"),
        (400, error("Failed to load image or audio file", "invalid_request_error"), "bad_image"),
        (500, error("failed to decode image"), "bad_image"),
        (400, error("too long", "exceed_context_size_error"), "too_large"),
        (400, error("the request exceeds the available context size. try"), "too_large"),
    ],
)
def test_an_error_about_one_picture_skips_it(status: int, body: object, reason: str) -> None:
    skip = ask_for(body, status)

    assert isinstance(skip, Skip)
    assert skip.reason == reason
    assert skip.detail.startswith(f"HTTP {status}: ")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, error("Invalid API Key"), "CINECUT_API_KEY"),
        (403, b"", "CINECUT_API_KEY"),
        (404, error("File Not Found"), "server-url"),
        (500, error("image input is not supported - hint"), "no vision"),
        (400, error("Failed to tokenize prompt"), "template leaves the picture out"),
        (400, error("failed to parse grammar"), "cannot hold replies to a form"),
    ],
)
def test_an_error_that_would_meet_every_picture_ends_the_run(
    status: int, body: object, said: str
) -> None:
    with pytest.raises(InferenceError, match=said):
        ask_for(body, status)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_no_bad_picture(status: int) -> None:
    with pytest.raises(ServerBusyError):
        ask_for(error("Loading model", "unavailable_error"), status)


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (requests.ConnectionError("refused"), ServerLostError),
        (requests.exceptions.ChunkedEncodingError("broke"), ServerLostError),
        (requests.ReadTimeout(), NoReplyError),
        (requests.ConnectTimeout(), NoReplyError),
    ],
)
def test_a_lost_connection_and_a_late_reply_are_told_apart(
    raised: Exception, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        ask_for(raised)


def test_the_key_goes_out_as_a_header() -> None:
    with responses.RequestsMock() as mock:
        mock.post(URL, json=completion(json.dumps(WORDS)))
        ask(URL, "the key", {}, PATIENCE_S, read_reply)

        assert mock.calls[0].request.headers["Authorization"] == "Bearer the key"


def test_a_reply_that_leads_elsewhere_is_not_followed() -> None:
    """The picture would go with it."""
    with responses.RequestsMock() as mock:
        mock.post(URL, status=307, headers={"Location": "/elsewhere"}, body=b"moved")

        with pytest.raises(InferenceError, match="sends its callers on to /elsewhere"):
            ask(URL, None, {}, PATIENCE_S, read_reply)
