"""The pages of the handbook that have no other picture: stop list, journal."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from django_mobilon_sms.choices import Outcome
from django_mobilon_sms.models import SmsBatch, db_now
from django_mobilon_sms.outbox import stop
from tests.support.admin_door import EVERYTHING, JOURNAL, person, unknown

STOP_LIST = "/admin/mobilon_sms/stoppednumber/"
STOP_RIGHTS = ("view_stoppednumber", "add_stoppednumber", "delete_stoppednumber")


def stop_list():
    notes = ["просил по телефону", "жалоба от 12.11", "ответил СТОП"]
    for n, note in enumerate(notes):
        stop([f"+7913529292{n}"], note=note, by=User.objects.get())


def journal():
    unknown(2)
    now = db_now()
    for n, outcome in enumerate((Outcome.ANSWERED, Outcome.ANSWERED, Outcome.NEVER_LEFT)):
        SmsBatch.objects.create(
            worker="sms-1:4021", lease_until=now, outcome=outcome, applied_at=now,
            closed_at=now + timedelta(seconds=1.4), http_code=200 if n < 2 else None,
            error_code="" if n < 2 else "connection", message_count=100 - n,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "address", "prepare"),
    [
        ("stop-list", STOP_LIST, stop_list),
        ("stop-list-add", f"{STOP_LIST}add/", stop_list),
        ("journal", JOURNAL, journal),
    ],
)
def test_page_of_the_handbook_is_for_everybody(visit, look, picture, name, address, prepare):
    client = person(*EVERYTHING, *STOP_RIGHTS)
    prepare()
    page = visit(client, address, look)
    assert page.violations() == []
    assert page.too_wide() == 0
    picture(page, name)
