"""The feed over REST: every change once, own ones only where confined, waiting without a cost."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from django_mobilon_sms import events as feed
from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.models import EventFeed, SmsEvent, SmsMessage
from django_mobilon_sms.rest import events as rest_events
from tests.support.messages import write
from tests.support.plans import faults, fill
from tests.support.rest_door import ALL, GOOD, code, codes, login, post, with_password
from tests.support.workers import PATIENCE, wait_until

#: Readers see what is committed, and on PostgreSQL what no open transaction can come before.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

EVENTS = "/sms/events/"


@pytest.fixture(autouse=True)
def _events_are_kept(settings):
    settings.MOBILON_SMS_EVENTS = "30d"


def read(client: APIClient, **parameters: Any) -> Any:
    return client.get(EVENTS, parameters)


def follow(client: APIClient, count: int, **parameters: Any) -> tuple[list[Any], str]:
    """Read until there are so many events; transactions of other tests hold PostgreSQL's back."""
    found: list[Any] = []
    cursor = parameters.pop("after", None)

    def is_there() -> bool:
        nonlocal cursor
        after = {} if cursor is None else {"after": cursor}
        page = read(client, **after, **parameters).json()
        cursor = page["cursor"]
        found.extend(page["events"])
        return len(found) >= count

    wait_until(is_there)
    return found, str(cursor)


def problem(answer: Any) -> tuple[int, str]:
    """The HTTP status and the code of an error without a fault."""
    return answer.status_code, code(answer)


def test_events_say_what_happened_and_hold_no_text_and_no_number(client):
    [message] = write()
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    found, cursor = follow(client, 2)
    first, second = SmsEvent.objects.order_by("pk")
    common = {"guid": str(message.guid)}
    assert found == [
        {
            **common,
            "id": first.pk,
            "type": "message.pending",
            "old_status": "",
            "status": "pending",
            "error_code": "",
            "created_at": first.created_at.isoformat().replace("+00:00", "Z"),
        },
        {
            **common,
            "id": second.pk,
            "type": "message.unknown",
            "old_status": "pending",
            "status": "unknown",
            "error_code": "timeout",
            "created_at": second.created_at.isoformat().replace("+00:00", "Z"),
        },
    ]
    answer = read(client, after=cursor)
    assert (answer.status_code, answer.json()) == (200, {"events": [], "cursor": cursor})
    assert answer["Cache-Control"] == "no-store"


def test_cursor_reads_on_and_newest_begins_with_the_events_from_now_on(client):
    first = [str(message.guid) for message in write(5)]
    found, _cursor = follow(client, 5, limit=2)
    assert [event["guid"] for event in found] == first
    begun = read(client, after="newest").json()
    assert begun["events"] == []
    [later] = write()
    assert [event["guid"] for event in follow(client, 1, after=begun["cursor"])[0]] == [
        str(later.guid)
    ]


def test_without_events_the_reason_is_said(client, settings):
    settings.MOBILON_SMS_EVENTS = None
    write()
    assert problem(read(client)) == (404, "events_off")
    assert problem(read(client, after="x", wait=99)) == (404, "events_off")
    for method, path in (("get", ""), ("get", "summary/"), ("post", "search/")):
        address = f"/sms/messages/{path}?changed_after=2026-01-31T09:00:00Z"
        body = {"number": GOOD["number"]} if method == "post" else None
        answer = getattr(client, method)(address, body, format="json" if body else None)
        assert (answer.status_code, codes(answer)) == (400, {"changed_after": ["events_off"]})


@pytest.mark.parametrize(
    ("query", "faults"),
    [
        ("after=x", {"after": ["invalid"]}),
        ("after=0.0.9223372036854775808", {"after": ["invalid"]}),
        ("after=", {"after": ["required"]}),
        ("after=%00", {"after": ["null_characters_not_allowed"]}),
        ("limit=0&wait=-1", {"limit": ["min_value"], "wait": ["min_value"]}),
        ("limit=1001&wait=26", {"limit": ["max_value"], "wait": ["max_value"]}),
        ("limit=x&wait=", {"limit": ["invalid"], "wait": ["required"]}),
        ("after=newest&after=newest", {"after": ["repeated"]}),
        ("guid=1", {"guid": ["unknown_parameter"]}),
    ],
)
def test_wrong_parameter_is_named(client, query, faults):
    answer = client.get(f"{EVENTS}?{query}")
    assert (answer.status_code, codes(answer)) == (400, faults)


