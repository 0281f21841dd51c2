"""How right pitch and the guess of gender are: `python -m benchmarks.voice_attributes DATA [--fit TRAIN]`.

Pitch is measured on synthetic voices, whose true pitch is known, without and with noise. GPE: the share of voiced
frames that are off by more than 20 %; FPE: the standard deviation of the others' error; voiced: the share of frames in
which a pitch was heard, all of which have one. For the guess, DATA holds `single.csv`, whose lines name a recording of
one speaker and end in their gender; each is heard as it is, with white noise at 10 dB and with a telephone's band.
TRAIN holds `train.csv` and its recordings in the same way, whose speakers do not count in DATA; `--fit` prints the
curve that fits them, women and men weighing the same, and its figures on them.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
from scipy.signal import butter, sosfilt

from audio_engine.downmix import RATE
from audio_engine.pitch import HOP, REACH, WINDOW, pitch
from audio_engine.types import Diarization, Turn
from audio_engine.voice_attributes import EVEN_HZ, STEEPNESS, voice_attributes
from audio_engine.voices import VoiceAttributes

from .identification import fit
from .simulated import read

SECONDS = 20
Signal = npt.NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", type=Path)
    options = parser.parse_args()
    report_pitch()
    trained = list(rows(options.fit / "train.csv")) if options.fit else []
    if trained:
        report_fit([(described(options.fit / name), gender) for name, gender in trained])
    seen = {Path(name).stem for name, _ in trained}
    known = [(name, gender) for name, gender in rows(options.data / "single.csv") if Path(name).stem not in seen]
    for kind, heard_as in CHANNELS.items():
        report_guess(kind, [(described(options.data / name, heard_as), gender) for name, gender in known])


# --- pitch


def report_pitch() -> None:
    print(f"{'base Hz':>7} {'SNR dB':>6} {'voiced %':>8} {'GPE %':>6} {'FPE %':>6}")
    for base in (80, 120, 180, 260):
        for snr in (None, 20, 10, 5):
            samples, truth = synthetic(base, snr)
            found = pitch(samples)
            true = truth[np.arange(len(found)) * HOP + (WINDOW + RATE // base) // 2]
            voiced = found > 0
            errors = found[voiced] / true[voiced] - 1
            gross = np.abs(errors) > 0.2
            share, gpe, fpe = 100 * np.array([voiced.mean(), gross.mean(), errors[~gross].std()])
            print(f"{base:7} {'none' if snr is None else snr:>6} {share:8.1f} {gpe:6.2f} {fpe:6.2f}")


def synthetic(base: float, snr: float | None) -> tuple[Signal, npt.NDArray[np.float64]]:
    """A voice that goes up and down half an octave around `base` Hz, with other formants each fifth of a second, and
    its pitch at each sample."""
    generator = np.random.default_rng(round(base))
    time = np.arange(SECONDS * RATE + REACH) / RATE
    hertz = base * 2 ** (0.25 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    first, second = (
        np.repeat(generator.uniform(*bounds, SECONDS * 5 + 1), RATE // 5)[: len(time)]
        for bounds in ((300, 800), (900, 2200))
    )
    voice = np.zeros(len(time))
    for harmonic in range(1, int(4000 / base)):
        at = harmonic * hertz
        voice += np.sin(harmonic * phase) * sum(1 / (1 + ((at - centre) / 120) ** 2) for centre in (first, second))
    noise = generator.standard_normal(len(time)) * np.sqrt(np.mean(voice**2))
    voice = voice if snr is None else voice + noise * 10 ** (-snr / 20)
    return (0.1 * voice / np.abs(voice).max()).astype(np.float32), hertz


# --- the guess


def rows(path: Path) -> Iterator[tuple[str, str]]:
    """The recordings of one speaker and the speaker's gender."""
    for row in csv.DictReader(path.read_text().splitlines()):
        told = row.get("gender") or (re.search(r", ([MF])$", row["note"]) or ["", ""])[1]
        if told and row.get("kind") != "enrolment":
            yield row["file"], {"F": "female", "M": "male"}[told]


def noisy(samples: Signal) -> Signal:
    noise = np.random.default_rng(0).standard_normal(len(samples))
    return (samples + noise * np.sqrt(np.mean(samples**2)) * 10 ** (-10 / 20)).astype(np.float32)


def telephone(samples: Signal) -> Signal:
    heard: Signal = sosfilt(butter(4, (300, 3400), "bandpass", fs=RATE, output="sos"), samples).astype(np.float32)
    return heard


CHANNELS: dict[str, Callable[[Signal], Signal]] = {
    "as it is": lambda samples: samples,
    "noise at 10 dB": noisy,
    "telephone": telephone,
}


def described(path: Path, heard_as: Callable[[Signal], Signal] = CHANNELS["as it is"]) -> VoiceAttributes:
    samples, rate = read(path)
    samples = heard_as(soxr.resample(samples, rate, RATE))
    turns = (Turn(0, len(samples) / RATE, 0),)
    return voice_attributes(samples, Diarization(turns, turns, 1, ()))[0]


def report_guess(kind: str, found: list[tuple[VoiceAttributes, str]]) -> None:
    told = [(voice, gender) for voice, gender in found if voice.gender != "unknown"]
    right = sum(voice.gender == gender for voice, gender in told)
    sure = np.mean([voice.gender_confidence or 0 for voice, _ in told])
    women = sum(gender == "female" for _, gender in found)
    print(
        f"{kind}: {women} women and {len(found) - women} men; told {len(told)}, of them right {right}, "
        f"{100 * right / len(told):.0f} %, at a mean confidence of {sure:.0f} %"
    )


def report_fit(found: list[tuple[VoiceAttributes, str]]) -> None:
    report_guess("fitted to", found)
    pairs = [(voice.pitch_median, gender == "female") for voice, gender in found if voice.pitch_median]
    octaves, women = np.log2([median for median, _ in pairs]), np.array([woman for _, woman in pairs])
    even, steepness = fit(octaves, women)
    print(f"even {2**even:.0f} Hz, steepness {steepness:.1f} an octave; in use {EVEN_HZ:.0f} and {STEEPNESS}")


if __name__ == "__main__":
    main()
