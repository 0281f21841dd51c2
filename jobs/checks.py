"""System checks: a configuration that would lose work or money, or show it to strangers, is refused at the start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from math import frexp
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from audio_engine.types import TASKS

LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


def clusters() -> dict[str, dict[str, Any]]:
    """Each cluster's settings as django-q2 will see them."""
    shared = {key: value for key, value in settings.Q_CLUSTER.items() if key != "ALT_CLUSTERS"}
    alternatives = settings.Q_CLUSTER.get("ALT_CLUSTERS", {})
    return {shared["name"]: shared} | {name: shared | own for name, own in alternatives.items()}


@register
def check_queue(**_: Any) -> list[CheckMessage]:
    return [message for name, cluster in clusters().items() for message in _cluster_problems(name, cluster)]


def _cluster_problems(name: str, cluster: dict[str, Any]) -> Iterator[CheckMessage]:
    if cluster.get("orm") != "default":
        yield Error(
            f"The queue {name} is not kept in the database.",
            hint='Set Q_CLUSTER["orm"] = "default": only there do a job and its message commit together, and other '
            "brokers lose the message of a killed worker.",
            id="soloist.E001",
        )
    guard = cluster.get("guard_cycle", 0)
    if not (0 < guard <= 1 and frexp(guard)[0] == 0.5):
        yield Error(
            f"guard_cycle of the queue {name} is {guard}, so django-q2's timeout would never fire.",
            hint="Its timer has to reach zero exactly: use 0.25, 0.5 or 1.",
            id="soloist.E002",
        )
    if not isinstance(cluster.get("timeout"), int) or cluster.get("retry", 0) <= cluster["timeout"]:
        yield Error(
            f"The queue {name} would deliver a message again while its task still runs.",
            hint="timeout must be whole seconds and retry well above it.",
            id="soloist.E003",
        )


@register
def check_sqlite(**_: Any) -> list[CheckMessage]:
    """SQLite's defaults lose contended writes to "database is locked"; this needs no connection, only the settings."""
    database = settings.DATABASES["default"]
    options = database.get("OPTIONS", {})
    if "sqlite" not in database["ENGINE"]:
        return []
    if options.get("transaction_mode") == "IMMEDIATE" and "journal_mode=WAL" in options.get("init_command", ""):
        return []
    return [
        Error(
            "SQLite is not set up for several processes that write.",
            hint="Leave DATABASE_URL empty for SQLite in the data folder, with settings.SQLITE_OPTIONS as they are.",
            id="soloist.E004",
        )
    ]


@register(Tags.security)
def check_debug(**_: Any) -> list[CheckMessage]:
    public = [host for host in settings.ALLOWED_HOSTS if host not in LOOPBACK]
    if not (settings.DEBUG and public):
        return []
    return [
        Error(
            f"Debug mode is on and the server answers to {', '.join(public)}.",
            hint="Debug pages show settings and code: unset SOLOIST_DEBUG, or SOLOIST_ALLOWED_HOSTS.",
            id="soloist.E005",
        )
    ]


@register
def check_prices(**_: Any) -> list[CheckMessage]:
    prices = settings.CREDITS_PER_SECOND
    wrong = [task for task in TASKS if prices.get(task, -1) < 0]
    unknown = sorted(set(prices) - set(TASKS))
    if not wrong and not unknown:
        return []
    return [
        Error(
            f"The price table does not fit: {', '.join([*wrong, *unknown])}.",
            hint="SOLOIST_CREDITS_PER_SECOND needs a number, 0 or more, and nothing else, for each of "
            f"{', '.join(TASKS)}.",
            id="soloist.E006",
        )
    ]


@register
def check_dollars(**_: Any) -> list[CheckMessage]:
    if settings.CREDITS_PER_USD >= 1:
        return []
    hint = "SOLOIST_CREDITS_PER_USD has to be 1 or more."
    return [Error("No number of credits stands for a dollar.", hint=hint, id="soloist.E009")]


@register
def check_surface_prices(**_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The price of a second on the surface {surface} is {rate}.",
            hint=f"SOLOIST_{surface.upper()}_CREDITS_PER_SECOND needs a number, 0 or more.",
            id="soloist.E010",
        )
        for surface, rate in settings.SURFACE_CREDITS_PER_SECOND.items()
        if not rate >= 0
    ]


@register
def check_price_of_given_turns(**_: Any) -> list[CheckMessage]:
    if settings.GIVEN_TURNS_CREDITS_PER_SECOND >= 0:
        return []
    hint = "SOLOIST_GIVEN_TURNS_CREDITS_PER_SECOND needs a number, 0 or more."
    return [Error("The price of a second with given turns is below 0.", hint=hint, id="soloist.E011")]


@register
def check_folders(**_: Any) -> list[CheckMessage]:
    folders = [settings.DATA_DIR, settings.SCRATCH_DIR]
    return [
        Error(
            f"{folder} cannot be written to.",
            hint="Make it writable for the user that runs Soloist, or set SOLOIST_DATA_DIR.",
            id="soloist.E007",
        )
        for folder in folders
        if not os.access(folder, os.W_OK | os.X_OK)
    ]


@register
def check_environment(**_: Any) -> list[CheckMessage]:
    unknown = sorted(name for name in os.environ if name.startswith("SOLOIST_") and name not in settings.VARIABLE_NAMES)
    return [
        Warning(
            f"The environment variable {name} means nothing to Soloist.",
            hint=f"Did you mean {close[0]}?"
            if (close := get_close_matches(name, settings.VARIABLE_NAMES, 1))
            else None,
            id="soloist.W008",
        )
        for name in unknown
    ]
