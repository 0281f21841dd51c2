"""The only module that knows django-q2. A message is a wake-up, never the work: lost or doubled ones do no harm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from django.apps import apps
from django.core.management import call_command
from django.db.models import Model
from django.utils import timezone
from django_q.models import OrmQ
from django_q.tasks import async_task

Lane = Literal["io", "engine"]
LANES: tuple[Lane, ...] = get_args(Lane)


def wake(lane: Lane) -> None:
    """Tell a worker of this lane to look for work. Part of the caller's transaction."""
    async_task(f"jobs.tasks.work_{lane}", cluster=lane)


def rouse(lane: Lane) -> None:
    """Wake a lane unless a wake-up for it lies there already."""
    if not OrmQ.objects.filter(key=lane, lock__lte=timezone.now()).exists():
        wake(lane)


def order_tidying() -> None:
    """Have a worker remove what nobody needs any more."""
    async_task("jobs.tasks.tidy", cluster="io")


def environment(lane: Lane) -> dict[str, str]:
    """What a process has to be told, before Django is set up, to work for a lane."""
    return {"Q_CLUSTER_NAME": lane}


def work_until_told_to_stop() -> None:
    """Start the processes of this process's lane and stay with them."""
    call_command("qcluster")


def tables() -> Iterable[type[Model]]:
    """The queue's own models."""
    return apps.get_app_config("django_q").get_models()
