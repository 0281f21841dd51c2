from __future__ import annotations

from django.urls import path, re_path

from . import views

urlpatterns = [
    path("v1/test", views.Test.as_view(), name="pyannoteai-test"),
    path("v1/media/input", views.Input.as_view(), name="pyannoteai-input"),
    path("v1/media/output", views.Output.as_view(), name="pyannoteai-output"),
    path("v1/media/put/<str:token>", views.Put.as_view(), name="pyannoteai-put"),
    path("v1/diarize", views.Diarize.as_view(), name="pyannoteai-diarize"),
    path("v1/identify", views.Identify.as_view(), name="pyannoteai-identify"),
    path("v1/voiceprint", views.Voiceprint.as_view(), name="pyannoteai-voiceprint"),
    path("v1/jobs", views.OldListing.as_view(), name="pyannoteai-old-jobs"),
    path("v1/jobs/<str:job_id>", views.OneJob.as_view(), name="pyannoteai-job"),
    path("v2/jobs", views.Listing.as_view(), name="pyannoteai-jobs"),
    re_path("", views.Nowhere.as_view()),
]
