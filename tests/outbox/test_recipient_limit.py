"""``MOBILON_SMS_HOURLY_PER_NUMBER``: what one number gets within an hour, through every door."""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import ExitStack, nullcontext
from datetime import timedelta
from itertools import chain
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_mobilon_sms.choices import Status
from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.mailings import preview, sending
from django_mobilon_sms.models import NumberLock, SmsMailing, SmsMessage, db_now
from django_mobilon_sms.outbox import copy_message, send_many, send_sms, stop
from tests.outbox.test_guid_conflicts import at_once
from tests.support.admin_door import ADD, person, text_of
from tests.support.messages import write
from tests.support.workers import group

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

NUMBER, OTHER = "+79135292926", "+79029801212"
GOOD = {"number": NUMBER, "text": "Код 1234"}
ROWS = [{"number": number, "text": "Код 1234"} for number in (NUMBER, OTHER)]
HOUR = timedelta(hours=1)

PROCESS = """
import django
from django.conf import settings
from django.core.exceptions import ValidationError
django.setup()
from django_mobilon_sms.outbox import send_sms
settings.MOBILON_SMS_HOURLY_PER_NUMBER = 5
for _ in range(8):
    try:
        send_sms("+79135292926", "x")
    except ValidationError as error:
        print(error.error_dict["number"][0].code, flush=True)
"""


@pytest.fixture(autouse=True)
def limit(settings):
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = 5


def code(function, *args, **kwargs):
    """Return the code of the refusal; empty if the message is written."""
    try:
        function(*args, **kwargs)
    except ValidationError as error:
        return error.error_dict["number"][0].code
    except InvalidRows as error:
        return error.errors[0].code
    return ""


def written():
    return Counter(SmsMessage.objects.values_list("number", flat=True))


@pytest.mark.parametrize("inside_a_transaction", [False, True])
def test_callers_at_the_same_moment_write_exactly_the_limit(inside_a_transaction):
    def call(n):
        with transaction.atomic() if inside_a_transaction else nullcontext():
            if inside_a_transaction:
                User.objects.create(username=n)  # who signs up, say: it comes first
            return code(send_sms, **GOOD)

    assert Counter(at_once(32, call)) == {"": 5, "number_limit": 27}
    assert written() == {NUMBER: 5}


def test_lists_in_another_order_at_the_same_moment_wait_for_one_another():
    found = at_once(16, lambda n: code(send_many, ROWS if n % 2 else ROWS[::-1]))
    assert Counter(found) == {"": 5, "number_limit": 11}
    assert written() == {NUMBER: 5, OTHER: 5}


def test_refused_lists_at_the_same_moment_meet_no_deadlock():
    stop([OTHER])
    for _ in range(4):  # nothing is committed, so a row to lock would be new each time
        assert Counter(at_once(10, lambda n: code(send_many, ROWS))) == {"stopped": 10}


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one lock for all")
def test_deadlock_is_an_error_after_which_the_limit_still_holds():
    write(4)
    write(4, number=OTHER)
    have_one = threading.Barrier(2, timeout=30)

    def one_by_one(n):
        numbers = (NUMBER, OTHER) if n else (OTHER, NUMBER)
        try:
            with transaction.atomic():
                send_sms(numbers[0], "x")
                have_one.wait()
                send_sms(numbers[1], "x")
        except OperationalError:
            return code(send_many, ROWS)
        return ""

    assert sorted(at_once(2, one_by_one)) == ["", "number_limit"]
    assert written() == {NUMBER: 5, OTHER: 5}


def test_processes_at_the_same_moment_write_exactly_the_limit():
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    with ExitStack() as stack:
        processes = [stack.enter_context(group("-c", PROCESS, **environment)) for _ in range(4)]
        printed = [process.communicate(timeout=60)[0].split() for process in processes]
    assert Counter(chain.from_iterable(printed)) == {"number_limit": 27}
    assert written() == {NUMBER: 5}


def test_same_guid_at_the_same_moment_is_found_and_not_counted():
    write(4)
    guid = uuid4()
    found = at_once(8, lambda n: send_sms(**GOOD, guid=guid))
    assert [len({message.pk for message in found}), sum(m.was_written for m in found)] == [1, 1]
    assert code(send_sms, **GOOD) == "number_limit"
    assert send_sms(**GOOD, guid=guid).pk == found[0].pk


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_transaction_that_read_before_counts_what_was_written_since(monkeypatch, isolation):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite refuses to write after another writer")
    if isolation != "read committed" and connection.vendor != "mysql":
        pytest.skip("PostgreSQL refuses the lock")
    if connection.vendor == "mysql":
        options = connection.settings_dict["OPTIONS"] | {"isolation_level": isolation}
        monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
        connection.close()
    try:
        with transaction.atomic():
            assert not SmsMessage.objects.exists()
            other = threading.Thread(target=lambda: (write(5), connection.close()))
            other.start()
            other.join()
            assert code(send_sms, **GOOD) == "number_limit"
    finally:
        connection.close()


