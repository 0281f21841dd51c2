from __future__ import annotations

from django.urls import path

from . import api, keys_api

urlpatterns = [
    path("auth/token", api.TokenView.as_view(), name="api-token"),
    path("auth/refresh", api.RefreshView.as_view(), name="api-refresh"),
    path("auth/me", api.MeView.as_view(), name="api-me"),
    path("auth/api-keys", keys_api.Keys.as_view(), name="api-keys"),
    path("auth/api-keys/<int:key_id>", keys_api.Key.as_view(), name="api-key"),
    path("credits", api.CreditsView.as_view(), name="api-credits"),
    path("credits/usage", api.UsageView.as_view(), name="api-usage"),
    path("credits/multipliers", api.MultipliersView.as_view(), name="api-multipliers"),
]
