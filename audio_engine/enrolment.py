"""Learning voices: the one person's who speaks in a sample, and those of people whose turns are given."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from . import registry
from .backends.base import Diarizer
from .downmix import decode_mono
from .errors import EngineError
from .media import SHORTEST_SECONDS
from .memory import Samples, release_unused
from .progress import DECODING, DIARIZING, OverallProgress
from .tracks import Spans, speaker_spans
from .types import Diarization, MediaInfo, Progress, SpeakerBounds, VoiceprintRequest, VoiceprintResult
from .voices import Voiceprint

RATE = 16_000  # Hz
MOST_HEARD = 120  # seconds of a speaker: more makes no voice better known
TOO_LITTLE = "Too little speech was heard in the sample to know the voice by."


def learn(request: VoiceprintRequest, media: MediaInfo, scratch: Path, progress: Progress) -> VoiceprintResult:
    """`media` is as probed. Raises as `pipeline.run` does, and NO_SPEECH where too little is heard."""
    decoding = media.seconds * DECODING
    expected = {"decode": decoding, "diarize": decoding * DIARIZING}
    overall = OverallProgress(progress, expected, {"diarize": ("decode", DIARIZING)})
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    engine = cast(Diarizer, registry.load(request.engine, request.task))
    found = engine.diarize(pcm, SpeakerBounds(exact=1), scratch, overall.step("diarize"))
    voiceprint = _voiceprint(found)
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


def with_voices(engine: Diarizer, given: Diarization, pcm: Samples, scratch: Path, progress: Progress) -> Diarization:
    """`given` with the voiceprints of its speakers, as `engine` hears each where nobody else speaks, and its models.

    `pcm` has shape (samples,), float32, 16 kHz mono. Who is never alone for long enough has no voiceprint. Reports the
    stage `embedding`. Raises EngineError as the engine does.
    """
    alone = speaker_spans(given.turns, given.speakers, "mute", RATE, len(pcm))
    heard = [
        _heard(engine, _longest(spans, pcm), scratch, _part(progress, speaker, given.speakers))
        for speaker, spans in enumerate(alone)
    ]
    models = dict.fromkeys(model for found in heard for model in found.models)
    return replace(given, voiceprints=tuple(map(_voiceprint, heard)), models=tuple(models))


def _heard(engine: Diarizer, pcm: Samples, scratch: Path, progress: Progress) -> Diarization:
    if len(pcm) < SHORTEST_SECONDS * RATE:  # as no recording is that an engine gets
        return Diarization((), (), 0, ())
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        found = engine.diarize(pcm, SpeakerBounds(exact=1), Path(folder), progress)
    release_unused()
    return found


def _voiceprint(found: Diarization) -> Voiceprint | None:
    return next((heard for heard in found.voiceprints if heard), None)


def _longest(spans: Spans, pcm: Samples) -> Samples:
    """What is heard in `spans`, up to MOST_HEARD seconds, the longest of them first since they are the surest."""
    left, chosen = MOST_HEARD * RATE, [pcm[:0]]
    for start, end in sorted(spans.tolist(), key=lambda span: span[0] - span[1]):
        chosen.append(pcm[start : min(end, start + left)])
        left -= len(chosen[-1])
    return np.concatenate(chosen)


def _part(progress: Progress, done: int, parts: int) -> Progress:
    return lambda _, fraction: progress("embedding", (done + fraction) / parts)
