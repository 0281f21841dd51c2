"""The staff's view of jobs: what failed first, what happened to it, and the lifecycle's verbs as actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.db.models import Case, Count, IntegerField, Min, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator
from django.utils.timesince import timesince

from accounts.admin import ReadOnlyAdmin
from accounts.ledger import InsufficientCredits

from . import deleting, lifecycle, queue, webhooks
from .errors import JobError
from .models import Job, JobEvent, Media, WebhookDelivery, WebhookEndpoint

Status = Job.Status
Verb = Callable[..., Any]
PROGRESS_SHOWN = 10
NAME_SHOWN = 60  # characters, so that the columns after it stay in sight

# Failed and not yet retried first, then what is under way, then the rest.
URGENCY = Case(
    When(Q(status=Status.FAILED, retry__isnull=True), then=Value(0)),
    When(~Q(status__in=Job.TERMINAL), then=Value(1)),
    default=Value(2),
    output_field=IntegerField(),
)

for model in filter(admin.site.is_registered, queue.tables()):
    admin.site.unregister(model)  # a schedule can name any function to be called


def run_again(job: Job, *, actor: Any) -> Job:
    return lifecycle.retry(job, actor=actor) if job.finished else lifecycle.requeue(job, actor=actor)


@admin.register(Media)
class MediaAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "seconds", "container", "codec", "sample_rate", "channels", "size", "created_at")
    list_filter = ("container", "codec", "created_at")
    list_select_related = ("owner",)
    search_fields = ("name", "uuid", "owner__email")

    @admin.display(ordering="bytes")
    def size(self, media: Media) -> str:
        return filesizeformat(media.bytes)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    change_list_template = "admin/jobs/job/change_list.html"
    ordering = (URGENCY, "-id")
    list_display = ("number", "status", "error_code", "short_name", "owner_link", "task", "done", "age")
    list_display_links = ("number", "short_name")
    list_filter = ("status", "task", "error_code", "created_at")
    list_select_related = ("owner",)
    search_fields = ("=id", "=origin__id", "uuid", "name", "owner__email", "error_code")
    search_help_text = "Number, UUID, name, error code, or the owner's e-mail address"
    actions = ("requeue", "cancel", "delete")
    fieldsets = (
        (None, {"fields": ("number", "uuid", "owner", "name", "recording", "task", "options", "priority", "credits")}),
        ("State", {"fields": ("status", "stage", "done", "attempt", "losses", "worker", "lease_until", "other_runs")}),
        ("Error", {"fields": ("error_code", "error_message", "error_details")}),
        ("Times", {"fields": ("created_at", "queued_at", "started_at", "finished_at")}),
        ("Files", {"fields": ("files",)}),
        ("What happened", {"fields": ("history",)}),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_job")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.delete_job")

    # --- actions, from the list and from a job's own page

    @admin.action(description="Run again", permissions=["operate"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        """Work under way goes back into its queue; a failed or canceled job is retried as a new run."""
        return self._operate(request, queryset, run_again, "Run again")

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        return self._operate(request, queryset, lifecycle.cancel, "Canceled")

    @admin.action(description="Delete with all files …", permissions=["remove"])
    def delete(self, request: HttpRequest, queryset: QuerySet[Job]) -> HttpResponse | None:
        if "confirmed" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": "Delete jobs", "opts": self.opts}
            return TemplateResponse(request, "admin/jobs/job/delete.html", context | {"jobs": queryset})
        return self._operate(request, queryset, deleting.delete, "Deleted", DELETION)

    def _operate(
        self, request: HttpRequest, jobs: QuerySet[Job], verb: Verb, done: str, flag: int = CHANGE
    ) -> HttpResponse | None:
        succeeded = [job for job in jobs if self._try(request, job, verb)]
        if succeeded:
            LogEntry.objects.log_actions(request.user.pk, succeeded, flag, change_message=f"{done}.")
            numbers = ", ".join(str(job.number) for job in succeeded)
            self.message_user(request, f"{done}: {numbers}.", messages.SUCCESS)
        return self._back(request)

    def _try(self, request: HttpRequest, job: Job, verb: Verb) -> bool:
        try:
            verb(job, actor=request.user)
        except lifecycle.Conflict:
            self.message_user(request, f"Job {job.number} changed meanwhile. Look again.", messages.ERROR)
        except (JobError, InsufficientCredits) as error:
            self.message_user(request, f"Job {job.number}: {error}", messages.ERROR)
        else:
            return True
        return False

    def _back(self, request: HttpRequest) -> HttpResponse | None:
        """To the job's page where the action came from there; None leaves the list to Django."""
        if "from_job" not in request.POST:
            return None
        job = Job.objects.filter(pk=request.POST["from_job"]).select_related("retry").first()
        if job is None:
            return HttpResponseRedirect(reverse("admin:jobs_job_changelist"))
        latest = getattr(job, "retry", job)
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[latest.pk]))

    # --- pages

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"board": board(), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"buttons": self._buttons(request, object_id), **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def _buttons(self, request: HttpRequest, object_id: str) -> list[tuple[str, str]]:
        """The actions that can be done on this job now, with their words."""
        job = self.get_object(request, object_id)
        if job is None:
            return []
        possible = {
            "requeue": job.status in (*Job.LEASED, Status.FAILED, Status.CANCELED) and not hasattr(job, "retry"),
            "cancel": not job.finished,
            "delete": True,
        }
        allowed = self.get_actions(request)
        return [(name, allowed[name][2]) for name, can in possible.items() if can and name in allowed]

    # --- columns and fields

    @admin.display(ordering="id")
    def number(self, job: Job) -> int:
        return job.number

    @admin.display(description="name", ordering="name")
    def short_name(self, job: Job) -> str:
        return Truncator(job.name).chars(NAME_SHOWN)

    @admin.display(description="owner", ordering="owner__email")
    def owner_link(self, job: Job) -> str:
        return format_html('<a href="?owner__id__exact={}">{}</a>', job.owner_id, job.owner)

    @admin.display(description="progress")
    def done(self, job: Job) -> str:
        return f"{job.stage} {job.progress:.0%}".strip()

    @admin.display(ordering="-created_at")
    def age(self, job: Job) -> str:
        return timesince(job.created_at, depth=1)

    def recording(self, job: Job) -> str:
        if job.media:
            page = reverse("admin:jobs_media_change", args=[job.media.pk])
            return format_html('<a href="{}">{} s, {}</a>', page, round(job.media.seconds, 1), job.media.codec)
        return job.source_url or "none"

    def other_runs(self, job: Job) -> str:
        runs = Job.objects.filter(Q(pk=job.number) | Q(origin_id=job.number)).exclude(pk=job.pk).order_by("id")
        links = ((reverse("admin:jobs_job_change", args=[run.pk]), run.pk, run.status) for run in runs)
        return format_html_join(", ", '<a href="{}">run {}: {}</a>', links) or "none"

    def files(self, job: Job) -> str:
        rows = ((track.kind, track.file, filesizeformat(track.bytes)) for track in job.tracks.all())
        return table(("Kind", "Name in the storage", "Size"), rows) if job.tracks.exists() else "none"

    def history(self, job: Job) -> str:
        """Every change of state, and the latest progress."""
        changes = job.events.filter(kind=JobEvent.Kind.STATE)
        progress = job.events.filter(kind=JobEvent.Kind.PROGRESS).order_by("-seq")[:PROGRESS_SHOWN]
        shown = sorted([*changes.select_related("actor"), *progress], key=lambda event: event.seq)
        rows = ((e.seq, f"{e.created_at:%Y-%m-%d %H:%M:%S}", e.actor or "", words(e.data)) for e in shown)
        return table(("Seq", "Time (UTC)", "By", "What"), rows)


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ("url", "owner", "active", "off", "failing_since", "created_at")
    list_filter = ("off", ("failing_since", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("owner",)
    search_fields = ("url", "uuid", "owner__email")
    fields = ("uuid", "owner", "url", "events", "description", "off", "failing_since", "secret_version", "created_at")

    @admin.display(boolean=True)
    def active(self, endpoint: WebhookEndpoint) -> bool:
        return endpoint.active


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "created_at",
        "event_type",
        "url",
        "owner",
        "state",
        "attempts",
        "response_status",
        "error",
        "due_at",
    )
    list_filter = ("state", "event_type", "error", "created_at")
    list_select_related = ("owner",)
    search_fields = ("url", "=uuid", "=event_id", "owner__email", "=job__id")
    fields = tuple(field.name for field in WebhookDelivery._meta.fields if field.name != "id")
    actions = ("redeliver",)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("jobs.change_webhookdelivery")

    @admin.action(description="Send again", permissions=["operate"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        sent = 0
        for delivery in queryset.select_related("endpoint"):
            try:
                webhooks.redeliver(delivery)
            except JobError as error:
                self.message_user(request, f"{delivery}: {error}", messages.ERROR)
            else:
                self.log_change(request, delivery, "Sent again.")
                sent += 1
        self.message_user(request, f"{sent} of the selected deliveries are sent again.")


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    body = format_html_join("", "<tr>{}</tr>", ((cells("td", row),) for row in rows))
    return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", cells("th", heads), body)


def cells(tag: str, values: Sequence[Any]) -> str:
    return format_html_join("", f"<{tag}>{{}}</{tag}>", ((value,) for value in values))


def words(data: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in data.items() if value != "")


def board() -> dict[str, Any]:
    """The line above the list: how many jobs in which state, how long the oldest waits, who works."""
    counts = dict(Job.objects.order_by().values_list("status").annotate(Count("pk")))
    waiting = Job.objects.filter(status__in=lifecycle.LANES)
    oldest = waiting.aggregate(since=Min(Coalesce("queued_at", "created_at")))["since"]
    at_work = Job.objects.filter(status__in=Job.LEASED, lease_until__gt=timezone.now())
    return {
        "counts": [(status.value, counts.get(status.value, 0)) for status in Status],
        "oldest": oldest,
        "workers": at_work.values("worker").distinct().count(),
    }
