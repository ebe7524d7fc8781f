"""`cinecut models` against a hub on loopback, and the models that `describe` finds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import command
import films
import pytest
from hub import Hub
from server_process import ServerProgram
from tiny_llava import TinyModel

from cinecut.errors import ModelError, UsageError
from cinecut.model_store.catalogue import CATALOGUE
from cinecut.model_store.choice import find_model_files
from cinecut.model_store.pull import Wanted
from cinecut.model_store.search import find_models

ENTRIES = {entry.name: entry for entry in CATALOGUE}
LLAVA, SMALL = ENTRIES["llava-1.5-7b"], ENTRIES["smolvlm2-500m"]
OTHER_REPO, OTHER_FILE, OTHER_MMPROJ = "somebody/eyes-GGUF", "sub/eyes-Q4.gguf", "mmproj-eyes.gguf"
MODEL = b"GGUF" + random.Random(7).randbytes(5_000_000)
MMPROJ = b"GGUF" + random.Random(8).randbytes(300_000)


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A hub that has LLaVA-1.5-7B, of some megabytes."""
    with Hub() as hub:
        hub.add(LLAVA.repo, LLAVA.model_file, MODEL)
        hub.add(LLAVA.repo, LLAVA.mmproj_file, MMPROJ)
        yield hub


@pytest.fixture(autouse=True)
def _own_hub_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("HF_")]:
        monkeypatch.delenv(name)
    # Read once, when the hub's package is imported: the tests in this process share one.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub-cache"))


def pull(hub: Hub, folder: Path, *what: str, **environment: str):
    """Pull LLaVA-1.5-7B, or what else is named."""
    named = what or (LLAVA.name,)
    return command.run(
        "models", "pull", *named, "--models-dir", folder, HF_ENDPOINT=hub.url, **environment
    )


def files_in(folder: Path) -> set[str]:
    """Return what lies in a folder but for locks."""
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"}


