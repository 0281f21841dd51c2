"""Sending the outbox to a receiver that behaves well, badly, or is away. Time passes by moving the rows' own."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler

import pytest
import standardwebhooks
from django.core import mail
from django.utils import timezone

from jobs import delivery, housekeeping, lifecycle, signatures, webhooks
from jobs.errors import JobError
from jobs.models import WebhookDelivery, WebhookEndpoint
from jobs.options import SpeakerOptions
from tests.jobs.outbox import canceled, fresh, pass_time, send_due
from tests.receiving import Receiver, answer, drip, hang_up, silent

pytestmark = pytest.mark.django_db
State = WebhookDelivery.State
ALL = ["job.completed", "job.failed", "job.cancelled"]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def endpoint(alice, receiver: Receiver) -> WebhookEndpoint:
    return webhooks.create(alice, receiver.url, ALL)


@pytest.fixture
def waiting(endpoint, media) -> WebhookDelivery:
    return canceled(media)


def wait_left(row: WebhookDelivery) -> float:
    return (fresh(row).due_at - timezone.now()).total_seconds()


# --- well


def test_an_event_arrives_once_with_signatures_that_hold(receiver, endpoint, waiting):
    assert send_due() == 1
    assert send_due() == 0
    [request] = receiver.received
    assert request.headers["content-type"] == "application/json"
    verifier = standardwebhooks.Webhook(signatures.secrets(endpoint)[0])
    assert verifier.verify(request.body, request.headers)["job_id"] == waiting.job.number
    assert "x-retry-num" not in request.headers
    sent = fresh(waiting)
    assert (sent.state, sent.attempts, sent.response_status) == (State.DELIVERED, 1, 200)
    assert (sent.response_excerpt, sent.error) == ("thanks", "")
    assert sent.finished_at


def test_the_body_is_json_as_it_was_written(receiver, waiting):
    send_due()
    assert json.loads(receiver.received[0].body) == json.loads(waiting.body)
    assert receiver.received[0].body == waiting.body.encode()


def test_a_jobs_own_url_is_signed_with_the_accounts_secret(alice, receiver, media):
    webhook = webhooks.for_job(f"{receiver.url}/of-this-job")
    lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions(), webhook=webhook))
    send_due()
    [request] = receiver.received
    assert request.path == "/hook/of-this-job"
    secret = signatures.secrets(webhooks.job_secret(alice))[0]
    standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_a_replay_is_the_same_event_with_the_same_body(receiver, waiting):
    send_due()
    webhooks.redeliver(fresh(waiting))
    assert send_due() == 1
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert fresh(waiting).attempts == 2


def test_what_is_being_sent_is_not_sent_anew_meanwhile(waiting):
    claimed = delivery.claim()
    with pytest.raises(JobError) as error:
        webhooks.redeliver(claimed)
    assert error.value.code == "DELIVERY_UNDER_WAY"


def test_a_changed_address_holds_for_what_still_waits(receiver, endpoint, waiting):
    webhooks.change(endpoint, url=f"{receiver.url}/moved")
    send_due()
    assert receiver.received[0].path == "/hook/moved"
    assert fresh(waiting).url == f"{receiver.url}/moved"


# --- badly


@pytest.mark.parametrize(
    ("behaviour", "error", "status"),
    [
        (answer(500, b"oops"), "http_error", 500),
        (answer(404), "http_error", 404),
        (answer(302, Location="/elsewhere"), "too_many_redirects", 302),
        (silent, "http_timeout", None),
        (drip, "http_timeout", None),
        (hang_up, "connection_failed", None),
    ],
)
def test_whatever_is_no_success_is_tried_again_and_told(receiver, waiting, monkeypatch, behaviour, error, status):
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 0.7)
    receiver.script = [behaviour]
    send_due()
    failed = fresh(waiting)
    assert (failed.state, failed.failures, failed.error, failed.response_status) == (State.WAITING, 1, error, status)
    assert failed.error_message
    pass_time(HOUR)
    assert send_due() == 1
    assert fresh(waiting).state == State.DELIVERED
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (second.headers["x-retry-num"], second.headers["x-retry-reason"]) == ("1", error)


def test_a_long_answer_is_cut_and_a_dripping_one_not_waited_for(receiver, waiting, monkeypatch):
    monkeypatch.setattr("jobs.outbound.EXCERPT_SECONDS", 0.3)

    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b"x" * 3000 + b"\0\xff")
        while True:
            request.wfile.write(b"y")
            time.sleep(0.1)

    receiver.script = [endless, answer(200, b"z" * 100_000)]
    started = time.monotonic()
    send_due()
    assert time.monotonic() - started < 5
    sent = fresh(waiting)
    assert sent.state == State.DELIVERED
    assert 3000 <= len(sent.response_excerpt) < 3100
    webhooks.redeliver(sent)
    send_due()
    assert fresh(waiting).response_excerpt == "z" * 4096


def test_a_receiver_that_is_not_there_is_tried_again(receiver, waiting):
    receiver.stop()
    send_due()
    assert (fresh(waiting).error, fresh(waiting).state) == ("connection_failed", State.WAITING)


def test_an_address_that_became_private_is_refused_at_the_connection(receiver, waiting, settings):
    settings.FETCH_ALLOW = ()
    send_due()
    refused = fresh(waiting)
    assert (refused.error, refused.error_message) == (
        "connection_failed",
        "This address does not lead to a public server.",
    )
    assert receiver.received == []


def test_a_name_that_leads_to_a_private_address_is_refused_at_the_connection(endpoint, waiting, monkeypatch, settings):
    settings.FETCH_ALLOW = ()
    WebhookEndpoint.objects.update(url="http://innocent.example.org/hook")
    found = [(2, 1, 6, "", ("10.0.0.7", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *_, **__: found if host == "innocent.example.org" else [])
    send_due()
    assert fresh(waiting).error_message == "This address does not lead to a public server."


# --- for long


def test_waits_double_with_jitter_up_to_six_hours_and_end_after_three_days(receiver, waiting):
    receiver.otherwise = answer(503)
    waits, spent, passed = [], [], timedelta(0)
    while fresh(waiting).state == State.WAITING:
        started = time.monotonic()
        assert send_due() == 1
        if fresh(waiting).state == State.WAITING:
            waits.append(wait_left(waiting))
            pass_time(timedelta(seconds=waits[-1] + 1))
            passed += timedelta(seconds=waits[-1] + 1)
        spent.append(time.monotonic() - started)  # of it a wait that is looked at has lost something
    exact = [min(5 * 2**number, 6 * 3600) for number in range(len(waits) - 1)]
    for want, got, lost in zip(exact, waits, spent, strict=False):
        assert 0.79 * want - lost <= got <= 1.21 * want
    assert len({got / want for want, got in zip(exact, waits, strict=False)}) > 5
    elapsed = passed + timedelta(seconds=sum(spent))
    assert 3 * DAY <= elapsed < 3 * DAY + timedelta(minutes=5)
    assert sum(exact[:4]) < 15 * 60  # AudioPod's five attempts within a quarter of an hour
    assert sum(exact[:3]) < 6 * 60  # pyannoteAI's three retries within six minutes
    given_up = fresh(waiting)
    assert (given_up.state, given_up.error, given_up.attempts) == (State.FAILED, "http_error", len(receiver.received))
    assert len({request.body for request in receiver.received}) == 1
    assert [request.headers.get("x-retry-num") for request in receiver.received[:3]] == [None, "1", "2"]


def test_an_hour_away_loses_nothing(receiver, endpoint, media):
    """For an account's endpoint and for a job's own address, in either vendor's form."""
    receiver.otherwise = answer(502)
    for form in ("audiopod", "pyannoteai"):
        webhook = webhooks.for_job(receiver.url, form)
        lifecycle.cancel(lifecycle.submit(media, "diarization", SpeakerOptions(), webhook=webhook))
    canceled(media)
    rows = list(WebhookDelivery.objects.all())
    for _ in range(60):
        send_due()
        pass_time(timedelta(minutes=1))
    assert {fresh(row).state for row in rows} == {State.WAITING}
    receiver.otherwise = answer()
    pass_time(HOUR)
    send_due()
    assert {fresh(row).state for row in rows} == {State.DELIVERED}
    contents = {(request.headers["webhook-id"], request.body) for request in receiver.received}
    assert (len(rows), len(contents)) == (5, 4)  # one event was told to two addresses in the same form


