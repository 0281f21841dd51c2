"""Keys that programs make, list and revoke."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.authentication import still_good
from accounts.models import APIKey, IdempotentRequest
from tests.api.programs import Program


def test_a_new_key_is_shown_once_and_works(api, alice):
    answer = api.send("post", "auth/api-keys", {"name": "build server", "scopes": ["*"], "expires_in_days": None})
    body = answer.json()
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    assert (body["name"], body["scopes"], body["expires_at"], body["active"]) == ("build server", ["*"], None, True)
    assert body["api_key"].startswith(body["prefix"])
    assert Program(body["api_key"]).send("get", "auth/me").json()["id"] == str(alice.pk)
    listed = api.send("get", "auth/api-keys").json()
    assert [key["name"] for key in listed] == ["build server", "tests"]
    assert body["api_key"] not in str(listed)
    assert "api_key" not in listed[0]


def test_a_key_that_expires_is_refused_afterwards(api, nobody, alice):
    body = api.send("post", "auth/api-keys", {"name": "guest", "expires_in_days": 2}).json()
    key = APIKey.objects.get(pk=body["id"])
    assert timedelta(days=1.9) < key.expires_at - timezone.now() < timedelta(days=2)
    APIKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    answer = nobody.get("/api/v1/auth/me", headers={"X-API-Key": body["api_key"]})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "KEY_EXPIRED")
    assert not still_good(alice, key)
    assert api.send("get", "auth/api-keys").json()[0]["active"] is False


def test_a_key_cannot_prolong_itself(alice):
    _, secret = APIKey.issue(alice, "guest", expires_at=timezone.now() + timedelta(hours=1))
    guest = Program(secret)
    for days in ({}, {"expires_in_days": 90}):
        made = guest.send("post", "auth/api-keys", {"name": "another", **days}).json()
        assert APIKey.objects.get(pk=made["id"]).expires_at == APIKey.objects.get(name="guest").expires_at


def test_a_repeated_request_makes_one_key_and_nothing_stored_has_it(api):
    def make():
        body = {"name": "once"}
        return api.send("post", "auth/api-keys", body, headers={"X-API-Key": secret, "Idempotency-Key": "k"})

    secret = api.send("post", "auth/api-keys", {"name": "maker"}).json()["api_key"]
    first, second = make(), make()
    assert first.json()["api_key"]
    assert (second["Idempotent-Replayed"], second.json()) == ("true", first.json() | {"api_key": None})
    assert first.json()["api_key"] not in str(IdempotentRequest.objects.values().get())
    assert APIKey.objects.filter(name="once").count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a", "scopes": ["audio:read"]}, "scopes"),
        ({"name": "a", "scopes": []}, "scopes"),
        ({"name": "a", "expires_in_days": 0}, "expires_in_days"),
        ({"name": "a", "expires_in_days": 99999}, "expires_in_days"),
    ],
)
def test_what_cannot_be_made_is_named(api, body, field):
    answer = api.send("post", "auth/api-keys", body)
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, field)
    assert APIKey.objects.count() == 1


def test_a_revoked_key_is_refused_and_revoking_it_again_does_no_harm(api, nobody):
    made = api.send("post", "auth/api-keys", {"name": "laptop"}).json()
    for _ in range(2):
        assert api.send("delete", f"auth/api-keys/{made['id']}").status_code == 204
    assert nobody.get("/api/v1/auth/me", headers={"X-API-Key": made["api_key"]}).status_code == 403


def test_keys_of_others_are_not_found(api, bobs, bob):
    made = api.send("post", "auth/api-keys", {"name": "laptop"}).json()
    answer = bobs.send("delete", f"auth/api-keys/{made['id']}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "API key not found or access denied"})
    assert [key["name"] for key in bobs.send("get", "auth/api-keys").json()] == ["tests"]
    assert api.send("delete", f"auth/api-keys/{10**30}").status_code == 404
    assert APIKey.objects.get(pk=made["id"]).active
