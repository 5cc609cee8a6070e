"""The pages of webhooks in a browser: no trouble in the console, no barrier, the buttons work."""

from __future__ import annotations

from django_mobilon_sms.models import WebhookConsumer, db_now
from tests.support.admin_door import person
from tests.webhooks.conftest import only, receiver

__all__ = ["receiver"]

LIST = "/admin/mobilon_sms/webhookconsumer/"


def test_stopped_consumer_is_shown_and_started(receiver, visit, look):
    WebhookConsumer.objects.update(
        stopped_at=db_now(), last_error="gone", last_http_code=410, last_error_at=db_now()
    )
    client = person("view_webhookconsumer", "change_webhookconsumer")
    assert visit(client, LIST, look).violations() == []
    page = visit(client, f"{LIST}{only().pk}/change/", look)
    assert page.violations() == []
    assert page.too_wide() == 0
    page.fill("#id_since", "2026-11-29T10:00")
    page.click("form[action$='/again/'] button")
    page.click("form[action$='/start/'] button")
    page.wait_for_load_state()
    assert only().stopped_at is None
