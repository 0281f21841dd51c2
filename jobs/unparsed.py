"""Leaves the bodies of requests to Django, under daphne.

Twisted parses each form before daphne hears of the request, unless told not to: it reads the whole upload into memory,
several times over, while nothing else on the event loop goes on, and refuses a malformed one without a word. Nobody
looks at what it has parsed.
"""

from __future__ import annotations

from functools import partialmethod

from daphne.http_protocol import WebRequest


def leave_bodies_unparsed() -> None:
    WebRequest.__init__ = partialmethod(WebRequest.__init__, parsePOSTFormSubmission=False)
