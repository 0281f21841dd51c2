"""Processes of a running product are killed at random; every job is done once all the same, and charged once."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Soloist

pytestmark = [pytest.mark.race, pytest.mark.timeout(240)]
JOBS, URL_JOBS = 20, 5
KILLS_OF_A_KIND = 5
KINDS = ("worker", "master", "cluster", "cluster", "engine", "web")  # 30 kills
SECONDS_BETWEEN = (0.2, 1.4)
END_SECONDS = 100  # after the last kill; a hung cluster is noticed after 15 to 35

CHECK = """
import json
from accounts import ledger
from accounts.models import CreditBalance, CreditEntry, User
from jobs import housekeeping
from jobs.models import Job
housekeeping.tidy()
alice = User.objects.get()
balance = CreditBalance.objects.get(user=alice)
print(json.dumps({
    "recount": ledger.recount(alice), "balance": [balance.available, balance.held],
    "jobs": [{
        "uuid": str(job.uuid), "status": job.status, "attempt": job.attempt, "losses": job.losses,
        "credits": job.credits, "event_seq": job.event_seq,
        "seqs": [event.seq for event in job.events.all()],
        "statuses": [event.data["status"] for event in job.events.filter(kind="state")],
        "entries": sorted(CreditEntry.objects.filter(job=job.uuid).values_list("kind", flat=True)),
        "files": sorted(track.file for track in job.tracks.all()),
    } for job in Job.objects.order_by("id")],
}))
"""


@pytest.fixture
def recording_url(recording: Path) -> Iterator[str]:
    content = recording.read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            for start in range(0, len(content), 20_000):
                self.wfile.write(content[start : start + 20_000])
                time.sleep(0.1)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients are killed here
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/talk.wav"
    server.shutdown()
    server.server_close()


def test_thirty_kills_leave_every_job_done_once_and_charged_once(product, api, recording, recording_url):
    for number in range(JOBS):
        submit(api, recording, recording_url if number < URL_JOBS else "")
    chance = random.Random(20260927)
    kinds = list(KINDS * KILLS_OF_A_KIND)
    chance.shuffle(kinds)
    for kind in kinds:
        time.sleep(chance.uniform(*SECONDS_BETWEEN))
        revive(product, kill_one(product, kind, chance))
    product.wait_until_up()
    wait_until_done(product, api)
    found = json.loads(product.manage("shell", "--no-imports", "-c", CHECK))
    check_jobs(found, product.data_dir)
    check_books(found)
    product.stop()
    assert [str(process) for process in product.processes()] == []


def submit(api: httpx.Client, recording: Path, url: str) -> None:
    with recording.open("rb") as file:
        sent = {"data": {"url": url}} if url else {"files": {"file": ("talk.wav", file)}}
        answer = api.post("/speaker/extract", **sent)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text


def kill_one(product: Soloist, kind: str, chance: random.Random) -> int:
    """Kill a process of a kind, or any where there is none of it now; returns its id."""
    running = product.processes()
    masters = [p for p in running if "jobs.cluster" in p.command and p.parent == product.worker.pid]
    candidates = {
        "worker": [p for p in running if p.pid == product.worker.pid],
        "web": [p for p in running if p.pid == product.web.pid],
        "master": masters,
        "cluster": [p for p in running if "jobs.cluster" in p.command and p not in masters],
        "engine": [p for p in running if "audio_engine.server" in p.command],
    }
    victim = chance.choice(candidates[kind] or running)
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(victim.pid, signal.SIGKILL)
    return victim.pid


def revive(product: Soloist, killed: int) -> None:
    """As a service manager does."""
    if product.worker.pid == killed:
        product.worker.wait()
        product.start_worker()
    if product.web.pid == killed:
        product.web.wait()
        product.start_web()


def wait_until_done(product: Soloist, api: httpx.Client) -> None:
    deadline = time.monotonic() + END_SECONDS
    while any(total(api, status) for status in ("PENDING", "PROCESSING")):
        assert time.monotonic() < deadline, product.log.read_text()[-20_000:]
        time.sleep(0.5)


def total(api: httpx.Client, status: str) -> int:
    return int(api.get("/speaker/jobs", params={"status": status}).json()["total"])


def check_jobs(found: dict[str, Any], data_dir: Path) -> None:
    assert len(found["jobs"]) == JOBS
    for job in found["jobs"]:
        assert job["status"] == job["statuses"][-1] == "succeeded"
        assert job["statuses"].count("succeeded") == 1
        assert job["seqs"] == list(range(1, job["event_seq"] + 1))
        folder = data_dir / "media" / "jobs" / job["uuid"]
        stored = sorted(str(p.relative_to(data_dir / "media")) for p in folder.rglob("*") if p.is_file())
        assert stored == job["files"]
        assert {Path(name).name for name in stored} >= {"speaker_0.wav", "speaker_1.wav", "extraction.rttm"}
    assert sum(job["losses"] for job in found["jobs"]) > 0, "no kill hit a job"


def check_books(found: dict[str, Any]) -> None:
    assert all(job["entries"] == ["capture", "hold"] for job in found["jobs"])
    charged = sum(job["credits"] for job in found["jobs"])
    assert found["balance"] == found["recount"] == [10_000 - charged, 0]
