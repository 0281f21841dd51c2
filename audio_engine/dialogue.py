"""Dialogue separation: all that is spoken in one stem, everything else in another. Together they are the recording.

Speech is what lies within somebody's turns, lowered in each bin by what `background` hears of noise and music there.
Whatever that takes away, and all that lies between the turns, is the background.
"""

from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import cast

from . import registry
from .backends.base import Diarizer
from .background import BackgroundMask
from .decoding import Block, Decoder, silence, to_float
from .downmix import decode_mono
from .masking import Masking, Surroundings, with_surroundings
from .parallel import ordered
from .progress import two_passes
from .speakers import NO_PAUSES, NO_SPEECH
from .stems import Stem
from .tracks import Gate, Spans, speaker_spans, union
from .types import (
    DialogueRequest,
    DialogueResult,
    Diarization,
    MediaInfo,
    OutputFile,
    Progress,
    SpeakerBounds,
)

SPEECH, BACKGROUND = "speech", "background"
RENDERING = 1.3  # times as long as diarization


def separate(request: DialogueRequest, media: MediaInfo, scratch: Path, progress: Progress) -> DialogueResult:
    """Leave `speech.wav` and `background.wav` in `scratch`. `media` is as probed.

    A recording without speech gives a silent stem and a warning. Raises as `pipeline.run` does.
    """
    overall = two_passes(progress, media.seconds, RENDERING)
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    engine = cast(Diarizer, registry.load(request.engine, request.task))
    found = engine.diarize(pcm, SpeakerBounds(), scratch, overall.step("diarize"))
    spoken = _spoken(found, media)
    mask = BackgroundMask(pcm, found.turns) if len(spoken) else None
    files = _write(request, media, spoken, Masking(media, background=mask), scratch, overall.step("render"))
    if mask is None:
        warnings = (*warnings, NO_SPEECH)
    elif not mask.knows_background:
        warnings = (*warnings, NO_PAUSES)
    return DialogueResult(
        task=request.task,
        engine=engine.name,
        models=found.models,
        media=media,
        files=files,
        warnings=(*warnings, *found.warnings),
        speech_seconds=float((spoken[:, 1] - spoken[:, 0]).sum() / media.sample_rate),
    )


def _spoken(found: Diarization, media: MediaInfo) -> Spans:
    """Where anybody speaks, in the recording's frames."""
    frames = round(media.seconds * media.sample_rate)
    speakers = speaker_spans(found.turns, found.speakers, "keep", media.sample_rate, frames)
    return union(chain.from_iterable(spans.tolist() for spans in speakers))


def _write(
    request: DialogueRequest, media: MediaInfo, spoken: Spans, masking: Masking, folder: Path, progress: Progress
) -> tuple[OutputFile, ...]:
    rate, frames = media.sample_rate, round(media.seconds * media.sample_rate)
    gate = Gate(spoken, rate, frames)
    blocks = Decoder(request.source, request.limits).blocks()

    def cleaned(item: tuple[int, Surroundings]) -> tuple[Block, Block]:
        second, surroundings = item
        return surroundings[1], masking.parts(surroundings, second * rate, 1)[0]

    with ExitStack() as unfinished:
        stems = [Stem(folder, name, media, frames, request.sample_rate, request.bits) for name in (SPEECH, BACKGROUND)]
        for stem in stems:
            unfinished.callback(stem.abandon)
        for second, (block, clean) in enumerate(ordered(cleaned, enumerate(with_surroundings(blocks, rate)))):
            cut = gate.cut(clean, second * rate)
            whole, speech = to_float(block), to_float(silence(block, len(block)) if cut is None else cut)
            for stem, part in zip(stems, (speech, whole - speech), strict=True):
                stem.append(part)
            progress("tracks", (second * rate + len(block)) / frames)
        return tuple(stem.close() for stem in stems)
