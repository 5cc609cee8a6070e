"""Sending to a list, through the admin's door."""

from __future__ import annotations

import threading
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test import Client

from django_mobilon_sms.admin import database_busy
from django_mobilon_sms.mailings import preview, sending
from django_mobilon_sms.models import GatewayState, SmsMailing, SmsMessage, db_now
from django_mobilon_sms.models.mailings import MailingQuerySet
from django_mobilon_sms.outbox import stop
from tests.mailings.test_spreadsheets import xlsx
from tests.support.admin_door import LIST as LIST_OF_MESSAGES
from tests.support.admin_door import change, notices, person, statuses, text_of
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]

MAILINGS = "/admin/mobilon_sms/smsmailing/"
ADD = f"{MAILINGS}add/"
LIST = """Телефон;Имя;Данные
8 913 529-29-26;Анна;заказ 1
+7 913 529 29 27;Пётр;заказ 2
89135292926;Анна;заказ 1
89135292926;Анна;заказ 3
8 495 123-45-67;Ольга;заказ 4
89135292928;;заказ 5
"""
TEXT = "{{NAME}}, готов {{ДАННЫЕ}}"
NOT_WAITING = "This list was already confirmed and its messages are queued, or it has expired."


def upload(client, data=LIST, file_name="list.csv", **fields):
    """Submit the form and return the response."""
    data = data.encode() if isinstance(data, str) else data
    given = {"name": "Акция", "text": TEXT, "source": "", "priority": "5"}
    file = SimpleUploadedFile(file_name, data) if data is not None else ""
    return client.post(ADD, given | {"file": file} | fields)


def uploaded(client, *args, **fields):
    """Upload a list and return the mailing and its page."""
    response = upload(client, *args, **fields)
    assert response.status_code == 302, response.context["adminform"].form.errors
    return SmsMailing.objects.latest("pk"), response["Location"]


def confirm(client, mailing, **fields):
    return client.post(f"{MAILINGS}{mailing.pk}/confirm/", fields, follow=True)


def cancel(client, mailing):
    """Cancel its pending messages, and press the button of the page that asks."""
    address = f"{MAILINGS}{mailing.pk}/cancel/"
    question = client.post(address, follow=True)
    if "fields" not in question.context:
        return question
    return client.post(address, dict(question.context["fields"]), follow=True)


def rows():
    return list(SmsMessage.objects.order_by("pk").values_list("number", "text", "tag"))


def errors(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors


def test_counter_says_that_placeholders_are_counted_as_typed(client):
    note = "Placeholders are counted as they are typed."
    assert note in text_of(client.get(ADD))
    assert note not in text_of(client.get("/admin/mobilon_sms/smsmessage/add/"))


def test_upload_writes_no_message_and_shows_what_would_be_written(client):
    mailing, page = uploaded(client)
    shown = text_of(client.get(page))
    assert "Nothing has been sent yet." in shown
    for words in (
        "Messages 3 Total parts 3 Most parts in a message 1 Rows with errors 2 Duplicate rows 1",
        "list.csv: 6 rows. Columns: Телефон (the number), Имя, Данные",
        "1 message goes to a number that also gets another text from this list.",
        "2 +79135292926 Анна, готов заказ 1 1 3 +79135292927 Пётр, готов заказ 2 1"
        " 5 +79135292926 Анна, готов заказ 3 1",
        "6 8 495 123-45-67 This is a landline",
        "7 89135292928 The column “NAME” is empty here.",
    ):
        assert words in shown
    assert SmsMessage.objects.count() == 0
    assert (mailing.created_by.username, mailing.confirmed_at) == ("anna", None)


def test_confirmed_list_is_written_and_its_file_forgotten(client):
    mailing, page = uploaded(client)
    response = confirm(client, mailing)
    assert notices(response) == ["3 messages are queued."]
    assert response.redirect_chain == [(page, 302)]
    tag = f"Акция #{mailing.pk}"
    assert rows() == [
        ("+79135292926", "Анна, готов заказ 1", tag),
        ("+79135292927", "Пётр, готов заказ 2", tag),
        ("+79135292926", "Анна, готов заказ 3", tag),
    ]
    message = SmsMessage.objects.first()
    assert (message.source, message.priority, message.segments) == ("89234560000", 5, 1)
    assert (message.created_by.username, message.status) == ("anna", "pending")
    assert message.send_at == message.due_at == message.created_at
    mailing.refresh_from_db()
    assert (bytes(mailing.file), mailing.written) == (b"", 3)
    assert mailing.confirmed_by.username == "anna"
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")][1:] == [
        "Confirmed it."
    ]


