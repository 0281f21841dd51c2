"""The only place that changes a job's status.

One rule: a transition applies only to the snapshot the caller holds. Every change is an UPDATE guarded by the status
and attempt of that snapshot; where no row matches, somebody else was faster and the caller gets `Conflict`. A worker
that was presumed dead, a message delivered twice, a cancellation during the last write are all this one case. Money,
the event and what webhooks are to tell move in the same transaction as the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts import ledger
from accounts.models import User

from . import events, outbound, pricing, queue, voiceprints, webhooks
from .errors import JobError
from .models import Job, JobEvent, Media, Track
from .options import stored
from .shared_options import JobOptions
from .webhooks import Contents, JobWebhook

Status = Job.Status
LANES: dict[str, queue.Lane] = {Status.PENDING: "io", Status.QUEUED: "engine"}
CLAIMS: dict[queue.Lane, tuple[Status, Status]] = {
    "io": (Status.PENDING, Status.FETCHING),
    "engine": (Status.QUEUED, Status.RUNNING),
}
REQUEUES = {Status.FETCHING: Status.PENDING, Status.RUNNING: Status.QUEUED}


class Conflict(Exception):
    """The job is no longer as the caller saw it; whatever was done on the old snapshot must be dropped."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a finished job, already in the storage."""

    kind: Track.Kind
    name: str
    bytes: int
    speaker: int | None = None


@dataclass(frozen=True, slots=True)
class Surface:
    """The other vendor's API that a job comes by, with what is asked there that only its answers depend on."""

    name: str
    asked: dict[str, Any]


# --- asking for work


@transaction.atomic
def submit(
    media: Media,
    task: str,
    options: JobOptions,
    *,
    decoded_seconds: float = 0.0,
    webhook: JobWebhook | None = None,
    surface: Surface | None = None,
    retry_of: Job | None = None,
    actor: Any = None,
) -> Job:
    """Queue work on a stored recording and hold its price. `decoded_seconds` is how long a job before found it to be,
    which can be more than its packets tell.

    Raises ledger.InsufficientCredits, JobError INVALID_OPTION where the options do not fit a recording of its length.
    """
    if retry_of is None:  # whose options were checked with this recording
        options.check_length(max(media.seconds, decoded_seconds))
    more: dict[str, Any] = {"webhook": webhook, "surface": surface, "retry_of": retry_of, "actor": actor}
    job = _create(media.owner, task, options, media=media, name=media.name, **more)
    return _enqueue(job, media, actor=actor)


@transaction.atomic
def submit_url(
    owner: User,
    url: str,
    name: str,
    task: str,
    options: JobOptions,
    *,
    webhook: JobWebhook | None = None,
    surface: Surface | None = None,
    retry_of: Job | None = None,
    actor: Any = None,
) -> Job:
    """Queue work on a recording that is still to be fetched; its price is held once its length is known.

    Raises ledger.InsufficientCredits where not even one second could be paid, JobError for a URL that is not allowed.
    """
    outbound.check_url(url)
    least = pricing.price(task, 1, surface.name if surface else "", gives_turns=options.gives_turns)
    available = ledger.available(owner)
    if available < least:
        raise ledger.InsufficientCredits(least, available)
    more: dict[str, Any] = {"webhook": webhook, "surface": surface, "retry_of": retry_of, "actor": actor}
    job = _create(owner, task, options, source_url=url, name=name, **more)
    queue.wake("io")
    return job


def retry(job: Job, *, actor: Any = None) -> Job:
    """A new run of a failed or canceled job under the same number. Raises JobError, ledger.InsufficientCredits."""
    if job.status not in (Status.FAILED, Status.CANCELED) or Job.objects.filter(retry_of=job).exists():
        raise JobError("JOB_NOT_RETRYABLE")
    if not job.media and not job.source_url:
        raise JobError("JOB_NOT_RETRYABLE", "The job's recording has been deleted.")
    options = stored(job.task, job.options)
    surface = Surface(job.surface, job.asked)
    again: dict[str, Any] = {"webhook": webhooks.of(job), "surface": surface, "retry_of": job, "actor": actor}
    try:
        if job.media:
            return submit(job.media, job.task, options, **again)
        return submit_url(job.owner, job.source_url, job.name, job.task, options, **again)
    except IntegrityError as error:  # another request retried it meanwhile
        raise JobError("JOB_NOT_RETRYABLE") from error


# --- doing it


def claim(lane: queue.Lane, worker: str) -> Job | None:
    """Take the next waiting job of a lane under a lease; None where nothing waits."""
    taken = CLAIMS[lane][1]
    while job := next_waiting(lane):
        try:
            return _move(
                job, taken, attempt=F("attempt") + 1, worker=worker, lease_until=_lease(), started_at=Now(), stage=""
            )
        except Conflict:
            continue  # another worker was faster; look again
    return None


def next_waiting(lane: queue.Lane) -> Job | None:
    """The job that the next worker of a lane will take."""
    return Job.objects.filter(status=CLAIMS[lane][0]).order_by("-priority", "id").first()


@transaction.atomic
def report(job: Job, stage: str = "", progress: float | None = None) -> None:
    """Renew the lease and, where given, tell how far the work is. Raises Conflict where the work is not wanted now."""
    changes: dict[str, Any] = {"lease_until": _lease()}
    if progress is not None:
        changes |= {"stage": stage, "progress": progress, "event_seq": events.next_seq()}
    if not _snapshot(job).update(**changes):
        raise Conflict(job)
    if progress is not None:
        job.refresh_from_db(fields=["event_seq"])
        events.record(job, JobEvent.Kind.PROGRESS, {"stage": stage, "progress": round(progress, 4)})


