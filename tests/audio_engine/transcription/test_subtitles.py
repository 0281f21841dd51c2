from __future__ import annotations

import pytest

from audio_engine.errors import EngineError
from audio_engine.transcription.subtitles import decoded, parse_srt

SUBTITLES = """1
00:00:01,000 --> 00:00:03,500
- Is that you?
<i>(a door)</i>

2
00:00:04,250 --> 00:00:05,000
Yes.
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_come_with_times_and_text_as_they_are(encoding):
    first, second = parse_srt(decoded(SUBTITLES.encode(encoding)))
    assert (first.start, first.end, first.text) == (1.0, 3.5, "- Is that you?\n<i>(a door)</i>")
    assert (second.start, second.end, second.text) == (4.25, 5.0, "Yes.")


def test_line_ends_of_windows_are_understood():
    assert parse_srt(SUBTITLES.replace("\n", "\r\n")) == parse_srt(SUBTITLES)


def test_lines_are_put_in_order_of_time():
    swapped = "2\n00:00:09,000 --> 00:00:10,000\nlater\n\n1\n00:00:01,000 --> 00:00:02,000\nearlier\n"
    assert [line.text for line in parse_srt(swapped)] == ["earlier", "later"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must have from 1 to 100000 lines, and has 0"),
        (b"hello", "is not a SubRip (SRT) file"),
        (b"\x00\x01\x02\xff", "is not encoded in UTF-8"),
        ("1\n00:00:01,000 --> 00:00:02,000\ncafé\n".encode("latin-1"), "is not encoded in UTF-8"),
        (b"1\n00:00:05,000 --> 00:00:02,000\nhi\n", "ends before it starts"),
        (b"WEBVTT\n\n00:01.000 --> 00:02.000\nhi\n", "is not a SubRip (SRT) file"),
    ],
)
def test_what_is_no_subtitle_file_is_refused_by_its_reason(content, reason):
    with pytest.raises(EngineError) as refused:
        parse_srt(decoded(content))
    assert refused.value.code == "INVALID_OPTION"
    assert reason in refused.value.message
    assert refused.value.details["field"] == "input_srt"
