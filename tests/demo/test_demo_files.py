"""The files of the demo model are small, whole, and of one mind with its sentences."""

from __future__ import annotations

import gguf
import numpy as np

from cinecut.demo import FILM_PATH, MMPROJ_PATH, MODEL_CARD_PATH, MODEL_PATH
from cinecut.demo.sentences import all_pieces
from cinecut.inference.models import FIELDS, SHORT_KEYS


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
    learnt = words[-len(all_pieces()) - len(SHORT_KEYS) : -len(SHORT_KEYS)]

    assert learnt == [piece.replace(" ", "\u2581") for piece in all_pieces()]


def test_each_key_is_one_word_of_the_model_in_both_spellings() -> None:
    """The second one is the first but for its likelihood: the model says the same with either."""
    reader = gguf.GGUFReader(MODEL_PATH)
    words = reader.fields["tokenizer.ggml.tokens"].contents()
    tables = {tensor.name: tensor.data for tensor in reader.tensors}
    heard, said = tables["token_embd.weight"], tables["output.weight"]

    for short, name in SHORT_KEYS.items():
        opening = '{"' if name == FIELDS[0] else '","'
        one, other = (words.index(f'{opening}{key}":"') for key in (short, name))
        assert np.array_equal(heard[one], heard[other])
        assert np.array_equal(said[one], said[other] * 2)
