"""Who is told how jobs end, and what is still to be told: endpoints, and the outbox that delivery.py sends from.

An event becomes a row in the transaction of the change it tells of, with its body, so neither is ever without the
other. The id of an event is made from the job and its state: telling it twice is refused by the database.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from accounts.models import User

from . import signatures
from .dialling import check_address
from .errors import JobError
from .models import Job, JobWebhookSecret, SigningSecret, Track, WebhookDelivery, WebhookEndpoint

State = WebhookDelivery.State
Body = dict[str, Any]
Contents = Mapping[str, bytes]
"""Of files of a job, by their kind: those of TOLD_KINDS that it has."""

TOLD_KINDS = (Track.Kind.CONFIDENCE, Track.Kind.TRANSCRIPT)

EVENTS: dict[str, str] = {
    Job.Status.SUCCEEDED: "job.completed",
    Job.Status.FAILED: "job.failed",
    Job.Status.CANCELED: "job.cancelled",
}
TEST = "webhook.test"
# What the body of a single job's webhook is made by, from the job, the event's id and contents of the job's files. The
# surfaces stand above this module, so those with a body of their own are named, not imported.
FORMS = {
    "audiopod": "jobs.webhooks.event_body",
    "pyannoteai": "jobs.compat.pyannoteai.rendering.webhook_body",
}
JOB_TYPES = {  # AudioPod's, where it has one
    "extraction": "speaker_extraction",
    "diarization": "speaker_diarization",
    "denoising": "denoise",
    "stems": "stem_extraction",
}
MOST_ENDPOINTS = 20
GRACE = timedelta(hours=24)  # for which the secret before the newest signs too
SWITCHED_OFF = "endpoint_off"


@dataclass(frozen=True, slots=True)
class JobWebhook:
    """Where a single job tells of its end, and in which of FORMS."""

    url: str
    form: str


def for_job(url: str, form: str = "audiopod") -> JobWebhook:
    """As a request asks for it. Raises JobError for an address that is not allowed."""
    check_address(url)
    return JobWebhook(url.strip(), form)


def of(job: Job) -> JobWebhook | None:
    return JobWebhook(job.webhook_url, job.webhook_form) if job.webhook_url else None


# --- what happened


@transaction.atomic
def announce(job: Job, contents: Contents | None = None) -> None:
    """Put a job's end into the outbox, for each endpoint that wants it and for the job's own URL."""
    event_id = uuid.uuid5(job.uuid, job.status)
    deliveries = [
        _delivery(job, event_id, endpoint.url, event_body(job, event_id), endpoint=endpoint)
        for endpoint in _active_endpoints(job.owner_id)
        if EVENTS[job.status] in endpoint.events
    ]
    if job.webhook_url:
        body_of = import_string(FORMS[job.webhook_form])
        deliveries.append(_delivery(job, event_id, job.webhook_url, body_of(job, event_id, contents or {})))
    WebhookDelivery.objects.bulk_create(deliveries)


def event_body(job: Job, event_id: uuid.UUID, _contents: Contents | None = None) -> Body:
    """AudioPod's, and besides it what tells a job's runs and the order of events apart."""
    event = EVENTS[job.status]
    told = {"error_message": job.error_message, "failure_reason": job.error_code} if job.error_code else {}
    return {
        "event_type": event,
        "event_id": str(event_id),
        "job_id": job.number,
        "job_type": JOB_TYPES.get(job.task, job.task),
        "status": event.removeprefix("job."),
        **told,
        "task_id": str(job.uuid),
        "occurred_at": _written(job.finished_at or timezone.now()),
    }


def _active_endpoints(owner: uuid.UUID) -> list[WebhookEndpoint]:
    """Held until the end of the transaction: one that is deleted meanwhile would take the job's end with it."""
    active = WebhookEndpoint.objects.filter(owner=owner, off="").order_by("pk")
    return list(active.select_for_update(no_key=True))


