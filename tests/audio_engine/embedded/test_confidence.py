"""How sure the embedded engine is, on the sample of pyannote.audio's package and on the shared recordings."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from audio_engine.backends.embedded import EmbeddedDiarizer, confidence
from audio_engine.backends.embedded.confidence import (
    FEATURES,
    ConfidenceModel,
    Evidence,
    Frames,
    frames_of,
    shipped_model,
    support,
    with_confidence,
)
from audio_engine.backends.embedded.embeddings import EncoderName
from audio_engine.formats import parse_rttm, result_from_json
from audio_engine.memory import Samples
from audio_engine.pipeline import run
from audio_engine.progress import ignore_progress
from audio_engine.types import Diarization, SpeakerBounds, SpeakerRequest, Turn
from benchmarks.confidence import auroc, joined, judge
from tests.audio_engine.conftest import EVAL

RATE = 16_000
LONGEST = 80  # seconds of the shared recordings that are diarized here


@pytest.fixture(scope="module")
def engine() -> EmbeddedDiarizer:
    return EmbeddedDiarizer()


@pytest.fixture(scope="module")
def speech(sample: Path) -> Samples:
    return (wavfile.read(sample)[1] / 32768).astype(np.float32)


@pytest.fixture(scope="module")
def found(engine: EmbeddedDiarizer, speech: Samples, tmp_path_factory: pytest.TempPathFactory) -> Diarization:
    return engine.diarize(speech, SpeakerBounds(), tmp_path_factory.mktemp("scratch"), ignore_progress)


def scores(found: Diarization) -> np.ndarray:
    return np.frombuffer(found.confidence, dtype=np.uint8).astype(float)


def test_every_20_ms_and_every_turn_have_a_whole_number_from_0_to_100(found: Diarization) -> None:
    assert len(found.confidence) == 30 * 50
    assert max(found.confidence) <= 100
    assert len(set(found.confidence)) > 20
    for turn in (*found.turns, *found.exclusive):
        assert type(turn.confidence) is int
        assert 0 <= turn.confidence <= 100


def test_a_turns_confidence_is_the_mean_of_its_frames(found: Diarization) -> None:
    for turn in found.turns:
        assert turn.confidence == pytest.approx(scores(found)[frames_of(turn)].mean(), abs=0.5)


def test_two_runs_are_equally_sure(
    engine: EmbeddedDiarizer, speech: Samples, found: Diarization, tmp_path: Path
) -> None:
    again = engine.diarize(speech, SpeakerBounds(), tmp_path, ignore_progress)
    assert again.confidence == found.confidence
    assert again.turns == found.turns


def test_the_engine_is_surer_inside_a_turn_than_where_speakers_change(found: Diarization) -> None:
    edges = np.array([edge for turn in found.turns for edge in (turn.start, turn.end)])
    centres = (np.arange(len(found.confidence)) + 0.5) * 0.02
    distance = np.abs(centres[:, None] - edges).min(axis=1)
    spoken = np.zeros(len(centres), dtype=bool)
    for turn in found.turns:
        spoken[frames_of(turn)] = True
    inside, near = scores(found)[spoken & (distance > 1)], scores(found)[spoken & (distance < 0.1)]
    assert inside.mean() > near.mean() + 5


def test_noise_makes_it_less_sure(
    engine: EmbeddedDiarizer, speech: Samples, found: Diarization, tmp_path: Path
) -> None:
    """Of who of the two speaks; where it took both for one, it could not know."""
    noise = np.random.default_rng(0).standard_normal(len(speech)) * speech.std()
    noisy = engine.diarize((speech + noise).astype(np.float32), SpeakerBounds(exact=2), tmp_path, ignore_progress)
    assert scores(noisy).mean() < scores(found).mean() - 3


def test_silence_is_silence_for_sure(engine: EmbeddedDiarizer, tmp_path: Path) -> None:
    found = engine.diarize(np.zeros(10 * RATE, dtype=np.float32), SpeakerBounds(), tmp_path, ignore_progress)
    assert len(found.confidence) == 500
    assert scores(found).min() > 80


def test_a_syllable_too_short_to_know_a_voice_by_is_no_turn(
    engine: EmbeddedDiarizer, speech: Samples, tmp_path: Path
) -> None:
    pcm = np.zeros(5 * RATE, dtype=np.float32)
    start, length = round(2.35 * RATE), round(0.1 * RATE)
    pcm[start : start + length] = speech[9 * RATE : 9 * RATE + length]
    found = engine.diarize(pcm, SpeakerBounds(), tmp_path, ignore_progress)
    assert found.turns == ()
    assert len(found.confidence) == 250


@pytest.mark.parametrize("block", [37, 500])
def test_judging_piece_by_piece_changes_nothing(
    engine: EmbeddedDiarizer,
    speech: Samples,
    found: Diarization,
    tmp_path: Path,
    block: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confidence, "BLOCK_FRAMES", block)
    bare, evidence = engine.examine(speech, SpeakerBounds(), tmp_path, ignore_progress)
    np.testing.assert_allclose(
        scores(with_confidence(bare, evidence, shipped_model(engine.encoder))), scores(found), atol=1
    )


def test_frames_know_their_voices_edges_and_talk() -> None:
    turns = (Turn(0.2, 1.0, 0), Turn(0.8, 1.2, 1), Turn(1.6, 5.8, 0))
    posteriors = np.full(300, 0.5, dtype=np.float32)
    frames = Frames(
        Diarization(turns, turns, 2, ()), Evidence(posteriors, posteriors, np.zeros((300, 2), dtype=np.float16))
    )
    assert frames.voices[[0, 20, 45, 55, 70, 100]].tolist() == [0, 1, 2, 1, 0, 1]
    rows = dict(zip(FEATURES, frames.features(0, 300).T, strict=True))
    assert np.expm1(rows["edge"][[0, 9, 10, 100]]) == pytest.approx([0.5, 0.5, 0.5, 20.5])
    assert np.exp(rows["talk"][[0, 20, 45, 100]]) == pytest.approx([1, 5, 1, 5])
    assert (rows["speech"] == 0).all()
    assert (rows["speech around"] == 0).all()
    assert (rows["one speaker"] == 0).all()


def test_support_is_the_chosen_speakers_lead_over_the_next() -> None:
    scores = np.array([[0.75, 0.5, 0.25], [0.5, 0.75, 0.25]], dtype=np.float32)
    assert support(scores, np.array([0, 0])).tolist() == [[0.75, 0.25], [0.5, -0.25]]
    assert support(scores[:, :1], np.array([0, 0])).tolist() == [[0.75, 0], [0.5, 0]]


@pytest.mark.parametrize("encoder", ["campplus", "ge2e"])
def test_the_shipped_models_fit_the_features_and_survive_being_saved(encoder: EncoderName, tmp_path: Path) -> None:
    model = shipped_model(encoder)
    assert len(model.low) == len(model.high) == len(FEATURES)
    assert all(len(row) == len(FEATURES) for row in model.weights)
    model.save(tmp_path / "again.json")
    assert ConfidenceModel.load(tmp_path / "again.json") == model
    assert tuple(json.loads((tmp_path / "again.json").read_text())["features"]) == FEATURES


def test_confidence_reaches_every_file_of_a_result(sample: Path, tmp_path: Path, found: Diarization) -> None:
    result = run(SpeakerRequest(sample, tmp_path, task="diarization", engine="embedded"))
    assert [file.name for file in result.files] == ["diarization.rttm", "confidence.json", "result.json"]
    kept = result_from_json(json.loads((tmp_path / "result.json").read_text()))
    assert [turn.confidence for turn in kept.turns] == [turn.confidence for turn in found.turns]
    rttm = parse_rttm((tmp_path / "diarization.rttm").read_text())
    assert [turn.confidence for turn in rttm] == [turn.confidence for turn in found.turns]
    grid = json.loads((tmp_path / "confidence.json").read_text())
    assert grid == {"resolution": 0.02, "score": list(found.confidence)}


@pytest.mark.skipif(not EVAL.is_dir(), reason="the shared recordings are not here")
def test_low_confidence_marks_the_wrong_frames_and_turns_of_simulated_conversations(engine: EmbeddedDiarizer) -> None:
    with (EVAL / "manifest.csv").open(newline="") as manifest:
        rows = [row for row in csv.DictReader(manifest) if row["kind"].startswith("sim")]
    short = [row for row in rows if float(row["seconds"]) < LONGEST]
    assert len(short) > 8
    judged = [judge(engine, EVAL / row["file"], EVAL / row["rttm"]) for row in short]
    assert auroc(joined(frames for frames, _ in judged)) >= 0.75
    assert auroc(joined(turns for _, turns in judged)) >= 0.75
