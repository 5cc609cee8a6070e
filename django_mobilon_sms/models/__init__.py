"""The rows of the outbox and the conditional updates that change them."""

from .batches import SmsBatch
from .chunks import ROWS_PER_STATEMENT, chunked
from .clock import db_now
from .forgetting_texts import kept_long_enough, unless_sensitive
from .mailings import SmsMailing
from .message_changes import MessageQuerySet
from .message_queries import ENDED, has
from .messages import SmsMessage
from .number_locks import NumberLock
from .pause_and_breaker import LONGEST_WAIT, GatewayState
from .prepared_sql import INTEGER, TEXT, TIME, CasePerPk, Change, PkIn, PrimaryKeys, select
from .primary_queryset import quoting_no_row
from .retry_on_lock import RETRY_SECONDS, retry_on_lock
from .sender_pace import SenderPace
from .stopped_numbers import StoppedNumber

__all__ = [
    "ENDED",
    "INTEGER",
    "LONGEST_WAIT",
    "RETRY_SECONDS",
    "ROWS_PER_STATEMENT",
    "TEXT",
    "TIME",
    "CasePerPk",
    "Change",
    "GatewayState",
    "MessageQuerySet",
    "NumberLock",
    "PkIn",
    "PrimaryKeys",
    "SenderPace",
    "SmsBatch",
    "SmsMailing",
    "SmsMessage",
    "StoppedNumber",
    "chunked",
    "db_now",
    "has",
    "kept_long_enough",
    "quoting_no_row",
    "retry_on_lock",
    "select",
    "unless_sensitive",
]
