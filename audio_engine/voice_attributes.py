"""How a speaker's voice sounds: the range of its pitch, and a guess of the speaker's gender by it.

Pitch is what most tells women's voices from men's (Hillenbrand & Clark, "The role of f0 and formant frequencies in
distinguishing the voices of men and women", Attention, Perception, & Psychophysics 71, 2009), but the two overlap: so
the guess has a confidence, by a logistic curve (Platt, "Probabilistic Outputs for Support Vector Machines", 1999) of
the median's logarithm, and is "unknown" where that is low. The curve was fitted to 106 adults who read English aloud,
one utterance each (LibriSpeech, Panayotov et al. 2015), women and men weighing the same. It knows nothing of children,
whose pitch is a woman's or higher, nor of anybody's own word for themselves.
"""

from __future__ import annotations

import numpy as np

from .downmix import RATE
from .memory import Samples, release_pages
from .pitch import HOP, pitch
from .tracks import Spans, speaker_spans
from .types import Diarization
from .voices import Gender, VoiceAttributes

MOST_SECONDS = 60.0  # of a speaker's solo speech that are heard, evenly spread
PIECE_SECONDS = 2.0
FEWEST_SECONDS = 1.0  # with a pitch; less says too little
LOW, HIGH = 10, 90  # percentiles of the pitch: its range without what was heard wrong
EVEN_HZ, STEEPNESS = 151.0, 8.0  # a median that is as likely a woman's as a man's, and the curve's logits an octave
HIGHEST_HZ = 275.0  # no adult of those had a higher median; children have
LEAST_CONFIDENCE = 80  # in %


def voice_attributes(pcm: Samples, found: Diarization) -> tuple[VoiceAttributes, ...]:
    """Of each speaker of `found` by what is heard of them alone in `pcm`: shape (samples,), float32, 16 kHz mono.

    At most a minute of each speaker is heard, however long the recording is.
    """
    solo = speaker_spans(found.turns, found.speakers, "mute", RATE, len(pcm))
    return tuple(_described(speaker, _solo_speech(pcm, spans)) for speaker, spans in enumerate(solo))


def _solo_speech(pcm: Samples, spans: Spans) -> Samples:
    """At most MOST_SECONDS of the spans, in pieces from all over the recording."""
    length = round(PIECE_SECONDS * RATE)
    pieces = [(at, min(at + length, stop)) for start, stop in spans.tolist() for at in range(start, stop, length)]
    total = sum(stop - start for start, stop in pieces) / RATE
    heard = [np.array(pcm[start:stop]) for start, stop in pieces[:: max(1, int(np.ceil(total / MOST_SECONDS)))]]
    release_pages(pcm)
    return np.concatenate([np.zeros(0, np.float32), *heard])


def _described(speaker: int, speech: Samples) -> VoiceAttributes:
    hertz = pitch(speech)
    voiced = hertz[hertz > 0]
    if len(voiced) * HOP < FEWEST_SECONDS * RATE:
        return VoiceAttributes(speaker)
    low, median, high = np.percentile(voiced, [LOW, 50, HIGH]).tolist()
    gender, confidence = gender_of(median)
    return VoiceAttributes(speaker, round(low, 1), round(median, 1), round(high, 1), gender, confidence)


def gender_of(median: float) -> tuple[Gender, int | None]:
    """The guess by a median pitch in Hz, and its probability in %; none where it is unknown."""
    woman = 100 / (1 + np.exp(-STEEPNESS * np.log2(median / EVEN_HZ)))
    confidence = round(max(woman, 100 - woman))
    if confidence < LEAST_CONFIDENCE or median > HIGHEST_HZ:
        return "unknown", None
    return ("female" if woman > 50 else "male"), confidence
