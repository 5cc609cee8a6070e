"""Finding messages by REST: strict parameters, pages, what the database is asked."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timezone
from urllib.parse import quote

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from django_mobilon_sms.models import SmsMessage
from tests.support.messages import write
from tests.support.rest_door import ALL, codes, login

pytestmark = pytest.mark.django_db


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


ORDERS = ("", "created_at", "-created_at", "sent_at", "-sent_at")


@pytest.mark.databases
@pytest.mark.parametrize("order", ORDERS)
def test_pages_of_each_order_hold_each_message_once_also_of_one_moment(client, order):
    moments = [datetime(2026, 1, 1, hour, tzinfo=timezone.utc) for hour in (3, 1, 1, 1, 1, 2)]
    for message, moment in zip(write(6), moments):
        SmsMessage.objects.filter(pk=message.pk).change(created_at=moment, sent_at=moment)
    write(2)  # not sent: they have no time
    SmsMessage.objects.filter(sent_at=None).change(created_at=moments[0])
    field = order.removeprefix("-") or "pk"
    rows = SmsMessage.objects.filter(sent_at__isnull=False) if field == "sent_at" else None
    ordered = sorted(
        SmsMessage.objects.all() if rows is None else rows,
        key=lambda message: (getattr(message, field), message.pk),
        reverse=order in ("", "-created_at", "-sent_at"),
    )
    expected = [str(message.guid) for message in ordered]
    query = f"ordering={order}&" if order else ""
    pages = walk(client, f"/sms/messages/?{query}page_size=2", "next")
    assert [guid for page, _ in pages for guid in page] == expected
    back = walk(client, pages[-1][1], "previous")
    assert [page for page, _ in back] == [page for page, _ in pages[::-1]]


def walk(client, address, way):
    """The guids of each page from there on, with the page's address."""
    pages = []
    while address:
        answer = client.get(address).json()
        pages.append(([one["guid"] for one in answer["results"]], address))
        address = answer[way]
    return pages


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("ordering=pk", "invalid_choice"),
        ("ordering=text", "invalid_choice"),
        ("ordering=created_by__password", "invalid_choice"),
        ("ordering=created_at,sent_at", "invalid_choice"),
        ("ordering=%00", "invalid_choice"),
        ("ordering=", "required"),
        ("ordering=sent_at&ordering=sent_at", "repeated"),
    ],
)
def test_order_that_is_not_allowed_is_refused(client, query, code):
    response = client.get(f"/sms/messages/?{query}")
    assert (response.status_code, codes(response)) == (400, {"ordering": [code]})


def test_summary_has_no_order(client):
    response = client.get("/sms/messages/summary/?ordering=sent_at")
    assert codes(response) == {"ordering": ["unknown_parameter"]}


@pytest.mark.databases
@pytest.mark.parametrize("reverse", ["", "r=1&"])
@pytest.mark.parametrize(
    "place",
    [
        "7",
        "2026-01-01T00:00:00%2B00:00,",
        "2026-01-01T00:00:00,7",
        "0001-01-01T00:00:00%2B14:00,7",
        "9999-12-31T23:59:59-14:00,7",
        "2026-01-01T00:00:00%2B00:00,99999999999999999999999",
        "2026-13-01T00:00:00Z,7",
        "%00,7",
        ",7",
    ],
)
def test_forged_cursor_of_a_time_is_not_found(client, place, reverse):
    write()
    address = f"/sms/messages/?ordering=created_at&cursor={cursor(f'{reverse}p={place}')}"
    response = client.get(address)
    assert (response.status_code, codes(response)) == (404, {"detail": ["not_found"]})


def test_cursor_of_a_time_is_none_of_the_order_of_writing(client):
    write(2)
    page = client.get("/sms/messages/?ordering=created_at&page_size=1").json()
    assert client.get(page["next"].replace("ordering=created_at&", "")).status_code == 404


def test_page_that_emptied_meanwhile_leads_nowhere(client):
    write(2)
    page = client.get("/sms/messages/?page_size=1").json()
    SmsMessage.objects.all().cancel()
    SmsMessage.objects.all().delete()
    assert client.get(page["next"]).json() == {"next": None, "previous": None, "results": []}


@pytest.mark.databases
def test_summary_of_more_than_it_counts_says_so(client, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.rest.summary.MAX_COUNTED", 3)
    write(2, text="я" * 71, tag="old")
    write(1)
    counted = {"status": "pending", "messages": 3, "segments": 5}
    address = "/sms/messages/summary/"
    assert client.get(address).json() == {"statuses": [counted], "complete": True}
    write(1)
    newest = {"statuses": [counted | {"segments": 4}], "complete": False}
    assert client.get(address).json() == newest
    assert client.get(f"{address}?created_after=2020-01-01T00:00:00Z").json() == newest
    assert client.get(f"{address}?tag=old").json()["complete"] is True


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