def test_written_message_is_like_any_other(client, sandbox, worker):
    mailing, _page = uploaded(client, priority="0")
    confirm(client, mailing)
    [one] = write(
        text="Анна, готов заказ 1", priority=0, tag=mailing.tag, created_by=User.objects.get()
    )
    own = ("id", "guid", "send_at", "due_at", "created_at", "mailing_id")
    first, other = (
        {name: value for name, value in row.items() if name not in own}
        for row in SmsMessage.objects.filter(text=one.text).order_by("pk").values()
    )
    assert first == other


def test_confirming_twice_writes_once(client):
    mailing, _page = uploaded(client)
    confirm(client, mailing)
    assert notices(confirm(client, mailing)) == [NOT_WAITING]
    assert SmsMessage.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_confirming_at_the_same_time_writes_once(client):
    mailing, _page = uploaded(client)
    user, found, start = User.objects.get(), [], threading.Barrier(4)

    def attempt():
        start.wait(10)
        try:
            found.append(client_of(user).post(f"{MAILINGS}{mailing.pk}/confirm/").status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == [302] * 4
    assert SmsMessage.objects.count() == 3


def client_of(user):
    client = Client()
    client.force_login(user)
    return client


def test_list_that_nobody_confirms_is_forgotten_after_a_day(client, sandbox, worker):
    mailing, page = uploaded(client)
    SmsMailing.objects.update(created_at=db_now() - timedelta(hours=25))
    assert client.get(page).status_code == 302
    assert client.post(f"{MAILINGS}{mailing.pk}/confirm/").status_code == 404
    assert sending.confirm(mailing, by=User.objects.get(), leave_out_recent=False) is None
    worker()  # which has nothing else to do
    assert SmsMailing.objects.count() == 0


def test_list_that_cannot_be_deleted_does_not_disturb_the_run(
    client, sandbox, worker, monkeypatch, caplog
):
    uploaded(client)
    SmsMailing.objects.update(created_at=db_now() - timedelta(hours=25))
    write()

    def refuse(self):
        raise OperationalError("locked")

    monkeypatch.setattr(MailingQuerySet, "delete", refuse)  # a lock that lasts takes seconds
    assert worker().code == 0
    assert statuses() == ["accepted"]
    assert "mailings.kept error=OperationalError" in caplog.messages


def test_confirmed_list_is_not_forgotten(client, sandbox, worker):
    mailing, page = uploaded(client)
    confirm(client, mailing)
    SmsMailing.objects.update(created_at=db_now() - timedelta(days=9))
    assert worker().code == 0
    assert client.get(page).status_code == 200


def test_numbers_with_a_recent_duplicate_are_shown_and_left_out(client):
    write(number="+79135292927", text="Пётр, готов заказ 2")
    [old, failed] = write(2, text="Анна, готов заказ 1")
    change(old, created_at=db_now() - timedelta(hours=25))
    change(failed, status="failed")
    mailing, page = uploaded(client)
    html = text_of(client.get(page))
    assert "1 number got the same text in the last 24 hours: +79135292927 Leave them out" in html
    assert notices(confirm(client, mailing, leave_out_recent="yes")) == ["2 messages are queued."]
    assert [number for number, _text, tag in rows() if tag] == ["+79135292926"] * 2


def test_numbers_with_a_recent_duplicate_are_kept_on_request(client):
    write(number="+79135292927", text="Пётр, готов заказ 2")
    mailing, _page = uploaded(client)
    confirm(client, mailing)
    assert SmsMessage.objects.filter(tag=mailing.tag).count() == 3


def test_stopped_numbers_are_rows_with_errors(client):
    stop(["+7 913 529-29-27"])
    mailing, page = uploaded(client)
    assert "This number is on the stop list." in text_of(client.get(page))
    confirm(client, mailing)
    assert "+79135292927" not in SmsMessage.objects.values_list("number", flat=True)
    assert SmsMessage.objects.exists()


def test_duplicates_within_the_setting_get_nothing(client, settings):
    confirm(client, uploaded(client)[0])
    written = SmsMessage.objects.count()
    settings.MOBILON_SMS_DUPLICATE_WITHIN = 3600
    mailing, page = uploaded(client)
    reason = "This number was sent the same text a short while ago."
    assert reason in text_of(client.get(page))
    confirm(client, mailing)
    assert SmsMessage.objects.count() == written


def test_pending_messages_of_a_mailing_are_cancelled(client):
    others = write(tag="Акция")
    mailing, page = uploaded(client)
    confirm(client, mailing)
    change(SmsMessage.objects.filter(tag=mailing.tag)[0], status="failed")
    shown = text_of(client.get(page))
    assert "Status of the messages Status Messages pending 2 failed 1" in shown
    assert b"Cancel 2 pending messages" in client.get(page).content
    question = client.post(f"{MAILINGS}{mailing.pk}/cancel/")
    assert "Cancel 2 pending messages" in text_of(question)
    assert statuses().count("pending") == 3
    assert notices(cancel(client, mailing)) == ["2 messages were cancelled."]
    assert sorted(statuses()) == ["cancelled", "cancelled", "failed", "pending"]
    assert others[0].status == "pending"
    assert notices(cancel(client, mailing)) == ["No pending messages are left to cancel."]


def test_messages_of_a_mailing_are_known_by_its_key_and_not_by_a_tag(client):
    mailing, page = uploaded(client)
    [typed] = write(tag=mailing.tag)
    confirm(client, mailing)
    html = client.get(page).content.decode()
    assert "Cancel 3 pending messages" in html
    for status in ("", "&amp;status__exact=pending"):
        link = f"{LIST_OF_MESSAGES}?mailing__exact={mailing.pk}{status}"
        assert f'href="{link}"' in html
        assert client.get(unescape(link)).context["cl"].result_count == 3
    for value in ("", "x", "-1", "1" * 30, "\0"):
        assert client.get(LIST_OF_MESSAGES, {"mailing__exact": value}).status_code in (302, 400)
    assert notices(cancel(client, mailing)) == ["3 messages were cancelled."]
    typed.refresh_from_db()
    assert (typed.status, typed.mailing_id) == ("pending", None)
    assert list(sending.messages(mailing).values_list("status", flat=True)) == ["cancelled"] * 3


@pytest.mark.django_db(transaction=True)
def test_mailing_with_messages_cannot_be_deleted(client):
    mailing, _page = uploaded(client)
    confirm(client, mailing)
    with pytest.raises(IntegrityError), transaction.atomic():
        SmsMailing.objects.filter(pk=mailing.pk).delete()
    assert sending.messages(mailing).count() == 3


@pytest.mark.parametrize("data", [LIST.encode("cp1251"), LIST.encode("utf-8-sig")])
def test_list_of_a_spreadsheet_is_read(client, data):
    mailing, _page = uploaded(client, data)
    confirm(client, mailing)
    assert SmsMessage.objects.count() == 3


def test_list_in_xlsx_is_read(client):
    data = xlsx(["Имя", "Телефон", "Данные"], ["Анна", 89135292926, 15])
    mailing, _page = uploaded(client, data, file_name="list.xlsx")
    confirm(client, mailing)
    assert rows() == [("+79135292926", "Анна, готов 15", f"Акция #{mailing.pk}")]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"name": ""}, {"name": ["This field is required."]}),
        ({"name": "a\u200bb"}, {"name": ["Use only printable characters in the name."]}),
        ({"text": ""}, {"text": ["This field is required."]}),
        (
            {"text": "{{CITY}}"},
            {"text": ["The file has no column “CITY”. It has: Телефон, Имя, Данные."]},
        ),
        (
            {"text": "{{NAME}"},
            {"text": ["Write the name of a column between double braces: {{NAME}}."]},
        ),
        ({"file": ""}, {"file": ["This field is required."]}),
        ({"text": "a\0b"}, {"text": ["Null characters are not allowed."]}),
        (
            {"expires_at_0": "2020-01-01", "expires_at_1": "00:00"},
            {"expires_at": ["It must expire after it is to be sent."]},
        ),
        (
            {"send_at_0": "2026-01-05", "send_at_1": "10:00"},
            {"send_at": ["This time has passed. Give a later one, or none to send immediately."]},
        ),
        (
            {"source": "8 923"},
            {
                "source": [
                    "Write the sender as the vendor gave it: 1 to 32 letters or digits, no spaces."
                ]
            },
        ),
    ],
)
def test_form_shows_each_error_at_its_field(client, fields, found):
    assert errors(upload(client, **fields)) == found
    assert SmsMailing.objects.count() == 0


