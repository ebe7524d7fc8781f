"""What is done to a run while it is under way: the moment first, then the blow."""

from __future__ import annotations

import http.server
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faults.running import FRAME_S, LOAD_S, PATIENCE_S, Film, Run, program
from faults.trial import Trial
from wrappers import write_wrapper

Moment = Callable[[Trial], None]
"""Starts the run and waits for a moment in its life, which is drawn to some extent."""


def at_start(trial: Trial) -> None:
    trial.start()
    trial.pause(0.8)


def at_spawn(trial: Trial) -> None:
    trial.start()
    trial.run.until(lambda: trial.run.servers, "a server is started")
    trial.pause(0.05)


def at_load(trial: Trial) -> None:
    trial.start()
    trial.run.until(lambda: b"loading model" in trial.run.log, "the model is loading")
    trial.pause(LOAD_S / 2)


def at_first_reply(trial: Trial) -> None:
    trial.start()
    trial.run.until(lambda: b"| task 1 | processing task" in trial.run.log, "the first request")
    trial.pause(FRAME_S)


def in_the_middle(trial: Trial) -> None:
    trial.start()
    count = trial.random.randint(1, 7)
    trial.run.until(lambda: len(trial.run.journal.scenes) >= count, f"scene {count}")
    trial.pause(FRAME_S)


def at_stop(trial: Trial) -> None:
    trial.start()
    trial.run.until(lambda: trial.run.journal.is_finished, "the film is done")
    trial.pause(0.3)


def in_a_restart(trial: Trial) -> None:
    trial.start()
    trial.run.until_it_says("starting it anew")
    trial.pause(0.6)


def while_it_hangs(trial: Trial) -> None:
    trial.start()
    trial.run.until(lambda: trial.run.has_stopped_server, "the server stands still")
    trial.pause(0.5)


def anywhere(trial: Trial) -> None:
    trial.random.choice([at_spawn, at_load, at_first_reply, in_the_middle])(trial)


MOMENTS: Final[dict[str, Moment]] = {
    "start": at_start,
    "load": at_load,
    "first reply": at_first_reply,
    "middle": in_the_middle,
    "stop": at_stop,
}
SERVER_MOMENTS: Final = {**MOMENTS, "start": at_spawn}


def signal_cinecut(number: int, moment: Moment, trial: Trial) -> None:
    moment(trial)
    trial.run.signal(number)


def signal_server(number: int, moment: Moment, trial: Trial) -> None:
    moment(trial)
    trial.run.signal_server(number)


def signal_leash(number: int, trial: Trial) -> None:
    in_the_middle(trial)
    for pid in trial.run.leashes:
        os.kill(pid, number)


def behind_wrapper(way: str, strike: Moment, trial: Trial) -> None:
    """Let a script start the server."""
    trial.llama_server = write_wrapper(
        trial.folder / "wrapper", way, program("cinecut-mock-server")
    )
    strike(trial)


def name_film(name: bytes, trial: Trial) -> None:
    """Let the film have another name."""
    path = trial.folder / os.fsdecode(name)
    shutil.copy(trial.film.path, path)
    trial.film = Film(path, trial.film.scenes)
    trial.start()


def press_ctrl_z(trial: Trial) -> None:
    """Let the shell that is the fault's go on with it in the foreground, seconds later."""
    anywhere(trial)
    assert trial.run.terminal is not None
    trial.run.terminal.press(b"\x1a")


def interrupt_twice(trial: Trial) -> None:
    anywhere(trial)
    trial.run.signal(signal.SIGINT)
    trial.pause(0.5)
    trial.run.signal(signal.SIGINT)


def set_clock(trial: Trial) -> None:
    """Let CineCut, and all that it starts, see a time of day that jumps."""
    home = trial.folder / "home"
    home.mkdir()
    assert shutil.which("cc"), "the faults of the clock need a C compiler: apt install gcc"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", home / "clock.so", source], check=True)
    anywhere(trial)
    (home / "set").touch()


def press_ctrl_c(trial: Trial) -> None:
    anywhere(trial)
    assert trial.run.terminal is not None
    trial.run.terminal.press(b"\x03")


def close_terminal(trial: Trial) -> None:
    anywhere(trial)
    assert trial.run.terminal is not None
    trial.run.terminal.close()


def stop_and_continue(trial: Trial) -> None:
    """As Ctrl-Z and fg do, or a laptop that sleeps; it may be longer than a frame may take."""
    anywhere(trial)
    trial.run.signal(signal.SIGSTOP)
    trial.pause(6)
    trial.run.signal(signal.SIGCONT)


def close_stdout(trial: Trial) -> None:
    """As `| head` does."""
    in_the_middle(trial)
    trial.run.close_stdout()


