"""How many tokens of context a picture costs, by the kind of projector and the mmproj's own facts.

The rules are those of llama.cpp's tools/mtmd/clip.cpp (clip_n_output_tokens and load_hparams) and
mtmd-image.cpp (tiles). They decide with how much context the server is started; the server itself
then says what it counts (`inference.server.proof`), so a rule that is off costs a second start
and no frame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt
from typing import Any, Final

MOST_TOKENS: Final = 1024
"""What a picture should cost in a model that would take more for a larger one."""

_WARM_UP_TOKENS: Final = 46 * 46  # some builds make room for so many, whatever they are told
_MARKS_OF_A_TILE: Final = 6  # where it stands, its begin and end, a line break
_MINICPMV_TILES: Final = 8  # of 10, at the size that pictures are sent at
_LLAMA4_TILES: Final = 6  # of 9, at that size
_IDEFICS3_LONG_SIDE_PX: Final = 2048
# LFM2-VL cuts what has more than twice its 512 x 512 pixels into tiles: up to 2,800 tokens.
_LFM2_SIDE_PX: Final = 720
# InternVL takes the tiles that lose least: up to 13 at full size; at this one two and the whole
# for a picture of 16:9 or wider (768 tokens), four and the whole for a narrower one.
_INTERNVL_SIDE: Final = (16, 9)
_INTERNVL_TILES: Final = 4


@dataclass(frozen=True)
class PictureTokens:
    """What a picture costs."""

    most: int
    """The most tokens, whatever the shape of the picture."""
    side_px: int | None = None
    """The longest side to send: more is not looked at, or costs much. None for any size."""
    patches: int = 4096
    """How many patches the vision tower works on at once, at the most."""
    is_known: bool = True
    """Whether the kind of projector is known here; else `most` is a guess."""
    limit: int | None = None
    """What the server is to be told as a picture's most tokens; None leaves the family its own."""
    unlimited_side_px: int | None = None
    """The longest side to send to a build that limits no picture, where the size decides."""
    is_one_batch: bool = False
    """Whether its tokens see each other: a server aborts if its micro-batch is smaller."""

    def side_to_send_px(self, *, is_limited: bool) -> int | None:
        """Return the longest side to send, whether or not the build limits what pictures cost."""
        return self.side_px if is_limited or self.side_px is not None else self.unlimited_side_px


