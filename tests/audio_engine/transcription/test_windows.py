from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from audio_engine.transcription.windows import MARGIN, RATE, speech, windows
from audio_engine.types import Turn
from tests.audio_engine.resident import mapped


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.1, 0.1, round(seconds * RATE)).astype(np.float32)


def test_speech_is_where_anybody_speaks_with_a_margin():
    turns = (Turn(5.0, 6.0, 1), Turn(1.0, 2.0, 0), Turn(1.5, 3.0, 1))
    assert speech(turns, 6.1) == [(1.0 - MARGIN, 3.0 + MARGIN), (5.0 - MARGIN, 6.1)]


def test_turns_close_together_share_a_window():
    turns = [Turn(4.0 * n, 4.0 * n + 3.0, n % 2) for n in range(20)]
    found = windows(turns, noise(80), 30.0)
    assert found[0] == pytest.approx((0.0, 27.2))
    assert all(end - start <= 30.0 for start, end in found)
    assert found[-1][1] == pytest.approx(79.2)


def test_long_silence_is_not_heard():
    found = windows([Turn(0.0, 2.0, 0), Turn(100.0, 101.0, 1)], noise(120), 30.0)
    assert found == [(0.0, 2.2), (99.8, 101.2)]


def test_talk_without_a_pause_is_cut_where_it_is_quietest():
    pcm = noise(50)
    pcm[round(26.1 * RATE) : round(26.4 * RATE)] *= 0.01
    (first, second) = windows([Turn(0.0, 50.0, 0)], pcm, 30.0)
    assert first[0] == 0.0
    assert second[1] == 50.0
    assert first[1] == second[0]
    assert 26.1 <= first[1] <= 26.4


def test_windows_hold_all_speech_of_a_long_talk_once():
    found = windows([Turn(0.0, 600.0, 0)], noise(600), 30.0)
    assert all(end - start <= 30.0 for start, end in found)
    assert found[0][0] == 0.0
    assert found[-1][1] == 600.0
    assert all(a[1] == b[0] for a, b in pairwise(found))


def test_silence_gives_no_windows():
    assert windows([], noise(3), 30.0) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's memory from /proc")
def test_of_a_long_talk_on_the_disk_nothing_stays_in_memory(tmp_path: Path):
    seconds = 600
    (tmp_path / "pcm").write_bytes(bytes(4 * seconds * RATE))
    pcm = np.memmap(tmp_path / "pcm", np.float32, "r")
    before = mapped()
    assert len(windows([Turn(0.0, seconds, 0)], pcm, 30.0)) >= 20
    assert mapped() - before < 2 << 10  # of 13 MB
