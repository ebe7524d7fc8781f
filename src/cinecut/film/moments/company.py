"""Chooses other moments of a keyframe's shot: what moves shows between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from av.video.frame import VideoFrame

from cinecut.film.moments.candidates import Candidate
from cinecut.film.picture.look import look_the_same
from cinecut.models import Moment


class Company:
    """Takes them from the frames that are held of the shot anyway, so it holds none of its own."""

    def __init__(self, encode: Callable[[VideoFrame], bytes | None], most: int) -> None:
        """Take what makes a frame's JPEG, and the most pictures of a keyframe, its own included."""
        self._encode, self._most = encode, most

    def of(
        self,
        time: Fraction,
        jpeg: bytes,
        held: Sequence[Candidate],
        span: tuple[Fraction, Fraction],
    ) -> tuple[Moment, ...]:
        """Return the other moments of the keyframe at `time` seconds, in film order.

        The span is cut into equal parts, as many as there may be pictures. Each part but the
        keyframe's own gives the frame nearest to its middle, if there is one that does not look
        the same as a picture chosen already: of what stands still one picture says all.

        Args:
            time: When the keyframe is shown, in seconds.
            jpeg: Its picture.
            held: Frames of its shot.
            span: From when to when the moments may be, in seconds.
        """
        begin, end = span
        part = (end - begin) / self._most
        if self._most == 1 or part <= 0:
            return ()
        own = min(max((time - begin) // part, 0), self._most - 1)
        moments: list[Moment] = []
        for number in range(self._most):
            middle = begin + (number + Fraction(1, 2)) * part
            inside = [
                one
                for one in held
                if abs(one.time - middle) <= part / 2 and one.time != time and number != own
            ]
            best = min(inside, key=lambda one: abs(one.time - middle), default=None)
            picture = best and self._encode(best.frame)
            chosen = [jpeg, *(moment.jpeg for moment in moments)]
            if best and picture and not any(look_the_same(picture, one) for one in chosen):
                moments.append(Moment(round(float(best.time), 6), picture))
        return tuple(moments)