@dataclass(frozen=True)
class _Facts:
    """The numbers of an mmproj that count."""

    metadata: dict[str, Any]

    def number(self, *keys: str, default: int) -> int:
        values = (self.metadata.get(f"clip.vision.{key}") for key in keys)
        return next((value for value in values if type(value) is int and value > 0), default)

    @property
    def side_px(self) -> int:
        return self.number("image_size", default=336)

    def grid(self, merge: int = 1) -> int:
        """Tokens of a square of `side_px`, of which `merge` patches a side become one."""
        side = self.side_px // self.number("patch_size", default=14) // self.merge(merge)
        return max(1, side) ** 2

    def merge(self, default: int = 1) -> int:
        """How many patches a side become one token."""
        return self.number("projector.scale_factor", "spatial_merge_size", default=default)

    @property
    def patches(self) -> int:
        """Patches of a square of `side_px`."""
        return (self.side_px // self.number("patch_size", default=14)) ** 2

    def tiled(
        self, tiles: int, tokens: int | None = None, side_px: int | None = None
    ) -> PictureTokens:
        """So many tiles, of `tokens` or a square's, and the whole picture beside them."""
        a_tile = (tokens or self.grid()) + _MARKS_OF_A_TILE
        return PictureTokens((tiles + 1) * a_tile, side_px, self.patches)


_Rule = Callable[[_Facts], PictureTokens]


def _square(merge: int = 1, extra: int = 0) -> _Rule:
    return lambda facts: PictureTokens(facts.grid(merge) + extra, facts.side_px, facts.patches)


def _fixed(tokens: int) -> _Rule:
    return lambda facts: PictureTokens(tokens, facts.side_px, facts.patches)


def _by_size(own_limit: int, *, merge: int, marks: int = 0) -> _Rule:
    """As many as the size asks for, up to a limit; `marks` are beside it."""
    limit = MOST_TOKENS if own_limit > MOST_TOKENS else None

    def rule(facts: _Facts) -> PictureTokens:
        at_once = _WARM_UP_TOKENS if limit else own_limit
        merged = facts.merge(merge)
        most = limit or own_limit
        return PictureTokens(
            most + marks,
            patches=at_once * merged**2,
            limit=limit,
            unlimited_side_px=isqrt(most) * merged * facts.number("patch_size", default=14),
        )

    return rule


def _llava(facts: _Facts) -> PictureTokens:
    pinpoints = facts.metadata.get("clip.vision.image_grid_pinpoints") or ()
    areas = zip(pinpoints[::2], pinpoints[1::2], strict=False)
    tiles = max((width * height // facts.side_px**2 for width, height in areas), default=0)
    return facts.tiled(tiles) if tiles else _square()(facts)


def _internvl(facts: _Facts) -> PictureTokens:
    most = facts.number("preproc_max_tiles", default=12)
    wide, high = _INTERNVL_SIDE
    return facts.tiled(min(most, _INTERNVL_TILES), side_px=facts.side_px * wide // high)


def _idefics3(facts: _Facts) -> PictureTokens:
    long_side_px = facts.number("preproc_image_size", default=_IDEFICS3_LONG_SIDE_PX)
    return facts.tiled((-(-long_side_px // facts.side_px)) ** 2)


def _lfm2(facts: _Facts) -> PictureTokens:
    return PictureTokens(256 + _MARKS_OF_A_TILE, _LFM2_SIDE_PX, 256 * facts.merge(2) ** 2)


def _gemma4(facts: _Facts) -> PictureTokens:
    # It reads a picture as a whole, which must fit into one batch, or some builds abort; 280 is
    # what its publisher takes by default.
    return PictureTokens(280 + _MARKS_OF_A_TILE, patches=280 * facts.merge(3) ** 2, limit=280)


_QWEN: Final = _by_size(4096, merge=2)
# What is not known here may be the next Gemma.
_UNKNOWN: Final = PictureTokens(MOST_TOKENS, is_known=False, limit=MOST_TOKENS, is_one_batch=True)

_RULES: Final[dict[str, _Rule]] = {
    "mlp": _llava,
    "mlp_norm": _llava,
    "ldp": _square(merge=2),
    "ldpv2": _square(merge=2),
    "adapter": _square(merge=2, extra=2),  # GLM-Edge
    "gemma3": _square(merge=4),
    "gemma3nv": _fixed(256),
    "janus_pro": _square(),
    "cogvlm": _square(extra=2),
    "yasa2": _fixed(64),
    "internvl": _internvl,
    "idefics3": _idefics3,
    "resampler": lambda facts: facts.tiled(_MINICPMV_TILES, tokens=64),
    "llama4": lambda facts: facts.tiled(_LLAMA4_TILES),
    "lfm2": _lfm2,
    "pixtral": _by_size(1024, merge=1, marks=64),  # one at the end of each row
    "kimivl": _by_size(1024, merge=2),
    "gemma4v": _gemma4,
    "gemma4uv": _gemma4,
    "minimax_m3": _by_size(576, merge=2),
    "qwen2vl_merger": _QWEN,
    "qwen2.5vl_merger": _QWEN,
    "qwen3vl_merger": _QWEN,
    "glm4v": _QWEN,
    "muse-glimmer": _QWEN,
    "youtuvl": _by_size(62_500, merge=2),
}

# As in mtmd_decode_use_non_causal of llama.cpp's tools/mtmd/mtmd.cpp.
_IN_ONE_BATCH: Final = frozenset({"gemma3", "gemma4v", "gemma4uv"})

# Those that were trained on several pictures in a question. LLaVA, MobileVLM, Janus and CogVLM were
# trained on one, and mix up what is in which.
_TAKE_SEVERAL: Final = frozenset(
    {
        *("gemma3", "gemma3nv", "gemma4v", "gemma4uv", "glm4v", "idefics3", "internvl", "kimivl"),
        *("lfm2", "llama4", "pixtral", "qwen2vl_merger", "qwen2.5vl_merger", "qwen3vl_merger"),
    }
)
_MINICPMV_2_6: Final = 3
_NAMES_THAT_TAKE_SEVERAL: Final = re.compile(
    r"qwen\W?(2|2\.5|3|3\.5)\W?vl|qwen\W?3\.5|gemma\W?[34]|glm\W?4\.?\d*v|smolvlm|idefics3"
    r"|internvl\W?[23]|kimi\W?vl|lfm2(\.5)?\W?vl|llama\W?4|pixtral|mistral\W?small\W?3"
    r"|minicpm\W?v\W?(2[._]6|[4-9])",
    re.IGNORECASE,
)


def takes_several(metadata: dict[str, Any]) -> bool:
    """Return whether the model of this mmproj is known to tell several pictures apart."""
    kind = projector_type(metadata)
    if kind == "resampler":
        version = metadata.get("clip.minicpmv_version")
        return isinstance(version, int) and version >= _MINICPMV_2_6
    return kind in _TAKE_SEVERAL


def name_takes_several(name: str) -> bool:
    """Return whether the model of a server is by its name of a family that `takes_several`."""
    return _NAMES_THAT_TAKE_SEVERAL.search(name) is not None


def picture_tokens(metadata: dict[str, Any]) -> PictureTokens:
    """Return what a picture costs with the mmproj that has this `metadata`."""
    kind = projector_type(metadata)
    rule = _RULES.get(kind)
    has_sizes = "clip.vision.image_size" in metadata and "clip.vision.patch_size" in metadata
    if rule is None or not has_sizes:
        return _UNKNOWN
    return replace(rule(_Facts(metadata)), is_one_batch=kind in _IN_ONE_BATCH)


def projector_type(metadata: dict[str, Any]) -> str:
    """Return the kind of projector; of an mmproj that hears too, the one that sees."""
    for key in ("clip.vision.projector_type", "clip.projector_type"):
        if key in metadata:
            return str(metadata[key])
    return "mlp"
