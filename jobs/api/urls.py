from __future__ import annotations

from django.urls import path

from . import documents, jobs, problems, speaker

urlpatterns = [
    path("speaker/extract", speaker.Extract.as_view(), name="api-extract"),
    path("speaker/diarize", speaker.Diarize.as_view(), name="api-diarize"),
    path("speaker/jobs", speaker.Jobs.as_view(), name="api-jobs"),
    path("speaker/jobs/<int:job_id>", speaker.JobDetail.as_view(), name="api-speaker-job"),
    path("speaker/jobs/<int:job_id>/retry", speaker.Retry.as_view(), name="api-retry"),
    path("speaker/jobs/<int:job_id>/cancel", speaker.Cancel.as_view(), name="api-cancel"),
    path("speaker/jobs/<int:job_id>/download", speaker.Download.as_view(), name="api-download"),
    path("jobs/<int:job_id>", jobs.AnyJob.as_view(), name="api-job"),
    path("jobs/<int:job_id>/export", jobs.Export.as_view(), name="api-export"),
    path("problems/<slug:code>", problems.Problem.as_view(), name="api-problem"),
    path("schema", documents.Schema.as_view(), name="api-schema"),
    path("docs", documents.Docs.as_view(), name="api-docs"),
]
