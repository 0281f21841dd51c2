"""Pages about accounts: coming in, and looking after one's own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from . import asking, guessing, ledger, shown_once
from . import first_admin as first
from .forms import (
    ACCOUNT_EXISTS,
    ChangePasswordForm,
    KeyForm,
    NewPasswordForm,
    ProfileForm,
    ResetForm,
    SignInForm,
    SignUpForm,
)
from .models import APIKey, CreditEntry, User
from .registration import register

ENTRIES_A_PAGE = 25


# --- coming in


@sensitive_post_parameters("password")
@never_cache
def sign_up(request: HttpRequest) -> HttpResponse:
    if request.user.is_authenticated:
        return redirect("jobs")
    if not settings.SIGNUP_OPEN:
        return render(request, "accounts/sign_up_closed.html", status=403)
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            guessing.count(guessing.SIGN_UP_PER_ADDRESS, guessing.client_address(request))
            _enter(request, register(form.cleaned_data["email"], form.cleaned_data["password"]))
            return redirect("jobs")
        except guessing.TooManyAttempts as stop:
            form.add_error(None, str(stop))
        except IntegrityError:  # the same address in the same moment
            form.add_error("email", ACCOUNT_EXISTS)
    return _form(request, "accounts/sign_up.html", form, credits=settings.SIGNUP_CREDITS)


@sensitive_post_parameters("password")
@never_cache
def first_admin(request: HttpRequest, token: str) -> HttpResponse:
    """Where the one-time link leads that a new server prints."""
    if not first.valid(token):
        return render(request, "accounts/welcome_expired.html", {"needed": first.needed()}, status=410)
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            user = first.create(token, form.cleaned_data["email"], form.cleaned_data["password"])
        except first.LinkExpired:
            return render(request, "accounts/welcome_expired.html", {"needed": first.needed()}, status=410)
        _enter(request, user)
        messages.success(request, "This server is yours. You are its first admin.")
        return redirect("jobs")
    return _form(request, "accounts/welcome.html", form)


class SignIn(auth.LoginView):
    form_class = SignInForm
    template_name = "accounts/sign_in.html"
    redirect_authenticated_user = True

    def form_invalid(self, form: Any) -> HttpResponse:
        waiting = form.has_error("__all__", "wait")
        return self.render_to_response(self.get_context_data(form=form), status=429 if waiting else 422)


class ResetPassword(auth.PasswordResetView):
    form_class = ResetForm
    template_name = "accounts/reset.html"
    email_template_name = "accounts/reset_mail.txt"
    subject_template_name = "accounts/reset_subject.txt"
    success_url = reverse_lazy("reset-sent")


class ResetPasswordSent(auth.PasswordResetDoneView):
    template_name = "accounts/reset_sent.html"


class ChooseNewPassword(auth.PasswordResetConfirmView):
    template_name = "accounts/reset_choose.html"
    form_class = NewPasswordForm
    post_reset_login = True
    post_reset_login_backend = "django.contrib.auth.backends.ModelBackend"
    success_url = reverse_lazy("jobs")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your new password is set, and you are signed in.")
        return super().form_valid(form)


# --- one's own account


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your profile is saved.")
        return redirect("account")
    return _form(request, "accounts/profile.html", form)


@login_required
@never_cache
def keys(request: HttpRequest) -> HttpResponse:
    """The keys of an account, and once the secret of a new one."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        _, secret = APIKey.issue(_user(request), form.cleaned_data["name"])
        return shown_once.lead(request, secret, reverse("account-keys"))
    listed = _user(request).api_keys.order_by("revoked_at", "-created_at")
    rows = [(key, asking.revoking(key)) for key in listed]
    return shown_once.show(request, lambda secret: _form(request, "accounts/keys.html", form, keys=rows, secret=secret))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: HttpRequest, key: int) -> HttpResponse:
    found = get_object_or_404(APIKey, pk=key, user=request.user)
    if not found.active:
        messages.error(request, f"The key “{found.name}” lets nobody in any more.")
    elif request.method != "POST":
        return asking.ask(request, asking.revoking(found))
    else:
        found.revoke()
        messages.success(request, f"The key “{found.name}” is revoked. Programs that use it are refused from now on.")
    return redirect("account-keys")


@login_required
def credits(request: HttpRequest) -> HttpResponse:
    balance = getattr(_user(request), "credits", None)
    entries = CreditEntry.objects.filter(user=_user(request)).select_related("actor")
    page = Paginator(entries, ENTRIES_A_PAGE).get_page(request.GET.get("page"))
    context = {"available": ledger.available(_user(request)), "held": balance.held if balance else 0, "page": page}
    return render(request, "accounts/credits.html", context)


class ChangePassword(auth.PasswordChangeView):
    template_name = "accounts/security.html"
    form_class = ChangePasswordForm
    success_url = reverse_lazy("account-security")

    def form_valid(self, form: Any) -> HttpResponse:
        messages.success(self.request, "Your password is changed. Other devices have been signed out.")
        return super().form_valid(form)


# --- the steps they share


def _enter(request: HttpRequest, user: User) -> None:
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _form(request: HttpRequest, template: str, form: Any, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=422 if form.errors else 200)
