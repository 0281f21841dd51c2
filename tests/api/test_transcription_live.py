"""Transcripts out of the running product, through AudioPod's SDK: by a Whisper of random weights, whose words are
nonsense but whose speakers and times are not.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import audiopod
import httpx
import pytest
import srt
from audiopod.exceptions import APIError

from tests.api import test_documented_live as documented
from tests.serving import Soloist

MODEL = "whisper-large-v3-turbo"
PRICE = 165  # 30 s at 5.5
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def model(soloist: Soloist) -> Iterator[None]:
    """For as long as these tests need it: others are about a server without one."""
    from tests.audio_engine.whisper import tiny

    folder = soloist.data_dir / "models" / MODEL
    tiny.whisper(folder)
    yield
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def key(soloist: Soloist, model: None) -> str:
    return soloist.account("transcripts@example.org")


def test_the_sdk_gets_a_transcript_with_speakers(soloist, key, sample):
    with audiopod.Client(api_key=key, base_url=soloist.url) as sdk:
        job = sdk.transcription.transcribe(
            audio_file=str(sample), language="en", speaker_diarization=True, wait_for_completion=True, timeout=240
        )
        assert (job["status"], job["result"]["engine"], job["credits_charged"]) == ("COMPLETED", MODEL, PRICE)
        assert sdk.transcription.get_job(job["job_id"])["result"]["words"] == job["result"]["words"] > 10
        transcript = sdk.transcription.get_transcript(job["job_id"])
        assert (transcript["detected_language"], transcript["total_duration"]) == ("en", 30.0)
        words = [word for segment in transcript["segments"] for word in segment["words"]]
        assert len(words) == job["result"]["words"]
        assert {segment["speaker_label"] for segment in transcript["segments"]} == {"SPEAKER_00", "SPEAKER_01"}
        assert [speaker["label"] for speaker in transcript["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
        subtitles = list(srt.parse(sdk.transcription.get_transcript(job["job_id"], format="srt")))
        assert len(subtitles) >= len(transcript["segments"])
        assert sdk.transcription.get_transcript(job["job_id"], format="vtt").startswith("WEBVTT")
        assert sdk.transcription.get_transcript(job["job_id"], format="txt").startswith("SPEAKER_0")
        files = {file["type"]: file["download_url"] for file in job["result"]["files"]}
        assert set(files) == {"rttm", "confidence", "json", "transcript", "txt", "srt", "vtt"}
        assert httpx.get(files["srt"]).text == sdk.transcription.get_transcript(job["job_id"], format="srt")
        assert [listed["id"] for listed in sdk.transcription.list_jobs()] == [job["id"]]
        assert sdk.transcription.delete_job(job["job_id"]) == {}
        with pytest.raises(APIError, match="Job not found or access denied"):
            sdk.transcription.get_transcript(job["job_id"])


def test_the_examples_run_as_they_stand(soloist, key, sample, tmp_path):
    heading = "Transcription: what was said and by whom"
    shutil.copy(sample, tmp_path / "meeting.mp3")
    making, using = (documented.examples(of, "python") for of in (documented.CLIENT, heading))
    program = "\n".join([documented.HASTE, making.partition("job =")[0], using])
    told = documented.run(soloist, key, tmp_path, sys.executable, "-c", program)
    assert {line.partition(" ")[0] for line in told.splitlines()} == {"SPEAKER_00", "SPEAKER_01"}
    with audiopod.Client(api_key=key, base_url=soloist.url) as sdk:
        [job] = sdk.transcription.list_jobs()
        script = documented.examples(heading, "bash").replace("/jobs/123/", f"/jobs/{job['id']}/")
        told = documented.run(soloist, key, tmp_path, "bash", "-euo", "pipefail", "-c", script)
        assert (told.count('"job_id":'), told.count(" --> ") > 1) == (1, True)
        for job in sdk.transcription.list_jobs():
            sdk.transcription.delete_job(job["id"])


async def test_the_asynchronous_sdk_gets_one_too(soloist, key, recording):
    async with audiopod.AsyncClient(api_key=key, base_url=soloist.url) as sdk:
        sent = await sdk.transcription.transcribe(audio_file=str(recording))
        assert (sent["status"], sent["options"]["speaker_labels"]) == ("PENDING", False)
        with pytest.raises(Exception, match="Failed to extract speakers"):  # from three seconds of tones
            await sdk.transcription._async_wait_for_transcription(sent["job_id"], timeout=120)
        job = await sdk.transcription.get_job(sent["job_id"])
        assert (job["status"], job["credits_charged"]) == ("FAILED", 0)
        linked = await sdk.transcription.transcribe(url="https://example.invalid/talk.wav", language="de")
        assert linked["source_urls"] == ["https://example.invalid/talk.wav"]
        listed = await sdk.transcription.list_jobs()
        assert [job["job_id"] for job in listed] == [linked["job_id"], sent["job_id"]]
        for job in listed:
            assert await sdk.transcription.delete_job(job["job_id"]) == {}


def test_the_sdk_is_told_which_model_is_missing(soloist, key, recording):
    with httpx.Client(base_url=f"{soloist.url}/api/v1/transcription/", headers={"X-API-Key": key}) as http:
        with recording.open("rb") as file:
            answer = http.post("transcribe-upload", files={"files": file}, data={"model_type": "whisper-small"})
        assert answer.status_code == 422
        assert "Systran/faster-whisper-small (486 MB)" in answer.json()["message"]
