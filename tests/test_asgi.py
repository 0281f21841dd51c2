"""What the web server's process does besides answering."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT

ASKED = """
import sqlite3, sys
from project import asgi

path = sys.argv[1] + "/soloist.sqlite3"
for request in range(2):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"CREATE TABLE request_{request} (id)")
    connection.close()
"""


def test_sqlite_keeps_its_log_between_requests(tmp_path: Path) -> None:
    environment = {**os.environ, "SOLOIST_DATA_DIR": str(tmp_path), "DATABASE_URL": ""}
    program = f"{ASKED}\nprint(open(path + '-wal', 'rb').read().count(b'request_'))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert int(done.stdout) >= 2, done.stderr
