"""The page of reports, through the admin's door."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from django_mobilon_sms.admin.reports import figures
from django_mobilon_sms.choices import ErrorCode, Outcome, Status
from django_mobilon_sms.models import CountedDay, GatewayState, SmsBatch, SmsMessage, db_now
from django_mobilon_sms.operations import count_days, monitoring, purge
from tests.support.admin_door import EVERYTHING, JOURNAL, LIST, REPORTS, change, person, text_of
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

RANGE = {"start": "2026-03-01", "end": "2026-03-31"}
NOON = datetime(2026, 3, 5, 5, tzinfo=timezone.utc)  # in Krasnoyarsk
SECOND = timedelta(seconds=1)


def put(count=1, *, at=NOON, took=None, **values):
    """Write messages at this time, sent after ``took`` seconds if given."""
    sent = {"sent_at": at + took * SECOND, "status": Status.SENT} if took is not None else {}
    if {"status", "sent_at"} & {*values, *sent} and values.get("status") != Status.PENDING:
        sent = {"gateway_id": "a1", "accepted_at": at} | sent
    fields = {name: values.pop(name) for name in ("tag", "source", "text") if name in values}
    times = {"created_at": at, "send_at": at, "due_at": at}
    return [change(message, **times | sent | values) for message in write(count, **fields)]


def shown(client, query=RANGE):
    response = client.get(REPORTS, query)
    assert response.status_code == 200
    return response


def test_report_counts_messages_and_segments_by_status_and_day(client):
    put(2, took=3)
    put(text="я" * 100, took=4)
    put(status=Status.FAILED, error_code=ErrorCode.REJECTED)
    put(at=datetime(2026, 3, 5, 16, 59, tzinfo=timezone.utc))  # 23:59 here
    put(at=datetime(2026, 3, 5, 17, 0, tzinfo=timezone.utc))  # the next day
    put(at=datetime(2026, 2, 28, 16, 59, tzinfo=timezone.utc))  # before the range
    put(at=datetime(2026, 3, 31, 17, 0, tzinfo=timezone.utc))  # after it
    response = shown(client)
    assert [
        (label, [tuple(tally) for tally in tallies], tuple(total))
        for label, tallies, total in response.context["rows"]
    ] == [
        ("03/06/2026", [(0, 0), (1, 1), (0, 0)], (1, 1)),
        ("03/05/2026", [(3, 4), (1, 1), (1, 1)], (5, 6)),
    ]
    assert tuple(response.context["total"]) == (6, 7)
    text = text_of(response)
    assert "Day Sent Pending Failed Total" in text
    assert "Total 3 / 4 2 / 2 1 / 1 6 / 7" in text
    assert "3 of 4 messages were sent or delivered" in text
    assert "Sent 75 %" in text


def test_chart_is_drawn_by_the_server_without_any_style_or_script_in_the_page(client):
    put(3, took=3)
    html = shown(client).content.decode()
    bars = re.findall(r'<rect x=[^>]*class="mobilon-sms-bar mobilon-sms-bar-sent"><title>', html)
    assert len(bars) == 2  # messages, and parts
    assert "<title>03/05/2026, sent: 3</title>" in html
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", html) == []


def test_time_to_sent_counts_from_when_a_message_was_to_go_out(client):
    for seconds in (1, 2, 3, 4, 5):
        put(took=seconds)
    [late] = put(took=3600 + 59)
    change(late, send_at=NOON + 3600 * SECOND)
    put(took=-2)  # the gateway's clock goes behind
    put(status=Status.ACCEPTED)
    period = shown(client)
    assert (period.context["median"], period.context["slowest"]) == ("3 seconds", "59 seconds")
    put(took=2 * 3600 + 119)
    assert shown(client).context["slowest"].replace("\xa0", " ") == "2 hours, 1 minute"


def test_reasons_tags_and_senders_are_listed(client):
    put(2, tag="sale", took=3)
    put(tag="sale", status=Status.FAILED, error_code=ErrorCode.REJECTED)
    put(2, source="111", status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    put(tag="wait")
    response, text = shown(client), text_of(shown(client))
    assert [tuple(each.values()) for each in response.context["reasons"]] == [
        ("timeout", 0, 2, ErrorCode.TIMEOUT.label),
        ("rejected", 1, 0, ErrorCode.REJECTED.label),
    ]
    assert "Tag Messages Parts Sent Failed Unknown sale 3 3 2 (66.7 %) 1 0 wait 1 1 0 0 0" in text
    assert "111 2 2 0 (0 %) 0 2" in text
    assert f'href="{LIST}?error_code__exact=rejected"' in response.content.decode()


def test_only_the_tags_with_the_most_messages_are_named(client, monkeypatch):
    monkeypatch.setattr(figures, "MAX_NAMES", 2)
    for count, tag in enumerate(["once", "twice", "three times"], start=1):
        put(count, tag=tag)
    names = [row["name"] for row in shown(client).context["names"][0][2]]
    assert names == ["three times", "twice", ""]
    assert "twice 2 2 0 0 0 others 1 1 0 0 0" in text_of(shown(client))


def test_share_is_never_rounded_up_to_100_percent(client, monkeypatch):
    from django_mobilon_sms.admin.reports.page import _percent

    assert [_percent(*pair) for pair in ((9999, 10_000), (3, 3), (0, 0), (1, 3))] == [
        99.9, 100.0, None, 33.3,
    ]  # fmt: skip


def test_last_day_is_shown_by_the_hour(client):
    write(2)
    response = shown(client, {"period": "day"})
    [(label, _tallies, total)] = response.context["rows"]
    assert (tuple(total), "Hour Pending Total" in text_of(response)) == ((2, 2), True)
    assert re.fullmatch(r"\d+ [ap]\.m\.|noon|midnight", label)


def test_clock_that_changes_keeps_each_message_in_its_day(client, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    put(at=datetime(2026, 3, 28, 22, 59, tzinfo=timezone.utc))  # 23:59 in winter
    put(at=datetime(2026, 3, 29, 0, 59, tzinfo=timezone.utc))
    put(at=datetime(2026, 3, 29, 21, 59, tzinfo=timezone.utc))  # 23:59 in summer
    put(at=datetime(2026, 3, 29, 22, 0, tzinfo=timezone.utc))
    rows = [(label, total.messages) for label, _, total in shown(client).context["rows"]]
    assert rows == [("03/30/2026", 1), ("03/29/2026", 2), ("03/28/2026", 1)]


def test_empty_report_says_so(client):
    text = text_of(shown(client))
    assert "No messages were created in this period." in text
    assert "it is empty now" in text
    assert "No request has been made yet." in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"start": "2025-01-01", "end": "2026-12-31"}, "To: Choose at most 366 days, not 730."),
        ({"start": "garbage", "end": "\0"}, "From: Enter a valid date."),
        ({"start": "0001-01-01", "end": "9999-12-31"}, "From: Choose a day between the years"),
    ],
)
def test_wrong_range_is_an_error_but_the_queue_is_shown(client, query, said):
    text = text_of(shown(client, query))
    assert said in text
    assert "Waiting to be sent" in text
    assert "No messages were created" not in text


def test_report_is_in_russian(client):
    put(2, took=1)
    response = client.get(REPORTS, RANGE, headers={"accept-language": "ru"})
    text = text_of(response)
    assert "Отправлено или доставлено 2 из 2" in text
    assert "1 секунда" in text
    assert "05.03.2026" in text


# The queue and the gateway now


def test_queue_shows_its_length_age_and_rate(client):
    now = db_now()
    messages = write(6)
    change(messages[0], due_at=now - timedelta(minutes=20), priority=9)
    change(messages[1], due_at=now + timedelta(hours=1))
    SmsBatch.objects.create(
        worker="a:1", lease_until=now, outcome=Outcome.ANSWERED, closed_at=now,
        guids=[str(n) for n in range(20)],
    )  # fmt: skip
    response = shown(client)
    found = response.context["queue"]
    assert (found.waiting, response.context["has_more"], round(found.rate)) == (5, False, 2)
    assert round(found.time_to_empty.total_seconds()) == 150
    text = text_of(response).replace("\xa0", " ")
    assert "Waiting to be sent 5" in text
    assert "The oldest has waited 20 minutes" in text
    assert "Messages per minute, last 10 minutes 2" in text
    assert "Queue empty in about 2 minutes" in text
    assert "answered – 20 a:1" in text


def test_rate_is_that_of_the_latest_batches(monkeypatch):
    monkeypatch.setattr(monitoring, "RATE_REQUESTS", 2)
    now = datetime.now(timezone.utc)
    for seconds in (1, 30, 300):
        batch = SmsBatch.objects.create(
            worker="a:1", lease_until=now, outcome=Outcome.ANSWERED, closed_at=now, guids=["a"] * 50
        )
        SmsBatch.objects.filter(pk=batch.pk).update(created_at=now - seconds * SECOND)
    rate = monitoring.observe().rate
    assert rate == pytest.approx(200, rel=0.2)  # 100 in the last 30 seconds


def test_time_to_empty_is_unknown_while_nothing_is_sent(client, monkeypatch):
    write(3)
    monkeypatch.setattr(monitoring, "COUNT_LIMIT", 2)
    text = text_of(shown(client))
    assert "unknown: nothing was sent" in text
    assert "Waiting to be sent more than 2" in text


def test_gateway_is_paused_from_the_report_and_leads_back_to_it(client):
    page = f"{REPORTS}?period=day"
    html = client.get(page).content.decode()
    assert f'name="back" value="{page}"' in html
    response = client.post(f"{LIST}gateway/pause/", {"back": page}, follow=True)
    assert response.redirect_chain == [(page, 302)]
    assert "by anna. Resume sending" in text_of(response)
    assert GatewayState.objects.get().paused_by.username == "anna"
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("back", ["https://example.com/", "//example.com", ""])
def test_switch_leads_to_no_other_site(client, back):
    assert client.post(f"{LIST}gateway/pause/", {"back": back})["Location"] == LIST


def test_report_needs_its_permission_and_shows_batches_only_with_theirs():
    batch = SmsBatch.objects.create(worker="host-7:1", lease_until=db_now())
    reader = person("view_smsmessage", name="reader")
    text = shown(reader).content.decode()
    assert ("host-7" in text, "gateway/pause" in text) == (False, False)
    assert f'href="{JOURNAL}{batch.pk}/change/"' in shown(person(*EVERYTHING)).content.decode()
    assert person("add_smsmessage", name="writer").get(REPORTS).status_code == 403
    assert Client().get(REPORTS).status_code == 302
    assert reader.post(REPORTS).status_code == 405


def test_looking_at_the_report_writes_nothing(client):
    shown(client)
    assert GatewayState.objects.count() == 0
    assert SmsMessage.objects.count() == 0


def test_tags_are_escaped(client):
    put(tag="<script>alert(1)</script>")
    assert "<script>alert" not in shown(client).content.decode()


def test_report_counts_deleted_messages_and_says_as_of_when(client):
    at = db_now_at_noon()
    period = {"start": (at - timedelta(days=1)).date(), "end": at.date()}
    put(2, at=at, tag="sale", took=3)
    put(at=at, tag="sale", status=Status.FAILED, error_code=ErrorCode.REJECTED)
    put(at=at)
    fields = ("rows", "total", "share", "median", "reasons", "names")
    counted_now = shown(client, period)
    count_days()
    before = [counted_now.context[name] for name in fields]
    assert [shown(client, period).context[name] for name in fields] == before
    purge(timedelta(hours=1))
    response = shown(client, period)
    assert SmsMessage.objects.count() == 1
    assert [response.context[name] for name in fields] == before
    assert response.context["as_of"] == CountedDay.objects.get(day=at.date()).counted_at
    assert "Deleted messages stay counted" in text_of(response)
    assert "as of" not in text_of(shown(client, {"period": "day"}))


def db_now_at_noon():
    """Return noon in Krasnoyarsk, three days ago."""
    now = datetime.now(timezone.utc).replace(hour=5, minute=0, second=0, microsecond=0)
    return now - timedelta(days=3)
