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
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler

from .choices import ErrorCode, Outcome, Resolution, Status
from .clock import db_now
from .exceptions import MessageIsWritten
from .signals import status_changed

if TYPE_CHECKING:
    from typing_extensions import Self

    from .models import GatewayState, SmsBatch, SmsMessage

    KeyLookup = Lookup[Any]
else:
    KeyLookup = Lookup

P = ParamSpec("P")
R = TypeVar("R")

#: The first wait before a status is asked for.
FIRST_CHECK = timedelta(seconds=10)


class Named(KeyLookup):
    """The rows with these keys: ``id IN (1, 2)``. Django's own ``In`` looks at each many times."""

    lookup_name = "named"
    prepare_rhs = False

    def __init__(self, pks: Iterable[int]) -> None:
        super().__init__(F("pk"), tuple(pks))

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The list, written out."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} IN ({', '.join(map(str, map(int, self.rhs)))})", tuple(parameters)


class ByPk(Expression):
    """The value that belongs to each row: ``CASE id WHEN 1 THEN 'a' WHEN 2 THEN 'b' END``.

    Django's own ``Case`` builds an expression tree a row, which takes longer than the update. The
    keys are written out: each parameter costs the driver more than the database a comparison.
    """

    def __init__(self, values: Mapping[int, Any], output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field=output_field)
        self.values = values

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """The CASE, one WHEN a row; the value alone where all rows have the same."""
        prepare = self.output_field.get_db_prep_value
        distinct = dict.fromkeys(self.values.values())
        if len(distinct) == 1:
            return "%s", tuple(prepare(value, connection) for value in distinct)
        whens = " ".join([f"WHEN {int(pk)} THEN %s" for pk in self.values])
        sql = f"CASE {connection.ops.quote_name('id')} {whens} END"
        return sql, tuple([prepare(value, connection) for value in self.values.values()])

    def as_postgresql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """With its type, which PostgreSQL can not infer from bound parameters."""
        sql, params = self.as_sql(compiler, connection)
        return f"({sql})::{self.output_field.db_type(connection)}", params


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

    def claim(self, batch: SmsBatch) -> int:
        """Take these messages, if they are still to be sent, into the batch."""
        pending = self.unexpired().past_indexes().filter(status_now=Status.PENDING)
        return pending.change(status=Status.SENDING, batch=batch)

    def accept(self, ids: Mapping[int, str], codes: Mapping[int, int | None]) -> int:
        """The gateway took them. This also saves a resend that has not been claimed yet."""
        waiting = Q(status_now__in=[Status.SENDING, Status.UNKNOWN])
        saved = Q(status_now=Status.PENDING, resends__gt=0)
        return (
            self.past_indexes()
            .filter(Named(ids), waiting | saved)
            .change(
                status=Status.ACCEPTED,
                gateway_id=ByPk(ids, models.TextField()),
                gateway_status=ByPk(codes, models.IntegerField()),
                error_code="",
                accepted_at=db_now(),
                next_check_at=db_now() + FIRST_CHECK,
            )
        )

    def hold(self, error_code: ErrorCode, **values: Any) -> int:
        """They may have gone out, and nobody can prove it."""
        return self.change(status=Status.UNKNOWN, error_code=error_code, **values)

    def end(self, status: Status, error_code: ErrorCode, **values: Any) -> dict[Status, int]:
        """End them as ``status``; a resent one may have gone out before, and is held instead."""
        stored = error_code if status == Status.FAILED else ""
        held = self.filter(resends__gt=0).hold(error_code, next_check_at=None, **values)
        ended = self.filter(resends=0).change(
            status=status, error_code=stored, next_check_at=None, **values
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
        return self.resendable().change(
            status=Status.PENDING,
            resends=F("resends") + 1,
            error_code="",
            due_at=db_now(),
            expires_at=Case(When(expires_at__gt=db_now(), then=F("expires_at")), default=None),
            resolved_by=by,
            resolved_at=db_now(),
        )

    def resendable(self) -> Self:
        """Unknown messages without a decision, whose batch is closed or its lease over."""
        from .models import SmsBatch  # noqa: PLC0415  the models import this module

        under_way = SmsBatch.objects.filter(
            pk=OuterRef("batch_id"), outcome="", lease_until__gt=db_now()
        )
        unknown = self.on_primary().filter(status=Status.UNKNOWN, resolution="")
        return unknown.filter(~Exists(under_way))

    def resolve(self, resolution: Resolution, *, by: AbstractBaseUser | None) -> int:
        """Record what a person decided about unknown messages; the status stays."""
        unknown = self.on_primary().filter(status=Status.UNKNOWN, resolution="")
        return unknown.change(resolution=resolution, resolved_by=by, resolved_at=db_now())

    def check_soon(self) -> int:
        """Let the next run ask for the status of what is still asked for."""
        asked = self.on_primary().filter(
            status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=False
        )
        return asked.change(next_check_at=db_now())

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


def _tell(messages: Iterable[SmsMessage], before: Mapping[int, str]) -> None:
    for message in messages:
        old, new = before[message.pk], message.status
        status_changed.send_robust(type(message), message=message, old=old, new=new)


class BatchQuerySet(PrimaryQuerySet):
    """Batches: the journal."""

    def lost(self) -> Self:
        """Batches whose worker vanished."""
        opened = self.on_primary().filter(outcome="", applied_at__isnull=True)
        return opened.filter(lease_until__lte=db_now())

    def unapplied(self) -> Self:
        """Batches with an outcome that has not reached its messages."""
        return self.on_primary().filter(applied_at__isnull=True).exclude(outcome="")

    def close(self, outcome: Outcome, **values: Any) -> int:
        """Record an outcome; the worker's own word also replaces ``lost``."""
        replaceable = [""] if outcome == Outcome.LOST else ["", Outcome.LOST]
        return self.filter(outcome__in=replaceable).update(
            **{"outcome": outcome, "closed_at": db_now(), "applied_at": None} | values
        )


class StateQuerySet(PrimaryQuerySet):
    """The one row of ``GatewayState``, changed by conditional updates only."""

    def seen(self) -> GatewayState | None:
        """The state with ``now``, the database's time, on it; ``None`` before the first run."""
        state: GatewayState | None = self.on_primary().annotate(now=db_now()).filter(pk=1).first()
        return state

    def current(self) -> GatewayState:
        """The state now; its row is written where there is none yet."""
        state = self.seen()
        if state is None:
            self.on_primary().get_or_create(pk=1)
            state = self.on_primary().annotate(now=db_now()).get(pk=1)
        return state

    def pause(self, *, by: AbstractBaseUser | None) -> int:
        """Let nothing be claimed until ``resume()``."""
        self.current()
        running = self.on_primary().filter(paused_at__isnull=True)
        return running.update(paused_by=by, paused_at=db_now())

    def resume(self) -> int:
        """End the pause."""
        paused = self.on_primary().filter(paused_at__isnull=False)
        return paused.update(paused_by=None, paused_at=None)

    def try_now(self) -> int:
        """Let one message probe the gateway at once."""
        return (
            self.on_primary()
            .filter(blocked_until__isnull=False)
            .update(blocked_until=db_now(), probe=None, probe_until=None, changed_at=db_now())
        )

    def win_probe(self, batch: SmsBatch, lease: timedelta) -> bool:
        """Make the batch the one that probes the gateway; one process on all hosts wins."""
        free = Q(probe__isnull=True) | Q(probe_until__lte=db_now())
        waited = self.on_primary().filter(free, blocked_until__lte=db_now())
        return waited.update(probe=batch.pk, probe_until=db_now() + lease) == 1

    def trip(self, batch: SmsBatch, *, wait: timedelta) -> int:
        """Block sending for a while, unless the state changed after the POST had begun."""
        return self._unchanged_since(batch).update(
            blocked_until=db_now() + wait,
            failures=F("failures") + 1,
            probe=None,
            probe_until=None,
            changed_at=db_now(),
        )

    def clear(self, batch: SmsBatch) -> int:
        """All is well again: a POST begun after the last change brought a good reply."""
        return self._unchanged_since(batch).update(
            blocked_until=None, failures=0, probe=None, probe_until=None, changed_at=db_now()
        )

    def _unchanged_since(self, batch: SmsBatch) -> Self:
        # The same moment counts as later: SQLite's clock knows milliseconds only.
        begun_later = type(batch)._default_manager.filter(
            pk=batch.pk, created_at__gte=OuterRef("changed_at")
        )
        return self.on_primary().filter(Exists(begun_later))


ENDED = (
    Q(status__in=[Status.CANCELLED, Status.EXPIRED, Status.FAILED, Status.DELIVERED])
    | (Q(status=Status.UNKNOWN) & ~Q(resolution=""))
    | Q(status__in=[Status.ACCEPTED, Status.SENT], next_check_at__isnull=True)
)
