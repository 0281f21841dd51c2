from __future__ import annotations

from typing import Any

from django import forms

from jobs.errors import JobError
from jobs.options import MOST_SPEAKERS, JobOptions

TASK_CHOICES = [("extraction", "Tracks and who spoke when"), ("diarization", "Only who spoke when")]
OVERLAP_CHOICES = [
    ("separate", "Split between the tracks"),
    ("keep", "All heard in each one’s track"),
    ("mute", "Left out of every track"),
]
STATE_CHOICES = [("", "All"), ("active", "Under way"), ("succeeded", "Done"), ("failed", "Failed or canceled")]


def _count(label: str) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"min": 1, "max": MOST_SPEAKERS, "inputmode": "numeric", "placeholder": "auto"})
    return forms.IntegerField(label=label, required=False, min_value=1, max_value=MOST_SPEAKERS, widget=widget)


class SubmitForm(forms.Form):
    """A recording, as a file or a link, and what is wanted of it."""

    file = forms.FileField(required=False, allow_empty_file=True, max_length=1000)
    url = forms.CharField(label="Link", required=False, max_length=2000)
    task = forms.ChoiceField(label="Wanted", choices=TASK_CHOICES, required=False, initial="extraction")
    num_speakers = _count("Exactly")
    min_speakers = _count("At least")
    max_speakers = _count("At most")
    overlap = forms.ChoiceField(
        label="Where several speak at once", choices=OVERLAP_CHOICES, required=False, initial="separate"
    )
    clean_background = forms.BooleanField(label="Lower noise and music in the tracks", required=False)
    compact = forms.BooleanField(label="Leave the silence out of the tracks", required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors:
            counts = {name: cleaned[name] for name in ("num_speakers", "min_speakers", "max_speakers")}
            try:
                cleaned["options"] = JobOptions(
                    **counts,
                    overlap=cleaned["overlap"] or "separate",
                    clean_background=cleaned["clean_background"],
                    compact=cleaned["compact"],
                )
            except JobError as error:
                self.add_error(error.details["field"], f"This {error.details['rule']}.")
        return cleaned

    @property
    def task_name(self) -> str:
        return self.cleaned_data["task"] or "extraction"


class FilterForm(forms.Form):
    q = forms.CharField(label="Search", required=False, widget=forms.TextInput(attrs={"type": "search"}))
    state = forms.ChoiceField(choices=STATE_CHOICES, required=False)
