"""What is put into the outbox when a job ends, how it is signed, and who may be told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import timedelta

import pytest
import standardwebhooks
from django.db import transaction
from django.utils import timezone

from jobs import deleting, lifecycle, signatures, webhooks
from jobs.errors import JobError
from jobs.models import Job, WebhookDelivery, WebhookEndpoint
from jobs.options import SpeakerOptions

pytestmark = pytest.mark.django_db
URL = "https://example.org/hook"
ALL = ["job.completed", "job.failed", "job.cancelled"]
State = WebhookDelivery.State


@pytest.fixture
def endpoint(alice) -> WebhookEndpoint:
    return webhooks.create(alice, URL, ALL)


@pytest.fixture
def job(media) -> Job:
    return lifecycle.submit(media, "diarization", SpeakerOptions())


def run(job: Job) -> Job:
    running = lifecycle.claim("engine", "a worker")
    assert running == job
    return running


def bodies() -> list[dict]:
    return [json.loads(delivery.body) for delivery in WebhookDelivery.objects.order_by("id")]


# --- the outbox


def test_a_success_is_put_into_the_outbox_once(endpoint, job):
    running = run(job)
    assert not WebhookDelivery.objects.exists()
    done = lifecycle.succeed(running, {}, [])
    with pytest.raises(lifecycle.Conflict):
        lifecycle.succeed(running, {}, [])
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.event_type, delivery.url) == (State.WAITING, "job.completed", URL)
    assert json.loads(delivery.body) == {
        "event_type": "job.completed",
        "event_id": str(delivery.event_id),
        "job_id": job.number,
        "job_type": "speaker_diarization",
        "status": "completed",
        "task_id": str(job.uuid),
        "occurred_at": done.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def test_a_failure_says_why(endpoint, job):
    lifecycle.fail(run(job), JobError("PROCESSING_FAILED", "Nobody speaks."))
    [body] = bodies()
    assert (body["event_type"], body["status"]) == ("job.failed", "failed")
    assert (body["failure_reason"], body["error_message"]) == ("PROCESSING_FAILED", "Nobody speaks.")


def test_a_retry_is_told_as_an_event_of_its_own(endpoint, job):
    lifecycle.cancel(lifecycle.retry(lifecycle.cancel(job)))
    first, second = bodies()
    assert first["status"] == second["status"] == "cancelled"
    assert first["job_id"] == second["job_id"]
    assert first["event_id"] != second["event_id"]
    assert first["task_id"] != second["task_id"]


def test_a_change_that_is_undone_tells_nothing(endpoint, job):
    with pytest.raises(RuntimeError), transaction.atomic():
        lifecycle.cancel(job)
        raise RuntimeError
    assert not WebhookDelivery.objects.exists()
    assert Job.objects.get().status == Job.Status.QUEUED


def test_only_active_endpoints_of_the_owner_that_want_the_event_are_told(alice, bob, job):
    webhooks.create(bob, URL, ALL)
    webhooks.create(alice, f"{URL}/failures", ["job.failed"])
    webhooks.change(webhooks.create(alice, f"{URL}/off", ALL), active=False)
    webhooks.create(alice, f"{URL}/wanted", ["job.cancelled"])
    lifecycle.cancel(job)
    assert [delivery.url for delivery in WebhookDelivery.objects.all()] == [f"{URL}/wanted"]


def test_a_jobs_own_url_is_told_beside_the_endpoints_and_kept_for_its_retry(endpoint, media):
    webhook = webhooks.for_job("https://example.org/of-this-job")
    job = lifecycle.submit(media, "extraction", SpeakerOptions(), webhook=webhook)
    lifecycle.cancel(job)
    told = WebhookDelivery.objects.order_by("id")
    assert [delivery.url for delivery in told] == [URL, webhook.url]
    assert told[0].body == told[1].body
    again = lifecycle.retry(Job.objects.get(pk=job.pk))
    assert (again.webhook_url, again.webhook_form) == (webhook.url, "audiopod")


def test_a_job_that_was_deleted_is_told_of_all_the_same(endpoint, job):
    deleting.delete(job)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.job, delivery.event_type, delivery.state) == (None, "job.cancelled", State.WAITING)


def test_the_database_refuses_to_tell_the_same_event_twice(endpoint, job):
    lifecycle.cancel(job)
    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        webhooks.announce(Job.objects.get(pk=job.pk))
    assert WebhookDelivery.objects.count() == 1


# --- signatures


def sign(endpoint: WebhookEndpoint, body: bytes) -> dict[str, str]:
    delivered = WebhookDelivery(event_type="job.failed", event_id=endpoint.uuid)
    moment = int(timezone.now().timestamp())
    return signatures.headers(signatures.secrets(endpoint), delivered.event_id, delivered.event_type, body, moment)


def test_the_library_of_standard_webhooks_accepts_the_signature_and_no_other(endpoint):
    body = '{"name":"Tälk 🎙"}'.encode()
    verifier = standardwebhooks.Webhook(signatures.secrets(endpoint)[0])
    headers = sign(endpoint, body)
    assert verifier.verify(body, headers) == {"name": "Tälk 🎙"}
    for wrong in (b"{}", body + b" "):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            verifier.verify(wrong, headers)


def test_audiopods_and_pyannotes_signatures_are_of_the_same_bytes(endpoint):
    body = b'{"status":"failed"}'
    headers, secret = sign(endpoint, body), signatures.secrets(endpoint)[0].encode()
    timestamp = headers["webhook-timestamp"]
    assert headers["X-AudioPod-Timestamp"] == headers["X-Request-Timestamp"] == timestamp
    expected = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["X-AudioPod-Signature"] == f"sha256={expected}"
    mac = hmac.new(secret, b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256)
    assert headers["X-Signature"] == base64.b64encode(mac.digest()).decode()
    assert headers["X-AudioPod-Event-Id"] == headers["webhook-id"]


def test_both_secrets_sign_until_the_grace_time_is_over(endpoint):
    old = signatures.secrets(endpoint)[0]
    new = webhooks.change_secret(endpoint)
    assert new != old
    for secret in (old, new):
        standardwebhooks.Webhook(secret).verify(b"{}", sign(endpoint, b"{}"))
    WebhookEndpoint.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    endpoint.refresh_from_db()
    standardwebhooks.Webhook(new).verify(b"{}", sign(endpoint, b"{}"))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(old).verify(b"{}", sign(endpoint, b"{}"))


def test_no_two_secrets_are_alike_and_none_is_stored(alice, endpoint):
    others = [webhooks.create(alice, URL, ALL), webhooks.job_secret(alice)]
    secrets = [signatures.secrets(key)[0] for key in (endpoint, *others)]
    assert len(set(secrets)) == 3
    row = repr(WebhookEndpoint.objects.values().get(pk=endpoint.pk))
    assert secrets[0].removeprefix("whsec_")[:16] not in row


# --- endpoints


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1/hook", "URL_NOT_ALLOWED"),
        ("https://[::1]/hook", "URL_NOT_ALLOWED"),
        ("http://169.254.169.254/latest", "URL_NOT_ALLOWED"),
        ("http://2130706433/", "URL_NOT_ALLOWED"),
        ("ftp://example.org/hook", "INVALID_URL"),
        ("https://user:password@example.org/", "INVALID_URL"),
        ("hook", "INVALID_URL"),
    ],
)
def test_addresses_that_are_not_public_are_refused_when_they_are_given(alice, endpoint, url, code):
    for give in (
        lambda: webhooks.create(alice, url, ALL),
        lambda: webhooks.change(endpoint, url=url),
        lambda: webhooks.for_job(url),
    ):
        with pytest.raises(JobError) as error:
            give()
        assert error.value.code == code


def test_an_account_has_so_many_endpoints_and_no_more(alice):
    for number in range(webhooks.MOST_ENDPOINTS):
        webhooks.create(alice, f"{URL}/{number}", ALL)
    with pytest.raises(JobError) as error:
        webhooks.create(alice, URL, ALL)
    assert error.value.code == "TOO_MANY_WEBHOOKS"


def test_switching_off_ends_what_waits_and_switching_on_lets_it_be_sent_anew(endpoint, job):
    lifecycle.cancel(job)
    webhooks.change(endpoint, active=False)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.error) == (State.FAILED, webhooks.SWITCHED_OFF)
    with pytest.raises(JobError) as error:
        webhooks.redeliver(delivery)
    assert error.value.code == "WEBHOOK_OFF"
    assert webhooks.change(endpoint, active=True).active
    delivery = WebhookDelivery.objects.get()
    assert webhooks.redeliver(delivery).state == State.WAITING


def test_a_test_is_sent_on_its_own_and_only_one_at_a_time(endpoint):
    webhooks.test(endpoint)
    [body] = bodies()
    assert body["event_type"] == "webhook.test"
    with pytest.raises(JobError) as error:
        webhooks.test(endpoint)
    assert error.value.code == "DELIVERY_UNDER_WAY"
