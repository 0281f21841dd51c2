"""AudioPod's noise reduction: its SDK against a running server, plain requests, and every refusal."""

from __future__ import annotations

from datetime import timedelta

import audiopod
import httpx
import pytest
import soundfile
from django.utils import timezone

from accounts import ledger
from audio_engine import registry
from audio_engine.hardware import accelerator
from audio_engine.pipeline import run
from jobs import files, lifecycle
from jobs.models import Job, Track
from jobs.options import DenoisingOptions, SpeakerOptions, stored
from tests.api.test_schema import conforms

# The SDK leaves the files it uploads for Python to close.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
JOBS = "/api/v1/denoiser/jobs"


@pytest.fixture
def queued(media) -> Job:
    return lifecycle.submit(media, "denoising", DenoisingOptions(quality="balanced"))


@pytest.fixture
def finished(queued, recording) -> Job:
    """As the worker would have done it: the engine itself, in this process."""
    running = lifecycle.claim("engine", "tests")
    assert running == queued
    with files.scratch() as folder:
        options = stored(running.task, running.options)
        result = run(options.request(running.task, source=recording, output=folder / "out"))
        kept = files.store(folder / "out" / "denoised.wav", running.folder() / "denoised.wav")
    return lifecycle.succeed(running, result.to_json(), [lifecycle.StoredFile(Track.Kind.AUDIO, kept, 96_044)])


# --- through the running product


@pytest.fixture(scope="module")
def key(soloist) -> str:
    return soloist.account("denoiser@example.org")


def test_the_sdk_gets_a_recording_without_its_noise(soloist, key, recording, tmp_path):
    with audiopod.Client(api_key=key, base_url=soloist.url) as sdk:
        job = sdk.denoiser.denoise(file=str(recording), mode="balanced", wait_for_completion=True, timeout=120)
        assert (job["status"], job["quality_mode"], job["original_filename"]) == ("COMPLETED", "balanced", "tones.wav")
        assert job["stats"]["audio_duration"] == 3.0
        assert job["stats"]["noise_reduction_db"] is not None
        (tmp_path / "clean.wav").write_bytes(httpx.get(job["output_url"], trust_env=False).content)
        assert soundfile.info(tmp_path / "clean.wav").frames == 48_000
        assert sdk.denoiser.get_job(job["id"])["output_path"] == job["output_path"]
        assert [each["id"] for each in sdk.denoiser.list_jobs(limit=5)] == [job["id"]]
        sdk.denoiser.delete_job(job["id"])
        assert sdk.denoiser.list_jobs() == []


async def test_the_asynchronous_sdk_does_so_too(soloist, key, recording):
    async with audiopod.AsyncClient(api_key=key, base_url=soloist.url) as sdk:
        job = await sdk.denoiser.denoise(file=str(recording), wait_for_completion=True, timeout=120)
        assert (job["status"], job["quality_mode"]) == ("COMPLETED", "studio")
        assert (await sdk.denoiser.get_job(job["id"]))["progress"] == 100
        assert len(await sdk.denoiser.list_jobs(skip=0, limit=1)) == 1
        await sdk.denoiser.delete_job(job["id"])


# --- plain requests


def test_a_file_is_denoised_as_its_fields_say(upload):
    wanted = {"strength": "0.5", "equalizer": "vocal", "compress": "true", "loudness": "-16"}
    told = upload("denoiser/denoise", quality_mode="ultra", **wanted).json()
    assert (told["status"], told["quality_mode"], told["credits_required"]) == ("PENDING", "ultra", 4)
    assert (told["stats"], told["output_url"], told["is_video"]) == (None, None, False)
    options = {"engine": "auto", "quality": "ultra", "strength": 0.5, "equalizer": "vocal", "compress": True}
    assert told["options"] == options | {"loudness": -16.0}
    assert Job.objects.get().task == "denoising"


def test_a_url_is_denoised_alike(api):
    told = api.send("post", "denoiser/denoise", {"url": "https://example.org/noisy.mp3"}).json()
    assert (told["original_filename"], told["quality_mode"], told["credits_required"]) == ("noisy.mp3", "studio", None)


def test_the_spectral_endpoint_says_the_same_in_other_names(upload):
    told = upload("denoiser/spectral/denoise", noise_type="traffic", prop_decrease="0.8").json()
    assert told["options"]["strength"] == 0.8


def test_a_finished_job_has_its_figures_and_its_file(api, finished):
    told = api.get(f"{JOBS}/{finished.number}").json()
    assert told["stats"].keys() >= {"noise_reduction_db", "processing_time", "audio_duration", "before", "after"}
    assert told["stats"]["engine"] == registry.resolve(task="denoising").name
    assert api.get(told["output_url"]).getvalue()[:4] == b"RIFF"
    anywhere = api.get(f"/api/v1/jobs/{finished.number}").json()
    assert anywhere["job_type"] == "denoising"
    assert anywhere["result"]["noise_reduction_db"] == told["stats"]["noise_reduction_db"]
    assert [file["path"] for file in anywhere["result"]["files"]] == [told["output_path"]]


