"""Events: a row for every change of a status, written by the transaction that makes the change.

The order of the feed is ``commit_order``, then ``id``. No transaction that commits later writes an
event before one that a reader has been given; ``django_mobilon_sms.events`` ensures this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Expression, F, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from ..choices import ErrorCode, Status, event_type
from ..database import (
    TEXT,
    PkIn,
    PrimaryKeys,
    PrimaryQuerySet,
    ValuePerPk,
    chunked,
    db_now,
    insert_from,
)


class CommitOrder(Expression):
    """The order of the transactions that write events, on PostgreSQL.

    The value is the id of the transaction, or that of the newest transaction that has ended,
    whichever is greater. So it never falls from one change of a message to the next, and a reader
    that stops before the oldest open transaction misses nothing. On other databases the id of an
    event is enough.
    """

    def __init__(self) -> None:
        super().__init__(output_field=models.BigIntegerField())

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return 0."""
        return "0", ()

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the transaction's place; a text is the only way from ``xid8`` to ``bigint``."""
        ended = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1"
        return f"GREATEST(pg_current_xact_id()::text::bigint, {ended})", ()


class EventQuerySet(PrimaryQuerySet):
    """Events, and the ways to write them."""

    def record_changes(self, messages: type[models.Model], before: Mapping[int, str]) -> None:
        """Write an event for every message whose status differs from the one in ``before``.

        ``before`` has the old statuses by primary key. The transaction has locked the messages
        since it read the statuses.
        """
        if before:
            old = ValuePerPk(before, TEXT)
            insert_from(_changed, messages, pks=PrimaryKeys(before), old=old)

    def record_claim(
        self, messages: type[models.Model], batch: Expression, pks: Iterable[int]
    ) -> None:
        """Write the events of the messages that were claimed for a new batch."""
        old = Value(Status.PENDING, TEXT)
        insert_from(_claimed, messages, pks=PrimaryKeys(pks), old=old, batch=batch)

    def record_new(self, messages: type[models.Model], pks: Iterable[int]) -> None:
        """Write the events of new messages."""
        for chunk in chunked(pks):
            insert_from(_changed, messages, pks=PrimaryKeys(chunk), old=Value("", TEXT))


class SmsEvent(models.Model):
    """A change of a message's status. It holds no text and no number, and outlives its message."""

    #: Rises from event to event of a message, because each change waits for the commit of the last.
    id = models.BigAutoField(_("number"), primary_key=True)
    guid = models.UUIDField(_("guid"))
    message_id = models.BigIntegerField(_("message"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        # It stays when the user is deleted: only that user's own feed is chosen by it.
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    #: Empty for a new message.
    old_status = models.CharField(_("old status"), max_length=10, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    error_code = models.CharField(_("error"), max_length=20, choices=ErrorCode.choices, blank=True)
    created_at = models.DateTimeField(_("created at"), db_default=Now())
    #: See ``CommitOrder``.
    commit_order = models.BigIntegerField(_("order of the commit"), default=0)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        default_permissions = ()
        indexes = [
            # events/pages.py: the feed on PostgreSQL.
            models.Index(fields=["commit_order", "id"], name="mobilon_sms_event_feed"),
            # The timeline of a message.
            models.Index(fields=["message_id", "id"], name="mobilon_sms_event_message"),
            # REST's filter by the time of a change.
            models.Index(fields=["created_at"], name="mobilon_sms_event_created"),
        ]

    def __str__(self) -> str:
        return f"{self.id}: {self.guid} {self.type}"

    @property
    def type(self) -> str:
        """``message.`` and the new status."""
        return event_type(self.status)


class FeedQuerySet(PrimaryQuerySet):
    """The single row of the feed."""

    def current(self) -> EventFeed:
        """Return the row; an unsaved one before anything was deleted."""
        return self.for_write().filter(pk=1).first() or EventFeed(pk=1)

    def stored(self) -> FeedQuerySet:
        """Return the row as a queryset; insert it if there is none."""
        rows = self.for_write()
        rows.get_or_create(pk=1)
        return rows.filter(pk=1)


class EventFeed(models.Model):
    """One row: how far the events have been deleted, and how many a consumer never read."""

    #: A cursor of another generation is refused: the database was restored since.
    generation = models.PositiveBigIntegerField(_("generation"), default=0)
    #: The place of the newest event that was deleted.
    deleted_order = models.BigIntegerField(_("order of the newest deleted event"), default=0)
    deleted_id = models.BigIntegerField(_("number of the newest deleted event"), default=0)
    #: Deleted events that a configured consumer never read.
    dropped = models.PositiveBigIntegerField(_("dropped events"), default=0)
    dropped_at = models.DateTimeField(_("dropped at"), null=True, blank=True)

    objects = FeedQuerySet.as_manager()

    class Meta:
        verbose_name = _("feed of events")
        verbose_name_plural = _("feed of events")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.pk)


def _event(old: Expression) -> SmsEvent:
    """Return the event of a message, as expressions of its row."""
    values: dict[str, Any] = {name: F(name) for name in ("guid", "status", "error_code")}
    values |= {"message_id": F("pk"), "created_by_id": F("created_by_id"), "old_status": old}
    return SmsEvent(**values, created_at=db_now(), commit_order=CommitOrder())


def _changed(messages: Any, *, pks: Expression, old: Expression) -> tuple[SmsEvent, Any]:
    return _event(old), messages.filter(PkIn(pks), ~Q(status=old))


def _claimed(
    messages: Any, *, pks: Expression, old: Expression, batch: Expression
) -> tuple[SmsEvent, Any]:
    event = _event(old)
    event.error_code = ""  # the row's is that of an earlier attempt
    return event, messages.filter(PkIn(pks), batch=batch)
