"""The embedding stage against Resemblyzer's own `embed_utterance`: `python -m benchmarks.embedding DATA`; see
`simulated` for DATA. Needs `pip install resemblyzer librosa`.

Same weights, same windows of 1.6 s, at the rate of the engine's grid (2.5 windows a second), at Resemblyzer's default
and at that of its demonstrations. Cosine is between the embeddings of the same windows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy.ndimage

from audio_engine.backends.embedded import packages
from audio_engine.backends.embedded.ge2e import Ge2eEncoder, encode
from audio_engine.backends.embedded.level import GainCurve
from audio_engine.backends.embedded.mel import ENCODER_LEVEL_DB, mel_power
from audio_engine.backends.embedded.networks import SpeakerEncoder, load_speaker_encoder
from audio_engine.backends.precision import fast_bf16
from audio_engine.parallel import ordered

from .recordings import HEARD, Signal, mono, source
from .rounds import compare, print_machine, print_timings

RATES = (2.5, 1.3, 16.0)  # windows a second
WINDOW = 160  # frames of 10 ms
SECONDS = 60
AS_IT_IS = GainCurve(np.full(1, -ENCODER_LEVEL_DB))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    pcm = mono(source(parser.parse_args().data), SECONDS)
    print_machine()
    path = packages.path_of(packages.GE2E)
    ours, theirs = load_speaker_encoder(path), resemblyzer_encoder()
    for rate in RATES:
        compare_at(rate, pcm, ours, theirs)


def compare_at(rate: float, pcm: Signal, ours: SpeakerEncoder, theirs: Any) -> None:
    found: dict[str, Signal] = {}
    slices = theirs.compute_partial_slices(len(pcm), rate, 0.75)[1]
    starts = np.array([where.start for where in slices])
    contenders = {"ours, float32": lambda: found.update(float32=embed(pcm, starts, ours, bf16=False))}
    if fast_bf16("cpu"):
        contenders["ours, bfloat16"] = lambda: found.update(bfloat16=embed(pcm, starts, ours, bf16=True))
    contenders["Resemblyzer"] = lambda: found.update(theirs=theirs.embed_utterance(pcm, True, rate)[1])
    print(f"\n{len(starts)} windows, {rate} a second")
    print_timings(compare(contenders), [name for name in contenders if name != "Resemblyzer"], len(pcm) / HEARD)
    expected = found.pop("theirs")
    for name, embeddings in found.items():
        cosines = (embeddings * expected).sum(axis=1)
        print(f"cosine to Resemblyzer, {name}: mean {cosines.mean():.6f}, least {cosines.min():.6f}")


def embed(pcm: Signal, starts: np.ndarray, encoder: SpeakerEncoder, *, bf16: bool) -> Signal:
    def batch(first: int) -> Signal:
        some = starts[first : first + Ge2eEncoder.batch]
        mels = mel_power(pcm, AS_IT_IS, int(some[0]), int(some[-1]) + WINDOW)
        return encode(mels, some - some[0], WINDOW, encoder, bf16)

    return np.concatenate(list(ordered(batch, range(0, len(starts), Ge2eEncoder.batch))))


def resemblyzer_encoder() -> Any:
    """Its package imports what current libraries lack: both imports serve only to cut silence, which is not used."""
    morphology = ModuleType("scipy.ndimage.morphology")
    morphology.binary_dilation = scipy.ndimage.binary_dilation  # type: ignore[attr-defined]
    sys.modules.setdefault("scipy.ndimage.morphology", morphology)
    sys.modules.setdefault("webrtcvad", ModuleType("webrtcvad"))
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


if __name__ == "__main__":
    main()
