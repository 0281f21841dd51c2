from __future__ import annotations

import dataclasses
import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_engine import registry
from audio_engine.errors import Canceled, EngineError
from audio_engine.formats import parse_rttm, result_from_json
from audio_engine.pipeline import run
from audio_engine.speakers import NO_SPEECH
from audio_engine.types import SpeakerBounds, SpeakerRequest, Stage
from tests.audio_engine import scripted as scripts


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_recording_becomes_tracks_rttm_and_a_result(tmp_path: Path, recording: Path, scripted: str) -> None:
    output = tmp_path / "new" / "out"
    result = run(SpeakerRequest(recording, output, engine=scripted))
    assert names(output) == ["extraction.rttm", "result.json", "speaker_0.wav", "speaker_1.wav"]
    assert sorted(file.name for file in result.files) == names(output)
    assert all((output / file.name).stat().st_size == file.bytes for file in result.files)
    assert [(file.kind, file.speaker) for file in result.files] == [
        ("audio", 0),
        ("audio", 1),
        ("rttm", None),
        ("json", None),
    ]
    kept = result_from_json(json.loads((output / "result.json").read_text()))
    assert kept == dataclasses.replace(result, files=result.files[:-1])
    assert [turn.speaker for turn in parse_rttm((output / "extraction.rttm").read_text())] == [0, 1, 0, 1, 0]
    assert (result.engine, result.media.seconds, len(result.speakers)) == ("scripted", 5.0, 2)
    assert max(turn.end for turn in result.turns) == 5.0  # the engine said 5.2
    assert result.warnings == ()


def test_rttm_calls_the_recording_by_its_title(tmp_path: Path, recording: Path, scripted: str) -> None:
    run(SpeakerRequest(recording, tmp_path / "out", title="board meeting", engine=scripted))
    assert (tmp_path / "out" / "extraction.rttm").read_text().startswith("SPEAKER board_meeting 1 ")


def test_diarization_writes_no_tracks_but_measures_the_speakers(tmp_path: Path, recording: Path, scripted: str) -> None:
    result = run(SpeakerRequest(recording, tmp_path / "out", task="diarization", engine=scripted))
    assert names(tmp_path / "out") == ["diarization.rttm", "result.json"]
    assert result.speakers[0].loudness_lufs is not None


def test_voiceprints_are_only_in_the_result_of_who_asked_for_them(
    tmp_path: Path, recording: Path, scripted: str
) -> None:
    plain = run(SpeakerRequest(recording, tmp_path / "plain", engine=scripted))
    assert plain.voiceprints == ()
    assert json.loads((tmp_path / "plain" / "result.json").read_text())["voiceprints"] == []
    asked = run(SpeakerRequest(recording, tmp_path / "asked", engine=scripted, voiceprints=True))
    assert asked.voiceprints == scripts.VOICEPRINTS
    kept = result_from_json(json.loads((tmp_path / "asked" / "result.json").read_text()))
    assert kept.voiceprints == scripts.VOICEPRINTS


def test_the_same_request_gives_the_same_bytes(tmp_path: Path, recording: Path, scripted: str) -> None:
    for name in ("one", "two"):
        run(SpeakerRequest(recording, tmp_path / name, engine=scripted))
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_silence_is_a_result_without_speakers_and_with_a_warning(tmp_path: Path, scripted: str) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(48_000), 16_000)
    result = run(SpeakerRequest(path, tmp_path / "out", engine=scripted))
    assert result.speakers == ()
    assert result.warnings == (NO_SPEECH,)
    assert names(tmp_path / "out") == ["extraction.rttm", "result.json"]


def test_damage_in_the_recording_is_a_warning(tmp_path: Path, scripted: str, noise: Callable[..., np.ndarray]) -> None:
    samples = noise(3).astype(np.float32)
    samples[7] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, 16_000, subtype="FLOAT")
    result = run(SpeakerRequest(tmp_path / "nan.wav", tmp_path / "out", engine=scripted))
    assert result.warnings == ("1 samples of the recording are no valid numbers and count as silence.",)


def test_progress_goes_through_the_stages_and_never_falls(tmp_path: Path, recording: Path, scripted: str) -> None:
    reports: list[tuple[Stage, float]] = []
    run(SpeakerRequest(recording, tmp_path / "out", engine=scripted), lambda *report: reports.append(report))
    stages = [stage for stage, _ in reports]
    assert list(dict.fromkeys(stages)) == ["decode", "embedding", "tracks"]
    fractions = [fraction for _, fraction in reports]
    assert fractions == sorted(fractions)
    assert fractions[0] > 0
    assert fractions[-1] == 1


