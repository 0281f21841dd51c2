"""How long the API takes to answer: `python -m benchmarks.api`. The web server on SQLite, asked by one client over one
connection, in turn with a `bare_view` under a server of the same kind. No worker runs meanwhile.

The account has jobs, one of which is done: two speakers, whose turns were given, in a recording of three seconds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from tests import processes
from tests.serving import Soloist

from .rounds import Contender, compare, print_machine

JOBS = 50
REQUESTS = 50  # of each kind in a round
ROUNDS = 7
BOUNDARY = "of-a-recording"


class Asked:
    """A connection to a server that stays open."""

    def __init__(self, port: int, key: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def __call__(self, path: str, body: bytes | None = None, content_type: str = "application/json") -> Any:
        headers = self._headers | ({"Content-Type": content_type} if body else {})
        self._connection.request("POST" if body else "GET", path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        assert answer.status in (200, 201), content
        return json.loads(content)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder, bare(Path(folder)) as port:
        soloist = Soloist(Path(folder), environment={"SOLOIST_RATE_LIMIT": "1000000000"})
        try:
            soloist.start()
            contenders = {"a bare view": partial(repeatedly, Asked(port), "/"), **ours(soloist, Path(folder))}
            report(contenders)
        finally:
            soloist.stop()


def ours(soloist: Soloist, folder: Path) -> dict[str, Contender]:
    ask = Asked(soloist.port, soloist.account("benchmark@example.org", credits=10**9))
    media = upload(ask, folder)
    body = json.dumps({"media": media}).encode()
    turns = [{"start": second, "end": second + 1, "speaker": "AB"[second % 2]} for second in range(3)]
    given = json.dumps({"media": media, "turns": turns}).encode()
    done = finished(ask, ask("/api/v1/speaker/extract", given)["id"])
    assert soloist.worker is not None
    soloist.worker.terminate()
    soloist.worker.wait()
    for _ in range(JOBS - 1):
        ask("/api/v1/speaker/diarize", body)
    pages = {
        "a finished job": f"/api/v1/jobs/{done}",
        "its turns exported": f"/api/v1/jobs/{done}/export?format=json",
        f"a list of {JOBS}": f"/api/v1/jobs?limit={JOBS}",
        "credits": "/api/v1/credits",
    }
    reads: dict[str, Contender] = {name: partial(repeatedly, ask, page) for name, page in pages.items()}
    return reads | {"a job submitted": partial(repeatedly, ask, "/api/v1/speaker/diarize", body)}


def repeatedly(ask: Asked, path: str, body: bytes | None = None) -> None:
    for _ in range(REQUESTS):
        ask(path, body)


def report(contenders: dict[str, Contender]) -> None:
    timings = compare(contenders, ROUNDS)
    peer, *names = contenders
    for name in (peer, *names):
        milliseconds = sorted(1000 * seconds / REQUESTS for seconds in timings.seconds[name])
        ratios = sorted(own / its for own, its in zip(timings.seconds[name], timings.seconds[peer], strict=True))
        middle = ROUNDS // 2
        print(
            f"{name:20} {milliseconds[middle]:6.1f} ms ({milliseconds[0]:.1f} to {milliseconds[-1]:.1f}), "
            f"{ratios[middle]:5.1f} x ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


def upload(ask: Asked, folder: Path) -> str:
    """The id of a recording of two tones in turn, stored."""
    seconds = np.arange(3 * 16_000) / 16_000
    path = folder / "tones.wav"
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * np.where(seconds % 2 < 1, 220, 330) * seconds), 16_000)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="tones.wav"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
    media: str = ask("/api/v1/media", body, f"multipart/form-data; boundary={BOUNDARY}")["id"]
    return media


def finished(ask: Asked, number: int) -> int:
    while (job := ask(f"/api/v1/jobs/{number}"))["status"] in ("PENDING", "PROCESSING"):
        time.sleep(0.5)
    assert job["status"] == "COMPLETED", job
    return number


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """Serves the bare view; gives its port."""
    port = processes.free_port()
    listen = ("-v", "0", "-b", "127.0.0.1", "-p", str(port), "benchmarks.bare_view:application")
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    with (folder / "bare.log").open("wb") as log:
        command = [sys.executable, "-m", "daphne", *listen]
        server = subprocess.Popen(command, cwd=processes.ROOT, env=environment, stdout=log, stderr=log)
    try:
        while True:
            try:
                Asked(port)("/")
                break
            except ConnectionRefusedError:
                time.sleep(0.2)
        yield port
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
