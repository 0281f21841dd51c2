"""AudioPod's wallet: the ledger in dollars."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts import ledger
from tests.api.test_schema import conforms, document  # noqa: F401 - a fixture

WALLET = "/api/v1/api-wallet"
FIVE_MINUTES = {"service_type": "speaker_extraction", "duration_seconds": 300}


def test_the_balance_tells_what_is_left_and_what_was_spent(api, finished):
    body = api.get(f"{WALLET}/balance").json()
    assert body == {
        "balance_cents": 13333,  # of 999983 credits
        "balance_usd": "$133.33",
        "total_topup_cents": 13333,
        "total_spent_cents": 1,  # of 17 credits
        "total_spent_usd": "$0.01",
        "low_balance_warning": False,
    }


def test_a_balance_below_an_hours_work_is_low(api, alice, charlie):
    ledger.adjust(alice, 19_799 - 1_000_000, reason="test", actor=charlie)
    assert api.get(f"{WALLET}/balance").json()["low_balance_warning"] is True
    ledger.grant(alice, 1, reason="test")
    assert api.get(f"{WALLET}/balance").json()["low_balance_warning"] is False


def test_an_estimate_is_what_the_vendors_price_list_says(nobody):
    body = nobody.send("post", "api-wallet/estimate", FIVE_MINUTES).json()
    assert body == {
        "service_type": "speaker_extraction",
        "duration_minutes": 5.0,
        "rate_per_minute": "$0.044/min",
        "cost_cents": 22,
        "cost_usd": "$0.22",
        "credits": 1650,
    }
    hour = nobody.send("post", "api-wallet/estimate", FIVE_MINUTES | {"duration_seconds": 3600}).json()
    assert (hour["cost_usd"], hour["credits"]) == ("$2.64", 19_800)


@pytest.mark.parametrize(
    ("rate", "shown"), [("0", "$0.00/min"), ("12.5", "$0.10/min"), ("5.5", "$0.044/min"), ("1250", "$10.00/min")]
)
def test_a_rate_has_the_digits_that_it_needs(nobody, settings, rate, shown):
    settings.CREDITS_PER_SECOND = settings.CREDITS_PER_SECOND | {"extraction": Decimal(rate)}
    assert nobody.get(f"{WALLET}/pricing").json()["services"]["speaker_extraction"]["rate_per_minute"] == shown


def test_prices_need_no_key_and_mind_no_wrong_one(nobody, settings):
    settings.CREDITS_PER_USD = 1000
    body = nobody.get(f"{WALLET}/pricing", headers={"X-API-Key": "ap_nobodys"}).json()
    assert body["services"]["speaker_diarization"] == {"rate_per_minute": "$0.33/min", "credits_per_minute": 330.0}
    assert body["wallet"] == {"currency": "usd", "credits_per_usd": 1000, "topups": False}
    assert set(nobody.get(f"{WALLET}/service-types").json()) == set(body["services"])


def test_enough_is_enough_to_the_credit(api, alice, charlie):
    ledger.adjust(alice, 1650 - 1_000_000, reason="test", actor=charlie)
    answer = api.send("post", "api-wallet/check-balance", FIVE_MINUTES)
    assert answer.json() == {"can_proceed": True, "cost_cents": 22, "current_balance_cents": 22}
    ledger.adjust(alice, -1, reason="test", actor=charlie)
    answer = api.send("post", "api-wallet/check-balance", FIVE_MINUTES)
    assert (answer.status_code, answer.json()) == (
        402,
        {
            "error": "insufficient_api_balance",
            "message": "Insufficient balance. Required: $0.22, Available: $0.21",
            "required_cents": 22,
            "available_cents": 21,
        },
    )


@pytest.mark.parametrize(
    ("question", "status"),
    [
        ({}, 422),
        ({"service_type": "music_generation", "duration_seconds": 1}, 422),
        ({"service_type": "speaker_extraction", "duration_seconds": -1}, 422),
        ({"service_type": "speaker_extraction", "duration_seconds": "nan"}, 422),
        ({"service_type": "speaker_extraction", "duration_seconds": 10**9}, 413),
    ],
)
@pytest.mark.parametrize("path", ["estimate", "check-balance"])
def test_questions_without_an_answer_are_refused(api, path, question, status):
    answer = api.send("post", f"api-wallet/{path}", question)
    assert (answer.status_code, "error_code" in answer.json()) == (status, True)


def test_usage_and_grants_go_page_by_page(api, bobs, finished):
    [log] = api.get(f"{WALLET}/usage?page=1&limit=10").json()["logs"]
    assert (log["service_type"], log["amount_usd"], log["credits"]) == ("speaker_extraction", "$0.01", 17)
    assert (log["duration_minutes"], log["created_at"][-1]) == (0.05, "Z")
    assert api.get(f"{WALLET}/usage?page=2").json() == {"page": 2, "limit": 50, "logs": []}
    assert bobs.get(f"{WALLET}/usage").json()["logs"] == []
    [topup] = api.get(f"{WALLET}/topups").json()["topups"]
    assert (topup["amount_cents"], topup["amount_usd"]) == (13333, "$133.33")
    assert api.get(f"{WALLET}/usage?page=0").json()["details"]["field"] == "page"


def test_the_wallet_is_as_described(api, nobody, document, finished):  # noqa: F811
    for path in ("balance", "pricing", "service-types", "usage", "topups"):
        conforms(document, f"{WALLET}/{path}", "get", api.get(f"{WALLET}/{path}"))
    for path in ("estimate", "check-balance"):
        conforms(document, f"{WALLET}/{path}", "post", api.send("post", f"api-wallet/{path}", FIVE_MINUTES))
    conforms(document, "/api/v1/auth/api-keys", "get", api.get("/api/v1/auth/api-keys"))
    made = api.send("post", "auth/api-keys", {"name": "laptop"})
    conforms(document, "/api/v1/auth/api-keys", "post", made)
    dear = FIVE_MINUTES | {"duration_seconds": 86_400}
    ledger_of = api.send("post", "api-wallet/check-balance", dear)
    conforms(document, f"{WALLET}/check-balance", "post", ledger_of)
