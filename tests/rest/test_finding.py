"""Finding messages by REST: strict parameters, pages, what the database is asked."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime, timezone
from urllib.parse import parse_qs, quote, urlsplit
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Permission

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import SmsMessage, StoppedNumber
from django_mobilon_sms.outbox import stop
from django_mobilon_sms.rest.urls import router
from tests.support.messages import write
from tests.support.rest_door import ALL, GOOD, code, codes, login

pytestmark = pytest.mark.django_db


SEARCH = "/sms/messages/search/"
STOP = ("view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")


def cursor(tokens: str) -> str:
    return quote(b64encode(tokens.encode()).decode())


NAMES = ("tag", "source", "error_code", "created_after", "sent_before")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("path", ["", "summary/"])
def test_parameter_without_a_value_does_not_mean_every_message(client, name, path):
    response = client.get(f"/sms/messages/{path}?{name}=")
    assert (response.status_code, codes(response)) == (400, {name: ["required"]})


@pytest.mark.parametrize("path", ["", "summary/"])
def test_parameter_given_twice_is_refused(client, path):
    response = client.get(f"/sms/messages/{path}?tag=a&tag=b&error_code=held&error_code=lost")
    assert (response.status_code, codes(response)) == (
        400,
        {"error_code": ["repeated"], "tag": ["repeated"]},
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
    [
        "p=abc",
        "p=",
        "p=%00",
        "p=1.5",
        "p=7",
        f"p={10**30}",
        f"p={'9' * 5000}",
        "o=-1",
        "r=1",
        "o=7",
    ],
)
@pytest.mark.parametrize("reverse", ["", "r=1&"])
def test_forged_cursor_is_not_found(client, tokens, reverse):
    write()
    response = client.get(f"/sms/messages/?cursor={cursor(reverse + tokens)}")
    assert (response.status_code, code(response)) == (404, "not_found")


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
        "{guid}",
        "2026-01-01T00:00:00%2B00:00,",
        "2026-01-01T00:00:00%2B00:00,7",
        "2026-01-01T00:00:00,{guid}",
        "0001-01-01T00:00:00%2B14:00,{guid}",
        "9999-12-31T23:59:59-14:00,{guid}",
        "2026-01-01T00:00:00%2B00:00,99999999999999999999999",
        "2026-13-01T00:00:00Z,{guid}",
        "%00,{guid}",
        ",{guid}",
    ],
)
def test_forged_cursor_of_a_time_is_not_found(client, place, reverse):
    [message] = write()
    tokens = f"{reverse}p={place.format(guid=message.guid)}"
    address = f"/sms/messages/?ordering=created_at&cursor={cursor(tokens)}"
    response = client.get(address)
    assert (response.status_code, code(response)) == (404, "not_found")


@pytest.mark.databases
def test_cursor_of_a_time_may_have_a_zone_that_no_place_has(client):
    [message] = write()
    tokens = f"p=2020-01-01T00:00:00-18:20,{message.guid}"
    response = client.get(f"/sms/messages/?ordering=created_at&cursor={cursor(tokens)}")
    assert [row["guid"] for row in response.json()["results"]] == [str(message.guid)]


def test_cursor_of_a_time_is_none_of_the_order_of_writing(client):
    write(2)
    page = client.get("/sms/messages/?ordering=created_at&page_size=1").json()
    assert client.get(page["next"].replace("ordering=created_at&", "")).status_code == 404


@pytest.mark.databases
@pytest.mark.parametrize("order", ORDERS)
def test_page_after_a_message_that_was_deleted_is_gone(client, order):
    write(3)
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    SmsMessage.objects.all().change(sent_at=moment, created_at=moment)
    query = f"ordering={order}&" if order else ""
    page = client.get(f"/sms/messages/?{query}page_size=1").json()
    rows = SmsMessage.objects.filter(guid=page["results"][0]["guid"])
    rows.cancel()
    assert client.get(page["next"]).status_code == 200
    rows.delete()
    response = client.get(page["next"])
    assert (response.status_code, code(response)) == (410, "page_gone")


def test_page_that_emptied_meanwhile_leads_nowhere(client):
    last, _first = write(2)
    page = client.get("/sms/messages/?page_size=1").json()
    rows = SmsMessage.objects.filter(pk=last.pk)
    rows.cancel()
    rows.delete()
    assert client.get(page["next"]).json() == {"next": None, "previous": None, "results": []}


@pytest.mark.databases
@pytest.mark.parametrize("order", ORDERS)
def test_cursor_does_not_show_how_many_messages_there_are(client, order):
    """It names a guid, so two cursors with messages of others between them look alike."""
    write(2)
    SmsMessage.objects.all().change(sent_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    query = f"ordering={order}&" if order else ""
    page = client.get(f"/sms/messages/?{query}page_size=1").json()
    [given] = parse_qs(urlsplit(page["next"]).query)["cursor"]
    [position] = parse_qs(b64decode(given).decode())["p"]
    time, _comma, name = position.rpartition(",")
    assert name == page["results"][0]["guid"]
    assert bool(time) == bool(order)


def test_empty_cursor_is_not_the_first_page(client):
    write(2)
    for path in ("messages/", "stop-list/"):
        response = login(*ALL, "view_stoppednumber").get(f"/sms/{path}?cursor=")
        assert (response.status_code, codes(response)) == (400, {"cursor": ["required"]})


# Numbers, which stand in no address


@pytest.mark.databases
def test_number_is_searched_by_post_as_the_list_is_read(client):
    mine = [write(number="+79020000001", tag=tag)[0] for tag in ("a", "b", "b")]
    write(2, tag="b")
    address, body = "/sms/messages/search/", {"number": "8 (902) 000-00-01"}
    answer = client.post(address, body, format="json")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    newest_first = [str(message.guid) for message in reversed(mine)]
    assert [one["guid"] for one in answer.json()["results"]] == newest_first
    page = client.post(f"{address}?tag=b&page_size=1&status=pending", body, format="json").json()
    second = client.post(page["next"], body, format="json").json()
    assert [page["results"][0]["guid"], second["results"][0]["guid"]] == newest_first[:2]
    assert second["next"] is None
    by_source = client.post(f"{address}?source=89234560000", body, format="json")
    assert len(by_source.json()["results"]) == 3
    assert SmsMessage.objects.count() == 5


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"number": 89020000001}, {"number": ["not_text"]}),
        ({"number": "12"}, {"number": ["too_short"]}),
        ({"number": "89020000001", "tag": "a"}, {"tag": ["unknown_field"]}),
        ([], {"non_field_errors": ["not_an_object"]}),
    ],
)
@pytest.mark.parametrize("path", ["messages/", "stop-list/"])
def test_search_names_what_is_wrong(path, body, errors):
    client = login(*ALL, "view_stoppednumber")
    response = client.post(f"/sms/{path}search/", body, format="json")
    assert (response.status_code, codes(response)) == (400, errors)


@pytest.mark.databases
def test_a_thousand_statuses_take_one_request(client, django_assert_num_queries):
    guids = [str(message.guid) for message in write(1001)]
    SmsMessage.objects.filter(guid__in=guids[::2]).hold(ErrorCode.TIMEOUT)
    unknown = [str(uuid4()), guids[0].upper(), guids[0]]
    asked = [*guids[:997], *unknown]
    with django_assert_num_queries(4 + 1):  # who it is, the page
        answer = client.post(f"{SEARCH}?page_size=1000", {"guids": asked}, format="json")
    found = {one["guid"]: one["status"] for one in answer.json()["results"]}
    assert found == {g: ("pending", "unknown")[n % 2 == 0] for n, g in enumerate(guids[:997])}
    assert answer.json()["next"] is None


def test_guids_are_searched_page_by_page_with_the_filters_of_the_list(client):
    body = {"guids": [str(message.guid) for message in write(5, tag="a")[:3]]}
    first = client.post(f"{SEARCH}?page_size=2&tag=a&status=pending", body, format="json").json()
    second = client.post(first["next"], body, format="json").json()
    found = [one["guid"] for page in (first, second) for one in page["results"]]
    assert (found, second["next"]) == (body["guids"][::-1], None)
    nobody = client.post(f"{SEARCH}?tag=b", body, format="json").json()
    assert nobody == {"next": None, "previous": None, "results": []}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"non_field_errors": ["one_of"]}),
        ({"number": "89020000001", "guids": [str(UUID(int=1))]}, {"non_field_errors": ["one_of"]}),
        ({"number": None}, {"number": ["not_text"]}),
        ({"guids": None}, {"guids": ["length"]}),
        ({"guids": []}, {"guids": ["length"]}),
        ({"guids": [str(UUID(int=n)) for n in range(1001)]}, {"guids": ["length"]}),
        ({"guids": "a1b2c3"}, {"guids": ["length"]}),
        ({"guids": [str(UUID(int=1)), "x"]}, {"guids": ["invalid"]}),
        ({"guids": [1, None, {}]}, {"guids": ["invalid"]}),
        ({"guids": [["x"]]}, {"guids": ["invalid"]}),
        ({"guids": ["\0"], "tag": 1}, {"guids": ["invalid"], "tag": ["unknown_field"]}),
    ],
)
def test_search_by_guids_names_what_is_wrong(client, body, errors):
    response = client.post(SEARCH, body, format="json")
    assert (response.status_code, codes(response)) == (400, errors)


def test_place_of_a_wrong_guid_is_named(client):
    answer = client.post(SEARCH, {"guids": [str(UUID(int=1)), "x"]}, format="json")
    assert "index 1" in answer.json()["detail"]


def test_search_needs_the_permission_to_see_and_shows_no_text_without_its_own():
    write(text="Код Zq4711")
    body = {"number": "+79135292926"}
    for permission, status in (("add_smsmessage", 403), ("view_smsmessage", 200)):
        client = login(permission)
        answer = client.post("/sms/messages/search/", body, format="json")
        assert answer.status_code == status
        assert "Zq4711" not in answer.content.decode()


PLACES = [(url, method) for url in router.urls for method in url.callback.actions]


@pytest.mark.parametrize(
    ("url", "method"), PLACES, ids=[f"{method} {url.pattern}" for url, method in PLACES]
)
def test_no_address_ignores_a_parameter_or_is_kept_by_a_cache(url, method):
    client = login(*ALL, *STOP)
    [message], _stopped = write(), stop(["+79029801212"])
    path = str(url.pattern).replace("<str:guid>", str(message.guid))
    before = state()
    refused = {
        "force=1": {"force": ["unknown_parameter"]},
        "numbr=%2B79029801212": {"numbr": ["unknown_parameter"]},
        "number=%2B79029801212": {"number": ["number_in_url"]},
        "format=json&format=json": {"format": ["repeated"]},
    }
    body = {"number": "+79029801212"} if "search" in path else GOOD
    for query, errors in refused.items():
        given = body if method == "post" else None
        answer = getattr(client, method)(f"/sms/{path}?{query}", given, format="json")
        assert (answer.status_code, codes(answer)) == (400, errors)
        assert answer["Cache-Control"] == "no-store"
    assert state() == before


def state():
    numbers = StoppedNumber.objects.values_list("number", flat=True)
    return (
        list(SmsMessage.objects.values_list("guid", "status", "batch__next_check_at")),
        list(numbers),
    )


@pytest.mark.parametrize("page", ["application/json", "text/html"])
def test_answers_are_kept_by_no_cache(client, page):
    [message] = write()
    for path in ("", f"{message.guid}/", "no-guid/", "?x=1"):
        assert client.get(f"/sms/messages/{path}", HTTP_ACCEPT=page)["Cache-Control"] == "no-store"


@pytest.mark.databases
def test_summary_of_more_than_it_counts_says_so(client, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.rest.messages.summary.MAX_COUNTED", 3)
    write(2, text="я" * 71, tag="old")
    write(1)
    counted = {"status": "pending", "messages": 3, "segments": 5}
    address = "/sms/messages/summary/"
    assert client.get(address).json() == {
        "statuses": [counted],
        "complete": True,
        "as_of": None,
    }
    write(1)
    newest = {"statuses": [counted | {"segments": 4}], "complete": False, "as_of": None}
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
