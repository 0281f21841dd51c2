"""Recordings on their way in, as the OpenAPI document describes the answers about them."""

from __future__ import annotations

from rest_framework import serializers as s

from .bodies import Body, MediaBody


class UploadBody(MediaBody):
    name = s.CharField()
    expires_at = s.DateTimeField(help_text="When it is removed, unless a job uses it.")


class AddressBody(Body):
    id = s.UUIDField(help_text="Of the recording when it is here.")
    url = s.CharField(help_text="Where to PUT the file, with no key and no form.")
    expires_at = s.DateTimeField(help_text="When the address does.")


class StartedUploadBody(Body):
    id = s.UUIDField(help_text="Of the upload, and of the recording when all of it is here.")
    name = s.CharField()
    length = s.IntegerField(help_text="Bytes.")
    offset = s.IntegerField(help_text="Bytes that are here.")
    expires_at = s.DateTimeField(help_text="When it is removed, unless a job uses it.")
