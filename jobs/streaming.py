"""Sending a long body piece by piece, whichever kind of server asks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable
from contextlib import suppress

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

Chunks = Generator[bytes, None, None]


def streamed(request: HttpRequest, chunks: Chunks) -> Iterable[bytes] | AsyncIterable[bytes]:
    """For a StreamingHttpResponse. Under ASGI an ordinary iterator would be read to its end before a byte is sent."""
    return _InThreads(chunks) if isinstance(request, ASGIRequest) else chunks


class _InThreads:
    def __init__(self, chunks: Chunks) -> None:
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await sync_to_async(next, thread_sensitive=False)(self.chunks, b""):
            yield chunk

    def close(self) -> None:
        """Called by Django at the response's end, also where the client left."""
        with suppress(ValueError):  # a thread is still reading: the file closes when that is done
            self.chunks.close()
