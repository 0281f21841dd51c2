"""What staff see of webhooks, and that they can send again but change nothing."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from jobs import delivery, signatures, webhooks
from jobs.models import WebhookDelivery, WebhookEndpoint

pytestmark = pytest.mark.django_db
DELIVERIES = "admin:jobs_webhookdelivery_changelist"


@pytest.fixture
def staff(client, charlie):
    client.force_login(charlie)
    return client


@pytest.fixture
def endpoint(alice, receiver) -> WebhookEndpoint:
    return webhooks.create(alice, receiver.url, ["job.completed"])


@pytest.fixture
def delivered(endpoint) -> WebhookDelivery:
    webhooks.test(endpoint)
    delivery.send(delivery.claim())
    return WebhookDelivery.objects.get()


def send_again(client, row: WebhookDelivery) -> str:
    fields = {"action": "redeliver", "_selected_action": row.pk, "index": 0}
    return client.post(reverse(DELIVERIES), fields, follow=True).content.decode()


def test_staff_see_deliveries_and_endpoints_but_no_secret(staff, delivered, endpoint):
    pages = [
        reverse(DELIVERIES),
        reverse("admin:jobs_webhookdelivery_change", args=[delivered.pk]),
        reverse("admin:jobs_webhookendpoint_changelist"),
        reverse("admin:jobs_webhookendpoint_change", args=[endpoint.pk]),
    ]
    for page in pages:
        shown = staff.get(page)
        assert shown.status_code == 200
        assert endpoint.url in shown.content.decode()
        assert signatures.secrets(endpoint)[0] not in shown.content.decode()


def test_staff_send_again_under_their_name(staff, charlie, delivered, receiver):
    assert "1 of the selected deliveries are sent again." in send_again(staff, delivered)
    delivery.send(delivery.claim())
    assert len(receiver.received) == 2
    assert LogEntry.objects.get(user=charlie).get_change_message() == "Sent again."


def test_what_cannot_be_sent_again_is_told(staff, delivered, endpoint):
    webhooks.change(endpoint, active=False)
    assert "switched off; switch it on first" in send_again(staff, delivered)


def test_staff_change_nothing_and_without_the_permission_send_nothing(staff, charlie, delivered):
    page = reverse("admin:jobs_webhookdelivery_change", args=[delivered.pk])
    assert staff.post(page, {"url": "https://example.org"}).status_code == 403
    charlie.is_superuser = False
    charlie.save()
    charlie.user_permissions.add(Permission.objects.get(codename="view_webhookdelivery"))
    send_again(staff, delivered)
    delivered.refresh_from_db()
    assert delivered.state == WebhookDelivery.State.DELIVERED
