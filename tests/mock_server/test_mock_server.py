"""The mock server shows each fault that it is asked for, when it is asked for, and no other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from server_process import ServerProcess, ServerProgram, text_of

from cinecut.mock_server.faults import FaultPlan, SettingError
from cinecut.mock_server.options import read_options
from cinecut.mock_server.replies import picture_digest

PICTURE = b"\xff\xd8\xff what only looks like a JPEG"
GRAMMAR = r'root ::= "{\"visual_content\":" text ",\"mood\":" text "}"'

Start = Callable[..., ServerProcess]


@pytest.fixture
def start(mock_server: ServerProgram, tmp_path: Path) -> Start:
    """Start a mock with faults and settings; the files of its model are there."""
    for name in ("model.gguf", "mmproj.gguf"):
        (tmp_path / name).touch()

    def start_with(*faults: str, slots: int = 1, **settings: str) -> ServerProcess:
        return ServerProcess(
            mock_server,
            *("-m", tmp_path / "model.gguf", "--mmproj", tmp_path / "mmproj.gguf"),
            *("-np", str(slots), "-c", str(2048 * slots)),
            log_path=tmp_path / "server.log",
            environment={"CINECUT_MOCK_FAULT": " ".join(faults)}
            | {f"CINECUT_MOCK_{name}": value for name, value in settings.items()},
        )

    return start_with


def ask(server: ServerProcess, timeout_s: float = 30, **more: object) -> requests.Response:
    return server.chat(PICTURE, timeout_s, grammar=GRAMMAR, **more)


def is_good(response: requests.Response) -> bool:
    scene = json.loads(text_of(response))
    return picture_digest(PICTURE) in scene["visual_content"] and bool(scene["mood"])


def test_description_tells_which_picture_it_was_and_never_varies(start: Start) -> None:
    with start() as server:
        first, second = (text_of(ask(server)) for _ in range(2))
        other = text_of(server.chat(PICTURE + b"!", grammar=GRAMMAR))

    assert first == second
    assert picture_digest(PICTURE) in json.loads(first)["visual_content"]
    assert picture_digest(PICTURE + b"!") in json.loads(other)["visual_content"]


@pytest.mark.parametrize(
    ("constraint", "keys"),
    [
        ({"json_schema": {"properties": {"a": {}, "b": {}}}}, ["a", "b"]),
        ({"response_format": {"type": "json_object", "schema": {"properties": {"a": {}}}}}, ["a"]),
        ({"response_format": {"type": "json_schema", "schema": {"properties": {"a": {}}}}}, None),
        ({}, None),
    ],
)
def test_only_a_schema_where_the_server_looks_for_it_gives_json(
    start: Start, constraint: dict[str, object], keys: list[str] | None
) -> None:
    with start() as server:
        text = text_of(server.chat(PICTURE, **constraint))

    if keys is None:
        assert not text.startswith("{")
    else:
        assert list(json.loads(text)) == keys


def test_unknown_flags_and_their_values_pass(mock_server: ServerProgram) -> None:
    told = mock_server.run("-mg", "0", "--no-such-flag", "value", "-fa", "on", "--version")

    assert told.returncode == 0


@pytest.mark.parametrize(
    "plan",
    [
        *("typo", "fail=typo", "500@load", "stall=soon", "deaf@3", "exit@0", "bad-json@", "length"),
        *("huge=lots", "log=1T", "600", "half=2", "500@3-x", "500@ten%", "exit@end", "=", "@"),
    ],
)
def test_plan_that_cannot_be_read_is_an_error(plan: str) -> None:
    with pytest.raises(SettingError, match="CINECUT_MOCK_FAULT"):
        FaultPlan.parse(plan)


@pytest.mark.parametrize(
    "environment", [{"CINECUT_MOCK_FRAME_S": "soon"}, {"CINECUT_MOCK_LOAD_S": "1-2-3"}]
)
def test_time_that_cannot_be_read_ends_the_start(
    mock_server: ServerProgram, environment: dict[str, str]
) -> None:
    ended = mock_server.run(**environment)

    assert ended.returncode == 1
    assert f"{next(iter(environment))}: neither seconds nor a range" in ended.stderr


def test_plan_that_cannot_be_read_ends_the_start(mock_server: ServerProgram) -> None:
    ended = mock_server.run(CINECUT_MOCK_FAULT="typo")

    assert ended.returncode == 1
    assert "no fault is called 'typo'" in ended.stderr


def test_faults_strike_at_their_requests_alone() -> None:
    plan = FaultPlan.parse("500@3,7-9 stall@20- exit=2@load kill@5")

    struck = {number: [f.name for f in plan.due(number)] for number in (1, 3, 5, 7, 9, 10, 20, 99)}

    assert struck == {
        **{1: [], 3: ["500"], 5: ["kill"], 7: ["500"], 9: ["500"], 10: []},
        **{20: ["stall"], 99: ["stall"]},
    }
    assert [fault.value for fault in plan.due("load")] == ["2"]


def test_a_share_of_the_requests_is_drawn_with_the_seed() -> None:
    def struck(seed: str) -> list[int]:
        plan = FaultPlan.parse("500@25%", seed=seed)
        return [number for number in range(1, 1001) if plan.due(number)]

    assert struck("a") == struck("a") != struck("b")
    assert 200 < len(struck("a")) < 300


@pytest.mark.parametrize("status", [500, 503, 429])
def test_http_errors_come_at_their_request_and_pass(start: Start, status: int) -> None:
    with start(f"{status}@2") as server:
        statuses = [ask(server).status_code for _ in range(3)]

    assert statuses == [200, status, 200]


def test_reply_that_is_not_json(start: Start) -> None:
    with start("bad-json@1") as server:
        assert text_of(ask(server)) == "not json at all"
        assert is_good(ask(server))


def test_truncated_reply_says_so(start: Start) -> None:
    with start("truncated") as server:
        response = ask(server)

    assert response.json()["choices"][0]["finish_reason"] == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(response))


def test_body_that_is_not_utf8(start: Start) -> None:
    with start("bad-utf8") as server:
        body = ask(server).content

    with pytest.raises(UnicodeDecodeError):
        body.decode()


def test_body_without_a_completion(start: Start) -> None:
    with start("empty") as server:
        assert ask(server).json() == {}


@pytest.mark.parametrize("fault", ["closed", "half"])
def test_connection_that_ends_too_early(start: Start, fault: str) -> None:
    with start(f"{fault}@1") as server:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            ask(server)
        assert is_good(ask(server))


def test_content_length_that_is_too_small_cuts_the_body(start: Start) -> None:
    with start("length=-20") as server:
        body = ask(server).content

    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


def test_content_length_that_is_too_big_keeps_the_client_waiting(start: Start) -> None:
    with start("length=+20") as server, pytest.raises(requests.ConnectionError):
        ask(server, timeout_s=0.2)


def test_huge_reply_has_the_size_that_was_asked_for(start: Start) -> None:
    with start("huge=3M") as server:
        text = text_of(ask(server))

    assert len(text) > 3 * 1024**2
    assert json.loads(text)["visual_content"].startswith("very very ")


def test_first_field_has_the_length_that_was_asked_for(start: Start) -> None:
    with start("long=33@1") as server:
        long, other = (json.loads(text_of(ask(server)))["visual_content"] for _ in range(2))

    assert len(long) == 33
    assert [len(word) for word in long.split()] == [6, 6, 6, 6, 5]
    assert len(other) != 33


def test_first_field_goes_in_circles(start: Start) -> None:
    with start("loop") as server:
        fields = json.loads(text_of(ask(server)))

    assert fields["visual_content"].startswith("a mock car and a mock car and a mock car and ")
    assert fields["mood"].startswith("mock ")


def test_stalled_request_waits_until_its_client_leaves(start: Start) -> None:
    with start("stall@1") as server:
        with pytest.raises(requests.ReadTimeout):
            ask(server, timeout_s=0.2)
        assert is_good(ask(server))  # on the one slot, which is free again


def test_late_reply_comes(start: Start) -> None:
    with start("stall=0.3@1") as server:
        with pytest.raises(requests.ReadTimeout):
            ask(server, timeout_s=0.05)
        assert is_good(ask(server))


def test_no_more_requests_are_under_way_than_there_are_slots(start: Start) -> None:
    with start(slots=2, FRAME_S="0.05-0.1") as server, ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: ask(server), range(6)))
        log = server.log

    under_way = peak = 0
    for line in log.splitlines():
        under_way += ("processing task" in line) - ("stop processing" in line)
        peak = max(peak, under_way)
    assert all(map(is_good, replies))
    assert peak == 2


def test_loading_takes_its_time_and_says_503(start: Start) -> None:
    with start("freeze@load", LOAD_S="0.2") as server:
        wait_until_stopped(server)
        # Only here is it known to be loading; the port is in no log line yet.
        port = listening_port(server.process.pid)
        server.process.send_signal(signal.SIGCONT)
        health = requests.get(f"http://127.0.0.1:{port}/health", timeout=30)

        assert health.status_code == 503
        assert health.json()["error"]["message"] == "Loading model"
        assert server.get("/health").status_code == 200


def test_silent_load_logs_nothing(start: Start) -> None:
    loading = "loading model tensors"
    with start("silent", LOAD_S="0.3") as server:
        assert server.get("/health").status_code == 200
        assert loading not in server.log
    with start(LOAD_S="0.3") as server:
        server.wait_for_log(loading)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("exit=7@start", 7),
        ("exit@load", 1),
        ("segfault@load", -signal.SIGSEGV),
        ("kill@start", -signal.SIGKILL),
    ],
)
def test_death_while_starting(start: Start, fault: str, code: int) -> None:
    with start(fault) as server:
        assert server.wait() == code
        assert "listening" not in server.log


@pytest.mark.parametrize(
    ("fault", "code"), [("exit=3@2", 3), ("segfault@2", -signal.SIGSEGV), ("kill@2", -9)]
)
def test_death_at_a_request(start: Start, fault: str, code: int) -> None:
    with start(fault) as server:
        assert is_good(ask(server))
        with pytest.raises(requests.ConnectionError):
            ask(server)
        assert server.wait() == code


def test_death_while_stopping(start: Start) -> None:
    with start("exit=4@stop") as server:
        assert is_good(ask(server))
        assert server.stop() == 4


def test_frozen_server_answers_again_when_it_is_woken(start: Start) -> None:
    with start("freeze@1") as server, ThreadPoolExecutor(1) as pool:
        reply = pool.submit(ask, server)
        wait_until_stopped(server)

        assert not reply.done()
        server.process.send_signal(signal.SIGCONT)
        assert is_good(reply.result(30))


def test_deaf_server_goes_on_after_sigterm(start: Start) -> None:
    with start("deaf") as server:
        assert server.get("/health").status_code == 200
        server.process.terminate()
        assert is_good(ask(server))
        assert server.process.poll() is None


@pytest.mark.parametrize(
    ("reason", "words", "code"),
    [
        ("oom", "cudaMalloc failed: out of memory", 1),
        ("oom-vulkan", "ErrorOutOfDeviceMemory", 1),
        ("damaged", "model is corrupted or incomplete", 1),
        ("unknown-architecture", "unknown model architecture", 1),
        ("mmproj-mismatch", "you may be using wrong mmproj", 1),
        ("port-taken", "couldn't bind HTTP server socket", 1),
        ("missing-library", "error while loading shared libraries", 127),
        ("old-driver", "CUDA driver version is insufficient", 1),
    ],
)
def test_start_that_fails_says_why_as_llama_server_would(
    start: Start, reason: str, words: str, code: int
) -> None:
    with start(f"fail={reason}") as server:
        assert server.wait() == code
        assert words in server.log


def test_chatter_fills_the_log(start: Start) -> None:
    with start("log=2M@load", "log=3M@1") as server:
        assert is_good(ask(server))
        assert server.log_path.stat().st_size > 5 * 1024**2


def test_two_servers_show_a_fault_once(start: Start, tmp_path: Path) -> None:
    once = str(tmp_path / "once")
    with start("exit@load", "kill@1", ONCE=once) as server:
        assert server.wait() == 1
    with start("exit@load", "kill@1", ONCE=once) as server:
        with pytest.raises(requests.ConnectionError):
            ask(server)
        assert server.wait() == -signal.SIGKILL
    with start("exit@load", "kill@1", ONCE=once) as server:
        assert is_good(ask(server))


def test_blind_impostor_with_chatml(start: Start) -> None:
    with start("blind", "impostor", "chatml") as server:
        props = server.get("/props").json()
        prompt = server.post("/apply-template", {"messages": [{"role": "user", "content": "Hi"}]})

    assert props["modalities"]["vision"] is False
    assert props["model_path"] == "another-model.gguf"
    assert prompt.json()["prompt"].startswith("<|im_start|>user\nHi")


def test_old_server_neither_lists_nor_takes_new_flags(mock_server: ServerProgram) -> None:
    old = "without=--cache-ram,-cram,--no-kv-unified"

    helped = mock_server.run("--help", CINECUT_MOCK_FAULT=old)
    ended = mock_server.run("--cache-ram", "0", CINECUT_MOCK_FAULT=old)

    assert "--cache-ram" not in helped.stdout
    assert "--no-kv-unified" not in helped.stdout
    assert ended.returncode == 1
    assert "invalid argument: --cache-ram" in ended.stderr


def test_devices_are_those_of_the_environment(mock_server: ServerProgram) -> None:
    device = "CUDA0: Mock GPU (24576 MiB, 24000 MiB free)"

    listed = mock_server.run("--list-devices", CINECUT_MOCK_DEVICES=device)

    assert listed.stdout == f"Available devices:\n  {device}\n"


def test_context_of_a_slot_is_what_the_flags_make_it() -> None:
    def context(*flags: str) -> int:
        return read_options(flags, {}).slot_context_tokens

    assert context("-np", "4", "-c", "8192") == 2048
    assert context("-np", "1", "-c", "600") == 768
    assert context("-np", "4", "-c", "8192", "--kv-unified") == 8192
    assert context("-c", "2048") == 2048  # slots on auto share one context
    assert context("-c", "2048", "-no-kvu") == 512


def test_help_of_the_mock_tells_its_own_switches(mock_server: ServerProgram) -> None:
    helped = mock_server.run("--help").stdout

    for word in ("CINECUT_MOCK_FAULT", "CINECUT_MOCK_ONCE", "bad-json", "fail", "oom-vulkan"):
        assert word in helped


def test_mock_imports_nothing_heavy() -> None:
    heavy = {"cinecut.inference", "pydantic", "requests", "av", "numpy"}

    listed = subprocess.run(
        [sys.executable, "-c", "import sys, cinecut.mock_server; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )

    assert heavy.isdisjoint(listed.stdout.split())


def wait_until_stopped(server: ServerProcess) -> None:
    """Wait until a signal has stopped the process."""
    stat = Path(f"/proc/{server.process.pid}/stat")
    deadline_s = time.monotonic() + 30
    while stat.read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def listening_port(pid: int) -> int:
    """Return the port on which a process listens, as Linux lists it."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[3] == "0A" and columns[9] in inodes:
            return int(columns[1].rpartition(":")[2], 16)
    raise AssertionError("it listens on no port")