def fill_disk(trial: Trial) -> None:
    """Let the results lie on a disk that has no room for all of them."""
    size = trial.random.randrange(12, 100) << 10
    disk = _Disk(trial, f"size={size}")
    if disk.is_mounted:
        trial.before_resuming.callback(disk.remount, "size=64m")
        trial.start()
    else:
        trial.start()
        limit = trial.random.randrange(500, 4500)
        resource.prlimit(trial.run.process.pid, resource.RLIMIT_FSIZE, (limit, limit))


def lock_disk(trial: Trial) -> None:
    """Let a first run leave a journal, and nothing be written after that."""
    disk = _Disk(trial, "size=64m")
    signal_cinecut(signal.SIGKILL, in_the_middle, trial)
    trial.run.wait()
    trial.problems += trial.run.left()
    if disk.is_mounted:
        trial.before_resuming.callback(disk.remount, "rw")
        disk.remount("ro")
    else:
        for folder in (trial.run.output_dir, trial.run.results):
            trial.before_resuming.callback(folder.chmod, 0o755)
            folder.chmod(0o555)
    trial.start()


def answer_in_its_place(trial: Trial) -> None:
    """Run a program that tells the port of a service that is no llama-server."""
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _NoLlamaServer)
    trial.resources.callback(service.server_close)
    trial.resources.callback(service.shutdown)
    threading.Thread(target=service.serve_forever, args=(0.05,), daemon=True).start()
    port = service.server_address[1]
    trial.llama_server = trial.folder / "alien"
    trial.llama_server.write_text(
        f'#!/bin/sh\ncase "$1" in --*) exec {program("cinecut-mock-server")} "$1";; esac\n'
        f"echo 'srv llama_server: listening on http://127.0.0.1:{port}'\nexec /bin/sleep 600\n"
    )
    trial.llama_server.chmod(0o755)
    trial.start()


def start_another_on_the_same_film(trial: Trial) -> None:
    _start_another(trial, trial.film, trial.folder)


def start_another_on_another_film(trial: Trial) -> None:
    _start_another(trial, trial.bench.other_film, trial.folder / "another")


def start_another_and_die(trial: Trial) -> None:
    another = _start_waiting(trial, trial.bench.other_film, trial.folder / "another")
    trial.pause(0.5)
    trial.run.signal(signal.SIGKILL)
    _expect_done(trial, another, trial.bench.other_film)


def expect_gpu(index: str, trial: Trial) -> None:
    """See which GPU the server may use."""
    at_load(trial)
    (server,) = trial.run.servers
    environment = Path("/proc", str(server), "environ").read_bytes().split(b"\0")
    if f"CUDA_VISIBLE_DEVICES={index}".encode() not in environment:
        trial.problems.append(f"the server does not run on GPU {index}")


def _start_another(trial: Trial, film: Film, folder: Path) -> None:
    another = _start_waiting(trial, film, folder)
    trial.run.signal_server(signal.SIGCONT)
    _expect_done(trial, another, film)


def _start_waiting(trial: Trial, film: Film, folder: Path) -> Run:
    """Return another run that waits for the GPU of the one under test, which stands still."""
    at_load(trial)
    trial.run.signal_server(signal.SIGSTOP)
    another = trial.new_run(film=film, folder=folder)
    pid, name = trial.run.process.pid, trial.film.path.name
    another.until_it_says(rf"Waiting for the GPU: process {pid} \(describing {name}\)")
    return another


def _expect_done(trial: Trial, run: Run, film: Film) -> None:
    code, journal = run.wait(), run.journal
    if code != 0 or journal.scenes != film.scenes or not journal.is_finished:
        trial.problems.append(f"the second CineCut: exit code {code}; {run.stderr[-600:]}")
    trial.problems += [f"the second CineCut: {problem}" for problem in run.left()]


class _Disk:
    """A small file system under the results folder, where this user may mount one."""

    def __init__(self, trial: Trial, options: str) -> None:
        self._path = trial.folder / "results"
        self._path.mkdir()
        self.is_mounted = os.geteuid() == 0 and self._mount("-t", "tmpfs", "-o", options, "tmpfs")
        if self.is_mounted:
            trial.resources.callback(self._run, "umount", str(self._path))

    def remount(self, options: str) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not self._mount("-o", f"remount,{options}"):  # busy while a file is being closed
            assert time.monotonic() < deadline_s, f"mount -o remount,{options}"
            time.sleep(0.1)

    def _mount(self, *arguments: str) -> bool:
        return self._run("mount", *arguments, str(self._path))

    def _run(self, *command: str) -> bool:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


class _NoLlamaServer(http.server.BaseHTTPRequestHandler):
    """Answers everything with a page."""

    def do_GET(self) -> None:
        page = b"<html>It works!</html>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
