"""Our Demucs against demucs's own api on the same small weights, and what we do beyond it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import huggingface_hub
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr
import torch
from demucs.api import Separator

from audio_engine import registry
from audio_engine.backends import devices
from audio_engine.backends.demucs import loading
from audio_engine.backends.demucs.networks import Networks
from audio_engine.errors import Canceled, EngineError
from audio_engine.mixing import Channels
from audio_engine.models import MODELS
from audio_engine.music import StemsRequest, StemsResult
from audio_engine.pipeline import run
from audio_engine.progress import ignore_progress
from audio_engine.types import Progress, Stage
from tests.audio_engine.pretended_gpu import pretended

from .conftest import RATE
from .tiny import SOURCES

Signal = npt.NDArray[np.float32]
Split = Callable[..., dict[str, Signal]]


@pytest.fixture(autouse=True)
def fresh(demucs_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model of another test's folder is loaded."""
    registry.unload()


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """The stems of a recording by their names, each of shape (frames, channels)."""

    def stems(source: Path, *names: str, engine: str = "auto", progress: Progress = ignore_progress) -> dict[str, Any]:
        output = tmp_path / f"of-{source.stem}-{engine}-{'-'.join(names)}"
        result = run(StemsRequest(source, output, engine=engine, stems=names), progress)
        assert isinstance(result, StemsResult)
        audio = [file.name for file in result.files if file.kind == "audio"]
        assert audio == [f"{stem.stem}.wav" for stem in result.stems]
        return {Path(name).stem: soundfile.read(output / name, dtype="float32", always_2d=True)[0] for name in audio}

    return stems


def own_stems(
    name: str, signal: Signal, folder: Path, monkeypatch: pytest.MonkeyPatch, rate: int = RATE
) -> dict[str, Signal]:
    """What demucs's api makes of shape (frames, 2), its files taken from `folder` instead of the hub."""

    def local(repository: str, file: str) -> str:
        assert repository == MODELS[name].repository
        return str(folder / name / file)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", local)
    separator = Separator(name, shifts=0, device="cpu")
    _, found = separator.separate_tensor(torch.from_numpy(signal.T.copy()), rate)
    return {source: stem.numpy().T for source, stem in found.items()}


@pytest.mark.parametrize("name", SOURCES)
def test_stems_are_those_of_demucss_own_api(name, split, song, music, demucs_models, monkeypatch):
    expected = own_stems(name, music, demucs_models, monkeypatch)
    found = split(song, engine=name)
    assert list(found) == list(expected) == SOURCES[name]
    for stem, signal in expected.items():
        assert np.abs(signal).max() > 0.01
        np.testing.assert_allclose(found[stem], signal, atol=1e-6)


def test_batches_of_segments_give_the_same(split, song, monkeypatch):
    one_by_one = split(song)
    registry.unload()
    monkeypatch.setattr(loading, "CPU_BATCH", 3)
    for stem, signal in split(song, engine="htdemucs").items():
        np.testing.assert_allclose(signal, one_by_one[stem], atol=1e-6)


def test_sums_are_of_all_other_sources(split, song):
    sources = split(song, engine="htdemucs_6s")
    sums = split(song, "vocals", "instrumental", "no_vocals", "no_piano", engine="htdemucs_6s")
    assert list(sums) == ["vocals", "instrumental", "no_vocals", "no_piano"]
    np.testing.assert_array_equal(sums["vocals"], sources["vocals"])
    for stem, left_out in (("instrumental", "vocals"), ("no_vocals", "vocals"), ("no_piano", "piano")):
        others = sum(signal for source, signal in sources.items() if source != left_out)
        np.testing.assert_allclose(sums[stem], others, atol=1e-6)


