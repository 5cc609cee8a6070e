"""What goes over the network to a consumer, and what each of its answers means."""

from __future__ import annotations

import base64
from contextlib import closing
from datetime import timedelta

import pytest
import trustme
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.exceptions import NeverLeft, OutcomeUnknown
from django_mobilon_sms.models import SmsEvent, SmsMessage
from django_mobilon_sms.webhooks import delivery
from django_mobilon_sms.webhooks.answers import Answer, answer_of_error, answer_of_http
from tests.support.messages import write
from tests.support.ports import Listener, free_port, https
from tests.support.webhook_receiver import SECRET, Receiver, webhooks
from tests.webhooks.conftest import only, work

pytestmark = pytest.mark.django_db(transaction=True)

OLD = "whsec_" + base64.b64encode(b"an older secret of the shop").decode()


def last_error():
    return only().last_error, only().last_http_code


def test_payload_is_thin(receiver):
    [message] = write(text="Код входа 4821", number="+79135292926")
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    work()
    created, held = SmsEvent.objects.order_by("pk")
    assert [heard.data for heard in receiver.heard] == [
        {
            "guid": str(message.guid),
            "status": event.status,
            "old_status": event.old_status,
            "error_code": event.error_code,
            "id": event.pk,
        }
        for event in (created, held)
    ]
    assert held.error_code == "timeout"
    assert [heard.type for heard in receiver.heard] == ["message.pending", "message.unknown"]
    assert [heard.id for heard in receiver.heard] == [f"evt_{created.pk}", f"evt_{held.pk}"]
    assert receiver.heard[0].headers["content-type"] == "application/json"


def test_signature_has_the_time_of_the_database(receiver, monkeypatch):
    """Receivers refuse one that is five minutes off, as the clock of a host may be."""
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(hours=1))
    write()
    work()
    assert len(receiver.taken) == 1


def test_time_of_the_event_is_in_the_payload_and_that_of_the_request_in_the_header(receiver):
    write()
    SmsEvent.objects.update(created_at="2026-11-28T10:00:00.25Z")
    before = int(timezone.now().timestamp())
    work()
    [heard] = receiver.heard
    assert before <= int(heard.headers["webhook-timestamp"]) <= timezone.now().timestamp()
    assert receiver.bodies[0].startswith(
        b'{"type": "message.pending", "timestamp": "2026-11-28T10:00:00.250000Z", "data": {'
    )


def test_each_secret_signs_while_one_is_replaced(receiver, settings):
    settings.MOBILON_SMS_WEBHOOKS["shop"]["SECRET"] = [SECRET, OLD]
    write()
    work()
    [heard] = receiver.heard
    assert len(heard.headers["webhook-signature"].split(" ")) == 2
    Webhook(OLD).verify(receiver.bodies[0], heard.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"?" * 24).decode()).verify(
            receiver.bodies[0], heard.headers
        )


def test_redirect_is_not_followed(receiver):
    with Receiver() as other:
        receiver.headers = {"Location": other.url}
        receiver.answer = lambda heard: 307
        write()
        work()
        assert last_error() == ("redirect", 307)
        assert other.heard == []


def test_body_of_the_answer_is_not_waited_for(receiver):
    receiver.headers = {"Content-Length": "1000000"}  # that never come
    write()
    work()
    assert (len(receiver.taken), last_error()) == (1, ("", None))


def test_silent_consumer_is_left_at_the_deadline(receiver, settings, monkeypatch):
    monkeypatch.setattr(delivery, "TIMEOUT", 0.5)
    with closing(Listener()) as listener:
        settings.MOBILON_SMS_WEBHOOKS["shop"]["URL"] = f"http://127.0.0.1:{listener.port}/"
        write()
        work()
    assert last_error() == ("timeout", None)


def test_consumer_that_is_not_there_is_an_error(receiver, settings):
    settings.MOBILON_SMS_WEBHOOKS["shop"]["URL"] = f"http://127.0.0.1:{free_port()}/"
    write()
    work()
    assert last_error() == ("connection", None)


def no_content(_payload: object) -> bytes:
    return b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


@pytest.fixture
def _shop(settings):
    settings.MOBILON_SMS_EVENTS = "30d"
    settings.MOBILON_SMS_WEBHOOKS = {"shop": {"URL": "https://127.0.0.1/", "SECRET": SECRET}}
    work()
    write()


@pytest.mark.usefixtures("_shop")
def test_events_go_over_tls_to_a_certificate_that_is_trusted(settings, authority):
    with https(authority.issue_cert("127.0.0.1"), answer=no_content, end=b"}}") as (url, heard):
        settings.MOBILON_SMS_WEBHOOKS["shop"]["URL"] = url
        work()
    assert b"".join(heard).startswith(b"POST / HTTP/1.1\r\n")
    assert (only().delivered, only().last_error) == (1, "")


@pytest.mark.usefixtures("_shop")
def test_nothing_is_written_to_a_certificate_that_is_not_trusted(settings, authority):
    stranger = trustme.CA().issue_cert("127.0.0.1")
    with https(stranger, answer=no_content, end=b"}}") as (url, heard):
        settings.MOBILON_SMS_WEBHOOKS["shop"]["URL"] = url
        work()
    assert (b"".join(heard), last_error()) == (b"", ("certificate", None))


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (200, Answer("", 200)),
        (204, Answer("", 204)),
        (299, Answer("", 299)),
        (301, Answer("redirect", 301)),
        (304, Answer("redirect", 304)),
        (400, Answer("http_error", 400)),
        (404, Answer("http_error", 404)),
        (410, Answer("gone", 410)),
        (429, Answer("http_error", 429)),
        (503, Answer("http_error", 503)),
        (199, Answer("http_error", 199)),
    ],
)
def test_only_2xx_means_that_the_event_was_taken(code, answer):
    assert answer_of_http(code) == answer


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (NeverLeft("connection"), Answer("connection")),
        (NeverLeft("certificate"), Answer("certificate")),
        (NeverLeft("request"), Answer("request")),
        (NeverLeft("lease_short"), None),
        (OutcomeUnknown("timeout"), Answer("timeout")),
        (OutcomeUnknown("deadline"), Answer("timeout")),
        (OutcomeUnknown("broken"), Answer("broken")),
        (OutcomeUnknown("lost"), Answer("broken")),
        (KeyError("x"), Answer("unforeseen")),
    ],
)
def test_every_failure_has_a_name(error, answer):
    assert answer_of_error(error) == answer


def test_errors_and_logs_hold_no_secret(receiver, settings, caplog):
    receiver.answer = lambda heard: 500
    settings.MOBILON_SMS_WEBHOOKS = webhooks(receiver)
    write(text="Zq7Zq7")
    work()
    assert [line for line in caplog.messages if "webhook.failed consumer=shop" in line]
    assert SECRET not in caplog.text
    assert "Zq7" not in caplog.text
    assert "79135292926" not in caplog.text