def test_five_attempts_are_made_however_long_this_server_was_down_itself(receiver, waiting):
    receiver.script = [answer(500)] * 4
    pass_time(4 * DAY)
    for _ in range(5):
        assert send_due() == 1
        pass_time(HOUR)
    assert fresh(waiting).state == State.DELIVERED


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 118, 121),
        ("99999999", 23.9 * 3600, 24 * 3600),
        ("-5", 3, 7),
        ("soon", 3, 7),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 3, 7),
        ("date", 3590, 3601),
    ],
)
def test_what_a_receiver_asks_to_wait_is_waited_within_bounds(receiver, waiting, asked, least, most):
    value = format_datetime(timezone.now() + HOUR, usegmt=True) if asked == "date" else asked
    receiver.script = [answer(429, Retry_After=value)]
    send_due()
    assert least <= wait_left(waiting) <= most


def test_an_endpoint_that_is_gone_is_switched_off_with_all_that_waits(
    receiver, endpoint, media, waiting, django_capture_on_commit_callbacks
):
    other = canceled(media)
    receiver.script = [answer(410)]
    with django_capture_on_commit_callbacks(execute=True):
        assert send_due() == 1
    endpoint.refresh_from_db()
    assert endpoint.off == WebhookEndpoint.Off.GONE
    assert {fresh(row).state for row in (waiting, other)} == {State.FAILED}
    assert canceled(media).pk == other.pk  # nothing more is put into the outbox
    [notice] = mail.outbox
    assert notice.to == ["alice@example.org"]
    assert receiver.url in notice.body
    assert "410 Gone" in notice.body


