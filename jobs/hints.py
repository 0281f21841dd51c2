"""With Redis, a word from whoever wrote an event to every web process: look now. Losing one only costs a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction
from redis.exceptions import RedisError

log = logging.getLogger(__name__)
GROUP = "job-events"
SEND_TIMEOUT = 0.5  # seconds; a worker must never wait for Redis
INTERVAL = 0.25  # seconds between looks without hints
HINTED_INTERVAL = 1.0

Pause = Callable[[], Awaitable[None]]


def send_on_commit() -> None:
    """Hint at an event of this transaction as soon as others can read it."""
    if settings.REDIS_URL:
        transaction.on_commit(async_to_sync(_send), robust=True)


async def _send() -> None:
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            await get_channel_layer().group_send(GROUP, {"type": "look"})
    except (RedisError, OSError) as failure:
        log.warning("No hint sent, live progress falls back to its slower pace: %r", failure)


@asynccontextmanager
async def pacing() -> AsyncIterator[Pause]:
    """How to wait between two looks: for a fixed time, or with Redis until a hint comes or a longer time is over."""
    if not settings.REDIS_URL:
        yield lambda: asyncio.sleep(INTERVAL)
        return
    layer = get_channel_layer()
    channel = await layer.new_channel()
    try:
        yield lambda: _wait_for_hint(layer, channel)
    finally:
        await _quietly(layer.group_discard(GROUP, channel))


async def _wait_for_hint(layer: object, channel: str) -> None:
    started = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(HINTED_INTERVAL):
            await layer.group_add(GROUP, channel)  # again each time: it may have expired, or Redis was restarted
            await layer.receive(channel)
    except TimeoutError:
        return
    except (RedisError, OSError):
        await asyncio.sleep(INTERVAL)
    await asyncio.sleep(max(0, started + INTERVAL / 5 - asyncio.get_running_loop().time()))


async def _quietly(farewell: Awaitable[None]) -> None:
    try:
        await farewell
    except (RedisError, OSError) as failure:
        log.debug("Leaving the hints failed: %r", failure)
