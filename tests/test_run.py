"""`manage.py run`, as `make run` ends: everything starts, is watched, and is gone afterwards."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import processes

WAIT = 60
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Run:
    """A `manage.py run` over an empty data folder."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "log"
        self.port = processes.free_port()
        self.environment = {**os.environ, "SOLOIST_DATA_DIR": str(self.data_dir), "DATABASE_URL": ""}
        self.process = processes.start(
            sys.executable, "manage.py", "run", "--port", str(self.port),
            log=self.log, cwd=processes.ROOT, env=self.environment, start_new_session=True,
        )  # fmt: skip

    def said(self) -> str:
        return self.log.read_text()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with direct.open(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def members(self) -> dict[int, str]:
        """Every living process that works on this data folder, with its command line."""
        mark = f"SOLOIST_DATA_DIR={self.data_dir}\0".encode()
        found = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes():
                    found[int(process.name)] = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it ended, or is not ours to read
        return found

    def member(self, part: str) -> int | None:
        return next((pid for pid, command in self.members().items() if part in command), None)


def until(happens: Callable[[], object], run: Run) -> None:
    deadline = time.monotonic() + WAIT
    while not happens():
        assert time.monotonic() < deadline, run.said()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    running = Run(tmp_path_factory.mktemp("run"))
    try:
        until(lambda: "Ctrl-C stops it" in running.said(), running)
        yield running
    finally:
        processes.stop(running.process, seconds=40)
        for pid in running.members():
            os.kill(pid, signal.SIGKILL)


# In the order of a day: started, used, something dies, stopped.


def test_it_tells_its_address_and_how_to_become_the_first_admin(run):
    assert f"Soloist is at http://127.0.0.1:{run.port}" in run.said()
    link = re.search(r"http://127\.0\.0\.1:\d+(/welcome/\S+)", run.said())
    assert link
    status, page = run.get(link[1])
    assert status == 200
    assert "password" in page


def test_its_probes_answer(run):
    assert run.get("/healthz") == (200, '{"ok": true, "problems": []}')
    assert run.get("/readyz") == (200, '{"ok": true, "problems": []}')


def test_web_server_and_worker_run(run):
    assert run.member("-m daphne")
    assert run.member("manage.py worker")


def test_a_second_start_on_the_same_port_is_refused_in_plain_words(run):
    second = subprocess.run(
        [sys.executable, "manage.py", "run", "--port", str(run.port)],
        cwd=processes.ROOT, env=run.environment, capture_output=True, text=True, timeout=WAIT,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"Port {run.port} cannot be used: Address already in use" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("part", ["-m daphne", "manage.py worker"])
def test_what_is_killed_is_started_again(run, part):
    first = run.member(part)
    os.kill(first, signal.SIGKILL)
    until(lambda: run.member(part) not in (None, first), run)
    until(lambda: answers(run), run)


def test_ctrl_c_leaves_no_process_behind(run):
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(45) == 0
    assert run.members() == {}


def answers(run: Run) -> bool:
    try:
        return run.get("/healthz")[0] == 200
    except OSError:
        return False


def test_a_killed_run_takes_its_processes_along(tmp_path):
    run = Run(tmp_path)
    try:
        until(lambda: "Ctrl-C stops it" in run.said(), run)
        run.process.kill()
        run.process.wait()
        until(lambda: run.members() == {}, run)
    finally:
        for pid in run.members():
            os.kill(pid, signal.SIGKILL)


def test_a_port_that_another_program_holds_is_told_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = subprocess.run(
            [sys.executable, "manage.py", "run", "--port", str(taken.getsockname()[1])],
            cwd=processes.ROOT, env={**os.environ, "SOLOIST_DATA_DIR": str(tmp_path)},
            capture_output=True, text=True, timeout=WAIT,
        )  # fmt: skip
    assert refused.returncode == 1
    assert "PORT=8001 make run" in refused.stderr
    assert not (tmp_path / "soloist.sqlite3").exists()
