"""pyannoteAI's errors: 400 with each wrong member of the request, all others with an id to ask about."""

from __future__ import annotations

import re

from jobs.compat.base import Body, Refusal, VendorView

INVALID = "Invalid request"
BAD_INPUT = (400, 409, 413, 415, 422)
MEMBERS = {
    "num_speakers": "numSpeakers",
    "min_speakers": "minSpeakers",
    "max_speakers": "maxSpeakers",
    "engine": "model",
    "diarizer": "model",
    "known": "voiceprints",
    "threshold": "matching.threshold",
}
OUR_WORDS = re.compile("|".join(name for name in MEMBERS if "_" in name))


def envelope(refusal: Refusal) -> tuple[int, Body]:
    if refusal.status not in BAD_INPUT:
        return refusal.status, {"requestId": refusal.id, "message": refusal.message}
    theirs = "errors" in refusal.details  # found in the request as it was sent; else in the options made of it
    wrong = [
        {
            "field": name if theirs else MEMBERS.get(name, name),
            "message": OUR_WORDS.sub(lambda word: MEMBERS[word[0]], rule),
        }
        for name, rule in refusal.wrong.items()
    ]
    return 400, {"message": INVALID if wrong else refusal.message, "errors": wrong}


class View(VendorView):
    envelope = staticmethod(envelope)


before_any_view = View.before_any_view