@pytest.mark.parametrize("data", ["Имя\nАнна\n", "", b"\xd0\xcf\x11\xe0"])
def test_file_that_is_no_list_is_refused(client, data):
    assert list(errors(upload(client, data))) == ["file"]
    assert SmsMailing.objects.count() == 0


def test_too_many_rows_are_refused(client, monkeypatch):
    monkeypatch.setattr(preview, "MAX_LIST_ROWS", 3)  # to read as many takes seconds
    _mailing, page = uploaded(client)
    assert "This file has more than 3 rows. Split it." in text_of(client.get(page))


def test_list_past_its_expiry_cannot_be_confirmed(client):
    mailing, page = uploaded(client)
    SmsMailing.objects.update(expires_at=db_now() - timedelta(hours=1))
    assert "It must expire after it is to be sent." in text_of(client.get(page))
    mailing.refresh_from_db()
    assert notices(confirm(client, mailing)) == ["It must expire after it is to be sent."]
    mailing.refresh_from_db()
    assert (mailing.confirmed_at, SmsMessage.objects.count()) == (None, 0)


def test_list_whose_time_passed_before_it_was_confirmed_asks_for_another(client):
    mailing, page = uploaded(client)
    question = "That time has passed. When should it be sent?"
    assert question not in text_of(client.get(page))
    now = GatewayState.objects.current().now
    SmsMailing.objects.update(send_at=now - timedelta(minutes=6))
    assert question in text_of(client.get(page))
    past = {"when": "later", "send_at_0": "2026-01-05", "send_at_1": "10:00"}
    passed = "This time has passed. Give a later one, or none to send immediately."
    for fields, field, sentence in (
        ({}, "send_at", passed),
        (past, "send_at", passed),
        ({"when": "later"}, "send_at", "Give a date and a time."),
        (past | {"send_at_0": "x"}, "send_at", "Enter a valid date."),
        ({"when": "x"}, "when", "Select a valid choice. x is not one of the available choices."),
    ):
        response = confirm(client, mailing, **fields)
        assert response.context["form"].errors == {field: [sentence]}
        assert (sentence in text_of(response), question in text_of(response)) == (True, True)
    mailing.refresh_from_db()
    assert (mailing.confirmed_at, SmsMessage.objects.count()) == (None, 0)
    later = {"when": "later", "send_at_0": "2900-01-01", "send_at_1": "10:00"}
    html = confirm(client, mailing, **later | {"when": "x"}).content.decode()
    assert ('value="2900-01-01"' in html, 'value="10:00"' in html) == (True, True)
    assert notices(confirm(client, mailing, **later)) == ["3 messages are queued."]
    mailing.refresh_from_db()
    assert {one.send_at for one in sending.messages(mailing)} == {mailing.send_at}
    assert mailing.send_at.year == 2900
    assert notices(confirm(client, mailing)) == [NOT_WAITING]


