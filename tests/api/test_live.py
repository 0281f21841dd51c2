"""The running product, used as its users do: through AudioPod's SDK, with curl and over plain sockets."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import audiopod
import httpx
import pytest
from audiopod.exceptions import APIError, AuthenticationError, InsufficientBalanceError

from tests.serving import Soloist

SPEAKERS = 2  # in the sample
PRICE = 165  # its 30 s at 5.5
# The SDK leaves the files it uploads for Python to close.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <_io:pytest.PytestUnraisableExceptionWarning")
DONE = ("COMPLETED", "FAILED", "CANCELLED")


@pytest.fixture(scope="module")
def key(soloist: Soloist) -> str:
    return soloist.account("live@example.org")


@pytest.fixture
def sdk(soloist: Soloist, key: str) -> Iterator[audiopod.Client]:
    with audiopod.Client(api_key=key, base_url=soloist.url) as client:
        yield client


@pytest.fixture
def http(soloist: Soloist, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{soloist.url}/api/v1/", headers={"X-API-Key": key}, trust_env=False) as client:
        yield client


def finished(http: httpx.Client, job: int, seconds: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while True:
        body = http.get(f"jobs/{job}").raise_for_status().json()
        if body["status"] in DONE:
            return dict(body)
        assert time.monotonic() < deadline, body
        time.sleep(1)


def test_the_sdk_gets_each_speaker_of_the_sample_alone(soloist, sample):
    with audiopod.Client(api_key=soloist.account("sync@example.org"), base_url=soloist.url) as sdk:
        assert sdk.get_user_info()["email"] == "sync@example.org"
        before = sdk.credits.get_balance()
        job = sdk.speaker.extract(audio_file=str(sample), wait_for_completion=True, timeout=240)
        assert (job["status"], job["job_type"], job["filename"]) == ("COMPLETED", "extraction", "sample.wav")
        speakers = job["result"]["speakers"]
        assert [speaker["label"] for speaker in speakers] == ["SPEAKER_0", "SPEAKER_1"]
        for speaker in speakers:
            track = httpx.get(speaker["download_url"]).raise_for_status()
            assert track.content[:4] == b"RIFF"
            assert len(track.content) == pytest.approx(sample.stat().st_size, rel=0.01)
        rttm = next(file for file in job["result"]["files"] if file["type"] == "rttm")
        lines = httpx.get(rttm["download_url"]).text.splitlines()
        assert len(lines) == len(job["result"]["timeline"])
        assert all(line.startswith("SPEAKER ") for line in lines)
        sure = next(file for file in job["result"]["files"] if file["type"] == "confidence")
        grid = httpx.get(sure["download_url"]).json()
        assert (grid["resolution"], len(grid["score"])) == (0.02, 1500)
        assert all(0 <= turn["confidence"] <= 100 for turn in job["result"]["timeline"])
        assert sdk.speaker.get_job(job["id"])["id"] == job["id"]
        listed = sdk.speaker.list_jobs()
        assert (listed["total"], listed["items"][0]["id"]) == (1, job["id"])
        after = sdk.credits.get_balance()
        assert before["credits_balance"] - after["credits_balance"] == PRICE
        assert (after["credits_held"], after["total_credits_used"]) == (0, PRICE)
        assert [entry["credits_used"] for entry in sdk.credits.get_usage_history()] == [PRICE]
        assert sdk.credits.get_multipliers()["speaker_extraction"] == 330
        assert sdk.speaker.delete_job(job["id"]) == {}
        assert httpx.get(speakers[0]["download_url"]).status_code == 404
        with pytest.raises(APIError, match="Job not found or access denied"):
            sdk.speaker.get_job(job["id"])


async def test_the_asynchronous_sdk_gets_who_spoke_when(soloist, sample):
    key = await asyncio.to_thread(soloist.account, "async@example.org")
    async with audiopod.AsyncClient(api_key=key, base_url=soloist.url) as sdk:
        job = await sdk.speaker.diarize(
            audio_file=str(sample), num_speakers=SPEAKERS, wait_for_completion=True, timeout=240
        )
        assert (job["status"], job["options"]["num_speakers"]) == ("COMPLETED", SPEAKERS)
        result = job["result"]
        assert result["num_speakers"] == SPEAKERS
        assert {turn["speaker"] for turn in result["timeline"]} == {"SPEAKER_00", "SPEAKER_01"}
        assert sum(speaker["total_speaking_time"] for speaker in result["speakers"]) > 10
        assert (await sdk.speaker.list_jobs(limit=1))["items"][0]["id"] == job["id"]
        assert (await sdk.credits.get_balance())["total_credits_used"] == PRICE
        assert (await sdk.get_user_info())["username"] == "async@example.org"
        assert await sdk.speaker.delete_job(job["id"]) == {}


def test_the_sdk_submits_urls_as_forms(sdk):
    for submit in (sdk.speaker.extract, sdk.speaker.diarize):
        job = submit(url="https://example.invalid/talk.wav")
        assert (job["source_url"], job["display_name"]) == ("https://example.invalid/talk.wav", "talk.wav")
        sdk.speaker.delete_job(job["id"])


def test_the_sdk_understands_our_refusals(soloist, sdk, recording, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("Nobody speaks here.\n" * 100)
    with pytest.raises(APIError, match="Invalid file type"):
        sdk.speaker.extract(audio_file=str(text))
    with pytest.raises(APIError, match="Provide either a file or a URL, not both"):
        sdk.speaker.extract(audio_file=str(recording), url="https://example.org/a.wav")
    stranger = audiopod.Client(api_key="ap_nobodys", base_url=soloist.url)
    with stranger, pytest.raises(AuthenticationError, match="Invalid API key"):
        stranger.credits.get_balance()
    poor = audiopod.Client(api_key=soloist.account("poor@example.org", credits=10), base_url=soloist.url)
    with poor, pytest.raises(InsufficientBalanceError, match="Required: 17, Available: 10"):
        poor.speaker.extract(audio_file=str(recording))


def test_curl_uploads_as_in_the_documentation(soloist, key, http, recording):
    command = [
        "curl",
        "--silent",
        "--fail-with-body",
        f"{soloist.url}/api/v1/speaker/extract",
        "-H",
        f"X-API-Key: {key}",
    ]
    done = subprocess.run(
        [*command, "-F", f"file=@{recording}", "-F", "num_speakers=1"], capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stdout
    job = httpx.Response(200, content=done.stdout).json()
    assert (job["status"], job["options"]["num_speakers"]) == ("PENDING", 1)
    http.delete(f"speaker/jobs/{job['id']}").raise_for_status()


def test_a_recording_without_speech_ends_with_a_reason_and_costs_nothing(http, recording):
    before = http.get("credits").json()
    with recording.open("rb") as file:
        job = http.post("speaker/extract", files={"file": file}).raise_for_status().json()
    ended = finished(http, job["id"])
    assert (ended["status"], ended["error_code"]) == ("FAILED", "PROCESSING_FAILED")
    assert ended["error_details"]["reason"]
    assert http.get("credits").json() == before


def test_a_body_of_unannounced_length_is_read_like_any_other(http, recording):
    def chunks() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        yield recording.read_bytes()
        yield b"\r\n--b--\r\n"

    answer = http.post("speaker/extract", content=chunks(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 200, answer.text
    http.delete(f"speaker/jobs/{answer.json()['id']}").raise_for_status()


def test_an_upload_that_is_cut_off_starts_nothing(soloist, key, http, recording):
    total = http.get("speaker/jobs").json()["total"]
    host, port = soloist.url.removeprefix("http://").split(":")
    head = (
        f"POST /api/v1/speaker/extract HTTP/1.1\r\nHost: {host}:{port}\r\nX-API-Key: {key}\r\n"
        "Content-Length: 100000\r\nContent-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
        'Content-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    )
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head.encode() + recording.read_bytes()[:50_000])
    time.sleep(1)
    assert http.get("speaker/jobs").json()["total"] == total
    assert not any((soloist.data_dir / "scratch").iterdir())


def test_an_upload_costs_the_server_no_more_memory_than_its_size(soloist, http):
    size = 100_000_000
    peak = most_resident(soloist.web.pid)
    answer = http.post("media", files={"file": ("noise.wav", bytes(size))}, timeout=60)
    assert answer.status_code == 400  # a file of zeros is no recording
    assert most_resident(soloist.web.pid) - peak < 1.2 * size


def test_an_address_that_is_too_long_is_told(http):
    for length in (8_001, 60_000):
        answer = http.get("speaker/jobs", params={"status": "x" * length})
        assert (answer.status_code, answer.json()["error_code"]) == (414, "ADDRESS_TOO_LONG")


def test_a_malformed_form_is_told(http):
    answer = http.post("media", content=b"--b--\r\n", headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "MISSING_INPUT")


def test_parts_of_a_file_come_from_the_running_server(http, soloist, recording, sdk):
    with recording.open("rb") as file:
        job = http.post("speaker/diarize", files={"file": file}).raise_for_status().json()
    link = soloist.manage(
        "shell", "--no-imports", "-c",
        "from jobs import downloads; from jobs.models import Job; "
        f"print(downloads.media_url(Job.objects.get(pk={job['id']}).media))",
    ).strip()  # fmt: skip
    whole = httpx.get(soloist.url + link)
    part = httpx.get(soloist.url + link, headers={"Range": "bytes=40000-49999"})
    head = httpx.head(soloist.url + link)
    assert whole.content == recording.read_bytes()
    assert (part.status_code, part.content) == (206, recording.read_bytes()[40_000:50_000])
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(len(whole.content)))
    http.delete(f"speaker/jobs/{job['id']}").raise_for_status()


def test_a_client_that_does_not_read_on_costs_the_server_no_memory(soloist):
    assert soloist.web is not None
    large = soloist.data_dir / "media" / "large" / "recording"
    large.parent.mkdir(parents=True)
    with large.open("wb") as file:
        file.truncate(200 << 20)
    link = soloist.manage(
        "shell", "--no-imports", "-c",
        "from accounts.models import User; from jobs import downloads; from jobs.models import Media; "
        "print(downloads.media_url(Media.objects.create(owner=User.objects.first(), file='large/recording', "
        "name='large.wav', bytes=1, seconds=1, container='wav', codec='', sample_rate=1, channels=1)))",
    ).strip()  # fmt: skip
    host, port = soloist.url.removeprefix("http://").split(":")
    before = resident(soloist.web.pid)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {link} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        assert connection.recv(12) == b"HTTP/1.1 200"
        time.sleep(2)
        assert resident(soloist.web.pid) - before < 30 << 20
        assert str(large) in open_files(soloist.web.pid)
    time.sleep(1)
    assert str(large) not in open_files(soloist.web.pid)
    large.unlink()


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return memory(process, "VmRSS")


def most_resident(process: int) -> int:
    """Bytes of memory that it held at most."""
    return memory(process, "VmHWM")


def memory(process: int, figure: str) -> int:
    [line] = [line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith(figure)]
    return int(line.split()[1]) * 1024


def open_files(process: int) -> list[str]:
    return [str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir() if link.is_symlink()]


def test_the_rate_limit_holds_on_the_running_server(soloist):
    key = soloist.account("busy@example.org")
    with httpx.Client(base_url=soloist.url, headers={"X-API-Key": key}, trust_env=False) as busy:
        answers = [busy.get("/api/v1/credits/multipliers") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    assert answers[-1].json() == {"detail": "Rate limit exceeded. Try again later."}
