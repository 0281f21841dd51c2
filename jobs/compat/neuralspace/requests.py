"""What NeuralSpace's clients send."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s


class NeuralSpaceTaskRequest(s.Serializer[Any]):
    fileId = s.CharField(max_length=100, help_text="Of an uploaded file.")


class NeuralSpaceFileQuery(s.Serializer[Any]):
    fileId = s.CharField(max_length=100, help_text="Of an uploaded file or of a task's result.")


class NeuralSpaceTaskQuery(s.Serializer[Any]):
    taskId = s.CharField(max_length=100)


class NeuralSpaceUpload(s.Serializer[Any]):
    files = s.FileField(help_text="An audio or video file, one a request.")
