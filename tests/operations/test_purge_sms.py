"""`manage.py purge_sms`: old ended messages are deleted, and no others."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_mobilon_sms.choices import ErrorCode, Resolution, Status
from django_mobilon_sms.models import SmsBatch, SmsMessage, db_now
from django_mobilon_sms.operations import purging
from tests.support.messages import asked_batch, write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

DAY = timedelta(days=1)
ENDS = {
    "cancelled": {"status": Status.CANCELLED},
    "failed": {"status": Status.FAILED, "error_code": ErrorCode.INVALID},
    "decided": {"status": Status.UNKNOWN, "resolution": Resolution.SENT},
    "sent": {"status": Status.SENT, "gateway_id": "a", "accepted_at": db_now()},
}
STAYS = {
    "pending": {},
    "undecided": {"status": Status.UNKNOWN, "error_code": ErrorCode.LOST},
    "asked for": {
        "status": Status.ACCEPTED,
        "gateway_id": "a",
        "accepted_at": db_now(),
    },
}


def purge(*options: str) -> str:
    output = StringIO()
    call_command("purge_sms", *options, stdout=output)
    return output.getvalue()


def written(days, count=1, **values):
    found = write(count)
    keys = [message.pk for message in found]
    if values.get("status") == Status.ACCEPTED:
        values["batch"] = asked_batch()
    SmsMessage.objects.filter(pk__in=keys).change(created_at=db_now() - days * DAY, **values)
    return found


def kept():
    return list(SmsMessage.objects.order_by("pk").values_list("tag", flat=True))


def old_and_new():
    for name, values in (ENDS | STAYS).items():
        written(181, tag=f"old {name}", **values)
        written(179, tag=f"new {name}", **values)


NEW = [f"new {name}" for name in ENDS]
ALIVE = [f"{age} {name}" for name in STAYS for age in ("old", "new")]


def test_only_what_has_ended_long_ago_is_deleted():
    old_and_new()
    output = purge("--older-than", "180d")
    assert output == "Deleted 4 messages.\nDeleted 0 requests.\n"
    assert kept() == NEW + ALIVE


def test_only_texts_are_forgotten_if_only_they_are_named():
    old_and_new()
    assert purge("--older-than", "180d", "--only-text") == "Forgot 4 texts.\n"
    forgotten = SmsMessage.objects.filter(text="").order_by("pk").values_list("tag", flat=True)
    assert list(forgotten) == [f"old {name}" for name in ENDS]
    assert purge("--older-than", "180d", "--only-text") == "Forgot 0 texts.\n"


def test_dry_run_counts_and_changes_nothing(sandbox, worker):
    write(2)
    worker()
    SmsMessage.objects.all().change(created_at=db_now() - 2 * DAY)
    SmsBatch.objects.update(created_at=db_now() - 2 * DAY, next_check_at=None)
    dry = ("--older-than", "1d", "--dry-run")
    assert purge(*dry) == "Would delete 2 messages.\nWould delete 1 request.\n"
    assert purge(*dry, "--only-text") == "Would forget 2 texts.\n"
    assert (SmsMessage.objects.count(), SmsBatch.objects.count()) == (2, 1)
    assert purge(*dry[:2]) == "Deleted 2 messages.\nDeleted 1 request.\n"
    assert (SmsMessage.objects.count(), SmsBatch.objects.count()) == (0, 0)


def test_request_stays_while_one_of_its_messages_does(sandbox, worker):
    first, _second = write(2)
    worker()
    SmsBatch.objects.update(created_at=db_now() - 2 * DAY, next_check_at=None)
    rows = SmsMessage.objects.filter(pk=first.pk)
    rows.change(created_at=db_now() - 2 * DAY)
    assert purge("--older-than", "1d") == "Deleted 1 message.\nDeleted 0 requests.\n"
    assert SmsBatch.objects.count() == 1


def test_request_whose_outcome_did_not_reach_its_messages_stays():
    SmsBatch.objects.create(worker="w", lease_until=db_now(), created_at=db_now() - 2 * DAY)
    assert purge("--older-than", "1d") == "Deleted 0 messages.\nDeleted 0 requests.\n"


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_it_goes_through_small_transactions(monkeypatch, at_once):
    monkeypatch.setattr(purging, "ROWS_PER_TRANSACTION", at_once)
    # Of the same moment, as rows written together have it, with some among them that stay.
    written(2, count=3, status=Status.CANCELLED)
    written(2, count=2, tag="waits")
    written(2, count=2, status=Status.CANCELLED)
    written(3, count=2, status=Status.CANCELLED)
    SmsMessage.objects.exclude(tag="").change(created_at=db_now() - 2 * DAY)
    moment = SmsMessage.objects.earliest("created_at").created_at
    SmsMessage.objects.all().change(created_at=moment)
    assert purge("--older-than", "1d").startswith("Deleted 7 messages.")
    assert kept() == ["waits"] * 2


@pytest.mark.parametrize("options", [(), ("--older-than", "180"), ("--older-than", "0d")])
def test_age_is_required(options):
    with pytest.raises(CommandError, match="older-than"):
        purge(*options)


def test_database_trouble_is_shown_without_its_text(monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("Ваш заказ готов")

    # No database under test fails at will.
    monkeypatch.setattr("django_mobilon_sms.management.commands.purge_sms.purge", fail)
    with pytest.raises(CommandError, match=r"reported an error \(OperationalError\)"):
        purge("--older-than", "1d")


def test_wrong_age_of_events_is_named_before_anything_is_deleted(settings):
    old_and_new()
    before = kept()
    settings.MOBILON_SMS_EVENTS = "30 d"
    with pytest.raises(CommandError, match=r"\(E034\) MOBILON_SMS_EVENTS"):
        purge("--older-than", "180d")
    assert kept() == before
