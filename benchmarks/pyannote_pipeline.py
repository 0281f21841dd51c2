"""The whole engine against pyannote.audio's `SpeakerDiarization`, on the same seconds of the same recording:
`python -m benchmarks.pyannote_pipeline DATA [--seconds N]`; see `simulated` for DATA.

Models of the architectures and sizes of speaker-diarization-community-1 with random weights, since its own are behind a
licence: what they answer is worth nothing, what they cost is the same. Where the answer decides how much work follows,
after the segmentation, the activity of the reference takes its place; clusters of random embeddings cost next to
nothing either way. Both sides get the samples, not a file.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pyannote.audio import Model, Pipeline
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet

from audio_engine import SpeakerBounds, Turn, registry
from audio_engine.formats import parse_rttm
from audio_engine.progress import ignore_progress

from .recordings import HEARD, mono, source
from .rounds import compare, print_machine, print_timings

WINDOW = 10.0  # seconds
SPEAKERS = 3  # that the segmentation tells apart in a window
DIMENSION, LDA_DIMENSION = 256, 128
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    print_machine()
    recording = source(options.data)
    pcm = mono(recording, options.seconds)
    turns = parse_rttm(next(recording.parent.glob("*.rttm")).read_text())
    engine = registry.load("embedded")
    with tempfile.TemporaryDirectory() as name:
        pipeline = Pipeline.from_pretrained(community(Path(name)))
        script(pipeline, turns)
        file = {"waveform": torch.from_numpy(pcm)[None], "sample_rate": HEARD}
        contenders = {
            "embedded": lambda: engine.diarize(pcm, SpeakerBounds(), Path(name), ignore_progress),
            "pyannote.audio": lambda: pipeline(file),
        }
        print_timings(compare(contenders, rounds=2), ["embedded"], options.seconds)


def script(pipeline: Any, turns: tuple[Turn, ...]) -> None:
    """Segmentation runs as it is, then says what the reference says."""
    segment = pipeline.get_segmentations

    def scripted(file: Any, hook: Any = None) -> Any:
        found = segment(file, hook)
        for (window, _), answer in zip(found, found.data, strict=True):
            answer[:] = activity(turns, window.start, len(answer))
        return found

    pipeline.get_segmentations = scripted


def activity(turns: tuple[Turn, ...], start: float, frames: int) -> np.ndarray:
    """Of the first three who speak in the window, shape (frames, SPEAKERS)."""
    result = np.zeros((frames, SPEAKERS), dtype=np.float32)
    heard = [turn for turn in turns if turn.start < start + WINDOW and turn.end > start]
    for column, speaker in enumerate(list(dict.fromkeys(turn.speaker for turn in heard))[:SPEAKERS]):
        for turn in heard:
            if turn.speaker == speaker:
                low, high = ((edge - start) / WINDOW * frames for edge in (turn.start, turn.end))
                result[max(0, round(low)) : max(0, round(high)), column] = 1
    return result


def community(folder: Path) -> Path:
    """As speaker-diarization-community-1 is laid out."""
    torch.manual_seed(1)
    segmentation = PyanNet(
        sincnet={"stride": 10},
        lstm={"hidden_size": 128, "num_layers": 4, "bidirectional": True, "monolithic": True, "dropout": 0.5},
        linear={"hidden_size": 128, "num_layers": 2},
    )
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=WINDOW,
        warm_up=(0.0, 0.0),
        classes=[f"speaker#{number}" for number in range(1, SPEAKERS + 1)],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    save(segmentation, folder / "segmentation" / "pytorch_model.bin")
    embedding = WeSpeakerResNet34()
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW
    )
    save(embedding, folder / "embedding" / "pytorch_model.bin")
    plda(folder / "plda")
    batches = {"segmentation_batch_size": BATCH, "embedding_batch_size": BATCH, "embedding_exclude_overlap": True}
    models = {part: f"$model/{part}" for part in ("segmentation", "embedding", "plda")}
    configuration = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {"clustering": "VBxClustering", **batches, **models},
        },
        "params": {
            "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration))
    return folder


def plda(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(3)
    np.savez(
        folder / "xvec_transform.npz",
        mean1=random.normal(size=DIMENSION) * 0.01,
        mean2=random.normal(size=LDA_DIMENSION) * 0.01,
        lda=random.normal(size=(DIMENSION, LDA_DIMENSION)),
    )
    np.savez(
        folder / "plda.npz",
        mu=random.normal(size=LDA_DIMENSION) * 0.01,
        tr=np.eye(LDA_DIMENSION) + 0.01 * random.normal(size=(LDA_DIMENSION, LDA_DIMENSION)),
        psi=np.linspace(4, 0.5, LDA_DIMENSION),
    )


def save(model: Model, path: Path) -> None:
    checkpoint: dict[str, Any] = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": "2.6.0",
    }
    model.on_save_checkpoint(checkpoint)
    path.parent.mkdir(parents=True)
    torch.save(checkpoint, path)


if __name__ == "__main__":
    main()
