"""Works out how HDR and wide colours look on an ordinary screen, as a 3D look-up table."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import product
from typing import Literal

HdrKind = Literal["PQ", "HLG", "BT.2020"]
"""Transfer curve of BT.2100, or the wide primaries of BT.2020 with an ordinary curve."""

# Points along each axis; PQ and HLG are even to the eye, so that a coarse grid will do.
_GRID = 33
# Light is counted in units of 100 nits, an ordinary screen's white. The brightest that is
# shown is 1000 nits: what films are mastered for, and the nominal peak of HLG.
_PEAK = 10.0
_Light = tuple[float, float, float]


@lru_cache(maxsize=3)
def cube_lut(kind: HdrKind) -> str:
    """Return the table from `kind`'s RGB codes to BT.709 codes, in the .cube format."""
    light = [_LIGHT[kind](step / (_GRID - 1)) for step in range(_GRID)]
    rows = [f"LUT_3D_SIZE {_GRID}"]
    for blue, green, red in product(light, repeat=3):  # in .cube files red runs fastest
        colour = _to_bt709((red, green, blue))
        codes = _screen_codes(colour if kind == "BT.2020" else _tone_mapped(colour))
        rows.append(" ".join(f"{code:.5f}" for code in codes))
    return "\n".join(rows) + "\n"


def _to_bt709(light: _Light) -> _Light:
    """Return a BT.2020 colour in the primaries of BT.709 (ITU-R BT.2407, section 2)."""
    r, g, b = light
    return (
        1.6605 * r - 0.5876 * g - 0.0728 * b,
        -0.1246 * r + 1.1329 * g - 0.0083 * b,
        -0.0182 * r - 0.1006 * g + 1.1187 * b,
    )


def _screen_codes(light: _Light) -> _Light:
    """Return the codes that a BT.1886 screen shows as `light`, cut off at black and white."""
    r, g, b = (math.pow(min(1.0, max(0.0, value)), 1 / 2.4) for value in light)
    return r, g, b


def _tone_mapped(light: _Light) -> _Light:
    """Return `light` in 0 to 1 by Hable's filmic curve on the strongest colour.

    The other two are scaled along, which keeps hue and saturation, as FFmpeg's `tonemap`
    filter does.
    """
    strongest = max(light)
    if strongest <= 1e-6:
        return light
    scale = _hable(strongest) / _hable(_PEAK) / strongest
    return light[0] * scale, light[1] * scale, light[2] * scale


def _hable(x: float) -> float:
    """John Hable's curve for "Uncharted 2" (GDC 2010), with its published constants."""
    return (x * (0.15 * x + 0.05) + 0.004) / (x * (0.15 * x + 0.50) + 0.06) - 0.02 / 0.30


def _pq_light(code: float) -> float:
    """EOTF of SMPTE ST 2084, in units of 100 nits."""
    power = math.pow(code, 1 / 78.84375)
    ratio = max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)
    return 100 * math.pow(ratio, 1 / 0.1593017578125)


def _hlg_light(code: float) -> float:
    """Light of ARIB STD-B67 on a screen of 1000 nits, in units of 100 nits.

    The system gamma of 1.2 (ITU-R BT.2100) is taken for each colour alone, as zimg and so
    FFmpeg's `zscale` do: that keeps more of the colour when the light is then mapped down.
    """
    scene = code * code / 3
    if code > 0.5:
        scene = (math.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return _PEAK * math.pow(scene, 1.2)


_LIGHT: dict[HdrKind, Callable[[float], float]] = {
    "PQ": _pq_light,
    "HLG": _hlg_light,
    "BT.2020": lambda code: math.pow(code, 2.4),
}