def started_pull(hub: Hub, folder: Path) -> subprocess.Popen[str]:
    """Start a pull of which the hub sends only the first megabytes."""
    hub.stops_after = 3_000_000
    process = command.start(
        "models", "pull", LLAVA.name, "--models-dir", folder, HF_ENDPOINT=hub.url
    )
    deadline_s = time.monotonic() + command.PATIENCE_S
    while not any(path.stat().st_size >= 2_000_000 for path in folder.rglob("*.partial")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline_s, "nothing was loaded"
        time.sleep(0.02)
    return process


def test_a_model_is_pulled_and_described_with(
    tmp_path: Path, tiny_model: TinyModel, mock_server: ServerProgram
) -> None:
    folder = tmp_path / "models"
    with Hub() as hub:
        hub.add(LLAVA.repo, LLAVA.model_file, tiny_model.model.read_bytes())
        hub.add(LLAVA.repo, LLAVA.mmproj_file, tiny_model.mmproj.read_bytes())
        done = pull(hub, folder)

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert files_in(folder) == {LLAVA.model_file, LLAVA.mmproj_file}

    film = films.make_film(tmp_path / "film.mp4", films.still(1, 12))
    described = command.run(
        *("describe", film, "--models-dir", folder, "--device", "cpu"),
        *("--llama-server", mock_server.path),
    )

    assert described.returncode == 0, described.stderr


def test_a_connection_that_drops_is_made_anew_and_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.drops = [2_500_000]
    done = pull(hub, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / LLAVA.name / LLAVA.model_file).read_bytes() == MODEL
    assert [request.from_byte > 1_000_000 for request in hub.downloads] == [False, True, False]
    assert "Error" not in done.stderr


def test_a_pull_that_was_killed_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    process = started_pull(hub, tmp_path)
    process.kill()
    process.communicate()
    assert files_in(tmp_path) != {LLAVA.model_file}
    hub.stops_after = None
    hub.requests.clear()
    done = pull(hub, tmp_path)

    assert done.returncode == 0, done.stderr
    assert "goes on" in done.stderr
    assert hub.downloads[0].from_byte >= 2_000_000
    assert (tmp_path / LLAVA.name / LLAVA.model_file).read_bytes() == MODEL
    assert files_in(tmp_path) == {LLAVA.model_file, LLAVA.mmproj_file}


LOGIN_PAGE = b"<html><body>Please log in.</body></html>"


@pytest.mark.parametrize("etag", ["W1234", "q83vEjRWeJC/+w=="])
def test_a_login_page_is_no_model(hub: Hub, tmp_path: Path, etag: str) -> None:
    """Neither loaded anew nor where an earlier version has taken it for one."""
    hub.add(LLAVA.repo, LLAVA.model_file, LOGIN_PAGE, told_sha256=etag)
    folder = tmp_path / LLAVA.name
    for _ in range(2):
        done = pull(hub, tmp_path)

        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert done.stderr.count("Failed to ") == 1
        assert "login page" in done.stderr
        assert files_in(tmp_path) == set()
        (folder / LLAVA.model_file).write_bytes(LOGIN_PAGE)


def test_a_mirror_may_tell_any_etag(hub: Hub, tmp_path: Path) -> None:
    hub.add(LLAVA.repo, LLAVA.model_file, MODEL, told_sha256="q83v/jRWeJC/+w==")
    done = pull(hub, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / LLAVA.name / LLAVA.model_file).read_bytes() == MODEL


def test_a_link_in_the_place_of_a_partial_file_is_not_written_through(
    hub: Hub, tmp_path: Path
) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "models"
    victim.write_bytes(b"GGUF mine")
    etag = hashlib.sha256(MODEL).hexdigest()[:16]
    (folder / LLAVA.name).mkdir(parents=True)
    (folder / LLAVA.name / f"{LLAVA.model_file}.{etag}.partial").symlink_to(victim)
    done = pull(hub, folder)

    assert done.returncode == 0, done.stderr
    assert victim.read_bytes() == b"GGUF mine"
    assert files_in(folder) == {LLAVA.model_file, LLAVA.mmproj_file}
    assert (folder / LLAVA.name / LLAVA.model_file).read_bytes() == MODEL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_ENDPOINT", "http://[::1"),
        ("HF_ENDPOINT", "nonsense"),
        ("HF_ENDPOINT", "http://127.0.0.1:99999"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "soon"),
        ("HF_TOKEN", "schl\u00fcssel"),
        ("HTTPS_PROXY", "http://[::1"),
        ("HTTP_PROXY", "nonsense://x"),
    ],
)
def test_an_odd_setting_of_the_hub_is_one_error(
    hub: Hub, tmp_path: Path, name: str, value: str
) -> None:
    done = command.run(
        *("models", "pull", LLAVA.name, "--models-dir", tmp_path),
        **{"HF_ENDPOINT": hub.url, name: value},
    )

    assert done.returncode in (1, 2), done.stderr
    assert done.stderr.count("Failed to ") == 1
    assert "Traceback" not in done.stderr
    assert files_in(tmp_path) == set()


def test_ctrl_c_leaves_what_was_loaded(hub: Hub, tmp_path: Path) -> None:
    process = started_pull(hub, tmp_path)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=command.PATIENCE_S)

    assert process.returncode == 130
    assert "goes on from here" in said
    assert "Traceback" not in said
    assert any(name.endswith(".partial") for name in files_in(tmp_path))


def test_a_second_pull_of_the_same_model_says_that_one_is_under_way(
    hub: Hub, tmp_path: Path
) -> None:
    process = started_pull(hub, tmp_path)
    done = pull(hub, tmp_path)
    process.kill()
    process.communicate()

    assert done.returncode == 1
    assert "Another cinecut models pull" in done.stderr


