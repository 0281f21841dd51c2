from __future__ import annotations

from django.urls import path, re_path

from . import views

urlpatterns = [
    path("upload", views.Uploads.as_view(), name="timbr-upload"),
    path("audio/upload", views.AudioUploads.as_view(), name="timbr-audio-upload"),
    path("upload/<str:token>", views.Upload.as_view(), name="timbr-put"),
    path("audio/separate", views.Separate.as_view(), name="timbr-separate"),
    path("audio/enhance", views.Enhance.as_view(), name="timbr-enhance"),
    path("audio/diarize", views.Diarize.as_view(), name="timbr-diarize"),
    path("jobs", views.Jobs.as_view(), name="timbr-jobs"),
    path("jobs/<str:job_id>", views.JobDetail.as_view(), name="timbr-job"),
    path("subtitles/<str:token>.srt", views.Subtitles.as_view(), name="timbr-subtitles"),
    re_path("", views.Nowhere.as_view()),
]
