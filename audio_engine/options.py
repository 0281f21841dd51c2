"""Refusing requests that make no sense before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, cast

from . import registry
from .backends.base import Splitter
from .errors import EngineError
from .formats import REQUESTS
from .given_turns import check_turns
from .music import STEMS, StemsRequest, parts
from .registry import AUTO
from .sound import EQUALIZERS, QUALITIES, DenoisingRequest
from .transcription.languages import LANGUAGES
from .types import (
    OVERLAP_POLICIES,
    DialogueRequest,
    IdentificationRequest,
    MediaLimits,
    Request,
    SpeakerBounds,
    SpeakerRequest,
    TranscriptionRequest,
)

MOST_SPEAKERS = 50
LEAST_BITS, MOST_BITS = 8, 32  # per sample
NOTHING_TO_CLEAN = "says what lowers the background, which is done where clean_background is true"
QUIETEST, LOUDEST = -40, -9  # LUFS: between the softest film and the loudest record


def check_request(request: Request) -> None:
    """Raises EngineError INVALID_OPTION whose `details` name the field."""
    if REQUESTS.get(request.task) is not type(request):
        _refuse("task", f"must be one of {', '.join(REQUESTS)}")
    match request:
        case TranscriptionRequest():
            _check_transcription_request(request)
        case SpeakerRequest():
            _check_speaker_request(request)
            if isinstance(request, IdentificationRequest):
                check_threshold(request.threshold)
        case DialogueRequest():
            _check_dialogue_request(request)
        case DenoisingRequest():
            _check_denoising_request(request)
        case StemsRequest():
            engine_for(request.stems, request.engine)


def _check_transcription_request(request: TranscriptionRequest) -> None:
    _check_speaker_request(request)
    if request.language and request.language not in LANGUAGES:
        _refuse("language", f"must be one of {', '.join(sorted(LANGUAGES))}")


def _check_speaker_request(request: SpeakerRequest) -> None:
    check_speakers(request.speakers)
    if request.overlap not in OVERLAP_POLICIES:
        _refuse("overlap", f"must be one of {', '.join(OVERLAP_POLICIES)}")
    if request.turns:
        check_turns(request.turns)
    if request.cleaner != AUTO and not request.clean_background:
        _refuse("cleaner", NOTHING_TO_CLEAN)


def check_threshold(threshold: float) -> None:
    """Raises EngineError INVALID_OPTION unless it is from 0 to 100."""
    if not 0 <= threshold <= 100:
        _refuse("threshold", f"must be from 0 to 100, not {threshold}")


def _check_dialogue_request(request: DialogueRequest) -> None:
    limits = MediaLimits()
    if request.sample_rate is not None and not limits.minimum_rate <= request.sample_rate <= limits.maximum_rate:
        _refuse("sample_rate", f"must be from {limits.minimum_rate} to {limits.maximum_rate} Hz")
    if request.recogniser and request.split_background:
        _refuse("recogniser", "tells words from everything else, of which nothing is split off")
    if request.bits is not None and not LEAST_BITS <= request.bits <= MOST_BITS:
        _refuse("bits", f"must be from {LEAST_BITS} to {MOST_BITS}")


def _check_denoising_request(request: DenoisingRequest) -> None:
    if request.quality not in QUALITIES:
        _refuse("quality", f"must be one of {', '.join(QUALITIES)}")
    if not 0 <= request.strength <= 1:
        _refuse("strength", "must be from 0 to 1")
    if request.equalizer is not None and request.equalizer not in EQUALIZERS:
        _refuse("equalizer", f"must be one of {', '.join(EQUALIZERS)}")
    if request.loudness is not None and not QUIETEST <= request.loudness <= LOUDEST:
        _refuse("loudness", f"must be from {QUIETEST} to {LOUDEST} LUFS")


def engine_for(stems: Sequence[str], engine: str = AUTO) -> str:
    """`engine`; for `auto` the first that tells all of `stems` apart, if there is one, of those that can run here.

    Raises EngineError INVALID_OPTION where a stem has no such name, or `engine` or every one lacks it.
    """
    for stem in stems:
        if stem not in STEMS:
            _refuse("stems", f"must be of {', '.join(STEMS)}, not {stem!r}")
    names = registry.engines_for("stems")
    able = [name for name in names if all(parts(stem, _sources(name)) for stem in stems)]
    if engine in names and engine not in able:
        others = f"; {' or '.join(able)} does" if able else ""
        _refuse("stems", f"must be those that the engine {engine} tells apart{others}")
    if not able:
        _refuse("stems", "must be those that one engine tells apart")
    if engine != AUTO:
        return engine
    return next((name for name in able if registry.backend(name).missing() is None), able[0])


def check_speakers(bounds: SpeakerBounds) -> None:
    """Raises EngineError INVALID_OPTION unless the numbers are from 1 to 50 and agree with each other."""
    for field, number in (
        ("num_speakers", bounds.exact),
        ("min_speakers", bounds.minimum),
        ("max_speakers", bounds.maximum),
    ):
        if number is not None and not 1 <= number <= MOST_SPEAKERS:
            _refuse(field, f"must be from 1 to {MOST_SPEAKERS}, not {number}")
    if bounds.exact is not None and (bounds.minimum is not None or bounds.maximum is not None):
        _refuse("num_speakers", "excludes min_speakers and max_speakers")
    if bounds.minimum is not None and bounds.maximum is not None and bounds.minimum > bounds.maximum:
        _refuse("min_speakers", f"must not be more than max_speakers, {bounds.maximum}")


def _sources(name: str) -> tuple[str, ...]:
    return cast(Splitter, registry.backend(name)).sources


def _refuse(field: str, reason: str) -> NoReturn:
    raise EngineError("INVALID_OPTION", f"{field} {reason}.", details={"field": field, "rule": reason})
