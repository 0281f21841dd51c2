"""A few steps of the frame head's training on made-up voices: it runs, learns and repeats itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from audio_engine.backends.embedded.frame_head import CLASSES, FrameHead
from audio_engine.training import acoustics, frame_head, noises
from audio_engine.training.conversations import Voice, conversation

RATE = 16_000


def made_up_voice(seed: int) -> Voice:
    """Bursts of a buzz with pauses, and where they are."""
    generator = np.random.default_rng(seed)
    active = np.repeat(np.arange(8) % 2 == 1, 100)
    seconds = np.arange(len(active) * 160) / RATE
    buzz = np.sign(np.sin(2 * np.pi * generator.uniform(90, 250) * seconds)) * 0.1
    return Voice((buzz * np.repeat(active, 160)).astype(np.float32), active)


@pytest.fixture
def voices() -> list[Voice]:
    return [made_up_voice(seed) for seed in range(8)]


def test_a_conversation_says_who_speaks_when(voices: list[Voice]) -> None:
    mixture = conversation(np.random.default_rng(1), voices[:3], 20, voices[3:])
    assert mixture.wave.dtype == np.float32
    assert np.abs(mixture.wave).max() <= 1
    assert mixture.active.shape == (2000, 3)
    assert mixture.active.any(axis=0).all()


def test_the_same_seed_makes_the_same_conversation(voices: list[Voice]) -> None:
    first, second = (conversation(np.random.default_rng(3), voices[:2], 10, voices[2:]) for _ in range(2))
    assert first.wave.tobytes() == second.wave.tobytes()


def test_a_conversation_of_nobody_is_noise_without_speech(voices: list[Voice]) -> None:
    mixture = conversation(np.random.default_rng(2), [], 10, voices)
    assert not mixture.active.any()
    assert mixture.wave.any()


@pytest.mark.parametrize("seed", range(12))
def test_every_background_is_finite_and_of_unit_power(seed: int) -> None:
    noise = noises.background(np.random.default_rng(seed), 3 * RATE)
    assert np.isfinite(noise).all()
    assert noise.std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_a_room_decays_and_starts_with_the_direct_path(seed: int) -> None:
    generator = np.random.default_rng(seed)
    response = acoustics.room(generator).response(generator)
    assert response[0] == pytest.approx(1, abs=0.1)
    energy = np.square(response)
    assert energy[-len(energy) // 4 :].sum() < 0.01 * energy.sum()


def test_training_learns_and_repeats_itself(voices: list[Voice]) -> None:
    silero = frame_head.packaged_silero()
    examples = [frame_head.make_example(np.random.default_rng([0, number]), voices, silero) for number in range(3)]
    first, second = (frame_head.fit(examples, 12, seed=4) for _ in range(2))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name])
    assert loss(first, examples) < loss(untrained(first), examples)


def untrained(like: FrameHead) -> FrameHead:
    torch.manual_seed(4)
    head = FrameHead().eval()
    head.mean.copy_(like.mean)
    head.scale.copy_(like.scale)
    return head


def loss(head: FrameHead, examples: list[frame_head.Example]) -> float:
    total = 0.0
    for one in examples:
        with torch.no_grad():
            logits = head(torch.from_numpy(one.features).float()[None])[0]
        total += float(torch.nn.functional.cross_entropy(logits.reshape(-1, CLASSES), torch.from_numpy(one.voices)))
    return total


def test_too_few_speakers_are_refused(tmp_path: Path) -> None:
    wavfile.write(tmp_path / "one.wav", RATE, np.zeros(RATE, dtype=np.int16))
    with pytest.raises(SystemExit, match="more than six"):
        frame_head.train(tmp_path, mixtures=1, steps=1, seed=0)
