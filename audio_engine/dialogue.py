"""Dialogue separation: all that is spoken in one stem, everything else in another. Together they are the recording.

Where only words count, speech is the recording while they are said, and what else people utter is in the other stem.
Else it is what lies within somebody's turns, lowered in each bin by what `background` hears of noise and music there.
Whatever that takes away, and all that lies between the turns, is the background, of which `music_mask` tells the music.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import cast

from . import lingual, registry
from .backends.base import Diarizer, Transcriber
from .background import BackgroundMask
from .decoding import Block, Decoder, silence, to_float
from .downmix import decode_mono
from .masking import Masking, Surroundings, with_surroundings
from .memory import Samples
from .music_mask import MusicMask
from .parallel import ordered
from .progress import two_passes
from .speakers import NO_PAUSES, NO_SPEECH
from .stems import Signal, Stem
from .tracks import Gate, Spans, speaker_spans, union
from .transcription.windows import windows
from .types import (
    DialogueRequest,
    DialogueResult,
    Diarization,
    MediaInfo,
    OutputFile,
    Progress,
)

SPEECH, BACKGROUND, MUSIC, EFFECTS, NONLINGUAL = "speech", "background", "music", "effects", "nonlingual"
RENDERING, SPLITTING, RECOGNISING = 4.6, 4.6, 23.0  # times as long as listening for speech
NO_WORDS = "No words were recognised."
BY_TIMES = (
    "Words are told from other sounds by their times, which are recognised roughly: a laugh amid words stays there."
)
BASIC = "Music and effects are told apart by basic means: some of each is heard in the other."


def separate(request: DialogueRequest, media: MediaInfo, scratch: Path, progress: Progress) -> DialogueResult:
    """Leave `speech.wav` and `background.wav`, or `music.wav` and `effects.wav`, or `nonlingual.wav`, in `scratch`.
    `media` is as probed.

    A recording without speech gives a silent stem and a warning. Raises as `pipeline.run` does.
    """
    hearing = RECOGNISING if request.recogniser else 0.0
    overall = two_passes(progress, media.seconds, RENDERING + SPLITTING * request.split_background, hearing)
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    engine = cast(Diarizer, registry.load(request.engine, request.task))
    found = engine.speech(pcm, scratch, overall.step("diarize"))
    if request.recogniser:
        spoken, heard_by = _said(request, found, pcm, media, overall.step("separate"))
        mask, music = None, None
        warnings = (*warnings, *_shortcomings(found, spoken))
    else:
        spoken, heard_by = _spoken(found, media), ()
        mask = BackgroundMask(pcm, found.turns) if len(spoken) else None
        music = MusicMask(pcm, found.turns, mask) if request.split_background else None
        warnings = (*warnings, *_failings(mask, music))
    files = _write(request, media, spoken, mask, music, scratch, overall.step("render"))
    return DialogueResult(
        task=request.task,
        engine=engine.name,
        models=(*heard_by, *found.models),
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


def _said(
    request: DialogueRequest, found: Diarization, pcm: Samples, media: MediaInfo, progress: Progress
) -> tuple[Spans, tuple[str, ...]]:
    """Where words are said, in the recording's frames, and the models that heard them."""
    recogniser = cast(Transcriber, registry.load(request.recogniser, "transcription"))
    heard = recogniser.transcribe(pcm, windows(found.turns, pcm, recogniser.window_seconds), "", progress)
    frames = round(media.seconds * media.sample_rate)
    return lingual.spans(lingual.said(heard.words), media.sample_rate, frames), heard.models


def _shortcomings(found: Diarization, words: Spans) -> tuple[str, ...]:
    """Of words told from other sounds."""
    if not found.turns:
        return (NO_SPEECH,)
    return (BY_TIMES,) if len(words) else (NO_WORDS,)


def _failings(mask: BackgroundMask | None, music: MusicMask | None) -> tuple[str, ...]:
    """Of speech told from everything else."""
    basic = (BASIC,) if music is not None else ()
    if mask is None:
        return (NO_SPEECH, *basic)
    return basic if mask.knows_background else (NO_PAUSES, *basic)


def _write(
    request: DialogueRequest,
    media: MediaInfo,
    spoken: Spans,
    speech: BackgroundMask | None,
    music: MusicMask | None,
    folder: Path,
    progress: Progress,
) -> tuple[OutputFile, ...]:
    rest = NONLINGUAL if request.recogniser else BACKGROUND
    names = (SPEECH, rest) if music is None else (SPEECH, MUSIC, EFFECTS)
    frames = round(media.seconds * media.sample_rate)
    with ExitStack() as unfinished:
        stems = [Stem(folder, name, media, frames, request.sample_rate, request.bits) for name in names]
        for stem in stems:
            unfinished.callback(stem.abandon)
        said, *others = stems

        def backgrounds() -> Iterator[Signal]:
            """What is left of each block when its speech is written."""
            for block, part in _speech(request, media, spoken, Masking(media, background=speech)):
                said.append(part)
                yield block - part

        parts = ((block,) for block in backgrounds()) if music is None else _split(backgrounds(), media, music)
        for second, signals in enumerate(parts):
            for stem, signal in zip(others, signals, strict=True):
                stem.append(signal)
            progress("tracks", min(1.0, (second + 1) * media.sample_rate / frames))
        return tuple(stem.close() for stem in stems)


def _speech(
    request: DialogueRequest, media: MediaInfo, spoken: Spans, masking: Masking
) -> Iterator[tuple[Signal, Signal]]:
    """Each second of the recording, and the speech in it."""
    rate = media.sample_rate
    gate = Gate(spoken, rate, round(media.seconds * rate))
    blocks = Decoder(request.source, request.limits).blocks()

    def cleaned(item: tuple[int, Surroundings]) -> tuple[Block, Block]:
        second, surroundings = item
        return surroundings[1], masking.parts(surroundings, second * rate, 1)[0]

    for second, (block, clean) in enumerate(ordered(cleaned, enumerate(with_surroundings(blocks, rate)))):
        cut = gate.cut(clean, second * rate)
        yield to_float(block), to_float(silence(block, len(block)) if cut is None else cut)


def _split(blocks: Iterable[Signal], media: MediaInfo, music: MusicMask) -> Iterator[tuple[Signal, Signal]]:
    """The music of each block, and the rest."""
    masking = Masking(media, background=music)

    def parts(item: tuple[int, Surroundings]) -> tuple[Signal, Signal]:
        second, surroundings = item
        (played,) = masking.parts(surroundings, second * media.sample_rate, 1)
        return played, surroundings[1] - played

    return ordered(parts, enumerate(with_surroundings(blocks, media.sample_rate)))
