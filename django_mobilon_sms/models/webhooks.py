"""Consumers of webhooks, the events that could not be delivered to them, and their updates."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from django.db import models, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..choices import Status, WebhookError, event_type
from ..database import PrimaryQuerySet, db_now, is_over
from .events import SmsEvent

if TYPE_CHECKING:
    from typing_extensions import Self

#: How long a lease lasts after it is taken or renewed.
LEASE = timedelta(seconds=60)
#: Leases that end later than this were taken by a clock that was ahead, and count as over. Longer
#: than a lease, because the statement of a worker that waits has the time when it began.
LONGEST_LEASE = 2 * LEASE
#: After so many failed requests in a row a consumer counts as failing.
FAILING_AFTER = 5
#: How long a failed delivery is retried.
GIVE_UP_AFTER = timedelta(days=3)
#: A wait that ends later than this was written by a clock that was ahead, and counts as over.
LONGEST_RETRY = timedelta(days=2)


class LeaseLost(Exception):
    """Another worker delivers to the consumer, or a person has changed what is delivered."""


class ConsumerQuerySet(PrimaryQuerySet):
    """Consumers, each with the lease of the one worker that delivers to it."""

    def peek(self, name: str) -> WebhookConsumer | None:
        """Return the consumer, with the database's time as ``now``, or ``None``."""
        found = self.for_write().filter(name=name).annotate(now=db_now())
        consumer: WebhookConsumer | None = found.first()
        return consumer

    def cursors(self, names: Iterable[str]) -> list[str]:
        """Return the cursors of these consumers."""
        rows = self.for_write().filter(name__in=[*names])
        return list(rows.values_list("cursor", flat=True))

    def take(self, name: str) -> WebhookConsumer | None:
        """Take the lease of a consumer; return ``None`` if another worker has it."""
        lease, free = uuid4(), Q(lease_until__isnull=True) | is_over("lease_until", LONGEST_LEASE)
        rows = self.for_write().filter(free, name=name, stopped_at__isnull=True)
        if not rows.update(lease=lease, lease_until=db_now() + LEASE):
            return None
        consumer = self.peek(name)
        return consumer if consumer and consumer.lease == lease else None

    def renew(self, consumer: WebhookConsumer, **values: Any) -> None:
        """Change the consumer and renew the lease; raise ``LeaseLost`` without it."""
        held = self.for_write().filter(pk=consumer.pk, lease=consumer.lease)
        if not held.update(lease_until=db_now() + LEASE, **values):
            raise LeaseLost(consumer.name)

    def release(self, consumer: WebhookConsumer) -> None:
        """Let another worker take the consumer at once."""
        held = self.for_write().filter(pk=consumer.pk, lease=consumer.lease)
        held.update(lease=None, lease_until=None)

    def record(
        self,
        consumer: WebhookConsumer,
        *,
        replaced: Collection[int],
        kept: Collection[WebhookDelivery],
        is_back: bool,
        **values: Any,
    ) -> None:
        """Record a step of a delivery in one transaction, or raise ``LeaseLost``.

        ``kept``, the events that still have to be delivered, replace the rows with the keys
        ``replaced``. ``is_back``: the consumer answers again, so its waiting events are due now.
        """
        deliveries = WebhookDelivery.objects.for_write()
        with transaction.atomic(using=deliveries.db):
            self.renew(consumer, **values)
            if replaced:
                deliveries.filter(pk__in=replaced).delete()
            # Events that are read again after a person moved the cursor back may have a row.
            deliveries.bulk_create(kept, ignore_conflicts=True)
            if is_back:
                deliveries.of(consumer).waiting().update(next_attempt_at=db_now())

    def start(self, consumer: WebhookConsumer) -> int:
        """Deliver again to a stopped consumer; return 0 if it is not stopped."""
        with transaction.atomic(using=self.for_write().db):
            stopped = self.for_write().filter(pk=consumer.pk, stopped_at__isnull=False)
            changed = stopped.update(stopped_at=None, failures=0, next_try_at=None)
            waiting = WebhookDelivery.objects.for_write().of(consumer).waiting()
            waiting.update(next_attempt_at=db_now())
        return changed

    def deliver_again(self, consumer: WebhookConsumer, since: datetime, cursor: str) -> None:
        """Deliver all events since a time again, in order; ``cursor`` stands before the first.

        The lease ends, so that a worker that is delivering cannot overwrite the cursor. An event
        that was given up is delivered too, even if it has been deleted meanwhile.
        """
        with transaction.atomic(using=self.for_write().db):
            again = {"cursor": cursor, "lease": None, "lease_until": None}
            self.for_write().filter(pk=consumer.pk).update(**again, failures=0, next_try_at=None)
            rows = WebhookDelivery.objects.for_write().of(consumer).filter(occurred_at__gte=since)
            rows.filter(Exists(SmsEvent.objects.filter(pk=OuterRef("event")))).delete()
            rows.update(given_up_at=None, failed_at=None, attempts=0, next_attempt_at=db_now())


