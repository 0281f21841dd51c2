"""What each surface says of each kind of bad input, side by side: in its own words and its own form of errors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts import ledger
from accounts.models import APIKey
from jobs import lifecycle, tasks, worker
from jobs.errors import JobError
from jobs.models import Job, Media
from tests import processes
from tests.compat.programs import VendorProgram
from tests.jobs.strangers import Server, answer

pytestmark = pytest.mark.django_db
LIST = b"#EXTM3U\n#EXTINF:3,One\none.wav\n#EXTINF:4,Two\ntwo.wav\n"
PAGE = b"<!doctype html><html><body>Come in</body></html>"
A_LIST = "There is a playlist at this address; give the address of one recording."
A_PLAYLIST = "The file is a playlist (M3U), which only names recordings; send one of them."
TOO_LONG = "The address of the request is too long; send what is in it in a body."
A_PAGE = "There is a page or a stream in pieces at this address, not a recording."


@dataclass(frozen=True)
class Surface:
    """`work` is where a stored recording is worked on, `file` the body's member that names it."""

    prefix: str
    work: str
    file: str
    told: Callable[[Any], str]  # what an error of its form says, or the member of the request it is about

    def body(self, media: object) -> dict[str, str]:
        return {self.file: f"media://{media}" if self.file == "url" else str(media)}


def audiopods(body: Any) -> str:
    if set(body) == {"detail"} or set(body) == {"detail", "error_code"}:
        return str(body["detail"])
    assert set(body) == {"error_code", "message", "details"}
    return str(body["details"].get("field") or body["error_code"])


def pyannoteais(body: Any) -> str:
    if set(body) == {"requestId", "message"}:
        assert uuid.UUID(body["requestId"])
        return str(body["message"])
    assert set(body) == {"message", "errors"}
    assert all(set(wrong) == {"field", "message"} for wrong in body["errors"])
    return body["errors"][0]["field"] if body["errors"] else str(body["message"])


def timbrs(body: Any) -> str:
    assert set(body) == {"detail"}
    if isinstance(body["detail"], str):
        return body["detail"]
    assert all(set(wrong) == {"loc", "msg", "type"} for wrong in body["detail"])
    return str(body["detail"][0]["loc"][-1])


def neuralspaces(body: Any) -> str:
    assert set(body) == {"success", "message", "data"}
    assert body["success"] is False
    return str(next(iter(body["data"].get("errors", {})), body["data"]["code"]))


AUDIOPOD = Surface("/api/v1", "speaker/extract", "media", audiopods)
PYANNOTEAI = Surface("/pyannoteai/v1", "diarize", "url", pyannoteais)
TIMBR = Surface("/timbr/v1", "audio/separate", "file_id", timbrs)
NEURALSPACE = Surface("/neuralspace/api", "voice-extractor/v1/extract", "fileId", neuralspaces)
SURFACES = {"audiopod": AUDIOPOD, "pyannoteai": PYANNOTEAI, "timbr": TIMBR, "neuralspace": NEURALSPACE}


@pytest.fixture
def keyed(media: Media) -> Media:
    """A recording that all surfaces can name by its id."""
    media.key = str(media.uuid)
    media.save()
    return media


@pytest.fixture
def program(alice) -> Callable[[Surface], VendorProgram]:
    secret = APIKey.issue(alice, "tests")[1]
    return lambda surface: VendorProgram(surface.prefix, f"Bearer {secret}")


def refused(surface: Surface, answer: Any) -> tuple[int, str]:
    return answer.status_code, surface.told(answer.json())


# --- whoever asks


