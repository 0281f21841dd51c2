"""A view of Django REST Framework that does nothing, as an ASGI application: what `benchmarks.api` compares with."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import path

if not settings.configured:
    settings.configure(
        SECRET_KEY="of no use to anybody",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=["rest_framework"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_PERMISSION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
    )
application = get_asgi_application()

from rest_framework.request import Request  # noqa: E402 - needs the settings
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402


class Bare(APIView):
    def get(self, _request: Request) -> Response:
        return Response({"status": "OK"})


urlpatterns: list[Any] = [path("", Bare.as_view())]
