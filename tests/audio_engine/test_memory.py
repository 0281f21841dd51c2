from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from audio_engine.memory import release_unused

PIECE, PIECES = 60_000, 2_000


def resident() -> int:
    """Bytes."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps what was freed"
)
def test_memory_freed_between_pieces_still_in_use_goes_back_to_the_system() -> None:
    pieces = [bytearray(PIECE) for _ in range(PIECES)]
    kept = pieces[::100]
    del pieces
    before = resident()
    release_unused()
    assert resident() < before - PIECE * PIECES // 2
    assert len(kept) == PIECES // 100
