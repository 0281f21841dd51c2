"""Answers that go on after Django is through with them: streams of events, and waits for a change.

Until a response is closed, Django keeps a thread and a database connection for its request. So a view only leaves here
what is still to be sent; when Django has let go, this sends it, and an open answer costs a task of the event loop.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from threading import Lock
from uuid import UUID

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from .errors import JobError
from .pacing import Application, Message, Receive, Send

KEY = "soloist.lingering"
FAREWELL_SECONDS = 1.0
FLUSH_SECONDS = 0.1  # until Twisted, which stops next, has written what it was given

Rest = AsyncGenerator[bytes, None]


def lingering(application: Application) -> Application:
    async def run(scope: Message, receive: Receive, send: Send) -> None:
        with ExitStack() as kept:
            answer = _Answer(receive, send, kept)
            try:
                await application({**scope, KEY: answer}, answer.receive, answer.send)
                if answer.begun and not _stopped():
                    await answer.go_on()
            finally:  # also where the server stops
                if answer.begun:
                    await answer.end()

    return run


def linger(request: HttpRequest, owner: UUID, rest: Rest) -> bool:
    """Have `rest` sent behind the body of the response, if that is a 200. False where the server cannot.

    Raises JobError TOO_MANY_STREAMS.
    """
    if not (isinstance(request, ASGIRequest) and KEY in request.scope):
        return False
    answer: _Answer = request.scope[KEY]
    answer.kept.enter_context(_seat(owner))
    answer.rest = rest
    return True


def _stopped() -> bool:
    """Django waits for its own tasks and may swallow, with their cancellation, the one that was meant for all."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Answer:
    """Sees messages pass between Django and the server; where something is left to be sent, the end is held back."""

    def __init__(self, receive: Receive, send: Send, kept: ExitStack) -> None:
        self._receive = receive
        self._send = send
        self.kept = kept
        self.rest: Rest | None = None
        self.begun = False
        self.left = False

    async def receive(self) -> Message:
        message = await self._receive()
        self.left = self.left or message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        if self.rest and message["type"] == "http.response.start":
            self._begin(message)
        if self.begun and message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await self._send(message)

    def _begin(self, message: Message) -> None:
        self.begun = message["status"] == 200
        if self.begun:
            message["headers"] = [(n, v) for n, v in message["headers"] if n.lower() != b"content-length"]

    async def go_on(self) -> None:
        """To the end of the rest, or until the client has left."""
        tasks = [asyncio.create_task(self._send_rest()), asyncio.create_task(self._client_left())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send_rest(self) -> None:
        assert self.rest
        async with aclosing(self.rest) as rest:
            async for chunk in rest:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _client_left(self) -> None:
        while not self.left:
            await self.receive()

    async def end(self) -> None:
        """As every answer ends, so that a client can tell an end from a break."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        await asyncio.sleep(FLUSH_SECONDS)


# --- how many at once

_open: Counter[UUID] = Counter()
_lock = Lock()


@contextmanager
def _seat(user: UUID) -> Iterator[None]:
    """One of the open answers that an account may have in this process."""
    limit = settings.STREAMS_PER_ACCOUNT
    with _lock:
        if _open[user] >= limit:
            raise JobError("TOO_MANY_STREAMS", details={"limit": limit})
        _open[user] += 1
    try:
        yield
    finally:
        with _lock:
            _open[user] -= 1
            if not _open[user]:
                del _open[user]