def _delivery(job: Job, event_id: uuid.UUID, url: str, body: Body, **more: Any) -> WebhookDelivery:
    event = EVENTS[job.status]
    return WebhookDelivery(
        owner_id=job.owner_id, job=job, url=url, event_id=event_id, event_type=event, body=_json(body), **more
    )


def _json(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- endpoints


def create(owner: User, url: str, events: list[str], description: str = "") -> WebhookEndpoint:
    """Raises JobError for an address that is not allowed, and where there are too many."""
    check_address(url)
    if owner.webhook_endpoints.count() >= MOST_ENDPOINTS:
        raise JobError("TOO_MANY_WEBHOOKS", details={"limit": MOST_ENDPOINTS})
    return WebhookEndpoint.objects.create(owner=owner, url=url, events=events, description=description)


@transaction.atomic
def change(endpoint: WebhookEndpoint, *, active: bool | None = None, **columns: Any) -> WebhookEndpoint:
    """Set the url, events or description, and switch it on or off. Raises JobError for an address not allowed."""
    if "url" in columns:
        check_address(columns["url"])
    if columns:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**columns)
    if active is False:
        switch_off(endpoint, WebhookEndpoint.Off.OWNER)
    elif active:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).exclude(off="").update(off="", failing_since=None)
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


@transaction.atomic
def delete(endpoint: WebhookEndpoint) -> None:
    """Remove an endpoint with its log and what it was still to be told, also what a job's end is just putting there."""
    WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    endpoint.delete()


@transaction.atomic
def switch_off(endpoint: WebhookEndpoint, why: WebhookEndpoint.Off) -> bool:
    """Send nothing there any more; what waits can be sent anew once it is on again. False where it was off."""
    if not WebhookEndpoint.objects.filter(pk=endpoint.pk, off="").update(off=why):
        return False
    WebhookDelivery.objects.filter(endpoint=endpoint, state=State.WAITING).update(
        state=State.FAILED, error=SWITCHED_OFF, error_message=f"The endpoint was {why.label}.", finished_at=Now()
    )
    return True


def change_secret(key: SigningSecret) -> str:
    """A new secret, to be shown once; the one before signs along for `GRACE`."""
    until = timezone.now() + GRACE
    type(key)._default_manager.filter(pk=key.pk).update(
        secret_version=F("secret_version") + 1, previous_secret_until=until
    )
    key.refresh_from_db()
    return signatures.secrets(key)[0]


def job_secret(owner: User) -> JobWebhookSecret:
    """What signs the webhooks of an account's single jobs."""
    return JobWebhookSecret.objects.get_or_create(owner=owner)[0]


# --- sending what nothing happened for, or sending again


@transaction.atomic
def test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Put an event into the outbox that tells of nothing. Raises JobError."""
    current = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint.pk).first()
    if current is None:
        raise JobError("WEBHOOK_NOT_FOUND")
    if not current.active:
        raise JobError("WEBHOOK_OFF")
    if endpoint.deliveries.filter(event_type=TEST, state__in=WebhookDelivery.UNSENT).exists():
        raise JobError("DELIVERY_UNDER_WAY")
    event_id = uuid.uuid4()
    body = {"event_type": TEST, "event_id": str(event_id), "occurred_at": _written(timezone.now())}
    return WebhookDelivery.objects.create(
        owner=endpoint.owner, endpoint=endpoint, url=endpoint.url, event_id=event_id, event_type=TEST, body=_json(body)
    )


def redeliver(delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery anew, whatever became of it: the same event, id and body. Raises JobError."""
    if delivery.endpoint and not delivery.endpoint.active:
        raise JobError("WEBHOOK_OFF")
    at_rest = WebhookDelivery.objects.filter(pk=delivery.pk).exclude(state=State.SENDING)
    if not at_rest.update(state=State.WAITING, due_at=Now(), started_at=Now(), failures=0, finished_at=None):
        raise JobError("DELIVERY_UNDER_WAY")
    return WebhookDelivery.objects.select_related("endpoint").get(pk=delivery.pk)