def test_only_networks_with_a_say_in_what_is_wanted_are_asked(split, song, monkeypatch):
    whole = split(song, engine="htdemucs_ft")
    networks = registry.load("htdemucs_ft")._networks._bag.models  # type: ignore[attr-defined]
    asked = []
    for number, network in enumerate(networks):
        network.register_forward_hook(lambda *_, number=number: asked.append(number))
    found = split(song, "vocals", engine="htdemucs_ft")
    assert set(asked) == {SOURCES["htdemucs_ft"].index("vocals")}
    np.testing.assert_array_equal(found["vocals"], whole["vocals"])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"), [(22_050, 2, "PCM_24"), (44_100, 1, "PCM_16"), (4_000, 2, "PCM_U8")]
)
def test_rate_channels_depth_and_length_stay(split, tmp_path, music, rate, channels, subtype):
    signal = soxr.resample(music, RATE, rate)[:-3, :channels]
    source = tmp_path / f"other-{rate}.wav"
    soundfile.write(source, signal, rate, subtype=subtype)
    found = split(source, "vocals", "no_vocals")
    for stem in found:
        info = soundfile.info(next(tmp_path.glob(f"of-other-{rate}-*")) / f"{stem}.wav")
        assert (info.samplerate, info.channels, info.subtype, info.frames) == (rate, channels, subtype, len(signal))


def test_channels_in_pairs_are_separated_as_pairs_and_others_alone(split, song, music, tmp_path):
    assert Channels.of("5.1(side)", 6).pairs == ((0, 1), (2, 2), (3, 3), (4, 5))
    assert Channels.of("2 channels", 2).pairs == ((0, 1),)
    assert Channels.of("mono", 1).pairs == ((0, 0),)
    stereo = split(song, "bass")["bass"]
    centre = music[:, :1] * 0.5
    soundfile.write(tmp_path / "centre.wav", centre, RATE, subtype="FLOAT")
    alone = split(tmp_path / "centre.wav", "bass")["bass"]
    surround = np.concatenate([music, centre, centre[::-1], music[::-1]], axis=1)
    with av.open(str(tmp_path / "surround.wav"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=RATE, layout="5.1")
        frame = av.AudioFrame.from_ndarray(surround.reshape(1, -1).copy(), format="flt", layout="5.1")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = split(tmp_path / "surround.wav", "bass")["bass"]
    np.testing.assert_allclose(found[:, :2], stereo, atol=1e-6)
    np.testing.assert_allclose(found[:, 2:3], alone, atol=1e-6)


def test_silence_has_silent_stems(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros((RATE * 2, 2)), RATE)
    result = run(StemsRequest(tmp_path / "silence.wav", tmp_path / "out", stems=("drums",)))
    assert isinstance(result, StemsResult)
    assert (result.stems[0].rms_db, result.models) == (None, ("htdemucs", "demucs 4.1.0"))


def test_progress_goes_on_and_whoever_cancels_finds_nothing(split, song, tmp_path):
    told: list[tuple[Stage, float]] = []
    split(song, progress=lambda stage, fraction: told.append((stage, fraction)))
    assert list(dict.fromkeys(stage for stage, _ in told)) == ["decode", "separation"]
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1

    def cancel(stage: Stage, _: float) -> None:
        if stage == "separation":
            raise Canceled

    with pytest.raises(Canceled):
        run(StemsRequest(song, tmp_path / "canceled"), cancel)
    assert list((tmp_path / "canceled").iterdir()) == []


# --- memory


class Copies:
    """In place of the networks: each source is the recording itself, at no cost."""

    batch, rate, segment = 1, 44_100, 343_980
    sources = tuple(SOURCES["htdemucs"])

    def estimator(self, wanted: frozenset[str]) -> Callable[[torch.Tensor], Signal]:
        return lambda segments: np.repeat(segments.numpy()[:, None], len(wanted), axis=1)


def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_networks", lambda *_: Copies())
    noise = np.random.default_rng(6).uniform(-0.2, 0.2, (20 * Copies.rate, 2)).astype(np.float32)

    def peak(repetitions: int) -> float:
        source = tmp_path / f"{repetitions}.wav"
        with soundfile.SoundFile(source, "w", Copies.rate, 2, "PCM_16") as file:
            for _ in range(repetitions):
                file.write(noise)
        tracemalloc.start()
        run(StemsRequest(source, tmp_path / f"out-{repetitions}"))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most / 1e6

    short, long = peak(1), peak(6)
    assert long < short + 5  # where five more pieces in memory would be 35 MB, their stems four times as much
    copied = soundfile.read(tmp_path / "out-6" / "bass.wav", dtype="float32")[0]
    np.testing.assert_allclose(copied, np.tile(noise, (6, 1)), atol=1e-4)


def test_what_is_heard_at_another_rate_comes_back_at_the_recordings_own(split, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "load_networks", lambda *_: Copies())
    time = np.arange(2 * 96_001)[:, None] / 96_000
    tones = 0.3 * np.sin(2 * np.pi * time * [440, 5_000]) * np.hanning(len(time))[:, None]
    soundfile.write(tmp_path / "tones.wav", tones, 96_000, subtype="FLOAT")
    np.testing.assert_allclose(split(tmp_path / "tones.wav", "other")["other"], tones, atol=1e-4)


def test_memory_that_runs_out_makes_batches_smaller(split, song, monkeypatch):
    expected = split(song)
    registry.unload()
    monkeypatch.setattr(loading, "CPU_BATCH", 4)
    forward, sizes = Networks.forward, []

    def short_of_memory(self: Networks, segments: torch.Tensor, wanted: frozenset[str]) -> Signal:
        sizes.append(len(segments))
        if len(segments) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, segments, wanted)

    monkeypatch.setattr(Networks, "forward", short_of_memory)
    found = split(song, engine="htdemucs")
    assert sizes[:3] == [4, 2, 1]
    assert set(sizes[3:]) == {1}  # once, not with each batch
    np.testing.assert_allclose(found["vocals"], expected["vocals"], atol=1e-6)


