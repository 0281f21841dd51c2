"""What `manage.py worker` does when it is told to stop, when it is killed, and when django-q2 hangs."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import wave
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from audio_engine.models import access
from jobs.supervision import Supervisor
from tests.processes import Process
from tests.receiving import answer
from tests.serving import Soloist

pytestmark = pytest.mark.timeout(180)
LEASE_SECONDS = 6  # as the product is set up
CANCEL_SECONDS = 15  # how soon a cancellation has to take effect
FIRST_ATTEMPT_SECONDS = 3  # after the job's end
END_LEASES = """
from django.utils import timezone
from jobs.models import WebhookDelivery
WebhookDelivery.objects.filter(state="sending").update(due_at=timezone.now())
"""
LAST_JOB = """
import json
from jobs.models import Job
job = Job.objects.latest("id")
held = job.lease_until is not None
print(json.dumps({"status": job.status, "attempt": job.attempt, "losses": job.losses, "held": held}))
"""


@pytest.fixture
def long_recording(tmp_path: Path, recording: Path) -> Path:
    """Five minutes, for which the engine takes fifty seconds."""
    path = tmp_path / "long.wav"
    with wave.open(str(recording)) as short, wave.open(str(path), "wb") as out:
        out.setparams(short.getparams())
        out.writeframes(short.readframes(short.getnframes()) * 100)
    return path


@pytest.fixture
def running(product: Soloist, api: httpx.Client, long_recording: Path) -> Iterator[int]:
    """A job that the engine is at, and stays at for longer than a test takes."""
    if product.worker.poll() is not None:
        product.start_worker()
    job = submit(api, long_recording)
    wait_for(lambda: status(api, job) == "PROCESSING" and bool(engines(product)), 40, product)
    yield job
    api.post(f"/speaker/jobs/{job}/cancel")


def submit(api: httpx.Client, recording: Path) -> int:
    with recording.open("rb") as file:
        answer = api.post("/speaker/extract", files={"file": (recording.name, file)})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def status(api: httpx.Client, job: int) -> str:
    return str(api.get(f"/speaker/jobs/{job}").json()["status"])


def wait_for(condition: Callable[[], bool], seconds: float, product: Soloist) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, product.log.read_text()[-10_000:]
        time.sleep(0.2)
    return time.monotonic() - started


def workers(product: Soloist) -> list[Process]:
    """Everything but the web server and the worker command itself."""
    assert product.web
    assert product.worker
    apart = (product.web.pid, product.worker.pid)
    return [process for process in product.processes() if process.pid not in apart]


def engines(product: Soloist) -> list[Process]:
    return [process for process in workers(product) if "audio_engine.server" in process.command]


def last_job(product: Soloist) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(product.manage("shell", "--no-imports", "-c", LAST_JOB))
    return found


def test_a_cancellation_ends_the_engine_within_seconds_and_the_next_job_runs(product, api, running, recording):
    assert api.post(f"/speaker/jobs/{running}/cancel").json()["status"] == "CANCELLED"
    wait_for(lambda: not engines(product), CANCEL_SECONDS, product)
    assert api.get("/speaker/jobs", params={"status": "PROCESSING"}).json()["total"] == 0
    following = submit(api, recording)
    wait_for(lambda: status(api, following) == "COMPLETED", 30, product)


def test_a_worker_that_is_told_to_stop_gives_its_job_back_unharmed(product, running):
    product.worker.send_signal(signal.SIGTERM)
    assert product.worker.wait(20) == 0
    assert workers(product) == []
    assert last_job(product) == {"status": "queued", "attempt": 1, "losses": 0, "held": False}


def test_nothing_goes_on_working_when_the_worker_command_is_killed(product, running):
    product.worker.kill()
    product.worker.wait()
    wait_for(lambda: not workers(product), 5, product)
    time.sleep(LEASE_SECONDS)
    product.start_worker()
    wait_for(lambda: last_job(product)["attempt"] == 2, 40, product)
    assert last_job(product)["losses"] == 1


def test_a_job_goes_on_at_once_where_only_its_worker_process_died(product, running):
    os.kill(engines(product)[0].parent, signal.SIGKILL)
    wait_for(lambda: last_job(product)["attempt"] == 2, 30, product)
    assert last_job(product)["losses"] == 1


def test_a_queue_that_hangs_is_replaced(product, api, running, recording):
    """django-q2's does when a worker is killed while it waits for a message; here its worker is stopped instead, which
    hangs it every time."""
    api.post(f"/speaker/jobs/{running}/cancel")
    first = submit(api, recording)
    wait_for(lambda: status(api, first) == "COMPLETED", 40, product)
    os.kill(engines(product)[0].parent, signal.SIGSTOP)
    second = submit(api, recording)
    wait_for(lambda: status(api, second) == "COMPLETED", 60, product)
    assert "they take none" in product.log.read_text()


def test_a_webhook_leaves_within_seconds_and_outlives_the_worker_command(product, api, running, recording, receiver):
    """One is under way when everything is killed: it is sent again. Another comes while nobody is there to send it."""
    answered = threading.Event()

    def slowly(request: BaseHTTPRequestHandler) -> None:
        answered.wait(8)
        answer()(request)

    made = api.post("/webhooks/endpoints", json={"url": receiver.url})
    receiver.script = [slowly]
    api.post(f"/speaker/jobs/{running}/cancel")
    wait_for(lambda: bool(receiver.received), FIRST_ATTEMPT_SECONDS, product)
    product.worker.kill()
    product.worker.wait()
    answered.set()
    waiting = submit(api, recording)
    api.post(f"/speaker/jobs/{waiting}/cancel")
    product.manage("shell", "--no-imports", "-c", END_LEASES)
    product.start_worker()
    path = f"/webhooks/endpoints/{made.json()['id']}"
    log = f"{path}/deliveries"
    wait_for(lambda: [row["status"] for row in api.get(log).json()] == ["delivered"] * 2, 20, product)
    attempts = {row["job_id"]: row["attempts"] for row in api.get(log).json()}
    assert attempts == {running: 2, waiting: 1}
    contents = {(request.headers["webhook-id"], request.body) for request in receiver.received}
    assert (len(receiver.received), len(contents)) == (3, 2)
    api.delete(path)


@pytest.mark.django_db
def test_a_worker_asks_the_hub_what_it_gives_without_waiting_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, answered = threading.Event(), threading.Event()

    def ask() -> None:
        asked.set()
        answered.wait(60)

    monkeypatch.setattr(access, "ask", ask)
    Supervisor(["engine"])._watch([])
    assert asked.wait(10)
    answered.set()
