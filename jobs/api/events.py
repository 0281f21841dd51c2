"""/api/v1/jobs/{id}/events: what happens to a job as Server-Sent Events (WHATWG HTML, section 9.2); and long waits.

Both live on the rows and the poller that the portal's sockets have. A version names one event of one run of a job; it
is what a client says it knows, as Last-Event-ID or as `after`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import authentication
from jobs import events
from jobs.lingering import linger
from jobs.models import Job, JobEvent
from jobs.poller import News, TooSlow, in_own_thread, poller

from . import own_schema, render
from .problems import OwnView
from .verbs import own_job

HEARTBEAT = 15.0  # seconds between signs of life, each with a look whether the credentials still hold
RECONNECT = 2000  # milliseconds
PROGRESS_AFTER = 1.0  # seconds; waits that progress ends sooner would use up the rate limit
NO_BUFFER = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Events(OwnView):
    @own_schema.EVENTS
    def get(self, request: Request, job_id: int) -> HttpResponse:
        job = own_job(request.user, job_id)
        seen = render.seq_of(request.headers.get("Last-Event-ID", ""), job) or 0
        if job.finished and seen >= job.event_seq:
            return HttpResponse(status=204)  # at which an EventSource stops coming back
        missed = events.after(job, seen)
        if missed:
            seen = missed[-1].seq
        if not any(map(_is_last, missed)):
            linger(request._request, request.user.pk, _stream(request, job, seen))
        body = f"retry: {RECONNECT}\n\n" + "".join(_told(job, event) for event in missed)
        return HttpResponse(body, content_type="text/event-stream", headers=NO_BUFFER)


async def _stream(request: Request, job: Job, seen: int) -> AsyncGenerator[bytes, None]:
    """Until the job has ended, is deleted, or the credentials are no longer good."""
    clock = asyncio.get_running_loop().time
    async with poller.watch_job(job, seen) as subscription:
        beat = clock() + HEARTBEAT
        while True:
            try:
                news = await subscription.next(max(0, beat - clock()))
            except TooSlow:
                return  # the client comes back and says what it has seen
            if news:
                yield _line(job, news).encode()
                if news.event is None or _is_last(news.event):
                    return
            if clock() >= beat:
                if not await _still_good(request):
                    return
                beat = clock() + HEARTBEAT
                yield b": alive\n\n"


def _line(job: Job, news: News) -> str:
    if news.event is None:
        return f"event: deleted\ndata: {json.dumps({'id': job.number})}\n\n"
    return _told(job, news.event)


def _told(job: Job, event: JobEvent) -> str:
    body = json.dumps(render.event(job, event), ensure_ascii=False)
    return f"id: {render.version(job, event.seq)}\nevent: {event.kind}\ndata: {body}\n\n"


def _is_last(event: JobEvent) -> bool:
    return event.kind == JobEvent.Kind.STATE and event.data["status"] in Job.TERMINAL


@in_own_thread
def _still_good(request: Request) -> bool:
    return authentication.still_good(request.user, request.auth)


# --- waiting


async def when_changed(job: Job, seen: int, seconds: float, body: Callable[[], Any]) -> AsyncGenerator[bytes, None]:
    """The JSON of `body`, made when something has happened after the event `seen`, or when the time is over."""
    async with poller.watch_job(job, seen) as subscription:
        with suppress(TooSlow):
            await _change(subscription.next, seconds)
    yield json.dumps(await in_own_thread(body)(), ensure_ascii=False).encode()


async def _change(next_news: Callable[[float], Any], seconds: float) -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    end = began + seconds
    while news := await next_news(max(0, end - clock())):
        if news.event is None or news.event.kind == JobEvent.Kind.STATE:
            return
        end = min(end, began + PROGRESS_AFTER)
