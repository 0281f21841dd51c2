"""Every call of AudioPod's SDK that concerns audio, by its synchronous and its asynchronous client, against a live web
server; what the engine makes of jobs is told by other tests.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import audiopod
import pytest
from audiopod.exceptions import APIError, ValidationError

from tests.serving import Console, Soloist

SERVICES = ("speaker", "stem_extraction", "denoiser", "transcription", "credits", "wallet")
LINK = "https://example.invalid/talk.wav"
LATER = {"wait_for_completion": False}
# The engine's part of a transcription that needs no model, since its lines are there.
TRANSCRIBED = """
from pathlib import Path
from tempfile import mkdtemp

from accounts.models import User
from jobs import files, lifecycle
from jobs.models import Job, Media
from jobs.options import TranscriptionOptions
from tests.api.transcripts import succeed

for other in Job.objects.filter(status=Job.Status.QUEUED):
    lifecycle.cancel(other)
media = Media.objects.create(
    owner=User.objects.get(email={owner!r}), file=files.store_media(Path({recording!r})), name="talk.wav", bytes=1,
    seconds=3.0, container="wav", codec="pcm_s16le", sample_rate=16000, channels=1,
)
lines = "1\\n00:00:00,100 --> 00:00:01,000\\nWho wrote?\\n"
told = succeed(
    lifecycle.submit(media, "transcription", TranscriptionOptions(input_srt=lines)), Path(mkdtemp())
).number
"""

CANCEL = """
from jobs import lifecycle
from jobs.models import Job

told = lifecycle.cancel(Job.objects.get(pk={job})).number
"""


class Recorder:
    """The SDK's client, which remembers which methods of its services were called, and waits where it does not."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.called: set[tuple[str, str]] = set()

    async def call(self, service: str, method: str, *given: Any, **named: Any) -> Any:
        self.called.add((service, method))
        told = getattr(getattr(self._client, service), method)(*given, **named)
        return await told if inspect.isawaitable(told) else told

    @property
    def asynchronous(self) -> bool:
        return inspect.iscoroutinefunction(self._client.request)

    def all(self) -> set[tuple[str, str]]:
        return {
            (service, name)
            for service in SERVICES
            for name, _ in inspect.getmembers(getattr(self._client, service), inspect.ismethod)
            if not name.startswith("_")
        }


@pytest.fixture(params=["synchronous", "asynchronous"])
async def sdk(web: Soloist, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Recorder, str]]:
    owner = f"{request.param}-sdk@example.org"
    options = {"api_key": web.account(owner), "base_url": web.url, "max_retries": 0}
    if request.param == "synchronous":
        with audiopod.Client(**options) as client:
            yield Recorder(client), owner
    else:
        async with audiopod.AsyncClient(**options) as client:
            yield Recorder(client), owner


@pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
async def test_every_call_of_the_sdk_that_concerns_audio_is_answered(sdk, web, console: Console, recording: Path):
    recorder, owner = sdk
    call, file = recorder.call, str(recording)
    for service, methods in {"speaker": ("extract", "diarize"), "denoiser": ("denoise",)}.items():
        jobs = [(await call(service, method, url=LINK, **LATER))["id"] for method in methods]
        assert [job["id"] for job in items(await call(service, "list_jobs"))] == jobs[::-1]
        for job in jobs:
            assert (await call(service, "get_job", job))["status"] == "PENDING"
            assert await call(service, "delete_job", job) == {}

    stems = "stem_extraction"
    vocals = {"mode": "single", "stem": "vocals", **LATER}
    jobs = [
        (await call(stems, "separate", file=file, **vocals))["id"],
        (await call(stems, "extract", url=LINK, mode="single", stem="vocals"))["id"],
        (await call(stems, "extract_advanced", url=LINK, single_stem="vocals", **LATER))["id"],
    ]
    assert [job["id"] for job in items(await call(stems, "list_jobs"))] == jobs[::-1]
    assert await refused(call(stems, "extract_stems", url=LINK)) == 422  # it names a model, which is not here
    for told in ("modes", "catalog", "available_packages"):
        assert await call(stems, told)
    console.run(CANCEL.format(job=jobs[0]))
    for told in ("get_job", "status"):
        assert (await call(stems, told, jobs[0]))["status"] == "CANCELLED"
    with pytest.raises(TimeoutError):
        await call(stems, "wait_for_completion", jobs[1], timeout=0)
    for job in jobs:
        assert await call(stems, "delete_job", job) == {}

    words = "transcription"
    for method in ("transcribe", "create"):
        assert await refused(call(words, method, url=LINK)) == 422  # for want of a model
    job = console.run(TRANSCRIBED.format(owner=owner, recording=file))
    assert (await transcribed(recorder, job))["status"] == "COMPLETED"
    assert (await call(words, "get_job", job))["job_id"] == job
    assert (await call(words, "get_transcript", job))["segments"][0]["text"] == "Who wrote?"
    assert [each["id"] for each in await call(words, "list_jobs")] == [job]
    assert await call(words, "delete_job", job) == {}
    await refuses_to_stream(recorder)

    for told in ("get_balance", "get_usage_history", "get_multipliers"):
        assert await call("credits", told)
    for told in ("get_balance", "get_pricing", "get_usage_history", "get_topup_history", "get_service_types"):
        assert await call("wallet", told)
    for told in ("estimate_cost", "check_balance"):
        assert await call("wallet", told, "speaker_extraction", 300)
    for told in ("create_topup_checkout", "create_topup_payment_intent"):
        assert await refused(call("wallet", told, 2500)) == 501
    assert recorder.called == recorder.all()


async def transcribed(recorder: Recorder, job: int) -> dict[str, Any]:
    """The asynchronous SDK's `wait_for_completion` takes its own coroutines for answers; what it is made of works."""
    if not recorder.asynchronous:
        return dict(await recorder.call("transcription", "wait_for_completion", job))
    recorder.called.add(("transcription", "wait_for_completion"))
    return dict(await recorder._client.transcription._async_wait_for_transcription(job, 60))


async def refused(answer: Awaitable[Any]) -> int:
    """The status that the SDK tells; the asynchronous one tells no more."""
    with pytest.raises(APIError) as refusal:
        await answer
    assert refusal.value.status_code
    return refusal.value.status_code


def items(listed: Any) -> list[dict[str, Any]]:
    return listed["items"] if isinstance(listed, dict) else listed


async def refuses_to_stream(recorder: Recorder) -> None:
    if not recorder.asynchronous:
        with pytest.raises(ValidationError, match="AsyncClient"):
            await recorder.call("transcription", "stream")
        return
    async with await recorder.call("transcription", "stream", language="en") as session:
        events = [event async for event in session]
    message = "Live transcription is not part of this server; /api/v1/docs lists what is."
    assert events == [{"type": "error", "code": "NOT_OFFERED", "message": message}]
