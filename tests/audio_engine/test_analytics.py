from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.filter import Graph

from audio_engine.analytics import PowerHistogram, RecordingMeter, SpeakerMeter
from audio_engine.loudness import LoudnessMeter
from audio_engine.masking import Masking
from audio_engine.media import probe
from audio_engine.progress import ignore_progress
from audio_engine.rendering import Rendering, render
from audio_engine.talk import active_seconds, recording_stats
from audio_engine.tracks import union
from audio_engine.types import Diarization, MediaInfo, SpeakerRequest, Turn

Noise = Callable[..., np.ndarray]
TURNS = (Turn(0.0, 2.0, 0), Turn(1.5, 4.0, 1), Turn(6.0, 7.0, 0))


def measured(path: Path, folder: Path, turns: tuple[Turn, ...], speakers: int = 2) -> Rendering:
    found = Diarization(turns, turns, speakers, ())
    media = probe(path)
    return render(SpeakerRequest(path, folder), media, found, Masking(media), folder, ignore_progress)


def ffmpeg_loudness(path: Path) -> float:
    """Integrated loudness by FFmpeg's ebur128 filter."""
    with av.open(path) as container:
        graph = Graph()
        source = graph.add_abuffer(template=container.streams.audio[0])
        meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        found = -np.inf
        for frame in [*container.decode(audio=0), None]:
            source.push(frame)
            while True:
                try:
                    found = float(sink.pull().metadata["lavfi.r128.I"])
                except (av.BlockingIOError, av.EOFError):
                    break
        return found


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 1), (44_100, 2), (48_000, 6), (96_000, 1)])
def test_loudness_of_a_track_agrees_with_ffmpeg(tmp_path: Path, noise: Noise, rate: int, channels: int) -> None:
    gain = np.repeat([1.0, 0.1, 0.5, 0.02, 0.3, 0.9, 0.2, 0.6, 0.001, 0.4], rate)[:, None]
    soundfile.write(tmp_path / "source.wav", gain * noise(10, rate, channels), rate, subtype="PCM_24")
    turns = (Turn(0, 3.3, 0), Turn(3.3, 4.0, 1), Turn(5.35, 7.77, 0), Turn(8.6, 10, 0))
    rendering = measured(tmp_path / "source.wav", tmp_path, turns)
    for speaker in rendering.speakers:
        expected = ffmpeg_loudness(tmp_path / f"speaker_{speaker.speaker}.wav")
        assert speaker.loudness_lufs == pytest.approx(expected, abs=0.1)


def test_loudness_is_the_same_with_silence_fed_or_left_out(noise: Noise) -> None:
    fed, spared = LoudnessMeter(16_000, "mono", 1), LoudnessMeter(16_000, "mono", 1)
    signal = noise(12).astype(np.float32).reshape(12, 16_000, 1)
    signal[[1, 4, 5, 6, 10]] = 0
    for second, block in enumerate(signal):
        fed.feed(block, second)
        if block.any():
            spared.feed(block, second)
    assert spared.integrated(12) == pytest.approx(fed.integrated(12), abs=0.01)
    assert LoudnessMeter(16_000, "mono", 1).integrated(12) is None


def test_levels_are_measured_where_the_speaker_speaks(tmp_path: Path) -> None:
    time = np.arange(8 * 16_000) / 16_000
    soundfile.write(tmp_path / "tone.wav", 0.5 * np.sin(2 * np.pi * 1000 * time), 16_000, subtype="FLOAT")
    rendering = measured(tmp_path / "tone.wav", tmp_path, TURNS)
    for speaker in rendering.speakers:
        assert speaker.rms_db == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.05)
        assert speaker.peak == pytest.approx(0.5, abs=1e-3)


def test_talk_time_and_overlap_come_from_the_turns(tmp_path: Path, noise: Noise) -> None:
    soundfile.write(tmp_path / "noise.wav", noise(8), 16_000)
    first, second = measured(tmp_path / "noise.wav", tmp_path, TURNS).speakers
    assert (first.talk_seconds, first.turns, first.mean_turn_seconds, first.overlap_seconds) == (3.0, 2, 1.5, 0.5)
    assert (second.talk_seconds, second.turns, second.mean_turn_seconds, second.overlap_seconds) == (2.5, 1, 2.5, 0.5)
    assert (first.talk_share, second.talk_share) == (0.5455, 0.4545)
    stats = recording_stats(TURNS, 8.0)
    assert (stats.speech_seconds, stats.silence_seconds, stats.overlap_seconds) == (5.0, 3.0, 0.5)


def test_overlap_counts_once_however_many_speak() -> None:
    turns = [Turn(0, 10, 0), Turn(2, 5, 1), Turn(3, 6, 2), Turn(10, 11, 1)]
    assert active_seconds(turns) == (11, 4)
    assert active_seconds([]) == (0, 0)


@pytest.mark.parametrize("snr", [5.0, 20.0, 40.0])
def test_the_noise_ratio_is_found_with_and_without_pauses(tmp_path: Path, noise: Noise, snr: float) -> None:
    syllables = np.repeat(np.arange(160) % 8 < 6, 800)[:, None]  # 4 Hz, a quarter of it pauses within the turn
    speech = noise(8) * syllables
    background = np.random.default_rng(1).normal(0, 1, (8 * 16_000, 1))
    background *= np.sqrt(np.mean(speech**2) / 10 ** (snr / 10))
    speech[4 * 16_000 :] = 0
    soundfile.write(tmp_path / "mixed.wav", speech + background, 16_000, subtype="FLOAT")
    (speaker,) = measured(tmp_path / "mixed.wav", tmp_path, (Turn(0, 4, 0),), 1).speakers
    assert speaker.snr_db == pytest.approx(snr, abs=1.0)
    soundfile.write(tmp_path / "talk.wav", (speech + background)[: 4 * 16_000], 16_000, subtype="FLOAT")
    (speaker,) = measured(tmp_path / "talk.wav", tmp_path, (Turn(0, 4, 0),), 1).speakers
    assert speaker.snr_db == pytest.approx(snr, abs=2.0)


def test_what_cannot_be_measured_is_not_guessed() -> None:
    media = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 5.0, "mono")
    meter = SpeakerMeter(media, union([]))
    assert meter.rms_db() is None
    assert meter.peak() is None
    assert meter.loudness(5.0) is None
    assert meter.snr_db(PowerHistogram()) is None


def test_noise_that_is_digital_silence_gives_no_ratio(tmp_path: Path, noise: Noise) -> None:
    samples = noise(6)
    samples[3 * 16_000 :] = 0
    soundfile.write(tmp_path / "gated.wav", samples, 16_000)
    (speaker,) = measured(tmp_path / "gated.wav", tmp_path, (Turn(0, 3, 0),), 1).speakers
    assert speaker.snr_db is None


@pytest.mark.parametrize("frames", [1_000, 33_333, 16_000 * 300 + 17])
def test_the_waveform_is_the_maxima_of_even_stretches(frames: int) -> None:
    signal = np.random.default_rng(3).uniform(-1, 1, (frames, 2)).astype(np.float32)
    meter = RecordingMeter(frames, union([]))
    for start in range(0, frames, 16_000):
        meter.feed(signal[start : start + 16_000], start)
    peaks = meter.peaks()
    width = -(-frames // 2_000)
    expected = [float(np.abs(signal[start : start + width]).max()) for start in range(0, frames, width)]
    assert len(peaks) <= 2_000
    assert peaks == pytest.approx(expected, abs=1e-4)
