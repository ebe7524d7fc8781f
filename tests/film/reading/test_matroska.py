"""A Matroska film that is more than its file, or in another order, is not described silently."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from films import Look, make_film, still

from cinecut.film.reading.matroska import remark_on_order

SECONDS = 4
OTHERS = b"\x6e\x67\x90" + bytes(range(16))  # ChapterSegmentUUID
DISABLED = b"\x45\x98\x81\x00"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film with room for chapters before its pictures: a Void, kept for an index."""
    look = Look(container_options={"reserve_index_space": "600"})
    thumbs = [*still(1, 25 * SECONDS // 2), *still(2, 25 * SECONDS // 2)]
    return make_film(tmp_path_factory.mktemp("source") / "film.mkv", thumbs, look)


def element(kind: str, content: bytes) -> bytes:
    return bytes.fromhex(kind) + (len(content) | 1 << 56).to_bytes(8, "big") + content


def atom(begin_s: float, end_s: float, more: bytes = b"") -> bytes:
    begin, end = (int(s * 1e9).to_bytes(8, "big") for s in (begin_s, end_s))
    return element("b6", element("91", begin) + element("92", end) + more)


def edition(*atoms: bytes, ordered: bool = True, default: bool = False) -> bytes:
    flags = element("45dd", bytes([ordered])) + element("45db", bytes([default]))
    return element("45b9", flags + b"".join(atoms))


def with_chapters(source: Path, path: Path, *editions: bytes) -> Path:
    """Put chapters into the room before the first picture; the rest stays room."""
    data = source.read_bytes()
    end = data.index(b"\x1f\x43\xb6\x75")
    begin = data.rindex(b"\xec\x01\0\0\0", 0, end)
    chapters = element("1043a770", b"".join(editions))
    room = end - begin - len(chapters) - 9
    assert room >= 0
    path.write_bytes(data[:begin] + chapters + element("ec", bytes(room)) + data[end:])
    return path


@pytest.mark.parametrize(
    "editions",
    [
        [edition(atom(2, 4), atom(0, 2))],
        [edition(atom(0, 2))],
        [edition(atom(2, 4))],
        [edition(atom(0, 2), atom(2, 4, DISABLED))],
        [edition(atom(0, 4), ordered=False), edition(atom(2, 4), atom(0, 2), default=True)],
    ],
)
def test_another_order_gets_a_notice(
    source: Path, tmp_path: Path, scan: Callable, editions: list[bytes]
) -> None:
    film = with_chapters(source, tmp_path / "film.mkv", *editions)

    records, report = scan(film)

    (notice,) = report.notices
    assert notice.startswith("Its chapters have an order of their own")
    assert "other files" not in notice
    assert len(records) == 2, "the film is described as it lies in the file"


def test_parts_of_other_files_are_told_of(source: Path, tmp_path: Path) -> None:
    film = with_chapters(
        source, tmp_path / "film.mkv", edition(atom(0, 2, OTHERS), atom(0, 2), atom(2, 4))
    )

    assert "parts of other files" in str(remark_on_order(film, None))


@pytest.mark.parametrize(
    "editions",
    [
        [],
        [edition(atom(0, 2), atom(2, 4))],
        [edition(atom(0.04, 2), atom(2.08, 3.9))],
        [edition(atom(2, 4), ordered=False)],
        [edition(atom(0, 4), ordered=False, default=True), edition(atom(2, 4))],
    ],
)
def test_the_order_of_the_file_gets_none(
    source: Path, tmp_path: Path, scan: Callable, editions: list[bytes]
) -> None:
    assert scan(with_chapters(source, tmp_path / "film.mkv", *editions))[1].notices == []


def test_a_part_of_linked_files_gets_a_notice(source: Path, tmp_path: Path, scan: Callable) -> None:
    """In the place of the two names of who made the file stands which file comes next."""
    data = source.read_bytes()
    begin, end = data.index(b"\x4d\x80"), data.index(b"\x73\xa4")
    link = bytes.fromhex("3eb92390") + bytes(range(16))
    room = bytes([0xEC, 0x80 | end - begin - len(link) - 2]).ljust(end - begin - len(link), b"\0")
    film = tmp_path / "film.mkv"
    film.write_bytes(data[:begin] + link + room + data[end:])

    (notice,) = scan(film)[1].notices

    assert notice.startswith("It is one of several files that Matroska links to one film")


def test_no_bytes_are_more_than_not_understood(source: Path, tmp_path: Path) -> None:
    film = with_chapters(source, tmp_path / "film.mkv", edition(atom(2, 4), atom(0, 2)))
    head, drawn = film.read_bytes()[:1300], random.Random(1)
    for _ in range(300):
        broken = bytearray(head[: drawn.randint(0, len(head))])
        for _ in range(drawn.randint(0, 8)):
            if broken:
                broken[drawn.randrange(len(broken))] = drawn.randrange(256)
        film.write_bytes(broken)
        remark_on_order(film, None)