def test_a_wrong_checksum_removes_the_file_with_one_clear_error(tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add(LLAVA.repo, LLAVA.model_file, MODEL, told_sha256="ab" * 32)
        hub.add(LLAVA.repo, LLAVA.mmproj_file, MMPROJ)
        done = pull(hub, tmp_path)

    assert done.returncode == 1
    assert f"Failed to download '{LLAVA.model_file}'." in done.stderr
    assert "checksum" in done.stderr
    assert done.stderr.count("Cause:") == 1
    assert files_in(tmp_path) == set()


def test_a_damaged_file_is_loaded_anew_and_a_sound_one_is_not(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / LLAVA.name
    folder.mkdir()
    (folder / LLAVA.model_file).write_bytes(bytes(len(MODEL)))
    (folder / LLAVA.mmproj_file).write_bytes(MMPROJ)
    done = pull(hub, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (folder / LLAVA.model_file).read_bytes() == MODEL
    assert [LLAVA.model_file in request.path for request in hub.downloads] == [True]


def test_offline_nothing_is_asked_and_what_is_here_is_enough(hub: Hub, tmp_path: Path) -> None:
    without = pull(hub, tmp_path, HF_HUB_OFFLINE="1")
    assert without.returncode == 1
    assert "HF_HUB_OFFLINE is set" in without.stderr
    assert "unset HF_HUB_OFFLINE" in without.stderr
    assert hub.requests == []

    assert pull(hub, tmp_path).returncode == 0
    hub.requests.clear()
    with_it = pull(hub, tmp_path, HF_HUB_OFFLINE="1")

    assert with_it.returncode == 0, with_it.stderr
    assert "could not be compared" in with_it.stderr
    assert hub.requests == []


def test_the_token_goes_to_the_hub_and_not_to_its_storage(hub: Hub, tmp_path: Path) -> None:
    hub.token = "hf_secret"
    refused = pull(hub, tmp_path)
    assert refused.returncode == 1
    assert "HF_TOKEN" in refused.stderr
    hub.requests.clear()
    done = pull(hub, tmp_path, HF_TOKEN="hf_secret")

    assert done.returncode == 0, done.stderr
    assert {request.token for request in hub.downloads} == {None}
    asked = [request for request in hub.requests if request not in hub.downloads]
    assert {request.token for request in asked} == {"Bearer hf_secret"}


def test_nothing_but_the_two_files_is_asked_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    pull(hub, tmp_path)

    assert all(f"{LLAVA.repo}/resolve/main/" in request.path for request in hub.requests)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--repo", "no/body", "--file", "a.gguf", "--mmproj-file", "b.gguf"), "no repository"),
        (
            ("--repo", LLAVA.repo, "--file", "a.gguf", "--mmproj-file", LLAVA.mmproj_file),
            "no such file",
        ),
        (("--repo", "a b/c d", "--file", "a.gguf", "--mmproj-file", "b.gguf"), "no repository"),
    ],
)
def test_what_the_hub_does_not_have_is_told_and_nothing_is_left(
    hub: Hub, tmp_path: Path, arguments: tuple[str, ...], cause: str
) -> None:
    done = pull(hub, tmp_path, *arguments)

    assert done.returncode == 1
    assert cause in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("nobody",), ("--repo", LLAVA.repo, "--file", "a.gguf")])
def test_a_command_that_names_no_model_is_a_usage_error(
    hub: Hub, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = pull(hub, tmp_path, *arguments)

    assert done.returncode == 2
    assert hub.requests == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("repo", "file"),
    [("no-owner", "a.gguf"), ("../x", "a.gguf"), ("a/b/c", "a.gguf"), ("a/b", "a.bin")],
)
def test_what_cannot_be_on_the_hub_is_not_asked_for(repo: str, file: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repo if file == "a.gguf" else file)):
        Wanted(repo, file, "mmproj.gguf")


def test_a_licence_to_agree_to_is_told(hub: Hub, tmp_path: Path) -> None:
    hub.is_gated = True
    done = pull(hub, tmp_path)

    assert done.returncode == 1
    assert "agree" in done.stderr


def test_a_hub_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with Hub() as hub:
        url = hub.url
    done = command.run("models", "pull", LLAVA.name, "--models-dir", tmp_path, HF_ENDPOINT=url)

    assert done.returncode == 1
    assert "connection to the hub failed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = pull(hub, tmp_path / "file")

    assert done.returncode == 1
    assert "--models-dir DIR" in done.stderr


