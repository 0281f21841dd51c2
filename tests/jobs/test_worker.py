"""One job's run under supervision, against an engine that does as it is told, over its real wire."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import OrmQ

from accounts import ledger
from audio_engine.client import EngineProcess
from jobs import deleting, files, housekeeping, lease, lifecycle, outbound, queue, tasks, worker
from jobs.errors import JobError
from jobs.models import Job, JobEvent, Media
from jobs.options import SpeakerOptions

pytestmark = [pytest.mark.django_db(transaction=True)]
Status = Job.Status
START = 1_000_000
Use = Callable[..., EngineProcess]


@pytest.fixture
def engine(monkeypatch) -> Iterator[Use]:
    """Replaces the engine by one with a behaviour of fake_engine.py."""
    used: list[EngineProcess] = []

    def use(behaviour: str, *arguments: Any) -> EngineProcess:
        command = (sys.executable, "-m", "tests.jobs.fake_engine", behaviour, *map(str, arguments))
        used.append(EngineProcess(command=command))
        monkeypatch.setattr(worker, "_engine", used[-1])
        return used[-1]

    yield use
    for process in used:
        process.terminate()


@pytest.fixture
def job(media) -> Job:
    return lifecycle.submit(media, "extraction", SpeakerOptions())


@pytest.fixture
def quick_reports(monkeypatch) -> None:
    monkeypatch.setattr(lease, "REPORT_SECONDS", 0.05)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(lease, "RETRY_SECONDS", 0.1)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def in_background(action: Callable[[], Any]) -> threading.Thread:
    def run() -> None:
        try:
            action()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def stored(job: Job) -> list[str]:
    folder = Path(default_storage.path(f"jobs/{job.uuid}"))
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# --- how it ends


def test_a_job_is_done_its_files_stored_and_its_price_taken(alice, job, engine):
    engine("succeed")
    tasks.work_engine()
    done = fresh(job)
    assert (done.status, done.attempt, done.result["engine"]) == (Status.SUCCEEDED, 1, "fake")
    assert [(track.kind, track.speaker, track.name, track.bytes) for track in done.tracks.all()] == [
        ("audio", 0, "speaker_0.wav", 17),
        ("rttm", None, "extraction.rttm", 7),
    ]
    assert Path(default_storage.path(done.tracks.get(kind="audio").file)).read_bytes() == b"RIFF of speaker 0"
    assert stored(job) == ["1/extraction.rttm", "1/speaker_0.wav"]
    assert ledger.available(alice) == START - done.credits
    assert ledger.recount(alice) == (START - done.credits, 0)


def test_the_engine_stays_warm_and_is_new_after_many_runs(media, engine, monkeypatch):
    monkeypatch.setattr(worker, "RUNS_OF_ONE_ENGINE", 2)
    process = engine("succeed")
    pids = []
    for _ in range(4):
        lifecycle.submit(media, "extraction", SpeakerOptions())
        tasks.work_engine()
        pids.append(process.pid)
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_nobody_in_the_recording_is_a_failure_with_its_reason(alice, job, engine):
    engine("find_nobody")
    tasks.work_engine()
    failed = fresh(job)
    assert (failed.status, failed.error_code) == (Status.FAILED, "PROCESSING_FAILED")
    assert failed.error_details == {"reason": "No speech was found in the recording."}
    assert ledger.available(alice) == START
    assert stored(job) == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("INVALID_AUDIO_FORMAT", "INVALID_AUDIO_FORMAT"),
        ("AUDIO_TOO_LONG", "AUDIO_TOO_LONG"),
        ("ENGINE_UNAVAILABLE", "ENGINE_UNAVAILABLE"),
        ("INVALID_OPTION", "INVALID_OPTION"),
        ("NO_SPEECH", "PROCESSING_FAILED"),
        ("SOMETHING_NEW", "ENGINE_FAILED"),
    ],
)
def test_what_the_engine_refuses_fails_at_once_in_our_terms(alice, job, engine, said, told):
    process = engine("refuse", said)
    tasks.work_engine()
    failed = fresh(job)
    assert (failed.status, failed.error_code, failed.attempt) == (Status.FAILED, told, 1)
    assert "In the engine's words." in (failed.error_message, failed.error_details.get("reason"))
    assert ledger.available(alice) == START
    assert process.running


def test_what_may_pass_is_tried_again_and_then_told_as_what_it_was(alice, job, engine, settings):
    settings.MAX_ATTEMPTS = 2
    engine("stumble", "OUT_OF_MEMORY")
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).losses) == (Status.QUEUED, 1)
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).error_code) == (Status.FAILED, "OUT_OF_MEMORY")
    assert ledger.available(alice) == START


def test_a_crash_of_the_engine_costs_one_attempt(alice, job, engine, tmp_path):
    engine("crash_once", tmp_path / "crashed")
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).losses) == (Status.QUEUED, 1)
    tasks.work_engine()
    done = fresh(job)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 2)
    assert stored(job) == ["2/extraction.rttm", "2/speaker_0.wav"]
    assert ledger.recount(alice) == (START - done.credits, 0)


def test_an_engine_that_always_crashes_ends_the_job(alice, job, engine, settings):
    settings.MAX_ATTEMPTS = 3
    engine("crash")
    for _ in range(4):
        tasks.work_engine()
    assert (fresh(job).status, fresh(job).error_code, fresh(job).attempt) == (Status.FAILED, "WORKER_LOST", 3)
    assert ledger.available(alice) == START


def test_an_engine_that_hangs_is_killed_at_the_time_limit(alice, job, engine, settings):
    settings.ENGINE_TIMEOUT = 0.1
    process = engine("hang")
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).error_code) == (Status.FAILED, "ENGINE_TIMEOUT")
    assert not process.running
    assert ledger.available(alice) == START


def test_a_full_disk_fails_the_job_and_leaves_no_file(alice, job, engine, monkeypatch):
    engine("succeed")
    save = default_storage.save

    def save_until_full(name: str, content: File) -> str:
        if name.endswith("extraction.rttm"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(name, content)

    monkeypatch.setattr(default_storage, "save", save_until_full)
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).error_code) == (Status.FAILED, "DISK_FULL")
    assert ledger.available(alice) == START
    assert stored(job) == []


def test_a_defect_of_ours_is_a_loss_and_not_the_end_of_the_worker(alice, job, engine, monkeypatch, caplog):
    def break_down(*_: Any) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr(worker, "_run_engine", break_down)
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).losses) == (Status.QUEUED, 1)
    assert "a defect" in caplog.text


def test_the_queues_own_time_limit_is_a_loss(job, monkeypatch):
    def run_out_of_time(*_: Any) -> None:
        raise SystemExit("Task exceeded maximum timeout value")

    monkeypatch.setattr(worker, "_run_engine", run_out_of_time)
    with pytest.raises(SystemExit):
        tasks.work_engine()
    assert (fresh(job).status, fresh(job).losses) == (Status.QUEUED, 1)


# --- while it runs


def test_a_canceled_job_ends_its_engine_even_where_that_hangs(alice, job, engine, quick_reports):
    process = engine("hang")
    work = in_background(tasks.work_engine)
    wait_for(lambda: fresh(job).stage == "embedding")
    lifecycle.cancel(job)
    started = time.monotonic()
    work.join(15)
    assert time.monotonic() - started < 10
    assert not process.running
    assert fresh(job).status == Status.CANCELED
    assert ledger.available(alice) == START
    assert stored(job) == []


def test_a_deleted_job_ends_its_engine_and_leaves_nothing(job, engine, quick_reports):
    process = engine("hang")
    work = in_background(tasks.work_engine)
    wait_for(lambda: fresh(job).stage == "embedding")
    deleting.delete(job)
    work.join(15)
    assert not process.running
    assert not Job.objects.exists()
    assert stored(job) == []


def test_a_worker_that_was_replaced_leaves_no_files_and_no_mark(alice, job, engine, monkeypatch):
    """It slept through its lease and wakes up when its files are stored and another worker has the job."""
    engine("succeed")
    store = worker._store
    claimed: list[Job] = []

    def store_late(*arguments: Any) -> Any:
        if not claimed:
            lifecycle.requeue(fresh(job))
            claimed.append(lifecycle.claim("engine", "worker-2"))  # type: ignore[arg-type]
        return store(*arguments)

    monkeypatch.setattr(worker, "_store", store_late)
    tasks.work_engine()
    assert (fresh(job).status, fresh(job).attempt) == (Status.RUNNING, 2)
    assert stored(job) == []
    worker.carry_out(claimed[0], worker.perform)
    assert (fresh(job).status, stored(job)) == (Status.SUCCEEDED, ["2/extraction.rttm", "2/speaker_0.wav"])
    assert ledger.recount(alice) == (START - fresh(job).credits, 0)


def test_the_lease_is_kept_while_the_work_is_silent(job, quick_reports, settings):
    settings.LEASE_SECONDS = 1
    claimed = lifecycle.claim("engine", "worker-1")
    with lease.Lease(claimed):
        time.sleep(2)
        lifecycle.sweep()
    assert fresh(job).status == Status.RUNNING
    assert JobEvent.objects.filter(job=job, kind="progress").count() == 0


def test_progress_is_told_at_most_twice_a_second(job):
    claimed = lifecycle.claim("engine", "worker-1")
    started = time.monotonic()
    with lease.Lease(claimed) as held:
        for step in range(100):
            held.tell("embedding", step / 100)
            time.sleep(0.012)
    told = JobEvent.objects.filter(job=job, kind="progress")
    assert 1 <= told.count() <= 2 * (time.monotonic() - started)
    assert fresh(job).progress > 0


def test_work_is_dropped_when_the_database_is_away_for_too_long(job, quick_reports, settings, monkeypatch):
    settings.LEASE_SECONDS = 1
    claimed = lifecycle.claim("engine", "worker-1")

    def away(*_: Any) -> None:
        raise OperationalError("the database is away")

    monkeypatch.setattr(lifecycle, "report", away)
    with lease.Lease(claimed) as held:
        held.check()
        time.sleep(1)
        with pytest.raises(lease.LeaseLost):
            held.check()


def test_an_end_that_the_database_did_not_hear_is_said_again(alice, job, engine, quick_reports, monkeypatch):
    engine("succeed")
    succeed, refusals = lifecycle.succeed, [OperationalError("away"), OperationalError("away")]

    def succeed_later(*arguments: Any) -> Job:
        if refusals:
            raise refusals.pop()
        return succeed(*arguments)

    monkeypatch.setattr(lifecycle, "succeed", succeed_later)
    tasks.work_engine()
    assert fresh(job).status == Status.SUCCEEDED


def test_files_are_kept_where_only_the_databases_answer_was_lost(alice, job, engine, quick_reports, monkeypatch):
    engine("succeed")
    succeed, lost = lifecycle.succeed, []

    def succeed_unheard(*arguments: Any) -> Job:
        done = succeed(*arguments)
        if not lost:
            lost.append(done)
            raise OperationalError("the connection broke after the commit")
        return done

    monkeypatch.setattr(lifecycle, "succeed", succeed_unheard)
    tasks.work_engine()
    assert fresh(job).status == Status.SUCCEEDED
    assert stored(job) == ["1/extraction.rttm", "1/speaker_0.wav"]
    assert ledger.recount(alice) == (START - fresh(job).credits, 0)


# --- wake-ups


def test_a_wake_up_without_work_does_nothing():
    tasks.work_engine()
    tasks.work_io()


def test_a_worker_does_one_job_and_wakes_the_lane_for_the_next(media, engine):
    engine("succeed")
    jobs = [lifecycle.submit(media, "extraction", SpeakerOptions()) for _ in range(3)]
    OrmQ.objects.all().delete()  # their messages got lost
    tasks.work_engine()
    assert [fresh(job).status for job in jobs] == [Status.SUCCEEDED, Status.QUEUED, Status.QUEUED]
    assert OrmQ.objects.filter(key="engine").count() == 1
    for _ in range(5):  # doubled ones do no harm
        tasks.work_engine()
    assert [fresh(job).attempt for job in jobs] == [1, 1, 1]


@pytest.mark.parametrize("lane", queue.LANES)
def test_a_message_lies_in_the_queue_that_its_lane_reads(lane):
    queue.wake(lane)
    message = OrmQ.objects.get()
    assert (message.key, message.func()) == (lane, f"jobs.tasks.work_{lane}")


# --- fetching


@pytest.fixture
def pending(alice) -> Job:
    return lifecycle.submit_url(alice, "https://example.org/talk.wav", "talk.wav", "extraction", SpeakerOptions())


def test_a_recording_is_fetched_and_queued_for_the_engine(alice, pending, recording, monkeypatch):
    monkeypatch.setattr(outbound, "download", lambda _, target, **__: shutil.copy(recording, target))
    tasks.work_io()
    queued = fresh(pending)
    assert (queued.status, queued.media.seconds, queued.credits) == (Status.QUEUED, 3.0, 17)
    assert ledger.available(alice) == START - 17


def test_a_url_that_leads_nowhere_fails_the_job(alice, pending, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise JobError("URL_NOT_MEDIA")

    monkeypatch.setattr(outbound, "download", refuse)
    tasks.work_io()
    assert (fresh(pending).status, fresh(pending).error_code) == (Status.FAILED, "URL_NOT_MEDIA")


def test_a_fetched_recording_that_nobody_can_pay_or_wants_is_not_kept(alice, charlie, pending, recording, monkeypatch):
    def cancel_meanwhile(_: str, target: Path, **__: Any) -> None:
        lifecycle.cancel(fresh(pending))
        shutil.copy(recording, target)

    monkeypatch.setattr(outbound, "download", cancel_meanwhile)
    tasks.work_io()
    assert fresh(pending).status == Status.CANCELED
    again = lifecycle.retry(fresh(pending))
    ledger.adjust(alice, 16 - START, reason="", actor=charlie)
    monkeypatch.setattr(outbound, "download", lambda _, target, **__: shutil.copy(recording, target))
    tasks.work_io()
    assert fresh(again).error_code == "INSUFFICIENT_CREDITS"
    assert not Media.objects.exists()


# --- housekeeping


def test_old_jobs_are_deleted_with_their_files_where_the_operator_wants_it(alice, job, engine, settings):
    engine("succeed")
    tasks.work_engine()
    age(job, days=9)
    housekeeping.tidy()
    assert Job.objects.exists()
    settings.RETENTION_DAYS = 10
    housekeeping.tidy()
    assert Job.objects.exists()
    settings.RETENTION_DAYS = 8
    tasks.tidy()
    assert not Job.objects.exists()
    assert stored(job) == []


def test_files_of_lost_attempts_are_deleted_and_those_of_the_winner_kept(job, engine, tmp_path):
    engine("crash_once", tmp_path / "crashed")
    tasks.work_engine()
    file = tmp_path / "speaker_0.wav"
    file.write_bytes(b"half")
    files.store(file, fresh(job).folder() / "speaker_0.wav")  # of the attempt that was killed
    tasks.work_engine()
    assert "1/speaker_0.wav" in stored(job)
    housekeeping.tidy()
    assert stored(job) == ["2/extraction.rttm", "2/speaker_0.wav"]


def test_progress_of_long_finished_jobs_goes_and_their_changes_stay(job, engine):
    claimed = lifecycle.claim("engine", "worker-1")
    lifecycle.report(claimed, "embedding", 0.5)
    lifecycle.succeed(claimed, {}, [])
    housekeeping.tidy()
    assert job.events.filter(kind="progress").count() == 1
    age(job, days=2)
    housekeeping.tidy()
    assert [event.data["status"] for event in job.events.all()] == ["pending", "queued", "running", "succeeded"]


def test_recordings_that_no_job_uses_go_after_a_day(media, job):
    unused = Media.objects.create(
        **{field: getattr(media, field) for field in ("owner", "name", "bytes", "seconds", "container", "codec")},
        sample_rate=16_000,
        channels=1,
        file="media/gone",
    )
    Media.objects.update(created_at="2020-01-01T00:00:00Z")
    housekeeping.tidy()
    assert list(Media.objects.all()) == [media]
    assert unused not in Media.objects.all()


def test_files_that_no_row_knows_go_after_a_day_and_all_others_stay(media, job, engine, recording):
    engine("succeed")
    tasks.work_engine()
    lost, arriving = Path(default_storage.path(files.store_media(recording))), files.store_media(recording)
    os.utime(lost, (0, 0))
    deleted = Path(default_storage.path("jobs/8b5a0b1c-0000-4000-8000-000000000000/1/speaker_0.wav"))
    deleted.parent.mkdir(parents=True)
    deleted.write_bytes(b"RIFF")
    os.utime(deleted, (0, 0))
    os.utime(default_storage.path(media.file), (0, 0))
    housekeeping.tidy()
    assert not lost.parent.exists()
    assert not deleted.parent.parent.exists()
    assert default_storage.exists(arriving)
    assert default_storage.exists(media.file)
    assert len(stored(job)) == 2


def test_scratch_of_killed_processes_goes_after_days(settings, tmp_path):
    settings.SCRATCH_DIR = tmp_path
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "file").write_text("x")
    os.utime(old, (0, 0))
    housekeeping.delete_stale_scratch()
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def age(job: Job, *, days: int) -> None:
    Job.objects.filter(pk=job.pk).update(finished_at=timezone.now() - timedelta(days=days))
