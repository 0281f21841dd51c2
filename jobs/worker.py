"""One job's run: under a lease, by a warm engine process, with an end that is written exactly once."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path, PurePath

from django.conf import settings

from audio_engine import registry
from audio_engine.client import EngineDied, EngineProcess
from audio_engine.errors import EngineError
from audio_engine.types import MediaLimits, OutputFile, Request, Result, SpeakerResult, Stage

from . import files, ingest, lifecycle, options, webhooks
from .errors import ERRORS, JobError
from .lease import DatabaseAway, Lease, LeaseLost
from .models import Job, Track

log = logging.getLogger(__name__)

NAME_VARIABLE = "WORKER_NAME"  # given by supervision, to know its workers' leases by
RUNS_OF_ONE_ENGINE = 50

_engine = EngineProcess(
    ["--idle", str(settings.MODEL_IDLE_SECONDS)] if settings.MODEL_IDLE_SECONDS else [],
    environment=ingest.environment(threads=settings.ENGINE_THREADS),
)
_runs = 0

Work = Callable[[Job, Lease], None]


class Setback(Exception):
    """The work stopped for a reason that need not come again."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error)
        self.error = error


def name() -> str:
    """What a claimed job says about where it is worked on."""
    return f"{os.environ.get(NAME_VARIABLE) or socket.gethostname()}:{os.getpid()}"


def carry_out(job: Job, work: Work) -> None:
    """Do the work on a claimed job and write what came of it, unless it is not ours any more."""
    with Lease(job) as lease:
        try:
            _attempt(job, work, lease)
        except (LeaseLost, lifecycle.Conflict):
            log.info("Job %s is not wanted any more; its run %s is dropped.", job.pk, job.attempt)


def _attempt(job: Job, work: Work, lease: Lease) -> None:
    try:
        work(job, lease)
    except (LeaseLost, lifecycle.Conflict):
        raise
    except JobError as error:
        lease.settle(lifecycle.fail, error)
    except Setback as setback:
        lease.settle(lifecycle.lose, setback.error)
    except SystemExit:  # the queue's own time limit, which comes after all of ours
        lease.settle(lifecycle.lose, JobError("WORKER_LOST"))
        raise
    except Exception:  # a defect of ours: the job must not wait for its lease to run out
        log.exception("Job %s failed unexpectedly.", job.pk)
        lease.settle(lifecycle.lose, JobError("ENGINE_FAILED"))


def perform(job: Job, lease: Lease) -> None:
    """Have the engine do the job, store its files and take the price."""
    assert job.media is not None
    with files.scratch() as folder, files.local_copy(job.media.file, folder) as source:
        output = folder / "output"
        output.mkdir()
        result = _run_engine(_request(job, source, output), lease)
        if isinstance(result, SpeakerResult) and not result.speakers:
            raise _no_speech("No speech was found in the recording.")
        try:
            stored = [_store(job, output, file) for file in result.files]
            lease.settle(lifecycle.succeed, result.to_json(), stored, _contents(output, result))
        except BaseException:  # whatever it was: files that no finished job shows are of no use
            _discard_files(job)
            raise


def _request(job: Job, source: Path, output: Path) -> Request:
    return options.stored(job.task, job.options).request(
        job.task,
        source=source,
        output=output,
        title=PurePath(job.name).stem,
        limits=MediaLimits(seconds=settings.MAX_AUDIO_SECONDS * options.TOLERANCE),
    )


def _store(job: Job, folder: Path, file: OutputFile) -> lifecycle.StoredFile:
    with files.disk_errors():
        stored = files.store(folder / file.name, job.folder() / file.name)
    return lifecycle.StoredFile(Track.Kind(file.kind), stored, file.bytes, file.speaker)


def _contents(folder: Path, result: Result) -> webhooks.Contents:
    told = (file for file in result.files if file.kind in webhooks.TOLD_KINDS)
    return {file.kind: (folder / file.name).read_bytes() for file in told}


def _discard_files(job: Job) -> None:
    """Remove this attempt's files, unless the database took the result and only its answer was lost."""
    try:
        kept = Job.objects.filter(pk=job.pk, attempt=job.attempt, status=Job.Status.SUCCEEDED).exists()
    except DatabaseAway:
        return  # housekeeping will know
    if not kept:
        files.delete_folder(job.folder())


# --- the engine


def _run_engine(request: Request, lease: Lease) -> Result:
    deadline = time.monotonic() + settings.ENGINE_TIMEOUT

    def on_progress(stage: Stage | None, fraction: float) -> None:
        lease.check()
        if time.monotonic() > deadline:
            raise JobError("ENGINE_TIMEOUT", details={"seconds": settings.ENGINE_TIMEOUT})
        if stage:
            lease.tell(stage, fraction)

    try:
        for engine, task in request.engines():  # here, since the engine has neither token nor network
            registry.prepare(engine, task)
        return _warm_engine().run(request, on_progress)
    except EngineError as error:
        raise _told(error) from error
    except (EngineDied, TimeoutError) as error:
        log.warning("%s while it worked on %s.", error, lease.job)
        raise Setback(JobError("WORKER_LOST")) from error


def _warm_engine() -> EngineProcess:
    """The process of this worker, new after many runs, since libraries leak, and after it ended."""
    global _runs
    if not _engine.running or _runs >= RUNS_OF_ONE_ENGINE:
        _engine.terminate()
        _engine.start()
        _runs = 0
    _runs += 1
    return _engine


def _told(error: EngineError) -> JobError | Setback:
    """What the user is told; the codes that both sides know are the same."""
    if error.code == "NO_SPEECH":
        return _no_speech(error.message)
    code = error.code if error.code in ERRORS else "ENGINE_FAILED"
    told = JobError(code, error.message, details=error.details)
    return told if error.permanent else Setback(told)


def _no_speech(reason: str) -> JobError:
    return JobError("PROCESSING_FAILED", details={"reason": reason})
