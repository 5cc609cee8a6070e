"""The admin's door, as people open it: with their permissions, by its addresses."""

from __future__ import annotations

from collections.abc import Iterable
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils.html import strip_tags

LIST = "/admin/mobilon_sms/smsmessage/"
ADD = f"{LIST}add/"
JOURNAL = "/admin/mobilon_sms/smsbatch/"
EVERYTHING = (
    "view_smsmessage",
    "view_smsmessage_text",
    "add_smsmessage",
    "send_smsmessage",
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
    """Do this with these messages of the list; what is told after it."""
    data = {"action": action, "_selected_action": [m.pk for m in chosen], "index": 0} | fields
    return told(client.post(LIST, data, follow=True))


def confirm(client: Client, action: str, chosen: Iterable[Any], **fields: Any) -> list[str]:
    """Confirm what was asked about these messages; what is told after it."""
    data = {"action": action, "_selected_action": [m.pk for m in chosen], "post": "yes"} | fields
    return told(client.post(LIST, data, follow=True))


def told(response: Any) -> list[str]:
    """The lines above the page that a POST led to."""
    assert response.status_code == 200
    return [str(line) for line in response.context["messages"]]
