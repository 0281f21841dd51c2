"""A Whisper of the true architecture with one thin layer a side and random weights, in the layout in which
CTranslate2's converter leaves large-v3: the words it hears are nonsense, but which they are depends on what it hears.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ctranslate2.specs.whisper_spec import WhisperSpec
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from audio_engine.transcription.languages import LANGUAGES

MELS, WIDTH, HEADS, TOKENS = 128, 32, 2, 448
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
VOCABULARY = [
    *BYTES,
    *SPOKEN,
    "<|endoftext|>",
    "<|startoftranscript|>",
    *EVERY_LANGUAGE,
    *TASKS,
    *TIMESTAMPS,
]
END = VOCABULARY.index("<|endoftext|>")

Weights = npt.NDArray[np.float32]


def whisper(folder: Path, seed: int = 5) -> Path:
    """The files of the model in `folder`, which is made."""
    folder.mkdir(parents=True)
    spec = _spec(np.random.default_rng(seed))
    spec.register_vocabulary(VOCABULARY)
    languages = [VOCABULARY.index(language) for language in EVERY_LANGUAGE]
    spec.config.lang_ids = languages
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [END]
    spec.config.alignment_heads = [[0, 0], [0, 1]]
    spec.validate()
    spec.optimize(quantization="float16")
    spec.save(str(folder))
    _tokenizer().save(str(folder / "tokenizer.json"))
    extractor = {"feature_size": MELS, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
    return folder


def _tokenizer() -> Tokenizer:
    """Bytes, some words and what Whisper adds to them."""
    tokenizer = Tokenizer(models.BPE(vocab={token: n for n, token in enumerate([*BYTES, *SPOKEN])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(VOCABULARY[END:])
    assert tokenizer.token_to_id("<|endoftext|>") == END
    return tokenizer


def _spec(random: np.random.Generator) -> WhisperSpec:
    spec = WhisperSpec(1, HEADS, 1, HEADS)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = _weights(random, WIDTH, MELS, 3), _zeros(WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = _weights(random, WIDTH, WIDTH, 3), _zeros(WIDTH)
    encoder.position_encodings.encodings = _weights(random, 1500, WIDTH)
    decoder.position_encodings.encodings = _weights(random, TOKENS, WIDTH, scale=2.0)
    decoder.embeddings.weight = _weights(random, len(VOCABULARY), WIDTH, scale=1.0)
    decoder.projection.weight = _weights(random, len(VOCABULARY), WIDTH, scale=1.0)
    decoder.projection.bias = _preferences()
    for part in (encoder, decoder):
        _normalise(part.layer_norm)
        for layer in part.layer:
            _attend(random, layer.self_attention, (3 * WIDTH, WIDTH))
            _normalise(layer.ffn.layer_norm)
            _connect(random, layer.ffn.linear_0, 4 * WIDTH, WIDTH)
            _connect(random, layer.ffn.linear_1, WIDTH, 4 * WIDTH)
    _attend(random, decoder.layer[0].attention, (WIDTH, 2 * WIDTH, WIDTH), scale=3.0)
    return spec


def _preferences() -> Weights:
    """Words rather than bytes, and now and then an end."""
    wanted = np.full(len(VOCABULARY), -100.0, dtype=np.float32)
    for token in SPOKEN:
        wanted[VOCABULARY.index(token)] = 0
    for language in EVERY_LANGUAGE:
        wanted[VOCABULARY.index(language)] = -50.0
    wanted[END] = 0
    return wanted


def _attend(random: np.random.Generator, attention: object, widths: tuple[int, ...], scale: float = 1.0) -> None:
    _normalise(attention.layer_norm)  # type: ignore[attr-defined]
    for linear, width in zip(attention.linear, widths, strict=True):  # type: ignore[attr-defined]
        _connect(random, linear, width, WIDTH, scale)


def _connect(random: np.random.Generator, linear: object, outputs: int, inputs: int, scale: float = 1.0) -> None:
    linear.weight = _weights(random, outputs, inputs, scale=scale / np.sqrt(inputs))  # type: ignore[attr-defined]
    linear.bias = _zeros(outputs)  # type: ignore[attr-defined]


def _normalise(norm: object) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, dtype=np.float32), _zeros(WIDTH)  # type: ignore[attr-defined]


def _weights(random: np.random.Generator, *shape: int, scale: float = 0.3) -> Weights:
    return (random.normal(size=shape) * scale).astype(np.float32)


def _zeros(width: int) -> Weights:
    return np.zeros(width, dtype=np.float32)
