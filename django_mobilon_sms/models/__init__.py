"""The rows of the outbox and the conditional updates that change them.

The rooms above take the tools of ``database`` from here, with the rows they use them on.
"""

from ..database import (
    INTEGER,
    PASSING,
    RETRY_SECONDS,
    ROWS_PER_STATEMENT,
    TEXT,
    TIME,
    BatchKeys,
    Change,
    PkIn,
    PrimaryKeys,
    ValuePerPk,
    chunked,
    db_now,
    quoting_no_row,
    retry_on_lock,
    select,
    short_lock_waits,
    update,
)
from .batches import RESEND_MARGIN, BatchQuerySet, SmsBatch
from .events import CommitOrder, EventFeed, SmsEvent
from .heartbeats import Heartbeat
from .mailings import SmsMailing
from .messages import (
    MessageQuerySet,
    SmsMessage,
    asked_statuses,
    ended,
    has,
    in_asked_batch,
    kept_long_enough,
)
from .number_locks import NumberLock
from .pause_and_breaker import LONGEST_WAIT, GatewayState
from .reported_errors import REPORT_EVERY, ReportedError
from .rest_clients import DailyBudget, IdempotencyKey
from .sender_pace import SenderPace
from .stopped_numbers import StoppedNumber
from .totals import (
    NONE,
    REASON,
    SECONDS,
    SENT,
    SOURCE,
    STATUS,
    TAG,
    CountedDay,
    DailyTotal,
    Key,
    Tallies,
    Tally,
    UnixTime,
    day_of,
    tally,
)
from .wake_up import CHANNEL, DEBOUNCE, wake_up_after_commit
from .webhooks import (
    FAILING_AFTER,
    GIVE_UP_AFTER,
    LEASE,
    LeaseLost,
    WebhookConsumer,
    WebhookDelivery,
    waiting_guids,
)

#: Public; the other names are for the rooms of this package.
__all__ = [
    "CountedDay",
    "DailyBudget",
    "DailyTotal",
    "EventFeed",
    "GatewayState",
    "Heartbeat",
    "IdempotencyKey",
    "NumberLock",
    "ReportedError",
    "SenderPace",
    "SmsBatch",
    "SmsEvent",
    "SmsMailing",
    "SmsMessage",
    "StoppedNumber",
    "WebhookConsumer",
    "WebhookDelivery",
]