@pytest.mark.parametrize("key", ["", "Bearer ap_nobodys"])
@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_a_key_that_is_missing_or_wrong(surface, key, keyed):
    told = VendorProgram(surface.prefix, key).send("post", surface.work, surface.body(keyed.uuid))
    assert refused(surface, told)[0] == 401
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("surface", "told"),
    [
        (AUDIOPOD, "Insufficient credits for processing. Required: 17, Available: 2"),
        (PYANNOTEAI, "Insufficient credits for processing. Required: 17, Available: 2"),
        (TIMBR, "Insufficient credits for processing. Required: 3, Available: 2"),
        (NEURALSPACE, "INSUFFICIENT_CREDITS"),
    ],
    ids=SURFACES,
)
def test_no_credit(program, surface, told, alice, keyed):
    ledger.adjust(alice, -999_998, reason="tests", actor=alice)
    asked = program(surface).send("post", surface.work, surface.body(keyed.uuid))
    assert refused(surface, asked) == (402, told)
    assert not Job.objects.exists()


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_too_many_requests(program, surface, keyed, settings):
    settings.RATE_LIMIT = 1
    one, more = (program(surface).send("post", surface.work, surface.body(keyed.uuid)) for _ in range(2))
    assert (one.status_code, more.status_code) == (200, 429)
    assert "Rate limit exceeded" in str(more.json())
    surface.told(more.json())
    assert int(more["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("surface", "told"),
    [
        (AUDIOPOD, (414, "ADDRESS_TOO_LONG")),
        (PYANNOTEAI, (414, TOO_LONG)),
        (TIMBR, (414, TOO_LONG)),
        (NEURALSPACE, (414, "ADDRESS_TOO_LONG")),
    ],
    ids=SURFACES,
)
def test_an_address_that_is_too_long(program, surface, told, keyed):
    url = f"{surface.work}?{'a' * 8_000}"
    assert refused(surface, program(surface).send("post", url, surface.body(keyed.uuid))) == told


# --- recordings


@pytest.mark.parametrize(
    ("surface", "told"),
    [
        (AUDIOPOD, (404, "There is no such recording; without a job it is kept for 24 hours.")),
        (PYANNOTEAI, (400, "url")),
        (TIMBR, (404, "File not found")),
        (NEURALSPACE, (404, "MEDIA_NOT_FOUND")),
    ],
    ids=SURFACES,
)
def test_an_unknown_file(program, surface, told, bob, keyed):
    for media in (uuid.uuid4(), keyed.uuid):
        assert refused(surface, program(surface).send("post", surface.work, surface.body(media))) == told
        keyed.owner = bob  # somebody else's is as unknown
        keyed.save()


def put_address(program: Callable[[Surface], VendorProgram], surface: Surface) -> str:
    path, body, member = {
        AUDIOPOD.prefix: ("media/addresses", {"bytes": 96_044}, "url"),
        PYANNOTEAI.prefix: ("media/input", {"url": "media://tones.wav"}, "url"),
        TIMBR.prefix: ("upload", None, "upload_url"),
    }[surface.prefix]
    return str(program(surface).send("post", path, body).json()[member].removeprefix("http://testserver"))


def put(url: str, content: bytes) -> Any:
    return Client(raise_request_exception=False).put(url, content, content_type="")


@pytest.mark.parametrize("surface", [PYANNOTEAI, TIMBR], ids=["pyannoteai", "timbr"])
def test_an_expired_upload(program, surface, recording, monkeypatch):
    url = put_address(program, surface)
    later = time.time() + timedelta(hours=2).total_seconds()
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    assert refused(surface, put(url, recording.read_bytes())) == (403, "This address has expired; ask for a fresh one.")
    assert not Media.objects.exists()


def test_an_expired_upload_at_an_address_of_our_own(program, recording, monkeypatch):
    url = put_address(program, AUDIOPOD)
    later = time.time() + timedelta(hours=2).total_seconds()
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    told = put(url, recording.read_bytes())
    assert (told.status_code, told.json()["code"]) == (403, "LINK_EXPIRED")


def test_a_reused_upload_address(program, recording):
    """pyannoteAI's takes the newest recording of a key, as documented."""
    addresses = {surface.prefix: put_address(program, surface) for surface in (AUDIOPOD, PYANNOTEAI, TIMBR)}
    for url in addresses.values():
        assert put(url, recording.read_bytes()).status_code == 200
    again = {prefix: put(url, recording.read_bytes()) for prefix, url in addresses.items()}
    assert (again[AUDIOPOD.prefix].status_code, again[AUDIOPOD.prefix].json()["code"]) == (412, "UPLOAD_USED")
    assert again[PYANNOTEAI.prefix].status_code == 200
    told = "Something was sent to this address already; ask for a fresh one."
    assert refused(TIMBR, again[TIMBR.prefix]) == (412, told)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PAGE, "The file is not audio or video in a supported format, or it is damaged."),
        (LIST, A_PLAYLIST),
    ],
    ids=["page", "playlist"],
)
def test_a_page_or_a_playlist_instead_of_a_recording(program, content, words):
    sent = SimpleUploadedFile("talk.wav", content)
    extract = program(AUDIOPOD).post("/api/v1/speaker/extract", {"file": sent})
    sent.seek(0)
    upload = program(NEURALSPACE).post("/neuralspace/api/file/upload", {"files": sent})
    assert (extract.status_code, extract.json()["error_code"]) == (400, "INVALID_AUDIO_FORMAT")
    assert extract.json()["message"] == extract.json()["details"]["reason"] == words
    assert (upload.status_code, upload.json()["data"]["code"]) == (400, "INVALID_AUDIO_FORMAT")
    assert upload.json()["message"] == words
    for surface in (PYANNOTEAI, TIMBR):
        assert refused(surface, put(put_address(program, surface), content)) == (400, words)
    assert not Media.objects.exists()


# --- options


