"""How often one picture is asked about: a clock that the test turns, and no server."""

from __future__ import annotations

import pytest

from cinecut.inference.asking import NoReplyError, ServerLostError
from cinecut.inference.models import SceneDescription
from cinecut.inference.question.attempts import Attempts
from cinecut.inference.question.chat import ServerBusyError
from cinecut.models import Skip

GOOD = SceneDescription(visual_content="A", mood="b", action="c", setting="d")
CIRCLES = GOOD.model_copy(update={"repeats_itself": True})
BAD = Skip("malformed", "no JSON")
LOST, SILENT, BUSY = ServerLostError("broken"), NoReplyError("silent"), ServerBusyError("busy")


class Clock:
    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("cinecut.inference.question.attempts.time", clock)
    return clock


def begun(timeout_s: float = 60.0) -> Attempts:
    attempts = Attempts(timeout_s)
    attempts.begin()
    return attempts


@pytest.mark.usefixtures("clock")
def test_a_bad_reply_is_asked_for_once_more_with_another_seed() -> None:
    attempts = Attempts(60.0)

    assert attempts.seed == 0
    attempts.begin()
    assert attempts.after_reply(BAD) is None
    assert attempts.seed == 1
    attempts.begin()
    assert attempts.after_reply(BAD) == BAD


@pytest.mark.usefixtures("clock")
def test_a_good_reply_and_a_bad_picture_are_the_last_word() -> None:
    unreadable = Skip("bad_image", "no JPEG")

    assert begun().after_reply(GOOD) == GOOD
    assert begun().after_reply(unreadable) == unreadable


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("second", "last"), [(GOOD, GOOD), (CIRCLES, CIRCLES), (BAD, CIRCLES)], ids=str
)
def test_a_reply_that_repeats_itself_is_asked_for_once_more_and_kept(
    second: SceneDescription | Skip, last: SceneDescription
) -> None:
    attempts = begun()

    assert attempts.after_reply(CIRCLES) is None
    attempts.begin()
    assert attempts.seed == 2
    outcome = attempts.after_reply(second)
    assert outcome == last
    assert isinstance(outcome, SceneDescription)
    assert outcome.repeats_itself == last.repeats_itself


def test_a_reply_that_repeats_itself_is_better_than_a_lost_server(clock: Clock) -> None:
    for after in (
        lambda attempts: attempts.after_loss(SILENT, is_new=False),
        lambda attempts: attempts.after_loss(LOST, is_new=True),
        lambda attempts: attempts.after_busy(BUSY),
    ):
        attempts = begun(10.0)
        assert attempts.after_reply(CIRCLES) is None
        attempts.begin()
        clock.now_s += 10
        assert after(attempts) == CIRCLES


def test_a_bad_reply_and_one_that_repeats_itself_share_one_chance(clock: Clock) -> None:
    attempts = begun()
    assert attempts.after_reply(BAD) is None
    attempts.begin()
    assert attempts.after_reply(CIRCLES) == CIRCLES

    late = begun(10.0)
    clock.now_s += 11
    assert late.after_reply(CIRCLES) == CIRCLES


def test_what_failed_in_the_server_is_looked_at_afresh() -> None:
    attempts = begun()
    assert attempts.after_reply(Skip("server_error", "HTTP 500: nothing fits the grammar")) is None
    assert attempts.is_afresh

    attempts = begun()
    assert attempts.after_reply(BAD) is None
    assert not attempts.is_afresh


def test_waiting_for_ones_turn_does_not_count(clock: Clock) -> None:
    attempts = Attempts(60.0)
    clock.now_s += 1000

    assert attempts.begin() == 60.0


def test_a_pause_counts(clock: Clock) -> None:
    attempts = begun()
    assert attempts.after_busy(BUSY) is None
    clock.now_s += attempts.pause_s

    assert attempts.begin() == 60.0 - 0.5


def test_a_busy_server_is_asked_until_the_time_is_up(clock: Clock) -> None:
    attempts, pauses = begun(10.0), []
    while attempts.after_busy(BUSY) is None:
        pauses.append(attempts.pause_s)
        clock.now_s += attempts.pause_s
        attempts.begin()

    assert pauses == [0.5, 1.0, 1.5, 2.0, 2.5]  # 3.0 more would pass the 10 s
    assert attempts.after_busy(BUSY) == Skip("server_error", "busy")


def test_a_new_server_gets_the_whole_time(clock: Clock) -> None:
    attempts = begun()
    clock.now_s += 59

    assert attempts.after_loss(SILENT, is_new=True) is None
    assert attempts.begin() == 60.0


@pytest.mark.usefixtures("clock")
def test_a_picture_may_cost_three_servers_and_the_third_it_has_alone() -> None:
    attempts, alone, outcomes = Attempts(60.0), [], []
    for _ in range(3):
        alone.append(attempts.is_last_loss)
        attempts.begin()
        outcomes.append(attempts.after_loss(LOST, is_new=True))

    assert alone == [False, False, True]
    assert outcomes == [None, None, Skip("server_error", "The connection broke 3 times: broken")]


@pytest.mark.usefixtures("clock")
def test_silence_of_a_server_that_lives_is_the_last_word() -> None:
    assert begun().after_loss(SILENT, is_new=False) == Skip("timeout", "No reply within 60 s.")


@pytest.mark.usefixtures("clock")
def test_a_connection_that_breaks_is_tried_again_after_a_pause() -> None:
    attempts = begun()

    assert attempts.after_loss(LOST, is_new=False) is None
    assert attempts.pause_s == 0.5
