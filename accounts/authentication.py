"""Lets programs in: by an API key (`X-API-Key`, or as a bearer token) or by an access token of auth/token."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken, ExpiredTokenError, RefreshToken, Token, TokenError

from .models import APIKey, User

CHALLENGE = 'Bearer realm="api"'
LAST_USED_PRECISION = timedelta(minutes=1)


class KeyOrTokenAuthentication(BaseAuthentication):
    """Where a request carries both headers, as AudioPod's clients do, X-API-Key counts."""

    def authenticate(self, request: Request) -> tuple[User, APIKey | Token] | None:
        if secret := request.headers.get("X-API-Key", "").strip():
            return by_key(secret)
        scheme, _, credential = request.headers.get("Authorization", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        credential = credential.strip()
        return by_key(credential) if credential.startswith("ap_") else by_token(credential)

    def authenticate_header(self, _request: Request) -> str:
        return CHALLENGE


def by_key(secret: str) -> tuple[User, APIKey]:
    """Raises AuthenticationFailed (401), or PermissionDenied (403) for a key that was good once."""
    key = APIKey.objects.select_related("user").filter(digest=APIKey.digest_of(secret)).first()
    if key is None:
        raise exceptions.AuthenticationFailed("Invalid API key", "invalid_credentials")
    if key.revoked_at:
        raise exceptions.PermissionDenied("This API key has been revoked", "key_revoked")
    if key.expired:
        raise exceptions.PermissionDenied("This API key has expired", "key_expired")
    if not key.user.is_active:
        raise exceptions.PermissionDenied("This account is switched off", "account_inactive")
    _note_use(key)
    return key.user, key


def by_token(encoded: str, kind: type[Token] = AccessToken) -> tuple[User, Token]:
    """Raises AuthenticationFailed. A changed password ends the tokens given out before it."""
    try:
        token = kind(encoded)  # type: ignore[arg-type]  # annotated as Token, takes the encoded text
        return JWTAuthentication().get_user(token), token
    except ExpiredTokenError as error:
        raise exceptions.AuthenticationFailed("This token has expired", "token_expired") from error
    except (TokenError, exceptions.AuthenticationFailed) as error:
        raise exceptions.AuthenticationFailed("Invalid token", "invalid_credentials") from error


def still_good(user: User, auth: APIKey | Token) -> bool:
    """Whether what let somebody in would do so again, for connections that stay open."""
    if isinstance(auth, APIKey):
        return APIKey.objects.filter(APIKey.letting_in(), pk=auth.pk, user__is_active=True).exists()
    try:
        return by_token(str(auth))[0] == user
    except exceptions.AuthenticationFailed:
        return False


def tokens(user: User) -> dict[str, Any]:
    """The answer of auth/token."""
    refresh = RefreshToken.for_user(user)
    return access(refresh) | {"refresh_token": str(refresh)}


def access(refresh: RefreshToken) -> dict[str, Any]:
    """A fresh access token, as the answer of auth/refresh."""
    token = refresh.access_token
    return {"access_token": str(token), "token_type": "bearer", "expires_in": int(token.lifetime.total_seconds())}


def _note_use(key: APIKey) -> None:
    """At most once a minute, so that reading requests do not all write."""
    now = timezone.now()
    stale = now - LAST_USED_PRECISION
    if key.last_used_at is None or key.last_used_at < stale:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        APIKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now)


class KeyOrTokenScheme(OpenApiAuthenticationExtension):
    target_class = KeyOrTokenAuthentication
    name = ["apiKey", "bearer"]

    def get_security_definition(self, _schema: Any) -> list[dict[str, str]]:
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key, `ap_…`."},
            {"type": "http", "scheme": "bearer", "description": "An API key, or an access token of `auth/token`."},
        ]

    def get_security_requirement(self, _schema: Any) -> list[dict[str, list[str]]]:
        """Either will do."""
        return [{name: []} for name in self.name]
