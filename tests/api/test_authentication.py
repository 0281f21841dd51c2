"""Who is let in by the API, and how those who are not are told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import APIKey
from tests.api.programs import Program


@pytest.fixture
def secret(alice, key_of) -> str:
    return key_of(alice)


def me(program: Program, **headers: str):
    return program.get("/api/v1/auth/me", headers=headers)


def test_a_key_is_taken_from_either_header_and_from_both(nobody, alice, secret):
    bearer = {"Authorization": f"Bearer {secret}"}
    for headers in (
        {"X-API-Key": secret},
        bearer,
        {"Authorization": f"bearer  {secret} "},
        bearer | {"X-API-Key": secret},
    ):
        assert me(nobody, **headers).json()["id"] == str(alice.pk)


def test_a_key_is_kept_only_as_its_digest(secret):
    row = APIKey.objects.values().get()
    assert secret not in str(row)
    assert row["prefix"] == secret[:11]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": ""},
        {"X-API-Key": "ap_nobodys"},
        {"X-API-Key": "ü"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer ap_nobodys"},
        {"Authorization": "Bearer no.jwt.atall"},
        {"Authorization": "Basic YTpi"},
    ],
)
def test_who_is_not_known_is_asked_for_credentials(nobody, secret, headers):
    answer = me(nobody, **headers)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.json()["detail"]


def test_a_session_of_the_portal_opens_no_api(nobody, alice):
    nobody.force_login(alice)
    assert me(nobody).status_code == 401


def test_a_revoked_key_is_refused(nobody, secret):
    APIKey.objects.get().revoke()
    answer = me(nobody, **{"X-API-Key": secret})
    assert (answer.status_code, answer.json()) == (
        403,
        {"detail": "This API key has been revoked", "error_code": "KEY_REVOKED"},
    )


def test_a_key_of_an_account_that_was_switched_off_is_refused(nobody, alice, secret):
    alice.is_active = False
    alice.save()
    assert me(nobody, **{"X-API-Key": secret}).json()["error_code"] == "ACCOUNT_INACTIVE"


def test_a_keys_last_use_is_noted_once_a_minute(nobody, secret, django_assert_num_queries):
    me(nobody, **{"X-API-Key": secret})
    first = APIKey.objects.get().last_used_at
    assert timezone.now() - first < timedelta(seconds=10)
    with django_assert_num_queries(2):  # the key and the rate limit
        me(nobody, **{"X-API-Key": secret})
    assert APIKey.objects.get().last_used_at == first
    APIKey.objects.update(last_used_at=first - timedelta(minutes=2))
    me(nobody, **{"X-API-Key": secret})
    assert APIKey.objects.get().last_used_at > first


# --- tokens


def token_for(program: Program, **fields: str):
    credentials = {"username": "alice@example.org", "password": "correct horse battery"} | fields
    return program.post("/api/v1/auth/token", credentials)


def test_a_password_gets_a_token_of_an_hour(nobody, alice):
    answer = token_for(nobody, username="Alice@Example.org").json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 3600)
    assert me(nobody, Authorization=f"Bearer {answer['access_token']}").json()["email"] == alice.email


def test_a_refresh_token_gets_a_new_access_token(nobody, alice):
    refresh = token_for(nobody).json()["refresh_token"]
    answer = nobody.send("post", "auth/refresh", {"refresh_token": refresh})
    assert (answer.status_code, answer.json()["expires_in"]) == (200, 3600)
    assert me(nobody, Authorization=f"Bearer {answer.json()['access_token']}").status_code == 200


def test_one_kind_of_token_does_not_serve_as_the_other(nobody, alice):
    given = token_for(nobody).json()
    assert me(nobody, Authorization=f"Bearer {given['refresh_token']}").status_code == 401
    swapped = nobody.send("post", "auth/refresh", {"refresh_token": given["access_token"]})
    assert swapped.json() == {"detail": "Invalid token", "error_code": "INVALID_CREDENTIALS"}


def test_an_expired_token_is_told_from_a_wrong_one(nobody, alice):
    token = AccessToken.for_user(alice)
    token.set_exp(lifetime=timedelta(seconds=-1))
    answer = me(nobody, Authorization=f"Bearer {token}")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "TOKEN_EXPIRED")


def test_a_changed_password_ends_the_tokens_before_it(nobody, alice):
    given = token_for(nobody).json()
    alice.set_password("another good password")
    alice.save()
    assert me(nobody, Authorization=f"Bearer {given['access_token']}").status_code == 401
    assert nobody.send("post", "auth/refresh", {"refresh_token": given["refresh_token"]}).status_code == 401


def test_tokens_of_a_deleted_account_are_refused(nobody, bob):
    token = RefreshToken.for_user(bob).access_token
    bob.delete()
    assert me(nobody, Authorization=f"Bearer {token}").status_code == 401


@pytest.mark.parametrize("username", ["alice@example.org", "who@example.org"])
def test_a_wrong_password_and_an_unknown_account_look_the_same(nobody, alice, username):
    answer = token_for(nobody, username=username, password="guess")
    assert answer.status_code == 401
    assert answer.json() == {
        "detail": "Incorrect email address or password",
        "error_code": "INVALID_CREDENTIALS",
    }


def test_guessing_a_password_is_slowed_down(nobody, alice):
    for _ in range(10):
        assert token_for(nobody, password="guess").status_code == 401
    answer = token_for(nobody)
    assert (answer.status_code, answer.json()) == (429, {"detail": "Rate limit exceeded. Try again later."})
    assert int(answer["Retry-After"]) > 60


def test_what_is_missing_is_named(nobody, db):
    answer = nobody.post("/api/v1/auth/token", {"username": "alice@example.org"})
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "password")
