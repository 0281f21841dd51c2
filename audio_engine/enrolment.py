"""Learning a voice: the voiceprint of the one person who speaks in a sample."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from . import registry
from .backends.base import Diarizer
from .downmix import decode_mono
from .errors import EngineError
from .progress import DECODING, DIARIZING, OverallProgress
from .types import MediaInfo, Progress, SpeakerBounds, VoiceprintRequest, VoiceprintResult

TOO_LITTLE = "Too little speech was heard in the sample to know the voice by."


def learn(request: VoiceprintRequest, media: MediaInfo, scratch: Path, progress: Progress) -> VoiceprintResult:
    """`media` is as probed. Raises as `pipeline.run` does, and NO_SPEECH where too little is heard."""
    decoding = media.seconds * DECODING
    expected = {"decode": decoding, "diarize": decoding * DIARIZING}
    overall = OverallProgress(progress, expected, {"diarize": ("decode", DIARIZING)})
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    engine = cast(Diarizer, registry.load(request.engine, request.task))
    found = engine.diarize(pcm, SpeakerBounds(exact=1), scratch, overall.step("diarize"))
    voiceprint = next((heard for heard in found.voiceprints if heard), None)
    if voiceprint is None:
        raise EngineError("NO_SPEECH", TOO_LITTLE)
    return VoiceprintResult(
        task=request.task,
        engine=engine.name,
        models=found.models,
        media=media,
        warnings=(*warnings, *found.warnings),
        voiceprint=voiceprint,
    )
