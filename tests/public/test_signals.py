"""`MOBILON_SMS_WAKE_UP` is called once after each commit that wrote messages."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from django_mobilon_sms.choices import ErrorCode
from django_mobilon_sms.mailings.sending import confirm
from django_mobilon_sms.models import SmsMailing, SmsMessage
from django_mobilon_sms.outbox import send_many, send_sms
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

called: list[int] = []


def note() -> None:
    """Count the messages that another connection would see by now."""
    called.append(SmsMessage.objects.count())


def fail() -> None:
    raise ConnectionError("amqp://guest:secret@broker/ is down")


@pytest.fixture(autouse=True)
def _note_wake_ups(settings):
    called.clear()
    settings.MOBILON_SMS_WAKE_UP = "tests.public.test_signals.note"


def test_each_commit_calls_once_however_much_it_wrote():
    write()
    send_many({"number": "+79135292926", "text": f"Заказ {n}"} for n in range(3))
    with transaction.atomic():
        write(5)
        with transaction.atomic():
            write()
        assert called == [1, 4]
    assert called == [1, 4, 10]


def test_rolled_back_transaction_calls_nothing():
    with transaction.atomic():
        write()
        transaction.set_rollback(True)
    with pytest.raises(ValidationError):
        send_sms("12", "")
    assert called == []


def test_message_written_after_a_rolled_back_savepoint_calls():
    with transaction.atomic():
        with transaction.atomic():
            write()
            transaction.set_rollback(True)
        write()
    assert called == [1]


def test_same_guid_again_writes_and_calls_nothing():
    [message] = write()
    write(guid=message.guid)
    assert called == [1]


def test_resent_messages_call():
    write(2)
    assert SmsMessage.objects.all().resend(by=None) == 0
    SmsMessage.objects.all().hold(ErrorCode.TIMEOUT)
    assert SmsMessage.objects.all().resend(by=None) == 2
    assert called == [1, 2, 2]


def test_confirmed_list_calls_once(django_user_model):
    user = django_user_model.objects.create(username="op")
    mailing = SmsMailing.objects.create(
        name="sale",
        text="Скидка",
        file=b"89135292926\n89029801212\n",
        file_name="a.csv",
        created_by=user,
    )
    assert confirm(mailing, by=user, leave_out_recent=False) == 2
    assert called == [2]


def test_failure_is_logged_without_its_text_and_loses_nothing(settings, caplog):
    settings.MOBILON_SMS_WAKE_UP = "tests.public.test_signals.fail"
    with caplog.at_level(logging.DEBUG):
        write()
    assert [record.getMessage() for record in caplog.records] == [
        "wakeup.failed error=ConnectionError"
    ]
    assert "secret" not in caplog.text
    assert SmsMessage.objects.count() == 1
