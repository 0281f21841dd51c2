"""The Range header of RFC 9110, section 14, for one range of bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass

ONE_RANGE = re.compile(r"bytes=\s*(\d*)-(\d*)\s*", re.ASCII | re.IGNORECASE)
MOST_DIGITS = 1000  # Python refuses to read numbers of some thousands


class Unsatisfiable(Exception):
    """Nothing of the range lies in the file."""


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def parse(header: str, size: int) -> ByteRange | None:
    """The bytes asked for of a file of `size` bytes. Raises Unsatisfiable.

    None where the whole file is the right answer: without a header, for other units, what cannot be read, and several
    ranges, which a server may answer so.
    """
    match = ONE_RANGE.fullmatch(header)
    if not match or not any(match.groups()) or any(len(number) > MOST_DIGITS for number in match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return _clipped(max(0, size - int(last)), size - 1, size)
    if last and int(last) < int(first):
        return None
    return _clipped(int(first), int(last or size), size)


def _clipped(first: int, last: int, size: int) -> ByteRange:
    if first >= size:
        raise Unsatisfiable
    return ByteRange(first, min(last, size - 1))
