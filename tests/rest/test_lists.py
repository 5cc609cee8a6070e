"""A list through the REST door is written as its messages would be one by one."""

from __future__ import annotations

import pytest

from django_mobilon_sms.models import SmsMessage
from tests.outbox.rows import ODD_TEXTS, columns
from tests.support.rest_door import post, rows

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def test_list_is_written_as_its_messages_would_be_one_by_one(client):
    given = [{"number": f"+7913{n:07}", "text": text} for n, text in enumerate(ODD_TEXTS)]
    given[1] |= {"send_at": "2900-01-01T10:00:00+07:00", "tag": "t"}
    answers = {}
    for bodies in ([given], given):
        for body in bodies:
            answer = post(client, body)
            assert answer.status_code == 201
            answers.update({one["guid"]: one for one in rows(answer)})
    messages = list(SmsMessage.objects.order_by("pk"))
    stored = [columns(message) for message in messages]
    assert stored[: len(given)] == stored[len(given) :]
    assert [answers[str(message.guid)]["text"] for message in messages] == ODD_TEXTS * 2
