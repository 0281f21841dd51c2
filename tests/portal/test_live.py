"""Live progress: what a socket is told, to whom, and after what."""

from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.test import Client

from jobs import consumers, events, hints, lifecycle, poller
from jobs.errors import JobError
from jobs.models import Job, JobEvent
from jobs.options import SpeakerOptions
from tests import processes

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

    from accounts.models import User
    from jobs.models import Media

HERE = b"http://127.0.0.1:8000"
PATIENCE = 20  # seconds, for what comes at once where nothing else runs
pytestmark = pytest.mark.django_db(transaction=True)

in_thread = database_sync_to_async


class Socket(WebsocketCommunicator):
    """Channels' own keeps database connections open, for tests in one transaction; these are not."""

    send_input = ApplicationCommunicator.send_input
    receive_output = ApplicationCommunicator.receive_output


class Page:
    """A page's socket."""

    def __init__(self, path: str, client: Client | None = None, origin: bytes | None = HERE) -> None:
        from project.asgi import application

        headers = [(b"origin", origin)] if origin else []
        if client and "sessionid" in client.cookies:
            headers.append((b"cookie", f"sessionid={client.cookies['sessionid'].value}".encode()))
        self.socket = Socket(application, path, headers)

    async def open(self) -> Page:
        assert await self.accepted()
        return self

    async def accepted(self) -> bool:
        connected, _ = await self.socket.connect(timeout=PATIENCE)
        return bool(connected)

    async def hear(self, many: int) -> list[dict[str, Any]]:
        return [await self.socket.receive_json_from(timeout=PATIENCE) for _ in range(many)]

    async def closed(self) -> int:
        answer = await self.socket.receive_output(timeout=PATIENCE)
        assert answer["type"] == "websocket.close"
        return int(answer["code"])


@pytest.fixture
async def leave() -> AsyncIterator[list[Page]]:
    """Pages put here are closed at the end, and the poller is waited for."""
    pages: list[Page] = []
    yield pages
    for page in pages:
        await page.socket.disconnect(timeout=PATIENCE)
    if pages and poller.poller.task:
        await asyncio.wait_for(poller.poller.task, PATIENCE)


def work(job: Job, *progress: float) -> None:
    for amount in progress:
        lifecycle.report(job, "embedding", amount)


async def test_a_page_hears_each_step_once_and_in_order(alices: Client, queued: Job, leave: list[Page]) -> None:
    page = await Page(f"/ws/jobs/{queued.uuid}/?after={queued.event_seq}", alices).open()
    leave.append(page)
    job = await in_thread(lifecycle.claim)("engine", "a worker")
    assert job
    (started,) = await page.hear(1)
    await in_thread(work)(job, 0.25)
    (quarter,) = await page.hear(1)
    await in_thread(work)(job, 0.5)
    (half,) = await page.hear(1)
    await in_thread(lifecycle.fail)(job, JobError("PROCESSING_FAILED"))
    (failed,) = await page.hear(1)
    assert [message["seq"] for message in (started, quarter, half, failed)] == [3, 4, 5, 6]
    assert (started["status"], started["finished"]) == ("running", False)
    assert (quarter["words"], quarter["percent"], half["percent"]) == ("Learning the voices", 25, 50)
    assert (failed["status"], failed["finished"]) == ("failed", True)


async def test_a_page_that_comes_back_hears_what_it_missed(alices: Client, running: Job, leave: list[Page]) -> None:
    first = await Page(f"/ws/jobs/{running.uuid}/?after=1", alices).open()
    seen = await first.hear(2)
    await first.socket.disconnect()
    await in_thread(work)(running, 0.1, 0.2, 0.3)
    await in_thread(lifecycle.fail)(running, JobError("PROCESSING_FAILED"))
    again = await Page(f"/ws/jobs/{running.uuid}/?after={seen[-1]['seq']}", alices).open()
    leave.append(again)
    assert [message["seq"] for message in await again.hear(1)] == [seen[-1]["seq"] + 4]


async def test_of_a_long_absence_only_the_newest_progress_is_told(
    alices: Client, running: Job, leave: list[Page]
) -> None:
    await in_thread(work)(running, *(n / 400 for n in range(300)))
    page = await Page(f"/ws/jobs/{running.uuid}/", alices).open()
    leave.append(page)
    told = await page.hear(4)
    assert [message["kind"] for message in told] == ["state", "state", "state", "progress"]
    assert told[-1]["percent"] == 74


@pytest.mark.parametrize("after", ["abc", "-1", "", "9" * 30])
async def test_a_strange_seq_breaks_nothing(alices: Client, queued: Job, leave: list[Page], after: str) -> None:
    leave.append(await Page(f"/ws/jobs/{queued.uuid}/?after={after}", alices).open())


async def test_another_users_job_is_refused(bobs: Client, queued: Job) -> None:
    assert not await Page(f"/ws/jobs/{queued.uuid}/", bobs).accepted()


async def test_nobody_listens_without_signing_in(queued: Job) -> None:
    assert not await Page(f"/ws/jobs/{queued.uuid}/", Client()).accepted()
    assert not await Page("/ws/jobs/", Client()).accepted()


@pytest.mark.parametrize("origin", [b"https://example.com", b"null", None])
async def test_a_page_of_another_site_is_refused(alices: Client, queued: Job, origin: bytes | None) -> None:
    assert not await Page(f"/ws/jobs/{queued.uuid}/", alices, origin).accepted()


