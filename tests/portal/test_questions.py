"""What cannot be undone asks first: by a page of its own, whose words a dialog says where scripts run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

import pytest
from django.test import Client

from jobs import lifecycle, webhooks
from jobs.models import Job, WebhookEndpoint

pytestmark = pytest.mark.django_db


@dataclass(frozen=True, slots=True)
class Asked:
    """`page` has the link to `address`; `state` is what doing it changes."""

    page: str
    address: str
    state: Callable[[], Any]
    words: str


def canceling(request: pytest.FixtureRequest) -> Asked:
    job = request.getfixturevalue("queued")
    page = f"/jobs/{job.uuid}"
    return Asked(page, f"{page}/cancel", lambda: Job.objects.get().status, "Stop working on “tones.wav”?")


def deleting(request: pytest.FixtureRequest) -> Asked:
    job = request.getfixturevalue("finished")
    page = f"/jobs/{job.uuid}"
    return Asked(page, f"{page}/delete", Job.objects.count, "Delete “tones.wav”?")


def revoking(request: pytest.FixtureRequest) -> Asked:
    from accounts.models import APIKey

    key, _ = APIKey.issue(request.getfixturevalue("alice"), "<laptop>")
    page = "/account/keys"
    return Asked(page, f"{page}/{key.pk}/revoke", lambda: APIKey.objects.get().active, "Revoke “<laptop>”?")


def new_secret(request: pytest.FixtureRequest) -> Asked:
    endpoint = webhooks.create(request.getfixturevalue("alice"), "https://example.org/hook", ["job.completed"])
    page = f"/account/webhooks/{endpoint.uuid}"
    words = "Make a new secret for https://example.org/hook?"
    return Asked(page, f"{page}/secret", lambda: WebhookEndpoint.objects.get().secret_version, words)


def deleting_an_endpoint(request: pytest.FixtureRequest) -> Asked:
    endpoint = webhooks.create(request.getfixturevalue("alice"), "https://example.org/hook", ["job.completed"])
    page = f"/account/webhooks/{endpoint.uuid}"
    words = "Delete the endpoint https://example.org/hook?"
    return Asked(page, f"{page}/delete", WebhookEndpoint.objects.count, words)


def new_secret_of_jobs(request: pytest.FixtureRequest) -> Asked:
    alice = request.getfixturevalue("alice")
    page = "/account/webhooks/jobs"
    version = lambda: webhooks.job_secret(alice).secret_version  # noqa: E731
    return Asked(page, f"{page}/secret", version, "Make a new secret for single jobs?")


OWN = [canceling, deleting, revoking, new_secret, deleting_an_endpoint]


@pytest.fixture(params=[*OWN, new_secret_of_jobs])
def asked(request: pytest.FixtureRequest) -> Asked:
    return request.param(request)


def test_a_get_asks_and_changes_nothing(alices: Client, asked: Asked) -> None:
    before = asked.state()
    answer = alices.get(asked.address)
    page = unescape(answer.content.decode())
    assert answer.status_code == 200
    assert f"<h1>{asked.words}</h1>" in page
    assert f'href="{asked.page}"' in page  # the way back
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert asked.state() == before


def test_a_post_does_it(alices: Client, asked: Asked) -> None:
    before = asked.state()
    assert alices.post(asked.address).status_code in (200, 302)
    assert asked.state() != before


def test_a_post_without_the_pages_token_does_nothing(alice: Any, asked: Asked) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    before = asked.state()
    assert strict.post(asked.address).status_code == 403
    assert asked.state() == before
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', strict.get(asked.address).content.decode())
    assert token
    strict.post(asked.address, {"csrfmiddlewaretoken": token[1]})
    assert asked.state() != before


def test_the_page_before_links_there_with_the_same_words(alices: Client, asked: Asked) -> None:
    page = alices.get(asked.page).content.decode()
    [link] = re.findall(rf'<a class="[^"]+" href="{asked.address}" data-asks="([^"]+)"', page)
    assert unescape(link) == asked.words
    assert "<form" in page  # whose token the dialog sends
    assert "csrfmiddlewaretoken" in page


def test_strangers_are_led_to_sign_in_and_back_to_the_question(client: Client, asked: Asked) -> None:
    for answer in (client.get(asked.address), client.post(asked.address)):
        assert answer["Location"] == f"/login?next={asked.address}"


@pytest.mark.parametrize("asked", OWN, indirect=True)
def test_others_are_not_even_asked(bobs: Client, asked: Asked) -> None:
    assert bobs.get(asked.address).status_code == 404
    assert bobs.post(asked.address).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_no_longer_possible_says_so_where_one_came_from(alices: Client, finished: Job, method: str) -> None:
    answer = getattr(alices, method)(f"/jobs/{finished.uuid}/cancel", follow=True)
    assert answer.redirect_chain == [(f"/jobs/{finished.uuid}", 302)]
    assert "The job has already finished." in answer.content.decode()
    finished.refresh_from_db()
    assert finished.status == Job.Status.SUCCEEDED


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_key_is_revoked_once(alices: Client, alice: Any, method: str) -> None:
    from accounts.models import APIKey

    key, _ = APIKey.issue(alice, "laptop")
    key.revoke()
    when = APIKey.objects.get().revoked_at
    answer = getattr(alices, method)(f"/account/keys/{key.pk}/revoke", follow=True)
    assert "lets nobody in any more" in answer.content.decode()
    assert APIKey.objects.get().revoked_at == when


def test_who_was_asked_too_late_is_told_that_the_job_has_ended(alices: Client, queued: Job) -> None:
    assert alices.get(f"/jobs/{queued.uuid}/cancel").status_code == 200
    lifecycle.cancel(queued)
    told = alices.post(f"/jobs/{queued.uuid}/cancel", follow=True).content.decode()
    assert "The job has already finished." in told
