"""The account's pages about webhooks, without JavaScript."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import standardwebhooks
from django.test import Client

from tests.receiving import answer

if TYPE_CHECKING:
    from jobs.models import WebhookEndpoint

pytestmark = pytest.mark.django_db
PAGE = "/account/webhooks"
FORM = {"description": "Production", "events": ["job.completed", "job.cancelled"]}


@pytest.fixture
def endpoint(alice, receiver) -> WebhookEndpoint:
    from jobs import webhooks

    return webhooks.create(alice, receiver.url, ["job.completed", "job.cancelled"])


def send_due() -> None:
    from jobs import delivery

    while claimed := delivery.claim():
        delivery.send(claimed)


def secret_in(answer) -> str:
    found = re.search(r"whsec_[\w+/=]+", answer.content.decode())
    assert found
    assert "no-store" in answer["Cache-Control"]
    return found[0]


def text(browser: Client, page: str) -> str:
    answer = browser.get(page, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_endpoint_is_made_and_its_secret_shown_once(alices, alice, receiver):
    made = alices.post(PAGE, FORM | {"url": receiver.url}, follow=True)
    endpoint = alice.webhook_endpoints.get()
    assert made.redirect_chain == [(f"{PAGE}/{endpoint.uuid}", 302)]
    secret = secret_in(made)
    assert (endpoint.url, endpoint.description, endpoint.events) == (receiver.url, "Production", FORM["events"])
    for page in (PAGE, f"{PAGE}/{endpoint.uuid}"):
        assert "whsec_" not in text(alices, page)
        assert receiver.url in text(alices, page)
    alices.post(f"{PAGE}/{endpoint.uuid}/test")
    send_due()
    [request] = receiver.received
    assert standardwebhooks.Webhook(secret).verify(request.body, request.headers)["event_type"] == "webhook.test"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"url": "http://127.0.0.1/hook"}, "This address does not lead to a public server."),
        ({"url": "hook"}, "This is not an http or https address."),
        ({"url": ""}, "This field is required."),
        ({"url": "https://example.org", "events": []}, "Choose at least one event."),
    ],
)
def test_a_form_that_cannot_be_used_says_why(alices, alice, form, told):
    refused = alices.post(PAGE, FORM | form)
    assert refused.status_code == 422
    assert told in refused.content.decode()
    assert not alice.webhook_endpoints.exists()


def test_too_many_endpoints_are_refused_in_the_form(alices, endpoint, monkeypatch):
    monkeypatch.setattr("jobs.webhooks.MOST_ENDPOINTS", 1)
    refused = alices.post(PAGE, FORM | {"url": "https://example.org"})
    assert refused.status_code == 422
    assert "as many webhook endpoints as an account may have" in refused.content.decode()


def test_the_log_tells_what_became_of_each_delivery_and_looks_again_by_itself(alices, endpoint, receiver, queued):
    from jobs import lifecycle, webhooks

    page = f"{PAGE}/{endpoint.uuid}"
    assert "Nothing yet" in text(alices, page)
    receiver.script = [answer(500, b"<script>alert()</script>")]
    lifecycle.cancel(queued)
    shown = text(alices, page)
    assert "On its way" in shown
    assert 'http-equiv="refresh"' in shown
    send_due()
    assert "It answered 500. Tried again in" in text(alices, page)
    assert "<script>alert" not in text(alices, page)
    webhooks.test(endpoint)
    send_due()
    shown = text(alices, page)
    assert "Arrived" in shown
    assert f"/jobs/{queued.uuid}" in shown


def test_a_page_with_nothing_under_way_does_not_look_again(alices, endpoint):
    alices.post(f"{PAGE}/{endpoint.uuid}/test")
    send_due()
    assert 'http-equiv="refresh"' not in text(alices, f"{PAGE}/{endpoint.uuid}")


def test_a_delivery_is_sent_again(alices, endpoint, receiver):
    alices.post(f"{PAGE}/{endpoint.uuid}/test")
    send_due()
    delivery = endpoint.deliveries.get()
    again = alices.post(f"{PAGE}/deliveries/{delivery.uuid}/redeliver")
    assert again["Location"] == f"{PAGE}/{endpoint.uuid}"
    send_due()
    assert len(receiver.received) == 2


def test_an_endpoint_is_changed_switched_off_and_on_and_deleted(alices, endpoint):
    page = f"{PAGE}/{endpoint.uuid}"
    alices.post(page, {"url": "https://example.org/new", "events": ["job.failed"], "description": ""})
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.events) == ("https://example.org/new", ["job.failed"])
    alices.post(f"{page}/switch", {"active": "off"})
    assert "Switched off by its owner" in text(alices, page)
    assert "switched off; switch it on first" in alices.post(f"{page}/test", follow=True).content.decode()
    alices.post(f"{page}/switch", {"active": "on"})
    assert "Switched off" not in text(alices, page)
    assert alices.post(f"{page}/delete")["Location"] == PAGE
    assert "is deleted" in text(alices, PAGE)


def test_a_new_secret_is_shown_once(alices, endpoint):
    secret = secret_in(alices.post(f"{PAGE}/{endpoint.uuid}/secret", follow=True))
    endpoint.refresh_from_db()
    assert endpoint.secret_version == 2
    assert secret not in text(alices, f"{PAGE}/{endpoint.uuid}")


def test_a_page_that_shows_a_secret_does_not_look_again(alices, endpoint):
    alices.post(f"{PAGE}/{endpoint.uuid}/test")
    answer = alices.post(f"{PAGE}/{endpoint.uuid}/secret", follow=True)
    assert secret_in(answer)
    assert 'http-equiv="refresh"' not in answer.content.decode()
    assert 'http-equiv="refresh"' in text(alices, f"{PAGE}/{endpoint.uuid}")


def test_single_jobs_have_a_secret_and_a_log(alices, receiver, media):
    from jobs import lifecycle, webhooks
    from jobs.options import SpeakerOptions

    secret = secret_in(alices.post(f"{PAGE}/jobs/secret", follow=True))
    job = lifecycle.submit(media, "extraction", SpeakerOptions(), webhook=webhooks.for_job(receiver.url))
    lifecycle.cancel(job)
    send_due()
    shown = text(alices, f"{PAGE}/jobs")
    assert receiver.url in shown
    assert "Arrived" in shown
    [request] = receiver.received
    standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    delivery = job.webhook_deliveries.get()
    assert alices.post(f"{PAGE}/deliveries/{delivery.uuid}/redeliver")["Location"] == f"{PAGE}/jobs"


def test_others_find_nothing_of_it(bobs, endpoint):
    from jobs import webhooks

    delivery = webhooks.test(endpoint)
    page = f"{PAGE}/{endpoint.uuid}"
    assert bobs.get(page).status_code == 404
    for verb in ("", "/test", "/switch", "/secret", "/delete"):
        assert bobs.post(f"{page}{verb}").status_code == 404
    assert bobs.post(f"{PAGE}/deliveries/{delivery.uuid}/redeliver").status_code == 404
    assert endpoint.url not in text(bobs, PAGE)
