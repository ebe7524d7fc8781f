"""The files of the demo model are small, whole, and of one mind with its sentences."""

from __future__ import annotations

import gguf

from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_CARD_PATH, MODEL_PATH
from cinecut.demo.sentences import all_pieces


def test_the_files_are_small_and_the_card_stands_beside_them() -> None:
    files = [MODEL_PATH, MMPROJ_PATH, MODEL_CARD_PATH]

    assert sum(path.stat().st_size for path in files) <= 4_000_000
    assert {MODEL_PATH.parent} == {path.parent for path in [*files, FILM_PATH]}


def test_the_model_file_brings_its_own_chat_template() -> None:
    fields = gguf.GGUFReader(MODEL_PATH).fields

    assert "tokenizer.chat_template" in fields


def test_the_model_has_learnt_the_sentences_that_it_is_judged_by() -> None:
    """Whoever rewords them has to train it anew."""
    words = gguf.GGUFReader(MODEL_PATH).fields["tokenizer.ggml.tokens"].contents()

    assert words[-len(all_pieces()) :] == [piece.replace(" ", "\u2581") for piece in all_pieces()]
