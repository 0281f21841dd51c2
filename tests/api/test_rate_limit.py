"""A hundred requests a minute for each key and endpoint: counted exactly, told in headers, and over after a minute."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.utils import timezone

from accounts import throttling
from accounts.models import RequestCount
from tests.api.programs import Program
from tests.racing import race


@pytest.fixture
def limit(settings) -> int:
    settings.RATE_LIMIT = 3
    return 3


def test_answers_say_where_one_stands(api, limit):
    first, second = (api.send("get", "credits") for _ in range(2))
    assert [(a["X-RateLimit-Limit"], a["X-RateLimit-Remaining"]) for a in (first, second)] == [("3", "2"), ("3", "1")]
    assert 0 < int(first["X-RateLimit-Reset"]) - time.time() <= 61
    assert first["X-RateLimit-Reset"] == second["X-RateLimit-Reset"]


def test_past_the_limit_one_is_told_to_wait(api, limit):
    answers = [api.send("get", "credits") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    refused = answers[-1]
    assert refused.json() == {"detail": "Rate limit exceeded. Try again later."}
    assert 0 < int(refused["Retry-After"]) <= 60
    assert refused["X-RateLimit-Remaining"] == "0"


def test_errors_count_and_say_so_too(api, limit):
    answer = api.send("get", "jobs/999999")
    assert (answer.status_code, answer["X-RateLimit-Remaining"]) == (404, "2")


def test_each_endpoint_counts_for_itself(api, queued, limit):
    for _ in range(4):
        api.send("get", "credits")
    assert api.send("get", "auth/me").status_code == 200
    statuses = [api.send("get", f"jobs/{number}").status_code for number in (queued.number, 1_000, 2_000, 3_000)]
    assert statuses == [200, 404, 404, 429]  # any number is the same endpoint
    assert api.send("get", "credits/").status_code == 429  # and so is a trailing slash


def test_each_key_counts_for_itself(api, alice, key_of, limit):
    for _ in range(4):
        api.send("get", "credits")
    assert Program(key_of(alice)).send("get", "credits").status_code == 200


def test_who_has_no_key_is_counted_by_address(nobody, limit):
    statuses = [nobody.post("/api/v1/auth/refresh", {"refresh_token": "x"}).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    other = nobody.post("/api/v1/auth/refresh", {"refresh_token": "x"}, REMOTE_ADDR="192.0.2.7")
    assert other.status_code == 401


def test_after_a_minute_one_may_go_on(api, limit):
    for _ in range(4):
        api.send("get", "credits")
    RequestCount.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.send("get", "credits")["X-RateLimit-Remaining"] == "2"
    assert RequestCount.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_parallel_requests_exactly_the_limit_passes(alice, key_of, settings):
    settings.RATE_LIMIT = 10
    secret = key_of(alice)
    requests = [partial(Program(secret).get, "/api/v1/credits") for _ in range(40)]
    statuses = [answer.status_code for answer in race(requests)]
    assert (statuses.count(200), statuses.count(429)) == (10, 30)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_parallel_requests_are_counted_without_gaps():
    usages = race([partial(throttling.count, "somebody:somewhere")] * 40)
    assert sorted(usage.count for usage in usages) == list(range(1, 41))


@pytest.mark.django_db(transaction=True)
def test_counting_waits_for_no_disk_and_everything_else_does():
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's setting")
    connection.ensure_connection()
    seen = []

    def synchronous() -> int:
        return connection.connection.execute("PRAGMA synchronous").fetchone()[0]

    def spy(execute, sql, params, many, context):
        if "accounts_requestcount" in sql:
            seen.append(synchronous())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(spy):
        throttling.count("a bucket")
    assert (seen, synchronous()) == ([1], 2)
