"""The conditional updates of the outbox. Each names the state it needs, so none comes too late.

All of them write to the database that the project's router names for writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DataError, IntegrityError, models, router, transaction
from django.db.models import Case, Exists, Expression, F, OuterRef, Q, When
from django.db.models.functions import Coalesce

from .choices import ErrorCode, Resolution, Status
from .clock import db_now
from .exceptions import MessageIsWritten
from .forgetting import forget_from, unless_sensitive
from .prepared import INTEGER, TEXT, Build, ByPk, Change, Keys, Named, key, update
from .signals import status_changed
from .waking import wake_up_after_commit

if TYPE_CHECKING:
    from typing_extensions import Self

    from .models import SmsBatch, SmsMessage


P = ParamSpec("P")
R = TypeVar("R")

#: The first wait before a status is asked for.
FIRST_CHECK = timedelta(seconds=10)


def quoting_no_row(write: Callable[P, R]) -> Callable[P, R]:
    """Shorten what the database says when it refuses a row: PostgreSQL quotes all of it.

    The error is a new one, without the frames below: they hold the row as parameters.
    """

    @wraps(write)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return write(*args, **kwargs)
        except (IntegrityError, DataError) as error:
            refusal = type(error)(str(error).partition("\n")[0])
        raise refusal

    return wrapper


class PrimaryQuerySet(models.QuerySet[Any]):
    """What is read to be acted upon is read where it is written: a replica may lag."""

    def on_primary(self) -> Self:
        """These rows in the database that the router names for writing."""
        return self.using(router.db_for_write(self.model))


class MessageQuerySet(PrimaryQuerySet):
    """Messages. ``update()`` is closed: a status changes by the verbs below only."""

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

    def ended(self) -> Self:
        """Messages that nothing will happen to any more."""
        return self.filter(ENDED)

    def due(self) -> Self:
        """Messages to send now."""
        return self.unexpired().filter(status=Status.PENDING, due_at__lte=db_now())

    def checkable(self) -> Self:
        """Messages to ask for now."""
        return self.filter(next_check_at__lte=db_now())

    def unexpired(self) -> Self:
        """Messages whose time has not passed."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=db_now()))

    def past_indexes(self) -> Self:
        """With ``status_now`` and ``check_now``, which no index has, for conditions beside keys.

        A planner whose figures are old, as those of a queue are, takes a few waiting messages for
        granted: it would read all that wait instead of the hundred that are named.
        """
        return self.alias(
            status_now=Coalesce("status", "status"),
            check_now=Coalesce("next_check_at", "next_check_at"),
        )

    def undecided(self) -> Self:
        """Messages under way, or lost with their worker and not decided about by a person."""
        lost = Q(status=Status.UNKNOWN, error_code=ErrorCode.LOST, resolution="")
        return self.filter(Q(status=Status.SENDING) | lost)

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
            ids=ByPk(ids, TEXT),
            codes=ByPk(codes, INTEGER),
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
        pending = self.on_primary().filter(status=Status.PENDING)
        return sum(pending.end(Status.CANCELLED, ErrorCode.CANCELLED).values())

    def late(self) -> Self:
        """What is pending and whose time has passed."""
        return self.on_primary().filter(status=Status.PENDING, expires_at__lte=db_now())

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

    def resendable(self) -> Self:
        """Unknown, without a decision, the POST over; with a text, and a number not stopped."""
        from .line_rows import StoppedNumber  # noqa: PLC0415  the models import this module
        from .models import SmsBatch  # noqa: PLC0415

        under_way = SmsBatch.objects.filter(
            pk=OuterRef("batch_id"), outcome="", lease_until__gt=db_now()
        )
        unknown = self.on_primary().filter(status=Status.UNKNOWN, resolution="")
        stopped = StoppedNumber.objects.filter(number=OuterRef("number"))
        return unknown.filter(~Exists(under_way), ~Exists(stopped), ~Q(text=""))

    def resolve(self, resolution: Resolution, *, by: AbstractBaseUser | None) -> int:
        """Record what a person decided about unknown messages; the status stays."""
        unknown = self.on_primary().filter(status=Status.UNKNOWN, resolution="")
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
        return self.on_primary().filter(asked).change(next_check_at=db_now())

    @quoting_no_row
    def change_prepared(self, build: Build, **expressions: Expression) -> int:
        """As ``change()``, of all messages, by an update whose SQL is built once."""
        if status_changed.has_listeners(self.model):
            rows, values = build(self.on_primary(), **expressions)
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
        rows = self.on_primary()
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
    pending = messages.unexpired().past_indexes().filter(Named(pks), status_now=Status.PENDING)
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
    taken = messages.past_indexes().filter(Named(pks), waiting | saved, batch=batch)
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


def _tell(messages: Iterable[SmsMessage], before: Mapping[int, str]) -> None:
    for message in messages:
        old, new = before[message.pk], message.status
        status_changed.send_robust(type(message), message=message, old=old, new=new)


def has(field: str, value: str) -> Q:
    """With this tag or gateway id, found by the index that leaves the empty ones out.

    SQLite takes such an index only for a query that says so too.
    """
    return Q((field, value), (f"{field}__gt", ""))


ENDED = (
    Q(status__in=[Status.CANCELLED, Status.EXPIRED, Status.FAILED, Status.DELIVERED])
    | (Q(status=Status.UNKNOWN) & ~Q(resolution=""))
    | Q(status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=True)
)
