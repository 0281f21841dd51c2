"""Live progress without a broker: one loop in each web process reads new event rows for the jobs somebody watches.

However many sockets are open, a round is one query, and another for each job with news. Rows are followed by the seq
of their job; ids become visible out of order on PostgreSQL. The loop runs only while somebody watches.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.db.models import Max, Q

from . import events, hints
from .models import Job, JobEvent

log = logging.getLogger(__name__)
# Channels runs database calls one at a time in a process unless told otherwise.
in_own_thread = partial(database_sync_to_async, thread_sensitive=False)
BACKLOG = 256  # pieces of news a slow reader may be behind


@dataclass(frozen=True, slots=True)
class News:
    """An event of a watched job; without one, the job was deleted."""

    job: UUID
    event: JobEvent | None
    started_at: datetime | None = None


class TooSlow(Exception):
    """The reader fell so far behind that it has to start anew."""


@dataclass(slots=True)
class Following:
    job: UUID
    seq: int  # of the last event the reader was given


@dataclass(eq=False, slots=True)
class Subscription:
    """What one reader watches: a job from a seq on, or every unfinished job of an owner."""

    jobs: dict[int, Following] = field(default_factory=dict)  # by primary key
    owner: UUID | None = None
    newest: int = 0  # job that was looked at, by primary key; a newer one is met even where it has already ended
    queue: asyncio.Queue[News] = field(default_factory=lambda: asyncio.Queue(BACKLOG))
    overrun: bool = False

    async def news(self) -> AsyncIterator[News]:
        """Each piece of news once, in order, without end. Raises TooSlow."""
        while news := await self.next():
            yield news

    async def next(self, seconds: float | None = None) -> News | None:
        """The next piece of news, or None where none came in so many seconds. Raises TooSlow."""
        if self.overrun:
            raise TooSlow
        try:
            async with asyncio.timeout(seconds):
                return await self.queue.get()
        except TimeoutError:
            return None

    def put(self, news: News) -> None:
        try:
            self.queue.put_nowait(news)
        except asyncio.QueueFull:
            self.overrun = True


@dataclass(frozen=True, slots=True)
class JobRow:
    pk: int
    uuid: UUID
    owner: UUID
    seq: int
    started_at: datetime | None
    finished: bool


class Poller:
    def __init__(self) -> None:
        self.subscriptions: set[Subscription] = set()
        self.task: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def watch_job(self, job: Job, after: int) -> AsyncIterator[Subscription]:
        """What happened to a job after the event of that seq, then what happens."""
        async with self._subscribed(Subscription({job.pk: Following(job.uuid, after)})) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def watch_owner(self, owner: UUID) -> AsyncIterator[Subscription]:
        """What happens from now on to any unfinished job of an owner, those that come meanwhile included."""
        newest = await _newest_job()
        under_way = {row.pk: Following(row.uuid, row.seq) for row in await _read_jobs([], [owner], newest)}
        async with self._subscribed(Subscription(under_way, owner, newest)) as subscription:
            yield subscription

    @contextlib.asynccontextmanager
    async def _subscribed(self, subscription: Subscription) -> AsyncIterator[Subscription]:
        self.subscriptions.add(subscription)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._run())
        try:
            yield subscription
        finally:
            self.subscriptions.discard(subscription)

    async def _run(self) -> None:
        async with hints.pacing() as pause:
            while self.subscriptions:
                try:
                    await self._round()
                except DatabaseError:
                    log.exception("Reading events failed; the next round tries again")
                await pause()

    async def _round(self) -> None:
        subscriptions = list(self.subscriptions)
        watched = {pk for subscription in subscriptions for pk in subscription.jobs}
        owners = {subscription.owner for subscription in subscriptions if subscription.owner}
        newest = min((subscription.newest for subscription in subscriptions if subscription.owner), default=0)
        rows = {row.pk: row for row in await _read_jobs(watched, owners, newest)}
        for subscription in subscriptions:
            _meet_new_jobs(subscription, rows.values())
            _miss_deleted_jobs(subscription, rows)
        await _deliver(subscriptions, rows)


poller = Poller()


def _meet_new_jobs(subscription: Subscription, rows: Iterable[JobRow]) -> None:
    for row in rows:
        if row.owner == subscription.owner and (not row.finished or row.pk > subscription.newest):
            subscription.jobs.setdefault(row.pk, Following(row.uuid, 0))
    subscription.newest = max([subscription.newest, *(row.pk for row in rows)])


def _miss_deleted_jobs(subscription: Subscription, rows: dict[int, JobRow]) -> None:
    for pk in subscription.jobs.keys() - rows.keys():
        subscription.put(News(subscription.jobs.pop(pk).job, event=None))


async def _deliver(subscriptions: list[Subscription], rows: dict[int, JobRow]) -> None:
    behind: dict[int, list[Subscription]] = defaultdict(list)
    for subscription in subscriptions:
        for pk, following in subscription.jobs.items():
            if rows[pk].seq > following.seq:
                behind[pk].append(subscription)
    for pk, readers in behind.items():
        missed = await _read_events(rows[pk], min(reader.jobs[pk].seq for reader in readers))
        for reader in readers:
            _hand_over(reader, rows[pk], missed)


def _hand_over(reader: Subscription, row: JobRow, missed: list[JobEvent]) -> None:
    following = reader.jobs[row.pk]
    for event in missed:
        if event.seq > following.seq:
            following.seq = event.seq
            reader.put(News(row.uuid, event, row.started_at))
    if reader.owner and row.finished:
        del reader.jobs[row.pk]  # nothing more can happen to it but deletion


@in_own_thread
def _newest_job() -> int:
    return Job.objects.aggregate(newest=Max("pk"))["newest"] or 0


@in_own_thread
def _read_jobs(pks: Iterable[int], owners: Iterable[UUID], newest: int) -> list[JobRow]:
    """Those jobs, and of those owners all that are unfinished or newer."""
    wanted = Q(pk__in=list(pks)) | Q(owner__in=list(owners)) & (~Q(status__in=Job.TERMINAL) | Q(pk__gt=newest))
    columns = Job.objects.filter(wanted).values_list("pk", "uuid", "owner_id", "event_seq", "started_at", "status")
    return [JobRow(*row, finished=status in Job.TERMINAL) for *row, status in columns]


@in_own_thread
def _read_events(row: JobRow, after: int) -> list[JobEvent]:
    return events.between(row.pk, after, row.seq)
