"""What staff can do with accounts, keys and credits, and what they cannot, through the pages they use."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts import ledger
from accounts.models import APIKey, CreditBalance, CreditEntry, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client, charlie):
    client.force_login(charlie)
    return client


def text(client, view: str, *args: Any) -> str:
    page = client.get(reverse(view, args=args))
    assert page.status_code == 200
    return page.content.decode()


def change_credits(client, user: User, **fields: Any) -> str:
    address = reverse("admin:accounts_user_credits", args=[user.pk])
    form = client.get(address).context["form"]
    fields = {"last_entry": form["last_entry"].value(), "kind": "grant", "reason": "Sorry for Tuesday"} | fields
    return client.post(address, fields, follow=True).content.decode()


def logged(user: User) -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.filter(user=user).order_by("pk")]


# --- who gets in


@pytest.mark.parametrize(
    "view",
    ["admin:index", "admin:accounts_user_changelist", "admin:jobs_job_changelist", "admin:accounts_apikey_changelist"],
)
def test_users_who_are_not_staff_see_nothing(client, alice, view):
    client.force_login(alice)
    assert client.get(reverse(view), follow=True).status_code == 403


def test_staff_sign_in_where_guessing_is_slowed_down(client):
    page = client.get("/admin/jobs/job/")
    assert page.status_code == 302
    page = client.get(page.url)
    assert page.url == reverse("login") + "?next=/admin/jobs/job/"
    assert client.post(reverse("admin:login"), {"username": "charlie", "password": "guess"}).status_code == 302


def test_staff_without_the_right_to_grant_see_no_credit_form(client, alice, bob):
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(bob)
    page = text(client, "admin:accounts_user_change", alice.pk)
    assert "Grant or adjust" not in page
    assert client.get(reverse("admin:accounts_user_credits", args=[alice.pk])).status_code == 403


def test_staff_with_the_right_to_change_users_cannot_make_themselves_superusers(client, bob, charlie):
    bob.is_staff = True
    bob.save()
    bob.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(bob)
    client.post(
        reverse("admin:accounts_user_change", args=[bob.pk]),
        {"email": bob.email, "is_superuser": "on", "is_staff": "on", "is_active": "on"},
    )
    bob.refresh_from_db()
    assert not bob.is_superuser
    page = client.post(reverse("admin:accounts_user_change", args=[charlie.pk]), {"email": "mine@example.org"})
    assert page.status_code == 403


def test_the_queue_whose_schedules_can_call_any_function_is_not_in_the_admin(staff):
    assert "/admin/django_q/" not in text(staff, "admin:index")
    assert staff.get("/admin/django_q/schedule/").status_code == 404


# --- users


def test_staff_find_a_user_by_a_part_of_the_address(staff, alice, bob):
    page = staff.get(reverse("admin:accounts_user_changelist"), {"q": alice.email.split("@")[0]}).content.decode()
    assert alice.email in page
    assert bob.email not in page


def test_staff_make_an_account_by_its_address_and_it_gets_the_welcome_credits(staff, charlie, settings):
    settings.SIGNUP_CREDITS = 700
    fields = {"email": "Dora@Example.org", "usable_password": "false", "password1": "", "password2": ""}
    staff.post(reverse("admin:accounts_user_add"), fields)
    dora = User.objects.get(email="dora@example.org")
    assert not dora.has_usable_password()
    assert ledger.available(dora) == 700
    assert CreditEntry.objects.get(user=dora).actor == charlie


def test_an_address_that_differs_only_in_case_is_the_same_account(staff, alice):
    fields = {"email": alice.email.upper(), "usable_password": "false", "password1": "", "password2": ""}
    page = staff.post(reverse("admin:accounts_user_add"), fields).content.decode()
    assert "There is already an account with this address." in page


def test_staff_deactivate_a_user_but_not_themselves(staff, alice, charlie):
    chosen = {"action": "deactivate", "_selected_action": [alice.pk, charlie.pk], "index": 0}
    staff.post(reverse("admin:accounts_user_changelist"), chosen)
    alice.refresh_from_db()
    charlie.refresh_from_db()
    assert (alice.is_active, charlie.is_active) == (False, True)
    assert logged(charlie) == ["Deactivated."]


def test_accounts_cannot_be_deleted_with_their_ledger(staff, alice):
    assert staff.post(reverse("admin:accounts_user_delete", args=[alice.pk]), {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [alice.pk], "index": 0, "post": "yes"}
    staff.post(reverse("admin:accounts_user_changelist"), chosen)
    assert User.objects.filter(pk=alice.pk).exists()


# --- keys


def test_staff_see_keys_and_never_their_secrets(staff, alice):
    key, secret = APIKey.issue(alice, "laptop")
    pages = text(staff, "admin:accounts_apikey_changelist") + text(staff, "admin:accounts_apikey_change", key.pk)
    assert key.prefix in pages
    assert secret not in pages
    assert key.digest not in pages


def test_staff_revoke_a_key(staff, alice, charlie):
    key, _ = APIKey.issue(alice, "laptop")
    staff.post(
        reverse("admin:accounts_apikey_changelist"), {"action": "revoke", "_selected_action": [key.pk], "index": 0}
    )
    key.refresh_from_db()
    assert not key.active
    assert logged(charlie) == ["Revoked."]


def test_keys_cannot_be_edited_or_made(staff, alice):
    key, _ = APIKey.issue(alice, "laptop")
    assert staff.get(reverse("admin:accounts_apikey_add")).status_code == 403
    edited = staff.post(reverse("admin:accounts_apikey_change", args=[key.pk]), {"name": "mine"})
    assert edited.status_code == 403


# --- credits


def test_staff_grant_credits_with_a_reason_and_in_their_own_name(staff, alice, charlie):
    before = ledger.available(alice)
    change_credits(staff, alice, credits=500)
    entry = CreditEntry.objects.filter(user=alice).first()
    assert ledger.available(alice) == before + 500
    assert (entry.kind, entry.reason, entry.actor) == ("grant", "Sorry for Tuesday", charlie)
    assert logged(charlie) == ["Grant of +500 credits: Sorry for Tuesday"]


def test_staff_adjust_a_balance_downwards(staff, alice):
    before = ledger.available(alice)
    change_credits(staff, alice, kind="adjust", credits=-100)
    assert ledger.available(alice) == before - 100


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"credits": 5, "reason": " "}, "This field is required"),
        ({"credits": 0}, "A grant is a positive number"),
        ({"credits": -5}, "A grant is a positive number"),
        ({"credits": 0, "kind": "adjust"}, "changes nothing"),
        ({"credits": -(10**9), "kind": "adjust"}, "credits are available"),
        ({"credits": "1.5"}, "Enter a whole number"),
        ({"credits": 5, "kind": "capture"}, "not one of the available choices"),
    ],
)
def test_a_wrong_change_of_credits_is_told_and_nothing_happens(staff, alice, charlie, fields, words):
    before = CreditEntry.objects.count()
    assert words in change_credits(staff, alice, **fields)
    assert CreditEntry.objects.count() == before
    assert logged(charlie) == []


def test_a_credit_form_sent_twice_changes_the_balance_once(staff, alice):
    address = reverse("admin:accounts_user_credits", args=[alice.pk])
    seen = staff.get(address).context["form"]["last_entry"].value()
    fields = {"last_entry": seen, "kind": "grant", "credits": 500, "reason": "Once"}
    staff.post(address, fields)
    assert "changed by staff since" in staff.post(address, fields).content.decode()
    assert CreditEntry.objects.filter(user=alice, reason="Once").count() == 1


def test_a_balance_that_is_not_the_sum_of_its_entries_is_shown(staff, alice):
    assert "The balance is wrong" not in text(staff, "admin:accounts_user_change", alice.pk)
    CreditBalance.objects.filter(user=alice).update(available=3)
    assert "The balance is wrong: it says 3 available" in text(staff, "admin:accounts_user_change", alice.pk)


def test_ledger_entries_are_read_only(staff, alice):
    entry = CreditEntry.objects.filter(user=alice).first()
    assert alice.email in text(staff, "admin:accounts_creditentry_changelist")
    assert staff.get(reverse("admin:accounts_creditentry_add")).status_code == 403
    for view in ("change", "delete"):
        address = reverse(f"admin:accounts_creditentry_{view}", args=[entry.pk])
        assert staff.post(address, {"available_change": 10**6, "post": "yes"}).status_code == 403


@pytest.mark.parametrize("term", ["alice", "Welcome", "5b1b0000-0000-4000-8000-000000000000"])
def test_ledger_entries_can_be_searched(staff, alice, term):
    assert staff.get(reverse("admin:accounts_creditentry_changelist"), {"q": term}).status_code == 200
