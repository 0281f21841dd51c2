"""Configurations that would lose work or money are refused, and the one that ships is not."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from django.core import checks

from audio_engine.types import TASKS
from jobs.checks import (
    check_debug,
    check_environment,
    check_folders,
    check_prices,
    check_queue,
    check_sqlite,
    check_surface_prices,
)


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_the_settings_as_shipped_pass_every_check(monkeypatch):
    monkeypatch.delenv("SOLOIST_EVAL", raising=False)  # the tests' own
    assert checks.run_checks() == []


def test_a_queue_outside_the_database_is_refused(settings):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"orm": None, "redis": "redis://localhost"}
    assert ids(check_queue()) == ["soloist.E001"] * 2


@pytest.mark.parametrize("cycle", [0, 0.1, 0.2, 0.3, 2, 5])
def test_a_guard_cycle_that_never_meets_zero_is_refused(settings, cycle):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"guard_cycle": cycle}
    assert ids(check_queue()) == ["soloist.E002"] * 2


@pytest.mark.parametrize("cycle", [0.25, 0.5, 1])
def test_a_guard_cycle_that_meets_zero_is_accepted(settings, cycle):
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"guard_cycle": cycle}
    assert check_queue() == []


@pytest.mark.parametrize("timeout", [None, 2.5, 600, 601])
def test_a_queue_that_retries_before_its_timeout_is_refused(settings, timeout):
    engine = settings.Q_CLUSTER["ALT_CLUSTERS"]["engine"] | {"timeout": timeout, "retry": 600}
    settings.Q_CLUSTER = settings.Q_CLUSTER | {"ALT_CLUSTERS": {"engine": engine}}
    [problem] = check_queue()
    assert problem.id == "soloist.E003"
    assert "engine" in problem.msg


@pytest.mark.parametrize(
    "options", [{}, {"transaction_mode": "IMMEDIATE"}, {"init_command": "PRAGMA journal_mode=WAL"}]
)
def test_sqlite_with_its_defaults_is_refused(settings, monkeypatch, options):
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": options})
    assert ids(check_sqlite()) == ["soloist.E004"]


def test_postgresql_needs_none_of_sqlites_options(settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES, "default", {"ENGINE": "django.db.backends.postgresql"})
    assert check_sqlite() == []


def test_debug_mode_is_refused_on_a_host_that_others_reach(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["localhost", "soloist.example.org"]
    [problem] = check_debug()
    assert problem.id == "soloist.E005"
    assert "soloist.example.org" in problem.msg
    assert "localhost" not in problem.msg


def test_debug_mode_is_accepted_on_this_machine(settings):
    settings.DEBUG, settings.ALLOWED_HOSTS = True, ["127.0.0.1", "localhost", "[::1]"]
    assert check_debug() == []


@pytest.mark.parametrize(
    "prices", [{}, {"extraction": Decimal(1)}, {"extraction": Decimal(1), "diarization": Decimal(-1)}]
)
def test_a_task_without_a_price_is_refused(settings, prices):
    settings.CREDITS_PER_SECOND = prices
    assert ids(check_prices()) == ["soloist.E006"]


def test_a_price_of_an_unknown_task_is_refused(settings):
    settings.CREDITS_PER_SECOND = settings.CREDITS_PER_SECOND | {"extrction": Decimal(1)}
    [problem] = check_prices()
    assert "extrction" in problem.msg


@pytest.mark.parametrize(("price", "problems"), [("1", []), ("0", []), ("-1", ["soloist.E010"])])
def test_a_surface_that_would_pay_its_users_is_refused(settings, price, problems):
    settings.SURFACE_CREDITS_PER_SECOND = {"timbr": Decimal(price)}
    assert [problem.id for problem in check_surface_prices()] == problems


def test_a_free_task_is_accepted(settings):
    settings.CREDITS_PER_SECOND = dict.fromkeys(TASKS, Decimal(0))
    assert check_prices() == []


def test_a_data_folder_that_cannot_be_written_is_refused(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # root may write anywhere
    settings.DATA_DIR = tmp_path
    assert ids(check_folders()) == ["soloist.E007"]


def test_a_misspelled_variable_is_told_with_the_likely_name(monkeypatch):
    monkeypatch.delenv("SOLOIST_EVAL", raising=False)
    monkeypatch.setenv("SOLOIST_RATE_LIMITS", "5")
    monkeypatch.setenv("SOLOIST_RATE_LIMIT", "5")
    [problem] = check_environment()
    assert (problem.id, problem.hint) == ("soloist.W008", "Did you mean SOLOIST_RATE_LIMIT?")


def test_a_workers_jobs_take_turns_on_the_gpu(settings):
    assert settings.Q_CLUSTER["ALT_CLUSTERS"]["engine"]["workers"] == 1