def test_any_other_pair_is_pulled_and_found_by_its_name(hub: Hub, tmp_path: Path) -> None:
    hub.add(OTHER_REPO, OTHER_FILE, MODEL)
    hub.add(OTHER_REPO, OTHER_MMPROJ, MMPROJ)
    names = ("--repo", OTHER_REPO, "--file", OTHER_FILE, "--mmproj-file", OTHER_MMPROJ)
    done = pull(hub, tmp_path, *names, "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["name"], told["here"], told["licence"]) == ("eyes-Q4", True, None)
    assert Path(told["model"]).read_bytes() == MODEL
    assert find_model_files(Path("eyes-Q4"), None, tmp_path)[0] == Path(told["model"])
    assert find_model_files(None, None, tmp_path)[1] == Path(told["mmproj"])


def test_on_a_terminal_one_line_shows_rate_and_amount_and_is_gone_at_the_end(
    hub: Hub, tmp_path: Path
) -> None:
    leader, follower = pty.openpty()
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        [command.cinecut_path(), "models", "pull", LLAVA.name, "--models-dir", tmp_path],
        stdin=follower, stdout=follower, stderr=follower, env=environment,
    ):  # fmt: skip
        os.close(follower)
        said = b""
        with contextlib.suppress(OSError):  # how a terminal ends
            while chunk := os.read(leader, 65536):
                said += chunk
    os.close(leader)

    assert b"MB/s" in said
    assert b"it/s" not in said  # a bar of the hub's own package
    last = said.decode().rstrip().splitlines()[-1]
    assert last.startswith("\x1b[1A\x1b[2K"), "the live line is wiped"
    assert f"{LLAVA.name} is here" in last


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"GGUF")


def put_in_hub_cache(cache: Path, repo: str, *files: str) -> Path:
    """Lay files out as the hub's own tools do: snapshots of links to blobs."""
    snapshot = cache / f"models--{repo.replace('/', '--')}" / "snapshots" / "abc"
    for number, file in enumerate(files):
        blob = snapshot.parents[1] / "blobs" / str(number)
        put(blob.parent, blob.name)
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).symlink_to(blob)
    return snapshot


def test_models_in_the_caches_of_other_tools_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = put_in_hub_cache(
        tmp_path / "hub-cache", LLAVA.repo, LLAVA.model_file, LLAVA.mmproj_file
    )
    put_in_hub_cache(tmp_path / "hub-cache", "some/text-only", "text.gguf")
    flat = tmp_path / "llama.cpp"
    prefix = SMALL.repo.replace("/", "_")
    put(flat, f"{prefix}_{SMALL.model_file}", f"{prefix}_{SMALL.mmproj_file}", "a_b_text.gguf")
    monkeypatch.setenv("LLAMA_CACHE", str(flat))
    found = {model.name: model.place for model in find_models(tmp_path / "own")}

    assert found == {LLAVA.name: "Hugging Face cache", SMALL.name: "llama.cpp cache"}
    assert find_model_files(Path(LLAVA.name), None, None) == (
        snapshot / LLAVA.model_file,
        snapshot / LLAVA.mmproj_file,
    )
    assert find_model_files(Path(SMALL.name), None, None)[0].parent == flat


def test_newer_builds_keep_the_hubs_layout_in_llama_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_hub_cache(tmp_path, LLAVA.repo, LLAVA.model_file, LLAVA.mmproj_file)
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path))

    assert [model.place for model in find_models(None)] == ["llama.cpp cache"]


def test_a_sound_model_in_a_cache_is_not_pulled_again(hub: Hub, tmp_path: Path) -> None:
    cache = tmp_path / "huggingface"
    snapshot = put_in_hub_cache(cache / "hub", LLAVA.repo, LLAVA.model_file, LLAVA.mmproj_file)
    (snapshot / LLAVA.model_file).write_bytes(MODEL)
    (snapshot / LLAVA.mmproj_file).write_bytes(MMPROJ)
    done = pull(hub, tmp_path / "own", HF_HOME=str(cache))
    assert done.returncode == 0, done.stderr
    assert hub.downloads == []

    (snapshot / LLAVA.model_file).write_bytes(b"damaged")
    assert pull(hub, tmp_path / "own", HF_HOME=str(cache)).returncode == 0

    assert files_in(tmp_path / "own") == {LLAVA.model_file, LLAVA.mmproj_file}
    assert (snapshot / LLAVA.model_file).read_bytes() == b"damaged"


