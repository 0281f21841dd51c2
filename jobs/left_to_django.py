"""Leaves to Django, under daphne, what it can answer better: the bodies of requests, and addresses of any length.

Twisted parses each form before daphne hears of the request, unless told not to: it reads the whole upload into memory,
several times over, while nothing else on the event loop goes on, and refuses a malformed one without a word. Nobody
looks at what it has parsed. And it hangs up without a word where an address or a header is longer than 16 KiB.
"""

from __future__ import annotations

from functools import partialmethod

from daphne.http_protocol import WebRequest
from twisted.web.http import HTTPChannel

LONGEST_HEAD = 1 << 16  # bytes of a request's line and headers


def leave_bodies_unparsed() -> None:
    WebRequest.__init__ = partialmethod(WebRequest.__init__, parsePOSTFormSubmission=False)


def leave_long_addresses_whole() -> None:
    HTTPChannel.MAX_LENGTH = HTTPChannel.totalHeadersSize = LONGEST_HEAD
