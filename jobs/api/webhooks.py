"""/api/v1/webhooks/…: AudioPod's registry of endpoints, the log of deliveries, and secrets of our own making."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.models import User
from accounts.validation import validated
from jobs import signatures, webhooks
from jobs.errors import JobError
from jobs.models import SigningSecret, WebhookDelivery, WebhookEndpoint

from . import webhook_schema as schema
from .listing import before, cursor
from .problems import OwnView
from .render import moment
from .webhook_schema import EVENT_TYPES, AllDeliveriesQuery, DeliveriesQuery, EndpointChanges, EndpointFields

State = WebhookDelivery.State
STATE_WORDS = {State.WAITING: "pending", State.SENDING: "pending", State.DELIVERED: "delivered", State.FAILED: "failed"}


def own_endpoint(user: User, endpoint: UUID) -> WebhookEndpoint:
    """Raises JobError WEBHOOK_NOT_FOUND, for other people's too."""
    found = WebhookEndpoint.objects.filter(owner=user, uuid=endpoint).first()
    if found is None:
        raise JobError("WEBHOOK_NOT_FOUND")
    return found


def own_delivery(user: User, delivery: UUID) -> WebhookDelivery:
    """Raises JobError DELIVERY_NOT_FOUND, for other people's too."""
    found = WebhookDelivery.objects.filter(owner=user, uuid=delivery).select_related("endpoint", "job").first()
    if found is None:
        raise JobError("DELIVERY_NOT_FOUND")
    return found


class Endpoints(APIView):
    @schema.LIST
    def get(self, request: Request) -> Response:
        return Response([render_endpoint(endpoint) for endpoint in request.user.webhook_endpoints.all()])

    @schema.CREATE
    def post(self, request: Request) -> Response:
        columns = {"events": EVENT_TYPES, **validated(EndpointFields, request.data)}

        def create() -> dict[str, Any]:
            return render_endpoint(webhooks.create(request.user, **columns))

        answer = _once(request, columns, create, status=201)
        return _with_secret(answer, UUID(answer.data["id"]), version=1)


class Endpoint(APIView):
    @schema.GET
    def get(self, request: Request, endpoint: UUID) -> Response:
        return Response(render_endpoint(own_endpoint(request.user, endpoint)))

    @schema.CHANGE
    def patch(self, request: Request, endpoint: UUID) -> Response:
        found = own_endpoint(request.user, endpoint)
        changes = validated(EndpointChanges, request.data, partial=True)
        return Response(render_endpoint(webhooks.change(found, **changes)))

    @schema.DELETE
    def delete(self, request: Request, endpoint: UUID) -> Response:
        webhooks.delete(own_endpoint(request.user, endpoint))
        return Response(status=204)


class Test(APIView):
    @schema.SEND_TEST
    def post(self, request: Request, endpoint: UUID) -> Response:
        return _once(request, {}, lambda: render_delivery(webhooks.test(own_endpoint(request.user, endpoint))))


class Deliveries(APIView):
    @schema.DELIVERIES
    def get(self, request: Request, endpoint: UUID) -> Response:
        query = validated(DeliveriesQuery, request.query_params.dict())
        found = _with_status(own_endpoint(request.user, endpoint).deliveries.all(), query)
        skip, limit = query["skip"], query["limit"]
        return Response([render_delivery(delivery) for delivery in found[skip : skip + limit]])


class AllDeliveries(OwnView):
    """Those to jobs' own addresses too, which have no endpoint to be looked up by."""

    @schema.ALL_DELIVERIES
    def get(self, request: Request) -> Response:
        wanted = validated(AllDeliveriesQuery, request.query_params.dict())
        limit = wanted["limit"]
        found = _with_status(request.user.webhook_deliveries.all(), wanted)
        if "job_id" in wanted:
            found = found.filter(Q(job=wanted["job_id"]) | Q(job__origin=wanted["job_id"]))
        if "cursor" in wanted:
            found = found.filter(pk__lt=before(wanted["cursor"]))
        page = list(found[: limit + 1])
        following = cursor(page[limit - 1].pk) if len(page) > limit else None
        return Response({"items": [render_delivery(row) for row in page[:limit]], "next_cursor": following})


class Redeliver(APIView):
    @schema.REDELIVER
    def post(self, request: Request, delivery: UUID) -> Response:
        return _once(request, {}, lambda: render_delivery(webhooks.redeliver(own_delivery(request.user, delivery))))


class Secret(OwnView):
    """Of one endpoint."""

    @schema.CHANGE_SECRET
    def post(self, request: Request, endpoint: UUID) -> Response:
        return _change_secret(request, lambda: own_endpoint(request.user, endpoint))


class JobSecret(OwnView):
    """Of what an account's single jobs send."""

    @schema.CHANGE_JOB_SECRET
    def post(self, request: Request) -> Response:
        return _change_secret(request, lambda: webhooks.job_secret(request.user))


# --- once, and without a secret in what is stored of the answer


def _once(
    request: Request, parameters: dict[str, Any], work: Callable[[], dict[str, Any]], status: int = 200
) -> Response:
    with idempotency.reserve(request, parameters) as reservation:
        if reservation.answer:
            return reservation.answer
        with transaction.atomic():
            return reservation.complete(work(), status)


def _change_secret(request: Request, find: Callable[[], SigningSecret]) -> Response:
    def change() -> dict[str, Any]:
        key = find()
        webhooks.change_secret(key)
        until = moment(key.previous_secret_until)
        return {"id": str(key.uuid), "version": key.secret_version, "previous_secret_until": until}

    answer = _once(request, {}, change)
    uuid, version = UUID(answer.data["id"]), answer.data["version"]
    answer.data = {"previous_secret_until": answer.data["previous_secret_until"]}
    return _with_secret(answer, uuid, version)


def _with_secret(answer: Response, uuid: UUID, version: int) -> Response:
    answer.data = {**answer.data, "secret": signatures.secret(uuid, version)}
    answer["Cache-Control"] = "no-store"
    return answer


# --- as API clients see them


def _with_status(found: QuerySet[WebhookDelivery], wanted: dict[str, Any]) -> QuerySet[WebhookDelivery]:
    if word := wanted.get("status"):
        found = found.filter(state__in=[state for state, its in STATE_WORDS.items() if its == word])
    return found.select_related("endpoint", "job")


def render_endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": str(endpoint.uuid),
        "url": endpoint.url,
        "events": endpoint.events,
        "active": endpoint.active,
        "inactive_reason": endpoint.off or None,
        "description": endpoint.description,
        "created_at": moment(endpoint.created_at),
    }


def render_delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": str(delivery.uuid),
        "endpoint_id": str(delivery.endpoint.uuid) if delivery.endpoint else None,
        "url": delivery.url,
        "event_id": str(delivery.event_id),
        "event_type": delivery.event_type,
        "job_id": delivery.job.number if delivery.job else None,
        "status": STATE_WORDS[State(delivery.state)],
        "attempts": delivery.attempts,
        "response_code": delivery.response_status,
        "response_body": delivery.response_excerpt,
        "error": delivery.error or None,
        "error_message": delivery.error_message or None,
        "payload": delivery.body,
        "created_at": moment(delivery.created_at),
        "last_attempt_at": moment(delivery.attempted_at),
        "next_attempt_at": moment(delivery.due_at) if delivery.state == State.WAITING else None,
        "completed_at": moment(delivery.finished_at),
    }
