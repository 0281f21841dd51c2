"""Which bytes a Range header asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.ranges import ByteRange, Unsatisfiable, parse

HUGE = "9" * 900


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-9", (0, 9)),
        ("bytes=5-", (5, 9)),
        ("bytes=5-500", (5, 9)),
        (f"bytes=5-{HUGE}", (5, 9)),
        ("bytes=-1", (9, 9)),
        ("bytes=-500", (0, 9)),
        ("Bytes= 2-3 ", (2, 3)),
    ],
)
def test_one_range_is_understood(header, expected):
    assert parse(header, 10) == ByteRange(*expected)


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,4-5", "lines=0-1", "bytes=--1", "bytes=٣-",
     f"bytes={HUGE * 10}-"],
)  # fmt: skip
def test_what_is_no_single_range_gets_the_whole_file(header):
    assert parse(header, 10) is None


BEYOND = [("bytes=10-", 10), (f"bytes={HUGE}-", 10), ("bytes=-0", 10), ("bytes=0-", 0)]


@pytest.mark.parametrize(("header", "size"), BEYOND)
def test_a_range_beyond_the_end_is_unsatisfiable(header, size):
    with pytest.raises(Unsatisfiable):
        parse(header, size)


@given(st.from_regex(r"\Abytes=\d{0,5}-\d{0,5}\Z"), st.integers(0, 20_000))
def test_a_range_always_lies_in_the_file(header, size):
    try:
        part = parse(header, size)
    except Unsatisfiable:
        return
    assert part is None or (0 <= part.first <= part.last < size and part.length > 0)
