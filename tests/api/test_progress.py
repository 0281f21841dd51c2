"""Who follows a job hears each step, by a stream or by waiting, and costs the server next to nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.testing import ApplicationCommunicator

from accounts.models import APIKey, User
from jobs import lifecycle, lingering, poller
from jobs.api import events
from jobs.errors import JobError
from jobs.models import Job
from tests.serving import Console, Soloist

in_thread = poller.in_own_thread


class Answer:
    """An answer of the ASGI application as it comes in."""

    def __init__(self, path: str, key: str, **headers: str) -> None:
        from project.asgi import application

        path, _, query = path.partition("?")
        told = {"host": "127.0.0.1", "x-api-key": key, **headers}
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": f"/api/v1/{path}",
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()],
        }
        self.wire = ApplicationCommunicator(application, self.scope)
        self.text = ""

    async def begin(self) -> Answer:
        await self.wire.send_input({"type": "http.request", "body": b""})
        start = await self.wire.receive_output(timeout=5)
        self.status = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        return self

    async def more(self) -> bool:
        """Take the next piece in; False at the end."""
        message = await self.wire.receive_output(timeout=5)
        self.text += message.get("body", b"").decode()
        return bool(message.get("more_body"))

    async def until(self, text: str) -> None:
        while text not in self.text:
            assert await self.more(), self.text

    async def whole(self) -> str:
        while await self.more():
            pass
        await self.wire.wait(timeout=5)
        return self.text

    async def leave(self) -> None:
        await self.wire.send_input({"type": "http.disconnect"})
        await self.wire.wait(timeout=5)

    def told(self) -> list[dict[str, Any]]:
        """`id`, `event` and the data of each event."""
        blocks = [block for block in self.text.split("\n\n") if "data: " in block]
        fields = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
        return [{**json.loads(found.pop("data")), **found, "of": found["event"]} for found in fields]


@pytest.fixture
def key(alice: User) -> str:
    return APIKey.issue(alice, "tests")[1]


@pytest.fixture
def running(queued: Job) -> Job:
    job = lifecycle.claim("engine", "a worker")
    assert job
    return job


@asynccontextmanager
async def following(path: str, key: str, **headers: str) -> AsyncIterator[Answer]:
    answer = await Answer(path, key, **headers).begin()
    try:
        yield answer
    finally:
        await answer.leave()
        if poller.poller.task:
            await asyncio.wait_for(poller.poller.task, 10)


def work(job: Job, *progress: float) -> None:
    for amount in progress:
        lifecycle.report(job, "embedding", amount)


pytestmark = pytest.mark.django_db(transaction=True)


# --- streams


async def test_a_stream_tells_what_was_missed_then_each_step_and_ends_with_the_job(key, running):
    async with following(f"jobs/{running.number}/events", key) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        assert "content-length" not in answer.headers
        await answer.until(".3\n")
        await in_thread(work)(running, 0.25)
        await answer.until(".4\n")
        await in_thread(lifecycle.fail)(running, JobError("PROCESSING_FAILED"))
        await answer.whole()
        told = answer.told()
        assert answer.text.startswith("retry: 2000\n\n")
        assert [event["version"] for event in told] == [f"{running.pk}.{seq}" for seq in range(1, 6)]
        assert [event["id"] for event in told] == [event["version"] for event in told]
        assert [event["of"] for event in told] == ["state", "state", "state", "progress", "state"]
        assert [event["status"] for event in told] == ["PENDING", "PENDING", "PROCESSING", "PROCESSING", "FAILED"]
        assert (told[3]["stage"], told[3]["progress"]) == ("embedding", 25)
        assert (told[4]["finished"], told[4]["error_code"]) == (True, "PROCESSING_FAILED")


async def test_who_comes_back_hears_only_what_came_since(key, running):
    await in_thread(work)(running, 0.1, 0.2, 0.3)
    async with following(f"jobs/{running.number}/events", key, last_event_id=f"{running.pk}.2") as answer:
        await answer.until(".6\n")
        assert [(event["version"], event.get("progress")) for event in answer.told()] == [
            (f"{running.pk}.3", None),
            (f"{running.pk}.6", 30),  # of progress, the newest is enough
        ]


@pytest.mark.parametrize("strange", ["", "abc", "1", "1.x", "-1.2", "9.9", "9" * 50 + ".1", "١.٢"])
async def test_who_says_something_strange_hears_everything(key, running, strange):
    strange = strange.encode().decode("latin1")
    async with following(f"jobs/{running.number}/events", key, last_event_id=strange) as answer:
        await answer.until(".3\n")
        assert [event["version"] for event in answer.told()] == [f"{running.pk}.{seq}" for seq in (1, 2, 3)]


async def test_after_the_end_a_stream_need_not_come_back(key, running):
    job = await in_thread(lifecycle.cancel)(running)
    whole = await Answer(f"jobs/{job.number}/events", key).begin()
    assert (await whole.whole()).count("event: state") == 4
    done = await Answer(f"jobs/{job.number}/events", key, last_event_id=f"{job.pk}.4").begin()
    assert (done.status, await done.whole()) == (204, "")


async def test_a_retry_is_heard_from_its_start(key, running):
    failed = await in_thread(lifecycle.cancel)(running)
    again = await in_thread(lifecycle.retry)(failed)
    async with following(f"jobs/{again.number}/events", key, last_event_id=f"{failed.pk}.4") as answer:
        await answer.until(".2\n")
        assert [event["version"] for event in answer.told()] == [f"{again.pk}.1", f"{again.pk}.2"]
        assert {event["task_id"] for event in answer.told()} == {str(again.uuid)}


async def test_a_job_that_is_deleted_ends_its_stream(key, running):
    async with following(f"jobs/{running.number}/events", key) as answer:
        await answer.until(".3\n")
        await in_thread(Job.objects.filter(pk=running.pk).delete)()
        assert (await answer.whole()).endswith(f'event: deleted\ndata: {{"id": {running.number}}}\n\n')


async def test_a_silent_stream_shows_that_it_lives_until_its_key_is_revoked(key, running, monkeypatch):
    monkeypatch.setattr(events, "HEARTBEAT", 0.2)
    async with following(f"jobs/{running.number}/events", key) as answer:
        await answer.until(": alive\n\n: alive\n\n")
        await in_thread(lambda: APIKey.objects.get().revoke())()
        await answer.whole()


async def test_a_busy_stream_looks_at_its_token_too(alice, running, monkeypatch):
    from accounts.authentication import tokens

    monkeypatch.setattr(events, "HEARTBEAT", 0.2)
    token = await in_thread(lambda: tokens(alice)["access_token"])()
    async with following(f"jobs/{running.number}/events", "", authorization=f"Bearer {token}") as answer:
        await answer.until(": alive\n\n: alive\n\n")
        alice.set_password("another one altogether")  # ends the tokens given out before it
        await in_thread(alice.save)()
        await answer.whole()


async def test_a_reader_that_is_too_slow_has_to_come_back(key, running):
    async with following(f"jobs/{running.number}/events", key) as answer:
        while not poller.poller.subscriptions:
            await asyncio.sleep(0.05)
        (subscription,) = poller.poller.subscriptions
        subscription.overrun = True
        await in_thread(work)(running, 0.5)
        await answer.whole()


async def test_other_peoples_jobs_are_not_followed(bob, running):
    other = await in_thread(lambda: APIKey.issue(bob, "tests")[1])()
    answer = await Answer(f"jobs/{running.number}/events", other).begin()
    assert (answer.status, json.loads(await answer.whole())["code"]) == (404, "JOB_NOT_FOUND")


# --- waits


async def waited(path: str, key: str) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    answer = await Answer(path, key).begin()
    body = json.loads(await answer.whole())
    return body, time.monotonic() - began


async def test_a_wait_ends_with_the_next_change_of_state(key, running):
    wait = asyncio.create_task(waited(f"jobs/{running.number}?wait=30&after={running.pk}.3", key))
    await asyncio.sleep(0.5)
    await in_thread(lifecycle.fail)(running, JobError("PROCESSING_FAILED"))
    body, seconds = await wait
    assert (body["status"], body["version"]) == ("FAILED", f"{running.pk}.4")
    assert body["id"] == running.number
    assert seconds < 3


async def test_a_wait_for_something_that_has_happened_is_none(key, running):
    body, seconds = await waited(f"jobs/{running.number}?wait=30&after={running.pk}.2", key)
    assert (body["status"], body["version"]) == ("PROCESSING", f"{running.pk}.3")
    assert seconds < 1


async def test_a_wait_ends_with_its_time(key, running):
    body, seconds = await waited(f"jobs/{running.number}?wait=1", key)
    assert (body["status"], body["version"]) == ("PROCESSING", f"{running.pk}.3")
    assert 1 <= seconds < 3


async def test_progress_alone_is_told_after_a_second(key, running):
    wait = asyncio.create_task(waited(f"jobs/{running.number}?wait=30", key))
    await asyncio.sleep(0.3)
    await in_thread(work)(running, 0.5)
    body, seconds = await wait
    assert body["progress"] == 50
    assert events.PROGRESS_AFTER <= seconds < 3


async def test_a_job_that_is_deleted_meanwhile_is_told_as_it_was(key, running):
    wait = asyncio.create_task(waited(f"jobs/{running.number}?wait=30", key))
    await asyncio.sleep(0.5)
    await in_thread(Job.objects.filter(pk=running.pk).delete)()
    body, _ = await wait
    assert (body["id"], body["status"]) == (running.number, "PROCESSING")


def test_a_finished_job_is_not_waited_for(api, finished):
    answer = api.send("get", f"jobs/{finished.number}?wait=60")
    assert (answer.status_code, answer.json()["status"]) == (200, "COMPLETED")


@pytest.mark.parametrize(("query", "field"), [("wait=61", "wait"), ("wait=-1", "wait"), ("wait=5&after=x", "after")])
def test_a_wait_that_cannot_be_is_refused(api, queued, query, field):
    answer = api.send("get", f"jobs/{queued.number}?{query}")
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, field)


def test_a_version_that_is_none_is_refused_in_words(api, queued):
    answer = api.send("get", f"jobs/{queued.number}?wait=5&after=x")
    assert answer.json()["message"] == "after: This is not the version of a job."


def test_pollers_are_told_when_to_come_again(api, queued):
    for address in ("jobs", "speaker/jobs"):
        assert api.send("get", f"{address}/{queued.number}")["Retry-After"] == "1"
    Job.objects.update(queued_at=queued.queued_at.replace(year=2020))
    assert api.send("get", f"jobs/{queued.number}")["Retry-After"] == "15"
    lifecycle.cancel(queued)
    assert "Retry-After" not in api.send("get", f"jobs/{queued.number}")


# --- on the running server

NEW_JOB = """
from accounts.models import User
from jobs import lifecycle
from jobs.errors import JobError
from jobs.models import Job, Media
from jobs.options import SpeakerOptions
media = Media.objects.create(
    owner=User.objects.get(email={email!r}), file="none", name="a.wav", bytes=1, seconds=3.0, container="wav",
    codec="pcm_s16le", sample_rate=16000, channels=1,
)
lifecycle.submit(media, "extraction", SpeakerOptions())
job = lifecycle.claim("engine", "tests")
told = job.number
"""
LIMIT = 12  # of the server's streams, see conftest.py


@pytest.fixture(scope="module")
def listener(web: Soloist) -> dict[str, str]:
    return {"X-API-Key": web.account("listener@example.org")}


@pytest.fixture
def job(console: Console, listener: dict[str, str]) -> int:
    return console.run(NEW_JOB.format(email="listener@example.org"))


@pytest.fixture
def http(web: Soloist, listener: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{web.url}/api/v1/", headers=listener, trust_env=False, timeout=20) as client:
        yield client


def threads(process: int) -> int:
    return len(list(Path(f"/proc/{process}/task").iterdir()))


def databases(process: int) -> int:
    """How often a process has the database open."""
    links = [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()]
    return sum(link.endswith(".sqlite3") for link in links)


def settled(measure, most) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if measure() <= most:
            return True
        time.sleep(0.1)
    return False


def test_open_streams_hold_no_threads_and_no_database(web, http, console, job):
    assert web.web
    http.get(f"jobs/{job}")
    before, opened = threads(web.web.pid), databases(web.web.pid)
    with ExitStack() as open_streams:
        streams = [open_streams.enter_context(http.stream("GET", f"jobs/{job}/events")) for _ in range(LIMIT)]
        lines = [stream.iter_lines() for stream in streams]
        assert all(next(line) == "retry: 2000" for line in lines)
        assert settled(lambda: threads(web.web.pid), before + 4)  # the poller's own come and go
        assert settled(lambda: databases(web.web.pid), opened + 2)
        refused = http.get(f"jobs/{job}/events")
        assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_STREAMS")
        assert refused.json()["details"] == {"limit": LIMIT}
        assert http.get(f"jobs/{job}?wait=5").status_code == 429
        console.run("lifecycle.fail(job, JobError('PROCESSING_FAILED'))")
        for line in lines:
            assert any('"FAILED"' in text for text in line)
    assert http.get(f"jobs/{job}/events").status_code == 200


def test_who_leaves_makes_room(http, job):
    def crowded() -> bool:
        with ExitStack() as open_streams:
            streams = [open_streams.enter_context(http.stream("GET", f"jobs/{job}/events")) for _ in range(LIMIT)]
            return any(stream.status_code != 200 for stream in streams)

    for _ in range(3):
        assert settled(crowded, most=False)
    assert settled(lambda: http.get(f"jobs/{job}?wait=1").status_code, most=200)


def test_a_wait_is_answered_by_the_running_server(http, console, job):
    version = http.get(f"jobs/{job}").json()["version"]
    began = time.monotonic()
    unchanged = http.get(f"jobs/{job}", params={"wait": 1, "after": version})
    assert (unchanged.json()["version"], unchanged.headers["Content-Type"]) == (version, "application/json")
    assert time.monotonic() - began >= 1
    console.run("lifecycle.cancel(job)")
    assert http.get(f"jobs/{job}", params={"wait": 20, "after": version}).json()["status"] == "CANCELLED"


def test_a_server_that_stops_ends_its_streams(tmp_path, web, listener, job):
    """As an end, not as a break; the client comes back to the next server and goes on after its last event."""
    other = Soloist(web.data_dir)
    other.log = tmp_path / "log"
    other.start_web()
    try:
        other.wait_until_up()
        with httpx.stream("GET", f"{other.url}/api/v1/jobs/{job}/events", headers=listener, timeout=20) as stream:
            lines = stream.iter_lines()
            while next(lines) != f"id: {job}.3":
                pass
            assert other.web
            other.web.terminate()
            began = time.monotonic()
            for _ in lines:  # would raise where the connection just broke
                assert time.monotonic() - began < 10
        assert other.web.wait(10) == 0
        assert "Traceback" not in other.log.read_text()
    finally:
        other.stop()


async def test_a_stop_that_goes_under_in_django_still_ends_the_answer():
    """Django's handler, while it waits for its own tasks, may take a cancellation for theirs."""
    sent, never = [], asyncio.Event()

    async def rest():
        await never.wait()
        yield b""

    async def application(scope, receive, send):
        scope[lingering.KEY].rest = rest()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"5")]})
        await send({"type": "http.response.body", "body": b"first"})
        with suppress(asyncio.CancelledError):
            await never.wait()

    async def send(message):
        sent.append(message)

    task = asyncio.create_task(lingering.lingering(application)({"type": "http"}, never.wait, send))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task], timeout=5)
    assert task.done()
    assert sent[0]["headers"] == []
    assert [(message["body"], message["more_body"]) for message in sent[1:]] == [(b"first", True), (b"", False)]


def test_nothing_is_kept_of_answers_that_have_ended():
    assert not lingering._open
