"""Every route of the API, tried by its owner, by another user, by nobody and with a revoked key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import APIKey
from jobs import lifecycle, uploads, voiceprints, webhooks
from jobs.models import Job, Media, Upload, Voiceprint, WebhookDelivery
from jobs.options import DenoisingOptions, StemsOptions, TranscriptionOptions
from tests.api.programs import Program

URL = {"url": "https://example.org/a.wav"}
OWN, OPEN, EVERYBODYS = "own", "open", "everybody's"

# Whose things an operation is about, and what the owner gets. A new route has to be entered here.
ACCESS: dict[tuple[str, str], tuple[str, int]] = {
    ("/api/v1/auth/token", "post"): (OPEN, 422),
    ("/api/v1/auth/refresh", "post"): (OPEN, 422),
    ("/api/v1/auth/me", "get"): (EVERYBODYS, 200),
    ("/api/v1/auth/me", "patch"): (EVERYBODYS, 200),
    ("/api/v1/auth/api-keys", "get"): (EVERYBODYS, 200),
    ("/api/v1/auth/api-keys", "post"): (EVERYBODYS, 422),
    ("/api/v1/auth/api-keys/{key_id}", "delete"): (OWN, 204),
    ("/api/v1/credits", "get"): (EVERYBODYS, 200),
    ("/api/v1/credits/usage", "get"): (EVERYBODYS, 200),
    ("/api/v1/credits/multipliers", "get"): (EVERYBODYS, 200),
    ("/api/v1/speaker/extract", "post"): (EVERYBODYS, 200),
    ("/api/v1/speaker/diarize", "post"): (EVERYBODYS, 200),
    ("/api/v1/speaker/identify", "post"): (EVERYBODYS, 400),
    ("/api/v1/voiceprints", "get"): (EVERYBODYS, 200),
    ("/api/v1/voiceprints", "post"): (EVERYBODYS, 422),
    ("/api/v1/voiceprints/{voiceprint}", "get"): (OWN, 200),
    ("/api/v1/voiceprints/{voiceprint}", "patch"): (OWN, 422),
    ("/api/v1/voiceprints/{voiceprint}", "delete"): (OWN, 204),
    ("/api/v1/speaker/jobs", "get"): (EVERYBODYS, 200),
    ("/api/v1/speaker/jobs/{job_id}", "get"): (OWN, 200),
    ("/api/v1/speaker/jobs/{job_id}", "delete"): (OWN, 204),
    ("/api/v1/speaker/jobs/{job_id}/retry", "post"): (OWN, 200),
    ("/api/v1/speaker/jobs/{job_id}/cancel", "post"): (OWN, 200),
    ("/api/v1/speaker/jobs/{job_id}/download", "get"): (OWN, 409),
    ("/api/v1/transcription/transcribe", "post"): (EVERYBODYS, 400),
    ("/api/v1/transcription/transcribe-upload", "post"): (EVERYBODYS, 400),
    ("/api/v1/transcription/jobs", "get"): (EVERYBODYS, 200),
    ("/api/v1/transcription/jobs/{job_id}", "get"): (OWN, 200),
    ("/api/v1/transcription/jobs/{job_id}", "delete"): (OWN, 204),
    ("/api/v1/transcription/jobs/{job_id}/retry", "post"): (OWN, 200),
    ("/api/v1/transcription/jobs/{job_id}/cancel", "post"): (OWN, 200),
    ("/api/v1/transcription/jobs/{job_id}/transcript", "get"): (OWN, 409),
    ("/api/v1/transcription/jobs/{job_id}/audio/{index}", "get"): (OWN, 200),
    ("/api/v1/transcription/jobs/{job_id}/edit", "get"): (OWN, 409),
    ("/api/v1/transcription/jobs/{job_id}/edit", "put"): (OWN, 422),
    ("/api/v1/transcription/jobs/{job_id}/versions", "get"): (OWN, 409),
    ("/api/v1/denoiser/denoise", "post"): (EVERYBODYS, 200),
    ("/api/v1/denoiser/spectral/denoise", "post"): (EVERYBODYS, 200),
    ("/api/v1/denoiser/health", "get"): (EVERYBODYS, 200),
    ("/api/v1/denoiser/jobs", "get"): (EVERYBODYS, 200),
    ("/api/v1/denoiser/jobs/{job_id}", "get"): (OWN, 200),
    ("/api/v1/denoiser/jobs/{job_id}", "delete"): (OWN, 204),
    ("/api/v1/denoiser/jobs/{job_id}/retry", "post"): (OWN, 200),
    ("/api/v1/denoiser/jobs/{job_id}/cancel", "post"): (OWN, 200),
    ("/api/v1/stem-extraction/api/extract", "post"): (EVERYBODYS, 422),
    ("/api/v1/stem-extraction/extract", "post"): (EVERYBODYS, 200),
    ("/api/v1/stem-extraction/extract/advanced", "post"): (EVERYBODYS, 400),
    ("/api/v1/stem-extraction/status/{job_id}", "get"): (OWN, 200),
    ("/api/v1/stem-extraction/jobs", "get"): (EVERYBODYS, 200),
    ("/api/v1/stem-extraction/jobs/{job_id}", "get"): (OWN, 200),
    ("/api/v1/stem-extraction/jobs/{job_id}", "delete"): (OWN, 204),
    ("/api/v1/stem-extraction/modes", "get"): (OPEN, 200),
    ("/api/v1/stem-extraction/catalog", "get"): (EVERYBODYS, 200),
    ("/api/v1/stem-extraction/packages/available", "get"): (EVERYBODYS, 200),
    ("/api/v1/media", "post"): (EVERYBODYS, 400),
    ("/api/v1/media/{media}", "delete"): (OWN, 409),
    ("/api/v1/media/addresses", "post"): (EVERYBODYS, 422),
    ("/api/v1/media/put/{token}", "put"): (OPEN, 403),
    ("/api/v1/media/{media}/complete", "post"): (OWN, 200),
    ("/api/v1/uploads", "post"): (EVERYBODYS, 400),
    ("/api/v1/uploads", "options"): (OPEN, 204),
    ("/api/v1/uploads/{upload}", "head"): (OWN, 200),
    ("/api/v1/uploads/{upload}", "patch"): (OWN, 415),
    ("/api/v1/uploads/{upload}", "delete"): (OWN, 204),
    ("/api/v1/jobs", "get"): (EVERYBODYS, 200),
    ("/api/v1/jobs/batch", "post"): (EVERYBODYS, 422),
    ("/api/v1/jobs/estimate", "post"): (EVERYBODYS, 400),
    ("/api/v1/jobs/archive", "get"): (OWN, 409),
    ("/api/v1/jobs/{job_id}", "get"): (OWN, 200),
    ("/api/v1/jobs/{job_id}", "delete"): (OWN, 204),
    ("/api/v1/jobs/{job_id}/retry", "post"): (OWN, 200),
    ("/api/v1/jobs/{job_id}/cancel", "post"): (OWN, 200),
    ("/api/v1/jobs/{job_id}/events", "get"): (OWN, 200),
    ("/api/v1/jobs/{job_id}/export", "get"): (OWN, 409),
    ("/api/v1/jobs/{job_id}/turns", "get"): (OWN, 409),
    ("/api/v1/jobs/{job_id}/turns", "put"): (OWN, 409),
    ("/api/v1/jobs/{job_id}/remake", "post"): (OWN, 409),
    ("/api/v1/webhooks/endpoints", "get"): (EVERYBODYS, 200),
    ("/api/v1/webhooks/endpoints", "post"): (EVERYBODYS, 201),
    ("/api/v1/webhooks/endpoints/{endpoint}", "get"): (OWN, 200),
    ("/api/v1/webhooks/endpoints/{endpoint}", "patch"): (OWN, 200),
    ("/api/v1/webhooks/endpoints/{endpoint}", "delete"): (OWN, 204),
    ("/api/v1/webhooks/endpoints/{endpoint}/test", "post"): (OWN, 200),
    ("/api/v1/webhooks/endpoints/{endpoint}/deliveries", "get"): (OWN, 200),
    ("/api/v1/webhooks/endpoints/{endpoint}/secret", "post"): (OWN, 200),
    ("/api/v1/webhooks/deliveries", "get"): (EVERYBODYS, 200),
    ("/api/v1/webhooks/deliveries/{delivery}/redeliver", "post"): (OWN, 200),
    ("/api/v1/webhooks/secret", "post"): (EVERYBODYS, 200),
    ("/api/v1/api-wallet/balance", "get"): (EVERYBODYS, 200),
    ("/api/v1/api-wallet/pricing", "get"): (OPEN, 200),
    ("/api/v1/api-wallet/service-types", "get"): (OPEN, 200),
    ("/api/v1/api-wallet/estimate", "post"): (OPEN, 422),
    ("/api/v1/api-wallet/check-balance", "post"): (EVERYBODYS, 422),
    ("/api/v1/api-wallet/usage", "get"): (EVERYBODYS, 200),
    ("/api/v1/api-wallet/topups", "get"): (EVERYBODYS, 200),
    ("/api/v1/problems/{code}", "get"): (OPEN, 200),
    ("/api/v1/schema", "get"): (OPEN, 200),
    ("/api/v1/docs", "get"): (OPEN, 200),
}
QUERIES = {"/api/v1/jobs/{job_id}/export": "?format=rttm", "/api/v1/jobs/archive": "?ids={job_id}"}
METHODS = ("get", "post", "put", "patch", "delete")
ASIDE = ("head", "options")  # which every view has; here those that have a meaning of their own


def routes(*prefixes: str) -> dict[str, list[str]]:
    """Each path of the URLconf under one of the prefixes, with the methods that its view knows."""
    return {
        path: [method for method in METHODS if hasattr(pattern.callback.cls, method)]
        + [method for method in ASIDE if method in vars(pattern.callback.cls)]
        for path, pattern in patterns(get_resolver(), "/")
        if path.startswith(prefixes)
    }


def patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        path = prefix + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern, path)
        else:
            yield path, pattern


@pytest.fixture
def job(queued):
    """Canceled, so that it can be retried and canceled again and its owner's webhook is told; its owner has a key, a
    voiceprint, and a canceled transcription, noise reduction and stem extraction.
    """
    lifecycle.cancel(lifecycle.submit(queued.media, "transcription", TranscriptionOptions()))
    lifecycle.cancel(lifecycle.submit(queued.media, "denoising", DenoisingOptions()))
    lifecycle.cancel(lifecycle.submit(queued.media, "stems", StemsOptions()))
    webhooks.create(queued.owner, "https://example.org/hook", ["job.cancelled"])
    APIKey.issue(queued.owner, "laptop")
    uploads.create(queued.owner, 1000, "talk.wav", "")
    voiceprints.learn("Sam", queued)
    return lifecycle.cancel(queued)


def attempt(program: Program, path: str, method: str, number: int) -> int:
    body = (
        URL
        if path.endswith(("extract", "diarize", "denoise", "endpoints"))
        else {}
        if method in ("post", "patch", "put")
        else None
    )
    delivery = WebhookDelivery.objects.get()
    if path.startswith("/api/v1/transcription/"):
        number = Job.objects.get(task="transcription").number
    ids = {"job_id": number, "endpoint": delivery.endpoint.uuid, "delivery": delivery.uuid, "code": "JOB_NOT_FOUND"}
    ids["token"], ids["index"] = "forged", 0
    if "/denoiser/" in path:
        ids["job_id"] = Job.objects.filter(task="denoising").earliest("pk").number
    if "/stem-extraction/" in path:
        ids["job_id"] = Job.objects.get(task="stems").number
    ids["media"], ids["key_id"] = Media.objects.get().uuid, APIKey.objects.get(name="laptop").pk
    ids["voiceprint"] = Voiceprint.objects.get().uuid
    ids["upload"] = Upload.objects.get().uuid
    address = (path.removeprefix("/api/v1/") + QUERIES.get(path, "")).format(**ids)
    return program.send(method, address, body, headers={"Tus-Resumable": "1.0.0"}).status_code


def test_every_route_is_listed():
    assert {(path, method) for path, methods in routes("/api/v1/").items() for method in methods} == set(ACCESS)


@pytest.mark.parametrize(("path", "method"), ACCESS)
def test_owners_get_in(api, job, path, method):
    assert attempt(api, path, method, job.number) == ACCESS[path, method][1]


@pytest.mark.parametrize(("path", "method"), ACCESS)
def test_others_do_not_find_what_is_not_theirs(bobs, job, path, method):
    whose, status = ACCESS[path, method]
    assert attempt(bobs, path, method, job.number) == (404 if whose == OWN else status)


@pytest.mark.parametrize(("path", "method"), ACCESS)
def test_staff_have_no_more_rights_here(charlie, key_of, job, path, method):
    whose, status = ACCESS[path, method]
    assert attempt(Program(key_of(charlie)), path, method, job.number) == (404 if whose == OWN else status)


@pytest.mark.parametrize(("path", "method"), ACCESS)
def test_nobody_gets_in_without_credentials(nobody, job, path, method):
    whose, status = ACCESS[path, method]
    assert attempt(nobody, path, method, job.number) == (status if whose == OPEN else 401)


@pytest.mark.parametrize(("path", "method"), ACCESS)
def test_nobody_gets_in_with_a_revoked_key(api, job, path, method):
    APIKey.objects.get(name="tests").revoke()
    whose, status = ACCESS[path, method]
    assert attempt(api, path, method, job.number) == (status if whose == OPEN else 403)
