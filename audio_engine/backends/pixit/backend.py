"""The separating network as a backend: what it needs, when it is worth it, and how it is run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from ...errors import EngineError
from ...exemplar_separation import ExemplarSeparator
from ...hardware import accelerator
from ...memory import Samples
from ...models import MODELS, locate
from ...models.catalogue import needed_by
from ...models.needs import lacking, too_large
from ...models.offline import go_offline
from ...models.store import absent
from ...overlaps import Overlap, Overlaps
from ...spectra import Signal
from ...types import Progress
from ..base import SpeechSeparator
from ..embedded import packages
from .estimates import EstimatedSeparator, Estimates
from .windows import Window, heard, window_starts, windows_over

if TYPE_CHECKING:
    from ..embedded.networks import SpeakerEncoder
    from .loading import StreamNetwork
    from .matching import Voices

SEPARATION, WAVLM = MODELS["separation-ami-1.0"], MODELS["wavlm-large"]
# asteroid's own requirements would bring versions of other packages with which it, or pyannote.audio, does not work. Of
# them all the network needs none that is not here.
PACKAGES = {
    "torch": "torch",
    "pyannote.audio": "pyannote.audio",
    "transformers": "'transformers>=4.48.3'",
    "asteroid": "--no-deps asteroid==0.7.0",
}


class PixitSeparator(SpeechSeparator):
    """The network of pyannote.audio's speech-separation-ami-1.0. Two runs give the same result."""

    name = "pixit"
    ahead: ClassVar[float] = 4.0

    def __init__(self) -> None:
        self._network: StreamNetwork | None = None
        self._encoder: SpeakerEncoder | None = None

    def missing(self) -> str | None:
        lacks = {module: package for module, package in PACKAGES.items() if not _installed(module)}
        if lacks:
            names = ", ".join(lacks)
            commands = "; ".join(f"pip install {package}" for package in lacks.values())
            return f"Packages are not installed that it needs, {names}: {commands}"
        return packages.missing() or lacking(self.name) or too_large(self.name)

    def suits(self) -> bool:
        return accelerator() is not None

    def prepare(self) -> None:
        from ...models.fetching import fetch

        for model in absent(needed_by(self.name)):
            fetch(model)

    def load(self) -> None:
        if self._network is not None:
            return
        go_offline()
        if reason := self.missing():
            raise EngineError("ENGINE_UNAVAILABLE", reason, details={"engine": self.name})
        with warnings.catch_warnings():  # of what the libraries could do and is not used here
            warnings.simplefilter("ignore")
            from ..embedded.networks import load_speaker_encoder
            from .loading import load_network

            self._encoder = load_speaker_encoder(packages.path_of(packages.GE2E))
            self._network = load_network(SEPARATION, WAVLM)

    def separator(self, pcm: Samples, overlaps: Overlaps, scratch: Path, progress: Progress) -> EstimatedSeparator:
        self.load()
        assert self._network is not None
        assert self._encoder is not None
        from ..devices import release_cache
        from .matching import Voices

        voices = Voices(pcm, overlaps, self._encoder)
        worthwhile = [overlap for overlap in overlaps.stretches if voices.known(overlap.speakers)]
        estimates = Estimates(scratch / "estimates.f32", worthwhile)
        try:
            solved = separate(self._network, pcm, overlaps, worthwhile, voices, estimates, progress)
        finally:
            release_cache()
        return EstimatedSeparator(estimates, solved, ExemplarSeparator(pcm, overlaps), self._versions())

    def _versions(self) -> tuple[str, ...]:
        stored = locate(SEPARATION)
        revision = stored.revision[:8] if stored else ""
        return (f"{SEPARATION.name} {revision}".strip(), f"pyannote.audio {version('pyannote.audio')}")


def separate(
    network: StreamNetwork,
    pcm: Samples,
    overlaps: Overlaps,
    wanted: Sequence[Overlap],
    voices: Voices,
    estimates: Estimates,
    progress: Progress,
) -> frozenset[Overlap]:
    """Fill `estimates` with what each speaker says in the overlaps `wanted`; returns those of them in which each has
    found a stream. One batch of windows is in memory at once.
    """
    import torch

    solved = set(wanted)
    total = sum(len(window_starts(overlap, network.samples, len(pcm))) for overlap in wanted)
    windows = (window for overlap in wanted for window in windows_over(overlap, network.samples, len(pcm)))
    size, done, before = network.batch, 0, None
    while batch := list(islice(windows, size)):
        mixtures = heard(pcm, batch, size)  # one shape for all batches: one plan and one workspace
        for window, mixture, streams in zip(batch, mixtures, network(torch.from_numpy(mixtures)), strict=False):
            shared = before if before and before[0].overlap is window.overlap else None
            found = _by_speaker(window, mixture, streams, overlaps, voices, shared)
            before = (window, found or {})
            if found is None:
                solved.discard(window.overlap)
            else:
                estimates.add(window, found)
        done += len(batch)
        progress("overlaps", done / total)
    return frozenset(solved)


def _by_speaker(
    window: Window,
    mixture: Signal,
    streams: Signal,
    overlaps: Overlaps,
    voices: Voices,
    before: tuple[Window, dict[int, Signal]] | None,
) -> dict[int, Signal] | None:
    """The streams of those who take part in the overlap as far as the window goes; None where that cannot be told, as
    where more people speak in the window than there are streams.

    Others who speak in the window claim streams too, so that nobody is given theirs. `before` is the overlap's window
    before this one, with what was found there.
    """
    from .matching import assign, continuity, scaled

    start, stop = window.start, window.start + len(mixture)
    everyone = overlaps.speaking(start, stop)
    present = overlaps.speaking(max(start, window.overlap.start), min(stop, window.overlap.stop))
    if len(everyone) > len(streams) or not present:
        return None if present else {}
    others = (speaker for speaker in everyone if speaker not in present and voices.known([speaker]))
    streams = scaled(streams, mixture)
    claiming = (*present, *others)
    suiting = voices.suiting(claiming, streams, mixture, start)
    if before is not None:
        suiting += continuity(streams, before[1], claiming, start - before[0].start)
    chosen = assign(suiting, len(present))
    return None if chosen is None else dict(zip(present, streams[list(chosen)], strict=True))


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
