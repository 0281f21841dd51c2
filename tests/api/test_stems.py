"""AudioPod's stem extraction: its SDK against a running server, plain requests, and every refusal."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import audiopod
import httpx
import pytest
import soundfile

from accounts import ledger
from audio_engine.pipeline import run
from jobs import files, lifecycle
from jobs.models import Job, Track
from jobs.options import SpeakerOptions, StemsOptions, stored
from tests.api import test_documented_live
from tests.api.test_schema import conforms
from tests.serving import Soloist

# The SDK leaves the files it uploads for Python to close.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
STEMS = "/api/v1/stem-extraction"
FOUR = ["vocals", "drums", "bass", "other"]
PRICE = 10  # three seconds at 3.3, rounded up


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small models of random weights: all but htdemucs_ft."""
    from tests.audio_engine.demucs import tiny

    folder = tmp_path_factory.mktemp("models")
    for name in ("htdemucs", "htdemucs_6s"):
        tiny.write(folder / name, name)
    return folder


@pytest.fixture
def models(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOLOIST_MODELS_DIR", str(weights))


@pytest.fixture
def queued(media) -> Job:
    return lifecycle.submit(media, "stems", StemsOptions(stems=("vocals", "instrumental")))


def done(queued: Job, recording: Path) -> Job:
    """As the worker would have done it: the engine itself, in this process."""
    running = lifecycle.claim("engine", "tests")
    assert running == queued
    with files.scratch() as folder:
        options = stored(running.task, running.options)
        result = run(options.request(running.task, source=recording, output=folder / "out"))
        kept = [
            lifecycle.StoredFile(
                Track.Kind.AUDIO, files.store(folder / "out" / file.name, running.folder() / file.name), file.bytes
            )
            for file in result.files
            if file.kind == "audio"
        ]
    return lifecycle.succeed(running, result.to_json(), kept)


@pytest.fixture
def finished(models, queued, recording) -> Job:
    return done(queued, recording)


# --- through the running product


@pytest.fixture(scope="module")
def key(soloist: Soloist, weights: Path) -> Iterator[str]:
    """Of an account, on a server that has the models as long as these tests need them."""
    folders = [shutil.copytree(model, soloist.data_dir / "models" / model.name) for model in weights.iterdir()]
    yield soloist.account("stems@example.org")
    for folder in folders:
        shutil.rmtree(folder)


def test_the_sdk_takes_music_apart(soloist, key, recording, tmp_path):
    with audiopod.Client(api_key=key, base_url=soloist.url) as sdk:
        sent = sdk.stem_extraction.extract(file=str(recording), mode="two")
        assert (sent["status"], sent["download_urls"], sent["source_type"]) == ("PENDING", {}, "FILE")
        job = sdk.stem_extraction.wait_for_completion(sent["id"], timeout=120)
        assert (job["status"], job["engine"], job["credits_charged"]) == ("COMPLETED", "htdemucs", PRICE)
        assert list(job["download_urls"]) == list(job["stem_paths"]) == ["vocals", "no_vocals"]
        (tmp_path / "vocals.wav").write_bytes(httpx.get(job["download_urls"]["vocals"], trust_env=False).content)
        info = soundfile.info(tmp_path / "vocals.wav")
        assert (info.samplerate, info.channels, info.frames) == (16_000, 1, 48_000)
        assert sdk.stem_extraction.status(job["id"])["stem_paths"] == job["stem_paths"]
        assert [each["id"] for each in sdk.stem_extraction.list_jobs(limit=5)] == [job["id"]]
        assert sdk.stem_extraction.delete_job(job["id"]) == {}
        assert sdk.stem_extraction.list_jobs() == []


def test_the_examples_are_taken_as_they_stand(soloist, key, recording, tmp_path):
    shutil.copy(recording, tmp_path / "song.mp3")
    script = test_documented_live.examples("Stems", "bash")
    told = test_documented_live.run(soloist, key, tmp_path, "bash", "-euo", "pipefail", "-c", script)
    assert told.count('"stems":["vocals","no_vocals"]') == 3  # the job, when it was sent and in the list, and the mode


async def test_the_asynchronous_sdk_asks_in_every_way(soloist, key, recording):
    async with audiopod.AsyncClient(api_key=key, base_url=soloist.url) as sdk:
        stems = sdk.stem_extraction
        now = {"wait_for_completion": False}
        sent = [
            (await stems.separate(file=str(recording), mode="six", **now), [*FOUR, "guitar", "piano"]),
            (await stems.separate(file=str(recording), mode="single", stem="instrumental", **now), ["instrumental"]),
            (await stems.extract_stems(audio_file=str(recording), stem_types=["drums", "bass"]), ["drums", "bass"]),
            (await stems.extract_stems(audio_file=str(recording), two_stems_mode="drums"), ["drums", "no_drums"]),
            (
                await stems.extract_advanced(
                    file=str(recording), package="four", exclude_stems=["drums", "other"], **now
                ),
                ["vocals", "bass"],
            ),
        ]
        for job, wanted in sent:
            assert job["options"]["stems"] == wanted
        detailed = await stems.extract_stems(audio_file=str(recording), model_name="detailed")
        assert detailed["options"]["engine"] == "htdemucs_6s"
        assert len(await stems.list_jobs(skip=1, limit=3)) == 3
        for job in await stems.list_jobs():
            assert (await stems.status(job["id"]))["id"] == job["id"]
            assert await stems.delete_job(job["id"]) == {}
        assert [mode["mode"] for mode in (await stems.modes())["modes"]] == ["single", "two", "four", "six"]
        assert all(entry["allowed"] for entry in (await stems.catalog())["stems"])
        assert {package["id"] for package in (await stems.available_packages())["packages"]} >= {"two", "isolation"}


# --- plain requests


@pytest.mark.parametrize(
    ("path", "fields", "stems"),
    [
        ("api/extract", {}, FOUR),
        ("api/extract", {"mode": "single", "stem": "no_bass"}, ["no_bass"]),
        ("extract", {}, []),
        ("extract", {"stem_types": "['vocals', 'piano']"}, ["vocals", "piano"]),
        ("extract", {"stem_types": '["vocals"]', "two_stems_mode": "bass"}, ["bass", "no_bass"]),
        ("extract/advanced", {}, FOUR),
        ("extract/advanced", {"single_stem": "guitar"}, ["guitar"]),
        ("extract/advanced", {"multi_stem_count": "2"}, ["vocals", "no_vocals"]),
        ("extract/advanced", {"custom_stems": '["drums", "no_drums", "drums"]'}, ["drums", "no_drums"]),
        ("extract/advanced", {"two_stems_mode": "drums"}, ["drums", "no_drums"]),
        ("extract/advanced", {"target_stems": '["piano", "guitar"]'}, ["piano", "guitar"]),
        ("extract/advanced", {"package": "six", "target_stems": '["piano", "bass"]'}, ["piano", "bass"]),
        ("extract/advanced", {"package": "isolation", "target_instrument": "drums"}, ["drums"]),
    ],
)
def test_each_way_of_asking_names_stems(models, upload, path, fields, stems):
    told = upload(f"stem-extraction/{path}", **fields).json()
    assert (told["options"]["stems"], told["status"], told["credits_required"]) == (stems, "PENDING", PRICE)
    assert Job.objects.get().task == "stems"


def test_a_url_is_taken_apart_alike_and_once_for_a_repeated_request(models, api):
    sent = {"url": "https://example.org/song.mp3", "mode": "two", "engine": "htdemucs_6s"}
    headers = {"Idempotency-Key": "song"}
    first, again = (api.send("post", "stem-extraction/api/extract", sent, headers=headers).json() for _ in range(2))
    assert (first["original_filename"], first["source_type"], first["options"]["engine"]) == (
        "song.mp3",
        "URL",
        "htdemucs_6s",
    )
    assert first["id"] == again["id"]


def test_a_finished_job_has_its_stems_and_their_levels(api, finished):
    told = api.get(f"{STEMS}/status/{finished.number}").json()
    assert told == api.get(f"{STEMS}/jobs/{finished.number}").json() | {"download_urls": told["download_urls"]}
    assert list(told["download_urls"]) == list(told["levels"]) == ["vocals", "instrumental"]
    assert told["levels"]["vocals"]["peak"] > 0
    assert (told["engine"], told["models"], told["quality_scores"]) == ("htdemucs", ["htdemucs", "demucs 4.1.0"], {})
    assert api.get(told["download_urls"]["instrumental"]).getvalue()[:4] == b"RIFF"
    anywhere = api.get(f"/api/v1/jobs/{finished.number}").json()
    assert [stem["stem"] for stem in anywhere["result"]["stems"]] == ["vocals", "instrumental"]
    assert anywhere["result"]["stems"][0]["audio_path"] == told["stem_paths"]["vocals"]


def test_a_batch_asks_for_stems_too(models, api, media):
    item = {"media": str(media.uuid), "job_type": "stems", "stems": ["vocals", "guitar"]}
    answer = api.send("post", "jobs/batch", {"items": [item, item | {"stems": ["kick"]}]}).json()
    assert (answer["accepted"], answer["refused"]) == (1, 1)
    assert answer["items"][0]["job"]["options"] == {"engine": "auto", "stems": ["vocals", "guitar"]}


def test_lists_hold_the_jobs_of_their_own_kind(api, queued, media):
    spoken = lifecycle.submit(media, "diarization", SpeakerOptions())
    assert [job["id"] for job in api.get(f"{STEMS}/jobs").json()] == [queued.number]
    assert api.get(f"{STEMS}/status/{spoken.number}").json() == {"detail": "Job not found or access denied"}
    assert api.get(f"{STEMS}/jobs?skip=1").json() == []
    assert api.delete(f"{STEMS}/jobs/{queued.number}").status_code == 204
    assert api.get(f"{STEMS}/jobs").json() == []


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("api/extract", {"mode": "studio"}, "mode: .studio. is no mode here, .* there are single, two, four, six"),
        ("api/extract", {"mode": "single"}, "stem: Mode single needs one of vocals, drums"),
        ("api/extract", {"mode": "single", "stem": "kick"}, "stem: .*kick"),
        ("api/extract", {"stem": "vocals"}, "stem: Only mode single takes one"),
        ("api/extract", {"mode": "six", "engine": "htdemucs"}, "stems must be those that the engine htdemucs tells"),
        ("api/extract", {"engine": "spectral"}, "engine must be one of auto, htdemucs"),
        ("extract", {"stem_types": "[]"}, "stem_types"),
        ("extract", {"stem_types": "['kazoo']"}, "stem_types.*kazoo"),
        ("extract", {"model_name": "mdx"}, "engine must be one of auto, htdemucs"),
        ("extract", {"two_stems_mode": "instrumental"}, "two_stems_mode"),
        ("extract/advanced", {"method": "magic"}, "method"),
        ("extract/advanced", {"package": "orchestra"}, "package"),
        ("extract/advanced", {"package": "isolation"}, "target_instrument: Isolation needs one of"),
        ("extract/advanced", {"package": "two", "single_stem": "bass"}, "Give only one of package and single_stem"),
        ("extract/advanced", {"multi_stem_count": "5"}, "multi_stem_count"),
        ("extract/advanced", {"package": "two", "target_stems": '["bass"]'}, "bass is not among vocals, no_vocals"),
        ("extract/advanced", {"single_stem": "bass", "exclude_stems": '["bass"]'}, "Nothing is left"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(models, upload, path, fields, told):
    answer = upload(f"stem-extraction/{path}", **fields)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_OPTION")
    message = answer.json()["message"]
    assert re.search(told, message), message
    assert not Job.objects.exists()


def test_without_its_model_a_request_is_refused_with_how_to_get_it(api, upload, alice):
    answer = upload("stem-extraction/api/extract", mode="six")
    assert (answer.status_code, answer.json()["error_code"]) == (422, "ENGINE_UNAVAILABLE")
    assert "python manage.py models fetch htdemucs_6s" in answer.json()["message"]
    modes = api.get(f"{STEMS}/modes").json()["modes"]
    assert [mode["mode"] for mode in modes if mode["available"]] == ["single", "two"]
    allowed = [entry["id"] for entry in api.get(f"{STEMS}/catalog").json()["stems"] if entry["allowed"]]
    assert allowed == ["vocals", "other", "instrumental", "no_vocals", "no_other"]
    packages = api.get(f"{STEMS}/packages/available").json()["packages"]
    assert [package["id"] for package in packages if package["allowed"]] == ["two", "isolation"]
    assert ledger.available(alice) == 1_000_000


def test_without_any_model_voices_and_the_rest_come_apart_by_basic_means(api, queued, recording):
    told = api.get(f"{STEMS}/status/{done(queued, recording).number}").json()
    assert (told["engine"], told["models"], list(told["levels"])) == ("basic", [], ["vocals", "instrumental"])
    assert "by basic means" in told["warnings"][0]


def test_nothing_sent_and_nothing_to_pay_with(models, api, alice, upload):
    assert api.post(f"{STEMS}/api/extract").json()["error_code"] == "MISSING_INPUT"
    assert upload("stem-extraction/extract", url="https://example.org/a.wav").json()["error_code"] == (
        "CONFLICTING_INPUT"
    )
    ledger.adjust(alice, -(ledger.available(alice) - 3), reason="test", actor=alice)
    assert upload("stem-extraction/api/extract").status_code == 402


def test_answers_are_as_described(api, nobody, finished, upload):
    document = api.get("/api/v1/schema").json()
    for path in ("api/extract", "extract", "extract/advanced"):
        conforms(document, f"{STEMS}/{path}", "post", upload(f"stem-extraction/{path}"))
    conforms(document, f"{STEMS}/api/extract", "post", upload("stem-extraction/api/extract", mode="12"))
    conforms(document, f"{STEMS}/jobs", "get", api.get(f"{STEMS}/jobs"))
    conforms(document, f"{STEMS}/status/{{job_id}}", "get", api.get(f"{STEMS}/status/{finished.number}"))
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get(f"/api/v1/jobs/{finished.number}"))
    conforms(document, f"{STEMS}/modes", "get", nobody.get(f"{STEMS}/modes"))
    conforms(document, f"{STEMS}/catalog", "get", api.get(f"{STEMS}/catalog"))
    conforms(document, f"{STEMS}/packages/available", "get", api.get(f"{STEMS}/packages/available"))
