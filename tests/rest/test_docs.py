"""Each request in docs/reference/rest.rst is made, and answered as shown there."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from django.urls import include, path
from django.utils.module_loading import import_string
from rest_framework.test import APIClient

from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.rest.openapi.extensions import (
    EventsExtension,
    MessagesExtension,
    StopListExtension,
)
from django_mobilon_sms.rest.throttling import ActThrottle, CreateThrottle
from tests.support.documents import DOCS, blocks
from tests.support.rest_door import ALL, GOOD, basic, post, with_password

pytestmark = pytest.mark.django_db
EXECUTED = ["docs/reference/rest.rst"]
PAGE = DOCS / "reference/rest.rst"
HOST = "https://shop.example"
#: What differs each time.
MOMENTS = ("id", "send_at", "created_at", "cursor", "request_id")


@pytest.fixture
def client() -> APIClient:
    user = with_password(*ALL, "view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")
    return basic(user.username, "secret")


def commands(text: str) -> list[list[str]]:
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines]


def ask(client: APIClient, words: list[str]) -> Any:
    """Make the request that a `curl` line makes."""
    assert words[:3] == ["curl", "-u", "billing:secret"], words
    [address] = [word for word in words if word.startswith(HOST)]
    path = address.removeprefix(HOST)
    if "-d" in words:
        named = dict(words[n + 1].split(": ") for n, word in enumerate(words) if word == "-H")
        content_type, body = named.pop("Content-Type"), words[words.index("-d") + 1].encode()
        return client.generic("POST", path, body, content_type=content_type, headers=named)
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    return client.generic(method, path)


def comparable(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: comparable(value) for name, value in answer.items() if name not in MOMENTS}
    if isinstance(answer, list):
        return [comparable(value) for value in answer]
    return answer


def test_walk_through_the_api(client, settings):
    settings.MOBILON_SMS_EVENTS = "30d"
    shown = []
    for block in blocks(PAGE):
        if block.language == "sh":
            answers = [ask(client, words) for words in commands(block.text)]
            shown += [[answer.status_code, None] for answer in answers]
            last = answers[-1].json() if answers[-1].content else None
        elif block.language == "json":
            assert comparable(json.loads(block.text)) == comparable(last)
            shown[-1][1] = "compared"
    assert shown == [
        [201, "compared"],
        [201, None],
        [200, None],
        [409, "compared"],
        [400, "compared"],
        [400, "compared"],
        [200, "compared"],
        [201, None],
        [200, None],
        [200, None],
        [200, None],
        [200, "compared"],
        [200, None],
        [200, None],
        [200, "compared"],
        [200, "compared"],
        [200, None],
        [200, None],
        [409, None],
        [201, "compared"],
        [400, "compared"],
        [200, None],
        [200, None],
        [200, "compared"],
    ]
    first, *others = SmsMessage.objects.order_by("pk").values_list("status", flat=True)
    assert (first, others) == ("cancelled", ["pending", "cancelled", "pending"])


def test_python_of_the_page_runs():
    names: dict[str, Any] = {"path": path, "include": include, "urlpatterns": []}
    names["INSTALLED_APPS"] = []
    for block in blocks(PAGE):
        if block.language == "python":
            exec(compile(block.text, str(PAGE), "exec"), names)
    assert [str(pattern.pattern) for pattern in names["urlpatterns"]] == ["sms/", "schema/"]
    rest = names["REST_FRAMEWORK"]
    for name in (rest["DEFAULT_SCHEMA_CLASS"], *rest["DEFAULT_AUTHENTICATION_CLASSES"]):
        assert import_string(name)
    tags = {extension.tag for extension in (MessagesExtension, EventsExtension, StopListExtension)}
    assert {tag["name"] for tag in names["SPECTACULAR_SETTINGS"]["TAGS"]} == tags


def test_headers_of_a_rate_are_those_of_the_page(client):
    [shown] = [block.text for block in blocks(PAGE) if block.language == "text"]
    answer = post(client, GOOD)
    names = ("RateLimit-Policy", "RateLimit")
    assert shown.splitlines() == [f"{name}: {answer[name]}" for name in names]


def test_rates_of_the_page_are_those_of_the_code():
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    create, act = CreateThrottle.default_rate, ActThrottle.default_rate
    words = "A user may write {} requests a minute and act {} times a minute"
    assert words.format(create.removesuffix("/min"), act.removesuffix("/min")) in text
