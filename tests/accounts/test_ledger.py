"""Credits are neither lost nor made up, whoever writes at the same time."""

from __future__ import annotations

from functools import partial
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from accounts import ledger
from accounts.ledger import InsufficientCredits
from accounts.models import CreditBalance, CreditEntry
from tests.racing import race

pytestmark = [pytest.mark.money, pytest.mark.django_db]
START = 1_000_000  # what the fixtures' users begin with


def hold(user, credits, job=None):
    return ledger.hold(user, credits, job or uuid4(), service="extraction", audio_seconds=1.0)


def balance(user) -> tuple[int, int]:
    """Available and held, after checking that the entries say the same."""
    row = CreditBalance.objects.get(user=user)
    assert ledger.recount(user) == (row.available, row.held)
    return row.available, row.held


def test_a_grant_is_there_to_be_spent(alice):
    ledger.grant(alice, 500, reason="Thanks")
    assert ledger.available(alice) == START + 500
    assert balance(alice) == (START + 500, 0)


@pytest.mark.parametrize("credits", [0, -1])
def test_a_grant_is_positive(alice, credits):
    with pytest.raises(ValueError):
        ledger.grant(alice, credits, reason="")
    assert balance(alice) == (START, 0)


def test_an_adjustment_goes_in_either_direction_and_names_who_made_it(alice, charlie):
    assert ledger.adjust(alice, -300, reason="Refunded", actor=charlie).actor == charlie
    assert ledger.adjust(alice, 100, reason="Too much", actor=charlie).spent == -100
    assert balance(alice) == (START - 200, 0)


def test_an_adjustment_cannot_take_more_than_there_is(alice, charlie):
    hold(alice, START - 100)
    with pytest.raises(InsufficientCredits) as short:
        ledger.adjust(alice, -101, reason="", actor=charlie)
    assert (short.value.required, short.value.available) == (101, 100)
    assert balance(alice) == (100, START - 100)


def test_somebody_without_a_balance_has_nothing(alice):
    CreditBalance.objects.filter(user=alice).delete()
    CreditEntry.objects.filter(user=alice).delete()
    assert ledger.available(alice) == 0
    with pytest.raises(InsufficientCredits):
        hold(alice, 1)


def test_a_capture_takes_what_was_held(alice):
    job = uuid4()
    hold(alice, 165, job)
    assert balance(alice) == (START - 165, 165)
    entry = ledger.capture(job)
    assert (entry.spent, entry.service, entry.audio_seconds) == (165, "extraction", 1.0)
    assert balance(alice) == (START - 165, 0)


def test_a_release_gives_all_of_it_back(alice):
    job = uuid4()
    hold(alice, 165, job)
    entry = ledger.release(job)
    assert entry is not None
    assert entry.spent == 0
    assert balance(alice) == (START, 0)


def test_releasing_what_was_never_held_does_nothing(alice):
    assert ledger.release(uuid4()) is None
    assert balance(alice) == (START, 0)


def test_capturing_what_was_never_held_is_refused(alice):
    with pytest.raises(CreditEntry.DoesNotExist):
        ledger.capture(uuid4())


def test_a_job_free_of_charge_is_held_and_captured_all_the_same(alice):
    job = uuid4()
    hold(alice, 0, job)
    ledger.capture(job)
    assert balance(alice) == (START, 0)


def test_a_job_has_one_hold(alice):
    job = uuid4()
    hold(alice, 10, job)
    with pytest.raises(IntegrityError), transaction.atomic():
        hold(alice, 10, job)
    assert balance(alice) == (START - 10, 10)


@pytest.mark.parametrize(("first", "second"), [("capture", "release"), ("release", "capture"), ("capture", "capture")])
def test_a_hold_is_closed_once(alice, first, second):
    job = uuid4()
    hold(alice, 10, job)
    hold(alice, 10)  # another job's, so that the balance alone would allow it
    getattr(ledger, first)(job)
    before = balance(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        getattr(ledger, second)(job)
    assert balance(alice) == before


def test_what_a_failed_transaction_wrote_is_gone(alice):
    with pytest.raises(RuntimeError), transaction.atomic():
        hold(alice, 10)
        raise RuntimeError
    assert balance(alice) == (START, 0)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_ten_credits_are_spent_ten_times_by_thirty_who_try_at_once(alice, charlie):
    ledger.adjust(alice, 10 - START, reason="", actor=charlie)
    results = race([partial(hold, alice, 1) for _ in range(30)], expected=InsufficientCredits)
    assert sum(isinstance(result, CreditEntry) for result in results) == 10
    assert balance(alice) == (0, 10)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_many_that_close_one_hold_one_succeeds(alice):
    for _ in range(5):
        job = uuid4()
        hold(alice, 100, job)
        hold(alice, 1000)
        verbs = [partial(verb, job) for verb in (ledger.capture, ledger.release) for _ in range(4)]
        results = race(verbs, expected=IntegrityError)
        assert sum(isinstance(result, CreditEntry) for result in results) == 1
        assert CreditEntry.objects.filter(job=job, kind__in=CreditEntry.CLOSING).count() == 1
        balance(alice)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_first_grants_at_the_same_time_make_one_balance(alice):
    CreditBalance.objects.filter(user=alice).delete()
    CreditEntry.objects.filter(user=alice).delete()
    race([partial(ledger.grant, alice, 7, reason="") for _ in range(8)])
    assert balance(alice) == (56, 0)
