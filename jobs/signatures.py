"""What a receiver knows our webhooks by: one body and moment, signed in the ways of three conventions.

Standard Webhooks: https://www.standardwebhooks.com; AudioPod: https://docs.audiopod.ai/account/webhooks; pyannoteAI:
https://docs.pyannote.ai/webhooks/verifying-webhooks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

from django.utils import timezone
from django.utils.crypto import salted_hmac

from .models import SigningSecret

PREFIX = "whsec_"
SALT = "jobs.signatures"


def secrets(key: SigningSecret) -> list[str]:
    """What signs now, newest first: two while the grace time after a change lasts."""
    versions = [key.secret_version]
    if key.previous_secret_until and key.previous_secret_until > timezone.now():
        versions.append(key.secret_version - 1)
    return [secret(key.uuid, version) for version in versions]


def secret(uuid: UUID, version: int) -> str:
    """As its owner was shown it: `whsec_` and base64."""
    return PREFIX + _base64(salted_hmac(SALT, f"{uuid}:{version}", algorithm="sha256").digest())


def headers(secrets: list[str], event_id: UUID, event_type: str, body: bytes, moment: int) -> dict[str, str]:
    """Of one attempt at `moment` (Unix time). Only Standard Webhooks has room for a second signature."""
    newest, timestamp = secrets[0].encode(), str(moment)
    signatures = (_base64(_sign(_key(secret), f"{event_id}.{timestamp}.".encode() + body)) for secret in secrets)
    return {
        "webhook-id": str(event_id),
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "X-AudioPod-Event": event_type,
        "X-AudioPod-Event-Id": str(event_id),
        "X-AudioPod-Timestamp": timestamp,
        "X-AudioPod-Signature": "sha256=" + _sign(newest, f"{timestamp}.".encode() + body).hex(),
        "X-Request-Timestamp": timestamp,
        "X-Signature": _base64(_sign(newest, f"v0:{timestamp}:".encode() + body)),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))


def _sign(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, hashlib.sha256)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
