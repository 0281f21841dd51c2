"""Where a decoded stretch belongs on a recording's timeline, by the time stamps of its container."""

from __future__ import annotations

import math

from av.audio.stream import AudioStream
from av.container import InputContainer

# Containers whose stamps are measured rather than counted up from bytes, and by how many seconds they may jitter.
STAMP_TOLERANCE = {
    "flac": 0.001,
    "mov,mp4,m4a,3gp,3g2,mj2": 0.02,
    "matroska,webm": 0.02,
    "asf": 0.05,
    "flv": 0.05,
    "mpeg": 0.1,
    "mpegts": 0.1,
    "ogg": 0.1,
}
CLOCK_MAY_JUMP = ("mpeg", "mpegts", "ogg")
LARGEST_GAP = 10.0  # seconds; a longer one, where the clock may jump, is a jump
LARGEST_OVERLAP = 1.0  # seconds by which stamps may fall behind the samples before they count as a new clock


class Timeline:
    """Counts frames at `rate` Hz from the container's start, so that audio which begins late keeps its delay."""

    def __init__(self, container: InputContainer, stream: AudioStream, rate: int) -> None:
        self.position = 0
        self._rate = rate
        self._tolerance = STAMP_TOLERANCE.get(container.format.name, math.inf) * rate
        self._jumps = container.format.name in CLOCK_MAY_JUMP
        self._frames_a_tick = float(stream.time_base or 0) * rate
        self._origin = None if container.start_time is None else container.start_time / 1e6 * rate

    def expected(self, stamp: int | None) -> int:
        """The frame at which audio with the stream's time `stamp` starts; the present one where that tells nothing."""
        if stamp is None or self._tolerance == math.inf:
            return self.position
        if self._origin is None:
            self._origin = stamp * self._frames_a_tick
        frame = round(stamp * self._frames_a_tick - self._origin)
        ahead = frame - self.position
        if ahead < -LARGEST_OVERLAP * self._rate or (self._jumps and ahead > LARGEST_GAP * self._rate):
            self._origin += ahead
            return self.position
        return frame

    def gap(self, stamp: int | None) -> int:
        """How many frames are missing before audio with the stream's time `stamp`."""
        ahead = self.expected(stamp) - self.position
        return ahead if ahead > self._tolerance else 0
