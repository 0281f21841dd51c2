"""What a message of the queue sets off. Each wake-up does one job, so that no lane starves another worker's."""

from __future__ import annotations

from . import housekeeping, ingest, lifecycle, queue, worker
from .lease import Lease, LeaseLost
from .models import Job


def work_io() -> None:
    _work("io", fetch)


def work_engine() -> None:
    _work("engine", worker.perform)


def tidy() -> None:
    housekeeping.tidy()


def fetch(job: Job, lease: Lease) -> None:
    """Fetch the recording of a job and queue it for the engine."""

    def on_bytes(received: int, total: int | None) -> None:
        lease.tell("download", received / total if total else 0.0)

    def on_seconds(seconds: float) -> None:
        lifecycle.check_affordable(job, seconds)

    media = ingest.fetch(
        job.owner, job.source_url, job.name, wanted=lambda: lease.held, on_seconds=on_seconds, on_bytes=on_bytes
    )
    try:
        lease.settle(lifecycle.fetched, media)
    except (LeaseLost, lifecycle.Conflict):
        pass
    finally:
        if not media.jobs.exists():  # canceled meanwhile, too dear, or too short for the turns that were given
            ingest.discard(media)


def _work(lane: queue.Lane, work: worker.Work) -> None:
    job = lifecycle.claim(lane, worker.name())
    if job is None:
        return
    worker.carry_out(job, work)
    if lifecycle.next_waiting(lane):
        queue.rouse(lane)
