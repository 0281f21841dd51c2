"""What people are asked before what they cannot undo."""

from __future__ import annotations

from django.urls import reverse

from accounts.asking import Question
from jobs.models import Job, WebhookEndpoint


def canceling(job: Job) -> Question:
    return Question(
        reverse("job-cancel", args=[job.uuid]),
        reverse("job", args=[job.uuid]),
        f"Stop working on “{job.name}”?",
        "Nothing is charged.",
        "Stop",
        "Go on",
    )


def deleting(job: Job) -> Question:
    return Question(
        reverse("job-delete", args=[job.uuid]),
        reverse("job", args=[job.uuid]),
        f"Delete “{job.name}”?",
        "The recording, its tracks and everything made from it go. This cannot be undone.",
        "Delete",
    )


def deleting_endpoint(endpoint: WebhookEndpoint) -> Question:
    return Question(
        reverse("webhook-delete", args=[endpoint.uuid]),
        reverse("webhook", args=[endpoint.uuid]),
        f"Delete the endpoint {endpoint.url}?",
        "Its log goes, too, and what still waits is not sent. This cannot be undone.",
        "Delete",
    )


def new_secret(endpoint: WebhookEndpoint) -> Question:
    return Question(
        reverse("webhook-secret", args=[endpoint.uuid]),
        reverse("webhook", args=[endpoint.uuid]),
        f"Make a new secret for {endpoint.url}?",
        "The present one signs along for a day; bring your receiver the new one until then.",
        "Make a new secret",
    )


def new_job_secret() -> Question:
    return Question(
        reverse("job-webhook-secret"),
        reverse("job-webhooks"),
        "Make a new secret for single jobs?",
        "The present one signs along for a day; bring your receivers the new one until then.",
        "Make a new secret",
    )
