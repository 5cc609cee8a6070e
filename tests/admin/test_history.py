"""The history: kept in English, shown in the language of the reader."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.utils.translation import gettext, override

from django_mobilon_sms.admin.history import batch_of, shown
from django_mobilon_sms.models import SmsMessage
from tests.support.admin_door import LIST, act, decide, page, text_of, unknown
from tests.support.messages import write

pytestmark = pytest.mark.django_db

RUSSIAN = {"accept-language": "ru"}


def test_entry_is_shown_in_the_language_of_the_reader(client):
    """Whatever the language of whoever acted."""
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "ru"
    [message] = unknown()
    decide(client, "give_up", [message])
    [entry] = LogEntry.objects.all()
    assert entry.change_message == "Gave it up."
    for address in (page(message), page(message).replace("/change/", "/history/")):
        assert "Gave it up." in text_of(client.get(address, headers={"accept-language": "en"}))
        in_russian = text_of(client.get(address))
        assert "Gave it up." not in in_russian
        assert "Решено не отправлять." in in_russian


def test_sentence_of_django_and_one_without_translation_stay_as_they_are(client):
    [message] = write()
    act(client, "cancel", [message])
    LogEntry.objects.update(change_message='[{"changed": {"fields": ["tag"]}}]')
    address = page(message).replace("/change/", "/history/")
    assert "Changed tag." in text_of(client.get(address))
    LogEntry.objects.update(change_message="Looked at it.")
    assert "Looked at it." in text_of(client.get(address, headers=RUSSIAN))


def test_resend_keeps_the_batch_of_each_message(client):
    """The next claim puts the message into another one."""
    first, second = unknown() + unknown()
    decide(client, "resend", [first, second])
    entries = {entry.object_id: entry for entry in LogEntry.objects.all()}
    for message in SmsMessage.objects.all():
        entry = entries.pop(str(message.pk))
        assert batch_of(entry) == message.batch_id
        assert shown(entry) == "Queued to be sent again, although it may have gone out."
    assert entries == {}


def test_pause_is_named_in_the_language_of_whoever_paused(client):
    """Django shows "Recent actions" only to the person who acted."""
    client.post(f"{LIST}gateway/pause/", headers=RUSSIAN)
    [entry] = LogEntry.objects.all()
    with override("ru"):
        paused = gettext("Sending is paused")
    assert entry.object_repr == paused
    assert entry.change_message.startswith("Sending is paused.")
    assert paused in text_of(client.get("/admin/", headers=RUSSIAN))
