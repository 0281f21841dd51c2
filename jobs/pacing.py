"""Sends no faster than a client takes it, under daphne.

Daphne accepts whatever an application sends and keeps it in memory until the client has taken it: a player that stops
halfway through a long recording would cost the server the other half. Twisted tells its producers when to pause, so the
response becomes one. Under servers that make an application wait by themselves nothing changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from twisted.web.http import Request

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


def paced(application: Application) -> Application:
    async def run(scope: Message, receive: Receive, send: Send) -> None:
        request = next(iter(getattr(send, "args", ())), None)  # daphne's `send` is a partial over its request
        await application(scope, receive, _Pace(send, request) if isinstance(request, Request) else send)

    return run


class _Pace:
    """A `send` that returns when there is room for more; to Twisted, an IPushProducer."""

    def __init__(self, send: Send, request: Request) -> None:
        self.send = send
        self.request = request
        self.room = asyncio.Event()
        self.room.set()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self._register(message.get("more_body", False))
        await self.send(message)
        await self.room.wait()

    def _register(self, more: bool) -> None:
        if self.request.channel is None:  # the client has left
            return
        registered = self.request.producer is self
        if more and not registered:
            self.request.registerProducer(self, True)
        if not more and registered:
            self.request.unregisterProducer()

    def pauseProducing(self) -> None:
        self.room.clear()

    def resumeProducing(self) -> None:
        self.room.set()

    def stopProducing(self) -> None:
        """The client has left; Django learns of it by itself."""
        self.room.set()
