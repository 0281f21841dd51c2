"""What a job will cost, said before anything is sent."""

from __future__ import annotations

import threading
import time
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from accounts import ledger
from jobs import ingest
from jobs.models import Job, Media
from tests.api.test_exports import problem
from tests.api.test_schema import conforms

SECONDS = 400  # of the large file, which is 12.8 MB


SLOWLY = threading.Event()


class Handler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def send_head(self):
        if self.path == "/slow.wav":
            SLOWLY.wait(10)
        if self.path != "/endless.wav":
            return super().send_head()
        self.send_response(200)
        self.end_headers()
        return (Path(self.directory) / "large.wav").open("rb")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "short.wav").write_bytes(recording.read_bytes())
    with wave.open(str(folder / "large.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16_000)
        out.writeframes(b"\x01\x02" * 16_000 * SECONDS)
    (folder / "noise.bin").write_bytes(b"\x07nothing" * 1_000_000)
    return folder


@pytest.fixture
def site(files: Path, loopback_allowed: None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(files)))
    server.handle_error = lambda *_: None  # who has seen enough leaves
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def estimate(api, **fields):
    return api.send("post", "jobs/estimate", fields)


def told(answer) -> dict:
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_seconds_have_a_price(api):
    assert told(estimate(api, seconds=300)) == {
        "job_type": "extraction",
        "seconds": 300,
        "exact": True,
        "credits": 1650,
        "available": 1_000_000,
        "affordable": True,
    }


def test_an_estimate_is_what_a_job_of_that_length_holds(api, alice, media, upload):
    expected = told(estimate(api, media=str(media.uuid), job_type="extraction"))
    assert (expected["seconds"], expected["exact"]) == (3, True)
    upload()
    assert 1_000_000 - ledger.available(alice) == expected["credits"] == 17


def test_what_cannot_be_paid_is_said_and_no_error(api, alice, charlie):
    ledger.adjust(alice, -999_990, reason="Spent", actor=charlie)
    answer = told(estimate(api, seconds=3))
    assert (answer["credits"], answer["available"], answer["affordable"]) == (17, 10, False)


def test_forms_and_queries_will_do(api):
    assert told(api.post("/api/v1/jobs/estimate?seconds=2&job_type=diarization"))["credits"] == 11
    assert told(api.post("/api/v1/jobs/estimate", {"seconds": "2"}))["credits"] == 11


def test_a_short_file_at_a_url_is_known_exactly(api, site):
    answer = told(estimate(api, url=f"{site}/short.wav"))
    assert (answer["seconds"], answer["exact"], answer["credits"]) == (3, True, 17)


def test_of_a_large_file_the_beginning_tells(api, site, settings):
    answer = told(estimate(api, url=f"{site}/large.wav"))
    assert answer["exact"] is False
    assert answer["seconds"] == pytest.approx(SECONDS, rel=0.01)
    assert answer["credits"] == pytest.approx(SECONDS * 5.5, rel=0.01)
    assert not Job.objects.exists()
    assert not Media.objects.exists()
    assert list(settings.SCRATCH_DIR.iterdir()) == []


@pytest.mark.parametrize("path", ["noise.bin", "endless.wav"])
def test_what_the_beginning_does_not_tell_is_asked_for(api, site, path):
    assert problem(estimate(api, url=f"{site}/{path}"))["code"] == "LENGTH_UNKNOWN"


def test_a_slow_server_is_not_waited_for(api, site, monkeypatch):
    monkeypatch.setattr(ingest, "LOOK_SECONDS", 0.3)
    began = time.monotonic()
    assert problem(estimate(api, url=f"{site}/slow.wav"))["code"] == "URL_UNREACHABLE"
    assert time.monotonic() - began < 5
    SLOWLY.set()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({}, "MISSING_INPUT"),
        ({"seconds": 3, "url": "https://example.org/a.wav"}, "CONFLICTING_INPUT"),
        ({"seconds": -1}, "INVALID_OPTION"),
        ({"seconds": "nan"}, "INVALID_OPTION"),
        ({"seconds": "inf"}, "INVALID_OPTION"),
        ({"seconds": 1e300}, "AUDIO_TOO_LONG"),
        ({"seconds": 3, "job_type": "lyrics"}, "INVALID_OPTION"),
        ({"url": "http://169.254.169.254/latest"}, "URL_NOT_ALLOWED"),
        ({"url": "https://youtu.be/x"}, "URL_NEEDS_EXTRACTOR"),
        ({"media": "5f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f0f"}, "MEDIA_NOT_FOUND"),
    ],
)
def test_what_cannot_be_estimated_is_told(api, fields, code):
    assert problem(estimate(api, **fields))["code"] == code


def test_other_peoples_recordings_have_no_price(bobs, media):
    assert problem(estimate(bobs, media=str(media.uuid)))["code"] == "MEDIA_NOT_FOUND"


def test_answers_are_as_described(api, nobody):
    document = nobody.get("/api/v1/schema").json()
    for answer in (estimate(api, seconds=3), estimate(api), estimate(api, seconds="x")):
        conforms(document, "/api/v1/jobs/estimate", "post", answer)
