"""The rows of the outbox and the conditional updates that change them."""

from .batches import RESEND_MARGIN, SmsBatch
from .chunks import ROWS_PER_STATEMENT, chunked
from .clock import db_now
from .counting import (
    NONE,
    REASON,
    SECONDS,
    SENT,
    SOURCE,
    STATUS,
    TAG,
    Key,
    Tallies,
    Tally,
    UnixTime,
    tally,
)
from .daily_totals import CountedDay, DailyTotal, day_of
from .forgetting_texts import kept_long_enough
from .idempotency_keys import IdempotencyKey
from .lock_waits import short_lock_waits
from .mailings import SmsMailing
from .message_changes import MessageQuerySet
from .message_queries import ENDED, has
from .messages import SmsMessage
from .number_locks import NumberLock
from .pause_and_breaker import LONGEST_WAIT, GatewayState
from .prepared_sql import INTEGER, TEXT, TIME, CasePerPk, Change, PkIn, PrimaryKeys, select
from .primary_queryset import quoting_no_row
from .retry_on_lock import PASSING, RETRY_SECONDS, retry_on_lock
from .sender_pace import SenderPace
from .stopped_numbers import StoppedNumber

#: Public; the other names are for the rooms of this package.
__all__ = [
    "CountedDay",
    "DailyTotal",
    "GatewayState",
    "IdempotencyKey",
    "NumberLock",
    "SenderPace",
    "SmsBatch",
    "SmsMailing",
    "SmsMessage",
    "StoppedNumber",
]
