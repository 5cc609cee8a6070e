"""Write messages: ``send_sms()``, ``send_many()`` and the one path behind every door.

Nothing here uses the network. A worker (``manage.py send_sms``) sends the messages after their
transaction has committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, router, transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ..conf import conf
from ..exceptions import GuidConflict, InvalidRows, RowError
from ..models import SmsMessage, wake_up_after_commit
from .bulk_insert import insert_messages
from .guid_conflicts import conflicts, messages_by_guid
from .recipient_limit import lock_numbers, make_locks
from .refusals import refusals
from .validation import (
    Past,
    clean,
    clean_repeated,
    database_time,
    default_expiry,
    first_due,
    named_guid,
)

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

#: By the index of a row, the error that ``send_sms()`` would raise for it.
Faults = dict[int, ValidationError | GuidConflict]

#: Takes the message of each row, new or existing, and returns errors by the row's index.
ExtraChecks = Callable[[Sequence[SmsMessage]], Mapping[int, ValidationError]]

#: Takes the message of each row, and writes more in the same transaction.
AlsoWrite = Callable[[Sequence[SmsMessage]], None]

#: Takes the new messages in their transaction; returns errors by guid.
LastCheck = Callable[[Sequence[SmsMessage]], Mapping[UUID, ValidationError]]

#: Errors that ``InvalidRows`` lists.
MAX_ERRORS = 100


def _no_errors(messages: Sequence[SmsMessage]) -> Mapping[Any, ValidationError]:
    return {}


def _nothing_more(messages: Sequence[SmsMessage]) -> None:
    return None


class Door(NamedTuple):
    """The options of a caller, which are the parameters of ``write_many()``."""

    extra_checks: ExtraChecks = _no_errors
    confined_to: AbstractBaseUser | None = None
    also_write: AlsoWrite = _nothing_more
    last_check: LastCheck = _no_errors
    past: Past = "now"
    dry_run: bool = False


@sensitive_variables()  # of the frames below too
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

    ``number`` is accepted as people type it. ``source`` defaults to ``MOBILON_SMS_SOURCE``, and
    ``send_at`` to now; a time in the past means now, too. The same ``guid`` again returns the same
    row, also after its expiry. The text of a ``sensitive`` message, such as a login code, is
    forgotten once the gateway has accepted it.

    Raises ``ValidationError`` with every error by its field, and ``GuidConflict`` if the message
    with this guid differs in a field that the call names.
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
    messages, faults = _write([row], Door())
    if faults:
        raise faults[0]
    return messages[0]


@sensitive_variables()
def send_many(rows: Iterable[Mapping[str, Any]]) -> int:
    """Write many messages, all or none, and return the number of new ones.

    Each row is a mapping with the names of ``send_sms()``. A row whose guid exists with the same
    content is not written again. Raises ``InvalidRows``.
    """
    return len({message.guid for message in write_many(rows) if message.was_written})


@sensitive_variables()
def write_many(
    rows: Iterable[Mapping[str, Any]],
    *,
    extra_checks: ExtraChecks = _no_errors,
    confined_to: AbstractBaseUser | None = None,
    also_write: AlsoWrite = _nothing_more,
    last_check: LastCheck = _no_errors,
    past: Past = "now",
    dry_run: bool = False,
    max_errors: int | None = MAX_ERRORS,
) -> list[SmsMessage]:
    """Write many messages like ``send_many()``, and return the message of each row, in order.

    ``extra_checks`` runs before anything is written. A user ``confined_to`` their own messages
    learns nothing about those of others (see ``confined()``). ``also_write`` is called in the
    transaction of the INSERT, before it, and only if there are new messages: in these,
    ``was_written`` is true. ``last_check`` is called there after the INSERT if nothing else refuses
    the new messages. ``past="refuse"`` refuses new messages whose send time has passed by more than
    ``PAST_TOLERANCE``. ``dry_run`` rolls the transaction back. Raises ``InvalidRows`` with at most
    ``max_errors`` errors.
    """
    door = Door(extra_checks, confined_to, also_write, last_check, past, dry_run)
    messages, faults = _write(list(rows), door)
    if faults:
        errors = [
            error
            for index, fault in sorted(faults.items())[:max_errors]
            for error in _row_errors(index, fault)
        ]
        raise InvalidRows(errors[:max_errors], len(faults))
    return messages


def _row_errors(index: int, fault: ValidationError | GuidConflict) -> Iterator[RowError]:
    if isinstance(fault, GuidConflict):
        message = _("A message with this guid exists with another %(fields)s.")
        params = {"fields": ", ".join(fault.fields)}
        yield RowError(index, "guid", "conflict", str(message % params))
        return
    for field, errors in fault.error_dict.items():
        for error in errors:
            yield RowError(index, field, str(error.code), error.messages[0])


def _write(rows: Sequence[Mapping[str, Any]], door: Door) -> tuple[list[SmsMessage], Faults]:
    """Validate all rows, then write them. Return the messages and the faults.

    Nothing is written if there is a fault. No transaction spans the reads and the INSERT, because
    on SQLite a transaction that reads first cannot write when another one wrote meanwhile.
    """
    alias, now = router.db_for_write(SmsMessage), cache(database_time)
    guids = {guid for row in rows if (guid := named_guid(row))}
    existing = messages_by_guid(guids, alias)
    cleaned, faults = _validate(rows, existing, now, door.past)
    if faults:
        return [], faults
    while True:
        messages = _messages(cleaned, existing, now)
        conflicting = conflicts(messages, cleaned, rows, door.confined_to)
        faults = {**conflicting, **door.extra_checks(messages)}
        if faults:
            return [], faults
        try:
            return messages, _insert(messages, alias, door)
        except IntegrityError:
            # Another writer was faster with some guids. Any other violation would come again.
            written_meanwhile = messages_by_guid(guids - existing.keys(), alias)
            if not written_meanwhile:
                raise
            existing |= written_meanwhile


def _validate(
    rows: Sequence[Mapping[str, Any]],
    existing: Mapping[UUID, SmsMessage],
    now: Callable[[], datetime],
    past: Past,
) -> tuple[list[dict[str, Any]], Faults]:
    cleaned: list[dict[str, Any]] = []
    faults: Faults = {}
    for index, row in enumerate(rows):
        # A row that fails today's rules may already exist: then it is found, not written.
        is_repeated = named_guid(row) in existing
        try:
            cleaned.append(clean_repeated(row) if is_repeated else clean(row, now, past=past))
        except ValidationError as error:
            faults[index] = error
    return cleaned, faults


def _messages(
    cleaned: Sequence[Mapping[str, Any]],
    existing: Mapping[UUID, SmsMessage],
    now: Callable[[], datetime],
) -> list[SmsMessage]:
    """Return the message of each row: the one with its guid, or a new one."""
    known: dict[Any, SmsMessage] = dict(existing)
    messages = []
    for fields in cleaned:
        message = known.get(fields.get("guid")) or _new(fields, now)
        known[message.guid] = message
        messages.append(message)
    return messages


def _new(fields: Mapping[str, Any], now: Callable[[], datetime]) -> SmsMessage:
    message = SmsMessage(**fields)
    if "send_at" in fields:  # a time in the past makes it neither more urgent nor overdue
        message.due_at = first_due(fields, now())
    if conf.LIFETIME is not None and "expires_at" not in fields:
        message.expires_at = default_expiry(first_due(fields, now()))
    message.was_written = True
    return message


def _insert(messages: Sequence[SmsMessage], alias: str, door: Door) -> Faults:
    """Insert the new messages, unless one is refused. Return the faults."""
    new = list({message.guid: message for message in messages if message.was_written}.values())
    if not new:
        return {}
    make_locks(message.number for message in new)
    with transaction.atomic(using=alias):
        door.also_write(messages)
        lock_numbers(message.number for message in new)
        insert_messages(new, using=alias)
        # Checked after the INSERT because of SQLite (see ``_write``).
        refused = refusals(new, door.confined_to) or door.last_check(new)
        if refused or door.dry_run:
            transaction.set_rollback(True, using=alias)
        else:
            wake_up_after_commit(alias)
    return {
        index: refused[message.guid]
        for index, message in enumerate(messages)
        if message.guid in refused
    }
