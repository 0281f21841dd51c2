"""/api/v1/api-wallet/…: the ledger in US dollars, as AudioPod's wallet has it. Decisions are made in credits."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from django.conf import settings
from django.db.models import Sum
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import ledger
from accounts.models import CreditEntry, User
from accounts.serializers import service_type
from accounts.validation import validated
from jobs import ingest, pricing

from . import wallet_schema as schema
from .render import moment
from .requests import merged
from .wallet_schema import SERVICES, PageQuery, WalletQuestion

Kind = CreditEntry.Kind
LOW_SECONDS = 3600  # a balance that does not last for so much of the dearest service is low


class Balance(APIView):
    @schema.BALANCE
    def get(self, request: Request) -> Response:
        balance, spent = ledger.available(request.user), _spent(request.user)
        granted = _sum(request.user, "available_change", kind=Kind.GRANT)
        body = {
            "balance_cents": _cents(balance),
            "balance_usd": _usd(_cents(balance)),
            "total_topup_cents": _cents(granted),
            "total_spent_cents": _cents(spent, ROUND_CEILING),
            "total_spent_usd": _usd(_cents(spent, ROUND_CEILING)),
            "low_balance_warning": balance < max(pricing.price(task, LOW_SECONDS) for task in SERVICES.values()),
        }
        return Response(body)


class Open(APIView):
    """Needs no credentials, and minds no wrong ones."""

    authentication_classes = ()
    permission_classes = (AllowAny,)


class Pricing(Open):
    @schema.PRICING
    def get(self, _request: Request) -> Response:
        services = {
            name: {
                "rate_per_minute": _rate(task),
                "credits_per_minute": float(settings.CREDITS_PER_SECOND[task] * 60),
            }
            for name, task in SERVICES.items()
        }
        wallet = {"currency": "usd", "credits_per_usd": settings.CREDITS_PER_USD, "topups": False}
        return Response({"services": services, "wallet": wallet})


class ServiceTypes(Open):
    @schema.SERVICE_TYPES
    def get(self, _request: Request) -> Response:
        return Response(list(SERVICES))


class Estimate(Open):
    @schema.ESTIMATE
    def post(self, request: Request) -> Response:
        task, seconds = _question(request)
        credits = pricing.price(task, seconds)
        cents = _cents(credits, ROUND_CEILING)
        body = {
            "service_type": service_type(task),
            "duration_minutes": _minutes(seconds),
            "rate_per_minute": _rate(task),
            "cost_cents": cents,
            "cost_usd": _usd(cents),
            "credits": credits,
        }
        return Response(body)


class CheckBalance(APIView):
    @schema.CHECK
    def post(self, request: Request) -> Response:
        task, seconds = _question(request)
        required, available = pricing.price(task, seconds), ledger.available(request.user)
        cost, balance = _cents(required, ROUND_CEILING), _cents(available)
        if required > available:
            told = f"Insufficient balance. Required: {_usd(cost)}, Available: {_usd(balance)}"
            short = {"error": "insufficient_api_balance", "message": told}
            return Response(short | {"required_cents": cost, "available_cents": balance}, status=402)
        return Response({"can_proceed": True, "cost_cents": cost, "current_balance_cents": balance})


class Usage(APIView):
    @schema.USAGE
    def get(self, request: Request) -> Response:
        page, limit, found = _page(request, Kind.CAPTURE)
        return Response({"page": page, "limit": limit, "logs": [_log(entry) for entry in found]})


class Topups(APIView):
    @schema.TOPUPS
    def get(self, request: Request) -> Response:
        """Whatever credits were given, since nobody buys any here."""
        page, limit, found = _page(request, Kind.GRANT)
        topups = [
            {
                "amount_cents": _cents(entry.available_change),
                "amount_usd": _usd(_cents(entry.available_change)),
                "reason": entry.reason,
                "created_at": moment(entry.created_at),
            }
            for entry in found
        ]
        return Response({"page": page, "limit": limit, "topups": topups})


def _log(entry: CreditEntry) -> dict[str, Any]:
    return {
        "service_type": service_type(entry.service),
        "duration_minutes": _minutes(entry.audio_seconds or 0.0),
        "amount_usd": _usd(_cents(entry.spent, ROUND_CEILING)),
        "credits": entry.spent,
        "created_at": moment(entry.created_at),
    }


# --- what is asked


def _question(request: Request) -> tuple[str, float]:
    given = validated(WalletQuestion, merged(request))
    seconds: float = given["duration_seconds"]
    ingest.check_length(seconds)
    return SERVICES[given["service_type"]], seconds


def _page(request: Request, kind: str) -> tuple[int, int, list[CreditEntry]]:
    query = validated(PageQuery, request.query_params.dict())
    page, limit = query["page"], query["limit"]
    found = CreditEntry.objects.filter(user=request.user, kind=kind)
    return page, limit, list(found[(page - 1) * limit : page * limit])


def _spent(user: User) -> int:
    return -_sum(user, "held_change", kind=Kind.CAPTURE)


def _sum(user: User, column: str, **wanted: Any) -> int:
    return CreditEntry.objects.filter(user=user, **wanted).aggregate(sum=Sum(column))["sum"] or 0


# --- credits as dollars: costs are rounded up and balances down, so that what seems affordable is


def _cents(credits: int, rounding: str = ROUND_FLOOR) -> int:
    return int((Decimal(credits * 100) / settings.CREDITS_PER_USD).to_integral_value(rounding))


def _usd(cents: int) -> str:
    return f"${Decimal(cents) / 100:.2f}"


def _rate(task: str) -> str:
    """With as many digits as a cheap minute needs."""
    dollars = settings.CREDITS_PER_SECOND[task] * 60 / settings.CREDITS_PER_USD
    digits = f"{dollars:.4f}".rstrip("0")
    return f"${digits if len(digits.partition('.')[2]) >= 2 else f'{dollars:.2f}'}/min"


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 2)
