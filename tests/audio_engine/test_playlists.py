from __future__ import annotations

import time

import pytest

from audio_engine.playlists import playlist_format


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"#EXTM3U\n#EXTINF:3,One\none.wav\n", "M3U"),
        (b"\xef\xbb\xbf#extm3u\r\none.wav\r\n", "M3U"),
        (b"# of mine\n\n../Talks/01 the first.mp3\n../Talks/02.mp3\n", "M3U"),
        (b"https://example.org/stream?id=3", "M3U"),
        (b"[playlist]\nFile1=one.mp3\nNumberOfEntries=1\n", "PLS"),
        (b'<?xml version="1.0"?>\n<!-- a > b -->\n<playlist version="1" xmlns="http://xspf.org/ns/0/">', "XSPF"),
        (b"<ASX version='3.0'><entry>", "ASX"),
        (b'<?xml version="1.0"?>\n<?xml-stylesheet href="a.xsl"?>\n<rss version="2.0">', "RSS"),
        (b'<feed xmlns="http://www.w3.org/2005/Atom">', "Atom"),
    ],
)
def test_a_list_of_recordings_is_known_by_its_beginning(beginning, name):
    assert playlist_format(beginning) == name


@pytest.mark.parametrize(
    "beginning",
    [b"", b"hello\n", b"RIFF\x24\x00\x00\x00WAVEfmt ", b"ID3\x04\0one.mp3\n", b"<html><rss>", b"# only a comment\n"],
)
def test_other_files_are_no_lists(beginning):
    assert playlist_format(beginning) is None


@pytest.mark.parametrize("piece", [b"<!-- a -->", b"<?a?>", b"# a\n", b"\n", b"a.mp3 "])
def test_no_beginning_takes_long_to_look_at(piece):
    started = time.process_time()
    playlist_format(piece * 10_000 + b"\0")
    assert time.process_time() - started < 1
