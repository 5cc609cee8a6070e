"""The list of messages, through the admin's door."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.staticfiles import finders
from django.utils.html import strip_tags

from django_mobilon_sms.admin import bounded_paginator
from django_mobilon_sms.admin.actions import menu
from django_mobilon_sms.admin.messages import search
from django_mobilon_sms.choices import ErrorCode, Outcome, Resolution, Status, WorkerKind
from django_mobilon_sms.models import Heartbeat, SmsBatch, SmsMailing, SmsMessage, db_now
from tests.support.admin_door import ADD, LIST, change, page, text_of
from tests.support.messages import asked_batch, write

pytestmark = pytest.mark.django_db

XSS = "<script>alert(1)</script>\"'&"


def found(client, **query):
    """The messages that the list shows for this address, newest first."""
    response = client.get(LIST, query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def test_list_shows_status_number_text_parts_sender_tag_and_times(client):
    write(text="Ваш заказ\n готов " + "и ждёт " * 20, tag="sale", source="89230000001")
    html = client.get(LIST).content.decode()
    row = re.search(r"<tbody>.*?</tbody>", html, re.S)[0]
    assert '<span class="mobilon-sms-badge mobilon-sms-pending">pending</span>' in row
    assert "Ваш заказ готов и ждёт и ждёт" in row
    assert len(re.search(r'field-beginning">([^<]*)<', row)[1]) == 50
    for shown in (">+7 913 529-29-26</a>", 'field-segments">3<', ">89230000001<", ">sale<"):
        assert shown in row


COLUMNS = "Status Number Text Created at Sent at"


def test_column_is_shown_if_a_row_of_the_page_says_more_in_it_than_usual(client):
    def columns(**query):
        table = client.get(LIST, query).content.decode()
        heads = re.search(r"<thead>.*?</thead>", table, re.S)[0]
        return re.sub(r"\W+", " ", strip_tags(heads)).strip().replace("Toggle all", "").strip()

    write()
    assert columns() == COLUMNS
    write(tag="sale")
    write(text="и ждёт " * 20)
    write(source="89230000001")
    assert columns() == f"{COLUMNS} Parts Tag Sender"
    assert columns(tag="sale") == f"{COLUMNS} Tag"
    assert columns(source="89230000001") == f"{COLUMNS} Sender"


def test_empty_list_says_what_to_do(client, reader):
    nothing = "No messages yet. They appear here as soon as a program or a person writes one."
    assert f"{nothing} Write the first message" in text_of(client.get(LIST))
    assert nothing in text_of(reader.get(LIST))
    assert "Write the first" not in text_of(reader.get(LIST))
    for query in ({"q": "order"}, {"tag": "sale"}):
        shown = text_of(client.get(LIST, query))
        assert "No message matches the search and the filters. Show all messages" in shown
    write()
    assert "No message" not in text_of(client.get(LIST))


def test_chosen_filters_are_named_beside_the_folded_ones(client):
    write(tag="sale")
    assert "Clear all filters" not in text_of(client.get(LIST))
    shown = text_of(client.get(LIST, {"status__exact": "pending", "tag": "sale", "waits": "x"}))
    assert "status: pending tag: sale Clear all filters" in shown
    mailing = SmsMailing.objects.create(name="sale", text="x")
    one, none = ({"mailing__exact": pk} for pk in (mailing.pk, mailing.pk + 1))
    assert f"mailing: sale #{mailing.pk} Clear all filters" in text_of(client.get(LIST, one))
    shown = text_of(client.get(LIST, none))
    assert f"mailing: #{mailing.pk + 1} Clear all filters No message matches" in shown
    day = {"created_at__gte": "2001-01-01 00:00:00+00:00"}
    assert "Clear all filters" in text_of(client.get(LIST, day))


@pytest.mark.parametrize("word", [*Status.values, *Outcome.values, "none"])
def test_every_status_and_outcome_has_its_colour(word):
    css = Path(finders.find("mobilon_sms/admin.css")).read_text()
    assert word in ("pending", "expired", "cancelled") or f".mobilon-sms-{word}" in css


def test_text_is_hidden_from_those_who_may_not_see_it(reader):
    [message] = write(text="пароль Zq4711")
    for address in (LIST, page(message)):
        shown = text_of(reader.get(address))
        assert ("hidden" in shown, "Zq4711" in shown) == (True, False)


@pytest.mark.parametrize(
    "query",
    [
        {"text__startswith": "п"},
        {"text__contains": "Zq4711"},
        {"text": "пароль Zq4711"},
        {"created_by__password__startswith": "p"},
        {"status__exact": "\0"},
        {"decision": "\0"},
        {"_to_field": "text"},
    ],
)
def test_address_cannot_ask_what_the_filters_do_not(reader, query):
    write(text="пароль Zq4711")
    assert reader.get(LIST, query).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        {"priority__exact": "abc"},
        {"created_at__gte": "yesterday"},
    ],
)
def test_filter_that_makes_no_sense_leads_to_the_whole_list(client, query):
    response = client.get(LIST, query)
    assert (response.status_code, response["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.parametrize(
    "query",
    [
        {"status__exact": "no_such"},
        {"priority__exact": "9" * 30},
        {"decision": "x"},
        {"p": "9" * 30},
        {"p": "-3"},
        {"all": "", "e": "1"},
    ],
)
def test_filter_by_what_does_not_exist_is_no_error(client, query):
    write()
    assert client.get(LIST, query).status_code == 200


def test_filters_narrow_the_list(client):
    pending, decided, open_ = (*write(2), *write(priority=9))
    change(decided, status=Status.UNKNOWN, error_code=ErrorCode.HELD, resolution="given_up")
    change(open_, status=Status.UNKNOWN, error_code=ErrorCode.LOST)
    assert found(client, status__exact="pending") == [pending]
    assert found(client, priority__exact="9") == [open_]
    assert found(client, decision="none") == [open_]
    assert found(client, decision="given_up") == [decided]
    assert found(client, error_code__exact="held") == [decided]
    assert found(client, created_at__lt="2001-01-01 00:00:00+00:00") == []
    assert found(client) == [open_, decided, pending]


def test_list_is_narrowed_by_sender_tag_and_error(client):
    first, second = [*write(tag="sale", source="111"), *write(tag="sale-2", source="222")]
    change(first, status=Status.FAILED, error_code=ErrorCode.REJECTED)
    assert found(client, tag="sale") == [first]
    assert found(client, tag=" sale-2 ") == [second]
    assert found(client, tag="") == [second, first]
    assert found(client, source="222") == [second]
    assert found(client, source="333") == []
    assert found(client, error_code__exact="rejected", tag="sale") == [first]
    assert found(client, error_code__exact="timeout") == []


def test_senders_of_recent_messages_are_offered_and_older_ones_not_searched(client):
    [old, _recent] = [*write(source="111"), *write(source="222")]
    change(old, created_at=db_now() - timedelta(days=31))
    shown = text_of(client.get(LIST, {"source": "999"}))
    assert "By sender, last 30 days All 111 222 999" in shown
    assert found(client, source="111") == []


def test_tag_is_typed_beside_the_other_filters(client):
    html = client.get(LIST, {"status__exact": "pending", "p": "1", "tag": XSS}).content.decode()
    form = re.search(r'<form method="get" class="mobilon-sms-typed">.*?</form>', html, re.S)[0]
    assert '<input type="hidden" name="status__exact" value="pending">' in form
    assert 'name="p"' not in form
    assert XSS not in form
    assert 'href="?status__exact=pending"' in form


def test_message_that_is_just_due_waits(client):
    write()
    assert 'field-sent">waits<' in client.get(LIST).content.decode()


@pytest.mark.databases
def test_what_waits_too_long_is_found_and_says_so(client):
    minutes = {"overdue": 16, "soon": 14, "later": -60}
    rows = {name: write()[0] for name in minutes}
    for name, ago in minutes.items():
        change(rows[name], due_at=db_now() - timedelta(minutes=ago))
    assert found(client, waits="long") == [rows["overdue"]]
    assert found(client, waits="x") == [rows["later"], rows["soon"], rows["overdue"]]
    shown = text_of(client.get(LIST))
    assert "overdue: 16 minutes" in shown.replace("\xa0", " ")
    assert "overdue: 14 minutes" not in shown.replace("\xa0", " ")
    assert re.search(r"field-sent.>planned: <time ", client.get(LIST).content.decode())


def test_accepted_message_waits_for_its_report_and_an_ended_one_for_nothing(client):
    [message] = write()
    ago = db_now() - timedelta(hours=2)
    given = {"gateway_id": "a1", "accepted_at": ago, "batch": asked_batch()}
    change(message, status=Status.ACCEPTED, **given)
    assert 'field-sent">waits for the report: 2\xa0hours<' in client.get(LIST).content.decode()
    change(message, accepted_at=db_now())
    assert 'field-sent">waits for the report<' in client.get(LIST).content.decode()
    SmsBatch.objects.update(next_check_at=None)
    assert 'field-sent">-<' in client.get(LIST).content.decode()


OFFERED = {
    "status__exact=pending": {"send_now", "cancel"},
    "status__exact=sending": set(),
    "status__exact=accepted": {"refresh", "delete_selected"},
    "status__exact=failed": {"copy", "delete_selected"},
    "status__exact=unknown": {"decide", "delete_selected"},
    "decision=none": {"decide", "delete_selected"},
    "waits=long": {"send_now", "cancel"},
    "status__exact=failed&decision=none": {"delete_selected"},
    "status__exact=x": {"send_now", "refresh", "cancel", "copy", "decide", "delete_selected"},
}


@pytest.mark.parametrize("narrowed", OFFERED)
def test_narrowed_list_offers_only_what_is_possible_there(client, narrowed):
    for status in ("pending", "sending", "accepted", "failed", "unknown"):
        [message] = write()
        batch = SmsBatch.objects.create(worker="a:1", lease_until=db_now())
        given = {"gateway_id": "a1", "accepted_at": db_now(), "batch": batch}
        change(message, status=status, due_at=db_now() - timedelta(hours=1), **given)
    form = client.get(f"{LIST}?{narrowed}").context["action_form"]
    options = {name for name, _label in form.fields["action"].choices if name} if form else set()
    assert options == OFFERED[narrowed]


@pytest.mark.parametrize("status", Status.values)
@pytest.mark.parametrize("resolution", ["", "sent"])
def test_row_offers_all_that_is_possible_for_it(client, status, resolution):
    [message] = write()
    batch = SmsBatch.objects.create(worker="a:1", lease_until=db_now())
    given = {"gateway_id": "a1", "accepted_at": db_now(), "batch": batch, "status": status}
    change(message, resolution=resolution, **given)
    possible = {action.name for action in menu.for_message(message.pk)}
    html = client.get(LIST).content.decode()
    assert set(re.search(r'data-possible="([^"]*)"', html)[1].split()) - {"delete_selected"} == (
        possible
    )


@pytest.mark.parametrize("order", ["3", "-2.1", "99", "x", "\0"])
def test_order_in_the_address_never_fails(client, order):
    write(2)
    assert len(found(client, o=order)) == 2


def test_list_counts_nothing_it_need_not_and_asks_the_same_for_more_rows(
    client, django_assert_max_num_queries
):
    write(30)
    client.get(LIST)
    Heartbeat.objects.beat(WorkerKind.LOOP, "sms-1")  # so that nobody counts what waits
    with django_assert_max_num_queries(10):
        assert len(found(client)) == 30


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("+79135292926", True),
        ("8 (913) 529-29-26", True),
        ("9135292926", True),
        ("  79135292926 ", True),
        ("8913", True),
        ("+7 (913) 52", True),
        ("913", True),
        ("79135", True),
        ("+7914", False),
        ("91", False),
        ("+7 913 529-29-27", False),
        ("a1b2c3", True),
        ("A1B2C", False),
        ("order 7", True),
        ("order", False),
        ("\0", False),
        ("8913\0", False),
        ("%", False),
        ("'; DROP TABLE x; --", False),
        ("9" * 500, False),
        ("", True),
        ("   ", True),
    ],
)
def test_search_by_number_tag_and_gateway_id(reader, typed, is_found):
    [message] = write(tag="order 7", text="Ваш заказ готов")
    change(message, gateway_id="a1b2c3")
    assert found(reader, q=typed) == ([message] if is_found else [])


def test_search_by_guid(reader):
    [message, _other] = write(2)
    for typed in (str(message.guid), message.guid.hex, f" {str(message.guid).upper()} "):
        assert found(reader, q=typed) == [message]
    assert found(reader, q=str(uuid4())) == []


def test_search_in_texts_is_for_those_who_may_see_them(client, reader):
    [message, _other] = [*write(text="Ваш заказ готов"), *write(text="Ваш код 4711")]
    assert found(client, q="готов заказ") == [message]
    assert found(client, q="готов код") == []
    assert found(reader, q="готов") == []
    assert "in the newest 500,000 texts of the last 30 days" in text_of(client.get(LIST))
    assert "in the texts" not in text_of(reader.get(LIST))


@pytest.mark.databases
def test_texts_older_than_a_month_are_not_searched(client):
    old, recent = [*write(text="Ваш заказ готов"), *write(text="Ваш заказ собран")]
    change(old, created_at=db_now() - timedelta(days=31))
    assert found(client, q="заказ") == [recent]
    change(recent, created_at=db_now() - timedelta(days=31))
    assert found(client, q="заказ") == []


def test_only_so_many_of_the_newest_texts_are_searched(client, monkeypatch):
    messages = write(3, text="Ваш заказ готов")
    monkeypatch.setattr(search, "MOST_RECENT", 2)
    assert found(client, q="заказ") == messages[:0:-1]


def test_no_more_words_are_searched_for_than_a_person_types(client):
    write(text="два слова")
    assert len(found(client, q="слова " * 1200)) == 1


def test_words_are_searched_for_only_where_nothing_has_that_name(client):
    tagged, _other = [*write(tag="заказ", text="Готово"), *write(text="Ваш заказ готов")]
    assert found(client, q="заказ") == [tagged]


@pytest.mark.parametrize(
    ("typed", "is_found"),
    [
        ("4711", False),
        ("SALE4711", False),
        ("sale-last", False),
        ("промокод SALE4711", True),
        ("промокод", True),
    ],
)
def test_single_word_is_searched_for_in_texts_only_if_it_is_of_letters(client, typed, is_found):
    [message] = write(text="Ваш промокод SALE4711 sale-last")
    assert found(client, q=typed) == ([message] if is_found else [])


@pytest.mark.databases
def test_all_that_has_the_name_is_found(reader):
    messages = [*write(tag="9135292926"), *write(tag="9135292926", number="+79130000000")]
    [by_number, _other] = [*write(), *write(number="+79130000000")]
    assert found(reader, q="9135292926") == [by_number, *reversed(messages)]


@pytest.mark.databases
@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("+7913", ["+79130000000", "+79139999999"]),
        ("+79139", ["+79139999999"]),
        ("+999", ["+999999999999999"]),
        ("+998", ["+998901234567"]),
    ],
)
def test_beginning_of_a_number_finds_all_with_it_and_no_other(reader, typed, numbers):
    SmsMessage.objects.bulk_create(
        SmsMessage(number=number, source="1", text="x", segments=1)
        for number in (
            "+79129999999", "+79130000000", "+79139999999", "+79140000000",
            "+998901234567", "+999999999999999",
        )
    )  # fmt: skip
    assert [message.number for message in reversed(found(reader, q=typed))] == numbers


@pytest.mark.databases
def test_long_list_is_counted_up_to_a_bound_and_says_so(client, monkeypatch):
    more = "There are more than 150: the list shows the first 150."
    monkeypatch.setattr(bounded_paginator, "MAX_COUNTED", 150)
    write()
    SmsMessage.objects.bulk_create(
        SmsMessage(number="+79135292926", source="1", text="x", segments=1) for _ in range(149)
    )
    exact = client.get(LIST)
    assert "Select all 150 messages" in text_of(exact)
    assert more not in text_of(exact)
    write()
    bounded = client.get(LIST)
    assert bounded.context["cl"].result_count == 150
    assert more in text_of(bounded)
    assert "Select all, more than 150" in text_of(bounded)
    assert "Select all 150" not in text_of(bounded)
    assert len(found(client, p="2")) == 50
    assert client.get(LIST, {"p": "3"})["Location"] == f"{LIST}?e=1"
    assert more not in text_of(client.get(LIST, {"priority__exact": "0"}))


def test_long_list_says_so_in_russian(client, monkeypatch):
    monkeypatch.setattr(bounded_paginator, "MAX_COUNTED", 1)
    for message in write(2):
        change(message, status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    html = text_of(client.get(LIST, headers={"accept-language": "ru"}))
    assert "Всего больше 1: в списке показаны первые 1." in html
    assert "Больше 1 сообщений могли уйти" in html


def test_undecided_messages_are_shown_with_the_way_to_them(client):
    assert "nobody can prove" not in text_of(client.get(LIST))
    for message in write(2):
        change(message, status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    response = client.get(LIST)
    notice = (
        "2 messages may have gone out, and nobody can prove it. Look and decide Decide about all"
    )
    assert notice in text_of(response)
    assert 'href="?decision=none"' in response.content.decode()
    SmsMessage.objects.all().resolve(Resolution.SENT, by=None)
    assert "nobody can prove" not in text_of(client.get(LIST))


def test_pages_hold_under_a_strict_content_security_policy(client):
    [message] = write(text=XSS)
    change(message, status=Status.UNKNOWN, error_code=ErrorCode.TIMEOUT)
    for address in (LIST, ADD, page(message)):
        html = client.get(address).content.decode()
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son\w+=", html) == []
        assert "mobilon_sms/admin.css" in html