def test_of_several_models_the_catalogues_is_taken_and_others_by_name(tmp_path: Path) -> None:
    put(tmp_path / "mine", "mine.gguf", "mmproj-mine.gguf")
    put(tmp_path / "other--repo", "other.gguf", "mmproj-other.gguf")
    with pytest.raises(ModelError, match="several: mine, other"):
        find_model_files(None, None, tmp_path)
    put(tmp_path / SMALL.name, SMALL.model_file, SMALL.mmproj_file)

    assert find_model_files(None, None, tmp_path)[0].parent.name == SMALL.name
    for name in (SMALL.name, SMALL.name.upper()):
        assert find_model_files(Path(name), None, tmp_path)[0].name == SMALL.model_file
    assert find_model_files(Path("other"), None, tmp_path)[1].name == "mmproj-other.gguf"


def test_a_file_of_the_name_wins_over_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "own" / LLAVA.name, LLAVA.model_file, LLAVA.mmproj_file)
    put(tmp_path, LLAVA.name, "mmproj.gguf")
    monkeypatch.chdir(tmp_path)

    model, mmproj = find_model_files(Path(LLAVA.name), None, tmp_path / "own")

    assert (model, mmproj.name) == (Path(LLAVA.name), "mmproj.gguf")


def test_an_mmproj_that_is_named_goes_with_a_model_that_has_none(tmp_path: Path) -> None:
    put(tmp_path, "a/model.gguf", "b/mmproj.gguf")
    with pytest.raises(ModelError, match="no mmproj beside it"):
        find_model_files(None, None, tmp_path / "a")

    found = find_model_files(None, tmp_path / "b/mmproj.gguf", tmp_path / "a")

    assert found == (tmp_path / "a/model.gguf", tmp_path / "b/mmproj.gguf")


def test_of_a_split_model_the_first_part_is_found(tmp_path: Path) -> None:
    put(tmp_path, "big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "mmproj-big.gguf")

    assert find_model_files(None, None, tmp_path)[0].name == "big-00001-of-00002.gguf"


def test_without_a_model_describe_names_the_command_that_gets_one(tmp_path: Path) -> None:
    film = films.make_film(tmp_path / "film.mp4", films.still(1, 5))
    nothing = command.run("describe", film)
    known = command.run("describe", film, "--model", SMALL.name)
    unknown = command.run("describe", film, "--model", "nobody.gguf")

    assert [done.returncode for done in (nothing, known, unknown)] == [1, 1, 1]
    assert nothing.stderr.rstrip().endswith("cinecut models pull")
    assert known.stderr.rstrip().endswith(f"cinecut models pull {SMALL.name}")
    assert "no such file" in unknown.stderr


def test_the_list_tells_what_there_is_and_what_is_here(tmp_path: Path) -> None:
    put(tmp_path / LLAVA.name, LLAVA.model_file, LLAVA.mmproj_file)
    put(tmp_path / "mine", "mine.gguf")
    as_text = command.run("models", "list", "--models-dir", tmp_path)
    as_json = command.run("models", "list", "--models-dir", tmp_path, "--json")
    told = {entry["name"]: entry for entry in map(json.loads, as_json.stdout.splitlines())}

    assert as_text.stderr == as_json.stderr == ""
    assert list(told) == [*(entry.name for entry in CATALOGUE), "mine", "demo"]
    assert [name for name, entry in told.items() if entry["here"]] == [LLAVA.name, "mine", "demo"]
    assert told["mine"]["mmproj"] is None
    assert told["mine"]["licence"] is None
    assert "used where it is named: --model demo" in as_text.stdout
    for name in told:
        assert name in as_text.stdout
    assert "Llama 2 Community License" in as_text.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("describe --model d", ["demo"]),
        ("describe --models-dir {dir} --model m", ["mine"]),
        ("describe --model ./", []),  # the shell offers files
        ("doctor --model qwen3-vl-3", ["qwen3-vl-30b", "qwen3-vl-32b"]),
        ("models pull l", ["lfm2.5-vl-1.6b", "llava-1.5-7b"]),
    ],
)
def test_a_shell_completes_the_names_of_models(
    tmp_path: Path, words: str, offered: list[str]
) -> None:
    put(tmp_path / "mine", "mine.gguf")
    line = f"cinecut {words.format(dir=tmp_path)}"
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}

    done = command.run(_CINECUT_COMPLETE="complete_bash", **asked)

    assert done.stdout.split() == offered
