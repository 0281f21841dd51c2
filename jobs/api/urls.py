from __future__ import annotations

from django.urls import path

from . import batch, documents, estimate, events, jobs, listing, media, problems, speaker, wallet, webhooks

urlpatterns = [
    path("speaker/extract", speaker.Extract.as_view(), name="api-extract"),
    path("speaker/diarize", speaker.Diarize.as_view(), name="api-diarize"),
    path("speaker/jobs", speaker.Jobs.as_view(), name="api-jobs"),
    path("speaker/jobs/<int:job_id>", speaker.JobDetail.as_view(), name="api-speaker-job"),
    path("speaker/jobs/<int:job_id>/retry", speaker.Retry.as_view(), name="api-retry"),
    path("speaker/jobs/<int:job_id>/cancel", speaker.Cancel.as_view(), name="api-cancel"),
    path("speaker/jobs/<int:job_id>/download", speaker.Download.as_view(), name="api-download"),
    path("media", media.Uploads.as_view(), name="api-media"),
    path("media/<uuid:media>", media.Upload.as_view(), name="api-medium"),
    path("jobs", listing.Listing.as_view(), name="api-list"),
    path("jobs/batch", batch.Batch.as_view(), name="api-batch"),
    path("jobs/archive", batch.Archive.as_view(), name="api-archive"),
    path("jobs/estimate", estimate.Estimate.as_view(), name="api-estimate"),
    path("jobs/<int:job_id>", jobs.AnyJob.as_view(), name="api-job"),
    path("jobs/<int:job_id>/events", events.Events.as_view(), name="api-events"),
    path("jobs/<int:job_id>/export", jobs.Export.as_view(), name="api-export"),
    path("webhooks/endpoints", webhooks.Endpoints.as_view(), name="api-webhooks"),
    path("webhooks/endpoints/<uuid:endpoint>", webhooks.Endpoint.as_view(), name="api-webhook"),
    path("webhooks/endpoints/<uuid:endpoint>/test", webhooks.Test.as_view(), name="api-webhook-test"),
    path("webhooks/endpoints/<uuid:endpoint>/deliveries", webhooks.Deliveries.as_view(), name="api-deliveries"),
    path("webhooks/endpoints/<uuid:endpoint>/secret", webhooks.Secret.as_view(), name="api-webhook-secret"),
    path("webhooks/deliveries", webhooks.AllDeliveries.as_view(), name="api-all-deliveries"),
    path("webhooks/deliveries/<uuid:delivery>/redeliver", webhooks.Redeliver.as_view(), name="api-redeliver"),
    path("webhooks/secret", webhooks.JobSecret.as_view(), name="api-job-webhook-secret"),
    path("api-wallet/balance", wallet.Balance.as_view(), name="api-wallet-balance"),
    path("api-wallet/pricing", wallet.Pricing.as_view(), name="api-wallet-pricing"),
    path("api-wallet/service-types", wallet.ServiceTypes.as_view(), name="api-wallet-services"),
    path("api-wallet/estimate", wallet.Estimate.as_view(), name="api-wallet-estimate"),
    path("api-wallet/check-balance", wallet.CheckBalance.as_view(), name="api-wallet-check"),
    path("api-wallet/usage", wallet.Usage.as_view(), name="api-wallet-usage"),
    path("api-wallet/topups", wallet.Topups.as_view(), name="api-wallet-topups"),
    path("problems/<slug:code>", problems.Problem.as_view(), name="api-problem"),
    path("schema", documents.Schema.as_view(), name="api-schema"),
    path("docs", documents.Docs.as_view(), name="api-docs"),
]
