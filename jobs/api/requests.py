"""How requests are read: JSON answers whatever is accepted, and bodies that were cut off are refused."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from django.utils.http import parse_header_parameters
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import DataAndFiles, MultiPartParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from jobs.errors import JobError


class JSONWhateverAccepted(DefaultContentNegotiation):
    """Who accepts something else gets JSON nevertheless: an error that can be read beats a 406."""

    def select_renderer(self, _request: Request, renderers: Any, _suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class WritableJSONRenderer(JSONRenderer):
    """UTF-8, but ASCII where an error repeats what a client sent and UTF-8 cannot hold: half of a character."""

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        try:
            return bytes(super().render(data, media_type, context))
        except UnicodeEncodeError:
            self.ensure_ascii = True
            return bytes(super().render(data, media_type, context))


class WholeMultiPartParser(MultiPartParser):
    """Django takes a body that ends early for a complete one; the closing boundary tells."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles:
        ending = _Ending(stream)
        try:
            parsed = super().parse(ending, media_type, parser_context)
        except OSError:  # the disk is full, or the client left: Django would keep what came so far
            for handler in (parser_context or {})["request"].upload_handlers:
                handler.upload_interrupted()
            raise
        _, parameters = parse_header_parameters(media_type or "")
        if f"--{parameters['boundary']}--".encode() not in ending.last:
            for file in parsed.files.values():
                file.close()
            raise JobError("UPLOAD_INCOMPLETE")
        return parsed


class _Ending(io.RawIOBase):
    """A stream that remembers the last bytes read from it."""

    KEPT = 200  # a boundary has at most 70 characters; some clients send a line or two behind it

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self.stream.read(size)
        self.last = (self.last + chunk)[-self.KEPT :]
        return chunk


def merged(request: Request) -> dict[str, Any]:
    """The parameters of a request, from its query and its body; the body counts where both name one, blanks nowhere."""
    body = request.data
    if isinstance(body, QueryDict):
        body = body.dict()
    if not isinstance(body, Mapping):
        raise ParseError("The JSON must be an object.")
    given = {**request.query_params.dict(), **body}
    return {name: value for name, value in given.items() if value not in (None, "")}
