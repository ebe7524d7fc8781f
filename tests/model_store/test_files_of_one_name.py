"""Models whose files have one name: none overwrites another's, none is taken for another."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import command
import films
import pytest
from families import FAMILIES
from hub import Hub
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import ModelError, UsageError
from cinecut.model_store.choice import find_model_files, find_named_files
from cinecut.model_store.pull import Wanted
from cinecut.model_store.search import find_models

ONE = ("somebody/Eyes-4B-GGUF", "Eyes-4B-Q4_K_M.gguf", "mmproj-F16.gguf")
OTHER = ("somebody/Eyes-9B-GGUF", "Eyes-9B-Q4_K_M.gguf", "mmproj-F16.gguf")
Pair = tuple[str, str, str]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


def publish(hub: Hub, pair: Pair, mark: str) -> tuple[bytes, bytes]:
    """Put files of some 100 KB on the hub that no other pair's are like."""
    contents = tuple(f"GGUF {mark} {half}".encode() * 9000 for half in ("model", "mmproj"))
    for path, content in zip(pair[1:], contents, strict=True):
        hub.add(pair[0], path, content)
    return contents[0], contents[1]


def arguments(folder: Path, pair: Pair) -> tuple[str | Path, ...]:
    files = ("--repo", pair[0], "--file", pair[1], "--mmproj-file", pair[2])
    return "models", "pull", *files, "--models-dir", folder, "--json"


def pull(hub: Hub, folder: Path, pair: Pair, **environment: str):
    return command.run(*arguments(folder, pair), **{"HF_ENDPOINT": hub.url, **environment})


def contents_of(done) -> tuple[bytes, bytes]:
    """Return what lies where a pull says that its files are."""
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Path(told["model"]).read_bytes(), Path(told["mmproj"]).read_bytes()


