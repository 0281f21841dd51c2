"""What webhook endpoints and deliveries look like, and what the OpenAPI document says of their operations."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse, OpenApiWebhook, extend_schema
from rest_framework import serializers as s

from jobs.webhooks import EVENTS, TEST

from . import own_schema, schema
from .fields import OneOf

EVENT_TYPES = list(EVENTS.values())
STATES = ("pending", "delivered", "failed")
MOST_A_PAGE = 100


class EndpointFields(s.Serializer[Any]):
    url = s.CharField(max_length=2000, help_text="http or https, on a public server, on the port 80 or 443.")
    events = s.ListField(
        child=OneOf([*EVENT_TYPES, TEST]), required=False, allow_empty=False, help_text="All if left out."
    )
    description = s.CharField(max_length=200, required=False, allow_blank=True)


class EndpointChanges(EndpointFields):
    active = s.BooleanField(required=False, help_text="`false` ends what waits; `true` switches it on again.")


class EndpointBody(s.Serializer[Any]):
    id = s.UUIDField()
    url = s.CharField()
    events = s.ListField(child=s.CharField())
    active = s.BooleanField()
    inactive_reason = s.CharField(allow_null=True, help_text="Why nothing is sent: `owner`, `gone` or `failing`.")
    description = s.CharField()
    created_at = s.DateTimeField()


class NewEndpointBody(EndpointBody):
    secret = s.CharField(help_text="`whsec_…`, in this answer and never again.")


class NewSecretBody(s.Serializer[Any]):
    secret = s.CharField(help_text="`whsec_…`, in this answer and never again.")
    previous_secret_until = s.DateTimeField(help_text="Until then the one before signs along.")


class DeliveryBody(s.Serializer[Any]):
    id = s.UUIDField()
    endpoint_id = s.UUIDField(allow_null=True, help_text="Null for a job's own `webhook_url`.")
    url = s.CharField(help_text="Where it went last.")
    event_id = s.UUIDField(help_text="The same for all attempts, and for all endpoints.")
    event_type = s.CharField()
    job_id = s.IntegerField(allow_null=True)
    status = s.ChoiceField(STATES)
    attempts = s.IntegerField()
    response_code = s.IntegerField(allow_null=True, help_text="Of the last attempt; null where no answer came.")
    response_body = s.CharField(help_text="The beginning of the last answer.")
    error = s.CharField(allow_null=True, help_text="Why the last attempt failed, in one word.")
    error_message = s.CharField(allow_null=True)
    payload = s.CharField(help_text="The body as it is sent.")
    created_at = s.DateTimeField()
    last_attempt_at = s.DateTimeField(allow_null=True)
    next_attempt_at = s.DateTimeField(allow_null=True)
    completed_at = s.DateTimeField(allow_null=True, help_text="When it arrived or was given up.")


class EventBody(s.Serializer[Any]):
    event_type = s.ChoiceField([*EVENT_TYPES, TEST])
    event_id = s.UUIDField(help_text="The same in each attempt: take it to tell repetitions.")
    job_id = s.IntegerField(required=False)
    job_type = s.CharField(required=False, help_text="Such as `speaker_extraction`.")
    status = s.ChoiceField([event.removeprefix("job.") for event in EVENT_TYPES], required=False)
    error_message = s.CharField(required=False, help_text="Of a failed job.")
    failure_reason = s.CharField(required=False, help_text="Of a failed job: one of the codes in the documentation.")
    task_id = s.UUIDField(required=False, help_text="Changes with each retry.")
    occurred_at = s.DateTimeField()


class DeliveriesQuery(s.Serializer[Any]):
    status = OneOf(STATES, required=False)
    skip = s.IntegerField(default=0, min_value=0, max_value=10**9)
    limit = s.IntegerField(default=50, min_value=1, max_value=MOST_A_PAGE)


class AllDeliveriesQuery(s.Serializer[Any]):
    status = OneOf(STATES, required=False)
    job_id = s.IntegerField(required=False, min_value=1, max_value=10**18)
    cursor = s.CharField(required=False, max_length=100, help_text="The `next_cursor` of the page before.")
    limit = s.IntegerField(default=50, min_value=1, max_value=MOST_A_PAGE)


class AllDeliveriesBody(s.Serializer[Any]):
    items = DeliveryBody(many=True)
    next_cursor = s.CharField(allow_null=True, help_text="For the next page; null on the last.")


def _operation(name: str, summary: str, success: Any, *refusals: int, **more: Any) -> Any:
    responses = schema.answers(success, *refusals)
    return extend_schema(operation_id=name, summary=summary, tags=["Webhooks"], responses=responses, **more)


LIST = _operation("list_webhooks", "Your webhook endpoints", EndpointBody(many=True))
CREATE = extend_schema(
    operation_id="create_webhook",
    summary="Have an address told how your jobs end",
    tags=["Webhooks"],
    parameters=[schema.KEY],
    request={"application/json": EndpointFields},
    responses={201: NewEndpointBody}
    | {status: schema.REFUSED[status] for status in (400, 401, 403, 409, 413, 415, 422, 429)},
)
GET = _operation("get_webhook", "One endpoint", EndpointBody, 404)
CHANGE = _operation(
    "change_webhook",
    "Change an endpoint, or switch it on or off",
    EndpointBody,
    *(400, 404, 413, 415, 422),
    request={"application/json": EndpointChanges(partial=True)},
)
DELETE = extend_schema(
    operation_id="delete_webhook",
    summary="Remove an endpoint, its log and what waits to be sent there",
    tags=["Webhooks"],
    responses={204: OpenApiResponse(description="Gone")} | {s: schema.REFUSED[s] for s in (401, 403, 404, 429)},
)
ONCE: dict[str, Any] = {"parameters": [schema.KEY], "request": None}
SEND_TEST = _operation("test_webhook", "Send it a `webhook.test`", DeliveryBody, 400, 404, 409, 422, **ONCE)
DELIVERIES = _operation(
    "list_deliveries",
    "What was sent to an endpoint and what came of it, newest first",
    DeliveryBody(many=True),
    *(404, 422),
    parameters=[DeliveriesQuery],
)
ALL_DELIVERIES = extend_schema(
    operation_id="list_all_deliveries",
    summary="What was sent anywhere, to jobs' own addresses too, newest first",
    tags=["Webhooks"],
    parameters=[AllDeliveriesQuery],
    responses=own_schema.answers(AllDeliveriesBody, 422),
)
REDELIVER = _operation(
    "redeliver", "Send a delivery again: the same event, id and body", DeliveryBody, 400, 404, 409, 422, **ONCE
)


def _new_secret(name: str, summary: str, *refusals: int) -> Any:
    responses = own_schema.answers(NewSecretBody, *refusals)
    return extend_schema(operation_id=name, summary=summary, tags=["Webhooks"], responses=responses, **ONCE)


CHANGE_SECRET = _new_secret("change_webhook_secret", "A new secret for an endpoint", 400, 404, 409, 422)
CHANGE_JOB_SECRET = _new_secret(
    "change_job_webhook_secret", "A new secret for what single jobs send to their `webhook_url`", 400, 409, 422
)
EVENT = OpenApiWebhook(
    "event",
    extend_schema(
        summary="What is sent to your addresses",
        description="With three signatures of the same bytes: of Standard Webhooks in `webhook-signature`, of AudioPod "
        "in `X-AudioPod-Signature`, of pyannoteAI in `X-Signature`. Tried again until the answer is 2xx.",
        tags=["Webhooks"],
        request={"application/json": EventBody},
        responses={"2XX": OpenApiResponse(description="It arrived.")},
    ),
)
