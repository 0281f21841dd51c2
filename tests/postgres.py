"""A PostgreSQL server for one run of the tests, on a free port of the loopback, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests import processes

START_SECONDS = 30


class Postgres:
    def __init__(self) -> None:
        self.binaries = find_binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="soloist-postgres-"))
        self.as_user: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(self.folder, "postgres", "postgres")
            self.as_user |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.port = processes.free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        cluster = self.folder / "cluster"
        initdb = [self.binaries / "initdb", "-D", cluster, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, **self.as_user)
        options = ["-p", str(self.port), "-h", "127.0.0.1", "-k", self.folder, "-c", "fsync=off"]
        self.process = processes.start(
            self.binaries / "postgres", "-D", cluster, *options, log=self.folder / "log", **self.as_user
        )
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.1)

    def ready(self) -> bool:
        command = [self.binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self) -> None:
        processes.stop(self.process, signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    if not found and not on_path:
        raise RuntimeError("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    return (found[-1] if found else Path(str(on_path))).parent
