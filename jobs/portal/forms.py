from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from django import forms
from django.conf.locale import LANG_INFO
from django.core.files.uploadedfile import UploadedFile

from audio_engine.errors import EngineError
from audio_engine.registry import AUTO
from audio_engine.transcription.languages import LANGUAGES
from audio_engine.transcription.subtitles import decoded
from audio_engine.types import Task
from jobs import sent_turns
from jobs.errors import JobError
from jobs.options import LARGEST_SUBTITLES, asked_for
from jobs.sent_turns import LabelledTurns
from jobs.shared_options import MOST_SPEAKERS

from .offers import MEANINGS, missing, offers, runnable

FIRST = "extraction"  # the task that is chosen at first
OVERLAP_CHOICES = [
    ("separate", "Split between the tracks"),
    ("keep", "All heard in each one’s track"),
    ("mute", "Left out of every track"),
]
STEM_CHOICES = [("", "All that can be told apart"), ("vocals,instrumental", "Vocals, and all the rest")]
QUALITY_CHOICES = [
    ("studio", "Studio: looks ahead"),
    ("balanced", "Balanced: quickest"),
    ("ultra", "Ultra: goes further"),
]
STRENGTH_CHOICES = [("1", "As far as it goes"), ("0.75", "Most of it"), ("0.5", "Half of it"), ("0.25", "A little")]
EQUALIZER_CHOICES = [
    ("", "As it is"),
    ("balanced", "Balanced"),
    ("vocal", "Voices forward"),
    ("bass_boost", "More bass"),
]
LOUDNESS_CHOICES = [
    ("", "As it is"),
    ("-14", "−14 LUFS: streaming"),
    ("-16", "−16 LUFS: podcasts"),
    ("-23", "−23 LUFS: broadcasting"),
]
LANGUAGE_CHOICES = sorted(
    ((code, LANG_INFO[code]["name"]) for code in LANGUAGES & LANG_INFO.keys() if "name" in LANG_INFO[code]),
    key=lambda choice: choice[1],
)
STATE_CHOICES = [("", "All"), ("active", "Under way"), ("succeeded", "Done"), ("failed", "Failed or canceled")]
CALLED = {"turns": "The turns"}  # in the middle of other words than its label is
FIELDS = {"diarizer": "engine", "input_srt": "subtitles"}  # of the options that have another name here
OF_THE_RECORDING = (400, 413)  # statuses of errors that tell of the recording itself
# By the field that names it: the task of the engines to choose from. The first are those that tell speakers.
ENGINE_FIELDS: dict[str, Task] = {"engine": "extraction", "recogniser": "transcription", "splitter": "stems"}


def _count(label: str) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": 1, "max": MOST_SPEAKERS, "inputmode": "numeric", "placeholder": "auto"})
    wrong = dict.fromkeys(("invalid", "min_value", "max_value"), f"Give 1 to {MOST_SPEAKERS} speakers.")
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=MOST_SPEAKERS, widget=widget, error_messages=wrong
    )


def _choice(label: str, choices: list[tuple[str, str]], initial: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False, initial=initial)


def _engine(label: str) -> forms.CharField:
    return forms.CharField(label=label, required=False, max_length=40, widget=forms.Select)


