"""Sending the outbox: each row under a lease, by one sender at a time, until it arrived or three days are over.

A sender claims a row with an UPDATE guarded by its state and count of attempts, and writes what came of it by another.
One that was killed in between leaves a lease that runs out, and the row is sent again with the same id and body: a
receiver gets every event at least once.
"""

from __future__ import annotations

import http.client
import logging
import random
import ssl
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from threading import Event, Semaphore, Thread

from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.utils import timezone

from . import outbound, signatures, webhooks
from .errors import JobError
from .lease import DatabaseAway
from .models import WebhookDelivery, WebhookEndpoint

log = logging.getLogger(__name__)
State = WebhookDelivery.State

ANSWER_SECONDS = 10.0
LEASE = timedelta(seconds=60)  # nothing is begun after the first ten of them
EXCERPT_BYTES = 4096
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=6)
LONGEST_RETRY_AFTER = timedelta(hours=24)
JITTER = 0.2
PERSISTENCE = timedelta(days=3)
LEAST_ATTEMPTS = 5  # however long this server was down itself
PATIENCE = timedelta(days=5)  # with an endpoint where nothing arrives
SENDERS = 16
SENDERS_AN_OWNER = 4  # so that one account's slow receivers keep nobody else's waiting


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one attempt. `error` is empty where it arrived, else in the words of pyannoteAI's retry header."""

    error: str = ""
    message: str = ""
    status: int | None = None
    excerpt: str = ""
    retry_after: timedelta = timedelta(0)


# --- one row


def claim() -> WebhookDelivery | None:
    """Take the row that is due for longest, under a lease; None where nothing is due."""
    while row := _due().order_by("due_at", "pk").first():
        leased = {"state": State.SENDING, "due_at": Now() + LEASE, "attempted_at": Now()}
        if _snapshot(row).update(attempts=F("attempts") + 1, **leased):
            return WebhookDelivery.objects.select_related("endpoint", "owner").get(pk=row.pk)
    return None


def send(delivery: WebhookDelivery) -> None:
    """One attempt at a claimed row, and what follows from it."""
    settle(delivery, attempt(delivery))


def attempt(delivery: WebhookDelivery) -> Outcome:
    """Post it. Never raises for what a receiver does."""
    body = delivery.body.encode()
    if delivery.endpoint and not delivery.endpoint.active:  # since it was put into the outbox
        return Outcome(webhooks.SWITCHED_OFF, f"The endpoint was {delivery.endpoint.get_off_display()}.")
    key = delivery.endpoint or webhooks.job_secret(delivery.owner)
    signed = signatures.headers(
        signatures.secrets(key), delivery.event_id, delivery.event_type, body, int(timezone.now().timestamp())
    )
    sent = {"Content-Type": "application/json", **signed, **_retry_headers(delivery)}
    try:
        answer = outbound.post(_address(delivery), body, sent, seconds=ANSWER_SECONDS, excerpt=EXCERPT_BYTES)
    except JobError as error:
        return Outcome("connection_failed", error.message)
    except TimeoutError:
        return Outcome("http_timeout", f"No answer within {ANSWER_SECONDS:.0f} seconds.")
    except ssl.SSLError as error:
        return Outcome("ssl_error", f"No trusted connection: {error.reason or error}.")
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        return Outcome("connection_failed", f"The connection failed: {error or type(error).__name__}.")
    return _outcome_of(answer)


