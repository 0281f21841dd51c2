"""Several senders, senders that die, receivers that fail in every way: nothing is lost or told in two ways."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler

import pytest
from django.db import connection

from jobs import delivery, lifecycle, webhooks
from jobs.errors import JobError
from jobs.models import WebhookDelivery, WebhookEndpoint
from jobs.options import SpeakerOptions
from tests.jobs.outbox import canceled, fresh, pass_time, send_due
from tests.processes import ROOT
from tests.racing import race
from tests.receiving import Receiver, answer, drip, hang_up, silent

pytestmark = pytest.mark.django_db
State = WebhookDelivery.State
ALL = ["job.completed", "job.failed", "job.cancelled"]


@pytest.fixture
def endpoint(alice, receiver: Receiver) -> WebhookEndpoint:
    return webhooks.create(alice, receiver.url, ALL)


@pytest.fixture
def waiting(endpoint, media) -> WebhookDelivery:
    return canceled(media)


def test_a_sender_that_lost_its_lease_cannot_write_over_the_next_ones_outcome(waiting):
    slow = delivery.claim()
    pass_time(delivery.LEASE)
    delivery.settle(delivery.claim(), delivery.Outcome(status=200))
    delivery.settle(slow, delivery.Outcome("http_error", "It answered 500.", 500))
    assert (fresh(waiting).state, fresh(waiting).response_status) == (State.DELIVERED, 200)


def die_before_sending(_claimed: WebhookDelivery) -> None:
    """As by kill -9: nothing is written any more."""


def die_after_sending(claimed: WebhookDelivery) -> None:
    delivery.attempt(claimed)


@pytest.mark.parametrize("seed", range(3))
def test_chaos_loses_nothing_and_tells_nothing_in_two_ways(receiver, endpoint, media, monkeypatch, seed):
    """Receivers that fail in every way and senders that die, at random: each event arrives, always with one body."""
    monkeypatch.setattr(delivery, "ANSWER_SECONDS", 0.3)
    chance = random.Random(seed)
    faults = [answer(500), answer(302, Location="/"), answer(429, Retry_After="100"), hang_up, silent, drip]
    arrived: set[str] = set()

    def moody(request: BaseHTTPRequestHandler) -> None:
        if chance.random() < 0.6:
            return chance.choice(faults)(request)
        arrived.add(request.headers["webhook-id"])
        return answer()(request)

    receiver.otherwise = moody
    told = {str(canceled(media).event_id) for _ in range(10)}
    senders = [delivery.send] * 6 + [die_before_sending, die_after_sending]
    for _ in range(60):
        while claimed := delivery.claim():
            chance.choice(senders)(claimed)
        if not WebhookDelivery.objects.filter(state__in=WebhookDelivery.UNSENT).exists():
            break
        pass_time(timedelta(minutes=chance.randint(1, 90)))
    assert arrived == told
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {State.DELIVERED}
    assert len({(request.headers["webhook-id"], request.body) for request in receiver.received}) == len(told)
    assert len(receiver.received) > len(told)


KILLED = """
import os, signal, django
django.setup()
from jobs import delivery
claimed = delivery.claim()
assert claimed
print("claimed", flush=True)
signal.pause()
"""


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_between_claim_and_sending_loses_nothing(receiver, waiting):
    """In a process of its own, which has the tests' database and is killed at the wrong moment."""
    program = (
        f"from django.conf import settings; settings.DATABASES['default']['NAME'] = {database_name()!r}\n" + KILLED
    )
    sender = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert sender.stdout
    assert sender.stdout.readline() == b"claimed\n"
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    sender.stdout.close()
    assert fresh(waiting).state == State.SENDING
    assert send_due() == 0
    pass_time(delivery.LEASE)
    assert send_due() == 1
    assert (fresh(waiting).state, fresh(waiting).attempts) == (State.DELIVERED, 2)
    assert len(receiver.received) == 1


def database_name() -> str:
    return str(connection.settings_dict["NAME"])


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_eight_senders_send_each_row_once(receiver, endpoint, media, monkeypatch):
    monkeypatch.setattr(delivery, "SENDERS_AN_OWNER", 100)
    for _ in range(20):
        canceled(media)
    assert sum(race([send_due] * 8)) == 20
    assert len(receiver.received) == 20
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 20
    assert set(WebhookDelivery.objects.values_list("state", "attempts")) == {(State.DELIVERED, 1)}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_job_ends_once_in_the_outbox_whoever_is_faster_and_whatever_happens_to_endpoints(alice, receiver, media):
    for _ in range(8):
        endpoint = webhooks.create(alice, receiver.url, ALL)
        job = lifecycle.submit(media, "extraction", SpeakerOptions())
        running = lifecycle.claim("engine", "tests")
        race(
            [
                partial(lifecycle.succeed, running, {}, []),
                partial(lifecycle.fail, running, JobError("ENGINE_FAILED")),
                partial(lifecycle.cancel, job),
                partial(webhooks.delete, endpoint),
            ],
            expected=(lifecycle.Conflict, JobError),
        )
        job.refresh_from_db()
        assert job.finished
        told = WebhookDelivery.objects.filter(job=job)
        assert [webhooks.EVENTS[job.status]] * told.count() == [row.event_type for row in told]
        assert told.count() <= 1
        WebhookEndpoint.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_the_postman_sends_side_by_side_and_stops_when_told(receiver, endpoint, media, monkeypatch):
    monkeypatch.setattr(delivery, "SENDERS_AN_OWNER", 100)
    gate = threading.Barrier(5, timeout=20)

    def together(request: BaseHTTPRequestHandler) -> None:
        gate.wait()
        answer()(request)

    receiver.otherwise = together
    for _ in range(10):
        canceled(media)
    postman = delivery.Postman()
    postman.make_round()
    receiver.wait_for(10)
    postman.stop()
    deadline = time.monotonic() + 10
    while not postman.idle:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert set(WebhookDelivery.objects.values_list("state", flat=True)) == {State.DELIVERED}
    canceled(media)
    postman.make_round()
    assert WebhookDelivery.objects.latest("id").state == State.WAITING
