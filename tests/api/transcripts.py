"""What the engine would have made of a transcription."""

from __future__ import annotations

from pathlib import Path

from audio_engine.models import MODELS
from audio_engine.transcription.sentences import sentences
from audio_engine.transcription.transcript import Transcript, Word, transcript_json
from audio_engine.types import MediaInfo, RecordingStats, SpeakerStats, TranscriptionResult, Turn
from jobs import files, lifecycle
from jobs.models import Job, Track

TURNS = (Turn(0.1, 1.0, 0), Turn(1.2, 2.5, 1))
WORDS = (
    Word(0.1, 0.4, " Who", 0.9, 0),
    Word(0.4, 1.0, " wrote?", 0.8, 0),
    Word(1.2, 1.9, " <Lincoln>", 0.7, 1),
    Word(1.9, 2.5, " did.", 0.6, 1),
)
SPOKEN = Transcript("en", 0.97, sentences(WORDS))


def models_folder(folder: Path) -> Path:
    """One with what the web server looks for: the files of a model, empty."""
    model = folder / "models" / "whisper-small"
    model.mkdir(parents=True)
    for file in MODELS["whisper-small"].files:
        (model / file).touch()
    return model.parent


def succeed(job: Job, folder: Path, transcript: Transcript = SPOKEN) -> Job:
    """Do the engine's part of a queued transcription."""
    running = lifecycle.claim("engine", "tests")
    assert running is not None
    assert running.pk == job.pk
    assert running.media is not None
    (folder / "transcript.json").write_text(transcript_json(transcript))
    name = files.store(folder / "transcript.json", running.folder() / "transcript.json")
    outputs = [lifecycle.StoredFile(Track.Kind.TRANSCRIPT, name, (folder / "transcript.json").stat().st_size)]
    media = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, running.media.seconds, "mono")
    result = TranscriptionResult(
        task="transcription",
        engine="whisper-small",
        models=("whisper-small", "faster-whisper 1.2.1"),
        media=media,
        overlap="separate",
        speakers=tuple(
            SpeakerStats(turn.speaker, turn.duration, 0.5, 1, turn.duration, 0.0, -20.5, 0.5, -23.0, None)
            for turn in TURNS
        ),
        recording=RecordingStats(2.2, 0.8, 0.0),
        turns=TURNS,
        exclusive=TURNS,
        language=transcript.language,
        language_probability=transcript.language_probability,
        sentences=len(transcript.sentences),
        words=len(transcript.words()),
    )
    contents = {"transcript": transcript_json(transcript).encode()}
    return lifecycle.succeed(running, result.to_json(), outputs, contents)
