from __future__ import annotations

from django.urls import path
from rest_framework.authentication import SessionAuthentication

from jobs.api import uploads

from . import correcting, submission, turns, views, webhooks

IN_SESSION = {"authentication_classes": (SessionAuthentication,), "address": "job-upload", "schema": None}

urlpatterns = [
    path("", views.home, name="home"),
    path("demonstration/timeline.json", views.demonstration_timeline, name="demonstration-timeline"),
    path("demonstration/recording", views.demonstration_recording, name="demonstration-recording"),
    path("jobs", views.jobs, name="jobs"),
    path("jobs/submit", submission.submit, name="job-submit"),
    path("jobs/uploads", uploads.Uploads.as_view(**IN_SESSION), name="job-uploads"),
    path("jobs/uploads/<uuid:upload>", uploads.UploadDetail.as_view(**IN_SESSION), name="job-upload"),
    path("jobs/turns", submission.check_turns, name="check-turns"),
    path("jobs/price", submission.price, name="price"),
    path("jobs/<uuid:job>", views.job, name="job"),
    path("jobs/<uuid:job>/row", views.row, name="job-row"),
    path("jobs/<uuid:job>/timeline.json", views.timeline, name="job-timeline"),
    path("jobs/<uuid:job>/recording", views.recording, name="job-recording"),
    path("jobs/<uuid:job>/files/<int:track>", views.file, name="job-file"),
    path("jobs/<uuid:job>/all.zip", views.zipped, name="job-zip"),
    path("jobs/<uuid:job>/export/<slug:format>", views.export, name="job-export"),
    path("jobs/<uuid:job>/transcript/correct", correcting.correct, name="job-correct"),
    path("jobs/<uuid:job>/transcript/restore/<int:version>", correcting.restore, name="job-restore"),
    path("jobs/<uuid:job>/transcript/<slug:format>", correcting.transcript, name="job-transcript"),
    path("jobs/<uuid:job>/speakers/<int:speaker>/name", views.name_speaker, name="speaker-name"),
    path("jobs/<uuid:job>/speakers/<int:speaker>/merge", turns.merge, name="speaker-merge"),
    path("jobs/<uuid:job>/turns", turns.correct, name="job-turns"),
    path("jobs/<uuid:job>/remake", turns.remake, name="job-remake"),
    path("jobs/<uuid:job>/cancel", views.cancel, name="job-cancel"),
    path("jobs/<uuid:job>/retry", views.retry, name="job-retry"),
    path("jobs/<uuid:job>/delete", views.delete, name="job-delete"),
    path("account/webhooks", webhooks.endpoints, name="webhooks"),
    path("account/webhooks/jobs", webhooks.of_jobs, name="job-webhooks"),
    path("account/webhooks/jobs/secret", webhooks.job_secret, name="job-webhook-secret"),
    path("account/webhooks/<uuid:endpoint>", webhooks.endpoint, name="webhook"),
    path("account/webhooks/<uuid:endpoint>/test", webhooks.test, name="webhook-test"),
    path("account/webhooks/<uuid:endpoint>/switch", webhooks.switch, name="webhook-switch"),
    path("account/webhooks/<uuid:endpoint>/secret", webhooks.secret, name="webhook-secret"),
    path("account/webhooks/<uuid:endpoint>/delete", webhooks.delete, name="webhook-delete"),
    path("account/webhooks/deliveries/<uuid:delivery>/redeliver", webhooks.redeliver, name="webhook-redeliver"),
]
