"""Writing into the outbox: the developer's door, and the way through which every door writes.

Nothing here touches the network: a worker (``manage.py send_sms``) sends what is written, once
it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..choices import Status
from ..conf import conf
from ..exceptions import GuidConflict, InvalidRows, RowError
from ..models import GatewayState, SmsMessage
from ..segments import count_segments
from ..signals import wake_up_after_commit
from .validation import clean, clean_repeated, default_expiry, named_guid

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
from .duplicates import duplicates, is_duplicate
from .guid_conflicts import conflicts, differences
from .stop_list import is_stopped, stopped_numbers

#: Raises what is wrong with rows, by their index.
Refuse = Callable[[Mapping[int, ValidationError]], None]


#: Says what else is wrong with the messages of rows, by the row's index.
Judge = Callable[[Sequence[SmsMessage]], Mapping[int, ValidationError]]


#: The statuses whose messages can be sent anew by ``copy_message()``.
COPYABLE = (Status.FAILED, Status.EXPIRED, Status.CANCELLED)


#: How many faults ``InvalidRows`` lists.
MAX_ERRORS = 100


#: How many rows one INSERT, and how many guids one SELECT carries, where the database allows.
CHUNK = 1000


@sensitive_variables()  # all: it covers the frames below, whatever their names
def send_sms(
    number: str,
    text: str,
    *,
    source: str | None = None,
    send_at: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int | None = None,
    tag: str | None = None,
    guid: UUID | str | None = None,
    sensitive: bool | None = None,
    created_by: AbstractBaseUser | None = None,
) -> SmsMessage:
    """Write a message into the outbox, inside the caller's transaction.

    ``number`` is taken as people type it, ``source`` defaults to ``MOBILON_SMS_SOURCE``,
    ``send_at`` to now. The same ``guid`` again returns the same row, also after its expiry. The
    text of a ``sensitive`` message, such as a code to log in with, is forgotten once the gateway
    has accepted it.

    Raises ``ValidationError`` with every fault by its field, and ``GuidConflict`` if the guid
    belongs to a message with other content (of what the call names).
    """
    row = {
        "number": number,
        "text": text,
        "source": source,
        "send_at": send_at,
        "expires_at": expires_at,
        "priority": priority,
        "tag": tag,
        "guid": guid,
        "sensitive": sensitive,
        "created_by": created_by,
    }
    alias = router.db_for_write(SmsMessage)
    [fields], known = _clean_all([row], alias, refuse=_raise_first)
    [message] = _write([fields], alias, known, refuse=_raise_first)
    if differing := differences(message, fields, named=row):
        raise GuidConflict(message.guid, differing)
    return message


@sensitive_variables()
def send_many(rows: Iterable[Mapping[str, Any]]) -> int:
    """Write many messages, all or none; returns how many were written.

    Each row is a mapping with the names of ``send_sms()``. A guid that exists with the same
    content is not written again. Raises ``InvalidRows``.
    """
    return len({message.guid for message in write_many(rows) if message.was_written})


@sensitive_variables()
def write_many(
    rows: Iterable[Mapping[str, Any]], *, judge: Judge = lambda messages: {}
) -> list[SmsMessage]:
    """Like ``send_many()``, but returns the messages, one for each row in the rows' order.

    ``judge`` sees them before any is written, and those that exist already; what it refuses, by
    the row's index, is ``InvalidRows`` too.
    """
    alias = router.db_for_write(SmsMessage)
    given = list(rows)
    cleaned, known = _clean_all(given, alias, refuse=_raise_for)

    def check(messages: Sequence[SmsMessage]) -> None:
        _raise_for({**conflicts(messages, cleaned, given), **judge(messages)})

    return _write(cleaned, alias, known, check=check)


def copy_message(
    message: SmsMessage, *, created_by: AbstractBaseUser | None, guid: UUID | None = None
) -> SmsMessage:
    """Send a failed, expired or cancelled message anew: a new row with a new guid, due now.

    The same ``guid`` again copies nothing again. Raises ``ValidationError`` for any other
    message, and for one whose number, sender or text is not allowed any more.
    """
    if message.status not in COPYABLE:
        raise ValidationError(
            _("Only failed, expired and cancelled messages can be copied."), code="status"
        )
    if not message.text:
        raise ValidationError(_("The text of this message has been forgotten."), code="forgotten")
    return send_sms(
        message.number,
        message.text,
        source=message.source,
        priority=message.priority,
        tag=message.tag,
        guid=guid,
        created_by=created_by,
    )


def _clean_all(
    rows: Sequence[Mapping[str, Any]], alias: str, *, refuse: Refuse
) -> tuple[list[dict[str, Any]], dict[UUID, SmsMessage]]:
    """The fields of the rows, and of messages that exist what was found on the way."""
    cleaned, faults, now = {}, {}, _database_time()
    for index, row in enumerate(rows):
        try:
            cleaned[index] = clean(row, now)
        except ValidationError as error:
            faults[index] = error
    # What is refused now may have been written when it was right: asked for again, it is found.
    guids = {index: guid for index in faults if (guid := named_guid(rows[index]))}
    known = _existing(set(guids.values()), alias)
    for index in [index for index, guid in guids.items() if guid in known]:
        with suppress(ValidationError):
            cleaned[index] = clean_repeated(rows[index])
            del faults[index]
    if faults:
        refuse(faults)
    return [cleaned[index] for index in range(len(rows))], known


def _database_time() -> Callable[[], datetime]:
    """The database's time, asked for once, and only if a row needs it."""
    return cache(lambda: GatewayState.objects.current().now)