class TurnsField(forms.FileField):
    """A file that says who speaks when."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.FileInput, allow_empty_file=True, **options)

    def clean(self, data: Any, initial: Any = None) -> LabelledTurns | None:
        sent: UploadedFile | None = super().clean(data, initial)
        try:
            return sent_turns.from_upload(sent) if sent else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class TurnsForm(forms.Form):
    turns = TurnsField()


class SubmitForm(forms.Form):
    """A recording, as a file or a link, and what is wanted of it."""

    token = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)
    file = forms.FileField(required=False, allow_empty_file=True, max_length=1000, widget=forms.FileInput)
    url = forms.CharField(label="Link", required=False, max_length=2000)
    media = forms.UUIDField(required=False)  # of a recording that came in by parts
    task = _choice("What to make", [(task, name) for task, (name, _) in MEANINGS.items()], FIRST)
    engine = _engine("Engine")
    turns = TurnsField(label="I already know who speaks when", required=False)
    voice_attributes = forms.BooleanField(label="Tell pitch, and guess gender by it", required=False)
    num_speakers = _count("Exactly")
    min_speakers = _count("At least")
    max_speakers = _count("At most")
    # of tracks
    overlap = _choice("Where several speak at once", OVERLAP_CHOICES, "separate")
    clean_background = forms.BooleanField(label="Lower noise and music in the tracks", required=False)
    compact = forms.BooleanField(label="Leave the silence out of the tracks", required=False)
    # of a transcript
    language = _choice("Language", [("", "Found out"), *LANGUAGE_CHOICES])
    recogniser = _engine("Recogniser of words")
    subtitles = forms.FileField(
        label="Subtitles that you have (SRT)", required=False, widget=forms.FileInput(attrs={"accept": ".srt"})
    )
    # of a dialogue separation
    split_background = forms.BooleanField(label="Split the background into music and effects", required=False)
    words_only = forms.BooleanField(label="Only words count as speech", required=False)
    # of music
    stems = _choice("Stems", STEM_CHOICES)
    splitter = _engine("Engine")
    # of less noise
    quality = _choice("Noise reduction", QUALITY_CHOICES, "studio")
    strength = _choice("Noise to take away", STRENGTH_CHOICES, "1")
    loudness = _choice("Loudness", LOUDNESS_CHOICES)
    equalizer = _choice("Equaliser", EQUALIZER_CHOICES)
    compress = forms.BooleanField(label="Even out loud and soft", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.offers = offers()
        self.without_words = missing("transcription")
        self.fields["words_only"].widget.attrs["disabled"] = bool(self.without_words)
        self.several: set[str] = set()  # the fields of engines that leave a choice
        for field, task in ENGINE_FIELDS.items():
            names = runnable(task)
            if len(names) > 1:
                self.several.add(field)
            choices = [("", "The best for this server"), *((name, name) for name in names)]
            self.fields[field].widget.choices = choices

    def clean_subtitles(self) -> str:
        sent: UploadedFile | None = self.cleaned_data["subtitles"]
        if sent is None:
            return ""
        if sent.size > LARGEST_SUBTITLES:
            raise forms.ValidationError(f"The subtitles are larger than {LARGEST_SUBTITLES // 1000} kB.")
        try:
            return decoded(sent.read()).replace("\0", "")  # which PostgreSQL's JSON cannot hold
        except EngineError as error:
            raise forms.ValidationError(error.message) from error

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors:
            try:
                cleaned["options"] = asked_for(self.task_name, **self._options())
            except JobError as error:
                rule, name = error.details.get("rule"), error.details["field"]
                field = FIELDS.get(name, name)
                if field not in self.fields:
                    field = None
                self.add_error(field, self.in_labels(f"{field} {rule}.") if rule and field else error.message)
        return cleaned

    def refuse(self, error: JobError) -> None:
        """Say at its field what only showed when the job was to be made."""
        field = error.details.get("field")
        if field not in self.fields and error.status in OF_THE_RECORDING:
            field = "url" if self.cleaned_data.get("url") and not self.cleaned_data.get("file") else "file"
        if field in self.fields and not self.errors:
            self.add_error(field, error.message)

    def in_labels(self, words: str) -> str:
        """With what people see in place of the names of fields."""
        return re.sub(r"\b[a-z]+_[a-z_]+\b|^\w+", lambda name: self._label(name[0]), words)

    def _label(self, name: str) -> str:
        return CALLED.get(name) or (f"“{self.fields[name].label}”" if name in self.fields else name)

    def _options(self) -> dict[str, Any]:
        """Of the task that is wanted."""
        given = self.cleaned_data
        match self.task_name:
            case "denoising":
                return self._chosen("compress") | {
                    "quality": given["quality"] or "studio",
                    "strength": float(given["strength"] or 1),
                    "equalizer": given["equalizer"] or None,
                    "loudness": float(given["loudness"]) if given["loudness"] else None,
                }
            case "dialogue":
                engines = {"engine": given["engine"] or AUTO, "recogniser": given["recogniser"] or AUTO}
                return self._chosen("split_background", "words_only") | engines
            case "stems":
                stems = given["stems"].split(",") if given["stems"] else ()
                return {"stems": stems, "engine": given["splitter"] or AUTO}
            case "transcription":
                engines = {"engine": given["recogniser"] or AUTO, "diarizer": given["engine"] or AUTO}
                return self._of_speakers() | engines | self._chosen("language") | {"input_srt": given["subtitles"]}
        options = {"engine": given["engine"] or AUTO, "overlap": given["overlap"] or "separate"}
        return self._of_speakers() | options | self._chosen("clean_background", "compact")

    def _of_speakers(self) -> dict[str, Any]:
        turns: LabelledTurns | None = self.cleaned_data["turns"]
        asked = self._chosen("num_speakers", "min_speakers", "max_speakers", "voice_attributes")
        return asked | (turns.options() if turns else {})

    def _chosen(self, *names: str) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in names}

    @property
    def task_name(self) -> str:
        return self.cleaned_data["task"] or FIRST

    @property
    def wanted(self) -> str:
        """The task that the page has chosen."""
        return str(self["task"].value() or FIRST)


class FilterForm(forms.Form):
    q = forms.CharField(label="Search", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(choices=STATE_CHOICES, required=False)