def test_a_jobs_own_url_that_is_gone_is_not_tried_again(receiver, media):
    webhook = webhooks.for_job(receiver.url)
    lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions(), webhook=webhook))
    receiver.script = [answer(410)]
    send_due()
    assert WebhookDelivery.objects.get().state == State.FAILED


def test_an_endpoint_where_nothing_arrives_for_days_is_switched_off_with_a_notice(
    receiver, endpoint, media, django_capture_on_commit_callbacks
):
    receiver.otherwise = answer(500)
    canceled(media)
    send_due()
    pass_time(4.9 * DAY)
    with django_capture_on_commit_callbacks(execute=True):
        send_due()
    endpoint.refresh_from_db()
    assert endpoint.active
    pass_time(0.2 * DAY)
    with django_capture_on_commit_callbacks(execute=True):
        send_due()
    endpoint.refresh_from_db()
    assert endpoint.off == WebhookEndpoint.Off.FAILING
    assert "nothing arrived there for days" in mail.outbox[0].body


def test_one_arrival_forgives_what_failed_before(receiver, endpoint, media):
    receiver.script = [answer(500)]
    canceled(media)
    send_due()
    pass_time(4 * DAY)
    send_due()
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None


def test_a_test_is_tried_once_and_its_failure_held_against_nobody(receiver, endpoint):
    receiver.script = [answer(500)]
    row = webhooks.test(endpoint)
    send_due()
    assert (fresh(row).state, fresh(row).response_status) == (State.FAILED, 500)
    endpoint.refresh_from_db()
    assert endpoint.failing_since is None
    assert receiver.received[0].headers["x-audiopod-event"] == "webhook.test"


def test_an_endpoint_switched_off_while_its_row_was_claimed_hears_nothing(receiver, endpoint, waiting):
    webhooks.change(endpoint, active=False)
    WebhookDelivery.objects.update(state=State.WAITING)
    send_due()
    assert (fresh(waiting).state, fresh(waiting).error) == (State.FAILED, webhooks.SWITCHED_OFF)
    assert receiver.received == []


def test_one_accounts_slow_receivers_leave_senders_to_the_others(alice, bob, endpoint, media):
    for _ in range(6):
        canceled(media)
    claimed = [delivery.claim() for _ in range(6)]
    assert sum(row is not None for row in claimed) == delivery.SENDERS_AN_OWNER
    webhooks.test(webhooks.create(bob, endpoint.url, ALL))
    assert delivery.claim().owner == bob


def test_old_deliveries_are_tidied_away_and_waiting_ones_are_not(endpoint, media, settings):
    settings.WEBHOOK_LOG_DAYS = 30
    old, recent, waiting = (canceled(media) for _ in range(3))
    WebhookDelivery.objects.filter(pk=old.pk).update(state=State.FAILED, finished_at=timezone.now() - 31 * DAY)
    WebhookDelivery.objects.filter(pk=recent.pk).update(state=State.DELIVERED, finished_at=timezone.now() - 29 * DAY)
    housekeeping.delete_old_deliveries()
    assert set(WebhookDelivery.objects.all()) == {recent, waiting}