def test_too_little_memory_for_one_segment_is_said(song, tmp_path, monkeypatch):
    def no_memory(*_: object) -> Signal:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Networks, "forward", no_memory)
    with pytest.raises(EngineError) as refusal:
        run(StemsRequest(song, tmp_path / "out"))
    assert (refusal.value.code, refusal.value.permanent) == ("OUT_OF_MEMORY", False)


@pytest.mark.parametrize(("free", "size"), [(64, 8), (6.25, 4), (0.1, 1)])  # MiB, four fifths of which may be taken
def test_batches_are_as_large_as_fits_into_the_memory_that_is_free(demucs_models, gpu_memory, free, size):
    networks = loading.load_networks(MODELS["htdemucs"], tuple(SOURCES["htdemucs"]))
    gpu_memory(free)
    networks._bag.to = lambda _: None  # whose figures count from now on; the networks stay where they are
    networks.place(torch.device("cuda"), 8)
    assert networks.batch == size


def test_from_a_gpu_come_only_the_sources_that_are_wanted(demucs_models, monkeypatch):
    sources = tuple(SOURCES["htdemucs"])
    segments = torch.randn((2, 2, 9_600), generator=torch.Generator().manual_seed(6)) / 10
    expected = loading.load_networks(MODELS["htdemucs"], sources).forward(segments, frozenset(sources))
    with pretended() as gpu:  # which refuses what mixes devices
        networks = loading.load_networks(MODELS["htdemucs"], sources)
        assert networks.device.type == "cuda"
        rounded: list[bool] = []
        networks._bag.models[0].register_forward_pre_hook(lambda *_: rounded.append(torch.backends.cudnn.allow_tf32))
        monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # as pyannote.audio leaves it
        gpu.reset()
        found = networks.estimator(frozenset({"vocals", "bass"}))(segments)
    np.testing.assert_allclose(found, expected[:, [1, 3]], atol=1e-6)
    assert rounded == [True]
    assert gpu.down == found.nbytes == expected.nbytes / 2
    assert segments.nbytes < gpu.up < 1.5 * segments.nbytes  # with constants of the networks


def test_what_is_kept_of_a_gpus_memory_is_handed_back_after_the_last_stretch(split, song, monkeypatch):
    done, given_back = 0.0, []

    def progress(_: Stage, fraction: float) -> None:
        nonlocal done
        done = fraction

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(done))
    split(song, "bass", progress=progress)
    assert len(given_back) == 1
    assert given_back[0] > 0.9


def test_a_gpu_that_fails_is_done_without(split, song, monkeypatch, caplog):
    expected = split(song)
    registry.unload()
    monkeypatch.setattr(devices, "best_device", lambda: torch.device("cuda:99"))
    found = split(song, engine="htdemucs")
    assert "cuda:99 cannot be used, so the CPU is" in caplog.text
    np.testing.assert_array_equal(found["vocals"], expected["vocals"])
