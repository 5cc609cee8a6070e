"""The watchdog: an SMS to one's own phone at regular times, and whether the last one was sent.

It finds trouble that no figure of the outbox shows, because the gateway accepts the messages: a
dead SIM, an empty account, an operator that blocks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from ..choices import Priority, Status
from ..conf import conf, keyed_digests, show_time
from ..exceptions import GuidConflict
from ..models import SENT, GatewayState, SmsMessage
from ..outbox import send_sms

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: The number of slots in which the last message is searched for.
SLOTS = 24

TAG = "watchdog"

UNDER_WAY = (Status.PENDING, Status.SENDING, Status.ACCEPTED)


@dataclasses.dataclass(frozen=True)
class Watch:
    """The result of one run of the watchdog."""

    refusal: str  # why the message of this slot could not be written; empty if it is written
    last: SmsMessage | None  # the message that is judged; ``None`` if there is none yet
    is_late: bool  # whether that message was not sent in time

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to report."""
        return not self.refusal and not self.is_late


@sensitive_variables()
def watch(
    number: str, *, every: timedelta, sent_within: timedelta, source: str | None = None
) -> Watch:
    """Write the message of the present slot unless it exists, and judge the last one.

    Time is cut into slots of the length ``every``. The guid of a slot's message is computed with
    the project's secret key. So the runs on all hosts write one message, and nobody else can write
    one under its guid. The last message is the newest that has had ``sent_within`` to be sent, or
    has ended before.

    A message that waits expires after the end of its slot, so that a pause leaves no pile of them.
    """
    now = GatewayState.objects.current().now
    slot = EPOCH + (now - EPOCH) // every * every
    source = source or conf.SOURCE
    guids = [list(_guids(number, source, slot - place * every)) for place in range(SLOTS)]
    found = list(SmsMessage.objects.for_write().filter(guid__in=chain.from_iterable(guids)))
    refusal = ""
    if not any(message.guid in guids[0] for message in found):
        expires_at = slot + every + sent_within
        refusal = _write(number, source, guid=guids[0][0], slot=slot, expires_at=expires_at)
    judged = (message for message in found if _can_be_judged(message, sent_within, now))
    last = max(judged, key=lambda message: message.created_at, default=None)
    return Watch(refusal, last, last is not None and not _is_sent(last, sent_within))


def _guids(number: str, source: str, slot: datetime) -> Iterator[UUID]:
    """Yield the guid of a slot's message: by the present secret key, then by the former ones."""
    value = f"{number} {source} {slot.isoformat()}"
    for digest in keyed_digests(__name__, value):
        yield UUID(bytes=digest[:16], version=4)


def _write(number: str, source: str, *, guid: UUID, slot: datetime, expires_at: datetime) -> str:
    """Write the message of a slot; return why it is refused, or ""."""
    # The code makes the text unlike that of every other message, so that none is a duplicate.
    text = _("SMS check %(time)s (%(code)s)") % {"time": show_time(slot), "code": guid.hex[:6]}
    try:
        send_sms(
            number,
            text,
            source=source,
            priority=Priority.HIGH,
            tag=TAG,
            guid=guid,
            expires_at=expires_at,
        )
    except ValidationError as error:
        return " ".join(f"{name}: {' '.join(words)}" for name, words in error.message_dict.items())
    except GuidConflict:  # a host with another language was faster
        return ""
    return ""


def _can_be_judged(message: SmsMessage, sent_within: timedelta, now: datetime) -> bool:
    """Return whether the time to send the message is over, or the message has ended."""
    return message.status not in UNDER_WAY or now - message.created_at > sent_within


def _is_sent(message: SmsMessage, sent_within: timedelta) -> bool:
    """Return whether the message was sent in time; the time of sending is the gateway's."""
    if message.status not in SENT:
        return False
    return message.sent_at is None or message.sent_at - message.created_at <= sent_within