def check_affordable(job: Job, seconds: float) -> None:
    """Raises JobError INSUFFICIENT_CREDITS where a recording of this length could not be paid, before it is fetched."""
    required, available = pricing.of(job, seconds), ledger.available(job.owner)
    if required > available:
        raise _short(ledger.InsufficientCredits(required, available))


@transaction.atomic
def fetched(job: Job, media: Media) -> Job:
    """The recording of a URL job is stored: hold its price and queue it, or fail it where it cannot be paid or does not
    fit what is asked for.
    """
    try:
        stored(job.task, job.options).check_length(media.seconds)
        with transaction.atomic():
            return _enqueue(job, media)
    except ledger.InsufficientCredits as short:
        return fail(job, _short(short))
    except JobError as error:
        return fail(job, error)


@transaction.atomic
def succeed(job: Job, result: dict[str, Any], outputs: Sequence[StoredFile], contents: Contents | None = None) -> Job:
    """The work is done and its files are stored: show them and take the price. `contents` are those files that webhooks
    may tell of: a stored file is not read in a transaction."""
    done = _finish(job, Status.SUCCEEDED, contents=contents, result=result, progress=1.0)
    Track.objects.bulk_create(
        Track(job=done, kind=out.kind, speaker=out.speaker, file=out.name, bytes=out.bytes) for out in outputs
    )
    ledger.capture(done.uuid)
    voiceprints.learned(done)
    return done


@transaction.atomic
def fail(job: Job, error: JobError) -> Job:
    """The work cannot be done: say why and give the price back."""
    failed = _finish(
        job, Status.FAILED, error_code=error.code, error_message=error.message, error_details=error.details
    )
    ledger.release(failed.uuid)
    return failed


def lose(job: Job, error: JobError) -> Job:
    """The work stopped for a reason that need not come again: queue it anew, or fail it after too many times."""
    if job.losses + 1 >= settings.MAX_ATTEMPTS:
        return fail(job, error)
    return requeue(job, losses=F("losses") + 1)


@transaction.atomic
def requeue(job: Job, *, actor: Any = None, **changes: Any) -> Job:
    """Put leased work back into its queue, for a worker that shuts down or for staff."""
    if job.status not in REQUEUES:
        raise JobError("JOB_FINISHED")
    waiting = REQUEUES[Status(job.status)]
    moved = _move(job, waiting, actor=actor, worker="", lease_until=None, stage="", progress=0, **changes)
    queue.wake(LANES[waiting])
    return moved


@transaction.atomic
def cancel(job: Job, *, actor: Any = None) -> Job:
    """Stop wanting the work. Raises JobError JOB_FINISHED; its worker learns of it at its next report."""
    current = Job.objects.select_for_update().get(pk=job.pk)
    if current.finished:
        raise JobError("JOB_FINISHED")
    canceled = _finish(current, Status.CANCELED, actor=actor)
    ledger.release(canceled.uuid)
    return canceled


# --- keeping it going


def sweep() -> None:
    """Requeue work whose worker went silent, and wake the lanes in which work waits. Any host may run it, any time."""
    for job in Job.objects.filter(status__in=Job.LEASED, lease_until__lt=Now()):
        try:
            lose(job, JobError("WORKER_LOST"))
        except Conflict:
            continue  # its worker reported after all, or another sweep was faster
    for lane in CLAIMS:
        if next_waiting(lane):
            queue.rouse(lane)


# --- the steps all of them share


def _create(
    owner: User,
    task: str,
    options: JobOptions,
    *,
    webhook: JobWebhook | None,
    surface: Surface | None,
    retry_of: Job | None,
    actor: Any,
    **columns: Any,
) -> Job:
    job = Job.objects.create(
        owner=owner,
        task=task,
        options=options.to_json(),
        retry_of=retry_of,
        origin_id=retry_of.number if retry_of else None,
        event_seq=1,
        webhook_url=webhook.url if webhook else "",
        webhook_form=webhook.form if webhook else "",
        surface=surface.name if surface else "",
        asked=surface.asked if surface else {},
        **columns,
    )
    events.record(job, JobEvent.Kind.STATE, {"status": job.status}, actor)
    return job


def _enqueue(job: Job, media: Media, *, actor: Any = None) -> Job:
    credits = pricing.of(job, media.seconds)
    ledger.hold(job.owner, credits, job.uuid, service=job.task, audio_seconds=media.seconds)
    queued = _move(
        job,
        Status.QUEUED,
        actor=actor,
        media=media,
        name=media.name,
        credits=credits,
        queued_at=Now(),
        worker="",
        lease_until=None,
        stage="",
        progress=0,
    )
    queue.wake("engine")
    return queued


def _short(short: ledger.InsufficientCredits) -> JobError:
    details = {"required": short.required, "available": short.available}
    return JobError("INSUFFICIENT_CREDITS", str(short), details=details)


def _finish(job: Job, status: Status, *, actor: Any = None, contents: Contents | None = None, **columns: Any) -> Job:
    finished = _move(job, status, actor=actor, lease_until=None, stage="", finished_at=Now(), **columns)
    webhooks.announce(finished, contents)
    return finished


@transaction.atomic
def _move(job: Job, status: Status, *, actor: Any = None, **columns: Any) -> Job:
    if job.finished or not _snapshot(job).update(status=status, event_seq=events.next_seq(), **columns):
        raise Conflict(job)
    moved = Job.objects.get(pk=job.pk)
    data: dict[str, Any] = {"status": moved.status, "attempt": moved.attempt}
    if moved.error_code:
        data |= {"error_code": moved.error_code, "error_message": moved.error_message}
    events.record(moved, JobEvent.Kind.STATE, data, actor)
    return moved


def _snapshot(job: Job) -> Any:
    return Job.objects.filter(pk=job.pk, status=job.status, attempt=job.attempt)


def _lease() -> Any:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)
