"""What the voice space learns of made-up windows, and which windows it is shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from audio_engine.backends.embedded.embeddings import Windows
from audio_engine.backends.embedded.level import GainCurve
from audio_engine.backends.embedded.voice_space import VoiceSpace
from audio_engine.training.conversations import Mixture
from audio_engine.training.voice_space import Fit, Lesson, fit, lesson, train

VOICE, ROOM, MOOD, INPUTS = 0, 1, 2, 6
HOW = Fit({}, dimensions=INPUTS, ridge=0.01, prior=8.0)
SCALES, DIMENSION = (120, 200), 256


def conversations() -> list[Lesson]:
    """Voices differ along VOICE, recordings much more along ROOM, windows of a voice much along MOOD."""
    generator = np.random.default_rng(0)
    lessons = []
    for _ in range(60):
        speakers = np.repeat(np.arange(4), 20)
        vectors = 0.3 * generator.standard_normal((len(speakers), INPUTS))
        vectors[:, VOICE] += 2 * generator.standard_normal(4)[speakers]
        vectors[:, ROOM] += 5 * generator.standard_normal()
        vectors[:, MOOD] += 4 * generator.standard_normal(len(speakers))
        lessons.append(Lesson(vectors.astype(np.float32), speakers))
    return lessons


def test_the_first_direction_is_that_in_which_voices_differ() -> None:
    lessons = conversations()
    space = fit(lessons, HOW)
    first = np.abs(space.directions[:, 0]) / np.linalg.norm(space.directions[:, 0])
    assert first[VOICE] > 0.99
    windows = np.concatenate(
        [one.vectors[one.speakers == 0] - one.vectors[one.speakers == 0].mean(0) for one in lessons]
    )
    assert (windows @ space.directions).std(axis=0) == pytest.approx(1, abs=0.1)
    assert space.between[0] > 20 * space.between[1:].max()


def test_the_same_lessons_give_the_same_file(tmp_path: Path) -> None:
    for name in ("first", "second"):
        fit(conversations(), HOW).save(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    read = VoiceSpace.load(tmp_path / "first")
    assert np.array_equal(read.directions, fit(conversations(), HOW).directions)


class Heard:
    """An engine that hears a window each 0.4 s."""

    def hear(self, pcm: np.ndarray, gain: GainCurve, scratch: Path, progress: object) -> tuple[None, Windows]:
        centres = np.arange(20, len(pcm) // 160, 40)
        vectors = np.broadcast_to(centres[:, None, None], (len(centres), 2, DIMENSION)).astype(np.float16)
        return None, Windows(centres, np.ones(len(centres), dtype=np.float32), vectors, SCALES)


def test_windows_of_one_voice_are_learned_from_and_those_of_several_are_not() -> None:
    active = np.zeros((1000, 2), dtype=bool)
    active[:500, 0] = active[400:900, 1] = True
    shown = lesson(Heard(), Mixture(np.zeros(160_000, dtype=np.float32), active, crowded=False))
    centres = shown.vectors[:, 0]
    assert shown.vectors.shape[1] == 2 * DIMENSION
    assert set(shown.speakers[centres < 400]) == {0}
    assert set(shown.speakers[centres > 500]) == {1}
    assert not ((centres > 360) & (centres < 540)).any()
    assert centres.max() < 950


def test_too_few_speakers_are_refused(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "one.wav", 16_000, np.zeros(16_000, dtype=np.int16))
    with pytest.raises(SystemExit, match="13 needed"):
        train(tmp_path, "campplus")
