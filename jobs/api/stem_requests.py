"""What AudioPod's three ways of asking for stems carry, each as names of stems and perhaps an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers as s

from audio_engine.music import SOURCES, STEMS

from .fields import OneOf, StemsField
from .serializers import WorkSerializer


@dataclass(frozen=True, slots=True)
class Package:
    label: str
    description: str
    stems: tuple[str, ...]


PACKAGES = {
    "two": Package("Vocals and instrumental", "The voices, and everything but them", ("vocals", "no_vocals")),
    "four": Package("Four stems", "Vocals, drums, bass, and what is left", ("vocals", "drums", "bass", "other")),
    "six": Package("Six stems", "Guitar and piano too", SOURCES),
}
SINGLE = "single"
MODES = (SINGLE, *PACKAGES)
ISOLATION = "isolation"  # AudioPod's package for one stem
BY_COUNT = {len(package.stems): package.stems for package in PACKAGES.values()}
METHODS = ("hierarchical",)  # AudioPod's name for what nothing else is told of
NO_MODE = '"{input}" is no mode here, where models tell up to six sources apart; there are ' + ", ".join(MODES)


def source(meaning: str) -> OneOf:
    return OneOf(SOURCES, required=False, help_text=meaning)


def asking_for(stems: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    """`given` with `stems` and, where one was asked for, `engine`; everything else that says which stems is used up."""
    options: dict[str, Any] = {"stems": stems}
    if engine := given.get("engine") or given.get("model_name"):
        options["engine"] = engine
    return {name: value for name, value in given.items() if name in WorkSerializer().fields} | options


class SeparateSerializer(WorkSerializer):
    mode = OneOf(
        MODES,
        default="four",
        error_messages={"invalid_choice": NO_MODE},
        help_text="`single` gives one `stem`, `two` vocals and everything else, `four` (the default) vocals, drums, "
        "bass and other, `six` also guitar and piano.",
    )
    stem = OneOf(STEMS, required=False, help_text="Which one, of mode `single`.")
    engine = s.CharField(
        required=False, max_length=40, help_text="One of the server's engines; `auto` takes the first that knows them."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        return asking_for(self._stems(given), given)

    def _stems(self, given: dict[str, Any]) -> tuple[str, ...]:
        stem = given.get("stem")
        if given["mode"] != SINGLE:
            if stem:
                raise s.ValidationError({"stem": "Only mode single takes one."})
            return PACKAGES[given["mode"]].stems
        if not stem:
            raise s.ValidationError({"stem": f"Mode single needs one of {', '.join(STEMS)}."})
        return (stem,)


class ExtractStemsSerializer(WorkSerializer):
    stem_types = StemsField(help_text="Names of stems; the model's sources if left out.")
    model_name = s.CharField(
        required=False, max_length=40, help_text="`htdemucs`, `htdemucs_ft`, `htdemucs_6s` or `basic`."
    )
    two_stems_mode = source("This source, and everything but it, instead of `stem_types`.")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        return asking_for(self._stems(given), given)

    def _stems(self, given: dict[str, Any]) -> tuple[str, ...]:
        if two := given.get("two_stems_mode"):
            return (two, f"no_{two}")
        return tuple(given.get("stem_types", ()))


WAYS: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "package": lambda name: PACKAGES[name].stems,
    "single_stem": lambda stem: (stem,),
    "multi_stem_count": lambda count: BY_COUNT[count],
    "custom_stems": lambda stems: tuple(dict.fromkeys(stems)),
    "two_stems_mode": lambda stem: (stem, f"no_{stem}"),
    "target_instrument": lambda stem: (stem,),
}


class AdvancedSerializer(WorkSerializer):
    """The stems are chosen in one way at most; `target_stems` and `exclude_stems` then keep and drop some of them."""

    method = OneOf(METHODS, default=METHODS[0], help_text="The only one that there is.")
    package = OneOf([*PACKAGES, ISOLATION], required=False)
    target_instrument = source("Of the package `isolation`, or alone: the one source that is wanted.")
    single_stem = OneOf(STEMS, required=False, help_text="One stem.")
    multi_stem_count = OneOf(list(BY_COUNT), required=False, help_text="As the package of so many stems.")
    custom_stems = StemsField(help_text="Exactly these.")
    two_stems_mode = source("This source, and everything but it.")
    target_stems = StemsField(help_text="Only these of the chosen ones; chooses them where nothing else does.")
    exclude_stems = StemsField(help_text="Not these of the chosen ones.")
    engine = s.CharField(
        required=False, max_length=40, help_text="One of the server's engines; `auto` takes the first that knows them."
    )

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        return asking_for(self._stems(given), given)

    def _stems(self, given: dict[str, Any]) -> tuple[str, ...]:
        chosen = self._chosen(given)
        if missing := [stem for stem in given.get("target_stems", ()) if stem not in chosen]:
            raise s.ValidationError({"target_stems": f"{', '.join(missing)} is not among {', '.join(chosen)}."})
        wanted = given.get("target_stems") or chosen
        left = tuple(stem for stem in wanted if stem not in given.get("exclude_stems", ()))
        if not left:
            raise s.ValidationError({"exclude_stems": "Nothing is left."})
        return left

    def _chosen(self, given: dict[str, Any]) -> tuple[str, ...]:
        ways = [name for name in WAYS if name in given]
        if given.get("package") == ISOLATION:
            ways.remove("package")
            if not ways:
                raise s.ValidationError({"target_instrument": f"Isolation needs one of {', '.join(SOURCES)}."})
        if len(ways) > 1:
            raise s.ValidationError({ways[1]: f"Give only one of {' and '.join(ways)}."})
        if not ways:
            return tuple(given.get("target_stems", ())) or PACKAGES["four"].stems
        return WAYS[ways[0]](given[ways[0]])
