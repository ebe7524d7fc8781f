"""Questions to a server: each answer is whole, and rests on scenes that were told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from server_process import ServerProgram
from test_summary import HOSTILE, long_film, write_film
from tiny_llava import TinyModel

from cinecut.inference.engine import LlavaEngine
from cinecut.inference.question.prompt import Prompt
from cinecut.inference.retelling import Reteller
from cinecut.results.entries import SummaryEntry
from cinecut.results.scenes import step_to_line
from cinecut.run.question import Cited, Moment, answer, scenes_at
from cinecut.story.question import FoundScene, word

_TIMEOUT_S = 120.0


def found_in(folder: Path) -> list[FoundScene]:
    """All scenes of two films, the last ones of the second first."""
    one = write_film(folder / "a.mkv.cinecut", long_film(40))
    two = write_film(folder / "b.mkv.cinecut", long_film(20), name=HOSTILE)
    moments = [Moment(two, 3.0 * at) for at in reversed(range(20))]
    moments += [Moment(one, 3.0 * at) for at in range(40)]
    return scenes_at([*moments, Moment(folder / "gone.cinecut", 0.0), Moment(one, 1.0)])


def ask_all(reteller: Reteller, found: Sequence[FoundScene], questions: int) -> list[int]:
    """Ask so many questions and return how many sentences each was answered with."""
    counts = []
    for number in range(questions):
        asked = word(f"What happens at number {number}? {HOSTILE}", found[number % 30 :], reteller)
        assert asked is not None
        assert reteller.fits(asked.text, asked.form)
        begun: list[Cited] = []

        told = answer(asked, reteller, lambda: False, begun.extend)

        assert isinstance(told, list), told
        known = [*asked.scenes.values()]
        assert all(scene in known for one in [*told, *begun] for scene in one.scenes)
        assert all(one.text and one.scenes for one in told)
        assert len(told) <= 4
        counts.append(len(told))
    return counts


@pytest.mark.parametrize("context", [2048, 4096])
def test_a_real_server_answers_from_scenes_alone(
    tmp_path: Path, llama_server: ServerProgram, tiny_model: TinyModel, context: int
) -> None:
    """Whatever a random model says."""
    found = found_in(tmp_path)
    engine = LlavaEngine(
        tiny_model.model,
        tiny_model.mmproj,
        llama_server=llama_server.path,
        device="cpu",
        slots=1,
        prompt=Prompt(text_context=context),
    )
    with engine:
        reteller = Reteller(engine, _TIMEOUT_S)
        assert reteller.context_tokens == context
        counts = ask_all(reteller, found, 2)
    assert sum(counts)


def test_the_mock_server_answers_in_the_same_form(
    tmp_path: Path, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    found = found_in(tmp_path)
    engine = LlavaEngine(
        tiny_model.model, tiny_model.mmproj, llama_server=mock_server.path, device="cpu", slots=1
    )
    with engine:
        counts = ask_all(Reteller(engine, _TIMEOUT_S), found, 50)
    assert {*counts} == {0, 1, 2, 3, 4}


def test_scenes_are_those_that_are_still_there_each_once(tmp_path: Path) -> None:
    found = found_in(tmp_path)
    assert [each.scene.index for each in found] == [*reversed(range(20)), *range(40)]
    assert {each.film.folder.name for each in found} == {"a.mkv.cinecut", "b.mkv.cinecut"}


def test_a_chapter_that_was_found_brings_the_scenes_that_it_rests_on(tmp_path: Path) -> None:
    folder = write_film(tmp_path / "a.mkv.cinecut", long_film(20))
    sentences = [{"text": "They meet.", "scenes": [7, 3]}]
    step = SummaryEntry.model_validate(
        {
            **{"step": "chapter", "key": "k", "first": 2, "last": 9},
            "told": {"title": "A bridge", "sentences": sentences},
        }
    )
    with (folder / "scenes.jsonl").open("a") as journal:
        journal.write(step_to_line(step))

    found = scenes_at([Moment(folder, 21.0), Moment(folder, 6.0, is_chapter=True)])

    assert [each.scene.index for each in found] == [7, 2, 3]
