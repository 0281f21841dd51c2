"""Sockets that tell pages what happens: first what they missed after their last seq, then each event as it comes."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from importlib import import_module
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from .models import Job, JobEvent
from .poller import News, Subscription, TooSlow, in_own_thread, poller
from .wording import state_words, time_left

CHECK_EVERY = 20.0  # seconds between signs of life, each with a look at the session
SIGNED_OUT, TOO_SLOW, DELETED = 4401, 4408, 4410  # close codes that socket.js knows

Watching = AbstractAsyncContextManager[Subscription]


class LiveConsumer(AsyncWebsocketConsumer):
    """What the sockets share: who may listen, passing on, signs of life, the end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watching = AsyncExitStack()
        self.tasks: list[asyncio.Task[None]] = []

    async def subscribe(self) -> Watching | None:
        """What this socket watches, or None where the user must not see it."""
        raise NotImplementedError

    async def connect(self) -> None:
        watching = await self.subscribe() if self.scope["user"].is_authenticated else None
        if watching is None:
            await self.close()
            return
        subscription = await self.watching.enter_async_context(watching)
        await self.accept()  # only now: what the page looks at next may change at once
        self.tasks = [asyncio.create_task(self.pass_on(subscription)), asyncio.create_task(self.keep_checking())]

    async def disconnect(self, _code: int) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.watching.aclose()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pages only listen."""

    async def pass_on(self, subscription: Subscription) -> None:
        try:
            async for news in subscription.news():
                await self.say(message(news))
                await self.after(news)
        except TooSlow:
            await self.close(TOO_SLOW)

    async def after(self, news: News) -> None:
        """What else follows from a piece of news once it is passed on."""

    async def keep_checking(self) -> None:
        while True:
            await asyncio.sleep(CHECK_EVERY)
            if not await _still_signed_in(self.scope["session"].session_key):
                await self.close(SIGNED_OUT)
                return
            await self.say({"kind": "alive"})

    async def say(self, content: dict[str, Any]) -> None:
        await self.send(json.dumps(content))


class JobConsumer(LiveConsumer):
    """One job of the user's own, for its page."""

    async def subscribe(self) -> Watching | None:
        job = await _own_job(self.scope["user"].pk, self.scope["url_route"]["kwargs"]["job"])
        return poller.watch_job(job, _after(self.scope["query_string"])) if job else None

    async def after(self, news: News) -> None:
        if news.event is None:
            await self.close(DELETED)


class JobsConsumer(LiveConsumer):
    """Every unfinished job of the user, for the list."""

    async def subscribe(self) -> Watching:
        return poller.watch_owner(self.scope["user"].pk)


def message(news: News) -> dict[str, Any]:
    """A piece of news as pages get it."""
    event = news.event
    if event is None:
        return {"kind": "deleted", "job": str(news.job)}
    told: dict[str, Any] = {"kind": event.kind, "job": str(news.job), "seq": event.seq}
    if event.kind == JobEvent.Kind.STATE:
        status = event.data["status"]
        return told | {"status": status, "words": state_words(status), "finished": status in Job.TERMINAL}
    progress = event.data["progress"]
    return told | {
        "stage": event.data["stage"],
        "words": state_words(Job.Status.RUNNING, event.data["stage"]),
        "percent": int(progress * 100),
        "left": time_left(news.started_at, event.created_at, progress),
    }


def _after(query: bytes) -> int:
    value = parse_qs(query.decode("latin1")).get("after", ["0"])[-1]
    return int(value) if value.isdecimal() else 0


@in_own_thread
def _own_job(user: Any, uuid: Any) -> Job | None:
    return Job.objects.filter(owner=user, uuid=uuid).first()


@in_own_thread
def _still_signed_in(session_key: str) -> bool:
    """Whether the session lives and its password is still the account's."""
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return get_user(cast(HttpRequest, SimpleNamespace(session=session))).is_authenticated
