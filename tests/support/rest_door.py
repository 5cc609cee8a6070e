"""REST as a client sees it: who logs in, what is posted, what the answer says."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

ALL = (
    "view_smsmessage",
    "view_smsmessage_text",
    "add_smsmessage",
    "send_smsmessage",
    "resend_smsmessage",
)
GOOD = {"number": "8 (913) 529-29-26", "text": " Ваш заказ готов\n"}


def login(*permissions: str, name: str = "billing") -> APIClient:
    user, _ = User.objects.get_or_create(username=name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = APIClient()
    client.force_login(User.objects.get(pk=user.pk))
    return client


def with_password(*permissions: str) -> User:
    login(*permissions)
    user = User.objects.get(username="billing")
    user.set_password("secret")
    user.save()
    return user


def basic(name: str, password: str) -> APIClient:
    client = APIClient()
    secret = b64encode(f"{name}:{password}".encode()).decode()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {secret}")
    return client


def address(body: Any) -> str:
    """Return where a message or a list of messages is posted to."""
    return "/sms/messages/many/" if isinstance(body, list) else "/sms/messages/"


def post(client: APIClient, body: Any, path: str = "") -> Any:
    return client.post(f"/sms/messages/{path}" if path else address(body), body, format="json")


def codes(response: Any) -> dict[str, list[str]]:
    """The codes of the faults, by field."""
    found: dict[str, list[str]] = {}
    for one in response.json()["errors"]:
        found.setdefault(one["field"], []).append(one["code"])
    return found


def code(response: Any) -> str:
    """The code of a problem that has no fault in a field."""
    assert response.json()["errors"] == []
    return response.json()["code"]


def rows(response: Any) -> list[dict[str, Any]]:
    """The messages of an answer to one message or to a list."""
    answer = response.json()
    found: list[dict[str, Any]] = answer.get("results", [answer])
    return found


def lasting(response: Any) -> list[dict[str, Any]]:
    """The messages of an answer, without what concerns the request."""
    of_request = ("is_new", "index")
    return [{name: row[name] for name in row if name not in of_request} for row in rows(response)]


def list_codes(response: Any) -> list[tuple[int, str, str]]:
    """The index, field and code of each fault of a list."""
    return [(one["index"], one["field"], one["code"]) for one in response.json()["errors"]]
