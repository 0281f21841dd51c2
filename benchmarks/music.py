"""demucs's own api against our engine on the same weights: `OMP_NUM_THREADS=1 python -m benchmarks.music`.

Prints seconds for an hour of music, by the processor's clock, and the ratio. The networks have the size of the
published ones, with random weights unless `--models` names a models folder with the true ones: the times are then
right, since they hardly depend on the weights, and what is heard in the stems means nothing.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import torch
from demucs.api import Separator

from audio_engine.backends.demucs.loading import bag_of, load_networks
from audio_engine.backends.demucs.networks import Networks
from audio_engine.backends.demucs.overlap_add import separate
from audio_engine.mixing import Level, Mix
from audio_engine.models import MODELS, MODELS_DIR_VARIABLE
from tests.audio_engine.demucs import tiny

Signal = npt.NDArray[np.float32]
NAMES = ("demucs", "ours")


class LocalSeparator(Separator):
    """demucs's api on a model of the models folder, which it would look for on the hub."""

    def _load_model(self) -> None:
        self._model = bag_of(MODELS[self._name], self._repo)
        self._audio_channels, self._samplerate = self._model.audio_channels, self._model.samplerate


@contextmanager
def models(given: Path | None, name: str) -> Iterator[Path]:
    """The folder of the model `name`: in the models folder `given`, else a new one with random weights."""
    with TemporaryDirectory() as scratch:
        if given is None:
            tiny.write(Path(scratch) / name, name, tiny.FULL)
        folder = given or Path(scratch)
        os.environ[MODELS_DIR_VARIABLE] = str(folder)
        yield folder / name


def stock(folder: Path, device: str) -> Separator:
    return LocalSeparator(folder.name, repo=folder, device=device, shifts=0)


def ours(name: str) -> Networks:
    return load_networks(MODELS[name], tuple(tiny.SOURCES[name]))


def recording(seconds: float, rate: int) -> Signal:
    """Chords and a hiss: shape (frames, 2)."""
    at = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (110, 277, 330, 1_760)) * np.sin(np.pi * at / 3) ** 2
    hiss = np.random.default_rng(0).standard_normal((len(at), 2))
    return np.asarray(0.1 * chord[:, None] * [1.0, 0.8] + 0.02 * hiss, dtype=np.float32)


def run_stock(separator: Separator, music: Signal) -> dict[str, Signal]:
    _, stems = separator.separate_tensor(torch.from_numpy(music.T.copy()))
    return {source: stem.cpu().numpy().T for source, stem in stems.items()}


def run_ours(networks: Networks, mix: Mix) -> dict[str, Signal]:
    """Whole, to be compared; the engine writes each stretch away."""
    stretches = list(separate(networks, mix, frozenset(networks.sources)))
    return {source: np.concatenate([each[source] for each in stretches]) for source in networks.sources}


def mix_of(music: Signal, rate: int, folder: Path) -> Mix:
    path = folder / "mix.f32"
    path.write_bytes(music.tobytes())
    middle = music.mean(axis=1, dtype=np.float64)
    return Mix(path, rate, len(music), (Level(float(middle.mean()), float(middle.std(ddof=1))),))


def timed(work: Callable[[], dict[str, Signal]], clock: Callable[[], float]) -> tuple[float, dict[str, Signal]]:
    started = clock()
    found = work()
    return clock() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="of the recording")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--engine", choices=tiny.SOURCES, default="htdemucs")
    parser.add_argument("--models", type=Path, help="a models folder with the true weights")
    options = parser.parse_args()
    with models(options.models, options.engine) as folder, TemporaryDirectory() as scratch:
        separator, networks = stock(folder, "cpu"), ours(options.engine)
        music = recording(options.seconds, networks.rate)
        mix = mix_of(music, networks.rate, Path(scratch))
        rounds = [
            (
                timed(lambda: run_stock(separator, music), time.process_time),
                timed(lambda: run_ours(networks, mix), time.process_time),
            )
            for _ in range(options.rounds)
        ]
    for number, name in enumerate(NAMES):
        print(f"{name:8} {np.median([each[number][0] for each in rounds]) * 3600 / options.seconds:8.0f} s an hour")
    print(f"ratio {np.median([first[0] / second[0] for first, second in rounds]):.2f}")
    (_, theirs), (_, own) = rounds[0]
    print(f"largest difference {max(np.abs(theirs[source] - own[source]).max() for source in own):.1e}")


if __name__ == "__main__":
    main()
