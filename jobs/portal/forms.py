from __future__ import annotations

from typing import Any
from uuid import uuid4

from django import forms

from audio_engine import registry
from jobs.errors import JobError
from jobs.options import MOST_SPEAKERS, asked_for

TASK_CHOICES = [
    ("extraction", "Tracks and who spoke when"),
    ("diarization", "Only who spoke when"),
    ("denoising", "The recording with less noise"),
]
TRANSCRIPT_CHOICE = ("transcription", "What was said, and by whom")
OVERLAP_CHOICES = [
    ("separate", "Split between the tracks"),
    ("keep", "All heard in each one’s track"),
    ("mute", "Left out of every track"),
]
QUALITY_CHOICES = [
    ("studio", "Studio: looks ahead"),
    ("balanced", "Balanced: quickest"),
    ("ultra", "Ultra: also knows the pauses"),
]
STATE_CHOICES = [("", "All"), ("active", "Under way"), ("succeeded", "Done"), ("failed", "Failed or canceled")]


def _count(label: str) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": 1, "max": MOST_SPEAKERS, "inputmode": "numeric", "placeholder": "auto"})
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=MOST_SPEAKERS, widget=widget)


class SubmitForm(forms.Form):
    """A recording, as a file or a link, and what is wanted of it."""

    token = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)
    file = forms.FileField(required=False, allow_empty_file=True, max_length=1000)
    url = forms.CharField(label="Link", required=False, max_length=2000)
    media = forms.UUIDField(required=False)  # of a recording that came in by parts
    task = forms.ChoiceField(label="Wanted", choices=TASK_CHOICES, required=False, initial="extraction")
    num_speakers = _count("Exactly")
    min_speakers = _count("At least")
    max_speakers = _count("At most")
    overlap = forms.ChoiceField(
        label="Where several speak at once", choices=OVERLAP_CHOICES, required=False, initial="separate"
    )
    engine = forms.CharField(label="Engine", required=False, max_length=40, widget=forms.Select)
    clean_background = forms.BooleanField(label="Lower noise and music in the tracks", required=False)
    voice_attributes = forms.BooleanField(label="Tell pitch, and guess gender by it", required=False)
    quality = forms.ChoiceField(label="Noise reduction", choices=QUALITY_CHOICES, required=False, initial="studio")
    compact = forms.BooleanField(label="Leave the silence out of the tracks", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        names = [name for name, missing in registry.available("extraction").items() if missing is None]
        self.offers_engines = len(names) > 1
        if None in registry.available("transcription").values():
            self.fields["task"].choices = [*TASK_CHOICES, TRANSCRIPT_CHOICE]
        self.fields["engine"].widget.choices = [("", "The best for this server"), *((name, name) for name in names)]

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors:
            try:
                cleaned["options"] = asked_for(self.task_name, **self._options())
            except JobError as error:
                rule = error.details.get("rule")
                field = "engine" if error.details["field"] == "diarizer" else error.details["field"]
                self.add_error(field, f"This {rule}." if rule else error.message)
        return cleaned

    def _options(self) -> dict[str, Any]:
        """Of the task that is wanted. The engines to choose from are those that tell speakers."""
        given = self.cleaned_data
        if self.task_name == "denoising":
            return {"quality": given["quality"] or "studio"}
        told = {name: given[name] for name in ("num_speakers", "min_speakers", "max_speakers", "voice_attributes")}
        engine = given["engine"] or registry.AUTO
        if self.task_name == "transcription":
            return {**told, "diarizer": engine}
        return {
            **told,
            "overlap": given["overlap"] or "separate",
            "clean_background": given["clean_background"],
            "compact": given["compact"],
            "engine": engine,
        }

    @property
    def task_name(self) -> str:
        return self.cleaned_data["task"] or "extraction"


class FilterForm(forms.Form):
    q = forms.CharField(label="Search", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(choices=STATE_CHOICES, required=False)
