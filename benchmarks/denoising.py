"""What a denoising does to clean speech with noise: `python -m benchmarks.denoising DATA`, with speakers alone in
`DATA`/single and, where noise was recorded, `simulated` conversations in `DATA`/sim. Needs pystoi and pyrnnoise.

What each engine adds with each quality, mean over the speakers: SI-SDR in dB, and ESTOI in points of a hundred (Jensen
& Taal, "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers", IEEE TASLP 2016).
Beside them FFmpeg's afftdn, told the true level of noise, and what RNNoise itself makes of it. Then the SI-SDR that
speech without noise keeps, how far from its target the loudness is, by EBU R 128, and how many seconds of recording a
second of work does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from pystoi import stoi

from audio_engine.backends.rnnoise.denoiser import RnnoiseEstimate
from audio_engine.backends.rnnoise.library import Library, locate
from audio_engine.filters import filtered
from audio_engine.pipeline import run
from audio_engine.separation import si_sdr
from audio_engine.sound import QUALITIES, DenoisingRequest, DenoisingResult
from audio_engine.training import noises
from audio_engine.types import MediaInfo

from .rounds import print_machine
from .simulated import Signal, read

RATE = 16_000
TELEPHONE = 8_000
SECONDS = 10
EVERY = 16  # of the speakers
SNRS_DB = (10.0, 0.0)
TARGET = -16.0  # LUFS
AFFTDN_SECONDS = 0.025  # by which it is late

Mixed = tuple[Signal, Signal, int]
"""Speech with noise, the speech as it is in there, and their sample rate."""

Figures = tuple[float, float]
"""SI-SDR in dB and ESTOI in points."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--engines", nargs="+", default=["spectral", "rnnoise"])
    options = parser.parse_args()
    print_machine()
    methods = methods_of(options.engines)
    speeds: dict[str, list[float]] = defaultdict(list)
    for snr in SNRS_DB:
        gains: dict[str, list[list[Figures]]] = defaultdict(list)
        for number, speech in enumerate(speakers(options.data)):
            for kind, noise in backgrounds(options.data, len(speech), number):
                example = mixed(speech, noise, snr, TELEPHONE if kind == "telephone" else RATE)
                gains[kind].append([gain(method, example, speeds[name]) for name, method in methods.items()])
        print(f"\nat {snr:.0f} dB: SI-SDR in dB, ESTOI in points\n{'':15}", *(f"{name:>17}" for name in methods))
        for kind, rows in gains.items():
            print(f"{kind:15}", *(f"{sdr:10.1f} {points:6.1f}" for sdr, points in np.mean(rows, axis=0)), flush=True)
    print_rest(options.data, methods, speeds)


def print_rest(data: Path, methods: dict[str, Method], speeds: dict[str, list[float]]) -> None:
    errors, left = [], defaultdict(list)
    for number, speech in enumerate(speakers(data)):
        for name, method in methods.items():
            left[name].append(si_sdr(method((speech, speech, RATE)), speech))
        for _, noise in backgrounds(data, len(speech), number):
            noisy, _, rate = mixed(speech, noise, SNRS_DB[0], RATE)
            level = denoised(noisy, rate, loudness=TARGET, compress=True)[0].after.loudness_lufs
            errors.append(abs((level or 0.0) - TARGET))
    print(f"{'without noise':15}", *(f"{np.mean(found):17.1f}" for found in left.values()))
    print(f"{'speed':15}", *(f"{np.median(found):17.0f}" for found in speeds.values()))
    print(f"loudness: mean {np.mean(errors):.2f} LU off, at most {np.max(errors):.2f}")


Method = Callable[[Mixed], Signal]


def methods_of(engines: list[str]) -> dict[str, Method]:
    def by_engine(engine: str, quality: str, example: Mixed) -> Signal:
        return denoised(example[0], example[2], engine=engine, quality=quality)[1]

    own = {f"{engine} {quality}": partial(by_engine, engine, quality) for engine in engines for quality in QUALITIES}
    return {"afftdn": afftdn, "RNNoise itself": rnnoise, **own}


def gain(method: Method, example: Mixed, speeds: list[float]) -> Figures:
    noisy, clean, rate = example
    began = time.process_time()
    cleaned = method(example)
    speeds.append(len(noisy) / rate / (time.process_time() - began))
    before, after = figures(noisy, clean, rate), figures(cleaned, clean, rate)
    return after[0] - before[0], after[1] - before[1]


def figures(heard: Signal, clean: Signal, rate: int) -> Figures:
    return si_sdr(heard, clean), 100 * float(stoi(clean, heard, rate, extended=True))


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
    yield "keyboard", noises.keyboard(generator, length)
    yield "music", noises.music(generator, length)
    for path in sorted((data / "sim").glob("*/bg_babble_0dB.ogg")):
        yield f"babble {path.parent.name[:3]}", cut(recorded(path), length, generator)
    yield "telephone", noises.coloured(generator, length)


def recorded(path: Path) -> Signal:
    """The noise that was added to a conversation."""
    both, rate = read(path)
    mix = read(path.with_name("mix.flac"))[0]
    both, mix = both[: len(mix)], mix[: len(both)]
    return soxr.resample(both - mix * (mix @ both) / (mix @ mix), rate, RATE)


def cut(noise: Signal, length: int, generator: np.random.Generator) -> Signal:
    return np.resize(np.roll(noise, -int(generator.integers(len(noise)))), length)


def mixed(speech: Signal, noise: Signal, snr: float, rate: int) -> Mixed:
    """Their peak at half of full scale."""
    noise = noise * (np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-snr / 20))
    scale = 0.5 / np.abs(speech + noise).max()
    noisy, clean = (speech + noise) * scale, speech * scale
    if rate != RATE:
        noisy, clean = (soxr.resample(each, RATE, rate) for each in (noisy, clean))
    return noisy.astype(np.float32), clean.astype(np.float32), rate


def denoised(noisy: Signal, rate: int, **options: object) -> tuple[DenoisingResult, Signal]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soundfile.write(folder / "noisy.wav", noisy, rate, subtype="FLOAT")
        result = run(DenoisingRequest(folder / "noisy.wav", folder / "out", **options))  # type: ignore[arg-type]
        assert isinstance(result, DenoisingResult)
        return result, soundfile.read(folder / "out" / "denoised.wav", dtype="float32")[0]


def afftdn(example: Mixed) -> Signal:
    noisy, clean, rate = example
    delay = round(AFFTDN_SECONDS * rate)
    floor = np.clip(10 * np.log10(np.mean((noisy - clean) ** 2) + 1e-12), -80, -20)
    media = MediaInfo("wav", "pcm_f32le", rate, 1, 32, True, len(noisy) / rate, "mono")
    padded = np.concatenate([noisy, np.zeros(2 * delay, np.float32)])[:, None]
    through = np.concatenate(list(filtered([padded], [("afftdn", f"nr=15:nf={floor:.1f}")], media)))[:, 0]
    return through[delay : delay + len(noisy)]


def rnnoise(example: Mixed) -> Signal:
    noisy, _, rate = example
    path = locate()
    assert path, "pyrnnoise is not installed"
    return RnnoiseEstimate(Library(path), rate, 1).push(noisy[:, None], last=True)[:, 0]


if __name__ == "__main__":
    main()
