"""The directions in which embeddings tell voices apart rather than rooms, microphones and noise.

Linear discriminant analysis of windows within conversations: what differs between the voices of one recording is kept,
what differs between the windows of one voice has unit variance. Sources: Fisher, "The Use of Multiple Measurements in
Taxonomic Problems" (Annals of Eugenics 1936); Ioffe, "Probabilistic Linear Discriminant Analysis" (ECCV 2006) for the
variances as a model of voices. MODEL_CARD.md says what it was fitted on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .embeddings import EncoderName

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class VoiceSpace:
    """`mean` (inputs,) of all embeddings, `directions` (inputs, dimensions), the most telling first, and the variance
    `between` (dimensions,) voices along them, that within a voice being 1; float32. An input is a window's embeddings
    at all scales, one after the other. `prior` (1,) is the weight of that distribution in clustering: the
    higher, the fewer voices."""

    mean: npt.NDArray[np.float32]
    directions: npt.NDArray[np.float32]
    between: npt.NDArray[np.float32]
    prior: npt.NDArray[np.float32]

    @classmethod
    def load(cls, path: Path) -> VoiceSpace:
        from safetensors.numpy import load_file

        return cls(**load_file(path))

    def save(self, path: Path) -> None:
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(value) for name, value in asdict(self).items()}, path)

    def about_all_voices(self, vectors: Matrix) -> Matrix:
        """`vectors` (windows, inputs) in the space, from the mean of all voices: directions compare across
        recordings."""
        return (vectors - self.mean) @ self.directions

    def about_these_voices(self, vectors: Matrix) -> Matrix:
        """As `about_all_voices`, from the recording's own mean: what all its windows share tells nobody apart."""
        return (vectors - vectors.mean(axis=0)) @ self.directions


def weights_path(encoder: EncoderName) -> Path:
    return Path(__file__).with_name(f"voice_space_{encoder}.safetensors")


@cache
def shipped_space(encoder: EncoderName) -> VoiceSpace:
    return VoiceSpace.load(weights_path(encoder))


def unit_rows(matrix: Matrix) -> Matrix:
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
