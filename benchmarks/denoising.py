"""What a denoising does to clean speech with noise at 10 dB: `python -m benchmarks.denoising DATA`, with speakers alone
in `DATA`/single and, where noise was recorded, `simulated` conversations in `DATA`/sim.

SI-SDR in dB that each quality adds, mean over the speakers; beside it FFmpeg's afftdn, told the true level of noise.
Then how far from its target the loudness is, by EBU R 128, and how many seconds of recording a second of work does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_engine.filters import filtered
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.training import noises
from audio_engine.types import QUALITIES, DenoisingRequest, DenoisingResult, MediaInfo

from .simulated import Signal, read

RATE = 16_000
SECONDS = 10
EVERY = 16  # of the speakers
SNR_DB = 10.0
TARGET = -16.0  # LUFS
AFFTDN_DELAY = RATE // 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    gains: dict[str, list[list[float]]] = defaultdict(list)
    errors, speeds = [], defaultdict(list)
    for number, speech in enumerate(speakers(data)):
        for kind, noise in backgrounds(data, len(speech), number):
            noisy, clean = mixed(speech, noise)
            row = [si_sdr(afftdn(noisy, clean), clean) - si_sdr(noisy, clean)]
            for quality in QUALITIES:
                began = time.perf_counter()
                row.append(si_sdr(denoised(noisy, quality)[1], clean) - si_sdr(noisy, clean))
                speeds[quality].append(len(noisy) / RATE / (time.perf_counter() - began))
            gains[kind].append(row)
            level = denoised(noisy, "balanced", loudness=TARGET, compress=True)[0].after.loudness_lufs
            errors.append(abs((level or 0.0) - TARGET))
    print(f"{'noise':16} {'speakers':>8} {'afftdn':>9}", *(f"{quality:>9}" for quality in QUALITIES))
    for kind, rows in gains.items():
        print(f"{kind:16} {len(rows):8}", *(f"{gain:9.1f}" for gain in np.mean(rows, axis=0)))
    print(f"loudness: mean {np.mean(errors):.2f} LU off, at most {np.max(errors):.2f}")
    print("speed:", *(f"{quality} {np.median(found):.0f}" for quality, found in speeds.items()))


def speakers(data: Path) -> Iterator[Signal]:
    for path in sorted((data / "single").glob("*.ogg"))[::EVERY]:
        signal, rate = read(path)
        yield soxr.resample(signal, rate, RATE)[: SECONDS * RATE].astype(np.float32)


def backgrounds(data: Path, length: int, seed: int) -> Iterator[tuple[str, Signal]]:
    generator = np.random.default_rng(seed)
    yield "white", generator.standard_normal(length)
    yield "coloured", noises.coloured(generator, length)
    yield "hum and hiss", noises.hum(generator, length) + 0.1 * generator.standard_normal(length)
    for path in sorted((data / "sim").glob("*/bg_noise_0dB.ogg")):
        yield f"recorded {path.parent.name[:3]}", cut(recorded(path), length, generator)
    yield "rain", noises.rain(generator, length)
    yield "music", noises.music(generator, length)


def recorded(path: Path) -> Signal:
    """The noise that was added to a conversation."""
    both, rate = read(path)
    mix = read(path.with_name("mix.flac"))[0]
    both, mix = both[: len(mix)], mix[: len(both)]
    return soxr.resample(both - mix * (mix @ both) / (mix @ mix), rate, RATE)


def cut(noise: Signal, length: int, generator: np.random.Generator) -> Signal:
    return np.resize(np.roll(noise, -int(generator.integers(len(noise)))), length)


def mixed(speech: Signal, noise: Signal) -> tuple[Signal, Signal]:
    """Speech with noise, its peak at half of full scale, and the speech as it is in there."""
    noise = noise * (np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-SNR_DB / 20))
    scale = 0.5 / np.abs(speech + noise).max()
    return ((speech + noise) * scale).astype(np.float32), speech * np.float32(scale)


def denoised(noisy: Signal, quality: str, **options: object) -> tuple[DenoisingResult, Signal]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soundfile.write(folder / "noisy.wav", noisy, RATE, subtype="FLOAT")
        result = run(DenoisingRequest(folder / "noisy.wav", folder / "out", quality=quality, **options))  # type: ignore[arg-type]
        assert isinstance(result, DenoisingResult)
        return result, soundfile.read(folder / "out" / "denoised.wav", dtype="float32")[0]


def afftdn(noisy: Signal, clean: Signal) -> Signal:
    floor = np.clip(10 * np.log10(np.mean((noisy - clean) ** 2)), -80, -20)
    media = MediaInfo("wav", "pcm_f32le", RATE, 1, 32, True, len(noisy) / RATE, "mono")
    padded = np.concatenate([noisy, np.zeros(2 * AFFTDN_DELAY, np.float32)])[:, None]
    through = np.concatenate(list(filtered([padded], [("afftdn", f"nr=15:nf={floor:.1f}")], media)))[:, 0]
    return through[AFFTDN_DELAY : AFFTDN_DELAY + len(noisy)]


if __name__ == "__main__":
    main()
