"""Webhook endpoints and their log as programs handle them, up to a receiver that verifies what comes."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import standardwebhooks

from accounts.models import IdempotentRequest
from jobs import delivery, lifecycle, webhooks
from jobs.errors import JobError
from jobs.models import Job, WebhookDelivery, WebhookEndpoint
from tests.api.programs import Program
from tests.api.test_schema import conforms
from tests.receiving import answer

ENDPOINTS = "webhooks/endpoints"
UNKNOWN = "0b7c2f0e-4c53-4c0a-9f0e-5f2f5b9a7f11"


@pytest.fixture
def endpoint(api, receiver) -> dict[str, Any]:
    made = api.send("post", ENDPOINTS, {"url": receiver.url, "description": "Production"})
    assert made.status_code == 201, made.content
    return made.json()


@pytest.fixture
def document(nobody) -> dict:
    return nobody.get("/api/v1/schema").json()


def send_due() -> None:
    while claimed := delivery.claim():
        delivery.send(claimed)


def error(answer: Any) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("error_code") or body.get("code") or body["detail"]


def test_a_new_endpoint_is_as_audiopod_describes_it_and_its_secret_is_shown_once(api, endpoint, receiver):
    assert endpoint["secret"].startswith("whsec_")
    assert endpoint["events"] == ["job.completed", "job.failed", "job.cancelled"]
    assert (endpoint["url"], endpoint["active"], endpoint["description"]) == (receiver.url, True, "Production")
    without_secret = {name: value for name, value in endpoint.items() if name != "secret"}
    assert api.send("get", ENDPOINTS).json() == [without_secret]
    assert api.send("get", f"{ENDPOINTS}/{endpoint['id']}").json() == without_secret


def test_a_jobs_end_arrives_and_verifies_with_the_secret_that_was_shown(api, endpoint, receiver, queued):
    api.send("post", f"speaker/jobs/{queued.number}/cancel")
    send_due()
    [request] = receiver.received
    event = standardwebhooks.Webhook(endpoint["secret"]).verify(request.body, request.headers)
    assert (event["event_type"], event["job_id"]) == ("job.cancelled", queued.number)
    [logged] = api.send("get", f"{ENDPOINTS}/{endpoint['id']}/deliveries").json()
    assert (logged["status"], logged["attempts"], logged["response_code"]) == ("delivered", 1, 200)
    assert (logged["response_body"], logged["payload"]) == ("thanks", request.body.decode())


@pytest.mark.parametrize("path", ["speaker/extract", "speaker/diarize"])
def test_a_job_can_name_an_address_of_its_own(api, upload, receiver, path):
    job = upload(path, webhook_url=f"{receiver.url}/mine").json()
    secret = api.send("post", "webhooks/secret").json()["secret"]
    api.send("post", f"speaker/jobs/{job['id']}/cancel")
    send_due()
    [request] = receiver.received
    assert request.path == "/hook/mine"
    assert standardwebhooks.Webhook(secret).verify(request.body, request.headers)["job_id"] == job["id"]


@pytest.mark.parametrize("url", ["http://127.0.0.1/hook", "http://10.1.2.3/", "ftp://example.org/", "hook"])
def test_an_address_that_is_not_public_is_refused(api, upload, url):
    refusals = {(400, "URL_NOT_ALLOWED"), (400, "INVALID_URL")}
    assert error(upload(webhook_url=url)) in refusals
    assert error(api.send("post", ENDPOINTS, {"url": url})) in refusals
    assert not Job.objects.exists()
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": "https://example.org/" + "a" * 2000}, "url"),
        ({"url": "https://example.org", "events": []}, "events"),
        ({"url": "https://example.org", "events": ["narration.review_required"]}, "events"),
        ({"url": "https://example.org", "events": "job.completed"}, "events"),
        ({"url": "https://example.org", "description": "a" * 201}, "description"),
    ],
)
def test_wrong_fields_are_named(api, body, field):
    refused = api.send("post", ENDPOINTS, body)
    assert error(refused) == (422, "INVALID_OPTION")
    assert refused.json()["details"]["field"] == field


def test_endpoints_are_changed_switched_off_and_on_and_deleted(api, endpoint, queued):
    path = f"{ENDPOINTS}/{endpoint['id']}"
    changes = {"url": "https://example.org/new", "events": ["job.failed"], "description": ""}
    assert api.send("patch", path, changes).json() == {
        "id": endpoint["id"],
        "active": True,
        "inactive_reason": None,
        "created_at": endpoint["created_at"],
        **changes,
    }
    off = api.send("patch", path, {"active": False}).json()
    assert (off["active"], off["inactive_reason"], off["url"]) == (False, "owner", "https://example.org/new")
    assert error(api.send("post", f"{path}/test")) == (409, "WEBHOOK_OFF")
    assert api.send("patch", path, {"active": True}).json()["active"]
    assert error(api.send("patch", path, {"url": "http://10.0.0.1/"})) == (400, "URL_NOT_ALLOWED")
    assert api.send("delete", path).status_code == 204
    assert error(api.send("get", path)) == (404, "Webhook endpoint not found or access denied")


def test_a_test_can_be_sent_and_its_outcome_looked_up(api, endpoint, receiver):
    receiver.script = [answer(500, b"broken")]
    sent = api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test").json()
    assert (sent["event_type"], sent["status"], sent["attempts"]) == ("webhook.test", "pending", 0)
    assert error(api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test")) == (409, "DELIVERY_UNDER_WAY")
    send_due()
    path = f"{ENDPOINTS}/{endpoint['id']}/deliveries"
    [logged] = api.send("get", path).json()
    assert (logged["id"], logged["status"], logged["error"]) == (sent["id"], "failed", "http_error")
    assert (logged["response_code"], logged["response_body"]) == (500, "broken")
    assert api.send("get", f"{path}?status=delivered").json() == []
    assert error(api.send("get", f"{path}?status=lost")) == (422, "INVALID_OPTION")


def test_a_delivery_is_sent_again(api, endpoint, receiver):
    sent = api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test").json()
    send_due()
    again = api.send("post", f"webhooks/deliveries/{sent['id']}/redeliver").json()
    assert (again["status"], again["completed_at"]) == ("pending", None)
    send_due()
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert len(receiver.received) == 2
    assert error(api.send("post", f"webhooks/deliveries/{UNKNOWN}/redeliver")) == (
        404,
        "Delivery not found or access denied",
    )


def test_a_new_secret_is_shown_once_and_the_old_one_signs_along(api, endpoint, receiver):
    changed = api.send("post", f"{ENDPOINTS}/{endpoint['id']}/secret")
    assert changed["Cache-Control"] == "no-store"
    assert set(changed.json()) == {"secret", "previous_secret_until"}
    api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test")
    send_due()
    [request] = receiver.received
    for secret in (endpoint["secret"], changed.json()["secret"]):
        assert standardwebhooks.Webhook(secret).verify(request.body, request.headers)


def test_errors_of_addresses_that_audiopod_does_not_have_are_problems(api):
    refused = api.send("post", f"{ENDPOINTS}/{UNKNOWN}/secret")
    assert (refused["Content-Type"], refused.json()["code"]) == ("application/problem+json", "WEBHOOK_NOT_FOUND")


def test_repetitions_get_the_first_answer_with_its_secret_which_is_stored_nowhere(api, receiver):
    def twice(path: str, body: Any = None) -> dict[str, Any]:
        answers = [api.send("post", path, body, headers={"Idempotency-Key": path}) for _ in range(2)]
        assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
        assert answers[0].json() == answers[1].json()
        return answers[0].json()

    made = twice(ENDPOINTS, {"url": receiver.url})
    assert WebhookEndpoint.objects.count() == 1
    path = f"{ENDPOINTS}/{made['id']}"
    changed = twice(f"{path}/secret")
    assert WebhookEndpoint.objects.get().secret_version == 2
    twice(f"{path}/test")
    stored = repr(list(IdempotentRequest.objects.values_list("body", flat=True)))
    assert made["secret"] not in stored
    assert changed["secret"] not in stored


def test_an_account_has_so_many_endpoints_and_no_more(api, endpoint, alice, monkeypatch):
    monkeypatch.setattr(webhooks, "MOST_ENDPOINTS", 1)
    assert error(api.send("post", ENDPOINTS, {"url": "https://example.org"})) == (409, "TOO_MANY_WEBHOOKS")


def test_others_do_not_see_what_is_delivered(bob, key_of, api, endpoint):
    sent = api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test").json()
    bobs = Program(key_of(bob))
    assert bobs.send("get", ENDPOINTS).json() == []
    assert bobs.send("post", f"webhooks/deliveries/{sent['id']}/redeliver").status_code == 404


def test_what_was_sent_anywhere_is_listed_by_job(api, bobs, upload, endpoint, receiver):
    first, second = (upload(webhook_url=f"{receiver.url}/mine").json()["id"] for _ in range(2))
    for job in (first, second):
        api.send("post", f"speaker/jobs/{job}/cancel")
    send_due()
    listed = api.send("get", f"webhooks/deliveries?job_id={second}&status=delivered").json()["items"]
    assert {(row["job_id"], row["endpoint_id"]) for row in listed} == {(second, None), (second, endpoint["id"])}
    page = api.send("get", "webhooks/deliveries?limit=3").json()
    rest = api.send("get", f"webhooks/deliveries?limit=3&cursor={page['next_cursor']}").json()
    assert (len(page["items"]), len(rest["items"]), rest["next_cursor"]) == (3, 1, None)
    assert len({row["id"] for row in page["items"] + rest["items"]}) == 4
    assert api.send("get", "webhooks/deliveries?cursor=x").json()["code"] == "INVALID_OPTION"
    assert api.send("get", f"webhooks/deliveries?job_id={10**30}").json()["code"] == "INVALID_OPTION"
    assert bobs.send("get", f"webhooks/deliveries?job_id={second}").json()["items"] == []


def test_what_is_sent_is_as_described(document, endpoint, receiver, queued, api):
    lifecycle.fail(lifecycle.claim("engine", "tests"), JobError("PROCESSING_FAILED"))
    api.send("post", f"{ENDPOINTS}/{endpoint['id']}/test")
    send_due()
    described = document["webhooks"]["event"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    closed = json.loads(json.dumps(document["components"]))
    closed["schemas"]["EventBody"]["additionalProperties"] = False
    for request in receiver.received:
        jsonschema.validate(json.loads(request.body), {**described, "components": closed})
    assert len(receiver.received) == 2


def test_answers_are_as_described(api, document, endpoint, queued, receiver):
    lifecycle.cancel(queued)
    send_due()
    base, one = "/api/v1/webhooks/endpoints", "/api/v1/webhooks/endpoints/{endpoint}"
    path = f"{ENDPOINTS}/{endpoint['id']}"
    conforms(document, base, "post", api.send("post", ENDPOINTS, {"url": receiver.url}))
    conforms(document, base, "post", api.send("post", ENDPOINTS, {}))
    conforms(document, base, "get", api.send("get", ENDPOINTS))
    conforms(document, one, "get", api.send("get", path))
    conforms(document, one, "get", api.send("get", f"{ENDPOINTS}/{UNKNOWN}"))
    conforms(document, one, "patch", api.send("patch", path, {"events": ["webhook.test"]}))
    conforms(document, f"{one}/test", "post", api.send("post", f"{path}/test"))
    conforms(document, f"{one}/test", "post", api.send("post", f"{path}/test"))
    conforms(document, f"{one}/deliveries", "get", api.send("get", f"{path}/deliveries"))
    conforms(document, f"{one}/secret", "post", api.send("post", f"{path}/secret"))
    conforms(document, "/api/v1/webhooks/deliveries", "get", api.send("get", "webhooks/deliveries"))
    conforms(document, "/api/v1/webhooks/secret", "post", api.send("post", "webhooks/secret"))
    delivered = WebhookDelivery.objects.get(state="delivered")
    redeliver = "/api/v1/webhooks/deliveries/{delivery}/redeliver"
    conforms(document, redeliver, "post", api.send("post", f"webhooks/deliveries/{delivered.uuid}/redeliver"))
