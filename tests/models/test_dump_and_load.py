"""The tables are dumped and loaded by Django as they are."""

from __future__ import annotations

from datetime import datetime
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from django_mobilon_sms.choices import Status
from django_mobilon_sms.exceptions import MessageIsWritten
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMailing, SmsMessage
from tests.models.factories import (
    FUTURE,
    GUID,
    PAST,
    batch,
    in_status,
    message,
    rows,
)
from tests.support.messages import claim, journal, write

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


EVERYTHING = (User, SmsBatch, SmsMailing, SmsMessage, GatewayState)


def kept() -> dict[str, list]:
    """All rows of all tables."""
    return {m.__name__: list(m._base_manager.order_by("pk").values()) for m in EVERYTHING}


def to_milliseconds(tables: dict[str, list]) -> dict[str, list]:
    """Cut the times as Django's JSON does."""

    def cut(value):
        if not isinstance(value, datetime):
            return value
        return value.replace(microsecond=value.microsecond // 1000 * 1000)

    return {
        name: [{field: cut(value) for field, value in row.items()} for row in found]
        for name, found in tables.items()
    }


def dump(path, form="json"):
    call_command("dumpdata", "auth.user", "mobilon_sms", format=form, output=str(path))
    return path


def load(path):
    call_command("loaddata", str(path), verbosity=0)


def empty():
    for model in reversed(EVERYTHING):
        model._base_manager.all()._raw_delete("default")
    assert kept() == {model.__name__: [] for model in EVERYTHING}


@pytest.mark.parametrize(("form", "keeps"), [("json", to_milliseconds), ("xml", dict)])
def test_everything_is_dumped_and_loaded_as_it_was(tmp_path, form, keeps):
    olga = User.objects.create(username="olga")
    for status in Status:
        in_status(status, created_by=olga, text=f"«{status}»\n🎄", tag="зима", attempts=2)
    decided = {"resolution": "sent", "resolved_by": olga, "resolved_at": PAST, "resends": 1}
    lost = batch(outcome="lost", error_code="lost", closed_at=PAST, applied_at=PAST)
    message(status="unknown", error_code="lost", batch=lost, **decided)
    message(mailing=SmsMailing.objects.create(name="sale", text="x", file=b"\0", file_name="a"))
    answered = batch(outcome="answered", closed_at=PAST, http_code=200)
    reply = journal([GUID], [(GUID, 0, "58adc4b8")])
    SmsBatch.objects.filter(pk=answered.pk).update(**reply)
    GatewayState.objects.pause(by=olga)
    GatewayState.objects.update(blocked_until=FUTURE, failures=3, probe=GUID, probe_until=FUTURE)
    before = kept()
    assert {name: len(found) for name, found in before.items()} == {
        "User": 1, "SmsBatch": 5, "SmsMailing": 1, "SmsMessage": 11, "GatewayState": 1,
    }  # fmt: skip
    path = dump(tmp_path / f"outbox.{form}", form)
    empty()
    load(path)
    assert kept() == keeps(before)
    load(path)
    assert kept() == keeps(before)


def test_loaded_rows_are_written_once_and_new_ones_get_other_keys(tmp_path):
    write()
    path = dump(tmp_path / "outbox.json")
    empty()
    load(path)
    with pytest.raises(MessageIsWritten):
        SmsMessage.objects.get().save()
    write()
    assert len({pk for (pk,) in rows("pk")}) == 2


def test_hold_sms_holds_older_rows_that_were_loaded_over_newer_ones(tmp_path):
    """Django loads past ``save()``: only a person knows that the copy is old."""
    [row] = write()
    path = dump(tmp_path / "outbox.json")
    mine = batch()
    claim(mine)
    SmsMessage.objects.accept(mine, {row.pk: "id"}, {row.pk: 0})
    load(path)
    assert rows("status", "gateway_id", "batch") == [("pending", "", None)]
    call_command("hold_sms", "--no-input", stdout=StringIO())
    assert rows("status", "error_code") == [("unknown", "held")]
