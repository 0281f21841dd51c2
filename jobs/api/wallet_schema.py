"""What the wallet's addresses take, and what the OpenAPI document says of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import serializers as s

from accounts.serializers import service_type
from audio_engine.types import TASKS

from .fields import FiniteField, OneOf
from .schema import FORMS, REFUSED, answers

MOST_A_PAGE = 100
SERVICES = {service_type(task): task for task in TASKS}
PROBE = {"service_type": "speaker_extraction", "duration_seconds": 300}


class WalletQuestion(s.Serializer[Any]):
    service_type = OneOf(list(SERVICES))
    duration_seconds = FiniteField(min_value=0, help_text="How long the recording is.")


class PageQuery(s.Serializer[Any]):
    page = s.IntegerField(default=1, min_value=1, max_value=10**6)
    limit = s.IntegerField(default=50, min_value=1, max_value=MOST_A_PAGE)


class WalletBalanceBody(s.Serializer[Any]):
    balance_cents = s.IntegerField(help_text="Rounded down.")
    balance_usd = s.CharField()
    total_topup_cents = s.IntegerField(help_text="All credits that were granted.")
    total_spent_cents = s.IntegerField(help_text="Rounded up.")
    total_spent_usd = s.CharField()
    low_balance_warning = s.BooleanField(help_text="Less than an hour of the dearest service is left.")


class ServicePriceBody(s.Serializer[Any]):
    rate_per_minute = s.CharField()
    credits_per_minute = s.FloatField()


class WalletTermsBody(s.Serializer[Any]):
    currency = s.CharField()
    credits_per_usd = s.IntegerField()
    topups = s.BooleanField(help_text="Always false: whoever runs the server grants credits.")


class WalletPricingBody(s.Serializer[Any]):
    services = s.DictField(child=ServicePriceBody())
    wallet = WalletTermsBody()


class WalletEstimateBody(s.Serializer[Any]):
    service_type = s.CharField()
    duration_minutes = s.FloatField()
    rate_per_minute = s.CharField()
    cost_cents = s.IntegerField(help_text="Rounded up.")
    cost_usd = s.CharField()
    credits = s.IntegerField(help_text="What is really taken.")


class WalletCheckBody(s.Serializer[Any]):
    can_proceed = s.BooleanField()
    cost_cents = s.IntegerField()
    current_balance_cents = s.IntegerField()


class WalletShortBody(s.Serializer[Any]):
    error = s.CharField()
    message = s.CharField()
    required_cents = s.IntegerField()
    available_cents = s.IntegerField()


class WalletLogBody(s.Serializer[Any]):
    service_type = s.CharField()
    duration_minutes = s.FloatField()
    amount_usd = s.CharField(help_text="Rounded up to cents.")
    credits = s.IntegerField()
    created_at = s.DateTimeField()


class WalletUsageBody(s.Serializer[Any]):
    page = s.IntegerField()
    limit = s.IntegerField()
    logs = WalletLogBody(many=True)


class WalletTopupBody(s.Serializer[Any]):
    amount_cents = s.IntegerField()
    amount_usd = s.CharField()
    reason = s.CharField()
    created_at = s.DateTimeField()


class WalletTopupsBody(s.Serializer[Any]):
    page = s.IntegerField()
    limit = s.IntegerField()
    topups = WalletTopupBody(many=True)


def _example(body: Any, name: str, value: Any) -> OpenApiResponse:
    return OpenApiResponse(body, examples=[OpenApiExample(name, value)])


BALANCE = extend_schema(
    operation_id="get_wallet_balance",
    summary="What one has, in US dollars",
    tags=["Credits"],
    responses=answers(
        _example(
            WalletBalanceBody,
            "A balance",
            {
                "balance_cents": 2500,
                "balance_usd": "$25.00",
                "total_topup_cents": 4000,
                "total_spent_cents": 1500,
                "total_spent_usd": "$15.00",
                "low_balance_warning": False,
            },
        )
    ),
)
PRICING = extend_schema(
    operation_id="get_wallet_pricing",
    summary="What a minute of each service costs; needs no key",
    tags=["Credits"],
    auth=[],
    responses={
        200: _example(
            WalletPricingBody,
            "Prices",
            {
                "services": {"speaker_extraction": {"rate_per_minute": "$0.044/min", "credits_per_minute": 330.0}},
                "wallet": {"currency": "usd", "credits_per_usd": 7500, "topups": False},
            },
        ),
        429: REFUSED[429],
    },
)
SERVICE_TYPES = extend_schema(
    operation_id="get_wallet_service_types",
    summary="The services that have a price; needs no key",
    tags=["Credits"],
    auth=[],
    responses={200: _example({"type": "array", "items": {"type": "string"}}, "Services", list(SERVICES))},
)
ESTIMATE = extend_schema(
    operation_id="estimate_wallet_cost",
    summary="What a service will cost for so many seconds; needs no key",
    tags=["Credits"],
    auth=[],
    request=dict.fromkeys(FORMS, WalletQuestion),
    examples=[OpenApiExample("Five minutes", PROBE, request_only=True)],
    responses={
        200: _example(
            WalletEstimateBody,
            "Five minutes",
            {
                "service_type": "speaker_extraction",
                "duration_minutes": 5.0,
                "rate_per_minute": "$0.044/min",
                "cost_cents": 22,
                "cost_usd": "$0.22",
                "credits": 1650,
            },
        )
    }
    | {status: REFUSED[status] for status in (400, 413, 415, 422, 429)},
)
CHECK = extend_schema(
    operation_id="check_wallet_balance",
    summary="Whether a service can be paid for so many seconds",
    tags=["Credits"],
    request=dict.fromkeys(FORMS, WalletQuestion),
    examples=[OpenApiExample("Five minutes", PROBE, request_only=True)],
    responses=answers(
        _example(WalletCheckBody, "Enough", {"can_proceed": True, "cost_cents": 22, "current_balance_cents": 2500}),
        *(400, 413, 415, 422),
    )
    | {
        402: _example(
            WalletShortBody,
            "Not enough",
            {
                "error": "insufficient_api_balance",
                "message": "Insufficient balance. Required: $0.22, Available: $0.00",
                "required_cents": 22,
                "available_cents": 0,
            },
        )
    },
)
USAGE = extend_schema(
    operation_id="get_wallet_usage",
    summary="What each job cost in US dollars, newest first",
    tags=["Credits"],
    parameters=[PageQuery],
    responses=answers(WalletUsageBody, 422),
)
TOPUPS = extend_schema(
    operation_id="get_wallet_topups",
    summary="The credits that were granted, newest first",
    tags=["Credits"],
    parameters=[PageQuery],
    responses=answers(WalletTopupsBody, 422),
)
