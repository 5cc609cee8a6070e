"""The queries of the admin and the REST API: how many, and their plans."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import WorkerKind
from django_mobilon_sms.models import Heartbeat, SmsMailing, SmsMessage, has
from django_mobilon_sms.operations import count_days
from tests.support.admin_door import (
    DECIDE,
    EVERYTHING,
    JOURNAL,
    LIST,
    REPORTS,
    change,
    person,
    unknown,
)
from tests.support.messages import write
from tests.support.plans import faults, fill, steps, vacuum
from tests.support.rest_door import ALL, GOOD, login, post

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

REST = "/sms/messages/"


@pytest.fixture
def operator():
    Heartbeat.objects.beat(WorkerKind.LOOP, "sms-1")  # so that nobody counts what waits
    return person(*EVERYTHING)


@pytest.fixture
def program():
    cache.clear()  # of what the throttles have counted
    return login(*ALL)


@pytest.fixture
def full():
    """A full table, where its plans can be read."""
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL's plans are read")
    fill()


def plans(client, addresses, body=None):
    """The faults of the plans behind these addresses, by the address; a body is posted to them."""
    found = {}
    for address in addresses:
        with CaptureQueriesContext(connection) as captured:
            answer = client.post(address, body, format="json") if body else client.get(address)
            assert answer.status_code == 200
        asked = [query["sql"] for query in captured if SmsMessage._meta.db_table in query["sql"]]
        assert asked
        found[address] = [fault for sql in asked for fault in faults(sql)]
    return {address: named for address, named in found.items() if named}


def addresses(door, *queries):
    return [f"{door}?{urlencode(query)}" for query in queries]


# The admin


# Session, user, the permissions of user and groups, the gateway's state, the last heartbeat, what
# waits for a decision, the senders to choose from, the bounded count, the page.
PAGE = 10


def test_list_takes_the_same_queries_whatever_it_shows(operator, django_assert_num_queries):
    write(30)
    for query in (
        {},
        {"status__exact": "pending"},
        {"decision": "none"},
        {"o": "-5"},
        {"tag": "x"},
    ):
        with django_assert_num_queries(PAGE):
            operator.get(LIST, query)
    with django_assert_num_queries(PAGE - 4):
        operator.get(JOURNAL)
    with django_assert_num_queries(PAGE + 2):  # and where the recent messages begin and end
        operator.get(LIST, {"source": "89234560000"})


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("+79135292926", 2),  # whether it is a gateway id or a tag
        ("8913", 2),
        ("a1b2c3", 2),
        ("order 7", 2),
        ("заказ", 4),  # and where the texts begin and end that are searched
        ("a1b2c4", 0),  # neither, and no words: no page is read
        ("{guid}", 0),
    ],
)
def test_search_takes_few_more_queries(operator, django_assert_num_queries, typed, more):
    [message] = write(tag="order 7")
    change(message, gateway_id="a1b2c3")
    with django_assert_num_queries(PAGE + more):
        operator.get(LIST, {"q": typed.format(guid=message.guid)})


def test_list_reads_no_whole_table(operator, full):
    queries = addresses(
        LIST,
        {},
        {"p": 100},
        {"status__exact": "pending"},
        {"status__exact": "sent"},
        {"status__exact": "failed"},
        {"decision": "none"},
        {"created_at__gte": "2000-01-01 00:00:00+00:00"},
        {"waits": "long"},
        {"tag": "sale-3"},
        {"tag": "order-0"},
        {"source": "89234560000"},
        {"source": "none"},
        {"error_code__exact": "rejected"},
        {"error_code__exact": "no_id"},
        {"o": "2"},
        {"o": "-5"},
    )
    assert plans(operator, queries) == {}


@pytest.mark.django_db(transaction=True)
def test_undecided_messages_are_counted_without_decided_ones(operator, full):
    vacuum()
    with CaptureQueriesContext(connection) as captured:
        operator.get(LIST)
    counts = [query["sql"] for query in captured if "COUNT(*)" in query["sql"]]
    [undecided] = [sql for sql in counts if "resolution" in sql]
    assert [step for step in steps(undecided) if "resolution" in step.get("Index Cond", "")]


def test_search_reads_no_whole_table(operator, full):
    message = SmsMessage.objects.filter(status="sent")[0]
    typed = [
        message.number,
        "+79990000000",
        "8913",
        "+791355",
        "+7800",
        str(message.guid),
        str(uuid4()),
        message.gateway_id,
        f"{0:024}",
        "order-5",
        "sale-3",
        "order-0",
        "заказ готов",
        "нет такого",
    ]
    queries = [*({"q": each} for each in typed), {"q": "sale-3", "status__exact": "failed"}]
    assert plans(operator, addresses(LIST, *queries)) == {}


@pytest.mark.parametrize("confirmed", [False, True])
def test_page_of_a_mailing_reads_no_whole_table(operator, full, confirmed):
    lines = "".join(f"{message.number}\n" for message in SmsMessage.objects.all()[:600])
    mailing = SmsMailing.objects.create(
        name="sale", text="x", file=f"phone\n{lines}".encode(), file_name="list.csv"
    )
    page = f"/admin/mobilon_sms/smsmailing/{mailing.pk}/change/"
    if confirmed:
        operator.post(page.replace("change", "confirm"), {"leave_out_recent": "yes"})
    assert plans(operator, [page]) == {}


def test_pages_about_messages_take_the_same_queries_for_many_rows(
    operator, django_assert_num_queries
):
    [first] = unknown(1)
    user = User.objects.get()
    LogEntry.objects.log_actions(user.pk, SmsMessage.objects.all(), CHANGE, "Looked at it.")
    # As a list; the message, its batch, its content type, the newest entry of the log and its own;
    # for each of six actions whether it is possible.
    asked = 4 + 5 + 6
    for _ in range(2):
        ContentType.objects.clear_cache()
        with django_assert_num_queries(asked):
            operator.get(f"{LIST}{first.pk}/change/")
        with django_assert_num_queries(4 + 5):  # the keys, reasons, batches, messages, resendable
            operator.get(DECIDE)
        unknown(20)


# As a page, without the list: the gateway's state twice, the last heartbeat, what is due, the
# oldest of each of three priorities, the rate, the last batches.
QUEUE = 7 + 2 + 4 + 2
# The days that are counted, twice; their totals by day, and in all; the oldest and the newest
# message; of today: by status, the frequent tags, by tag; the time.
BY_DAY = 2 + 2 + 2 + 3 + 1
# Of 24 hours: by hour, by status, the frequent tags, by tag.
BY_HOUR = 4


@pytest.mark.parametrize(
    ("query", "count"), [({}, BY_DAY), ({"period": "month"}, BY_DAY), ({"period": "day"}, BY_HOUR)]
)
def test_report_takes_the_same_queries_for_many_rows(
    operator, django_assert_num_queries, query, count
):
    write(30, tag="order 7")
    with django_assert_num_queries(QUEUE + count):
        assert operator.get(REPORTS, query).status_code == 200
    with django_assert_num_queries(QUEUE):  # no period, no figures
        operator.get(REPORTS, {"start": "x", "end": "y"})


def test_year_reads_no_whole_table(operator, program, full):
    count_days()
    today = datetime.now(timezone.utc).date()
    year = {"start": today - timedelta(days=365), "end": today}
    assert plans(operator, addresses(REPORTS, year)) == {}
    queries = (
        {"created_after": f"{year['start']}T00:00:00Z"} | more for more in ({}, {"source": "1"})
    )
    assert plans(program, addresses(f"{REST}summary/", *queries)) == {}


def test_report_reads_only_messages_of_its_period(operator, full):
    assert plans(operator, addresses(REPORTS, {}, {"period": "day"})) == {}


# The REST API


@pytest.mark.parametrize("query", [{}, {"status": "pending"}])
def test_rest_list_takes_one_query(program, django_assert_num_queries, query):
    write(30)
    program.get(REST)
    with django_assert_num_queries(5):  # session, user, permissions of user and groups, the page
        assert len(program.get(REST, query).json()["results"]) == 30


@pytest.mark.parametrize(("named", "asked"), [({}, 8), ({"guid": str(uuid4())}, 9)])
def test_message_is_written_by_one_statement(program, django_assert_num_queries, named, asked):
    with django_assert_num_queries(asked):  # as the list, in a transaction; the stop list; the guid
        assert post(program, GOOD | named).status_code == 201


def test_list_is_written_by_one_statement(program, django_assert_num_queries):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite takes few rows in one statement")
    rows = [GOOD | {"guid": str(uuid4())} for _ in range(1000)]
    with django_assert_num_queries(9):
        assert post(program, rows).status_code == 201
    with django_assert_num_queries(5):
        assert post(program, rows).status_code == 200


def test_rest_list_reads_no_whole_table(program, full):
    filters = [
        {},
        {"status": "sent"},
        {"status": "failed"},
        {"status": ["failed", "unknown"]},
        {"tag": "sale-3"},
        {"tag": "order-0"},
        {"created_after": "2000-01-01T00:00:00Z"},
        {"error_code": "rejected"},
        {"error_code": "no_id"},
        {"error_code": "timeout", "status": "unknown"},
        {"error_code": "rejected", "created_after": "2000-01-01T00:00:00Z"},
        {"source": "89234560000", "status": "failed"},
        {"source": "none", "status": "failed"},
        {"source": "none", "created_after": month_ago()},
    ]
    middle = SmsMessage.objects.order_by("pk")[10_000]
    deep = b64encode(f"p={middle.guid}".encode()).decode()
    pages = [f"{REST}?{urlencode(each, doseq=True)}" for each in filters]
    assert plans(program, [*pages, *(f"{page}&cursor={deep}" for page in pages)]) == {}


def test_rest_search_reads_no_whole_table(program, full):
    middle = SmsMessage.objects.order_by("pk")[10_000]
    pages = addresses(f"{REST}search/", {}, {"status": "sent"}, {"ordering": "-sent_at"})
    for number in (middle.number, "+79990000000"):
        assert plans(program, pages, {"number": number}) == {}


def month_ago():
    newest = SmsMessage.objects.latest("created_at").created_at
    return (newest - timedelta(days=30)).isoformat()


@pytest.mark.parametrize("field", ["created_at", "sent_at"])
def test_rest_list_in_the_order_of_time_reads_no_whole_table(program, full, field):
    middle = SmsMessage.objects.filter(sent_at__isnull=False).order_by("pk")[10_000]
    place = urlencode({"p": f"{getattr(middle, field).isoformat()},{middle.guid}"})
    deep = urlencode({"cursor": b64encode(place.encode()).decode()})
    filters = [{}, {"status": "failed"}, {"tag": "sale-3"}, {"created_after": month_ago()}]
    pages = [
        f"{REST}?{urlencode(each | {'ordering': f'{sign}{field}'})}"
        for each in filters
        for sign in ("", "-")
    ]
    assert plans(program, [*pages, *(f"{page}&{deep}" for page in pages)]) == {}


def test_rest_summary_counts_no_more_than_it_may(program, full, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.rest.messages.summary.MAX_COUNTED", 500)
    queries = addresses(
        f"{REST}summary/",
        {},
        {"status": "sent"},
        {"tag": "sale-3"},
        {"created_after": "2000-01-01T00:00:00Z"},
        {"sent_after": "2000-01-01T00:00:00Z", "sent_before": "2900-01-01T00:00:00Z"},
        {"error_code": "rejected"},
    )
    assert plans(program, queries) == {}


def test_rest_list_of_own_messages_reads_no_whole_table(program, full, settings, monkeypatch):
    monkeypatch.setattr("django_mobilon_sms.rest.messages.summary.MAX_COUNTED", 500)
    settings.MOBILON_SMS_REST_OWN_MESSAGES_ONLY = True
    user = User.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE mobilon_sms_smsmessage SET created_by_id = %s WHERE id %% 3 = 0", [user.pk]
        )
        cursor.execute("ANALYZE mobilon_sms_smsmessage")
    queries = addresses(REST, {}, {"status": "failed"})
    assert plans(program, [*queries, f"{REST}summary/"]) == {}
    assert plans(program, [f"{REST}search/"], {"number": "+79990000000"}) == {}


@pytest.mark.parametrize("field", ["tag", "gateway_id", "error_code"])
def test_index_without_the_empty_values_is_used_on_sqlite_too(field):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite needs the condition of the index in the query")
    plan = SmsMessage.objects.filter(has(field, "sale-17")).explain()
    assert f"INDEX mobilon_sms_{field.removesuffix('_code')}" in plan
    assert "SCAN" not in plan
