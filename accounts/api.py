"""/api/v1/auth/… and /api/v1/credits…: who one is, and what one has and has spent."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth import authenticate
from django.db.models import Sum
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.tokens import RefreshToken

from . import authentication, guessing
from .models import CreditBalance, CreditEntry
from .serializers import Balance, Credentials, EntriesQuery, Me, RefreshRequest, Tokens, Usage, service_type
from .validation import validated

SPENT = CreditEntry.Kind.CAPTURE


class OpenView(APIView):
    """For those who come to get in. Guessing is counted by address and account, besides the rate limit by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def get_authenticate_header(self, _request: Request) -> str:
        return authentication.CHALLENGE


class TokenView(OpenView):
    @extend_schema(
        operation_id="get_token",
        summary="An access token for an email address and a password",
        tags=["Account"],
        request={"application/x-www-form-urlencoded": Credentials, "application/json": Credentials},
        responses=Tokens,
    )
    def post(self, request: Request) -> Response:
        given = Credentials(data=request.data)
        given.is_valid(raise_exception=True)
        email, password = given.validated_data["username"].lower(), given.validated_data["password"]
        guessing.count_password(request._request, email)
        user = authenticate(request._request, username=email, password=password)
        if user is None:
            raise AuthenticationFailed("Incorrect email address or password", "invalid_credentials")
        guessing.forgive_password(request._request, email)
        return Response(authentication.tokens(user))


class RefreshView(OpenView):
    @extend_schema(
        operation_id="refresh_token",
        summary="A new access token for a refresh token",
        tags=["Account"],
        request={"application/json": RefreshRequest, "application/x-www-form-urlencoded": RefreshRequest},
        responses=Tokens,
    )
    def post(self, request: Request) -> Response:
        given = RefreshRequest(data=request.data)
        given.is_valid(raise_exception=True)
        _, refresh = authentication.by_token(given.validated_data["refresh_token"], RefreshToken)
        return Response(authentication.access(refresh))


class MeView(APIView):
    @extend_schema(operation_id="get_me", summary="Who one is", tags=["Account"], responses=Me)
    def get(self, request: Request) -> Response:
        return Response(Me(request.user).data)

    @extend_schema(operation_id="change_me", summary="Change one's name", tags=["Account"], request=Me, responses=Me)
    def patch(self, request: Request) -> Response:
        changed = Me(request.user, data=request.data, partial=True)
        changed.is_valid(raise_exception=True)
        changed.save()
        return Response(changed.data)


class CreditsView(APIView):
    @extend_schema(operation_id="get_credits", summary="What one has", tags=["Credits"], responses=Balance)
    def get(self, request: Request) -> Response:
        balance = CreditBalance.objects.filter(user=request.user).values_list("available", "held").first()
        available, held = balance or (0, 0)
        used = CreditEntry.objects.filter(user=request.user, kind=SPENT).aggregate(sum=Sum("held_change"))["sum"]
        return Response(Balance.of(available, held, used=-(used or 0)))


class UsageView(APIView):
    @extend_schema(
        operation_id="get_usage",
        summary="What each job cost, newest first",
        tags=["Credits"],
        parameters=[EntriesQuery],
        responses=Usage(many=True),
    )
    def get(self, request: Request) -> Response:
        query = validated(EntriesQuery, request.query_params.dict())
        skip, limit = query["skip"], query["limit"]
        spent = CreditEntry.objects.filter(user=request.user, kind=SPENT)[skip : skip + limit]
        return Response(Usage(spent, many=True).data)


class MultipliersView(APIView):
    @extend_schema(
        operation_id="get_multipliers",
        summary="Credits for each minute of audio, by service",
        tags=["Credits"],
        responses={200: {"type": "object", "additionalProperties": {"type": "number"}}},
    )
    def get(self, _request: Request) -> Response:
        return Response({service_type(task): float(rate * 60) for task, rate in settings.CREDITS_PER_SECOND.items()})