class WebhookConsumer(models.Model):
    """A consumer that ``MOBILON_SMS_WEBHOOKS`` names: how far it has got, and its last error."""

    name = models.CharField(pgettext_lazy("webhook", "name"), max_length=32, unique=True)
    #: After the last event that was read for it.
    cursor = models.CharField(_("cursor"), max_length=64)
    #: The worker that delivers now, and until when no other may.
    lease = models.UUIDField(_("lease"), null=True)
    lease_until = models.DateTimeField(_("lease until"), null=True)
    #: The consumer answered 410.
    stopped_at = models.DateTimeField(_("stopped at"), null=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    #: While the consumer fails, when one event is tried next.
    next_try_at = models.DateTimeField(_("next try"), null=True)
    delivered = models.PositiveBigIntegerField(pgettext_lazy("webhook", "delivered"), default=0)
    last_success_at = models.DateTimeField(_("last success"), null=True)
    last_error_at = models.DateTimeField(_("last error at"), null=True)
    last_error = models.CharField(
        _("last error"), max_length=20, choices=WebhookError.choices, blank=True, default=""
    )
    last_http_code = models.PositiveSmallIntegerField(_("HTTP code"), null=True)

    objects = ConsumerQuerySet.as_manager()

    #: The database's time when the row was read.
    now: datetime

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.name

    @property
    def is_failing(self) -> bool:
        """Whether only one event at a time is tried."""
        return self.failures >= FAILING_AFTER

    @property
    def error_sentence(self) -> str:
        """The sentence of the last error, with the HTTP code; empty without an error."""
        code = f" ({self.last_http_code})" if self.last_http_code else ""
        return f"{self.get_last_error_display()}{code}"

    def may_be_tried(self) -> bool:
        """Return whether a request may be made now."""
        wait = self.next_try_at
        is_waiting = wait is not None and self.now < wait < self.now + LONGEST_RETRY
        return self.stopped_at is None and not is_waiting


class DeliveryQuerySet(PrimaryQuerySet):
    """Events that could not be delivered."""

    def of(self, consumer: WebhookConsumer) -> Self:
        """Return the events of a consumer."""
        return self.filter(consumer=consumer)

    def waiting(self) -> Self:
        """Return the events that will be tried again."""
        return self.filter(given_up_at__isnull=True)

    def given_up(self) -> Self:
        """Return the events that were given up after ``GIVE_UP_AFTER``."""
        return self.filter(given_up_at__isnull=False)

    def first_of_messages(self) -> Self:
        """Return the waiting events that no earlier one of the same message holds back."""
        earlier = self.model.objects.using(self.db).waiting()
        earlier = earlier.filter(consumer=OuterRef("consumer"), guid=OuterRef("guid"))
        first = ~Exists(earlier.filter(event__lt=OuterRef("event")))
        return self.waiting().filter(first).order_by("event")

    def due(self) -> Self:
        """Return the events whose next attempt is due."""
        return self.first_of_messages().filter(is_over("next_attempt_at", LONGEST_RETRY))

    def give_up_overdue(self) -> int:
        """Give up the events that have failed for ``GIVE_UP_AFTER``; return their number."""
        overdue = self.waiting().filter(failed_at__lte=db_now() - GIVE_UP_AFTER)
        return overdue.update(given_up_at=db_now())


class WebhookDelivery(models.Model):
    """An event that could not be delivered to a consumer yet. Delivered events have no row.

    The row repeats the event, which may be deleted before it is delivered.
    """

    consumer = models.ForeignKey(
        WebhookConsumer,
        on_delete=models.CASCADE,
        db_index=False,
        related_name="+",
        verbose_name=_("webhook"),
    )
    #: The id of the event, which rises for a message.
    event = models.BigIntegerField(_("event"))
    guid = models.UUIDField(_("guid"))
    old_status = models.CharField(_("old status"), max_length=10, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    error_code = models.CharField(_("error"), max_length=20, blank=True)
    occurred_at = models.DateTimeField(_("occurred at"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    #: Time of the first failed attempt; ``None`` while an earlier event of the message waits.
    failed_at = models.DateTimeField(_("failed at"), null=True)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    given_up_at = models.DateTimeField(pgettext_lazy("webhook", "given up at"), null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("failed delivery")
        verbose_name_plural = _("failed deliveries")
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["consumer", "given_up_at", "next_attempt_at"],
                name="mobilon_sms_delivery_due",
            ),
            models.Index(fields=["guid"], name="mobilon_sms_delivery_guid"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["consumer", "event"], name="mobilon_sms_delivery_once")
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.guid}"

    @classmethod
    def of_event(cls, consumer: WebhookConsumer, event: SmsEvent) -> WebhookDelivery:
        """Return an unsaved row for an event, which is due now."""
        return cls(
            consumer=consumer,
            event=event.pk,
            guid=event.guid,
            old_status=event.old_status,
            status=event.status,
            error_code=event.error_code,
            occurred_at=event.created_at,
            next_attempt_at=db_now(),
        )

    @property
    def type(self) -> str:
        """The type of the event."""
        return event_type(self.status)

    @property
    def webhook_id(self) -> str:
        """The event's id for the consumer, the same in each attempt."""
        return f"evt_{self.event}"


def waiting_guids(consumer: WebhookConsumer, guids: Collection[UUID]) -> set[UUID]:
    """Return the guids of the messages that have an event waiting for the consumer."""
    rows = WebhookDelivery.objects.for_write().of(consumer).waiting().filter(guid__in=guids)
    return set(rows.values_list("guid", flat=True))
