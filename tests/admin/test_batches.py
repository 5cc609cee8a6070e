"""The journal of requests, through the admin's door."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_mobilon_sms.choices import ErrorCode, Outcome
from django_mobilon_sms.models import SmsBatch, db_now
from django_mobilon_sms.worker import send_now
from tests.support.admin_door import JOURNAL, page, person, text_of
from tests.support.messages import claim, journal, write

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = timedelta(hours=1)


def of(batch):
    return f"{JOURNAL}{batch.pk}/change/"


def test_list_shows_what_became_of_each_request(sandbox, client):
    sandbox.fault("http", code=503)
    send_now([m.pk for m in write(2)])
    shown = text_of(client.get(JOURNAL))
    assert "no proof The gateway answered with an error, but may have sent it. 503 2" in shown


def test_page_names_the_messages_and_the_reply(sandbox, client):
    first, second = messages = write(2)
    sandbox.fault("partial", keep=1)
    send_now([m.pk for m in messages])
    first.refresh_from_db()
    html = client.get(of(SmsBatch.objects.get())).content.decode()
    shown = text_of(client.get(of(SmsBatch.objects.get())))
    assert f"{first.guid} accepted 0 {first.gateway_id}" in shown
    assert f"{second.guid} unknown" in shown
    assert f'<a href="{page(first)}">{first.guid}</a>' in html


def test_batch_under_way_names_its_messages(client):
    [message] = write()
    batch = SmsBatch.objects.create(worker="elsewhere:1", lease_until=db_now() + HOUR)
    claim(batch)
    assert "under way - - 1 - elsewhere:1" in text_of(client.get(JOURNAL))
    assert f"{message.guid} sending" in text_of(client.get(of(batch)))


def test_deleted_messages_stay_in_the_journal_by_their_guid(sandbox, client):
    [message] = write()
    send_now([message.pk])
    SmsBatch.objects.update(next_check_at=None)
    message.delete()
    assert f"{message.guid} deleted 0" in text_of(client.get(of(SmsBatch.objects.get())))


def test_journal_without_messages_has_no_links_to_them(sandbox):
    [message] = write()
    send_now([message.pk])
    auditor = person("view_smsbatch", name="auditor")
    response = auditor.get(of(SmsBatch.objects.get()))
    assert str(message.guid) in text_of(response)
    assert page(message) not in response.content.decode()


def test_worker_and_reply_are_escaped(client):
    xss, [message] = "<script>alert(1)</script>", write()
    batch = SmsBatch.objects.create(
        worker=xss, lease_until=db_now(), outcome=Outcome.ANSWERED, closed_at=db_now(),
        error_code=ErrorCode.NO_ID, **journal([message.guid], [(message.guid, 0, xss)]),
    )  # fmt: skip
    for address in (JOURNAL, of(batch)):
        assert "<script>alert" not in client.get(address).content.decode()


def test_page_of_a_batch_names_the_next_step_and_the_list_only_the_reason(client):
    closed = {"outcome": Outcome.REFUSED, "closed_at": db_now(), "error_code": ErrorCode.PAYMENT}
    batch = SmsBatch.objects.create(worker="a:1", lease_until=db_now(), **closed)
    step = "Pay, then choose Try now in the admin."
    assert f"The gateway asks for payment. {step}" in text_of(client.get(of(batch)))
    listed = text_of(client.get(JOURNAL))
    assert "The gateway asks for payment." in listed
    assert step not in listed


@pytest.mark.parametrize(
    ("outcome", "count"), [("none", 1), ("answered", 1), ("lost", 0), ("x", 0)]
)
def test_outcomes_are_filtered(client, outcome, count):
    SmsBatch.objects.create(worker="a:1", lease_until=db_now())
    closed = {"outcome": Outcome.ANSWERED, "closed_at": db_now()}
    SmsBatch.objects.create(worker="a:1", lease_until=db_now(), **closed)
    response = client.get(JOURNAL, {"outcome": outcome})
    assert len(response.context["cl"].result_list) == count


@pytest.mark.parametrize("key", ["abc", "\0", "00000000-0000-4000-8000-000000000000"])
def test_page_of_no_batch_says_so(client, key):
    assert client.get(f"{JOURNAL}{key}/change/").status_code == 302


def test_nobody_writes_into_the_journal(db):
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    batch = SmsBatch.objects.create(worker="a:1", lease_until=db_now())
    assert boss.get(f"{JOURNAL}add/").status_code == 403
    assert boss.post(of(batch), {"worker": "b:2"}).status_code == 403
    assert boss.post(f"{JOURNAL}{batch.pk}/delete/", {"post": "yes"}).status_code == 403
    assert SmsBatch.objects.get().worker == "a:1"


def test_journal_is_for_those_who_may_see_it():
    reader = person("view_smsmessage")
    assert reader.get(JOURNAL).status_code == 403
    assert reader.get(JOURNAL, {"worker": "a:1"}).status_code == 403


@pytest.mark.databases
def test_filter_that_no_database_can_hold_is_refused(client):
    assert client.get(JOURNAL, {"outcome": "\0"}).status_code == 400
