"""The whole product as its users run it: web server and workers as real processes over a data folder of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import processes

START_SECONDS = 120
CONSOLE = """
import json, sys
import django
django.setup()
names = {}
for line in sys.stdin:
    names["told"] = None
    exec(json.loads(line), names)
    print(json.dumps(names["told"]), flush=True)
"""


class Soloist:
    """`environment` goes on top of the tests' own; `database_url` empty means SQLite in `data_dir`."""

    def __init__(self, data_dir: Path, *, database_url: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data_dir / "log"
        self.environment = {
            **os.environ,
            "SOLOIST_DATA_DIR": str(data_dir),
            "SOLOIST_MODELS_DIR": str(data_dir / "models"),
            "TESTED_PRODUCT": str(data_dir),  # the engine is not told the server's own variables
            "DATABASE_URL": database_url,
            "PORT": str(self.port),
            "OMP_NUM_THREADS": "1",
            **(environment or {}),
        }
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end and return what it wrote to standard output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=processes.ROOT,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}:\n{done.stderr}"
        return done.stdout

    def console(self) -> Console:
        """A process beside the server's own, on the same database and files."""
        return Console(self.environment)

    def account(self, email: str, *, credits: int = 1_000_000) -> str:
        """Make an account; returns the secret of its API key."""
        return self.manage("create_account", email, "--credits", str(credits), "--api-key", "tests").strip()

    def start(self) -> None:
        self.manage("migrate", "--verbosity", "0")
        self.start_web()
        self.start_worker()
        self.wait_until_up()

    def start_web(self) -> None:
        listen = ("-b", "127.0.0.1", "-p", str(self.port))
        self.web = self._start("-m", "daphne", "-v", "0", *listen, "project.asgi:application")

    def start_worker(self) -> None:
        self.worker = self._start("manage.py", "worker")

    def wait_until_up(self) -> None:
        assert self.web is not None
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.web.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def processes(self) -> list[processes.Process]:
        """All that run now, children's children included."""
        return processes.with_environment(f"TESTED_PRODUCT={self.data_dir}")

    def answers(self) -> bool:
        try:
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        for process in filter(None, (self.web, self.worker)):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in filter(None, (self.web, self.worker)):
            processes.stop(process, seconds=40)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return processes.start(
            sys.executable, *arguments, log=self.log, cwd=processes.ROOT, env=self.environment, start_new_session=True
        )


class Console:
    """Runs what it is told in one process, line by line, as staff at `manage.py shell` would."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CONSOLE],
            cwd=processes.ROOT,
            env={**environment, "PYTHONPATH": str(processes.ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=processes.die_with_tests,
        )

    def run(self, program: str) -> Any:
        """What the program calls `told` at its end; must be JSON."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(textwrap.dedent(program)) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()
