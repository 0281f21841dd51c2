from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path

from jobs import downloads
from jobs.api.nowhere import nowhere

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("jobs.portal.urls")),
    path("api/v1/", include("accounts.api_urls")),
    path("api/v1/", include("jobs.api.urls")),
    re_path("^api/", nowhere),
    path("pyannoteai/", include("jobs.compat.pyannoteai.urls")),
    path("timbr/v1/", include("jobs.compat.timbr.urls")),
    path("neuralspace/api/", include("jobs.compat.neuralspace.urls")),
    path("files/<str:token>/<str:name>", downloads.file, name="file"),
    path("admin/", admin.site.urls),
]
handler400 = "jobs.api.gate.bad_request"
handler500 = "jobs.api.gate.server_error"
