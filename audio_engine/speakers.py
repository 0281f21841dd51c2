"""Who spoke when, and everyone on a track of their own: decode, diarize, measure and cut tracks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from . import given_turns, registry
from .backends.base import Cleaner, Diarizer, SpeechSeparator
from .cleaning import Cleaning
from .decoding import Decoder
from .downmix import decode_mono
from .enrolment import with_voices
from .formats import rttm, write_confidence
from .identification import identify
from .masking import Masking
from .memory import Samples, release_unused
from .overlaps import Overlaps
from .progress import OverallProgress, two_passes
from .rendering import Rendering, render
from .separation import Separator
from .types import (
    Diarization,
    IdentificationRequest,
    MediaInfo,
    OutputFile,
    Progress,
    SpeakerBounds,
    SpeakerRequest,
    SpeakerResult,
    Turn,
)
from .voice_attributes import voice_attributes
from .voices import Identification

RENDERING, SEPARATING, CLEANING = 0.2, 0.3, 1.1  # times as long as diarization: the second pass, and what options add

NO_SPEECH = "No speech was found."
NO_PAUSES = "The background was left as it is: there is too little of it between the turns to know it by."


def find(request: SpeakerRequest, media: MediaInfo, scratch: Path, progress: Progress) -> SpeakerResult:
    """Do an extraction, a diarization or an identification, with its files in `scratch`. `media` is as probed.

    A recording without speech gives a result with no speakers, no tracks and a warning. Raises as `pipeline.run` does.
    """
    overall = _overall_progress(request, media, progress)
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    cleaning = _cleaning(request, pcm, media, scratch, overall.step("clean"))
    pcm = cleaning.heard if cleaning else pcm
    engine, found = tell(request, pcm, media, scratch, overall)
    separated_by, separator = _separator(request, found, pcm, scratch, overall.step("separate"))
    background = cleaning.background(found.turns) if cleaning else None
    if background and not background.knows_background:
        warnings = (*warnings, NO_PAUSES)
    masking = Masking(media, separator, background)
    rendering = render(request, media, found, masking, scratch, overall.step("render"))
    result = _result(request, engine, media, found, rendering)
    return replace(
        result,
        models=(*result.models, *(part for by in (separator, cleaning) if by for part in by.models)),
        files=(*rendering.files, *texts(request, found, scratch)),
        overlaps=separator.spans() if separator else (),
        separator=separated_by,
        cleaner=cleaning.engine if cleaning else "",
        warnings=(*warnings, *result.warnings),
        identifications=_identified(request, found),
        voice_attributes=voice_attributes(pcm, found) if request.voice_attributes else (),
    )


def tell(
    request: SpeakerRequest, pcm: Samples, media: MediaInfo, scratch: Path, overall: OverallProgress
) -> tuple[str, Diarization]:
    """Who spoke when, and the name of the engine that heard it. `media.seconds` must be exact."""
    if not request.turns:
        engine = cast(Diarizer, registry.load(*request.listener)).hearing(request.speech_threshold)
        return engine.name, diarize(engine, request.speakers, pcm, media, scratch, overall.step("diarize"))
    given = given_turns.diarization(request.turns, media.seconds)
    if not isinstance(request, IdentificationRequest):
        return given_turns.ENGINE, given
    engine = cast(Diarizer, registry.load(*request.listener))
    return engine.name, with_voices(engine, given, pcm, scratch, overall.step("diarize"))


def _identified(request: SpeakerRequest, found: Diarization) -> tuple[Identification, ...]:
    if not isinstance(request, IdentificationRequest):
        return ()
    voiceprints = found.voiceprints or (None,) * found.speakers
    return identify(voiceprints, request.known, threshold=request.threshold, exclusive=request.exclusive)


def _overall_progress(request: SpeakerRequest, media: MediaInfo, progress: Progress) -> OverallProgress:
    rendering = RENDERING + SEPARATING * request.separates + CLEANING * request.cleans
    separator = cast(SpeechSeparator, registry.resolve(request.separator, "separation")) if request.separates else None
    cleaner = cast(Cleaner, registry.resolve(request.cleaner, "background")) if request.cleans else None
    return two_passes(
        progress,
        media.seconds,
        rendering,
        separating=separator.ahead if separator else 0.0,
        cleaning=cleaner.ahead if cleaner else 0.0,
        diarizes=not request.turns or request.task == "identification",
    )


def _cleaning(
    request: SpeakerRequest, pcm: Samples, media: MediaInfo, scratch: Path, progress: Progress
) -> Cleaning | None:
    if not request.cleans:
        return None
    engine = cast(Cleaner, registry.load(request.cleaner, "background"))
    return engine.cleaning(pcm, Decoder(request.source, request.limits), media, scratch, progress)


def diarize(
    engine: Diarizer, bounds: SpeakerBounds, pcm: Samples, media: MediaInfo, scratch: Path, progress: Progress
) -> Diarization:
    """Who spoke when by `engine`, within the recording. `media.seconds` must be exact."""
    found = engine.diarize(pcm, bounds, scratch, progress)
    release_unused()
    return replace(found, turns=_within(found.turns, media), exclusive=_within(found.exclusive, media))


def _within(turns: tuple[Turn, ...], media: MediaInfo) -> tuple[Turn, ...]:
    """`turns` without what lies beyond the recording, to whose end a backend's frames need not fit."""
    cut = (replace(turn, start=max(0.0, turn.start), end=min(turn.end, media.seconds)) for turn in turns)
    return tuple(turn for turn in cut if turn.duration > 0)


def _separator(
    request: SpeakerRequest, found: Diarization, pcm: Samples, scratch: Path, progress: Progress
) -> tuple[str, Separator | None]:
    """What splits the overlaps, and the name of its engine; an engine is loaded only where there are some."""
    overlaps = Overlaps(found.turns, len(pcm))
    if not request.separates or not overlaps.stretches:
        return "", None
    engine = cast(SpeechSeparator, registry.load(request.separator, "separation"))
    return engine.name, engine.separator(pcm, overlaps, scratch, progress)


def _result(
    request: SpeakerRequest, engine: str, media: MediaInfo, found: Diarization, rendering: Rendering
) -> SpeakerResult:
    return SpeakerResult(
        task=request.task,
        engine=engine,
        models=found.models,
        media=media,
        overlap=request.overlap,
        speakers=rendering.speakers,
        recording=rendering.recording,
        turns=found.turns,
        exclusive=found.exclusive,
        warnings=warnings_of(found),
        compact_maps=rendering.compact_maps,
        peaks=rendering.peaks,
        voiceprints=found.voiceprints if request.voiceprints else (),
    )


def warnings_of(found: Diarization) -> tuple[str, ...]:
    return found.warnings if found.turns else (*found.warnings, NO_SPEECH)


def texts(request: SpeakerRequest, found: Diarization, scratch: Path) -> list[OutputFile]:
    """Write RTTM and, where it is told, confidence."""
    rttm_path = scratch / f"{request.task}.rttm"
    names = dict(enumerate(request.names))
    rttm_path.write_text(rttm(found.turns, request.title or request.source.stem, names), encoding="utf-8")
    written = [OutputFile("rttm", rttm_path.name, rttm_path.stat().st_size)]
    if found.confidence:
        confidence_path = scratch / "confidence.json"
        write_confidence(found.confidence, confidence_path)
        written.append(OutputFile("confidence", confidence_path.name, confidence_path.stat().st_size))
    return written
