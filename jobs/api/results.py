"""What came of a job as API clients see it: what all tasks have in common, and each task's own part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any

from rest_framework.request import Request

from audio_engine.formats import speaker_label
from jobs import downloads
from jobs.models import Job, Track

Body = dict[str, Any]
Links = dict[int, str]  # by primary key of the track


def of(job: Job, tracks: list[Track], request: Request) -> Body:
    """The result of a job that succeeded, with fresh download links."""
    found = job.result or {}
    links = {track.pk: downloads.track_url(track, request) for track in tracks}
    return PARTS[job.task](job, tracks, links) | {
        "files": [path(job, track) | {"bytes": track.bytes, "download_url": links[track.pk]} for track in tracks],
        "engine": found["engine"],
        "models": found["models"],
        "warnings": found["warnings"],
    }


def path(job: Job, track: Track) -> Body:
    speaker = {} if track.speaker is None else {"speaker": label(job, track.speaker)}
    return {"type": track.kind, **speaker, "path": track.file}


def label(job: Job, speaker: int) -> str:
    """AudioPod writes SPEAKER_0 in extractions and SPEAKER_00 in diarizations."""
    return f"SPEAKER_{speaker}" if job.task == "extraction" else speaker_label(speaker)


def labels(_job: Job, _names: Mapping[int, str]) -> Callable[[int], str]:
    """How files call a job's speakers where another vendor's contract says how, as those of the engine do."""
    return speaker_label


def names_or_labels(job: Job, names: Mapping[int, str]) -> Callable[[int], str]:
    """How they are called where that is ours to say: by the names that people gave, and else as in the result."""
    return lambda speaker: names.get(speaker) or label(job, speaker)


# --- who spoke when


def _speakers(job: Job, tracks: list[Track], links: Links) -> Body:
    found = job.result or {}
    turns = [_turn(job, turn) for turn in found["turns"]]
    audio = {track.speaker: track for track in tracks if track.kind == Track.Kind.AUDIO}
    return {
        "num_speakers": len(found["speakers"]),
        "speakers": [_speaker(job, figures, audio.get(figures["speaker"]), links) for figures in found["speakers"]],
        "timeline": turns,
        "segments": turns,
        "rttm_path": next((track.file for track in tracks if track.kind == Track.Kind.RTTM), None),
        "recording": found["recording"],
        "overlap": found["overlap"],
        "overlaps": [_overlap(job, overlap) for overlap in found.get("overlaps", [])],
        "separator": found.get("separator", ""),
        "cleaner": found.get("cleaner", ""),
    } | _compact_maps(job, found)


def _speaker(job: Job, figures: Body, track: Track | None, links: Links) -> Body:
    audio = {"audio_path": track.file, "download_url": links[track.pk]} if track else {}
    return (
        {
            "id": figures["speaker"],
            "label": label(job, figures["speaker"]),
            **audio,
            "audio_stats": {name: figures[name] for name in ("rms_db", "peak", "loudness_lufs", "snr_db")},
            "total_speaking_time": figures["talk_seconds"],
            "talk_share": figures["talk_share"],
            "turns": figures["turns"],
            "mean_turn_seconds": figures["mean_turn_seconds"],
            "overlap_seconds": figures["overlap_seconds"],
        }
        | _voiceprint(job, figures["speaker"])
        | _voice_attributes(job, figures["speaker"])
        | _identity(job, figures["speaker"])
    )


def _voiceprint(job: Job, speaker: int) -> Body:
    """Only where the job was asked for voiceprints."""
    voiceprints = (job.result or {}).get("voiceprints") or []
    return {"voiceprint": voiceprints[speaker]} if speaker < len(voiceprints) else {}


def _voice_attributes(job: Job, speaker: int) -> Body:
    """Only where the job was asked for them."""
    found = (job.result or {}).get("voice_attributes") or []
    told = {name: value for name, value in found[speaker].items() if name != "speaker"} if speaker < len(found) else {}
    return {"voice_attributes": told} if told else {}


def _identity(job: Job, speaker: int) -> Body:
    """Only of an identification."""
    found = (job.result or {}).get("identifications") or []
    return {name: found[speaker][name] for name in ("match", "confidence")} if speaker < len(found) else {}


def _turn(job: Job, turn: Body) -> Body:
    return turn | {"speaker": label(job, turn["speaker"])}


def _overlap(job: Job, overlap: Body) -> Body:
    return overlap | {"speakers": [label(job, speaker) for speaker in overlap["speakers"]]}


def _compact_maps(job: Job, found: Body) -> Body:
    """Where the stretches of each compact track lie in the recording."""
    maps = found.get("compact_maps") or {}
    return {"compact_maps": {label(job, int(speaker)): spans for speaker, spans in maps.items()}} if maps else {}


# --- speech and everything else


def _dialogue(job: Job, _tracks: list[Track], _links: Links) -> Body:
    return {"speech_seconds": (job.result or {})["speech_seconds"]}


# --- what was said


def _transcript(job: Job, tracks: list[Track], links: Links) -> Body:
    found = job.result or {}
    told = ("language", "language_probability", "sentences", "words")
    return _speakers(job, tracks, links) | {name: found[name] for name in told}


# --- less noise


def _denoised(job: Job, _tracks: list[Track], _links: Links) -> Body:
    found = job.result or {}
    return {name: found[name] for name in ("noise_reduction_db", "before", "after")}


# --- stems


def _stems(job: Job, tracks: list[Track], links: Links) -> Body:
    audio = {PurePath(track.name).stem: track for track in tracks if track.kind == Track.Kind.AUDIO}
    return {
        "stems": [
            stem | {"audio_path": audio[stem["stem"]].file, "download_url": links[audio[stem["stem"]].pk]}
            for stem in (job.result or {})["stems"]
        ]
    }


PARTS: dict[str, Callable[[Job, list[Track], Links], Body]] = {
    "extraction": _speakers,
    "diarization": _speakers,
    "identification": _speakers,
    "voiceprint": lambda job, _tracks, _links: {"voiceprint": (job.result or {})["voiceprint"]},
    "dialogue": _dialogue,
    "transcription": _transcript,
    "denoising": _denoised,
    "stems": _stems,
}
