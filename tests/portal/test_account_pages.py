from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from accounts import ledger
from accounts.models import APIKey, User

if TYPE_CHECKING:
    from jobs.models import Job

PAGES = [
    "/account",
    "/account/keys",
    "/account/credits",
    "/account/security",
    "/account/webhooks",
    "/account/webhooks/jobs",
    "/jobs",
]
pytestmark = pytest.mark.django_db


def test_who_is_no_staff_is_told_so_in_words(alices: Client) -> None:
    answer = alices.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "This is not for your account" in answer.content.decode()


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_an_account_lead_strangers_to_sign_in(client: Client, page: str) -> None:
    assert client.get(page)["Location"] == f"/login?next={page}"


@pytest.mark.parametrize("page", PAGES)
def test_pages_of_an_account_carry_a_policy_without_inline_scripts_and_styles(alices: Client, page: str) -> None:
    answer = alices.get(page)
    assert answer.status_code == 200
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", answer.content.decode())


def test_a_new_key_is_shown_once_and_works(alices: Client, alice: User) -> None:
    answer = alices.post("/account/keys", {"name": "laptop"}, follow=True)
    assert answer.redirect_chain == [("/account/keys", 302)]  # so that a reload makes no second one
    secret = re.search(r"ap_[\w-]{20,}", answer.content.decode())
    assert secret
    assert APIKey.objects.get(user=alice).digest == APIKey.digest_of(secret[0])
    assert secret[0] not in alices.get("/account/keys").content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_a_new_key_is_shown_to_nobody_else_and_on_no_other_page(alices: Client, bobs: Client) -> None:
    made = alices.post("/account/keys", {"name": "laptop"})
    assert made.content == b""
    cookie = made.cookies["shown-once"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/account/keys", True, "Strict")
    key = cookie.value.partition(":")[0]
    bobs.cookies["shown-once"] = cookie.value
    assert key not in bobs.get("/account/keys").content.decode()
    assert key not in alices.get("/account/webhooks/jobs").content.decode()
    assert key in alices.get("/account/keys").content.decode()


def test_a_key_is_revoked_by_its_owner_only(alices: Client, bobs: Client, alice: User) -> None:
    key, _ = APIKey.issue(alice, "laptop")
    assert bobs.post(f"/account/keys/{key.pk}/revoke").status_code == 404
    key.refresh_from_db()
    assert key.active
    alices.post(f"/account/keys/{key.pk}/revoke")
    key.refresh_from_db()
    assert not key.active


def test_the_credit_history_shows_what_jobs_cost(alices: Client, alice: User, finished: Job) -> None:
    page = alices.get("/account/credits").content.decode()
    assert "Charged for extraction" in page
    assert f"{ledger.available(alice):,}" in page
    assert f"/jobs/{finished.uuid}" in page


def test_a_long_credit_history_comes_in_pages(alices: Client, alice: User) -> None:
    for number in range(30):
        ledger.grant(alice, number + 1, reason=f"gift {number}")
    assert "gift 29" in alices.get("/account/credits").content.decode()
    assert re.search(r"gift 0\s", alices.get("/account/credits?page=2").content.decode())


def test_changing_the_address_takes_the_password(alices: Client, alice: User) -> None:
    form = {"first_name": "Alice", "last_name": "", "email": "New@example.org"}
    assert alices.post("/account", form | {"current_password": "wrong"}).status_code == 422
    assert alices.post("/account", form | {"current_password": "correct horse battery"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.first_name, alice.email) == ("Alice", "new@example.org")


def test_an_address_is_not_taken_from_somebody_else(alices: Client, alice: User, bob: User) -> None:
    form = {"email": "BOB@example.org", "current_password": "correct horse battery"}
    answer = alices.post("/account", form)
    assert "Another account uses this address" in answer.content.decode()


def test_a_new_password_signs_other_devices_out(alices: Client, alice: User) -> None:
    other = Client()
    other.force_login(alice)
    new = {"new_password1": "another long phrase", "new_password2": "another long phrase"}
    alices.post("/account/security", new | {"old_password": "correct horse battery"})
    assert alices.get("/account").status_code == 200
    assert other.get("/account").status_code == 302
