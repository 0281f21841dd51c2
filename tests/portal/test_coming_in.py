"""Making an account, coming in, the first admin, and who is kept out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.core import mail
from django.test import Client

from accounts import first_admin, ledger
from accounts.models import User

if TYPE_CHECKING:
    from pytest_django.fixtures import SettingsWrapper

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.django_db


def sign_in(client: Client, email: str, password: str) -> int:
    return client.post("/login", {"username": email, "password": password}).status_code


def test_signing_up_makes_an_account_with_credits_and_signs_in(client: Client, settings: SettingsWrapper) -> None:
    answer = client.post("/signup", {"email": "Dana@Example.org", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain == [("/jobs", 302)]
    dana = User.objects.get(email="dana@example.org")
    assert answer.context["user"] == dana
    assert ledger.available(dana) == settings.SIGNUP_CREDITS


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "nobody", "password": PASSWORD}, "Enter a valid email address"),
        ({"email": "dana@example.org", "password": "12345678"}, "too common"),
        ({"email": "dana@example.org", "password": "dana@example.org"}, "too similar to the email address"),
        ({"email": "ALICE@example.org", "password": PASSWORD}, "already an account"),
        ({"email": "dana@example.org"}, "This field is required"),
    ],
)
def test_a_wrong_sign_up_says_what_is_wrong(client: Client, alice: User, fields: dict[str, str], words: str) -> None:
    answer = client.post("/signup", fields)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert User.objects.count() == 1


def test_nobody_signs_up_where_sign_up_is_closed(client: Client, settings: SettingsWrapper) -> None:
    settings.SIGNUP_OPEN = False
    assert client.post("/signup", {"email": "dana@example.org", "password": PASSWORD}).status_code == 403
    assert not User.objects.exists()
    assert "/signup" not in client.get("/").content.decode()


def test_signing_in_takes_the_address_in_any_case_and_leads_where_one_wanted(client: Client, alice: User) -> None:
    form = {"username": "Alice@Example.ORG", "password": PASSWORD, "next": "/account/keys"}
    assert client.post("/login", form)["Location"] == "/account/keys"


def test_signing_in_never_leads_to_another_site(client: Client, alice: User) -> None:
    form = {"username": "alice@example.org", "password": PASSWORD, "next": "https://example.com/"}
    assert client.post("/login", form)["Location"] == "/jobs"


def test_a_wrong_password_and_an_unknown_address_look_alike(client: Client, alice: User) -> None:
    def told(email: str) -> list[str]:
        answer = client.post("/login", {"username": email, "password": "wrong"})
        return re.findall(r'role="alert">(.*?)<', answer.content.decode())

    assert told("alice@example.org") == told("nobody@example.org") != []


def test_guessing_a_password_is_slowed_down_even_with_the_right_one(client: Client, alice: User, bob: User) -> None:
    assert [sign_in(client, "alice@example.org", "wrong") for _ in range(10)] == [422] * 10
    assert sign_in(client, "alice@example.org", PASSWORD) == 429
    assert sign_in(client, "bob@example.org", PASSWORD) == 302


def test_a_lock_holds_for_one_address_only(client: Client, alice: User) -> None:
    for _ in range(11):
        sign_in(client, "alice@example.org", "wrong")
    assert sign_in(Client(REMOTE_ADDR="192.0.2.7"), "alice@example.org", PASSWORD) == 302


def test_a_right_password_forgives_the_slips_before_it(client: Client, alice: User) -> None:
    for _ in range(2):
        assert [sign_in(client, "alice@example.org", "wrong") for _ in range(9)] == [422] * 9
        assert sign_in(client, "alice@example.org", PASSWORD) == 302
        client.post("/logout")


def test_the_address_of_a_proxy_counts_only_where_one_is_configured(
    client: Client, alice: User, settings: SettingsWrapper
) -> None:
    def guess(last: str) -> int:
        headers = {"X-Forwarded-For": f"198.51.100.1, {last}"}
        form = {"username": "alice@example.org", "password": "wrong"}
        return client.post("/login", form, headers=headers).status_code

    assert [guess(f"192.0.2.{n}") for n in range(11)][-1] == 429  # the header is anybody's invention
    settings.BEHIND_PROXY = True
    assert guess("192.0.2.77") == 422


def test_signing_out_needs_a_post_and_ends_the_session(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/logout").status_code == 405
    assert client.post("/logout")["Location"] == "/"
    assert client.get("/jobs")["Location"] == "/login?next=/jobs"


def test_forms_without_a_token_are_refused(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/login", {"username": "alice@example.org", "password": PASSWORD})
    assert answer.status_code == 403
    assert "Nothing was changed" in answer.content.decode()


# --- a forgotten password


def test_a_forgotten_password_is_replaced_by_a_link_that_works_once(client: Client, alice: User) -> None:
    assert client.post("/password/reset", {"email": "ALICE@example.org"})["Location"] == "/password/reset/sent"
    (message,) = mail.outbox
    link = re.search(r"http://testserver(/\S+)", message.body)
    assert link
    form = client.get(link[1], follow=True)
    new = {"new_password1": "another long phrase", "new_password2": "another long phrase"}
    answer = client.post(form.redirect_chain[-1][0], new, follow=True)
    assert answer.context["user"] == alice
    assert "no longer works" in Client().get(link[1], follow=True).content.decode()
    assert sign_in(Client(), "alice@example.org", "another long phrase") == 302


def test_nobody_learns_from_a_reset_which_accounts_exist_nor_floods_a_mailbox(client: Client, alice: User) -> None:
    assert client.post("/password/reset", {"email": "nobody@example.org"})["Location"] == "/password/reset/sent"
    assert mail.outbox == []
    for _ in range(5):
        assert client.post("/password/reset", {"email": "alice@example.org"})["Location"] == "/password/reset/sent"
    assert len(mail.outbox) == 3


# --- the first admin


def test_the_welcome_link_makes_the_first_admin_once(client: Client) -> None:
    link = f"/welcome/{first_admin.token()}"
    answer = client.post(link, {"email": "root@example.org", "password": PASSWORD}, follow=True)
    assert answer.context["user"].is_superuser
    again = Client().post(link, {"email": "mallory@example.org", "password": PASSWORD})
    assert again.status_code == 410
    assert User.objects.get().email == "root@example.org"


def test_a_made_up_welcome_link_makes_nobody_an_admin(client: Client) -> None:
    token = first_admin.token()
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert client.post(f"/welcome/{forged}", {"email": "m@example.org", "password": PASSWORD}).status_code == 410
    assert not User.objects.exists()


def test_a_welcome_link_is_void_once_staff_came_another_way(client: Client, charlie: User) -> None:
    assert client.get(f"/welcome/{first_admin.token()}").status_code == 410
