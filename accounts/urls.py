from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LogoutView
from django.urls import path

from . import views

urlpatterns = [
    path("signup", views.sign_up, name="signup"),
    path("login", views.SignIn.as_view(), name="login"),
    path("logout", LogoutView.as_view(), name="logout"),
    path("welcome/<str:token>", views.first_admin, name="welcome"),
    path("password/reset", views.ResetPassword.as_view(), name="reset"),
    path("password/reset/sent", views.ResetPasswordSent.as_view(), name="reset-sent"),
    path("password/reset/<uidb64>/<token>", views.ChooseNewPassword.as_view(), name="password_reset_confirm"),
    path("account", views.profile, name="account"),
    path("account/keys", views.keys, name="account-keys"),
    path("account/keys/<int:key>/revoke", views.revoke_key, name="account-key-revoke"),
    path("account/credits", views.credits, name="account-credits"),
    path("account/security", login_required(views.ChangePassword.as_view()), name="account-security"),
]
