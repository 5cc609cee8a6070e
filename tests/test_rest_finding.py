"""Finding messages by REST: strict parameters, pages, what the database is asked."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from django_mobilon_sms.models import SmsMessage

from .conftest import write
from .test_rest import ALL, codes, login

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> APIClient:
    return login(*ALL)


def cursor(tokens: str) -> str:
    return quote(b64encode(tokens.encode()).decode())


NAMES = ("number", "tag", "source", "error_code", "created_after", "sent_before")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["", "summary/"])
def test_parameter_without_a_value_does_not_mean_every_message(client, name, path):
    response = client.get(f"/sms/messages/{path}?{name}=")
    assert (response.status_code, codes(response)) == (400, {name: ["required"]})


@pytest.mark.parametrize("path", ["", "summary/"])
def test_parameter_given_twice_is_refused(client, path):
    response = client.get(f"/sms/messages/{path}?tag=a&tag=b&number=1&number=2")
    assert (response.status_code, codes(response)) == (
        400,
        {"number": ["repeated"], "tag": ["repeated"]},
    )


@pytest.mark.parametrize("name", ["cursor", "page_size"])
def test_summary_has_no_pages(client, name):
    response = client.get(f"/sms/messages/summary/?{name}=1")
    assert (response.status_code, codes(response)) == (400, {name: ["unknown_parameter"]})


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ("0", "min_value"),
        ("-1", "min_value"),
        ("", "required"),
        ("abc", "invalid"),
        ("1.5", "invalid"),
        ("%00", "invalid"),
        ("9" * 5000, "invalid"),
    ],
)
def test_page_size_that_is_none_is_refused(client, size, code):
    response = client.get(f"/sms/messages/?page_size={size}")
    assert (response.status_code, codes(response)) == (400, {"page_size": [code]})


def test_page_size_is_100_or_as_asked_for_up_to_1000(client):
    first = write()[0]
    SmsMessage.objects.bulk_create(
        SmsMessage(number=first.number, source="1", text="x", segments=1) for _ in range(1000)
    )
    sizes = {
        query: len(client.get(f"/sms/messages/{query}").json()["results"])
        for query in ("", "?page_size=7", "?page_size=1001")
    }
    assert sizes == {"": 100, "?page_size=7": 7, "?page_size=1001": 1000}


@pytest.mark.databases
@pytest.mark.parametrize(
    "tokens",
    ["p=abc", "p=", "p=%00", "p=1.5", f"p={10**30}", f"p=-{10**30}", f"p={'9' * 5000}", "o=-1"],
)
@pytest.mark.parametrize("reverse", ["", "r=1&"])
def test_forged_cursor_is_not_found(client, tokens, reverse):
    write()
    response = client.get(f"/sms/messages/?cursor={cursor(reverse + tokens)}")
    assert (response.status_code, codes(response)) == (404, {"detail": ["not_found"]})


def test_pages_go_back_and_keep_the_filters(client):
    write(5, tag="a")
    write(2, tag="b")
    first = client.get("/sms/messages/?tag=a&page_size=3").json()
    second = client.get(first["next"]).json()
    assert [one["tag"] for one in second["results"]] == ["a", "a"]
    assert client.get(second["previous"]).json()["results"] == first["results"]
    guids = [one["guid"] for one in first["results"] + second["results"]]
    newest_first = SmsMessage.objects.filter(tag="a").order_by("-pk")
    assert guids == [str(guid) for guid in newest_first.values_list("guid", flat=True)]


class SlowBackend(ModelBackend):
    """Knows no cache of permissions, as a project's own backend may."""

    def has_perm(self, user_obj, perm, obj=None):
        codename = perm.partition(".")[2]
        return Permission.objects.filter(user=user_obj, codename=codename).exists()


def test_permission_to_see_texts_is_asked_for_once_a_request(
    client, settings, django_assert_max_num_queries
):
    write(20)
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.SlowBackend"]
    slow = login(*ALL)
    with django_assert_max_num_queries(5):
        results = slow.get("/sms/messages/").json()["results"]
    assert {one["text"] for one in results} == {"Ваш заказ готов"}


@pytest.mark.databases
def test_summary_is_one_statement(client, django_assert_num_queries):
    write(3)
    client.get("/sms/messages/summary/")
    with django_assert_num_queries(5):  # session, user, permissions of user and groups, counts
        client.get("/sms/messages/summary/?tag=x")
