"""Users who must learn nothing about the messages of others."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User

from django_mobilon_sms.exceptions import InvalidRows
from django_mobilon_sms.models import SmsMessage
from django_mobilon_sms.outbox import confined, recently_sent, send_sms, write_many
from tests.outbox.rows import GOOD, GUID

pytestmark = [pytest.mark.databases, pytest.mark.django_db]


@pytest.mark.parametrize(
    ("permissions", "is_confined"),
    [
        ((), True),
        (("view_smsmessage",), True),
        (("view_smsmessage_text",), True),
        (("view_smsmessage", "view_smsmessage_text"), False),
    ],
)
def test_who_may_not_see_messages_and_texts_is_confined(permissions, is_confined):
    user = User.objects.create(username="olga")
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    assert confined(user) == (user if is_confined else None)


def test_own_code_is_not_confined():
    assert confined(None) is None


def refused(row, user):
    with pytest.raises(InvalidRows) as raised:
        write_many([row], confined_to=user)
    return [(error.field, error.code, error.message) for error in raised.value.errors]


@pytest.mark.parametrize("written_by", ["nobody", "another"])
def test_guid_of_another_is_taken_whatever_the_content(written_by):
    olga, ivan = User.objects.create(username="olga"), User.objects.create(username="ivan")
    first = send_sms(**GOOD, guid=GUID, created_by=ivan if written_by == "another" else None)
    taken = [("guid", "conflict", "This guid is taken.")]
    for text in (GOOD["text"], "другое"):
        assert refused(GOOD | {"guid": GUID, "text": text, "created_by": olga}, olga) == taken
    assert write_many([GOOD | {"guid": GUID}])[0].pk == first.pk
    assert SmsMessage.objects.count() == 1


def test_own_messages_are_found_and_compared():
    olga = User.objects.create(username="olga")
    row = GOOD | {"guid": GUID, "created_by": olga}
    first, again = (write_many([row, row], confined_to=olga) for _ in range(2))
    assert {message.pk for message in again} == {first[0].pk}
    message = "A message with this guid exists with another text."
    assert refused(row | {"text": "другое"}, olga) == [("guid", "conflict", message)]


def test_only_own_messages_are_recent():
    olga = User.objects.create(username="olga")
    own, other = (send_sms(**GOOD | {"text": text}) for text in ("a", "b"))
    SmsMessage.objects.filter(pk=own.pk).change(created_by=olga)
    found = {each.text: (each.number, each.text) for each in (own, other)}
    assert recently_sent([own.number], 60) == set(found.values())
    assert recently_sent([own.number], 60, confined_to=olga) == {found["a"]}
