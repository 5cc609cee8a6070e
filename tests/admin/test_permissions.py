"""Who may do what in the admin. These tests try it, and compare the table of the docs.

``PERMISSIONS=docs/reference/permissions.csv`` writes it anew.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from django_mobilon_sms.choices import Status
from django_mobilon_sms.models import GatewayState, SmsBatch, SmsMailing, SmsMessage, db_now
from tests.support.admin_door import (
    ADD,
    DECIDE,
    EVERYTHING,
    HOUR,
    JOURNAL,
    LIST,
    REPORTS,
    accepted,
    become,
    page,
    unknown,
)
from tests.support.documents import DOCS
from tests.support.messages import write

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = DOCS / "reference/permissions.csv"
MAILINGS = "/admin/mobilon_sms/smsmailing/"
#: Before the status of an accepted message would be queried without the action.
SOON = db_now() + HOUR / 2
SECRET = "пароль сезам"

#: Tries to do something; returns whether it was done.
Door = Callable[[Client], Any]


def opens(address: str, words: str = "") -> Door:
    """Whether a page opens, and has these words."""

    def door(client: Client) -> bool:
        response = client.get(address)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        return response.status_code == 200 and words in content.decode()

    return door


def acts(action: str, make: Callable[[], list[SmsMessage]], **after: Any) -> Door:
    """Whether an action of the list leaves its message so."""

    def door(client: Client) -> bool:
        [message] = make()
        client.post(LIST, {"action": action, "_selected_action": message.pk, "post": "yes"})
        return SmsMessage.objects.filter(pk=message.pk, **after).exists()

    return door


def copies(client: Client) -> bool:
    [message] = become(write(text=SECRET), status=Status.FAILED)
    response = client.get(ADD, {"copy": message.pk})
    return response.status_code == 200 and SECRET in response.content.decode()


def sends_again(client: Client) -> bool:
    [message] = become(write(), status=Status.FAILED)
    before = SmsMessage.objects.count()
    chosen = {"action": "copy", "_selected_action": message.pk, "pks": message.pk}
    client.post(LIST, chosen | {"submission_id": str(uuid4())})
    return SmsMessage.objects.count() > before


def deletes(client: Client) -> bool:
    [message] = become(write(), status=Status.FAILED)
    client.post(f"{LIST}{message.pk}/delete/", {"post": "yes"})
    return not SmsMessage.objects.filter(pk=message.pk).exists()


def decides(choice: str, **after: Any) -> Door:
    """Whether a decision leaves its message so."""

    def door(client: Client) -> bool:
        [message] = unknown()
        client.post(DECIDE, {"choice": choice, "pks": message.pk})
        return SmsMessage.objects.filter(pk=message.pk, **after).exists()

    return door


def writes(button: str, **after: Any) -> Door:
    """Whether the form writes a message, and leaves it so."""

    def door(client: Client) -> bool:
        newest = SmsMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        typed = {"numbers": "89135292926", "text": "x", "priority": 5, button: "yes"}
        client.post(ADD, typed | {"submission_id": str(uuid4())})
        return SmsMessage.objects.filter(pk__gt=newest, **after).exists()

    return door


def uploads(client: Client) -> bool:
    from django.core.files.uploadedfile import SimpleUploadedFile

    file = SimpleUploadedFile("list.csv", b"phone\n89135292926\n")
    before = SmsMailing.objects.count()
    client.post(f"{MAILINGS}add/", {"name": "x", "text": "x", "priority": 5, "file": file})
    return SmsMailing.objects.count() > before


def mailing(uploaded_by: str = "boss") -> SmsMailing:
    return SmsMailing.objects.create(
        name="x",
        text=SECRET,
        file=b"phone\n89135292926\n",
        file_name="x.csv",
        created_by=User.objects.get(username=uploaded_by),
    )


def confirms(uploaded_by: str) -> Door:
    """Whether the list of this person is confirmed."""

    def door(client: Client) -> bool:
        before = SmsMessage.objects.count()
        client.post(f"{MAILINGS}{mailing(uploaded_by).pk}/confirm/")
        return SmsMessage.objects.count() > before

    return door


def takes_back(client: Client) -> bool:
    made = mailing()
    boss = Client()
    boss.force_login(User.objects.get(username="boss"))
    boss.post(f"{MAILINGS}{made.pk}/confirm/")
    client.post(f"{MAILINGS}{made.pk}/cancel/", {"confirmed": "yes"})
    newest = SmsMessage.objects.latest("pk")
    return newest.status == Status.CANCELLED


def pauses(client: Client) -> bool:
    GatewayState.objects.resume()
    client.post(f"{LIST}gateway/pause/")
    return GatewayState.objects.resume() == 1


def sees_batch(client: Client) -> bool:
    [message] = unknown()
    batch = SmsBatch.objects.get(messages=message)
    return client.get(f"{JOURNAL}{batch.pk}/change/").status_code == 200


def reads(client: Client) -> bool:
    [message] = write()
    return client.get(page(message)).status_code == 200


DOORS: dict[str, Door] = {
    "see the list, search it, see who waits for a decision": opens(LIST),
    "read a message and its way": reads,
    "see texts": opens(LIST, SECRET),
    "search by words of the texts": opens(
        f"{LIST}?q={SECRET.replace(' ', '+')}", "field-recipient"
    ),
    "see the reports": opens(REPORTS),
    "export the list": opens(f"{LIST}export/csv/", "89135292926"),
    "export it with texts": opens(f"{LIST}export/csv/", SECRET),
    "write a message": writes("_save"),
    "write a message and send it now": writes("_send_now", status=Status.ACCEPTED),
    "send now what waits": acts("send_now", write, status=Status.ACCEPTED),
    "refresh a status": acts("refresh", accepted, batch__next_check_at__lt=SOON),
    "cancel what waits": acts("cancel", write, status=Status.CANCELLED),
    "copy into a new message": copies,
    "send again as new messages": sends_again,
    "decide that unknown was sent, or give it up": decides("give_up", resolution="given_up"),
    "send unknown again": decides("resend", status=Status.PENDING),
    "delete what has ended": deletes,
    "pause, resume, try now": pauses,
    "see the mailings": opens(MAILINGS),
    "upload a list": uploads,
    "confirm a list of one's own": confirms("anna"),
    "confirm a list of somebody else": confirms("boss"),
    "cancel what waits of a list": takes_back,
    "see the journal": opens(JOURNAL),
    "see a batch": sees_batch,
    "see the last batches in the reports": opens(REPORTS, 'id="batches"'),
}


@pytest.fixture
def can(sandbox: Any) -> Callable[[Door, set[str]], bool]:
    """Whether somebody of the staff with these permissions, and no others, can do this."""
    everything = Permission.objects.filter(codename__in=EVERYTHING)
    User.objects.create_user("boss", is_staff=True).user_permissions.set(everything)
    user = User.objects.create_user("anna", is_staff=True)
    write(text=SECRET)

    def can(door: Door, permissions: set[str]) -> bool:
        user.user_permissions.set([p for p in everything if p.codename in permissions])
        client = Client()
        client.force_login(user)
        return bool(door(client))

    return can


def cells(can: Callable[[Door, set[str]], bool], door: Door) -> list[str]:
    """For each permission: "yes" without which it is refused, "either" where one of some does."""
    needed = {name for name in EVERYTHING if not can(door, {*EVERYTHING} - {name})}
    enough = can(door, needed)  # these and nothing else: nobody has to be a superuser
    others = [] if enough else [name for name in EVERYTHING if name not in needed]
    either = {name for name in others if can(door, needed | {name})}
    assert (enough, len(either)) == (True, 0) or len(either) > 1
    return ["yes" if name in needed else "either" * (name in either) for name in EVERYTHING]


@pytest.mark.parametrize("name", DOORS)
def test_permissions_are_those_of_the_table(can, name):
    found = cells(can, DOORS[name])
    assert any(found)
    assert not can(DOORS[name], set())
    if path := os.environ.get("PERMISSIONS"):
        with Path(path).open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow([name, *found])
    with TABLE.open(encoding="utf-8", newline="") as file:
        assert [name, *found] in list(csv.reader(file))


def test_table_has_no_other_rows():
    with TABLE.open(encoding="utf-8", newline="") as file:
        names, *rows = list(csv.reader(file))
    assert names == ["", *EVERYTHING]
    assert [row[0] for row in rows] == [*DOORS]


# All matching rows, not only the selected


ALL = {
    "cancel": (write, {"status": Status.CANCELLED}),
    "refresh": (accepted, {"batch__next_check_at__lt": SOON}),
}


@pytest.mark.parametrize("action", ALL)
def test_action_takes_all_that_match_and_no_other(can, action):
    make, after = ALL[action]
    SmsMessage.objects.all().change(tag="other")
    messages, others = make(120), make(1)
    SmsMessage.objects.filter(pk__in=[m.pk for m in messages]).change(tag="sale")
    client = Client()
    client.force_login(User.objects.get(username="boss"))
    chosen = {"action": action, "_selected_action": messages[0].pk, "select_across": 1}
    question = client.post(f"{LIST}?tag=sale", chosen)
    if action == "cancel":  # it asks first
        client.post(f"{LIST}?tag=sale", dict(question.context["fields"]))
    assert SmsMessage.objects.filter(tag="sale", **after).count() == 120
    assert not SmsMessage.objects.filter(pk=others[0].pk, **after).exists()


def test_decision_takes_all_that_match_and_no_other(can):
    messages, others = unknown(120), unknown(1)
    SmsMessage.objects.filter(pk__in=[m.pk for m in messages]).change(tag="sale")
    client = Client()
    client.force_login(User.objects.get(username="boss"))
    chosen = {"action": "decide", "_selected_action": messages[0].pk, "select_across": 1}
    asked = client.post(f"{LIST}?tag=sale", chosen).context["pks"]
    client.post(DECIDE, {"choice": "resolve_sent", "pks": asked})
    decided = SmsMessage.objects.filter(resolution="sent")
    assert decided.count() == decided.filter(tag="sale").count() == 120
    assert SmsMessage.objects.get(pk=others[0].pk).resolution == ""
