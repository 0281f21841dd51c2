"""/healthz: the process answers and reaches the database. /readyz: besides, it is migrated and work gets done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from .lifecycle import CLAIMS
from .models import Job
from .queue import Lane

UNCLAIMED = timedelta(seconds=120)


class HealthMiddleware:
    """First in the chain: probes come by address, over plain HTTP, without a host name that the server answers to."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.probes = {"/healthz": alive, "/readyz": ready}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if probe := self.probes.get(request.path):
            problems = probe()
            return JsonResponse({"ok": not problems, "problems": problems}, status=503 if problems else 200)
        return self.get_response(request)


def alive() -> list[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return ["The database does not answer."]
    return []


def ready() -> list[str]:
    return alive() or unmigrated() or [problem for lane in CLAIMS for problem in stuck(lane)]


def unmigrated() -> list[str]:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return ["The database is not up to date: manage.py migrate."]
    return []


def stuck(lane: Lane) -> list[str]:
    """Work waits for long and nobody holds a lease, as without a running `manage.py worker`."""
    waiting, taken = CLAIMS[lane]
    since = Job.objects.filter(status=waiting).aggregate(oldest=Min(Coalesce("queued_at", "created_at")))["oldest"]
    if since is None or timezone.now() - since < UNCLAIMED:
        return []
    if Job.objects.filter(status=taken, lease_until__gt=timezone.now()).exists():
        return []
    return [f"Jobs for the {lane} worker have waited since {since:%Y-%m-%d %H:%M} UTC and no worker takes them."]