@pytest.mark.parametrize(
    ("surface", "options", "status", "member"),
    [
        (AUDIOPOD, {"num_speakers": "two"}, 422, "num_speakers"),
        (AUDIOPOD, {"num_speakers": 0}, 422, "num_speakers"),
        (AUDIOPOD, {"min_speakers": 21}, 422, "min_speakers"),
        (AUDIOPOD, {"min_speakers": 4, "max_speakers": 3}, 422, "min_speakers"),
        (AUDIOPOD, {"num_speakers": 2, "min_speakers": 2}, 422, "num_speakers"),
        (AUDIOPOD, {"engine": "steam"}, 422, "engine"),
        (AUDIOPOD, {"overlap": "average"}, 422, "overlap"),
        (PYANNOTEAI, {"numSpeakers": "two"}, 400, "numSpeakers"),
        (PYANNOTEAI, {"numSpeakers": 0}, 400, "numSpeakers"),
        (PYANNOTEAI, {"minSpeakers": 21}, 400, "minSpeakers"),
        (PYANNOTEAI, {"minSpeakers": 4, "maxSpeakers": 3}, 400, "minSpeakers"),
        (PYANNOTEAI, {"numSpeakers": 2, "minSpeakers": 2}, 400, "numSpeakers"),
        (PYANNOTEAI, {"engine": "embedded"}, 400, "engine"),
        (TIMBR, {"sample_rate": "fast"}, 422, "sample_rate"),
        (TIMBR, {"bit_depth": 33}, 422, "bit_depth"),
        (TIMBR, {"output_format": "mp3"}, 422, "output_format"),
        (TIMBR, {"stems": 4}, 422, "stems"),
        (NEURALSPACE, {"fileId": [1]}, 422, "fileId"),
        (NEURALSPACE, {"stems": 4}, 422, "stems"),
    ],
)
def test_options_of_wrong_types_out_of_range_contradictory_or_unsupported(
    program, surface, options, status, member, keyed
):
    asked = program(surface).send("post", surface.work, surface.body(keyed.uuid) | options)
    assert refused(surface, asked) == (status, member)
    assert not Job.objects.exists()


# --- links, which Timbr and NeuralSpace do not take


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.wav", "http://[::1]/a.wav", "http://169.254.169.254/latest"])
def test_a_private_url(program, url):
    for surface, told in ((AUDIOPOD, "URL_NOT_ALLOWED"), (PYANNOTEAI, "url")):
        assert refused(surface, program(surface).send("post", surface.work, {"url": url})) == (400, told)
    assert not Job.objects.exists()


@pytest.fixture
def server(loopback_allowed: None) -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def told_of_links(program: Callable[[Surface], VendorProgram], url: str, end: Callable[[Job], object]) -> list[str]:
    """What AudioPod's and pyannoteAI's clients are told of a job for a link, each ended by `end`."""
    asked = [program(surface).send("post", surface.work, {"url": url}).json() for surface in (AUDIOPOD, PYANNOTEAI)]
    for _ in asked:
        end(lifecycle.claim("io", "tests"))
    ours = program(AUDIOPOD).send("get", f"speaker/jobs/{asked[0]['id']}").json()
    theirs = program(PYANNOTEAI).send("get", f"jobs/{asked[1]['jobId']}").json()
    assert (ours["status"], theirs["status"]) == ("FAILED", "failed")
    return [ours["error_code"], ours["error_message"], theirs["output"]["error"]]


@pytest.mark.parametrize(
    ("page", "code", "words"),
    [
        (None, "URL_UNREACHABLE", "The connection to 127.0.0.1 failed."),
        (answer(404), "URL_UNREACHABLE", "The server answered with status 404."),
        (answer(body=PAGE, Content_Type="text/html"), "URL_NOT_MEDIA", A_PAGE),
        (answer(body=PAGE), "URL_NOT_MEDIA", A_PAGE),
        (answer(body=LIST, Content_Type="audio/x-mpegurl"), "URL_PLAYLIST", A_LIST),
        (answer(body=LIST), "URL_PLAYLIST", A_LIST),
    ],
    ids=["unreachable", "gone", "page", "page called audio", "playlist", "playlist called audio"],
)
@pytest.mark.parametrize("extractors", [[], ["generic", "html5"]], ids=["links only", "sites too"])
def test_a_link_that_leads_to_no_recording(program, alice, server, page, code, words, extractors, settings):
    settings.EXTRACTORS = extractors
    server.pages["/talk"] = page
    url = server.url("/talk") if page else f"http://127.0.0.1:{processes.free_port()}/talk"
    told = told_of_links(program, url, lambda job: worker.carry_out(job, tasks.fetch))
    assert told == [code, words, f"Could not load audio: {words}"]
    assert ledger.available(alice) == 1_000_000


@pytest.mark.parametrize("code", ["URL_PLAYLIST", "URL_LIVE"])
def test_a_playlist_or_a_live_stream_of_a_site(program, code):
    """How they are found out is tested where sites are asked."""
    error = JobError(code)
    told = told_of_links(program, "https://example.org/watch", lambda job: lifecycle.fail(job, error))
    assert told == [code, error.message, f"Could not load audio: {error.message}"]
