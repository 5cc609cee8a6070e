"""Rows with secrets, people with one permission each, and what their requests change and show."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction

from django_mobilon_sms.choices import Outcome, Status
from django_mobilon_sms.models import (
    GatewayState,
    SmsBatch,
    SmsMailing,
    StoppedNumber,
    WebhookConsumer,
    db_now,
)
from tests.models.factories import ACCEPTED as TAKEN
from tests.models.factories import message
from tests.support.messages import asked_batch, journal

HOUR = timedelta(hours=1)
SEE, TEXT, WRITE = "view_smsmessage", "view_smsmessage_text", "add_smsmessage"
SEND, RESEND = "send_smsmessage", "resend_smsmessage"
DELETE, MODIFY = "delete_smsmessage", "change_smsmessage"
START_WEBHOOK = "change_webhookconsumer"
SEE_STOPPED, STOP, UNSTOP = "view_stoppednumber", "add_stoppednumber", "delete_stoppednumber"

#: Primary keys, above those of rows that a request writes on PostgreSQL.
PENDING, FAILED, UNKNOWN, ASKED, OF_MAILING = range(1001, 1006)
WAITING, CONFIRMED, STOPPED, WEBHOOK = 1001, 1002, 1001, 1001
BATCH = UUID("5f0c1c1e-6c1f-4a0e-9d8a-0f4b7a5f1c01")
GUIDS = {pk: UUID(int=pk) for pk in (PENDING, FAILED, UNKNOWN, ASKED, OF_MAILING)}

#: What stands in the rows, and the sets of permissions of which one is needed to see it. Of the
#: numbers the ten digits without their prefix.
SECRETS: dict[str, tuple[set[str], ...]] = {
    "Zimorodok": ({SEE, TEXT},),  # in the texts of messages
    "9131110001": ({SEE}, {MODIFY}),  # their number; Django shows a row to who may change it
    "Svirist": ({SEE, TEXT}, {WRITE, TEXT}),  # in the text of mailings
    "9132220002": ({SEE, TEXT}, {WRITE, TEXT}),  # in their file
    "Gagara": ({SEE, TEXT}, {WRITE, TEXT}),  # beside the number
    "9133330003": ({SEE_STOPPED},),  # the stopped number
    "Olusha": ({SEE_STOPPED},),  # its note
}
#: A word beside the secret one, to search for, and what it stands in.
WORD = "сезам"
WORDS, NUMBER, STOPPED_NUMBER = f"{WORD} Zimorodok", "+79131110001", "+79133330003"


def write_rows() -> None:
    """Write a message in each state that an action is for, mailings, a batch, a stopped number."""
    author = User.objects.create_user("author", is_staff=True)
    closed = {"closed_at": db_now(), "applied_at": db_now()}
    batch = SmsBatch.objects.create(
        pk=BATCH, worker="w", lease_until=db_now() - HOUR, outcome=Outcome.NO_PROOF, **closed,
        **journal([GUIDS[UNKNOWN]], [(GUIDS[UNKNOWN], 1, "id")]),
    )  # fmt: skip
    for pk in (WAITING, CONFIRMED):
        SmsMailing.objects.create(
            pk=pk, name="Spring", text="Svirist {{NAME}}", file_name="list.csv", created_by=author,
            file=b"phone,name\n89132220002,Gagara\n8913222,Gagara",
        )  # fmt: skip
    SmsMailing.objects.filter(pk=CONFIRMED).update(
        confirmed_at=db_now(), confirmed_by=author, file=b"", written=1
    )
    states: dict[int, dict[str, Any]] = {
        PENDING: {"status": Status.PENDING},
        FAILED: {"status": Status.FAILED, "error_code": "rejected"},
        UNKNOWN: {"status": Status.UNKNOWN, "batch": batch, "error_code": "timeout"},
        ASKED: {**TAKEN, "status": Status.ACCEPTED, "batch": asked_batch()},
        OF_MAILING: {"status": Status.PENDING, "mailing_id": CONFIRMED},
    }
    common = {"number": NUMBER, "text": WORDS, "created_by": author}
    rows = [message(pk=pk, guid=GUIDS[pk], **common, **values) for pk, values in states.items()]
    StoppedNumber.objects.create(pk=STOPPED, number=STOPPED_NUMBER, note="Olusha")
    WebhookConsumer.objects.create(pk=WEBHOOK, name="shop", cursor="0.0.0")
    GatewayState.objects.current()
    LogEntry.objects.log_actions(author.pk, rows, CHANGE, "Cancelled it.")


def people() -> dict[str, tuple[User, set[str]]]:
    """Return users by name, each with their permissions."""
    every = list(Permission.objects.filter(content_type__app_label="mobilon_sms"))
    given = {permission.codename: [permission] for permission in every}
    given |= {"none": [], "all": every}
    found = {}
    for name, permissions in given.items():
        user = User.objects.create_user(name, is_staff=True)
        user.user_permissions.set(permissions)
        found[name] = (user, {one.codename for one in permissions})
    return found


def has_any(permissions: Collection[str], needs: Collection[set[str]]) -> bool:
    """Return whether these permissions include one of the sets."""
    return any(need <= set(permissions) for need in needs)


def dump() -> dict[str, list[Any]]:
    """Return all rows of the app's tables, and of the history."""
    models = [*apps.get_app_config("mobilon_sms").get_models(), LogEntry]
    found = {}
    with connection.cursor() as cursor:
        for model in models:
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
            found[model._meta.db_table] = list(cursor.fetchall())
    return found


@contextmanager
def undone(before: Callable[[], object]) -> Iterator[Callable[[], list[str]]]:
    """Yield a function that names the tables which were changed, and undo the changes."""
    point = transaction.savepoint()  # no atomic(), in which a message cannot be claimed
    before()
    rows = dump()
    yield lambda: [table for table, now in dump().items() if now != rows[table]]
    transaction.savepoint_rollback(point)


def said(response: Any) -> str:
    """Return all that an answer says: its body, unpacked if it is a workbook, and its headers."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    if body.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(body)) as book:
            body = b"\n".join(book.read(name) for name in book.namelist())
    words = f"{body.decode()}\n{response.headers}\n{response.cookies}"
    return words + re.sub(r"(?<=\d)[ \xa0-](?=\d)", "", words)  # numbers also without their spaces


def leaks(
    words: str, permissions: Collection[str], secrets: Mapping[str, Collection[set[str]]] = SECRETS
) -> list[str]:
    """Return the secrets that these words hold and these permissions do not open."""
    return [
        secret
        for secret, needs in secrets.items()
        if secret in words and not has_any(permissions, needs)
    ]