async def test_the_list_hears_of_all_jobs_under_way_and_of_new_ones(
    alices: Client, running: Job, media: Media, leave: list[Page]
) -> None:
    page = await Page("/ws/jobs/", alices).open()
    leave.append(page)
    await in_thread(work)(running, 0.5)
    (progress,) = await page.hear(1)
    assert (progress["job"], progress["percent"]) == (str(running.uuid), 50)
    new = await in_thread(lifecycle.submit)(media, "extraction", SpeakerOptions())
    assert [message["job"] for message in await page.hear(2)] == [str(new.uuid)] * 2


async def test_the_list_hears_of_a_job_that_ended_between_two_looks(
    alices: Client, media: Media, leave: list[Page]
) -> None:
    page = await Page("/ws/jobs/", alices).open()
    leave.append(page)

    def submit_and_cancel() -> Job:
        with transaction.atomic():
            return lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))

    for _ in range(2):
        job = await in_thread(submit_and_cancel)()
        told = await page.hear(3)
        assert {message["job"] for message in told} == {str(job.uuid)}
        assert [message["finished"] for message in told] == [False, False, True]


async def test_the_list_hears_nothing_of_other_people(bobs: Client, bob: User, running: Job, leave: list[Page]) -> None:
    page = await Page("/ws/jobs/", bobs).open()
    leave.append(page)
    await in_thread(work)(running, 0.5)
    assert await page.socket.receive_nothing(timeout=1)


async def test_a_deleted_job_is_told_and_its_socket_closed(alices: Client, queued: Job, leave: list[Page]) -> None:
    page = await Page(f"/ws/jobs/{queued.uuid}/?after={queued.event_seq}", alices).open()
    leave.append(page)
    await in_thread(Job.objects.filter(pk=queued.pk).delete)()
    assert await page.hear(1) == [{"kind": "deleted", "job": str(queued.uuid)}]
    assert await page.closed() == consumers.DELETED


async def test_signing_out_closes_the_socket(
    alices: Client, queued: Job, leave: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "CHECK_EVERY", 0.2)
    page = await Page(f"/ws/jobs/{queued.uuid}/?after={queued.event_seq}", alices).open()
    leave.append(page)
    assert await page.hear(1) == [{"kind": "alive"}]
    await in_thread(alices.logout)()
    while (answer := await page.socket.receive_output(timeout=PATIENCE))["type"] != "websocket.close":
        pass
    assert answer["code"] == consumers.SIGNED_OUT
    assert not await in_thread(Session.objects.exists)()
    assert SESSION_KEY not in await in_thread(lambda: dict(alices.session))()


async def test_a_reader_that_is_too_slow_is_sent_away(
    alices: Client, running: Job, leave: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(*_: Any) -> None:
        await asyncio.sleep(0.5)

    monkeypatch.setattr(consumers.JobConsumer, "say", slowly)
    page = await Page(f"/ws/jobs/{running.uuid}/", alices).open()
    leave.append(page)
    (subscription,) = poller.poller.subscriptions
    event = JobEvent(kind=JobEvent.Kind.STATE, seq=1, data={"status": "queued"})
    for _ in range(poller.BACKLOG + 2):
        subscription.put(poller.News(running.uuid, event))
    assert await page.closed() == consumers.TOO_SLOW


async def test_the_poller_rests_while_nobody_watches(alices: Client, queued: Job) -> None:
    page = await Page(f"/ws/jobs/{queued.uuid}/", alices).open()
    task = poller.poller.task
    assert task
    await page.socket.disconnect()
    await asyncio.wait_for(task, 5)
    assert not poller.poller.subscriptions


async def test_the_poller_outlives_an_unreadable_database(
    alices: Client, running: Job, leave: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    page = await Page(f"/ws/jobs/{running.uuid}/?after={running.event_seq}", alices).open()
    leave.append(page)
    read, failed = poller._read_jobs, asyncio.Event()

    async def unreadable(*_: Any) -> Any:
        failed.set()
        raise OperationalError("database is locked")

    monkeypatch.setattr(poller, "_read_jobs", unreadable)
    await asyncio.wait_for(failed.wait(), PATIENCE)
    monkeypatch.setattr(poller, "_read_jobs", read)
    await in_thread(work)(running, 0.5)
    assert [message["percent"] for message in await page.hear(1)] == [50]


# --- with Redis


def wait_until_open(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def redis(tmp_path: Path, settings: SettingsWrapper) -> Iterator[str]:
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("redis-server is not installed")
    port = processes.free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = processes.start(program, *options, log=tmp_path / "redis.log")
    wait_until_open(port)
    settings.REDIS_URL = f"redis://127.0.0.1:{port}/0"
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [settings.REDIS_URL]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    yield settings.REDIS_URL
    processes.stop(server)


async def test_a_hint_over_redis_ends_the_wait_early(
    redis: str, alices: Client, running: Job, leave: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "HINTED_INTERVAL", 30.0)
    monkeypatch.setattr(hints, "SEND_TIMEOUT", PATIENCE)  # on a busy machine a hint may be lost, and is waited for here
    page = await Page(f"/ws/jobs/{running.uuid}/?after={running.event_seq}", alices).open()
    leave.append(page)
    await asyncio.sleep(1)  # the first look is over, the next would come in half a minute
    await in_thread(work)(running, 0.5)
    assert [message["percent"] for message in await page.hear(1)] == [50]
    await in_thread(Job.objects.filter(pk=running.pk).delete)()
    await in_thread(hints.send_on_commit)()
    assert (await page.hear(1))[0]["kind"] == "deleted"


async def test_work_goes_on_when_redis_is_away(running: Job, settings: SettingsWrapper) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{processes.free_port()}/0"
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [settings.REDIS_URL]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    await in_thread(work)(running, 0.5)
    assert len(await in_thread(events.after)(running, running.event_seq - 1)) == 1
