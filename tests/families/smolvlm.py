"""SmolVLM2: an overview and up to 16 tiles, each with a mark that names its row and column."""

from __future__ import annotations

from families.family import Family
from families.text import TextModel
from families.vision import VisionTower, linear, norm
from families.writing import Noise, Tensors

_SCALE = 4
_MOST_TILES_A_SIDE = 6  # what the vocabulary has marks for
_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message.role | capitalize }}"
    "{% if message.content[0].type == 'image' %}:{% else %}: {% endif %}"
    "{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% elif part.type == 'image' %}<image>{% endif %}"
    "{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def _projection(noise: Noise, tower: VisionTower) -> Tensors:
    inputs = tower.width * _SCALE**2
    return {
        **norm("v.post_ln", tower.width),
        **linear(noise, "mm.model.fc", tower.text_width, inputs, bias=False),
    }


SMOLVLM2 = Family(
    "SmolVLM2",
    TextModel(
        "llama",
        _TEMPLATE,
        context=8192,
        bos="<|im_start|>",
        eos="<end_of_utterance>",
        adds_bos=False,
        adds_space=False,
        marks=(
            "<image>",
            "<fake_token_around_image>",
            "<global-img>",
            "\n\n",
            *(
                f"<row_{row}_col_{column}>"
                for row in range(1, _MOST_TILES_A_SIDE + 1)
                for column in range(1, _MOST_TILES_A_SIDE + 1)
            ),
        ),
    ),
    VisionTower(
        "idefics3",
        image_size=512,
        patch=16,
        projection=_projection,
        width=32,
        heads=1,
        hidden=64,
        metadata={
            "clip.vision.projector.scale_factor": _SCALE,
            "clip.vision.preproc_image_size": 2048,
        },
    ),
)
