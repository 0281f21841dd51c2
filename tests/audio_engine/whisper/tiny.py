"""A Whisper of the true architecture and random weights, with one thin layer a side or at full size, in the layout in
which CTranslate2's converter leaves large-v3: the words it hears are nonsense, but which they are depends on what it
hears.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ctranslate2.specs.whisper_spec import WhisperSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from audio_engine.transcription.languages import LANGUAGES

TOKENS = 448
WORDS = [
    *("yes", "no", "well", "thanks", "hello", "there", "we", "saw", "him", "in", "London", "last", "week", "and", "it"),
    *("was", "good", "I", "think", "so", "too", "what", "do", "you", "mean", "by", "that", "nothing", "really", "just"),
    *("the", "old", "house", "at", "end", "of", "our", "street", "Anna", "said", "they", "would", "come", "tomorrow"),
]
MARKS = (".", ",", "?")
SPOKEN = [*(f"Ġ{word}" for word in WORDS), *MARKS]
TASKS = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
EVERY_LANGUAGE = [f"<|{code}|>" for code in sorted(LANGUAGES)]
TIMESTAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
BYTES = sorted(set(pre_tokenizers.ByteLevel.alphabet()) - set(MARKS))
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", *EVERY_LANGUAGE, *TASKS, *TIMESTAMPS]

Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    mels: int
    width: int
    heads: int
    layers: int
    words: int  # in the vocabulary, those that are never said included

    @property
    def vocabulary(self) -> list[str]:
        unsaid = [f"Ġunsaid{number}" for number in range(self.words - len(BYTES) - len(SPOKEN))]
        return [*BYTES, *unsaid, *SPOKEN, *SPECIAL]


TINY = Sizes(mels=128, width=32, heads=2, layers=1, words=0)
WHISPER_TINY = Sizes(mels=80, width=384, heads=6, layers=4, words=50_257)


def whisper(folder: Path, sizes: Sizes = TINY, seed: int = 5) -> Path:
    """The files of the model in `folder`, which is made."""
    folder.mkdir(parents=True)
    vocabulary = sizes.vocabulary
    spec = _Spec(sizes, np.random.default_rng(seed)).made()
    spec.register_vocabulary(vocabulary)
    spec.config.lang_ids = [vocabulary.index(language) for language in EVERY_LANGUAGE]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [vocabulary.index(SPECIAL[0])]
    spec.config.alignment_heads = [[0, 0], [0, 1]]
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    extractor = {
        "feature_size": sizes.mels,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    return folder


def _tokenizer(vocabulary: list[str]) -> Tokenizer:
    """Bytes, some words and what Whisper adds to them."""
    end = vocabulary.index(SPECIAL[0])
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate(vocabulary[:end])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(vocabulary[end:])
    assert tokenizer.token_to_id(SPECIAL[0]) == end
    return tokenizer


class _Spec:
    def __init__(self, sizes: Sizes, random: np.random.Generator) -> None:
        self._sizes, self._random = sizes, random

    def made(self) -> WhisperSpec:
        sizes, width = self._sizes, self._sizes.width
        spec = WhisperSpec(sizes.layers, sizes.heads, sizes.layers, sizes.heads)
        encoder, decoder = spec.encoder, spec.decoder
        encoder.conv1.weight, encoder.conv1.bias = self._weights(width, sizes.mels, 3), _zeros(width)
        encoder.conv2.weight, encoder.conv2.bias = self._weights(width, width, 3), _zeros(width)
        encoder.position_encodings.encodings = self._weights(1500, width)
        decoder.position_encodings.encodings = self._weights(TOKENS, width, scale=2.0)
        decoder.embeddings.weight = self._weights(len(sizes.vocabulary), width, scale=1.0)
        decoder.projection.weight = self._weights(len(sizes.vocabulary), width, scale=1.0)
        decoder.projection.bias = _preferences(sizes.vocabulary)
        for part in (encoder, decoder):
            _normalise(part.layer_norm, width)
            for layer in part.layer:
                self._attend(layer.self_attention, (3 * width, width))
                _normalise(layer.ffn.layer_norm, width)
                self._connect(layer.ffn.linear_0, 4 * width, width)
                self._connect(layer.ffn.linear_1, width, 4 * width)
        for layer in decoder.layer:
            self._attend(layer.attention, (width, 2 * width, width), scale=3.0)
        return spec

    def _attend(self, attention: Any, widths: tuple[int, ...], scale: float = 1.0) -> None:
        _normalise(attention.layer_norm, self._sizes.width)
        for linear, width in zip(attention.linear, widths, strict=True):
            self._connect(linear, width, self._sizes.width, scale)

    def _connect(self, linear: Any, outputs: int, inputs: int, scale: float = 1.0) -> None:
        linear.weight = self._weights(outputs, inputs, scale=scale / np.sqrt(inputs))
        linear.bias = _zeros(outputs)

    def _weights(self, *shape: int, scale: float = 0.3) -> Weights:
        return (self._random.normal(size=shape) * scale).astype(np.float32)


def _preferences(vocabulary: list[str]) -> Weights:
    """Words rather than bytes, and now and then an end."""
    wanted = np.full(len(vocabulary), -100.0, dtype=np.float32)
    for token in SPOKEN:
        wanted[vocabulary.index(token)] = 0
    for language in EVERY_LANGUAGE:
        wanted[vocabulary.index(language)] = -50.0
    wanted[vocabulary.index(SPECIAL[0])] = 0
    return wanted


def _normalise(norm: Any, width: int) -> None:
    norm.gamma, norm.beta = np.ones(width, dtype=np.float32), _zeros(width)


def _zeros(width: int) -> Weights:
    return np.zeros(width, dtype=np.float32)
