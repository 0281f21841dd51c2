"""The OpenAPI document: complete, valid, and true of what the server answers."""

from __future__ import annotations

import json
from dataclasses import asdict

import jsonschema
import pytest
from django.core.management import call_command

from audio_engine.exports import FORMATS
from audio_engine.voices import VoiceAttributes
from jobs import lifecycle
from jobs.models import Job
from jobs.options import SpeakerOptions
from tests.api.programs import succeed
from tests.api.test_access import routes


@pytest.fixture
def document(nobody) -> dict:
    return nobody.get("/api/v1/schema").json()


def test_the_document_is_made_without_a_warning(tmp_path, db):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_the_document_is_openapi_3_1_as_json_and_yaml(nobody, document):
    assert document["openapi"].startswith("3.1")
    answer = nobody.get("/api/v1/schema?format=yaml")
    assert answer.content.decode().startswith("openapi: 3.1")


def test_every_operation_is_described(document):
    served = {
        (path, method)
        for path, methods in routes("/api/v1/", "/pyannoteai/", "/timbr/", "/neuralspace/").items()
        for method in methods
    }
    served -= {("/api/v1/schema", "get"), ("/api/v1/docs", "get")}
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == served
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], (path, method)
            assert operation["tags"], (path, method)


def test_keys_and_tokens_are_described(document):
    schemes = document["components"]["securitySchemes"]
    assert (schemes["apiKey"]["name"], schemes["bearer"]["scheme"]) == ("X-API-Key", "bearer")
    assert document["paths"]["/api/v1/credits"]["get"]["security"] == [{"apiKey": []}, {"bearer": []}]


def test_examples_of_requests_and_errors_are_there(document):
    post = document["paths"]["/api/v1/speaker/extract"]["post"]
    assert set(post["requestBody"]["content"]) >= {"multipart/form-data", "application/json"}
    assert {"200", "400", "401", "402", "413", "422", "429"} <= set(post["responses"])
    assert post["responses"]["402"]["content"]["application/json"]["examples"]
    file = document["components"]["schemas"]["ExtractRequest"]["properties"]["file"]
    assert file["format"] == "binary"


def conforms(document: dict, path: str, method: str, answer) -> None:
    """Hold an answer to its schema, with no field that the schema lacks."""
    responses = document["paths"][path][method]["responses"]
    schema = responses[str(answer.status_code)]["content"][answer["Content-Type"]]["schema"]
    closed = json.loads(json.dumps(document["components"]))
    for component in closed["schemas"].values():
        if component.get("type") == "object" and "additionalProperties" not in component:
            component["additionalProperties"] = False
    jsonschema.validate(answer.json(), {**schema, "components": closed})


@pytest.mark.parametrize("task", ["extraction", "diarization"])
def test_jobs_are_as_described(api, document, media, recording, task):
    job = lifecycle.submit(media, task, SpeakerOptions())
    address = "/api/v1/speaker/jobs/{job_id}"
    conforms(document, address, "get", api.get(f"/api/v1/speaker/jobs/{job.number}"))
    succeed(job, recording)
    conforms(document, address, "get", api.get(f"/api/v1/speaker/jobs/{job.number}"))
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get(f"/api/v1/jobs/{job.number}"))
    conforms(document, "/api/v1/speaker/jobs", "get", api.get("/api/v1/speaker/jobs"))
    conforms(document, "/api/v1/credits", "get", api.get("/api/v1/credits"))
    conforms(document, "/api/v1/credits/usage", "get", api.get("/api/v1/credits/usage"))
    conforms(document, "/api/v1/credits/multipliers", "get", api.get("/api/v1/credits/multipliers"))
    conforms(document, "/api/v1/auth/me", "get", api.get("/api/v1/auth/me"))
    conforms(document, f"{address}/cancel", "post", api.post(f"/api/v1/speaker/jobs/{job.number}/cancel"))
    conforms(document, f"{address}/retry", "post", api.post(f"/api/v1/speaker/jobs/{job.number}/retry"))


@pytest.mark.parametrize("format", FORMATS)
def test_files_for_other_programs_are_as_described(api, document, finished, format):
    answer = api.get(f"/api/v1/jobs/{finished.number}/export?format={format}")
    described = document["paths"]["/api/v1/jobs/{job_id}/export"]["get"]["responses"]["200"]["content"]
    if format == "json":
        conforms(document, "/api/v1/jobs/{job_id}/export", "get", answer)
    assert described[answer["Content-Type"].partition(";")[0]]["schema"]


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/api/v1/speaker/jobs/{job_id}/download", "application/zip"),
        ("/api/v1/transcription/jobs/{job_id}/audio/{index}", "audio/*"),
        ("/neuralspace/api/file/download", "audio/*"),
        ("/timbr/v1/subtitles/{token}.srt", "application/x-subrip"),
    ],
)
def test_files_are_described_as_what_they_are_and_as_no_json(document, path, content_type):
    responses = document["paths"][path]["get"]["responses"]
    assert content_type in responses["200"]["content"]
    assert "application/json" not in responses["200"]["content"]


def test_a_job_with_voiceprints_and_attributes_of_voices_is_as_described(api, document, finished):
    voiceprints = [{"model": "resemblyzer 0.1.4", "vector": [0.6, 0.8]}, None]
    attributes = [asdict(VoiceAttributes(0, 92.0, 110.5, 143.0, "male", 93)), asdict(VoiceAttributes(1))]
    told = {"voiceprints": voiceprints, "voice_attributes": attributes}
    Job.objects.filter(pk=finished.pk).update(result=finished.result | told)
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get(f"/api/v1/jobs/{finished.number}"))


def test_refusals_are_as_described(api, document, nobody):
    extract = "/api/v1/speaker/extract"
    conforms(document, extract, "post", api.post(extract))
    conforms(document, extract, "post", api.post(extract, {"url": "https://example.org", "num_speakers": 0}))
    conforms(document, extract, "post", nobody.post(extract))
    conforms(document, "/api/v1/jobs/{job_id}", "get", api.get("/api/v1/jobs/999999"))


# --- the page


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(nobody):
    answer = nobody.get("/api/v1/docs")
    page = answer.content.decode()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in answer["Content-Security-Policy"]
    assert "//" not in page.replace("<!-- ", "")
    assert "<script>" not in page
    assert "<style>" not in page


def test_every_operation_says_how_it_refuses(document):
    """Whoever asks too often is refused everywhere, and whoever sends a body can send a wrong one."""
    free = (
        "/api/v1/api-wallet/service-types",
        "/api/v1/problems/{code}",
        "/api/v1/media/put/{token}",
        "/neuralspace/",
        "/pyannoteai/",
        "/timbr/",
    )
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if not path.startswith(free):
                assert "429" in operation["responses"], (method, path)
                assert "400" in operation["responses"] or "requestBody" not in operation, (method, path)


def test_operations_say_what_they_refuse_of_what_they_take(document):
    """A key for idempotency may be none, and a recording or whatever a path names may not be there."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            refused, taken = (
                operation["responses"],
                {parameter["name"] for parameter in operation.get("parameters", ())},
            )
            assert "400" in refused or "Idempotency-Key" not in taken, (method, path)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                fields = document["components"]["schemas"].get(content["schema"].get("$ref", "").rpartition("/")[2], {})
                assert "404" in refused or "media" not in fields.get("properties", {}), (method, path)