def test_hour_passes_and_what_never_went_out_does_not_count():
    write(5)
    assert code(send_sms, **GOOD) == "number_limit"
    assert code(send_sms, OTHER, "x") == ""
    for ended in (Status.CANCELLED, Status.EXPIRED, Status.FAILED):
        SmsMessage.objects.filter(pk=SmsMessage.objects.earliest("pk").pk).change(status=ended)
        assert [code(send_sms, **GOOD) for _ in range(2)] == ["", "number_limit"]
        SmsMessage.objects.filter(status=ended).delete()
    # An hour ago, and by a clock that ran ahead.
    for length in (-61 * HOUR / 60, 24 * HOUR):
        SmsMessage.objects.all().change(created_at=db_now() + length)
        write(5)
        assert code(send_sms, **GOOD) == "number_limit"


def test_list_is_refused_whole():
    write(4)
    with pytest.raises(InvalidRows) as raised:
        send_many([*ROWS, GOOD, *ROWS[1:] * 5])
    faults = [(error.index, error.field, error.code) for error in raised.value.errors]
    assert faults == [(2, "number", "number_limit"), (7, "number", "too_many")]
    assert written() == {NUMBER: 4}


def test_copy_is_refused():
    message, *_ = write(5)
    SmsMessage.objects.filter(pk=message.pk).cancel()
    message.refresh_from_db()
    copy = copy_message(message, created_by=None, guid=uuid4())
    assert code(copy_message, message, created_by=None) == "number_limit"
    assert copy_message(message, created_by=None, guid=copy.guid).pk == copy.pk


def test_form_shows_the_refusal_beside_the_recipients():
    write(5)
    form = {"numbers": NUMBER, "text": "Код", "priority": "5", "source": "89234560000"}
    form["_save"] = "yes"
    answer = person("add_smsmessage").post(ADD, form)
    assert "Only 5 messages an hour are written to one number." in text_of(answer)
    assert list(answer.context["adminform"].form.errors) == ["numbers"]
    assert written() == {NUMBER: 5}


def mailing(numbers):
    lines = ["Телефон;Код", *(f"{number};{n}" for n, number in enumerate(numbers))]
    file = SimpleUploadedFile("list.csv", "\n".join(lines).encode())
    anna = person("add_smsmessage", name=uuid4().hex)
    given = {"name": "x", "text": "Код {{Код}}", "source": "", "priority": "5", "file": file}
    anna.post("/admin/mobilon_sms/smsmailing/add/", given)
    return SmsMailing.objects.latest("pk")


def test_uploaded_list_leaves_out_what_is_too_much(monkeypatch):
    for module in (preview, sending):  # each row is written before the next is looked at
        monkeypatch.setattr(module, "chunked", lambda rows: ([row] for row in rows))
    write(3)
    one = mailing([NUMBER, OTHER, NUMBER, NUMBER, OTHER])
    seen = preview.preview(one)
    assert (seen.good, [bad.line for bad in seen.first_bad]) == (4, [5])
    assert "Only 5 messages an hour" in seen.first_bad[0].reason
    user = User.objects.get()
    assert sending.confirm(one, by=user, leave_out_recent=False) == 4
    assert written() == {NUMBER: 5, OTHER: 2}


def test_uploaded_lists_at_the_same_moment_write_exactly_the_limit():
    mailings = [mailing([NUMBER, OTHER] if n % 2 else [OTHER, NUMBER]) for n in range(8)]
    user = User.objects.earliest("pk")
    found = at_once(8, lambda n: sending.confirm(mailings[n], by=user, leave_out_recent=False))
    assert sum(found) == 10
    assert written() == {NUMBER: 5, OTHER: 5}


def test_nothing_is_locked_or_counted_where_it_is_not_set(settings):
    def statements():
        with CaptureQueriesContext(connection) as captured:
            send_sms(**GOOD)
            send_many(ROWS)
        # A process notifies at most every tenth of a second, so not each time.
        return [query["sql"] for query in captured if not query["sql"].startswith("NOTIFY")]

    statements()  # which makes the rows to lock
    limited = statements()
    settings.MOBILON_SMS_HOURLY_PER_NUMBER = None
    NumberLock.objects.all().delete()
    unlimited = statements()
    # On MariaDB also whether the rows are there.
    assert len(limited) - len(unlimited) == 4 + 2 * (connection.vendor == "mysql")
    assert not [sql for sql in unlimited if "numberlock" in sql]
    write(6)
    assert not NumberLock.objects.exists()
