"""The curl examples of NeuralSpace's and Timbr's own documents against the running product, as they stand there but for
the host, what is in angle brackets and, where NeuralSpace leaves it out, the token."""

from __future__ import annotations

import json
import os
import subprocess
import time
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.serving import Soloist

SECONDS = 12
NEURALSPACE = {
    "upload": """curl --location --request POST 'https://platform.neuralspace.ai/api/file/upload' \\
--header 'Authorization: <ACCESS-TOKEN>' \\
--form 'files=@"<PATH-TO-YOUR-FILE>"'""",
    "file": """curl --location --request GET 'https://platform.neuralspace.ai/api/file?fileId=<FILE-ID>' \\
--header 'Authorization: <ACCESS-TOKEN>' \\
--data-raw ''""",
    "download": """curl --location --request GET 'https://platform.neuralspace.ai/api/file/download?fileId=<FILE-ID>' \\
--header 'Authorization: <ACCESS-TOKEN>'""",
    "delete": """curl --location --request DELETE 'https://platform.neuralspace.ai/api/file?fileId=<FILE-ID>' \\
--header 'authorization: <ACCESS-TOKEN>'""",
    "extract": """curl --location --request POST 'https://platform.neuralspace.ai/api/voice-extractor/v1/extract' \\
--header 'Authorization;' \\
--header 'Content-Type: application/json' \\
--data-raw '{
"fileId": "<YOUR-FILE-ID>"
}'""",
    "extract task": """curl --location --request GET \\
'https://platform.neuralspace.ai/api/voice-extractor/v1/task?taskId=<YOUR-VOICE-EXTRACTION-TASK-ID>' \\
--header 'Authorization: <ACCESS-TOKEN>'""",
    "identify": """curl --location --request POST \\
'https://platform.neuralspace.ai/api/speaker-identification/v1/indentify/speakers' \\
--header 'Authorization;' \\
--header 'Content-Type: application/json' \\
--data-raw '{
"fileId": "<YOUR-FILE-ID>"
}'""",
    "identify task": """curl --location --request GET 'https://platform.neuralspace.ai/api/speaker-identification/v1/\\
task/status?taskId=<YOUR-SPEAKER-IDENTIFICATION-TASK-ID>' \\
--header 'Authorization: <ACCESS-TOKEN>'""".replace("\\\ntask", "task"),
}
TIMBR_UPLOAD = """curl -X PUT "$upload_url" \\
    -H "x-goog-if-generation-match: 0" \\
    --data-binary @your_audio.wav"""


@pytest.fixture
def key(soloist: Soloist, request: pytest.FixtureRequest) -> str:
    return soloist.account(f"{request.node.name}@example.org")


@pytest.fixture(scope="module")
def folder(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where there is `your_audio.wav`: the beginning of the sample, with its two speakers."""
    folder = tmp_path_factory.mktemp("curl")
    with wave.open(str(sample)) as source, wave.open(str(folder / "your_audio.wav"), "wb") as out:
        out.setparams(source.getparams())
        out.writeframes(source.readframes(SECONDS * source.getframerate()))
    return folder


def shell(script: str, folder: Path, **variables: str) -> bytes:
    environment = {**os.environ, "no_proxy": "*", **variables}
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{script}\n{done.stderr.decode()}"
    return done.stdout


def test_neuralspaces_examples(soloist: Soloist, key: str, folder: Path) -> None:
    def run(example: str, **places: str) -> bytes:
        script = NEURALSPACE[example].replace("https://platform.neuralspace.ai", f"{soloist.url}/neuralspace")
        script = script.replace("'Authorization;'", f"'Authorization: {key}'").replace("<ACCESS-TOKEN>", key)
        for place, value in places.items():
            script = script.replace(f"<{place.replace('_', '-')}>", value)
        assert "<" not in script, script
        return shell(script, folder)

    def data(example: str, **places: str) -> dict[str, Any]:
        told = json.loads(run(example, **places))
        assert told["success"], told
        return dict(told["data"])

    def completed(example: str, **places: str) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while (task := data(example, **places))["jobStatus"] not in ("Completed", "Failed"):
            assert time.monotonic() < deadline, task
            time.sleep(0.7)
        assert task["jobStatus"] == "Completed", task
        return task

    file = data("upload", PATH_TO_YOUR_FILE="your_audio.wav")["fileId"]
    assert data("file", FILE_ID=file)["metadata"] == {"audioDuration": SECONDS}
    task = data("extract", YOUR_FILE_ID=file)["taskId"]
    speakers = data("identify", YOUR_FILE_ID=file)["taskId"]
    output = completed("extract task", YOUR_VOICE_EXTRACTION_TASK_ID=task)["results"]["output"]
    original = (folder / "your_audio.wav").stat().st_size
    for stem in ("vocal_file_id", "instrument_file_id"):
        sound = run("download", FILE_ID=output[stem])
        assert (sound[:4], len(sound)) == (b"RIFF", pytest.approx(original, abs=200))
    found = completed("identify task", YOUR_SPEAKER_IDENTIFICATION_TASK_ID=speakers)
    assert found["results"][0]["user"] == "1"
    assert all(0 <= turn["start"] < turn["stop"] <= SECONDS for turn in found["results"])
    assert found["fileDuration"] == SECONDS
    unused = data("upload", PATH_TO_YOUR_FILE="your_audio.wav")["fileId"]
    assert data("delete", FILE_ID=unused) == {"fileId": unused}


def test_timbrs_workflow(soloist: Soloist, key: str, folder: Path) -> None:
    """POST /v1/upload, PUT, start, poll, download."""
    headers = {"Authorization": key}
    options: dict[str, dict[str, Any]] = {
        "separate": {"sample_rate": 16_000},
        "enhance": {},
        "diarize": {"num_speakers": 2, "transcribe_model": None},
    }
    with httpx.Client(base_url=f"{soloist.url}/timbr/v1", headers=headers, trust_env=False) as http:
        place = http.post("/upload").raise_for_status().json()
        shell(f"{TIMBR_UPLOAD} --fail-with-body", folder, upload_url=place["upload_url"])
        file = {"file_id": place["file_id"]}
        asked = {work: http.post(f"/audio/{work}", json=file | more) for work, more in options.items()}
        jobs = {work: answer.raise_for_status().json()["job_id"] for work, answer in asked.items()}
        deadline = time.monotonic() + 120
        while len(http.get("/jobs", params={"status": "completed"}).json()["jobs"]) < len(jobs):
            assert time.monotonic() < deadline
            time.sleep(0.7)
        done = {work: http.get(f"/jobs/{job}").json() for work, job in jobs.items()}
    assert {(job["status"], job["cost"]) for job in done.values()} == {("completed", SECONDS)}
    results = {name: url for job in done.values() for name, url in job["result"].items()}
    for name in ("speech", "me", "enhanced"):
        sound = httpx.get(results[name]).raise_for_status().content
        assert (sound[:4], len(sound)) == (b"RIFF", pytest.approx(2 * 16_000 * SECONDS, abs=200))
    subtitles = httpx.get(results["timbr"]).raise_for_status().text
    assert subtitles.startswith("1\n00:00:")
    assert "SPEAKER_01" in subtitles
