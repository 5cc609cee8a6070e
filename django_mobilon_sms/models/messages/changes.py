"""The conditional updates of messages.

Every UPDATE checks the status it expects, so a stale one changes nothing; for ``hold()``, ``end()``
and ``forget()`` the filter of the caller does. Unless a method says otherwise, it returns the
number of messages that it changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connections, models, router, transaction
from django.db.models import Case, Expression, F, Q, When

from ...choices import ErrorCode, Resolution, Status
from ...conf import conf
from ...database import (
    INTEGER,
    TEXT,
    Build,
    Change,
    PkIn,
    PrimaryKeys,
    ValuePerPk,
    batch_key,
    chunked,
    db_now,
    quoting_no_row,
    select,
    update,
)
from ...exceptions import MessageIsWritten
from ...signals import call_or_hold, status_changed
from ..batches import SmsBatch
from ..events import SmsEvent
from ..totals.daily_totals import CountedDay
from ..wake_up import wake_up_after_commit
from .forgetting_texts import forget_from, unless_sensitive
from .queries import MessageQueries, asked_statuses, ended


class MessageQuerySet(MessageQueries):
    """Messages, and the only ways to change them; ``update()`` is not one."""

    def update(self, **kwargs: Any) -> int:
        """Raise ``MessageIsWritten``."""
        raise MessageIsWritten

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        """Raise ``MessageIsWritten``."""
        raise MessageIsWritten

    @quoting_no_row
    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Insert new messages; an error quotes none of them."""
        with transaction.atomic(using=self.db, savepoint=False):
            messages = super().bulk_create(*args, **kwargs)
            self.record_new(message.pk for message in messages)
        return messages

    def record_new(self, pks: Iterable[int]) -> None:
        """Write the events of new messages, if events are kept."""
        if conf.EVENTS is not None:
            SmsEvent.objects.record_new(self.model, pks)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete these messages if all of them have ended; else raise ``ProtectedError``.

        They stay in the daily totals.
        """
        rows = self.using(self._db or router.db_for_write(self.model))  # type: ignore[attr-defined]
        deleted: Counter[str] = Counter()
        with transaction.atomic(using=rows.db):
            CountedDay.objects.using(rows.db).lock_for_writing()
            for pks in chunked(rows.values_list("pk", flat=True)):
                deleted.update(self.model.objects.using(rows.db).filter(pk__in=pks)._delete())
        return deleted.total(), dict(deleted)

    def _delete(self) -> dict[str, int]:
        CountedDay.objects.using(self.db).keep_deleted(self)  # locks the messages
        if alive := set(self.filter(~ended())[:100]):
            raise models.ProtectedError("Only ended messages can be deleted.", alive)
        return super().delete()[1]

    @quoting_no_row
    def claim(self, batch: SmsBatch, pks: Sequence[int]) -> int:
        """Move unexpired messages from ``pending`` to ``sending``, in this new batch."""
        key = batch_key(batch)
        count = update(_claim, self.model, batch=key, pks=PrimaryKeys(pks))
        if count and conf.EVENTS is not None:
            SmsEvent.objects.record_claim(self.model, key, pks)
        return count

    def accept(
        self, batch: SmsBatch, ids: Mapping[int, str], codes: Mapping[int, int | None]
    ) -> int:
        """Move messages of the batch from ``sending`` or ``unknown`` to ``accepted``.

        ``ids`` and ``codes`` are the gateway's, by the message's primary key. A resent message that
        is ``pending`` again is accepted too, so that it is not sent twice.
        """
        return self.change_prepared(
            _accept,
            batch=batch_key(batch),
            pks=PrimaryKeys(ids),
            ids=ValuePerPk(ids, TEXT),
            codes=ValuePerPk(codes, INTEGER),
            forget_from=forget_from(),
        )

    def hold(self, error_code: ErrorCode, **values: Any) -> int:
        """Make messages of any status ``unknown``: they may have been sent, but without proof."""
        return self.change(status=Status.UNKNOWN, error_code=error_code, **values)

    def end(self, status: Status, error_code: ErrorCode, **values: Any) -> dict[Status, int]:
        """End messages of any status with ``status``; return the number for each new status.

        Resent messages become ``unknown`` instead, because the first request may have sent them.
        """
        # The status already says these two.
        stored = "" if error_code in (ErrorCode.CANCELLED, ErrorCode.EXPIRED) else error_code
        held = self.filter(resends__gt=0).hold(error_code, forget_from=None, **values)
        changed = self.filter(resends=0).change(
            status=status,
            error_code=stored,
            text=unless_sensitive(),
            forget_from=forget_from(),
            **values,
        )
        return {status: changed, Status.UNKNOWN: held}

    def cancel(
        self, *, by: AbstractBaseUser | None = None, error_code: ErrorCode = ErrorCode.CANCELLED
    ) -> int:
        """Cancel ``pending`` messages; resent ones become ``unknown``.

        ``by`` is the person who cancels them, ``None`` for a program.
        """
        pending = self.for_write().filter(status=Status.PENDING)
        who = {"cancelled_by": by, "cancelled_at": db_now()}
        return sum(pending.end(Status.CANCELLED, error_code, **who).values())

    def expire(self) -> dict[Status, int]:
        """End ``pending`` messages past their expiry; return the number for each new status."""
        return self.past_expiry().end(Status.EXPIRED, ErrorCode.EXPIRED)

    def resend(self, *, by: AbstractBaseUser | None) -> int:
        """Move ``unknown`` messages to ``pending``, with the same guid and due now.

        Changes only ``resendable()`` messages, and clears an expiry that has passed. A message that
        was sent after all is sent twice: ``by`` is the person who decided so.
        """
        unknown = self.resendable()
        count = unknown.change(
            status=Status.PENDING,
            resends=F("resends") + 1,
            error_code="",
            due_at=db_now(),
            expires_at=Case(When(expires_at__gt=db_now(), then=F("expires_at")), default=None),
            resent_by=by,
            resent_at=db_now(),
        )
        if count:
            wake_up_after_commit(unknown.db)
        return count

    def resolve(self, resolution: Resolution, *, by: AbstractBaseUser | None) -> int:
        """Record the decision of a person about ``unknown`` messages; their status stays."""
        unknown = self.for_write().filter(status=Status.UNKNOWN, resolution="")
        return unknown.change(
            resolution=resolution,
            resolved_by=by,
            resolved_at=db_now(),
            text=unless_sensitive(),
            forget_from=forget_from(),
        )

    def forget(self) -> int:
        """Empty the texts of messages that are not to be sent, whatever else their status."""
        written = self.exclude(status__in=[Status.PENDING, Status.SENDING])
        return written.change(text="", forget_from=None)

    def check_soon(self) -> int:
        """Make the next status query of these messages due now, and so that of their batches.

        Returns how many messages will be queried; none if their status is no longer queried.
        """
        rows = self.for_write()
        # By the status alone: MariaDB refuses a subquery that reads the table to be changed.
        of_these = rows.filter(status__in=asked_statuses()).order_by().values("batch")
        asked = SmsBatch.objects.for_write().filter(next_check_at__isnull=False, pk__in=of_these)
        return rows.asked_for().count() if asked.update(next_check_at=db_now()) else 0

    @quoting_no_row
    def change_prepared(self, build: Build, **expressions: Expression) -> int:
        """Do as ``change()``, but by cached SQL, on the messages that ``build`` chooses.

        ``build`` chooses them by an expression ``pks``, among other conditions.
        """
        if status_changed.has_listeners(self.model):
            rows, values = build(self.for_write(), **expressions)
            return int(rows.change(**values))
        if conf.EVENTS is None:
            return update(build, self.model, **expressions)
        with transaction.atomic(using=self.for_write().db, savepoint=False):
            self._begin_write()
            found: Any = select(_locked(build), self.model, **expressions)
            before: dict[int, str] = dict(found)
            if before:
                update(build, self.model, **{**expressions, "pks": PrimaryKeys(before)})
                SmsEvent.objects.record_changes(self.model, before)
        return len(before)

    @quoting_no_row
    def change(self, **values: Any) -> int:
        """Update these messages, write their events, and send ``status_changed`` after the commit.

        For the methods of this class: their filters are the condition of the update.
        """
        new = values.get("status")
        has_listeners = new != Status.SENDING and status_changed.has_listeners(self.model)
        if new is None or not (has_listeners or conf.EVENTS is not None):
            return super().update(**values)
        rows = self.for_write()
        with transaction.atomic(using=rows.db, savepoint=False):
            rows._begin_write()
            before = dict(rows.select_for_update().values_list("pk", "status"))
            for pks in chunked(before):
                written = self.model.objects.using(rows.db).filter(PkIn(PrimaryKeys(pks)))
                super(MessageQuerySet, written).update(**values)
                old = {pk: before[pk] for pk in pks}
                if conf.EVENTS is not None:
                    SmsEvent.objects.record_changes(self.model, old)
                if has_listeners:
                    # Read here: after the commit another may have changed them again.
                    changed = [message for message in written if message.status != old[message.pk]]
                    transaction.on_commit(partial(_send_signals, changed, old), using=rows.db)
        return len(before)

    def _begin_write(self) -> None:
        """Take SQLite's lock: a transaction that reads first cannot write there once another has.

        The other databases lock the rows that are read.
        """
        rows = self.for_write()
        if not connections[rows.db].features.has_select_for_update:
            super(MessageQuerySet, rows.model.objects.using(rows.db).filter(pk=0)).update(status="")


@cache
def _locked(build: Build) -> Build:
    """Return the query for the keys and statuses of the messages that ``build`` changes."""

    def locked(messages: MessageQuerySet, **expressions: Expression) -> Any:
        rows, _values = build(messages, **expressions)
        return rows.select_for_update().values_list("pk", "status")

    return locked


def _claim(messages: MessageQuerySet, *, batch: Expression, pks: Expression) -> Change:
    pending = messages.unexpired().without_indexes().filter(PkIn(pks), status_now=Status.PENDING)
    return pending, {"status": Status.SENDING, "batch": batch}


def _accept(
    messages: MessageQuerySet,
    *,
    batch: Expression,
    pks: Expression,
    ids: Expression,
    codes: Expression,
    forget_from: Expression,
) -> Change:
    sent = Q(status_now__in=[Status.SENDING, Status.UNKNOWN])
    resent = Q(status_now=Status.PENDING, resends__gt=0)
    return messages.without_indexes().filter(PkIn(pks), sent | resent, batch=batch), {
        "status": Status.ACCEPTED,
        "gateway_id": ids,
        "gateway_status": codes,
        "error_code": "",
        "accepted_at": db_now(),
        "text": unless_sensitive(),
        "forget_from": forget_from,
    }


def _send_signals(messages: Iterable[Any], before: Mapping[int, str]) -> None:
    for message in messages:
        call_or_hold(partial(_send_signal, message, before[message.pk]))


def _send_signal(message: Any, old: str) -> None:
    status_changed.send_robust(type(message), message=message, old=old, new=message.status)
