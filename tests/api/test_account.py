"""Who one is, what one has and what one has spent."""

from __future__ import annotations

from decimal import Decimal

from jobs import lifecycle
from jobs.options import SpeakerOptions


def test_me_says_who_one_is(api, alice):
    body = api.send("get", "auth/me").json()
    assert (body["id"], body["email"], body["username"]) == (str(alice.pk), alice.email, alice.email)
    assert "password" not in body


def test_me_changes_names_and_nothing_else(api, alice):
    changes = {"first_name": "Alice", "email": "x@example.org", "is_active": False, "is_staff": True, "id": "1"}
    body = api.send("patch", "auth/me", changes).json()
    alice.refresh_from_db()
    assert (body["full_name"], alice.first_name, alice.email) == ("Alice", "Alice", "alice@example.org")
    assert (alice.is_active, alice.is_staff) == (True, False)


def test_me_names_a_field_that_is_too_long(api):
    answer = api.send("patch", "auth/me", {"first_name": "x" * 200})
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, "first_name")


def test_the_balance_has_the_contracts_shape(api, queued):
    assert api.send("get", "credits").json() == {
        "credits_balance": 999_983,
        "credits_held": 17,
        "payg_balance": 0,
        "total_available_credits": 999_983,
        "total_credits_used": 0,
        "total_payg_credits_purchased": 0,
        "credits_per_month": 0,
        "last_reset_at": None,
        "next_reset_date": None,
    }


def test_a_finished_job_shows_in_balance_and_usage(api, alice, finished):
    balance = api.send("get", "credits").json()
    assert (balance["credits_balance"], balance["credits_held"], balance["total_credits_used"]) == (999_983, 0, 17)
    [entry] = api.send("get", "credits/usage").json()
    assert entry["created_at"].endswith("Z")
    assert entry | {"id": 0, "created_at": ""} == {
        "id": 0,
        "user_credits_id": str(alice.pk),
        "credits_used": 17,
        "service_type": "speaker_extraction",
        "audio_duration": 3.0,
        "credit_source": "subscription",
        "created_at": "",
        "usage_metadata": {"task_id": str(finished.uuid)},
    }


def test_what_was_given_back_is_no_usage(api, media):
    lifecycle.cancel(lifecycle.submit(media, "extraction", SpeakerOptions()))
    assert api.send("get", "credits/usage").json() == []


def test_usage_is_ones_own_and_goes_page_by_page(api, bobs, finished):
    assert bobs.send("get", "credits/usage").json() == []
    assert len(api.send("get", "credits/usage?limit=1").json()) == 1
    assert api.send("get", "credits/usage?skip=1").json() == []
    assert api.send("get", "credits/usage?limit=0").json()["details"]["field"] == "limit"


def test_an_account_that_never_had_credits_has_none(nobody, bob, key_of):
    bob.credits.delete()
    body = nobody.get("/api/v1/credits", headers={"X-API-Key": key_of(bob)}).json()
    assert (body["credits_balance"], body["total_credits_used"]) == (0, 0)


def test_multipliers_are_credits_a_minute(api, settings):
    settings.CREDITS_PER_SECOND = {"extraction": Decimal("5.5"), "diarization": Decimal(5), "dialogue": Decimal(0)}
    body = api.send("get", "credits/multipliers").json()
    assert body == {"speaker_extraction": 330, "speaker_diarization": 300, "dialogue": 0}
