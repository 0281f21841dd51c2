"""What goes to a GPU and comes back for an hour of audio, without one: `python -m benchmarks.gpu_traffic`.

Counted on a GPU that is pretended (`tests/audio_engine/pretended_gpu.py`): bytes, how often the CPU has to wait until
the GPU is done with all that it was given, and how many operations it calls for there. Networks of community-1's
architecture, depth, rates and windows, but thin, which changes only what comes back of embeddings; somebody speaks in
nearly all windows. What time it takes, and how much of that beside other work, this does not tell.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import replace
from typing import Any
from unittest import mock

from pyannote.audio.models.embedding.wespeaker import BaseWeSpeakerResNet
from pyannote.audio.models.embedding.wespeaker.resnet import BasicBlock, ResNet

from audio_engine.backends.pyannote import pipelines
from audio_engine.backends.pyannote.loading import PIPELINES
from tests.audio_engine.pretended_gpu import pretended
from tests.audio_engine.pyannote import random_models

from . import community_1


class Thin(BaseWeSpeakerResNet):
    """As deep as the published one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.resnet = ResNet(BasicBlock, [3, 4, 6, 3], 4, 80, 32, pooling_func="TSTP", two_emb_layer=False)


SMALL = replace(random_models.TINY, window_seconds=10.0, embedding=Thin)
MEGABYTE = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="of the recording")
    parser.add_argument("--only", nargs="+", choices=PIPELINES, default=list(PIPELINES), help="not all of them")
    options = parser.parse_args()
    pcm = community_1.recording(options.seconds)
    hours = options.seconds / 3600
    print(f"{pcm.nbytes / hours / MEGABYTE:.0f} MB of samples an hour, {options.seconds:.0f} s of audio")
    warnings.simplefilter("ignore")  # of precision
    with (
        mock.patch.object(random_models, "COMMUNITY_1", SMALL),
        mock.patch.object(pipelines, "fast_bf16", return_value=False),
        community_1.models(None),
        pretended() as gpu,
    ):
        for mode in options.only:
            pipeline = community_1.ours(mode)
            gpu.reset()
            community_1.run(pipeline, pcm)
            up, down = (count / hours / MEGABYTE for count in (gpu.up, gpu.down))
            waits, operations = gpu.waits / hours, gpu.operations / hours
            print(f"{mode:8} {up:8.0f} MB there, {down:5.0f} MB back, {waits:6.0f} waits, {operations:7.0f} operations")


if __name__ == "__main__":
    main()
