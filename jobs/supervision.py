"""Keeping the queue's processes at work, since django-q2 does not survive alone.

Killing an idle worker hangs its cluster, killing the master leaves the rest of it running, and a cluster asked to stop
first finishes its jobs, however long they are. So each lane's cluster is a process group that can be killed at any
moment, because everything that matters is in the job table: what a dead worker held goes back into its queue at once,
and a cluster that takes no work while work waits is replaced.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import Event, Thread

from django.conf import settings
from django.db import connection

from audio_engine.models import access

from . import lifecycle, queue, worker
from .delivery import Postman
from .errors import JobError
from .lease import DatabaseAway
from .models import Job

log = logging.getLogger(__name__)

WATCH_SECONDS = 1.0
SWEEP_SECONDS = 30.0
TIDY_SECONDS = 3600.0
ACCESS_SECONDS = 3600.0
ROUSE_SECONDS = 3.0
STALL_SECONDS = 15.0  # an idle cluster claims within one
SHORT_LIFE = 60.0  # what ends sooner is started again ever more slowly
SLOWEST_RESTART = 10.0
DRAIN_SECONDS = 5.0


class Cluster:
    """One lane's processes, in a group of their own."""

    def __init__(self, lane: queue.Lane) -> None:
        self.lane = lane
        self._delay = 0.0
        self.start()

    def start(self) -> None:
        # Unique also among containers that share a host name and count their processes alike.
        self.name = f"{socket.gethostname()[:60]}:{secrets.token_hex(4)}"
        self._started_at = self._next_since = self._roused_at = time.monotonic()
        self._restart_at: float | None = None
        self._next: Job | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobs.cluster", str(os.getpid())],
            cwd=settings.BASE_DIR,
            env=os.environ | queue.environment(self.lane) | {worker.NAME_VARIABLE: self.name},
            start_new_session=True,
        )

    def tend(self) -> None:
        """Give back what dead workers held, and replace the cluster where it is dead or takes no work."""
        if self._restart_at is not None:
            if time.monotonic() >= self._restart_at:
                self.start()
            return
        held = self.held()
        if self.ended:
            self.replace(f"they ended with status {self._process.returncode}")
        elif self._stalled(held):
            self.replace(f"work has waited for {STALL_SECONDS:.0f} s and they take none")
        else:
            give_back((job for job in held if not alive(job)), lose)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def held(self) -> list[Job]:
        return list(Job.objects.filter(status__in=Job.LEASED, worker__startswith=f"{self.name}:"))

    def replace(self, reason: str) -> None:
        log.warning("The %s workers are replaced: %s.", self.lane, reason)
        self.kill()
        short = time.monotonic() - self._started_at < SHORT_LIFE
        self._delay = min(self._delay * 2 or 0.5, SLOWEST_RESTART) if short else 0.0
        self._restart_at = time.monotonic() + self._delay
        give_back(self.held(), lose)

    def ask_to_stop(self) -> None:
        """An idle cluster ends within two seconds, a busy one when its jobs do."""
        if not self.ended:
            self._process.terminate()

    def kill(self) -> None:
        """End the whole group; its engine goes with it."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _stalled(self, held: Sequence[Job]) -> bool:
        """Whether one job has been next for long while nobody here works, although they were told again."""
        now = time.monotonic()
        upcoming = lifecycle.next_waiting(self.lane)
        if upcoming is None or held or upcoming != self._next:
            self._next, self._next_since = upcoming, now
        elif now - self._roused_at > ROUSE_SECONDS:
            self._roused_at = now
            queue.rouse(self.lane)
        patience = STALL_SECONDS + 2 * self._delay  # a machine on which starting takes long gets longer each time
        return now - self._next_since > STALL_SECONDS and now - self._started_at > patience


class Round:
    """Something to be done at the start and again after each interval."""

    def __init__(self, duty: Callable[[], None], interval: float) -> None:
        self._duty, self._interval = duty, interval
        self._due_at = 0.0

    def make(self) -> None:
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self._interval
            self._duty()


class Supervisor:
    """The clusters of some lanes, and the rounds that keep all jobs going. Run it in the main thread."""

    def __init__(self, lanes: Sequence[queue.Lane]) -> None:
        self._lanes = lanes
        self._stop = Event()
        self._asked = 0
        self._postman = Postman()
        self._rounds = [Round(lifecycle.sweep, SWEEP_SECONDS)]
        if "io" in lanes:
            self._rounds.append(Round(queue.order_tidying, TIDY_SECONDS))
            self._rounds.append(Round(self._postman.make_round, WATCH_SECONDS / 2))
        if "engine" in lanes:
            self._rounds.append(Round(learn_access, ACCESS_SECONDS))

    def run(self) -> None:
        """Until SIGTERM or SIGINT; a second one does not wait for anything."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        clusters = [Cluster(lane) for lane in self._lanes]
        try:
            while not self._stop.wait(WATCH_SECONDS):
                self._watch(clusters)
        finally:
            self._end(clusters)

    def _watch(self, clusters: Iterable[Cluster]) -> None:
        try:
            for due in self._rounds:
                due.make()
            for cluster in clusters:
                cluster.tend()
        except DatabaseAway as error:
            log.warning("The database is away: %s", error)
            connection.close()

    def _ask_to_stop(self, *_: object) -> None:
        self._asked += 1
        self._stop.set()

    def _end(self, clusters: Sequence[Cluster]) -> None:
        """Let jobs end that are about to; the others go back into their queues as if they had never been claimed."""
        for cluster in clusters:
            cluster.ask_to_stop()
        deadline = time.monotonic() + DRAIN_SECONDS
        self._postman.stop()
        while self._asked < 2 and time.monotonic() < deadline and not self._at_rest(clusters):
            time.sleep(0.1)
        for cluster in clusters:
            cluster.kill()
        with suppress(*DatabaseAway):  # then their leases run out
            for cluster in clusters:
                give_back(cluster.held(), lifecycle.requeue)

    def _at_rest(self, clusters: Sequence[Cluster]) -> bool:
        return self._postman.idle and all(cluster.ended for cluster in clusters)


def learn_access() -> None:
    """Which models can be fetched, from a hub that may keep one waiting."""
    Thread(target=access.ask, daemon=True).start()


def lose(job: Job) -> None:
    lifecycle.lose(job, JobError("WORKER_LOST"))


def give_back(jobs: Iterable[Job], verb: Callable[[Job], object]) -> None:
    for job in jobs:
        with suppress(lifecycle.Conflict):  # it ended meanwhile
            verb(job)


def alive(job: Job) -> bool:
    """Whether the process that holds a job of this supervisor is still there."""
    try:
        os.kill(int(job.worker.rpartition(":")[2]), 0)
    except ProcessLookupError:
        return False
    return True