def kill_in_the_projector(hub: Hub, folder: Path, pair: Pair) -> None:
    """Pull, and kill the command when some of the second file is here."""
    hub.stops_after = 3_000_000
    process = command.start(*arguments(folder, pair), HF_ENDPOINT=hub.url)
    deadline_s = time.monotonic() + command.PATIENCE_S
    while not any(part.stat().st_size for part in folder.rglob(f"{pair[2]}.*.partial")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, "nothing was loaded"
        time.sleep(0.02)
    process.kill()
    process.communicate()
    hub.stops_after = None
    hub.requests.clear()


@pytest.mark.server
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_models_with_projectors_of_one_name_are_whole_and_described_with(
    order: tuple[int, int],
    hub: Hub,
    tmp_path: Path,
    tiny_model: TinyModel,
    llama_server: ServerProgram,
) -> None:
    """The pull of the second is killed in the middle of its projector, and goes on."""
    gemma = next(family for family in FAMILIES if family.name == "Gemma 3")
    files = {ONE: tiny_model, OTHER: gemma.write(tmp_path / "gemma")}
    sent = {}
    for pair, published in files.items():
        mmproj = published.mmproj.read_bytes() + bytes(4_000_000)  # that no one reads
        sent[pair] = published.model.read_bytes(), mmproj
        for name, content in zip(pair[1:], sent[pair], strict=True):
            hub.add(pair[0], name, content)
    first, second = (tuple(files)[place] for place in order)
    folder = tmp_path / "models"

    assert contents_of(pull(hub, folder, first)) == sent[first]
    kill_in_the_projector(hub, folder, second)
    assert contents_of(pull(hub, folder, second)) == sent[second]
    assert [request.from_byte > 0 for request in hub.downloads] == [True]

    film = films.make_film(tmp_path / "film.mp4", films.still(1, 12))
    for pair, contents in sent.items():
        name = pair[1].removesuffix(".gguf")
        files_of_it = find_model_files(Path(name), None, folder)
        assert tuple(path.read_bytes() for path in files_of_it) == contents
        described = command.run(
            *("describe", film, "--models-dir", folder, "--model", name, "--device", "cpu"),
            *("--llama-server", llama_server.path, "--output-dir", tmp_path / name),
        )
        assert described.returncode == 0, described.stderr


def test_files_of_one_name_in_folders_of_one_repository_stay_apart(
    hub: Hub, tmp_path: Path
) -> None:
    pairs: list[Pair] = [
        ("a/eyes", "4B/model-Q4.gguf", "4B/mmproj-F16.gguf"),
        ("a/eyes", "9B/model-Q4.gguf", "9B/mmproj-F16.gguf"),
        ("a/eyes", "27B/model-Q4.gguf", "mmproj-F16.gguf"),
    ]
    sent = [publish(hub, pair, " ".join(pair)) for pair in pairs]
    for pair in pairs:
        assert pull(hub, tmp_path, pair).returncode == 0

    for pair, contents in zip(pairs, sent, strict=True):
        told = pull(hub, tmp_path, pair, HF_HUB_OFFLINE="1")
        assert contents_of(told) == contents, pair
    names = [found.name for found in find_models(tmp_path)]
    assert len(names) == len(set(names)) == len(pairs)


def test_models_of_one_name_are_told_apart_by_where_they_are_from(hub: Hub, tmp_path: Path) -> None:
    files = ("ggml-model-Q4_K_M.gguf", "mmproj-model-f16.gguf")
    one, other = ("a/one-GGUF", *files), ("a/other-GGUF", *files)
    publish(hub, one, "one")
    sent = publish(hub, other, "other")
    assert json.loads(pull(hub, tmp_path, one).stdout)["name"] == "ggml-model-Q4_K_M"
    alone = pull(hub, tmp_path, other, HF_HUB_OFFLINE="1")
    assert alone.returncode == 1, "one is not taken for the other"
    told = pull(hub, tmp_path, other)

    assert contents_of(told) == sent
    name = json.loads(told.stdout)["name"]
    assert name == "a--other-GGUF/mmproj-model-f16/ggml-model-Q4_K_M"
    model, mmproj = find_model_files(Path(name), None, tmp_path)
    assert (model.read_bytes(), mmproj.read_bytes()) == sent
    with pytest.raises(ModelError, match=f"several: a--one-GGUF/.*, {name}"):
        find_model_files(Path("ggml-model-Q4_K_M"), None, tmp_path)
    named = {
        half: {"name": path.name, "size_bytes": path.stat().st_size}
        for half, path in (("model", model), ("mmproj", mmproj))
    }
    assert find_named_files(named, tmp_path) == (model, mmproj)


def test_what_an_earlier_version_pulled_is_used_and_never_written_over(
    hub: Hub, tmp_path: Path
) -> None:
    """It had one folder for a repository; a damaged file in it may be another's."""
    sent = publish(hub, ONE, "one")
    old = tmp_path / "somebody--Eyes-4B-GGUF"
    old.mkdir()
    for name, content in zip(ONE[1:], sent, strict=True):
        (old / name).write_bytes(content)
    assert contents_of(pull(hub, tmp_path, ONE)) == sent
    assert hub.downloads == []

    (old / ONE[2]).write_bytes(b"GGUF, and another's")
    assert contents_of(pull(hub, tmp_path, ONE)) == sent
    assert (old / ONE[2]).read_bytes() == b"GGUF, and another's"


def test_another_projector_of_a_model_of_the_catalogue_is_another_pair(
    hub: Hub, tmp_path: Path
) -> None:
    repo, model, mmproj = (
        "Qwen/Qwen3-VL-4B-Instruct-GGUF",
        "Qwen3VL-4B-Instruct-Q4_K_M.gguf",
        "mmproj-Qwen3VL-4B-Instruct-F16.gguf",
    )
    sent = publish(hub, (repo, model, mmproj), "full")
    usual = publish(hub, (repo, model, mmproj.replace("F16", "Q8_0")), "usual")
    pull(hub, tmp_path, (repo, model, mmproj))
    command.run("models", "pull", "qwen3-vl-4b", "--models-dir", tmp_path, HF_ENDPOINT=hub.url)

    for name, projector in (("qwen3-vl-4b", usual[1]), (model.removesuffix(".gguf"), sent[1])):
        assert find_model_files(Path(name), None, tmp_path)[1].read_bytes() == projector


def test_of_several_projectors_beside_a_model_of_the_catalogue_its_own_is_taken(
    tmp_path: Path,
) -> None:
    """Publishers have three of them, and other tools load more than one."""
    for name in ("Qwen3.5-4B-Q4_K_M.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")

    found = find_model_files(Path("Qwen3.5-4B-Q4_K_M"), None, tmp_path)

    assert found[1].name == "mmproj-F16.gguf"


def test_in_a_flat_cache_the_longest_name_of_a_repository_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path))
    for repo in ("a_eyes_", "a_eyes_9B_"):
        for file in ("model.gguf", "mmproj-F16.gguf"):
            (tmp_path / f"{repo}{file}").write_bytes(b"GGUF")

    pairs = {found.name: found.mmproj for found in find_models(tmp_path / "own")}

    assert pairs == {
        "a--eyes/model": tmp_path / "a_eyes_mmproj-F16.gguf",
        "a--eyes_9B/model": tmp_path / "a_eyes_9B_mmproj-F16.gguf",
    }


@pytest.mark.parametrize("file", ["/a.gguf", "../a.gguf", "b/../../a.gguf"])
def test_a_file_is_named_by_its_place_in_the_repository(file: str) -> None:
    for files in ((file, "mmproj.gguf"), ("a.gguf", file)):
        with pytest.raises(UsageError, match="place in the repository"):
            Wanted("a/b", *files)
