"""/api/v1/auth/api-keys: a program looks after its account's keys, as the account page does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from . import idempotency
from .models import APIKey
from .validation import validated

EVERYTHING = ["*"]
LONGEST_LIFE = 3650  # days
LARGEST_ID = models.BigAutoField.MAX_BIGINT  # SQLite's driver refuses larger numbers
EXAMPLE = {
    "id": 7,
    "name": "build server",
    "prefix": "ap_x3Yp0aQw",
    "scopes": EVERYTHING,
    "active": True,
    "created_at": "2026-01-15T10:30:00.000Z",
    "expires_at": None,
    "last_used_at": None,
    "revoked_at": None,
}


class NewKey(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, help_text="Where it will be used.")
    scopes = serializers.ListField(
        child=serializers.CharField(),
        default=EVERYTHING,
        help_text='Only `["*"]`: a key may do whatever its account may.',
    )
    expires_in_days = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=LONGEST_LIFE, help_text="Never, if left out."
    )

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        if scopes != EVERYTHING:
            raise serializers.ValidationError('A key may do whatever its account may: the only scopes are ["*"].')
        return scopes


class KeyBody(serializers.ModelSerializer[APIKey]):
    scopes = serializers.SerializerMethodField()
    active = serializers.BooleanField(read_only=True)

    class Meta:
        model = APIKey
        fields = ["id", "name", "prefix", "scopes", "active", "created_at", "expires_at", "last_used_at", "revoked_at"]
        read_only_fields = fields

    def get_scopes(self, _key: APIKey) -> list[str]:
        return EVERYTHING


class CreatedKeyBody(KeyBody):
    api_key = serializers.CharField(
        read_only=True, allow_null=True, help_text="The key itself, this once; null when a request is repeated."
    )

    class Meta(KeyBody.Meta):
        fields = [*KeyBody.Meta.fields, "api_key"]
        read_only_fields = fields


class Keys(APIView):
    @extend_schema(
        operation_id="list_keys",
        summary="Your API keys, newest first",
        tags=["Account"],
        responses=OpenApiResponse(KeyBody(many=True), examples=[OpenApiExample("Keys", [EXAMPLE])]),
    )
    def get(self, request: Request) -> Response:
        return Response(KeyBody(APIKey.objects.filter(user=request.user), many=True).data)

    @extend_schema(
        operation_id="create_key",
        summary="A new API key, shown this once",
        description="A key made with a key that expires does not outlive it.",
        tags=["Account"],
        parameters=[OpenApiParameter(idempotency.HEADER, str, OpenApiParameter.HEADER)],
        request=dict.fromkeys(("application/json", "application/x-www-form-urlencoded"), NewKey),
        responses={
            201: OpenApiResponse(
                CreatedKeyBody, examples=[OpenApiExample("The key", EXAMPLE | {"api_key": "ap_x3Yp0aQw…"})]
            )
        },
    )
    def post(self, request: Request) -> Response:
        wanted = validated(NewKey, request.data)
        with idempotency.reserve(request, wanted) as reservation:
            if reservation.answer:
                return reservation.answer
            with transaction.atomic():
                until = _end(request.auth, wanted.get("expires_in_days"))
                key, secret = APIKey.issue(request.user, wanted["name"], expires_at=until)
                answer = reservation.complete(KeyBody(key).data | {"api_key": None}, 201)  # nothing stored has it
        answer.data = {**answer.data, "api_key": secret}
        answer["Cache-Control"] = "no-store"
        return answer


class Key(APIView):
    @extend_schema(
        operation_id="revoke_key",
        summary="Revoke an API key; programs that use it are refused at once",
        tags=["Account"],
        responses={204: OpenApiResponse(description="Revoked"), 404: OpenApiResponse(description="No such key")},
    )
    def delete(self, request: Request, key_id: int) -> Response:
        found = APIKey.objects.filter(pk=min(key_id, LARGEST_ID), user=request.user).first()
        if found is None:
            raise NotFound("API key not found or access denied")
        found.revoke()
        return Response(status=204)


def _end(used: object, days: int | None) -> datetime | None:
    """When a new key expires: not after the one it is made with, which could otherwise prolong itself."""
    asked = timezone.now() + timedelta(days=days) if days else None
    bound = used.expires_at if isinstance(used, APIKey) else None
    return min(filter(None, (asked, bound)), default=None)
