"""Tells of Matroska files whose film is more than themselves, or in another order (RFC 9559)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from cinecut.files import open_file

_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_SEEK_HEAD, _SEEK, _SEEK_ID, _SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
_INFO, _CHAPTERS = 0x1549A966, 0x1043A770
_LINKS: Final = {0x3CB923, 0x3EB923}  # PrevUUID, NextUUID
_EDITION, _IS_DEFAULT, _IS_ORDERED = 0x45B9, 0x45DB, 0x45DD
_ATOM, _BEGIN, _END, _IS_ENABLED, _OF_SEGMENT = 0xB6, 0x91, 0x92, 0x4598, 0x6E67
_MOST_ELEMENTS: Final = 1000
_LARGEST_BYTES: Final = 1 << 20
_NEARLY: Final = 1  # s: what an encoder moves a chapter by, to begin with a key picture
_NS: Final = 10**9


class _Element(NamedTuple):
    kind: int
    begin: int
    size: int


def remark_on_order(film: Path, duration: Fraction | None) -> str | None:
    """Return what to say of a Matroska film that players show otherwise than it lies in the file.

    Args:
        film: The film.
        duration: Its length in seconds, if that is known.
    """
    found = dict[int, bytes]()
    with suppress(OSError), open_file(film) as file:
        found = _header_of(file)
    remarks = []
    if _LINKS & {kind for kind, _ in _inner(found.get(_INFO, b""))}:
        remarks.append(
            "It is one of several files that Matroska links to one film: only what is in it is "
            "looked at, and its times begin at 0."
        )
    atoms = _ordered_atoms(found.get(_CHAPTERS, b""))
    is_with_others = any(_OF_SEGMENT in atom for atom in atoms)
    if atoms and (is_with_others or not _are_all_in_order(atoms, duration)):
        others = ", and parts of other files in between" if is_with_others else ""
        remarks.append(
            "Its chapters have an order of their own: a player that follows them shows parts of it "
            f"in another order or not at all{others}. Here the file is looked at from its begin to "
            "its end, as mpv --ordered-chapters=no shows it."
        )
    return " ".join(remarks) or None


def _header_of(file: BinaryIO) -> dict[int, bytes]:
    """Return what `file` says of itself, by kind: before its pictures, or where that points to."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    whole = list(islice(_elements(file, end), 2))
    if [element.kind for element in whole] != [_EBML, _SEGMENT]:
        return {}
    begin = whole[1].begin
    file.seek(begin)
    found = dict[int, bytes]()
    for element in islice(_elements(file, end), _MOST_ELEMENTS):
        if element.kind == _CLUSTER:
            break
        if element.kind in (_SEEK_HEAD, _INFO, _CHAPTERS):
            found.setdefault(element.kind, _content(file, element))
    for kind, entry in _inner(found.get(_SEEK_HEAD, b"")):
        named = dict(_inner(entry)) if kind == _SEEK else {}
        kind = _number(named.get(_SEEK_ID, b""))
        place = begin + _number(named.get(_SEEK_POSITION, b""))
        if kind in (_INFO, _CHAPTERS) and kind not in found and place < end:
            file.seek(place)
            for element in islice(_elements(file, end), 1):
                found[element.kind] = _content(file, element)
    return found


def _ordered_atoms(chapters: bytes) -> list[dict[int, bytes]]:
    """Return the chapters that players show, in their order; none where that is the file's."""
    editions = [_inner(content) for kind, content in _inner(chapters) if kind == _EDITION]
    default = (edition for edition in editions if _is_set(edition, _IS_DEFAULT))
    edition = next(default, editions[0] if editions else [])
    if not _is_set(edition, _IS_ORDERED):
        return []
    atoms = [dict(_inner(content)) for kind, content in edition if kind == _ATOM]
    return [atom for atom in atoms if _number(atom.get(_IS_ENABLED, b"\1"))]


def _are_all_in_order(atoms: list[dict[int, bytes]], duration: Fraction | None) -> bool:
    """Say whether the chapters are the file from its begin to its end."""
    begins = [Fraction(_number(atom.get(_BEGIN, b"")), _NS) for atom in atoms]
    ends = [Fraction(_number(atom.get(_END, b"")), _NS) for atom in atoms]
    joints = [*zip([Fraction(0), *ends], begins, strict=False)]
    is_whole = duration is None or ends[-1] >= duration - _NEARLY
    return is_whole and all(abs(begin - end) <= _NEARLY for end, begin in joints)


def _is_set(elements: list[tuple[int, bytes]], flag: int) -> bool:
    return any(kind == flag and _number(content) for kind, content in elements)


def _inner(content: bytes) -> list[tuple[int, bytes]]:
    """Return the elements in an element: the kind and content of each."""
    file = io.BytesIO(content)
    found = islice(_elements(file, len(content)), _MOST_ELEMENTS)
    return [(kind, content[begin : begin + size]) for kind, begin, size in found]


def _elements(file: BinaryIO, end: int) -> Iterator[_Element]:
    """Yield the elements from where `file` stands, until one is none or `end` is reached."""
    at = file.tell()
    while at < end:
        file.seek(at)
        kind, size = _coded(file, keeps_mark=True), _coded(file)
        if kind is None or size is None:
            return
        yield _Element(kind, begin := file.tell(), size)
        at = begin + size


def _coded(file: BinaryIO, *, keeps_mark: bool = False) -> int | None:
    """Return a number whose first byte tells how many there are; None for none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    head = first[0] if keeps_mark else first[0] & ((1 << (8 - length)) - 1)
    return int.from_bytes(bytes([head]) + rest, "big") if len(rest) == length - 1 else None


def _content(file: BinaryIO, element: _Element) -> bytes:
    file.seek(element.begin)
    return file.read(element.size) if element.size <= _LARGEST_BYTES else b""


def _number(content: bytes) -> int:
    return int.from_bytes(content[:8], "big")
