"""A recording, the work asked for on it, what came out and what people made of that."""

from .corrections import SpeakerName, TranscriptVersion, TurnVersion
from .jobs import Job, JobEvent, Track, owned_by
from .recordings import Media, Upload, UploadPart
from .voiceprints import Voiceprint
from .webhooks import JobWebhookSecret, SigningSecret, WebhookDelivery, WebhookEndpoint

__all__ = [
    "Job",
    "JobEvent",
    "JobWebhookSecret",
    "Media",
    "SigningSecret",
    "SpeakerName",
    "Track",
    "TranscriptVersion",
    "TurnVersion",
    "Upload",
    "UploadPart",
    "Voiceprint",
    "WebhookDelivery",
    "WebhookEndpoint",
    "owned_by",
]
