"""The conditional updates of messages. Every UPDATE checks the status it expects.

A stale update therefore changes nothing. All of them write to the database that the project's
router names for writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Case, Expression, F, Q, When

from ..choices import ErrorCode, Resolution, Status
from ..exceptions import MessageIsWritten
from ..signals import status_changed, wake_up_after_commit
from .batches import SmsBatch
from .clock import db_now
from .forgetting_texts import forget_from, unless_sensitive
from .message_queries import ENDED, MessageQueries
from .prepared_sql import INTEGER, TEXT, Build, CasePerPk, Change, Keys, PkIn, key, update
from .primary_queryset import quoting_no_row

#: The first wait before a status is asked for.
FIRST_CHECK = timedelta(seconds=10)


class MessageQuerySet(MessageQueries):
    """Messages. ``update()`` is closed: a status changes by the methods below only."""

    def update(self, **kwargs: Any) -> int:
        """Raises ``MessageIsWritten``."""
        raise MessageIsWritten

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        """Raises ``MessageIsWritten``."""
        raise MessageIsWritten

    @quoting_no_row
    def bulk_create(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Write new messages."""
        return super().bulk_create(*args, **kwargs)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete ended messages. Raises ``ProtectedError``, and deletes none, with any other."""
        if alive := set(self.filter(~ENDED)[:100]):
            raise models.ProtectedError("Only ended messages can be deleted.", alive)
        return super().delete()

    def claim(self, batch: SmsBatch, pks: Iterable[int]) -> int:
        """Take those of these messages that are still to be sent into the batch."""
        return self.change_prepared(_claim, batch=key(batch), pks=Keys(pks))

    def accept(
        self, batch: SmsBatch, ids: Mapping[int, str], codes: Mapping[int, int | None]
    ) -> int:
        """The gateway took them. This also saves a resend that has not been claimed yet."""
        return self.change_prepared(
            _accept,
            batch=key(batch),
            pks=Keys(ids),
            ids=CasePerPk(ids, TEXT),
            codes=CasePerPk(codes, INTEGER),
            forget_from=forget_from(),
        )

    def hold(self, error_code: ErrorCode, **values: Any) -> int:
        """They may have gone out, and nobody can prove it."""
        return self.change(status=Status.UNKNOWN, error_code=error_code, **values)

    def end(self, status: Status, error_code: ErrorCode, **values: Any) -> dict[Status, int]:
        """End them as ``status``; a resent one may have gone out before, and is held instead."""
        said = error_code in (ErrorCode.CANCELLED, ErrorCode.EXPIRED)  # by the status itself
        stored = "" if said else error_code
        held = self.filter(resends__gt=0).hold(
            error_code, next_check_at=None, forget_from=None, **values
        )
        ended = self.filter(resends=0).change(
            status=status,
            error_code=stored,
            next_check_at=None,
            text=unless_sensitive(),
            forget_from=forget_from(),
            **values,
        )
        return {status: ended, Status.UNKNOWN: held}

    def cancel(self) -> int:
        """Take back what is pending; the number of messages that will not be sent."""
        pending = self.for_write().filter(status=Status.PENDING)
        return sum(pending.end(Status.CANCELLED, ErrorCode.CANCELLED).values())

    def expire(self) -> dict[Status, int]:
        """End what is late."""
        return self.late().end(Status.EXPIRED, ErrorCode.EXPIRED)

    def resend(self, *, by: AbstractBaseUser | None) -> int:
        """Send unknown messages again under the same guid, though they may have gone out.

        Only where no POST of theirs can still be under way. A passed expiry is cleared.
        """
        unknown = self.resendable()
        count = unknown.change(
            status=Status.PENDING,
            resends=F("resends") + 1,
            error_code="",
            due_at=db_now(),
            expires_at=Case(When(expires_at__gt=db_now(), then=F("expires_at")), default=None),
            resolved_by=by,
            resolved_at=db_now(),
        )
        if count:
            wake_up_after_commit(unknown.db)
        return count

    def resolve(self, resolution: Resolution, *, by: AbstractBaseUser | None) -> int:
        """Record what a person decided about unknown messages; the status stays."""
        unknown = self.for_write().filter(status=Status.UNKNOWN, resolution="")
        return unknown.change(
            resolution=resolution,
            resolved_by=by,
            resolved_at=db_now(),
            text=unless_sensitive(),
            forget_from=forget_from(),
        )

    def forget(self) -> int:
        """Let them have no text any more; the caller chose those that need none."""
        return self.change(text="", forget_from=None)

    def check_soon(self) -> int:
        """Let the next run ask for the status of what is still asked for."""
        asked = Q(status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=False)
        return self.for_write().filter(asked).change(next_check_at=db_now())

    @quoting_no_row
    def change_prepared(self, build: Build, **expressions: Expression) -> int:
        """As ``change()``, of all messages, by an update whose SQL is built once."""
        if status_changed.has_listeners(self.model):
            rows, values = build(self.for_write(), **expressions)
            return int(rows.change(**values))
        return update(build, self.model, **expressions)

    @quoting_no_row
    def change(self, **values: Any) -> int:
        """Update the rows and tell ``status_changed`` after the commit; returns how many.

        For the app's own verbs: the caller's filter is the condition of the update.
        """
        new = values.get("status")
        if new in (None, Status.SENDING) or not status_changed.has_listeners(self.model):
            return super().update(**values)
        rows = self.for_write()
        with transaction.atomic(using=rows.db):
            # An UPDATE comes first: a transaction that reads first can not write on SQLite
            # when another wrote meanwhile.
            super(MessageQuerySet, rows).update(status=F("status"))
            before = dict(rows.select_for_update().values_list("pk", "status"))
            written = self.model.objects.using(rows.db).filter(pk__in=before)
            super(MessageQuerySet, written).update(**values)
            # Read here: after the commit another may have changed them again.
            changed = [message for message in written if message.status != before[message.pk]]
            transaction.on_commit(lambda: _tell(changed, before), using=rows.db)
        return len(before)


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
    waiting = Q(status_now__in=[Status.SENDING, Status.UNKNOWN])
    saved = Q(status_now=Status.PENDING, resends__gt=0)
    taken = messages.without_indexes().filter(PkIn(pks), waiting | saved, batch=batch)
    return taken, {
        "status": Status.ACCEPTED,
        "gateway_id": ids,
        "gateway_status": codes,
        "error_code": "",
        "accepted_at": db_now(),
        "next_check_at": db_now() + FIRST_CHECK,
        "text": unless_sensitive(),
        "forget_from": forget_from,
    }


def _tell(messages: Iterable[Any], before: Mapping[int, str]) -> None:
    for message in messages:
        old, new = before[message.pk], message.status
        status_changed.send_robust(type(message), message=message, old=old, new=new)
