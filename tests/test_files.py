"""The door to files: regular ones are opened, none is written through, nothing is left behind."""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from cinecut.files import (
    SpecialFileError,
    check_folder,
    make_folder,
    open_file,
    read_file,
    refuse_special,
    remove_leftovers,
    replacing,
)

PATIENCE_S = 30


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


def a_device(path: Path) -> None:
    """A null device of the test's own."""
    try:
        os.mknod(path, 0o020666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes devices")


SPECIAL: dict[str, Callable[[Path], None]] = {
    "a named pipe": os.mkfifo,
    "a socket": a_socket,
    "a device": a_device,
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("by_link", [False, True])
def test_what_is_no_file_is_neither_read_nor_replaced(
    kind: str, by_link: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once: nobody writes to that pipe."""
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "there"
    SPECIAL[kind](there)
    before = there.lstat()
    path = tmp_path / "link" if by_link else there
    if by_link:
        path.symlink_to(there)

    for mode in ("rb", "a+b"):
        with pytest.raises(SpecialFileError) as caught:
            open_file(path, mode)
        assert caught.value.strerror == f"{path.name} is {kind} and not a file of its own."
    with pytest.raises(SpecialFileError), replacing(path):
        pass
    with pytest.raises(SpecialFileError):
        refuse_special(path)

    after = there.lstat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert len(list(tmp_path.iterdir())) == 1 + by_link


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    for use in (open_file, refuse_special, lambda path: replacing(path).__enter__()):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            use(tmp_path)


def test_an_error_travels_between_processes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecialFileError) as caught:
        open_file(tmp_path / "pipe")

    assert pickle.loads(pickle.dumps(caught.value)).strerror == caught.value.strerror


def test_a_link_is_followed_for_a_user_and_not_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"words")
    link = tmp_path / "link"
    link.symlink_to("file")

    with open_file(link) as file:
        assert file.read() == b"words"
    for mode in ("rb", "a+b"):
        with pytest.raises(SpecialFileError, match="is a link"):
            open_file(link, mode, follow_links=False)
    with pytest.raises(FileExistsError):
        open_file(link, "xb")


def test_no_mode_but_one_makes_a_file(tmp_path: Path) -> None:
    for mode in ("rb", "r+b", "a+b"):
        with pytest.raises(FileNotFoundError):
            open_file(tmp_path / "new", mode)
    open_file(tmp_path / "new", "xb").close()


def test_a_file_is_read_whole_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")

    assert read_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4 bytes"):
        read_file(path, 4)


def test_a_link_to_a_folder_is_no_folder(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "file").touch()

    for name, what in (("link", "a link"), ("nowhere", "a link"), ("file", "a file")):
        with pytest.raises(SpecialFileError, match=f"{name} is {what} and not a folder"):
            make_folder(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        check_folder(tmp_path / "gone")


def replace(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    for name in ("file", ".file.0.part", ".file.1.part"):
        (tmp_path / name).symlink_to("victim")
    os.mkfifo(tmp_path / ".file.2.part")

    replace(tmp_path / "file", b"words")

    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file").read_bytes() == b"words"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "victim"]


def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace(tmp_path / "file", b"")
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, b"before")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"half" * (1 // 0))

    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from cinecut.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    print("open", flush=True)
    sys.stdin.read()
"""


def test_what_the_dead_have_left_goes_and_what_the_living_write_stays(tmp_path: Path) -> None:
    """Three write the same file; two are killed in the middle, at once and after the third."""
    path = tmp_path / "file"
    writers = []
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        writers.append(writer)
        assert writer.stdout
        assert writer.stdout.readline() == b"open\n"
    try:
        assert len(list(tmp_path.iterdir())) == 3
        writers[0].kill()
        writers[2].kill()
        for writer in (writers[0], writers[2]):
            writer.wait(PATIENCE_S)
        replace(path, b"words")

        assert path.read_bytes() == b"words"
        left = [other.name for other in tmp_path.iterdir() if other != path]
        assert left == [".file.1.part"]
        writers[1].communicate(timeout=PATIENCE_S)
        assert path.read_bytes() == b"half"
        assert list(tmp_path.iterdir()) == [path]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_what_is_left_goes_whatever_is_written_next(tmp_path: Path) -> None:
    """Of frames of other settings, of exports that nobody asks for again; other files stay."""
    left = [".000001000.jpg.0.part", ".scenes.csv.12.part"]
    others = ["film.part", ".part", ".0.part", ".film.part", ".scenes.csv.12.parts"]
    for name in [*left, *others]:
        (tmp_path / name).touch()
    with replacing(tmp_path / "file"):
        remove_leftovers(tmp_path)
        there = {path.name for path in tmp_path.iterdir()}

    assert there == {*others, ".file.0.part"}


def test_many_may_write_one_file_at_once(tmp_path: Path) -> None:
    """Each time it is that of one of them, whole."""
    path, seen = tmp_path / "file", set()

    def write(letter: bytes) -> None:
        for _ in range(60):
            replace(path, letter * 5000)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            seen.add(path.read_bytes())
    for writer in writers:
        writer.join()

    assert {len(content) for content in seen} == {5000}
    assert all(len(set(content)) == 1 for content in seen)
    assert list(tmp_path.iterdir()) == [path]
