"""Holding a claimed job: renewing its lease, telling its progress and learning that nobody wants it any more."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from copy import copy
from threading import Event, Thread
from typing import Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from . import lifecycle
from .models import Job

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.5  # progress is told at most twice a second
HEARTBEAT_SECONDS = 5.0  # how long a cancellation may go unnoticed
RETRY_SECONDS = 1.0
DatabaseAway = (OperationalError, InterfaceError)

P = ParamSpec("P")
T = TypeVar("T")


class LeaseLost(Exception):
    """The job was canceled, deleted or given to another worker, or the database is away for too long to know."""


class Lease:
    """While entered, a thread of its own keeps the lease, so that nothing the work does can delay that."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._lost = Event()
        self._done = Event()
        self._progress: tuple[str, float] | None = None
        self._renewed_at = time.monotonic()
        self._keeper = Thread(target=self._keep, name=f"lease of job {job.pk}", daemon=True)

    def __enter__(self) -> Lease:
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._keeper.join()

    @property
    def held(self) -> bool:
        """Whether the lease is certain to be ours: also a database that does not answer may have given it away."""
        silence = time.monotonic() - self._renewed_at
        return not self._lost.is_set() and silence < settings.LEASE_SECONDS * 5 / 6

    def check(self) -> None:
        if not self.held:
            raise LeaseLost(self.job)

    def tell(self, stage: str, fraction: float) -> None:
        """Progress, to be written soon. Raises LeaseLost."""
        self.check()
        self._progress = (stage, fraction)

    def settle(self, verb: Callable[Concatenate[Job, P], T], *args: P.args, **options: P.kwargs) -> T:
        """Apply a verb of the lifecycle, again while the database is away. Raises LeaseLost, lifecycle.Conflict."""
        while True:
            self.check()
            try:
                return verb(self.job, *args, **options)
            except DatabaseAway:
                log.exception("The database is away; job %s is to be written again.", self.job.pk)
                connection.close()
                time.sleep(RETRY_SECONDS)

    def _keep(self) -> None:
        try:
            told = None
            while not self._done.wait(REPORT_SECONDS):
                progress = self._progress
                if progress != told or self._due():
                    told = self._report(progress if progress != told else None) or told
        except lifecycle.Conflict:
            self._lost.set()
        finally:
            connection.close()

    def _due(self) -> bool:
        interval: float = min(HEARTBEAT_SECONDS, settings.LEASE_SECONDS / 6)
        return time.monotonic() - self._renewed_at >= interval

    def _report(self, progress: tuple[str, float] | None) -> tuple[str, float] | None:
        """Renew the lease; returns the progress that was written."""
        asked_at = time.monotonic()
        try:
            lifecycle.report(copy(self.job), *(progress or ()))
        except DatabaseAway:
            log.warning("The database is away; the lease of job %s is not renewed.", self.job.pk)
            connection.close()
            return None
        self._renewed_at = asked_at
        return progress
