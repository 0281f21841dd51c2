"""The official pyannoteai-sdk against the running product."""

from __future__ import annotations

import asyncio
import re
import wave
from pathlib import Path
from typing import Any

import pytest
import requests
from pyannoteai.sdk import Client
from pyannoteai.sdk.client import PyannoteAIFailedJob

from tests.serving import Soloist

SECONDS = 10.0
UNKNOWN = "https://example.invalid/talk.wav"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pyannoteai")  # what the SDK says of uploads, polling


@pytest.fixture(scope="module")
def key(soloist: Soloist) -> str:
    return soloist.account("pyannote@example.org")


@pytest.fixture(scope="module")
def sdk(soloist: Soloist, key: str) -> Client:
    class Here(Client):
        API_URL = f"{soloist.url}/pyannoteai/v1"

    return Here(token=key)


@pytest.fixture(scope="module")
def beginning(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the sample; both people speak in it."""
    return cut(sample, tmp_path_factory.mktemp("pyannote") / "beginning.wav", 0, SECONDS)


def cut(recording: Path, path: Path, start: float, end: float) -> Path:
    with wave.open(str(recording)) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        whole.setpos(int(start * whole.getframerate()))
        part.writeframes(whole.readframes(int((end - start) * whole.getframerate())))
    return path


def test_the_sdk_sends_a_file_and_gets_who_spoke_when(sdk, beginning):
    sent = []
    url = sdk.upload(beginning, callback=lambda total, completed: sent.append((completed, total)))
    assert re.fullmatch("media://[0-9a-f]{32}", url)
    assert sent[-1] == (beginning.stat().st_size,) * 2
    job_id = sdk.diarize(url, num_speakers=2, confidence=True, turn_level_confidence=True, exclusive=True)
    job = sdk.retrieve(job_id, every_seconds=1)
    assert (job["jobId"], job["status"]) == (job_id, "succeeded")
    output = job["output"]
    assert {turn["speaker"] for turn in output["diarization"]} == {"SPEAKER_00", "SPEAKER_01"}
    assert all(0 <= turn["start"] < turn["end"] <= SECONDS for turn in output["diarization"])
    assert all(0 <= turn["confidence"][turn["speaker"]] <= 100 for turn in output["diarization"])
    assert (output["confidence"]["resolution"], len(output["confidence"]["score"])) == (0.02, 500)
    ends = [0.0, *(turn["end"] for turn in output["exclusiveDiarization"])]
    assert all(turn["start"] >= end - 1e-6 for turn, end in zip(output["exclusiveDiarization"], ends, strict=False))


def test_the_sdk_learns_voices_and_knows_them_again(sdk, sample, tmp_path):
    spoken = {"Ann": (10.6, 14.4), "Bob": (22.0, 27.8)}
    for name, (start, end) in spoken.items():
        cut(sample, tmp_path / f"{name}.wav", start, end)
    jobs = {name: sdk.voiceprint(sdk.upload(tmp_path / f"{name}.wav")) for name in spoken}
    voices = {name: sdk.retrieve(job, every_seconds=1)["output"]["voiceprint"] for name, job in jobs.items()}
    job = sdk.identify(sdk.upload(sample), voices, matching_threshold=50.0, exclusive_matching=True, num_speakers=2)
    output = sdk.retrieve(job, every_seconds=1)["output"]
    assert {found["match"] for found in output["voiceprints"]} == {"Ann", "Bob"}
    assert all(found["confidence"][found["match"]] >= 50 for found in output["voiceprints"])
    for name, (start, end) in spoken.items():
        middle = (start + end) / 2
        assert name in {turn["match"] for turn in output["identification"] if turn["start"] < middle < turn["end"]}


def test_the_sdk_sends_a_file_by_a_name_of_its_users(sdk, key, beginning):
    url = sdk.upload({"audio": str(beginning)}, media_url="media://meetings/today/call.wav")
    link = requests.post(f"{sdk.API_URL}/media/output", json={"url": url}, headers=sdk._headers).json()["url"]
    assert requests.get(link).content == beginning.read_bytes()


async def test_the_sdk_serves_an_event_loop_by_threads(sdk, sample, tmp_path):
    """It has no asynchronous client, so this is how asynchronous programs call it: all at once, by one client."""
    samples = [cut(sample, tmp_path / f"{start}.wav", start, start + 3.8) for start in (10.6, 22.0)]
    urls = await together(*((sdk.upload, path) for path in (*samples, cut(sample, tmp_path / "both.wav", 8.0, 28.0))))
    assert len(set(urls)) == 3
    ann, bob, both = urls
    jobs = await together((sdk.voiceprint, ann), (sdk.voiceprint, bob), (sdk.diarize, both), (sdk.diarize, UNKNOWN))
    *done, failed = await together(*((sdk.retrieve, job, 1) for job in jobs), return_exceptions=True)
    assert isinstance(failed, PyannoteAIFailedJob)
    assert [job["jobId"] for job in done] == jobs[:3]
    voices = {name: job["output"]["voiceprint"] for name, job in zip(("Ann", "Bob"), done, strict=False)}
    assert {turn["speaker"] for turn in done[2]["output"]["diarization"]} == {"SPEAKER_00", "SPEAKER_01"}
    again = await together((sdk.identify, both, voices), (sdk.retrieve, jobs[2], 1))
    known = (await asyncio.to_thread(sdk.retrieve, again[0], 1))["output"]["voiceprints"]
    assert ({found["match"] for found in known}, again[1]["output"]) == ({"Ann", "Bob"}, done[2]["output"])


async def together(*calls: tuple[Any, ...], return_exceptions: bool = False) -> list[Any]:
    return list(
        await asyncio.gather(*(asyncio.to_thread(*call) for call in calls), return_exceptions=return_exceptions)
    )


def test_the_sdk_tells_why_a_job_failed(sdk):
    job_id = sdk.diarize(UNKNOWN)
    with pytest.raises(PyannoteAIFailedJob, match="Could not load audio"):
        sdk.retrieve(job_id, every_seconds=1)


def test_the_sdk_tells_what_is_wrong(sdk, beginning):
    with pytest.raises(requests.HTTPError, match="Failed to authenticate"):
        type(sdk)(token="ap_nobodys")
    for refused in (
        lambda: sdk.diarize("media://nobody/knows.wav"),
        lambda: sdk.diarize("https://example.org/a.wav", num_speakers=2, min_speakers=1),
        lambda: sdk.diarize("https://example.org/a.wav", transcription=True),
        lambda: sdk.diarize("https://example.org/a.wav", surprise=True),
        lambda: sdk.upload(beginning, media_url="media://not a key"),
    ):
        with pytest.raises(requests.HTTPError) as refusal:
            refused()
        assert refusal.value.response.status_code == 400
        assert refusal.value.response.json()["message"] == "Invalid request"
