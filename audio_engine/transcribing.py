"""What was said and by whom: have a recogniser hear the speech, and give each word to whoever speaks then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from . import registry, speakers
from .backends.base import Transcriber
from .downmix import decode_mono
from .formats import speaker_label
from .masking import Masking
from .memory import Samples
from .progress import DECODING, DIARIZING, OverallProgress
from .rendering import render
from .transcription.attribution import attribute, attribute_lines
from .transcription.sentences import sentences
from .transcription.subtitles import parse_srt
from .transcription.transcript import Transcript, transcript_json
from .transcription.windows import windows
from .transcription.writing import TRANSCRIPT_FORMATS
from .types import Diarization, FileKind, MediaInfo, OutputFile, Progress, TranscriptionRequest, TranscriptionResult
from .voice_attributes import voice_attributes

HEARING = 1 / 5  # seconds for one of a recording: it depends on the model and the machine more than on anything else
NO_WORDS = "No words were recognised."
WRITTEN: tuple[FileKind, ...] = ("txt", "srt", "vtt")


def transcribe(
    request: TranscriptionRequest, media: MediaInfo, scratch: Path, progress: Progress
) -> TranscriptionResult:
    """Do a transcription, with its files in `scratch`. `media` is as probed.

    A recording without speech gives a result with no speakers and no words, and a warning. Raises as `pipeline.run`
    does.
    """
    lines = parse_srt(request.subtitles) if request.subtitles else None
    overall = _overall_progress(request, media, progress)
    pcm, media, warnings = decode_mono(request, media, scratch / "mono.f32", overall.step("decode"))
    engine, found = speakers.tell(request, pcm, media, scratch, overall)
    models = found.models
    report = overall.step("hear")
    if lines is not None:
        transcript = Transcript(request.language, None, attribute_lines(lines, found.exclusive))
    else:
        recogniser = cast(Transcriber, registry.load(request.engine, request.task))
        transcript, heard_by = _hear(recogniser, request.language, found, pcm, report)
        engine, models = recogniser.name, (*heard_by, *models)
    rendering = render(request, media, found, Masking(media), scratch, overall.step("render"))
    if found.turns and not transcript.sentences:
        warnings = (*warnings, NO_WORDS)
    return TranscriptionResult(
        task=request.task,
        engine=engine,
        models=models,
        media=media,
        overlap=request.overlap,
        speakers=rendering.speakers,
        recording=rendering.recording,
        turns=found.turns,
        exclusive=found.exclusive,
        peaks=rendering.peaks,
        voiceprints=found.voiceprints if request.voiceprints else (),
        voice_attributes=voice_attributes(pcm, found) if request.voice_attributes else (),
        language=transcript.language,
        language_probability=transcript.language_probability,
        sentences=len(transcript.sentences),
        words=len(transcript.words()),
        files=(*rendering.files, *speakers.texts(request, found, scratch), *_texts(request, transcript, scratch)),
        warnings=(*warnings, *speakers.warnings_of(found)),
    )


def _overall_progress(request: TranscriptionRequest, media: MediaInfo, progress: Progress) -> OverallProgress:
    decode = DECODING * media.seconds
    rendering = DIARIZING * speakers.RENDERING
    expected = {
        "decode": decode,
        "diarize": 0.0 if request.turns else DIARIZING * decode,
        "hear": HEARING * media.seconds,
        "render": rendering * decode,
    }
    proportions = {"render": ("decode", rendering)}
    if not request.turns:
        proportions = {"diarize": ("decode", DIARIZING), "render": ("diarize", speakers.RENDERING)}
    return OverallProgress(progress, expected, proportions)


def _hear(
    recogniser: Transcriber, language: str, found: Diarization, pcm: Samples, progress: Progress
) -> tuple[Transcript, tuple[str, ...]]:
    """What was said, by recognition, and the models that took part."""
    spans = windows(found.turns, pcm, recogniser.window_seconds)
    heard = recogniser.transcribe(pcm, spans, language, progress)
    words = attribute(heard.words, found.exclusive)
    return Transcript(heard.language, heard.language_probability, sentences(words)), heard.models


def _texts(request: TranscriptionRequest, transcript: Transcript, scratch: Path) -> Iterator[OutputFile]:
    """Write the transcript, with all that is known of each word and then in the formats that others read."""
    contents = {"transcript": transcript_json(transcript)}
    names = dict(enumerate(request.names))
    name_of = (lambda speaker: names.get(speaker) or speaker_label(speaker)) if request.labelled else None
    contents |= {kind: TRANSCRIPT_FORMATS[kind].write(transcript, name_of, words=False) for kind in WRITTEN}
    for kind, text in contents.items():
        path = scratch / ("transcript.json" if kind == "transcript" else f"transcript.{kind}")
        path.write_text(text, encoding="utf-8")
        yield OutputFile(cast(FileKind, kind), path.name, path.stat().st_size)