@transaction.atomic
def settle(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Write what came of an attempt, unless the row was given to another sender meanwhile."""
    columns = {
        "url": _address(delivery),
        "response_status": outcome.status,
        "response_excerpt": outcome.excerpt,
        "error": outcome.error,
        "error_message": outcome.message,
    }
    if not outcome.error:
        columns |= {"state": State.DELIVERED, "finished_at": Now()}
    elif wait := _wait(delivery, outcome):
        columns |= {"state": State.WAITING, "due_at": Now() + wait, "failures": F("failures") + 1}
    else:
        columns |= {"state": State.FAILED, "finished_at": Now(), "failures": F("failures") + 1}
    if _snapshot(delivery).update(**columns) and delivery.endpoint:
        _judge(delivery.endpoint, delivery, outcome)


def _address(delivery: WebhookDelivery) -> str:
    return delivery.endpoint.url if delivery.endpoint else delivery.url


def _due() -> QuerySet[WebhookDelivery]:
    unsent = WebhookDelivery.objects.filter(state__in=WebhookDelivery.UNSENT)
    under_way = Q(state=State.SENDING, due_at__gt=Now())
    busy = unsent.filter(under_way).order_by().values("owner").annotate(rows=Count("pk"))
    return unsent.filter(due_at__lte=Now()).exclude(owner__in=busy.filter(rows__gte=SENDERS_AN_OWNER).values("owner"))


def _snapshot(row: WebhookDelivery) -> QuerySet[WebhookDelivery]:
    return WebhookDelivery.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts)


def _retry_headers(delivery: WebhookDelivery) -> dict[str, str]:
    if not delivery.failures:
        return {}
    return {"x-retry-num": str(delivery.failures), "x-retry-reason": delivery.error or "unknown_error"}


def _outcome_of(answer: outbound.Answer) -> Outcome:
    excerpt = answer.excerpt.decode(errors="replace").replace("\0", "\ufffd")
    if 200 <= answer.status < 300:
        return Outcome(status=answer.status, excerpt=excerpt)
    retry_after = _retry_after(answer.retry_after)
    if 300 <= answer.status < 400:
        message = f"It answered {answer.status}, a redirect, and webhooks follow none."
        return Outcome("too_many_redirects", message, answer.status, excerpt, retry_after)
    return Outcome("http_error", f"It answered {answer.status}.", answer.status, excerpt, retry_after)


def _retry_after(value: str) -> timedelta:
    """What a receiver asks for, in seconds or as a date; zero for what is neither."""
    try:
        seconds = float(value) if value.isdecimal() else (parsedate_to_datetime(value) - timezone.now()).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a time zone
        return timedelta(0)
    return timedelta(seconds=min(max(seconds, 0), LONGEST_RETRY_AFTER.total_seconds()))


def _wait(delivery: WebhookDelivery, outcome: Outcome) -> timedelta | None:
    """How long until the next attempt: twice as long each time, or what the receiver asks for; None for no more."""
    if outcome.status == 410 or outcome.error == webhooks.SWITCHED_OFF or delivery.event_type == webhooks.TEST:
        return None
    assert delivery.attempted_at
    left = PERSISTENCE - (delivery.attempted_at - delivery.started_at)
    enough = delivery.failures + 1 >= LEAST_ATTEMPTS
    if enough and left < FIRST_WAIT:
        return None
    doubled = min(FIRST_WAIT * 2 ** min(delivery.failures, 20), LONGEST_WAIT)
    wait = max(doubled * random.uniform(1 - JITTER, 1 + JITTER), outcome.retry_after)
    return min(wait, left) if enough else wait


def _judge(endpoint: WebhookEndpoint, delivery: WebhookDelivery, outcome: Outcome) -> None:
    """An endpoint that is gone, or where nothing arrived for days, is switched off, and its owner told."""
    row = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if not outcome.error:
        row.exclude(failing_since=None).update(failing_since=None)
        return
    if outcome.status == 410:
        _switch_off(endpoint, WebhookEndpoint.Off.GONE)
        return
    if delivery.event_type == webhooks.TEST or outcome.error == webhooks.SWITCHED_OFF:
        return
    row.filter(failing_since=None).update(failing_since=Now())
    if row.filter(failing_since__lt=Now() - PATIENCE).exists():
        _switch_off(endpoint, WebhookEndpoint.Off.FAILING)


def _switch_off(endpoint: WebhookEndpoint, why: WebhookEndpoint.Off) -> None:
    if webhooks.switch_off(endpoint, why):
        transaction.on_commit(partial(_tell_owner, endpoint, why), robust=True)


def _tell_owner(endpoint: WebhookEndpoint, why: WebhookEndpoint.Off) -> None:
    text = render_to_string(
        "portal/webhook_off_mail.txt", {"endpoint": endpoint, "why": why.label, "address": settings.PUBLIC_URL}
    )
    send_mail("A webhook of yours was switched off", text, None, [endpoint.owner.email])


# --- all that is due


class Postman:
    """Sends what is due, from threads of the process that makes its rounds."""

    def __init__(self) -> None:
        self._free = Semaphore(SENDERS)
        self._stop = Event()
        self._threads: set[Thread] = set()

    @property
    def idle(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def make_round(self) -> None:
        """Begin to send what is due; whoever has sent one goes on with the next."""
        while not self._stop.is_set() and self._free.acquire(blocking=False):
            delivery = None
            try:
                delivery = claim()
            finally:
                if delivery is None:
                    self._free.release()
            if delivery is None:
                return
            self._begin(delivery)

    def stop(self) -> None:
        """Begin nothing more. What is cut off by the process's end is sent again when its lease runs out."""
        self._stop.set()

    def _begin(self, delivery: WebhookDelivery) -> None:
        thread = Thread(target=self._work, args=(delivery,), name=f"delivery {delivery.pk}", daemon=True)
        self._threads = {other for other in self._threads if other.is_alive()} | {thread}
        thread.start()

    def _work(self, delivery: WebhookDelivery | None) -> None:
        try:
            while delivery:
                send(delivery)
                delivery = None if self._stop.is_set() else claim()
        except DatabaseAway as error:
            log.warning("The database is away; a webhook is sent again when its lease runs out: %s", error)
        except Exception:  # a defect of ours must not cost the seat that `finally` gives back, nor pass unlogged
            log.exception("Sending a webhook failed; it is sent again when its lease runs out.")
        finally:
            connection.close()
            self._free.release()
