"""`manage.py hold_sms`: no message of a restored backup is sent without a decision."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from django_mobilon_sms.choices import ErrorCode, Outcome
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from tests.support.messages import claim, write

pytestmark = pytest.mark.django_db(transaction=True)


def rows(*fields):
    return list(SmsMessage.objects.order_by("pk").values_list(*fields))


def hold(*options):
    output = StringIO()
    call_command("hold_sms", *options, stdout=output)
    return output.getvalue()


@pytest.mark.databases
def test_everything_that_waits_is_held_and_nothing_else(sandbox, worker):
    _pending, later, resent, cancelled, unknown = write(5)
    messages = SmsMessage.objects
    messages.filter(pk=later.pk).change(due_at="2900-01-01T00:00Z", send_at="2900-01-01T00:00Z")
    messages.filter(pk=resent.pk).change(resends=1)
    messages.filter(pk=cancelled.pk).cancel()
    messages.filter(pk=unknown.pk).hold(ErrorCode.TIMEOUT)
    assert hold("--no-input") == "Held 3 messages.\n"
    assert rows("status", "error_code") == [
        ("unknown", "held"),
        ("unknown", "held"),
        ("unknown", "held"),
        ("cancelled", ""),
        ("unknown", "timeout"),
    ]
    assert worker("--no-refresh") == (0, "Nothing to do.\n")
    assert sandbox.exchanges == []


def test_held_message_goes_out_when_a_person_resends_it(sandbox, worker):
    [message] = write()
    hold("--no-input")
    assert SmsMessage.objects.resend(by=None) == 1
    assert worker("--no-refresh").code == 0
    assert sandbox.copies(message.guid) == 1


def test_message_of_a_closed_batch_is_held_too():
    batch = SmsBatch.objects.create(worker="w", lease_until=db_now())
    write()
    claim(batch)
    SmsBatch.objects.close(batch, Outcome.NEVER_LEFT)
    SmsMessage.objects.all().change(status="pending")
    assert hold("--no-input") == "Held 1 message.\n"


@pytest.mark.parametrize(
    ("answer", "output", "status"),
    [
        ("yes\n", "Held 1 message.\n", "unknown"),
        ("y\n", "Nothing was changed.\n", "pending"),
        ("\n", "Nothing was changed.\n", "pending"),
    ],
)
def test_it_asks_first(monkeypatch, capsys, answer, output, status):
    write()
    monkeypatch.setattr("sys.stdin", StringIO(answer))
    assert hold() == output
    assert capsys.readouterr().out == "Hold 1 pending message? Type yes: "
    assert rows("status") == [(status,)]


def test_nothing_to_hold():
    assert hold("--no-input") == "Held 0 messages.\n"


def test_question_that_nobody_answers_names_the_option(monkeypatch):
    write()
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match="Give --no-input"):
        hold()
    assert SmsMessage.objects.get().status == "pending"


def test_database_that_fails_is_named_without_its_words():
    def fail(*args):
        raise OperationalError("secret host")

    with connection.execute_wrapper(fail), pytest.raises(CommandError) as error:
        hold("--no-input")
    assert "secret" not in str(error.value)
