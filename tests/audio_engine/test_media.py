from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import scipy.signal
import soundfile

from audio_engine.decoding import Decoder, to_float
from audio_engine.downmix import write_mono
from audio_engine.errors import EngineError
from audio_engine.media import probe
from audio_engine.types import MediaLimits

ENCODERS = [
    ("wav", "pcm_s16le", 16),
    ("wav", "pcm_s24le", 24),
    ("wav", "pcm_f32le", 32),
    ("wav", "pcm_u8", 8),
    ("wav", "pcm_alaw", None),
    ("aiff", "pcm_s16be", 16),
    ("au", "pcm_s16be", 16),
    ("caf", "pcm_s16be", 16),
    ("w64", "pcm_s16le", 16),
    ("flac", "flac", 16),
    ("tta", "tta", 16),
    ("wv", "wavpack", 16),
    ("m4a", "alac", 16),
    ("mp3", "libmp3lame", None),
    ("mp2", "mp2", None),
    ("m4a", "aac", None),
    ("aac", "aac", None),
    ("mp4", "aac", None),
    ("mov", "pcm_s16le", 16),
    ("3gp", "aac", None),
    ("ogg", "libopus", None),
    ("opus", "libopus", None),
    ("webm", "libopus", None),
    ("mkv", "pcm_s16le", 16),
    ("avi", "libmp3lame", None),
    ("flv", "libmp3lame", None),
    ("wma", "wmav2", None),
    ("wmv", "wmav2", None),
    ("ts", "aac", None),
    ("mpg", "mp2", None),
    ("ac3", "ac3", None),
]
SAMPLE_FORMATS = {"tta": "s16", "alac": "s16p"}  # instead of the 8 and 24 bits with which their encoders begin
CONTAINERS = {
    "m4a": "ipod",
    "wma": "asf",
    "wmv": "asf",
    "aac": "adts",
    "mkv": "matroska",
    "ts": "mpegts",
    "mpg": "mpeg",
}