def test_cursor_before_deleted_events_is_refused(client):
    write(2)
    found, _cursor = follow(client, 2, limit=1)
    cursor = read(client, limit=1).json()["cursor"]
    last = SmsEvent.objects.get(pk=found[-1]["id"])
    place = {"deleted_order": last.commit_order, "deleted_id": last.pk}
    EventFeed.objects.update_or_create(pk=1, defaults=place)
    answer = read(client, after=cursor)
    assert problem(answer) == (410, "cursor_expired")
    detail = answer.json()["detail"]  # in the other order, changes in between would be missed
    assert 0 < detail.index("after=newest") < detail.index("search")
    SmsEvent.objects.all().delete()
    begun = read(client).json()
    assert read(client, after=begun["cursor"]).json() == {"events": [], **begun}


def test_cursor_that_was_not_given_out_is_no_failure_of_the_server(client):
    write()
    follow(client, 1)
    answer = read(client, after="0.9223372036854775807.1")
    if connection.vendor == "postgresql":
        assert problem(answer) == (410, "cursor_expired")
    else:
        assert answer.status_code == 200


def test_reading_needs_the_permission_to_see():
    write()
    for permission in ALL:
        answer = read(login(permission))
        assert answer.status_code == (200 if permission == "view_smsmessage" else 403)
    assert read(APIClient()).status_code == 403


def test_confined_client_reads_its_own_and_passes_over_the_others(settings, monkeypatch, clock):
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = True
    monkeypatch.setattr("django_mobilon_sms.events.reading.SEARCHED", 2)
    mine, theirs = login(*ALL), login(*ALL, name="shop")
    own = [post(mine, GOOD).json()["guid"]]
    for _ in range(5):
        post(theirs, GOOD)
    own.append(post(mine, GOOD).json()["guid"])
    assert [event["guid"] for event in follow(mine, 2)[0]] == own
    assert len(follow(theirs, 5)[0]) == 5
    assert read(mine, limit=1).json()["events"][0]["guid"] == own[0]
    waiting, cursor = clock(), read(mine, limit=1).json()["cursor"]
    assert read(mine, after=cursor).json()["events"] == []
    [event] = read(mine, after=cursor, wait=5).json()["events"]
    assert (event["guid"], waiting.now) == (own[1], 0)


def test_reading_takes_as_many_statements_for_many_events(client):
    counts = []
    for size in (1, 100):
        write(size)
        follow(client, size)
        with CaptureQueriesContext(connection) as made:
            assert len(read(client, limit=1000).json()["events"]) >= size
        counts.append(len(made))
    # Who it is; the page and where the feed begins; on MariaDB also the isolation and the ids.
    assert counts == [4 + (4 if connection.vendor == "mysql" else 2)] * 2


# Waiting


class Clock:
    """A clock that goes on only by sleeping, and what happens meanwhile."""

    def __init__(self, *happens: Any) -> None:
        self.now, self.happens = 0.0, list(happens)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.happens:
            self.happens.pop(0)()


@pytest.fixture
def clock(monkeypatch):
    def use(*happens: Any) -> Clock:
        clock = Clock(*happens)
        names = {"monotonic": clock.monotonic, "sleep": clock.sleep}
        monkeypatch.setattr(rest_events, "time", SimpleNamespace(**names))
        return clock

    return use


def nothing() -> None:
    """Nothing happens."""


def test_request_waits_for_an_event_without_a_connection(client, clock):
    begun = read(client, after="newest").json()["cursor"]
    held = []

    def look() -> None:
        held.extend(c.alias for c in connections.all(initialized_only=True) if c.connection)

    def write_one() -> None:
        write()
        wait_until(lambda: feed.read(begun).events)

    waiting = clock(look, look, write_one)
    [event] = read(client, after=begun, wait=20).json()["events"]
    assert (held, event["type"]) == ([], "message.pending")
    assert waiting.now == 3
    waiting = clock()
    assert read(client, after=begun, wait=20).json()["events"] == [event]
    assert waiting.now == 0


def test_request_answers_after_its_time_though_nothing_happened(client, clock):
    waiting = clock()
    begun = read(client, after="newest").json()
    assert (read(client, **{"after": begun["cursor"]}).json(), waiting.now) == (begun, 0)
    assert read(client, after=begun["cursor"], wait=25).json() == begun
    assert waiting.now == 25
    waiting = clock()
    assert read(client, after="newest", wait=3).json()["events"] == []
    assert waiting.now == 3


