from __future__ import annotations

from django.urls import path, re_path

from . import views

urlpatterns = [
    path("file/upload", views.Upload.as_view(), name="neuralspace-upload"),
    path("file/download", views.Download.as_view(), name="neuralspace-download"),
    path("file", views.File.as_view(), name="neuralspace-file"),
    path("voice-extractor/v1/extract", views.Extract.as_view(), name="neuralspace-extract"),
    path("voice-extractor/v1/task", views.ExtractTask.as_view(), name="neuralspace-extract-task"),
    path("speaker-identification/v1/indentify/speakers", views.Identify.as_view(), name="neuralspace-identify"),
    path("speaker-identification/v1/task/status", views.IdentifyTask.as_view(), name="neuralspace-identify-task"),
    re_path("", views.Nowhere.as_view()),
]