def test_health_tells_whether_work_is_done(api, queued):
    told = api.get("/api/v1/denoiser/health")
    assert told.json() == {
        "status": "healthy",
        "device": "cpu",
        "model": registry.resolve(task="denoising").name,
        "cuda_available": accelerator() == "cuda",
        "problems": [],
    }
    Job.objects.filter(pk=queued.pk).update(queued_at=timezone.now() - timedelta(minutes=3))
    told = api.get("/api/v1/denoiser/health")
    assert told.json()["status"] == "unhealthy"
    assert "no worker takes them" in told.json()["problems"][0]
    conforms(api.get("/api/v1/schema").json(), "/api/v1/denoiser/health", "get", told)


def test_a_job_is_canceled_and_run_again(api, queued):
    assert api.post(f"{JOBS}/{queued.number}/cancel").json()["status"] == "CANCELLED"
    again = api.post(f"{JOBS}/{queued.number}/retry").json()
    assert (again["id"], again["status"], again["quality_mode"]) == (queued.number, "PENDING", "balanced")
    assert api.post(f"{JOBS}/{queued.number}/retry").json()["error_code"] == "JOB_NOT_RETRYABLE"


def test_what_a_repeated_request_gets_is_the_first_answer(upload):
    first, again = (upload("denoiser/denoise", headers={"Idempotency-Key": "noise"}).json() for _ in range(2))
    assert first["id"] == again["id"]
    assert Job.objects.count() == 1


def test_lists_hold_the_jobs_of_their_own_kind(api, queued, media):
    spoken = lifecycle.submit(media, "diarization", SpeakerOptions())
    assert [job["id"] for job in api.get(JOBS).json()] == [queued.number]
    assert [job["id"] for job in api.get("/api/v1/speaker/jobs").json()["items"]] == [spoken.number]
    assert api.get(f"{JOBS}/{spoken.number}").status_code == 404
    assert api.get(f"/api/v1/speaker/jobs/{queued.number}").status_code == 404
    assert api.get(f"{JOBS}?skip=1").json() == []


@pytest.mark.parametrize(
    ("path", "fields", "status", "code", "field"),
    [
        ("denoise", {"quality_mode": "best"}, 422, "INVALID_OPTION", "quality_mode"),
        ("denoise", {"strength": "1.5"}, 422, "INVALID_OPTION", "strength"),
        ("denoise", {"strength": "nan"}, 422, "INVALID_OPTION", "strength"),
        ("denoise", {"loudness": "3"}, 422, "INVALID_OPTION", "loudness"),
        ("denoise", {"equalizer": "loud"}, 422, "INVALID_OPTION", "equalizer"),
        ("denoise", {"engine": "embedded"}, 422, "INVALID_OPTION", "engine"),
        ("denoise", {"url": "https://example.org/a.wav"}, 400, "CONFLICTING_INPUT", None),
        ("spectral/denoise", {"prop_decrease": "-1"}, 422, "INVALID_OPTION", "prop_decrease"),
        ("spectral/denoise", {"noise_type": "owls"}, 422, "INVALID_OPTION", "noise_type"),
        ("spectral/denoise", {"time_constant_s": "2"}, 422, "INVALID_OPTION", "time_constant_s"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(upload, path, fields, status, code, field):
    answer = upload(f"denoiser/{path}", **fields)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert field is None or field in answer.json()["message"]
    assert not Job.objects.exists()


def test_nothing_sent_nothing_found_and_nothing_to_pay_with(api, alice, upload):
    assert api.post("/api/v1/denoiser/denoise").json()["error_code"] == "MISSING_INPUT"
    assert api.get(f"{JOBS}/99999").json() == {"detail": "Job not found or access denied"}
    ledger.adjust(alice, -(ledger.available(alice) - 3), reason="test", actor=alice)
    assert upload("denoiser/denoise").status_code == 402


def test_answers_are_as_described(api, finished, upload):
    document = api.get("/api/v1/schema").json()
    conforms(document, "/api/v1/denoiser/denoise", "post", upload("denoiser/denoise"))
    conforms(document, "/api/v1/denoiser/jobs", "get", api.get(JOBS))
    conforms(document, "/api/v1/denoiser/jobs/{job_id}", "get", api.get(f"{JOBS}/{finished.number}"))
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get(f"/api/v1/jobs/{finished.number}"))
    refused = upload("denoiser/denoise", strength="2")
    conforms(document, "/api/v1/denoiser/denoise", "post", refused)


def test_nobody_exports_turns_of_it(api, finished):
    assert api.send("get", f"jobs/{finished.number}/export?format=srt").json()["code"] == "JOB_HAS_NO_TURNS"