def _raise_for(faults: Mapping[int, ValidationError]) -> None:
    if faults:
        errors = [
            RowError(index, field, str(error.code), error.messages[0])
            for index, fault in sorted(faults.items())[:MAX_ERRORS]
            for field, found in fault.error_dict.items()
            for error in found
        ]
        raise InvalidRows(errors[:MAX_ERRORS], len(faults))


def _raise_first(faults: Mapping[int, ValidationError]) -> None:
    raise faults[0]


def _write(
    rows: Sequence[Mapping[str, Any]],
    alias: str,
    known: Mapping[UUID, SmsMessage],
    *,
    check: Callable[[Sequence[SmsMessage]], None] = lambda messages: None,
    refuse: Refuse = _raise_for,
) -> list[SmsMessage]:
    """The messages of these rows: found under their guid, or written once they pass the check.

    No transaction of its own spans the reading and the writing: one that reads first can not
    write on SQLite when another wrote meanwhile.
    """
    guids = {row["guid"] for row in rows if "guid" in row} - known.keys()
    found = _existing(guids, alias)
    while True:
        try:
            return _insert(rows, {**known, **found}, alias, check, refuse)
        except IntegrityError:
            # Other writers were faster with some of the guids; whatever else is wrong, is again.
            more = _existing(guids, alias)
            if more.keys() <= found.keys():
                raise
            found = more


def _existing(guids: Collection[UUID], alias: str) -> dict[UUID, SmsMessage]:
    """The messages that have these guids already, as last committed."""
    rows = SmsMessage.objects.using(alias)
    if not transaction.get_autocommit(using=alias):
        # FOR UPDATE reads what others committed even where a transaction reads from a snapshot.
        rows = rows.select_for_update()
    wanted = list(guids)
    found: dict[UUID, SmsMessage] = {}
    for start in range(0, len(wanted), CHUNK):
        found |= rows.in_bulk(wanted[start : start + CHUNK], field_name="guid")
    return found


def _insert(
    rows: Sequence[Mapping[str, Any]],
    known: dict[UUID, SmsMessage],
    alias: str,
    check: Callable[[Sequence[SmsMessage]], None],
    refuse: Refuse,
) -> list[SmsMessage]:
    messages, new, now = [], [], _database_time()
    for row in rows:
        message = known.get(row["guid"]) if "guid" in row else None
        if message is None:
            message = _new(row, now)
            new.append(message)
            known[message.guid] = message
        messages.append(message)
    check(messages)
    if new:
        with transaction.atomic(using=alias):
            SmsMessage.objects.using(alias).bulk_create(new, batch_size=CHUNK)
            # After the INSERT: one that reads first can not write on SQLite (see ``_write``).
            if refused := refusals(new, alias):
                refuse({n: refused[m.guid] for n, m in enumerate(messages) if m.guid in refused})
            wake_up_after_commit(alias)
    return messages


def _new(row: Mapping[str, Any], now: Callable[[], datetime]) -> SmsMessage:
    message = SmsMessage(**row, segments=count_segments(row["text"]).count)
    if "send_at" in row:
        message.due_at = row["send_at"]
    if conf.LIFETIME is not None and "expires_at" not in row:
        message.expires_at = default_expiry(row.get("send_at") or now())
    message.was_written = True
    return message


def refusals(new: Sequence[SmsMessage], alias: str) -> dict[UUID, ValidationError]:
    """Those of the messages written just now that must not stay, by their guid."""
    refused: dict[UUID, ValidationError] = {}
    for start in range(0, len(new), CHUNK):
        part = new[start : start + CHUNK]
        stopped = stopped_numbers({message.number for message in part}, alias)
        refused |= {message.guid: is_stopped() for message in part if message.number in stopped}
    if conf.DUPLICATE_WITHIN is not None:
        refused |= {guid: is_duplicate() for guid in duplicates(new, alias) if guid not in refused}
    return refused
