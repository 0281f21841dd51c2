"""What can be made of a recording: chosen in the form, refused with what is missing, and shown when it is done."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.test import Client

from jobs import files, lifecycle
from jobs.models import Job, Track

if TYPE_CHECKING:
    from audio_engine.types import Result
    from jobs.models import Media
    from jobs.shared_options import JobOptions

JSON = {"Accept": "application/json"}
TASKS = ("extraction", "diarization", "transcription", "dialogue", "stems", "denoising")
LINES = "1\n00:00:00,100 --> 00:00:01,000\nWho wrote?\n\n2\n00:00:01,200 --> 00:00:02,500\nLincoln did.\n"
pytestmark = pytest.mark.django_db


def send(client: Client, recording: Path, **fields: object) -> object:
    with recording.open("rb") as file:
        return client.post("/jobs/submit", {"file": file, **fields}, headers=JSON)


def subtitles(folder: Path, content: bytes) -> Path:
    path = folder / "lines.srt"
    path.write_bytes(content)
    return path


# --- choosing


def test_every_task_can_be_chosen(alices: Client) -> None:
    page = alices.get("/jobs").content.decode()
    assert re.findall(r'type="radio" name="task" id="task-(\w+)"', page) == list(TASKS)


def test_what_cannot_be_made_here_says_what_is_missing(alices: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from audio_engine import registry

    monkeypatch.setattr(registry, "available", lambda _task: {"htdemucs": "The weights of HTDemucs are not here."})
    page = alices.get("/jobs").content.decode()
    stems = page[page.index('id="task-stems"') : page.index('id="task-denoising"')]
    assert "data-impossible" in stems
    assert "The weights of HTDemucs are not here." in stems


def test_what_can_be_made_here_says_nothing_of_what_is_missing(alices: Client) -> None:
    page = alices.get("/jobs").content.decode()
    dialogue = page[page.index('id="task-dialogue"') : page.index('id="task-stems"')]
    assert "data-impossible" not in dialogue
    assert "missing" not in dialogue


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"task": "dialogue", "split_background": "on", "num_speakers": "3"}, {"split_background": True}),
        (
            {
                "task": "denoising",
                "strength": "0.5",
                "loudness": "-16",
                "equalizer": "vocal",
                "compress": "on",
                "quality": "balanced",
            },
            {"strength": 0.5, "loudness": -16.0, "equalizer": "vocal", "compress": True, "quality": "balanced"},
        ),
        ({"task": "denoising"}, {"strength": 1.0, "loudness": None, "equalizer": None, "quality": "studio"}),
    ],
)
def test_a_task_gets_its_own_options(
    alices: Client, recording: Path, fields: dict[str, str], options: dict[str, object]
) -> None:
    assert send(alices, recording, **fields).status_code == 201
    job = Job.objects.get()
    assert job.task == fields["task"]
    assert job.options.items() >= options.items()
    assert "num_speakers" not in job.options


def test_stems_are_asked_for_where_an_engine_can_run(
    alices: Client, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio_engine import registry

    monkeypatch.setattr(type(registry.backend("htdemucs")), "missing", lambda _backend: None)
    assert send(alices, recording, task="stems", stems="vocals,instrumental", splitter="htdemucs").status_code == 201
    job = Job.objects.get()
    assert (job.task, job.options["stems"], job.options["engine"]) == (
        "stems",
        ["vocals", "instrumental"],
        "htdemucs",
    )


def test_words_alone_are_speech_where_something_recognises_them(
    alices: Client, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audio_engine import registry

    def box() -> str:
        [found] = re.findall(r'<input type="checkbox" name="words_only"[^>]*>', alices.get("/jobs").content.decode())
        return found

    asked = {"task": "dialogue", "words_only": "on"}
    assert "disabled" in box()
    assert "manage.py models fetch" in option(alices, "words_only")
    assert "manage.py models fetch" in send(alices, recording, **asked).json()["message"]
    words = {"words": "tests.audio_engine.scripted:ScriptedTranscriber"}
    monkeypatch.setattr(registry, "ENGINES", {**registry.ENGINES, **words})
    assert "disabled" not in box()
    assert "missing" not in option(alices, "words_only")
    assert send(alices, recording, **asked, split_background="on").status_code == 422
    assert send(alices, recording, **asked).status_code == 201
    assert Job.objects.get().options["words_only"]


def option(client: Client, name: str) -> str:
    """The part of the form that holds a checkbox, from its heading to the next."""
    page = client.get("/jobs").content.decode()
    _, after = page.split(f'name="{name}"')
    return after[: after.index('<div data-for="stems">')]


# --- of a recording that is there


def test_something_else_is_made_of_a_recording_without_sending_it_again(alices: Client, finished: Job) -> None:
    assert finished.media is not None
    again = f"/jobs?again={finished.media.uuid}"
    assert f'href="{again}"' in alices.get(f"/jobs/{finished.uuid}").content.decode()
    page = alices.get(again).content.decode()
    assert 'data-name="tones.wav" data-seconds="3.0"' in page
    fields = {"task": "dialogue", "media": re.search(r'name="media" value="([^"]+)"', page)[1]}  # type: ignore[index]
    answer = alices.post("/jobs/submit", fields)
    job = Job.objects.get(task="dialogue")
    assert answer["Location"] == f"/jobs/{job.uuid}"
    assert job.media == finished.media


def test_a_failed_job_leads_to_other_options_for_its_recording(alices: Client, running: Job) -> None:
    from jobs.errors import JobError

    lifecycle.fail(running, JobError("PROCESSING_FAILED"))
    assert running.media is not None
    assert f"/jobs?again={running.media.uuid}" in alices.get(f"/jobs/{running.uuid}").content.decode()


@pytest.mark.parametrize("again", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_recording_of_ones_own_is_not_offered(
    alices: Client, bobs: Client, media: Media, again: str
) -> None:
    assert "data-again" not in alices.get(f"/jobs?again={again}").content.decode()
    assert "data-again" not in bobs.get(f"/jobs?again={media.uuid}").content.decode()


# --- subtitles that are there


def test_subtitles_that_are_there_get_their_speakers_without_any_model(
    alices: Client, recording: Path, tmp_path: Path
) -> None:
    with subtitles(tmp_path, "\ufeff".encode() + LINES.encode()).open("rb") as file:
        assert send(alices, recording, task="transcription", subtitles=file).status_code == 201
    job = Job.objects.get()
    assert job.task == "transcription"
    assert "Who wrote?" in job.options["input_srt"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"no subtitles at all", "is not a SubRip"), (b"", "empty"), (b"1\n" * 300_000, "larger than 500 kB")],
)
def test_what_is_no_subtitles_is_refused_in_words(
    alices: Client, recording: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    with subtitles(tmp_path, content).open("rb") as file:
        answer = send(alices, recording, task="transcription", subtitles=file)
    assert (answer.status_code, answer.json()["code"]) == (422, "INVALID_OPTION")
    assert words in answer.json()["message"]
    assert "Nothing was charged." in answer.json()["message"]
    assert not Job.objects.exists()


def test_a_transcript_without_subtitles_and_without_a_model_is_refused_with_what_is_missing(
    alices: Client, recording: Path
) -> None:
    answer = send(alices, recording, task="transcription")
    assert answer.status_code == 422
    assert "manage.py models fetch" in answer.json()["message"]


# --- what came of it


@pytest.fixture
def ended(media: Media, recording: Path) -> Callable[..., Job]:
    def end(task: str, options: JobOptions, found: Result, *names: str) -> Job:
        lifecycle.submit(media, task, options)
        running = lifecycle.claim("engine", "tests")
        assert running is not None
        stored = [files.store(recording, running.folder() / name) for name in names]
        outputs = [lifecycle.StoredFile(Track.Kind.AUDIO, name, 96_044) for name in stored]
        return lifecycle.succeed(running, found.to_json(), outputs)

    return end


@pytest.fixture
def dialogue(ended: Callable[..., Job]) -> Job:
    from audio_engine.types import DialogueResult, MediaInfo, OutputFile
    from jobs.options import DialogueOptions

    info = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 3.0, "mono")
    names = ("speech.wav", "music.wav", "effects.wav")
    outputs = tuple(OutputFile("audio", name, 96_044) for name in names)
    found = DialogueResult("dialogue", "embedded", (), info, 2.5, files=outputs)
    return ended("dialogue", DialogueOptions(split_background=True), found, *reversed(names))


def test_parts_have_a_lane_each_in_the_order_of_the_engine(alices: Client, dialogue: Job) -> None:
    page = alices.get(f"/jobs/{dialogue.uuid}").content.decode()
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Speech", "Music", "Effects"]
    assert page.count('class="lane c') == 3
    assert "Speech <strong>2 seconds</strong>" in page
    assert "speaker" not in re.sub(r"<[^>]*>", "", page)
    assert "/export/" not in page


def test_parts_are_heard_together_from_addresses_of_their_own(alices: Client, dialogue: Job) -> None:
    timeline = alices.get(f"/jobs/{dialogue.uuid}/timeline.json").json()
    names = {f"/jobs/{dialogue.uuid}/files/{track.pk}?listen": track.name for track in dialogue.tracks.all()}
    assert [names[track["url"]] for track in timeline["tracks"]] == ["speech.wav", "music.wav", "effects.wav"]
    assert [turn[:3] for turn in timeline["turns"]] == [[0, 3.0, part] for part in range(3)]
    assert timeline["together"]


def test_without_javascript_parts_have_players(alices: Client, dialogue: Job) -> None:
    page = alices.get(f"/jobs/{dialogue.uuid}").content.decode()
    assert page.count('<noscript><audio controls preload="none"') == 3


def test_the_list_says_what_was_made(alices: Client, dialogue: Job) -> None:
    assert '<span class="task">Dialogue</span>' in alices.get("/jobs").content.decode()


def test_less_noise_is_told_in_figures(alices: Client, ended: Callable[..., Job]) -> None:
    from audio_engine.sound import DenoisingResult, SoundStats
    from audio_engine.types import MediaInfo
    from jobs.options import DenoisingOptions

    info = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 3.0, "mono")
    before, after = SoundStats(-40.0, -24.0, 0.5), SoundStats(-55.5, -24.0, 0.5)
    found = DenoisingResult("denoising", "spectral", (), info, "studio", 1.0, 15.5, before, after)
    job = ended("denoising", DenoisingOptions(), found, "denoised.wav")
    page = alices.get(f"/jobs/{job.uuid}").content.decode()
    assert "<dt>Noise lowered by</dt><dd>15.5 dB</dd>" in page
    assert "<h3>Cleaned</h3>" in page
    assert 'class="mute"' not in page  # of one sound there is nothing to take away
    assert alices.get(f"/jobs/{job.uuid}/export/srt").status_code == 404


def test_stems_have_lanes_and_levels(alices: Client, ended: Callable[..., Job]) -> None:
    from audio_engine.music import StemsResult, StemStats
    from audio_engine.types import MediaInfo
    from jobs.options import StemsOptions

    info = MediaInfo("wav", "pcm_s16le", 16_000, 1, 16, False, 3.0, "mono")
    found = StemsResult("stems", "htdemucs", ("htdemucs",), info, (StemStats("no_vocals", -20.5, 0.5),))
    job = ended("stems", StemsOptions(), found, "no_vocals.wav")
    page = alices.get(f"/jobs/{job.uuid}").content.decode()
    assert "<h3>No vocals</h3>" in page
    assert "<dt>RMS</dt><dd>−20.5 dBFS</dd>" in page
    assert "A stem of the recording" in page
