"""A finished job's result as its page shows it: a card for each speaker, and the data of the timeline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from audio_engine.transcription.transcript import Transcript
from audio_engine.transcription.writing import plain
from jobs.models import Track
from jobs.wording import clock, in_words

COLOURS = 8  # Okabe and Ito's set; the number beside each tells a ninth speaker from the first


@dataclass(frozen=True, slots=True)
class SpeakerCard:
    speaker: int  # from 0
    name: str
    colour: int  # 1 to COLOURS
    talk: str
    percent: int
    figures: list[tuple[str, str]]  # label, value
    track: Track | None


def speaker_cards(result: dict[str, Any], tracks: list[Track]) -> list[SpeakerCard]:
    by_speaker = {track.speaker: track for track in tracks if track.kind == Track.Kind.AUDIO}
    voices = {voice["speaker"]: voice for voice in result.get("voice_attributes") or []}
    return [
        SpeakerCard(
            speaker=stats["speaker"],
            name=name_of(stats["speaker"]),
            colour=colour_of(stats["speaker"]),
            talk=clock(round(stats["talk_seconds"])),
            percent=round(stats["talk_share"] * 100),
            figures=_figures(stats) + _voice(voices.get(stats["speaker"])),
            track=by_speaker.get(stats["speaker"]),
        )
        for stats in result["speakers"]
    ]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What somebody says before somebody else does."""

    name: str  # empty where it is not to be told
    colour: int
    start: int  # seconds
    text: str


def paragraphs(transcript: Transcript, *, labelled: bool) -> list[Paragraph]:
    found = []
    for speaker, spoken in groupby(transcript.sentences, lambda sentence: sentence.speaker):
        sentences = list(spoken)
        text = " ".join(" ".join(plain(sentence.text).split()) for sentence in sentences)
        named = labelled and speaker is not None
        name, colour = (name_of(speaker or 0), colour_of(speaker or 0)) if named else ("", 0)
        found.append(Paragraph(name, colour, int(sentences[0].start), text))
    return found


def name_of(speaker: int) -> str:
    return f"Speaker {speaker + 1}"


def colour_of(speaker: int) -> int:
    return speaker % COLOURS + 1


def timeline(result: dict[str, Any], recording: str, tracks: dict[int, str]) -> dict[str, Any]:
    """What the player needs; `recording` and `tracks` (by speaker) are addresses of audio."""
    maps = result["compact_maps"]
    return {
        "seconds": result["media"]["seconds"],
        "recording": recording,
        "peaks": result["peaks"],
        "turns": [[turn["start"], turn["end"], turn["speaker"], turn["confidence"]] for turn in result["turns"]],
        "tracks": [
            {
                "speaker": speaker,
                "url": url,
                "spans": [[s["track_start"], s["source_start"], s["seconds"]] for s in maps.get(str(speaker), [])],
            }
            for speaker, url in sorted(tracks.items())
        ],
    }


def recording_figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    recording = result["recording"]
    return [
        ("Speech", in_words(recording["speech_seconds"])),
        ("Silence", in_words(recording["silence_seconds"])),
        ("Overlap", in_words(recording["overlap_seconds"])),
    ]


def facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """What is told of a job that has no speakers."""
    match result["task"]:
        case "dialogue":
            return [("Speech", in_words(result["speech_seconds"]))]
        case "denoising":
            before, after = result["before"], result["after"]
            return [
                ("Less noise", _level(result["noise_reduction_db"], "dB")),
                ("Noise before", _level(before["noise_db"], "dBFS")),
                ("after", _level(after["noise_db"], "dBFS")),
                ("Loudness before", _level(before["loudness_lufs"], "LUFS")),
                ("after", _level(after["loudness_lufs"], "LUFS")),
            ]
        case "stems":
            return [(stem["stem"], _level(stem["rms_db"], "dBFS")) for stem in result["stems"]]
    return []


def _figures(stats: dict[str, Any]) -> list[tuple[str, str]]:
    peak = stats["peak"]
    return [
        ("Turns", str(stats["turns"])),
        ("Mean turn", f"{stats['mean_turn_seconds']:.1f} s"),
        ("In overlap", f"{stats['overlap_seconds']:.1f} s"),
        ("Loudness", _level(stats["loudness_lufs"], "LUFS")),
        ("RMS", _level(stats["rms_db"], "dBFS")),
        ("Peak", _level(20 * math.log10(peak) if peak else None, "dBFS")),
        ("Signal to noise", _level(stats["snr_db"], "dB")),
    ]


def _voice(attributes: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Nothing where the job was not asked for it."""
    if attributes is None:
        return []
    if attributes["pitch_median"] is None:
        return [("Pitch", "—")]
    low, median, high = (round(attributes[f"pitch_{part}"]) for part in ("low", "median", "high"))
    confidence = attributes["gender_confidence"]
    sounds = "—" if confidence is None else f"{attributes['gender']}, {confidence} % sure"
    return [("Pitch", f"{median} Hz, {low}–{high}"), ("Sounds", sounds)]


def _level(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{value:.1f} {unit}".replace("-", "−")
