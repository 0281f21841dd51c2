"""A finished job's result as its page shows it: a card for each speaker, and the data of the timeline."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.models import Track
from jobs.naming import numbered
from jobs.wording import clock, in_words

PARTS = {"denoised": "Cleaned"}  # what is not called as its file is
MOST_TURNS = 2_000
SURE = 50  # confidence below which a turn is more likely wrong than right
COLOURS = 8  # Okabe and Ito's set; the number beside each tells a ninth speaker from the first


@dataclass(frozen=True, slots=True)
class Card:
    """A speaker, or a part of the sound: a lane of the player and a card below it."""

    number: int  # from 0
    name: str
    tail: str  # beside the lane
    figures: list[tuple[str, str]]  # label, value
    track: Track | None
    talk: str = ""
    percent: int | None = None  # of the talk

    @property
    def colour(self) -> int:
        return colour_of(self.number)


def speaker_cards(result: dict[str, Any], tracks: list[Track], name_of: Callable[[int], str] = numbered) -> list[Card]:
    by_speaker = {track.speaker: track for track in tracks if track.kind == Track.Kind.AUDIO}
    voices = {voice["speaker"]: voice for voice in result.get("voice_attributes") or []}
    known = {who["speaker"]: who for who in result.get("identifications") or []}
    cards = []
    for stats in result["speakers"]:
        speaker = stats["speaker"]
        figures = _known(known.get(speaker)) + _figures(stats) + _voice(voices.get(speaker))
        cards.append(_speaker(stats, name_of(speaker), figures, by_speaker.get(speaker)))
    return cards


def _speaker(stats: dict[str, Any], name: str, figures: list[tuple[str, str]], track: Track | None) -> Card:
    talk, percent = clock(round(stats["talk_seconds"])), round(stats["talk_share"] * 100)
    return Card(
        number=stats["speaker"],
        name=name,
        tail=f"{talk} · {percent} %",
        figures=figures,
        track=track,
        talk=talk,
        percent=percent,
    )


def part_cards(result: dict[str, Any], tracks: list[Track]) -> list[Card]:
    """Of a job that has no speakers: the sounds that it made, in the engine's order."""
    order = [file["name"] for file in result["files"]]
    audio = [track for track in tracks if track.kind == Track.Kind.AUDIO]
    audio.sort(key=lambda track: order.index(track.name) if track.name in order else len(order))
    stems = {stem["stem"]: stem for stem in result.get("stems", ())}
    cards = []
    for number, track in enumerate(audio):
        stem = track.name.rpartition(".")[0]
        levels = _levels(stems[stem]) if stem in stems else []
        tail = levels[0][1] if levels else ""
        figures = _noise(result) if result["task"] == "denoising" else levels
        cards.append(Card(number, PARTS.get(stem, stem.replace("_", " ").capitalize()), tail, figures, track))
    return cards


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


@dataclass(frozen=True, slots=True)
class TurnRow:
    place: int  # among all turns of the version, from 0
    start: float
    end: float
    card: Card
    confidence: int | None

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def doubtful(self) -> bool:
        return self.confidence is not None and self.confidence < SURE


def turns(result: dict[str, Any], cards: list[Card]) -> list[TurnRow]:
    """The first MOST_TURNS of them; a page with more would be slow, and exports have them all."""
    by_speaker = {card.number: card for card in cards}
    return [
        TurnRow(place, round(turn["start"], 2), round(turn["end"], 2), by_speaker[turn["speaker"]], turn["confidence"])
        for place, turn in enumerate(result["turns"][:MOST_TURNS])
    ]


def parts_timeline(result: dict[str, Any], recording: str, tracks: dict[int, str]) -> dict[str, Any]:
    """The same for parts of the sound, all heard all the time. The player finds their waveforms by itself."""
    seconds = result["media"]["seconds"]
    return {
        "seconds": seconds,
        "recording": recording,
        "peaks": [],
        "together": True,
        "turns": [[0, seconds, part, None] for part in sorted(tracks)],
        "tracks": [{"speaker": part, "url": url, "spans": []} for part, url in sorted(tracks.items())],
    }


def recording_figures(result: dict[str, Any]) -> list[tuple[str, str]]:
    if "speech_seconds" in result:
        return [("Speech", in_words(result["speech_seconds"]))]
    recording = result.get("recording")
    if recording is None:
        return []
    return [
        ("Speech", in_words(recording["speech_seconds"])),
        ("Silence", in_words(recording["silence_seconds"])),
        ("Overlap", in_words(recording["overlap_seconds"])),
    ]


def _levels(stem: dict[str, Any]) -> list[tuple[str, str]]:
    return [("RMS", _level(stem["rms_db"], "dBFS")), ("Peak", _peak(stem["peak"]))]


def _noise(result: dict[str, Any]) -> list[tuple[str, str]]:
    before, after = result["before"], result["after"]
    return [
        ("Noise lowered by", _level(result["noise_reduction_db"], "dB")),
        ("Noise before", _level(before["noise_db"], "dBFS")),
        ("Noise after", _level(after["noise_db"], "dBFS")),
        ("Loudness before", _level(before["loudness_lufs"], "LUFS")),
        ("Loudness after", _level(after["loudness_lufs"], "LUFS")),
    ]


def _figures(stats: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Turns", str(stats["turns"])),
        ("Mean turn", f"{stats['mean_turn_seconds']:.1f} s"),
        ("In overlap", f"{stats['overlap_seconds']:.1f} s"),
        ("Loudness", _level(stats["loudness_lufs"], "LUFS")),
        ("RMS", _level(stats["rms_db"], "dBFS")),
        ("Peak", _peak(stats["peak"])),
        ("Signal to noise", _level(stats["snr_db"], "dB")),
    ]


def _known(who: dict[str, Any] | None) -> list[tuple[str, str]]:
    """Whose saved voice it is, of a job that was to say that."""
    if who is None:
        return []
    match = who["match"]
    return [("Known voice", "none" if match is None else f"{match}, {who['confidence'][match]} %")]


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


def _peak(peak: float | None) -> str:
    return _level(20 * math.log10(peak) if peak else None, "dBFS")


def _level(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{round(value, 1) + 0.0:.1f} {unit}".replace("-", "−")
