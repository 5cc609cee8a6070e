"""Copies, through the admin's door."""

from __future__ import annotations

from uuid import uuid4

import pytest

from django_mobilon_sms.choices import ErrorCode, Status
from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import (
    act,
    become,
    history,
)
from tests.support.messages import write

pytestmark = [pytest.mark.databases, pytest.mark.django_db(transaction=True)]

SKIPPED = "1 message was skipped: its status has changed, or does not allow it."


def test_copy_writes_new_messages_of_those_that_ended_badly(client, atomic_requests):
    failed, pending = write(2, tag="order 7", priority=9)
    become([failed], status=Status.FAILED, error_code=ErrorCode.REJECTED)
    assert act(client, "copy", [failed, pending]) == [
        "1 message was copied. The copy is in the queue.",
        SKIPPED,
    ]
    copy = SmsMessage.objects.latest("pk")
    kept = [(m.number, m.text, m.source, m.priority, m.tag) for m in (failed, copy)]
    assert kept[0] == kept[1]
    assert (copy.status, copy.guid == failed.guid) == ("pending", False)
    assert copy.created_by.username == "anna"
    assert history() == [("anna", str(failed), "Copied it into a new message.")]


def test_copy_clicked_twice_writes_one_copy_and_asked_anew_another(client):
    failed = become(write(), status=Status.FAILED)
    submission_id = uuid4()
    act(client, "copy", failed, submission_id=submission_id)
    assert act(client, "copy", failed, submission_id=submission_id) == [SKIPPED]
    assert SmsMessage.objects.count() == 2
    act(client, "copy", failed, submission_id=uuid4())
    assert SmsMessage.objects.count() == 3


@pytest.mark.parametrize(("submission_id", "count"), [("", 2), ("garbage", 1), ("\0", 1)])
def test_copy_with_a_wrong_token_does_nothing_and_without_one_copies(client, submission_id, count):
    assert (
        len(act(client, "copy", become(write(), status=Status.FAILED), submission_id=submission_id))
        == 1
    )
    assert SmsMessage.objects.count() == count


def test_copy_that_the_rules_no_longer_allow_is_refused(client, settings):
    failed = become(write(), status=Status.FAILED)
    settings.MOBILON_SMS_NUMBER_PATTERN = r"\+1\d{10}"
    assert act(client, "copy", failed) == [
        "1 message cannot be copied: its number, sender or text is no longer allowed."
    ]
    assert SmsMessage.objects.count() == 1


def test_copy_takes_no_more_than_a_person_can_answer_for(client, monkeypatch):
    from django_mobilon_sms.admin.actions import changelist_actions

    monkeypatch.setattr(changelist_actions, "MAX_COPIES", 3)
    assert act(client, "copy", become(write(5), status=Status.FAILED)) == [
        "3 messages were copied. The copies are in the queue.",
        "2 more are left for the next time.",
    ]
    assert SmsMessage.objects.count() == 8