def test_list_whose_time_passed_is_sent_now_on_request(client):
    mailing, _page = uploaded(client, expires_at_0="2900-01-01", expires_at_1="10:00")
    SmsMailing.objects.update(send_at=GatewayState.objects.current().now - timedelta(days=31))
    assert notices(confirm(client, mailing, when="now")) == ["3 messages are queued."]
    mailing.refresh_from_db()
    assert mailing.send_at is None
    assert all(one.send_at == one.created_at for one in sending.messages(mailing))


def test_list_is_corrected_without_another_upload(client):
    mailing, page = uploaded(client)
    assert f"{ADD}?corrects={mailing.pk}" in client.get(page).content.decode()
    html = client.get(f"{ADD}?corrects={mailing.pk}").content.decode()
    assert "Leave empty to keep the file “list.csv”." in html
    assert TEXT in html
    other, _page = uploaded(client, None, text="Ждём вас", corrects=mailing.pk)
    assert list(SmsMailing.objects.values_list("pk", flat=True)) == [other.pk]
    confirm(client, other)
    assert {text for _number, text, _tag in rows()} == {"Ждём вас"}


@pytest.mark.django_db(transaction=True)
def test_correction_that_met_a_lock_stores_one_list_and_asks_for_the_file_again(
    client, monkeypatch
):
    mailing, _page = uploaded(client)
    new = {"data": LIST.replace("Анна", "Вера"), "corrects": mailing.pk}
    delete = MailingQuerySet.delete

    def refuse(rows):
        if rows.contains(mailing):
            raise OperationalError("database is locked")
        return delete(rows)

    monkeypatch.setattr(MailingQuerySet, "delete", refuse)  # a lock that lasts takes seconds
    monkeypatch.setattr(database_busy, "PATIENCE", 0.2)
    busy = upload(client, **new)
    assert busy.status_code == 503
    assert "choose the file again" in text_of(busy)
    assert "Try again" not in busy.content.decode()
    assert SmsMailing.objects.get() == mailing
    monkeypatch.undo()
    corrected, _page = uploaded(client, **new)
    assert SmsMailing.objects.get() == corrected