def encode(path: Path, codec: str, samples: np.ndarray, rate: int) -> None:
    extension = path.suffix[1:]
    with av.open(path, "w", format=CONTAINERS.get(extension, extension)) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        stream.format = SAMPLE_FORMATS.get(codec, stream.format.name)
        if codec == "wmav2":
            stream.bit_rate = 64_000
        frame = av.AudioFrame.from_ndarray((samples.T * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.codec_context.frame_size or 0)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def decode(path: Path, limits: MediaLimits = MediaLimits()) -> tuple[np.ndarray, Decoder]:  # noqa: B008
    decoder = Decoder(path, limits)
    return np.concatenate(list(decoder.blocks())), decoder


def refusal(path: Path, limits: MediaLimits = MediaLimits()) -> str:  # noqa: B008
    with pytest.raises(EngineError) as caught:
        decode(path, limits)
    assert caught.value.permanent
    return caught.value.code


def tone(seconds: float, rate: int) -> np.ndarray:
    """A chirp with a loud middle, whose place in time can be found again after any codec."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * (300 + 100 * time) * time) * np.hanning(len(time)))[:, None]


@pytest.mark.parametrize(("extension", "codec", "bits"), ENCODERS, ids=lambda value: str(value))
def test_a_format_decodes_at_its_own_rate_to_what_was_encoded(
    tmp_path: Path, extension: str, codec: str, bits: int | None
) -> None:
    original = tone(3, 48_000)
    path = tmp_path / f"recording.{extension}"
    encode(path, codec, original, 48_000)
    info = probe(path)
    block, decoder = decode(path)
    assert (info.sample_rate, info.channels, info.bits) == (48_000, 1, bits)
    assert decoder.rate == 48_000
    assert info.seconds == pytest.approx(3, abs=0.1)
    assert len(block) / 48_000 == pytest.approx(3, abs=0.1)
    got = to_float(block)[:, 0]
    lags = np.fft.irfft(np.fft.rfft(got, 1 << 19) * np.conj(np.fft.rfft(original[:, 0], 1 << 19)))
    peak = int(np.argmax(lags))
    assert min(peak, (1 << 19) - peak) / 48_000 < 0.06  # encoder delay, where the container does not tell it
    assert lags[peak] > 0.94 * np.sum(original**2)  # LAME makes everything 5 % quieter


@pytest.mark.parametrize(
    "name",
    [
        "-starts-with-dash.wav",
        "..wav",
        "concat:a|b.wav",
        "http:evil.m3u8",
        "%03d.wav",
        "a:b.wav",
        "x" * 180,
        "'quo\"tes;$(touch x) &.wav",
        "录音.wav",
        "\u202egnp.wav",
        "trailing space ",
        os.fsdecode(b"not-utf8-\xff.wav"),
    ],
)
def test_a_name_means_nothing_to_the_decoder(tmp_path: Path, recording: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(recording.read_bytes())
    assert probe(path).seconds == 5


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp3"])
def test_a_playlist_is_refused_and_nothing_it_names_is_opened(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/segment.ts"
        playlist = tmp_path / name
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n")
        assert refusal(playlist) == "INVALID_AUDIO_FORMAT"
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_concat_script_is_refused(tmp_path: Path, recording: Path) -> None:
    script = tmp_path / "script.wav"
    script.write_text(f"ffconcat version 1.0\nfile {recording.name}\n")
    assert refusal(script) == "INVALID_AUDIO_FORMAT"


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    text = tmp_path / "text.mp3"
    text.write_text("<html>not found</html>")
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    for path in (empty, text, pipe, tmp_path, tmp_path / "missing.wav"):
        assert refusal(path) == "INVALID_AUDIO_FORMAT"


def test_a_video_without_sound_has_no_audio_stream(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    assert refusal(path) == "NO_AUDIO_STREAM"
    with pytest.raises(EngineError, match="no audio track"):
        probe(path)


def test_limits_hold_for_what_is_decoded(tmp_path: Path, recording: Path) -> None:
    assert refusal(recording, MediaLimits(seconds=4.9)) == "AUDIO_TOO_LONG"
    assert refusal(recording, MediaLimits(minimum_rate=20_000)) == "UNUSABLE_AUDIO"
    assert refusal(recording, MediaLimits(channels=0)) == "INVALID_AUDIO_FORMAT"
    with pytest.raises(EngineError, match="longer than 4 s"):
        probe(recording, MediaLimits(seconds=4))
    short = tmp_path / "short.wav"
    soundfile.write(short, np.zeros(160), 16_000)
    assert refusal(short) == "AUDIO_TOO_SHORT"


def test_a_header_that_lies_about_the_length_decides_nothing(tmp_path: Path, recording: Path) -> None:
    lying = bytearray(recording.read_bytes())
    lying[40:44] = struct.pack("<I", 0)
    lying[4:8] = struct.pack("<I", 0)
    path = tmp_path / "lying.wav"
    path.write_bytes(lying)
    assert probe(path).seconds == 5
    assert refusal(path, MediaLimits(seconds=4.9)) == "AUDIO_TOO_LONG"


def test_samples_that_are_no_numbers_become_silence(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    samples = noise(1).astype(np.float32)
    samples[100:103, 0] = np.nan, np.inf, -1e30
    path = tmp_path / "nan.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    block, decoder = decode(path)
    assert decoder.invalid_samples == 3
    assert not block[100:103].any()
    assert np.array_equal(np.delete(block, [100, 101, 102], 0), np.delete(samples, [100, 101, 102], 0))
    soundfile.write(path, np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    assert refusal(path) == "UNUSABLE_AUDIO"


def test_damaged_frames_become_silence_of_the_same_length(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    path = tmp_path / "damaged.flac"
    soundfile.write(path, noise(10), 16_000)
    whole, _ = decode(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(content)
    damaged, decoder = decode(path)
    assert len(damaged) == len(whole)
    assert 0 < decoder.missing_frames < 32_000
    assert np.array_equal(damaged[:60_000], whole[:60_000])
    assert np.array_equal(damaged[-60_000:], whole[-60_000:])


def test_undecodable_bytes_of_an_mp3_take_the_time_they_would_have_lasted(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mp3"
    encode(path, "libmp3lame", tone(10, 48_000), 48_000)
    whole, _ = decode(path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 30_000] = b"\x55" * 30_000
    path.write_bytes(content)
    damaged, decoder = decode(path)
    assert decoder.missing_frames > 24_000
    assert len(damaged) == pytest.approx(len(whole), abs=4_800)


def test_a_truncated_file_gives_what_remains(tmp_path: Path, noise: Callable[..., np.ndarray]) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, noise(10), 16_000)
    whole, _ = decode(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    rest, _ = decode(path)
    assert 70_000 < len(rest) < 90_000
    assert np.array_equal(rest[:70_000], whole[:70_000])


def test_chained_ogg_streams_follow_each_other_at_the_first_ones_rate(tmp_path: Path) -> None:
    first, second, chained = (tmp_path / name for name in ("first.ogg", "second.ogg", "chained.ogg"))
    soundfile.write(first, tone(3, 44_100), 44_100, format="OGG", subtype="VORBIS")
    soundfile.write(second, tone(2, 16_000), 16_000, format="OGG", subtype="VORBIS")
    chained.write_bytes(first.read_bytes() + second.read_bytes())
    block, decoder = decode(chained)
    assert decoder.rate == 44_100
    assert len(block) == pytest.approx(5 * 44_100, abs=900)  # FFmpeg leaves out Vorbis' first block
    assert np.abs(block[round(3.9 * 44_100) : round(4.1 * 44_100)]).max() > 0.4  # the second tone's loud middle
    assert probe(chained).seconds == pytest.approx(5, abs=0.02)


def test_a_rate_that_changes_midway_is_converted_to_the_first(tmp_path: Path) -> None:
    first, second, joined = (tmp_path / name for name in ("first.mp3", "second.mp3", "joined.mp3"))
    encode(first, "libmp3lame", tone(2, 44_100), 44_100)
    encode(second, "libmp3lame", tone(2, 48_000), 48_000)
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    block, decoder = decode(joined)
    assert decoder.rate == 44_100
    assert len(block) / 44_100 == pytest.approx(4, abs=0.15)
    got, sought = to_float(block)[:, 0], tone(2, 44_100)[:, 0]
    found = scipy.signal.correlate(got, sought, mode="valid")[44_100:].argmax() / 44_100 + 1
    assert found == pytest.approx(2, abs=0.1)


def test_sound_that_starts_late_in_a_video_keeps_its_delay(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for _ in range(20):
            container.mux(video.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(np.full((1, 16_000), 1000, np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 8_000
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    block, _ = decode(path)
    assert len(block) == pytest.approx(24_000, abs=16)
    assert int(np.flatnonzero(block)[0]) == pytest.approx(8_000, abs=16)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_the_signal_for_diarization_keeps_the_time(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(3, rate), rate)
    seconds_done: list[float] = []
    mono = write_mono(Decoder(path, MediaLimits()), "mono", tmp_path / "mono.f32", seconds_done.append)
    assert len(mono) == 48_000
    assert seconds_done == [1, 2, 3]
    assert np.abs(mono - tone(3, 16_000)[:, 0]).max() < 1e-3


def mixed_down(tmp_path: Path, samples: np.ndarray, layout: str) -> np.ndarray:
    path = tmp_path / "source.wav"
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    mono = write_mono(Decoder(path, MediaLimits()), layout, tmp_path / "mono.f32", [].append)
    return np.array(mono)


def test_channels_of_opposite_polarity_do_not_cancel(tmp_path: Path) -> None:
    signal = tone(3, 16_000)
    mono = mixed_down(tmp_path, np.hstack([signal, -signal]), "stereo")
    assert np.sqrt(np.mean(mono**2)) == pytest.approx(np.sqrt(np.mean(signal**2)), rel=0.05)


def test_the_low_frequency_channel_is_left_out_and_the_centre_leads(tmp_path: Path) -> None:
    channels = np.zeros((16_000, 6))
    channels[:, 3] = 0.5
    assert np.abs(mixed_down(tmp_path, channels, "5.1")).max() < 1e-6
    channels = np.zeros((16_000, 6))
    channels[:, 2] = tone(1, 16_000)[:, 0]
    assert np.abs(mixed_down(tmp_path, channels, "5.1")).max() == pytest.approx(0.5 / 3.4142, rel=0.01)


def test_a_signal_over_full_scale_is_scaled_down_for_diarization(tmp_path: Path) -> None:
    mono = mixed_down(tmp_path, 40 * tone(2, 16_000), "mono")
    assert np.abs(mono).max() == pytest.approx(1, rel=1e-3)
    assert np.abs(mono - mono.max() / tone(2, 16_000).max() * tone(2, 16_000)[:, 0]).max() < 0.01


def test_probing_needs_no_torch() -> None:
    code = "import sys, audio_engine; audio_engine.probe; assert not {'torch', 'scipy', 'django'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_damaged_end_of_chained_ogg_is_left_out(tmp_path: Path) -> None:
    first, chained = tmp_path / "first.ogg", tmp_path / "chained.ogg"
    soundfile.write(first, tone(3, 16_000), 16_000, format="OGG", subtype="VORBIS")
    chained.write_bytes(first.read_bytes() + first.read_bytes()[:200])
    assert probe(chained).seconds == probe(first).seconds
    assert np.array_equal(decode(chained)[0], decode(first)[0])
