"""The account's pages about webhooks: endpoints, their secrets, and what was sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.asking import ask
from accounts.models import User
from accounts.shown_once import lead, show
from jobs import signatures, webhooks
from jobs.dialling import check_address
from jobs.errors import JobError
from jobs.models import WebhookDelivery, WebhookEndpoint
from jobs.wording import in_words

from . import questions

DELIVERIES_A_PAGE = 25
SOON = timedelta(seconds=15)
EVENT_CHOICES = [
    ("job.completed", "A job is done"),
    ("job.failed", "A job failed"),
    ("job.cancelled", "A job was canceled"),
]
State = WebhookDelivery.State


class EndpointForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=forms.TextInput(attrs={"inputmode": "url", "placeholder": "https://example.org/hooks/soloist"}),
        help_text="On a public server. Each event is sent there as a signed POST.",
    )
    description = forms.CharField(
        required=False, max_length=200, widget=forms.TextInput(attrs={"placeholder": "What it is for"})
    )
    events = forms.MultipleChoiceField(
        label="Told when",
        choices=EVENT_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        try:
            check_address(url)
        except JobError as error:
            raise ValidationError(error.message) from error
        return url


# --- pages


@login_required
@never_cache
def endpoints(request: HttpRequest) -> HttpResponse:
    """All endpoints; a new one leads to its own page, which shows its secret once."""
    form = EndpointForm(request.POST or None, initial={"events": [event for event, _ in EVENT_CHOICES]})
    if request.method == "POST" and form.is_valid():
        try:
            made = webhooks.create(_user(request), **form.cleaned_data)
        except JobError as error:
            form.add_error(None, error.message)
        else:
            return _show_secret(request, signatures.secrets(made)[0], made)
    context = {"form": form, "endpoints": _user(request).webhook_endpoints.all()}
    return render(request, "portal/webhooks.html", context, status=422 if form.errors else 200)


@login_required
@never_cache
def endpoint(request: HttpRequest, endpoint: UUID) -> HttpResponse:
    found = _own(request, endpoint)
    columns = {"url": found.url, "description": found.description, "events": found.events}
    form = EndpointForm(request.POST or None, initial=columns)
    if request.method == "POST" and form.is_valid():
        webhooks.change(found, **form.cleaned_data)
        messages.success(request, "The endpoint is saved.")
        return redirect("webhook", found.uuid)
    return show(request, lambda secret: _page(request, found, form, secret))


@login_required
@require_safe
@never_cache
def of_jobs(request: HttpRequest) -> HttpResponse:
    """What single jobs sent to addresses of their own."""
    return show(request, lambda secret: _job_page(request, secret))


# --- what can be done there


@login_required
@require_POST
def test(request: HttpRequest, endpoint: UUID) -> HttpResponse:
    found = _own(request, endpoint)
    try:
        webhooks.test(found)
    except JobError as error:
        messages.error(request, error.message)
    return redirect("webhook", found.uuid)


@login_required
@require_POST
def switch(request: HttpRequest, endpoint: UUID) -> HttpResponse:
    found = webhooks.change(_own(request, endpoint), active=request.POST.get("active") == "on")
    messages.success(request, "The endpoint is switched on." if found.active else "The endpoint is switched off.")
    return redirect("webhook", found.uuid)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def secret(request: HttpRequest, endpoint: UUID) -> HttpResponse:
    found = _own(request, endpoint)
    if request.method != "POST":
        return ask(request, questions.new_secret(found))
    return _show_secret(request, webhooks.change_secret(found), found)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def job_secret(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return ask(request, questions.new_job_secret())
    return lead(request, webhooks.change_secret(webhooks.job_secret(_user(request))), reverse("job-webhooks"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, endpoint: UUID) -> HttpResponse:
    found = _own(request, endpoint)
    if request.method != "POST":
        return ask(request, questions.deleting_endpoint(found))
    webhooks.delete(found)
    messages.success(request, f"The endpoint {found.url} is deleted.")
    return redirect("webhooks")


@login_required
@require_POST
def redeliver(request: HttpRequest, delivery: UUID) -> HttpResponse:
    found = get_object_or_404(_user(request).webhook_deliveries.select_related("endpoint"), uuid=delivery)
    try:
        webhooks.redeliver(found)
    except JobError as error:
        messages.error(request, error.message)
    return redirect("webhook", found.endpoint.uuid) if found.endpoint else redirect("job-webhooks")


# --- the steps they share


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _own(request: HttpRequest, endpoint: UUID) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint, owner=_user(request), uuid=endpoint)


def _job_deliveries(request: HttpRequest) -> QuerySet[WebhookDelivery]:
    return _user(request).webhook_deliveries.filter(endpoint=None)


def _show_secret(request: HttpRequest, secret: str, endpoint: WebhookEndpoint) -> HttpResponse:
    return lead(request, secret, reverse("webhook", args=[endpoint.uuid]))


def _page(request: HttpRequest, endpoint: WebhookEndpoint, form: EndpointForm, secret: str) -> HttpResponse:
    asked = {"new_secret": questions.new_secret(endpoint), "deleting": questions.deleting_endpoint(endpoint)}
    context = {"endpoint": endpoint, "form": form, **asked} | _log(request, endpoint.deliveries.all(), secret)
    return render(request, "portal/webhook.html", context, status=422 if form.errors else 200)


def _job_page(request: HttpRequest, secret: str) -> HttpResponse:
    context = {"new_secret": questions.new_job_secret()} | _log(request, _job_deliveries(request), secret)
    return render(request, "portal/job_webhooks.html", context)


def _log(request: HttpRequest, deliveries: QuerySet[WebhookDelivery], secret: str) -> dict[str, Any]:
    """A page of the log, below a secret where there is one; `lively` where it will look different in a moment, and
    nothing on it would go by looking again.
    """
    page = Paginator(deliveries.select_related("job"), DELIVERIES_A_PAGE).get_page(request.GET.get("page"))
    soon = timezone.now() + SOON
    moving = any(row.state == State.SENDING or (row.state == State.WAITING and row.due_at < soon) for row in page)
    lively = moving and request.method == "GET" and not secret
    return {"page": page, "rows": [(row, outcome(row)) for row in page], "lively": lively, "secret": secret}


def outcome(delivery: WebhookDelivery) -> str:
    """What became of a delivery so far, in words."""
    if delivery.state == State.DELIVERED:
        return "Arrived"
    if delivery.state == State.FAILED:
        return f"Did not arrive. {delivery.error_message}"
    if delivery.state == State.SENDING or not delivery.failures:
        return "On its way"
    left = max(0.0, (delivery.due_at - timezone.now()).total_seconds())
    return f"{delivery.error_message} Tried again in {in_words(left)}."