@pytest.mark.parametrize("corrects", ["x", "", "0", "9" * 30, "-1"])
def test_correcting_an_unknown_list_needs_a_new_file(client, corrects):
    assert client.get(ADD, {"corrects": corrects}).status_code == 200
    assert errors(upload(client, None, corrects="0")) == {"file": ["This field is required."]}


def test_rows_with_errors_are_downloaded(client):
    mailing, _page = uploaded(client)
    response = client.get(f"{MAILINGS}{mailing.pk}/invalid.csv")
    [header, landline, empty, end] = response.getvalue().decode().split("\r\n")
    assert header == "\ufeffLine;Number;Reason"
    assert landline.startswith("6;8 495 123-45-67;This is a landline")
    assert empty.startswith("7;89135292928;")
    assert end == ""


def test_rows_with_errors_of_a_confirmed_list_lead_to_its_page(client):
    """The file is forgotten by then. Only a stale page links to its rows."""
    mailing, page = uploaded(client)
    confirm(client, mailing)
    assert client.get(f"{MAILINGS}{mailing.pk}/invalid.csv").url == page


@pytest.mark.parametrize(
    "typed", ["=1+1", "+7495", "-2", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠A1"]
)
def test_no_cell_of_the_downloaded_rows_is_a_formula(client, typed):
    mailing, _page = uploaded(client, f"{LIST}{typed};a;b\n")
    response = client.get(f"{MAILINGS}{mailing.pk}/invalid.csv")
    last = response.getvalue().decode().split("\r\n")[-2]
    assert last.startswith(f"8;'{typed};")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_sample_is_a_list_that_is_read(client, kind):
    response = client.get(f"{MAILINGS}sample.{kind}")
    mailing, _page = uploaded(client, b"".join(response), file_name=f"sample.{kind}")
    confirm(client, mailing)
    assert [row[:2] for row in rows()] == [
        ("+79135292926", "Anna, готов order 1001"),
        ("+79135292927", "Pavel, готов order 1002"),
    ]


def test_list_of_mailings_shows_their_state_and_finds_one(client):
    mailing, _page = uploaded(client)
    uploaded(client, name="Другая")
    confirm(client, mailing)
    shown = text_of(client.get(MAILINGS))
    assert "Другая waiting for confirmation anna" in shown
    assert "Акция confirmed anna" in shown
    found = text_of(client.get(MAILINGS, {"q": "Акц"}))
    assert "Акция confirmed" in found
    assert "Другая waiting" not in found


def test_pages_are_named_in_russian(client):
    uploaded(client)
    russian = {"accept-language": "ru"}
    shown = text_of(client.get(MAILINGS, headers=russian))
    assert ("Рассылки" in shown, "Новая рассылка" in shown) == (True, True)
    assert ("Добавить рассылка" in shown, "Выберите рассылка" in shown) == (False, False)
    assert "Название" in shown
    assert "Новая рассылка" in text_of(client.get(ADD, headers=russian))


# Who may do what


def test_mailings_need_the_permission_to_write_or_see_messages(client):
    mailing, page = uploaded(client)
    stranger = person("view_smsbatch", name="stranger")
    for address in (MAILINGS, page, ADD, f"{MAILINGS}{mailing.pk}/invalid.csv"):
        assert stranger.get(address).status_code in (403, 404), address
        assert Client().get(address).status_code == 302
    assert stranger.get(f"{MAILINGS}sample.csv").status_code == 403
    assert b"smsmailing" not in stranger.get("/admin/").content
    assert b"smsmailing" in client.get("/admin/").content


def test_writer_uploads_and_confirms_but_does_not_cancel():
    writer = person("add_smsmessage", name="writer")
    mailing, page = uploaded(writer)
    assert "Анна, готов заказ 1" in text_of(writer.get(page))
    assert notices(confirm(writer, mailing)) == ["3 messages are queued."]
    shown = writer.get(page).content.decode()
    assert TEXT not in shown
    assert "cancel/" not in shown
    assert writer.post(f"{MAILINGS}{mailing.pk}/cancel/").status_code == 403
    assert statuses() == ["pending"] * 3


def test_reader_confirms_nothing_and_sees_no_row(client):
    mailing, page = uploaded(client)
    reader = person("view_smsmessage", name="reader")
    shown = reader.get(page).content.decode()
    assert "готов" not in shown
    assert "79135292926" not in shown
    assert "8 495 123-45-67" not in shown  # where a text may stand in place of a number
    assert "confirm/" not in shown
    assert reader.post(f"{MAILINGS}{mailing.pk}/confirm/").status_code == 403
    assert reader.get(f"{MAILINGS}{mailing.pk}/invalid.csv").status_code == 403
    assert reader.get(ADD).status_code == 403
    assert upload(reader).status_code == 403
    assert SmsMessage.objects.count() == 0


def test_list_of_somebody_else_is_confirmed_only_by_those_who_may_see_its_texts(client):
    mailing, page = uploaded(client)
    writer = person("add_smsmessage", name="writer")
    refusal = (
        "You cannot confirm this list: somebody else uploaded it, and you may not see its texts."
        " Ask them, or somebody who may see the texts."
    )
    assert (refusal in text_of(writer.get(page)), b"/confirm/" in writer.get(page).content) == (
        True,
        False,
    )
    assert notices(confirm(writer, mailing)) == [refusal]
    mailing.refresh_from_db()
    assert (mailing.confirmed_at, SmsMessage.objects.count()) == (None, 0)
    proofreader = person("add_smsmessage", "view_smsmessage_text", name="proofreader")
    assert refusal not in text_of(proofreader.get(page))
    assert notices(confirm(proofreader, mailing)) == ["3 messages are queued."]


def test_another_writer_does_not_get_the_list_of_somebody_else(client):
    mailing, _page = uploaded(client)
    writer = person("add_smsmessage", name="writer")
    assert "готов" not in writer.get(f"{ADD}?corrects={mailing.pk}").content.decode()
    assert errors(upload(writer, None, corrects=mailing.pk)) == {
        "file": ["This field is required."]
    }


def test_steps_are_taken_by_post_with_a_token_only(client):
    mailing, _page = uploaded(client)
    guarded = Client(enforce_csrf_checks=True)
    guarded.force_login(User.objects.get())
    for step in ("confirm", "cancel"):
        address = f"{MAILINGS}{mailing.pk}/{step}/"
        assert client.get(address).status_code == 405
        assert guarded.post(address).status_code == 403
    assert SmsMessage.objects.count() == 0


def test_nobody_changes_or_deletes_a_mailing(client):
    _mailing, page = uploaded(client)
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    before = SmsMailing.objects.values().get()
    boss.post(page, {"name": "x", "text": "x"})
    assert boss.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403
    assert SmsMailing.objects.values().get() == before


def test_what_people_wrote_is_escaped(client):
    bad = "<script>alert(1)</script>"
    data = f"phone;name\n89135292926;{bad}\n{bad};x\n"
    _mailing, page = uploaded(client, data, file_name="<b>.csv", text=f"{bad} {{{{NAME}}}}")
    html = client.get(page).content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;script&gt;" in html


def test_preview_counts_no_messages_of_others_for_those_who_do_not_see_texts(settings):
    """Otherwise an uploaded list of guesses would find the text that somebody got."""
    write(number="+79135292927", text="Код 4711")
    guesses = "Телефон\n89135292927\n"
    anna = person("add_smsmessage", "view_smsmessage")
    boris = person("add_smsmessage", "view_smsmessage", "view_smsmessage_text", name="boris")
    recent = "got the same text in the last 24 hours"
    for client, is_told in ((anna, False), (boris, True)):
        settings.MOBILON_SMS_DUPLICATE_WITHIN = None
        mailing, page = uploaded(client, guesses, text="Код 4711")
        assert (recent in text_of(client.get(page))) is is_told
        assert preview.preview(mailing).recent == is_told
        settings.MOBILON_SMS_DUPLICATE_WITHIN = 60
        assert preview.preview(mailing).bad == is_told
