"""The admin's door, as people open it: with their permissions, by its addresses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils.html import strip_tags

from django_mobilon_sms.admin.history import shown
from django_mobilon_sms.choices import ErrorCode, Outcome, Status
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from tests.support.messages import write

HOUR = timedelta(hours=1)
LIST = "/admin/mobilon_sms/smsmessage/"
ADD = f"{LIST}add/"
DECIDE = f"{LIST}decide/"
REPORTS = f"{LIST}reports/"
JOURNAL = "/admin/mobilon_sms/smsbatch/"
EVERYTHING = (
    "view_smsmessage",
    "view_smsmessage_text",
    "add_smsmessage",
    "send_smsmessage",
    "resend_smsmessage",
    "delete_smsmessage",
    "view_smsbatch",
)


def person(*permissions: str, name: str = "anna") -> Client:
    """Somebody of the staff with these permissions, logged in; CSRF is checked as in life."""
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert user.user_permissions.count() == len(permissions)
    client = Client()
    client.force_login(user)
    return client


def page(message: Any) -> str:
    """Where a message is read."""
    return f"{LIST}{message.pk}/change/"


def text_of(response: Any) -> str:
    """What a page says, on one line, without its markup."""
    return " ".join(unescape(strip_tags(response.content.decode().replace("<", " <"))).split())


def act(client: Client, action: str, chosen: Iterable[Any], **fields: Any) -> list[str]:
    """Do this with these messages of the list, and return the notices."""
    data = {"action": action, "_selected_action": [m.pk for m in chosen], "index": 0} | fields
    return notices(client.post(LIST, data, follow=True))


def decide(client: Client, choice: str, chosen: Iterable[Any], **fields: Any) -> list[str]:
    """Decide so about these messages, and return the notices."""
    data = {"choice": choice, "pks": ",".join(str(m.pk) for m in chosen)} | fields
    return notices(client.post(DECIDE, data, follow=True))


def notices(response: Any) -> list[str]:
    """The lines above the page that a POST led to."""
    assert response.status_code == 200
    return [str(line) for line in response.context["messages"]]


def change(message: SmsMessage, **values: Any) -> SmsMessage:
    """Put a message where a run would have brought it."""
    assert SmsMessage.objects.filter(pk=message.pk).change(**values) == 1
    return message


def become(messages: list[SmsMessage], *, asked_at: Any = None, **values: Any) -> list[SmsMessage]:
    """Put messages where a run would have brought them."""
    batch = SmsBatch.objects.create(
        worker="elsewhere:1", lease_until=db_now() + HOUR, outcome=Outcome.NO_PROOF,
        closed_at=db_now(), applied_at=db_now(), error_code=ErrorCode.TIMEOUT,
        next_check_at=asked_at,
    )  # fmt: skip
    SmsMessage.objects.filter(pk__in=[m.pk for m in messages]).change(batch=batch, **values)
    return messages


def unknown(count: int = 1) -> list[SmsMessage]:
    """Messages that may have gone out."""
    return become(write(count), status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)


def accepted(count: int = 1) -> list[SmsMessage]:
    """Messages that the gateway took."""
    given = {"status": Status.ACCEPTED, "gateway_id": "a1", "accepted_at": db_now()}
    return become(write(count), **given, asked_at=db_now() + HOUR)


def statuses() -> list[str]:
    """Where all messages are, in the order of their writing."""
    return list(SmsMessage.objects.order_by("pk").values_list("status", flat=True))


def history() -> list[tuple[str, str, str]]:
    """Who did what with what, oldest first."""
    return [
        (entry.user.username, entry.object_repr, shown(entry))
        for entry in LogEntry.objects.select_related("user").order_by("pk")
    ]
