"""Rows of the outbox, made, aged and sent."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import F

from jobs import delivery, lifecycle
from jobs.models import Media, WebhookDelivery, WebhookEndpoint
from jobs.options import SpeakerOptions


def canceled(media: Media) -> WebhookDelivery:
    lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))
    return WebhookDelivery.objects.latest("id")


def fresh(row: WebhookDelivery) -> WebhookDelivery:
    return WebhookDelivery.objects.get(pk=row.pk)


def pass_time(by: timedelta) -> None:
    WebhookDelivery.objects.update(
        due_at=F("due_at") - by, started_at=F("started_at") - by, attempted_at=F("attempted_at") - by
    )
    WebhookEndpoint.objects.update(failing_since=F("failing_since") - by)


def send_due() -> int:
    """Send all that is due now; returns how many were."""
    sent = 0
    while claimed := delivery.claim():
        delivery.send(claimed)
        sent += 1
    return sent
