"""What cannot be used gets one clear message, and leaves nothing behind."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import subprocess
import wave
from pathlib import Path

import command
import pytest
from clips import BIKES
from server_process import ServerProgram
from tiny_llava import TinyModel


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return Path(shutil.copy(BIKES, tmp_path / "film.mp4"))


def write_sound(path: Path) -> Path:
    """A second of a tone: an audio file and no film."""
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 8000, "NONE", ""))
        tone = (int(8000 * math.sin(n / 3)) for n in range(8000))
        sound.writeframes(b"".join(struct.pack("<h", value) for value in tone))
    return path


def assert_refused(
    arguments: list[str | Path], folder: Path, failed: str, code: int = 1, **environment: str
) -> str:
    """Check that the command fails with one message and writes nothing; return the message."""
    before = sorted(folder.rglob("*"))
    done = command.run(*arguments, **environment)

    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    talk = done.stderr
    assert talk.count("Failed to ") == 1
    assert failed in talk
    for part in ("Cause: ", "Check: ", "Tip: "):
        assert talk.count(part) == 1
    assert "Traceback" not in talk
    assert str(Path.home()) not in talk
    assert sorted(folder.rglob("*")) == before
    return talk


def test_a_name_that_leaves_no_room_for_the_folders_is_told(film: Path) -> None:
    film = film.rename(film.with_name("f" * 246 + ".mp4"))

    said = assert_refused(["keyframes", film], film.parent, f"'{film.name}.cinecut'")

    assert "shorter name" in said


def test_a_name_from_stdin_ends_at_the_end_of_its_line_alone(film: Path) -> None:
    odd = [film.with_name(f"a{character}b.mp4") for character in "\f\v\x1c\x85\u2028"]
    for name in odd:
        name.hardlink_to(film)

    done = subprocess.run(
        [command.cinecut_path(), "keyframes", "-", "--json"],
        input="\r\n".join(map(str, odd)) + "\n\n",
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert {json.loads(line)["film"] for line in done.stdout.split("\n") if line} == {
        name.name for name in odd
    }


def test_a_limit_on_files_is_told_as_one(
    film: Path, mock_server: ServerProgram, tiny_model: TinyModel
) -> None:
    """And not as a full GPU, a llama-server that is missing, or a folder without films."""
    files = ("--model", tiny_model.model, "--mmproj", tiny_model.mmproj)
    options = (*files, "--llama-server", mock_server.path)
    describe = [command.cinecut_path(), "describe", "-r", film.parent, *options]
    for limit in (6, 8, 9):
        done = subprocess.run(
            ["/bin/sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *describe],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 1
        assert done.stderr.count("Failed to ") == 1, done.stderr
        assert "Too many open files" in done.stderr
        assert "ulimit -n 1024" in done.stderr


@pytest.mark.parametrize("subcommand", ["describe", "keyframes"])
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "sound", "text", "pipe"])
def test_what_is_no_film_is_refused(
    kind: str,
    subcommand: str,
    tmp_path: Path,
    mock_server: ServerProgram,
    tiny_model: TinyModel,
) -> None:
    path = tmp_path / f"{kind}.mkv"
    match kind:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "pipe":
            os.mkfifo(path)
        case "sound":
            path = write_sound(tmp_path / "sound.wav")
        case "text":
            path.write_text("Dear diary, today I made a film.\n" * 100)
    model = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    options = [*model, "--llama-server", str(mock_server.path)] if subcommand == "describe" else []

    assert_refused([subcommand, path, *options], tmp_path, f"Failed to read film '{path.name}'.")


@pytest.mark.parametrize("option", ["--model", "--mmproj"])
@pytest.mark.parametrize("kind", ["missing", "text", "swapped", "pipe"])
def test_what_is_no_model_is_refused(
    option: str, kind: str, film: Path, tiny_model: TinyModel, mock_server: ServerProgram
) -> None:
    files: dict[str, Path] = {"--model": tiny_model.model, "--mmproj": tiny_model.mmproj}
    match kind:
        case "missing":
            files[option] = film.with_name("missing.gguf")
        case "pipe":
            files[option] = film.with_name("pipe.gguf")
            os.mkfifo(files[option])
        case "text":
            files[option] = film.with_name("text.gguf")
            files[option].write_text("no model\n")
        case "swapped":
            files[option] = files["--mmproj" if option == "--model" else "--model"]
    named = [part for pair in files.items() for part in pair]
    server = ["--llama-server", str(mock_server.path)]

    assert_refused(
        ["describe", film, *named, *server],
        film.parent,
        f"Failed to use model file '{files[option].name}'.",
    )


def test_no_model_at_all_tells_how_to_get_one(film: Path) -> None:
    talk = assert_refused(["describe", film], film.parent, "Failed to use model file")

    assert "cinecut models pull" in talk


def test_no_llama_server_tells_how_to_get_one(film: Path, tiny_model: TinyModel) -> None:
    files = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    talk = assert_refused(
        ["describe", film, *files, "--llama-server", "no-such-server"],
        film.parent,
        "Failed to find llama-server.",
    )

    assert "pip install 'cinecut[server]'" in talk


def test_an_output_folder_that_cannot_be_written_is_refused(
    film: Path, tiny_model: TinyModel, mock_server: ServerProgram
) -> None:
    in_the_way = film.with_name("a file")
    in_the_way.touch()
    files = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    server = ["--llama-server", str(mock_server.path)]

    assert_refused(
        ["describe", film, *files, *server, "--output-dir", in_the_way / "results"],
        film.parent,
        "Failed to use results",
    )


@pytest.mark.parametrize("content", [b"\x00\xff\xfe\x00\x81" * 50, b"nothing that is dialogue"])
def test_subtitles_that_cannot_be_read_are_refused(
    content: bytes, film: Path, tiny_model: TinyModel, mock_server: ServerProgram
) -> None:
    subtitles = film.with_name("named.srt")
    subtitles.write_bytes(content)
    files = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    server = ["--llama-server", str(mock_server.path)]

    assert_refused(
        ["describe", film, *files, *server, "--subtitles", subtitles],
        film.parent,
        "Failed to read subtitles 'named.srt'.",
    )


@pytest.mark.parametrize("kind", ["a named pipe", "a pipe", "a link to a device"])
@pytest.mark.parametrize("option", ["--subtitles", "--prompt-file"])
def test_what_is_no_file_is_never_waited_for(
    option: str, kind: str, film: Path, tiny_model: TinyModel, mock_server: ServerProgram
) -> None:
    """A pipe gives its words once, and the same command again would find none."""
    path = film.with_name("words")
    ends: tuple[int, ...] = ()
    match kind:
        case "a named pipe":
            os.mkfifo(path)
        case "a pipe":  # as `<(...)` gives it
            ends = os.pipe()
            path = Path(f"/proc/{os.getpid()}/fd/{ends[0]}")
        case _:
            path.symlink_to("/dev/zero")
    files = ["--model", tiny_model.model, "--mmproj", tiny_model.mmproj]
    server = ["--llama-server", str(mock_server.path)]
    is_prompt = option == "--prompt-file"

    talk = assert_refused(
        ["describe", film, *files, *server, option, path],
        film.parent,
        "Failed to understand the command." if is_prompt else "Failed to read subtitles",
        code=2 if is_prompt else 1,
    )

    assert f"{path.name} is a" in talk
    for end in ends:
        os.close(end)


@pytest.mark.parametrize("content", [b"", b"  \n", b"x" * 4001, b"\xff\xfe"])
def test_a_prompt_that_cannot_be_asked_is_refused(content: bytes, film: Path) -> None:
    prompt = film.with_name("prompt.txt")
    prompt.write_bytes(content)

    talk = assert_refused(
        ["describe", film, "--prompt-file", prompt],
        film.parent,
        "Failed to understand the command.",
        code=2,
    )

    assert "--prompt-file prompt.txt" in talk


@pytest.mark.parametrize(
    "options",
    [
        ["--interval", "0"],
        ["--interval", "nan"],
        ["--scene-threshold", "2"],
        ["--max-frames", "0"],
        ["--parallel", "none"],
        ["--parallel", "0"],
        ["--subtitles", "a.srt", "--no-subtitles"],
    ],
)
def test_options_out_of_range_are_a_usage_error(options: list[str], film: Path) -> None:
    assert_refused(
        ["describe", film, *options], film.parent, "Failed to understand the command.", code=2
    )