def test_newer_request_of_a_user_ends_the_wait_of_the_older(client, clock):
    begun = read(client, after="newest").json()
    other = login(*ALL, name="shop")
    waiting = clock(
        lambda: read(other, after=begun["cursor"], wait=1),
        nothing,  # while the other user waits
        lambda: read(client, after=begun["cursor"], wait=1),
    )
    assert read(client, after=begun["cursor"], wait=25).json() == begun
    assert waiting.now == 2 * (1 + 1)


def test_request_waits_though_the_cache_fails(client, clock, monkeypatch):
    begun = read(client, after="newest").json()

    def fail(*arguments: Any) -> None:
        raise ConnectionError

    for name in ("get", "set"):
        monkeypatch.setattr(cache, name, fail)
    waiting = clock()
    assert read(client, after=begun["cursor"], wait=25).json() == begun
    assert waiting.now == 25


def test_waiting_client_hears_of_a_message_that_another_thread_writes(live_server):
    user = with_password(*ALL)
    address, secret = f"{live_server.url}{EVENTS}", ("billing", "secret")
    begun = requests.get(address, {"after": "newest"}, auth=secret, timeout=PATIENCE).json()
    heard: list[Any] = []

    def listen() -> None:
        after = begun["cursor"]
        while not heard:
            page = requests.get(
                address, {"after": after, "wait": 25}, auth=secret, timeout=PATIENCE
            ).json()
            after = page["cursor"]
            heard.extend(page["events"])

    listener = threading.Thread(target=listen)
    listener.start()
    wait_until(lambda: cache.get(f"mobilon_sms_events_{user.pk}"))
    [message] = write()
    listener.join(PATIENCE)
    assert [event["guid"] for event in heard] == [str(message.guid)]


# The filter


def test_list_of_what_changed_is_read_from_the_events(client):
    old, new = write(2, tag="a")
    [event] = SmsEvent.objects.filter(message_id=new.pk)
    SmsEvent.objects.filter(message_id=old.pk).update(
        created_at=event.created_at - timedelta(seconds=1)
    )
    guids = {}
    for name, moment in {
        "both": event.created_at - timedelta(seconds=1),
        "new": event.created_at,
        "none": event.created_at + timedelta(microseconds=1),
    }.items():
        query = {"changed_after": moment.isoformat(), "tag": "a"}
        answer = client.get("/sms/messages/", query).json()["results"]
        guids[name] = [one["guid"] for one in answer]
        counted = client.get("/sms/messages/summary/", query).json()["statuses"]
        assert sum(one["messages"] for one in counted) == len(answer)
    assert guids == {"both": [str(new.guid), str(old.guid)], "new": [str(new.guid)], "none": []}
    SmsMessage.objects.filter(pk=old.pk).hold(ErrorCode.TIMEOUT)  # two events since
    query = {"changed_after": (event.created_at - timedelta(seconds=2)).isoformat()}
    assert len(client.get("/sms/messages/", query).json()["results"]) == 2
    query["status"] = "unknown"
    assert len(client.get("/sms/messages/", query).json()["results"]) == 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("2020-01-31T09:00:00Z", "too_old"),
        ("2026-01-31T09:00:00", "naive"),
        ("", "required"),
        ("2026-13-31T09:00:00Z", "invalid"),
    ],
)
def test_time_before_the_oldest_events_is_refused(client, value, named):
    answer = client.get("/sms/messages/", {"changed_after": value})
    assert (answer.status_code, codes(answer)) == (400, {"changed_after": [named]})


def test_list_of_what_changed_reads_no_whole_table(client):
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO mobilon_sms_smsevent"
            " (guid, message_id, old_status, status, error_code, created_at, commit_order)"
            " SELECT guid, id, '', status, '', created_at, 1 FROM mobilon_sms_smsmessage"
        )
        cursor.execute("ANALYZE mobilon_sms_smsevent")
    newest = SmsEvent.objects.latest("created_at").created_at
    for days in (0, 1, 29):
        with CaptureQueriesContext(connection) as made:
            time = (newest - timedelta(days=days)).isoformat()
            assert client.get("/sms/messages/", {"changed_after": time}).status_code == 200
        [sql] = [one["sql"] for one in made if "smsevent" in one["sql"]]
        for table in ("mobilon_sms_smsmessage", "mobilon_sms_smsevent"):
            assert faults(sql, table=table, most=2000) == [], (days, sql)