@pytest.mark.parametrize("stage", ["decode", "embedding", "tracks"])
def test_a_cancel_at_any_stage_leaves_no_files(tmp_path: Path, recording: Path, scripted: str, stage: Stage) -> None:
    def cancel(now: Stage, fraction: float) -> None:
        if now == stage:
            raise Canceled

    with pytest.raises(Canceled):
        run(SpeakerRequest(recording, tmp_path / "out", engine=scripted), cancel)
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("num_speakers", {"speakers": SpeakerBounds(exact=0)}),
        ("num_speakers", {"speakers": SpeakerBounds(exact=51)}),
        ("num_speakers", {"speakers": SpeakerBounds(exact=2, maximum=3)}),
        ("min_speakers", {"speakers": SpeakerBounds(minimum=-1)}),
        ("min_speakers", {"speakers": SpeakerBounds(minimum=4, maximum=3)}),
        ("max_speakers", {"speakers": SpeakerBounds(maximum=99)}),
        ("overlap", {"overlap": "both"}),
        ("task", {"task": "sing"}),
        ("engine", {"engine": "nobody"}),
    ],
)
def test_an_impossible_option_is_refused_by_name(
    tmp_path: Path, recording: Path, scripted: str, field: str, changes: dict[str, object]
) -> None:
    request = dataclasses.replace(SpeakerRequest(recording, tmp_path / "out", engine=scripted), **changes)  # type: ignore[arg-type]
    with pytest.raises(EngineError) as caught:
        run(request)
    assert (caught.value.code, caught.value.details["field"]) == ("INVALID_OPTION", field)
    assert not (tmp_path / "out").exists()


class MissingDiarizer(scripts.ScriptedDiarizer):
    name = "missing"

    def missing(self) -> str | None:
        return "the package torch is not installed"


class GreedyDiarizer(scripts.ScriptedDiarizer):
    name = "greedy"

    def diarize(self, *arguments: object) -> None:  # type: ignore[override]
        raise MemoryError


def test_an_engine_that_cannot_run_here_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recording: Path
) -> None:
    here = f"{__name__}:MissingDiarizer"
    monkeypatch.setattr(registry, "ENGINES", {"missing": here, **scripts.BESIDE})
    assert registry.available("extraction") == {"missing": "the package torch is not installed"}
    for name in ("missing", "auto"):
        with pytest.raises(EngineError, match="torch is not installed") as caught:
            run(SpeakerRequest(recording, tmp_path / "out", engine=name))
        assert caught.value.code == "ENGINE_UNAVAILABLE"
    monkeypatch.setitem(registry.ENGINES, "scripted", scripts.PATH)
    assert run(SpeakerRequest(recording, tmp_path / "out")).engine == "scripted"


def test_an_engine_is_loaded_once(scripted: str) -> None:
    backend = registry.load(scripted)
    assert registry.load(scripted) is backend
    assert backend.loads == 1  # type: ignore[attr-defined]


def test_running_out_of_memory_may_be_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, recording: Path
) -> None:
    monkeypatch.setattr(registry, "ENGINES", {"greedy": f"{__name__}:GreedyDiarizer", **scripts.BESIDE})
    with pytest.raises(EngineError) as caught:
        run(SpeakerRequest(recording, tmp_path / "out"))
    assert (caught.value.code, caught.value.permanent) == ("OUT_OF_MEMORY", False)
    assert names(tmp_path / "out") == []


@contextmanager
def files_no_larger_than(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit", [100_000, 330_000])  # where the signal for diarization, and where a track stops
def test_a_full_disk_may_be_tried_again_and_leaves_nothing(
    tmp_path: Path, scripted: str, noise: Callable[..., np.ndarray], limit: int
) -> None:
    source = tmp_path / "source.wav"
    soundfile.write(source, noise(5, 48_000), 48_000)
    with files_no_larger_than(limit), pytest.raises(EngineError) as caught:
        run(SpeakerRequest(source, tmp_path / "out", engine=scripted))
    assert (caught.value.code, caught.value.permanent) == ("DISK_FULL", False)
    assert names(tmp_path / "out") == []
