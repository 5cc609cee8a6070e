"""The message: its row, the questions to its table, and the conditional updates that change it."""

from .changes import MessageQuerySet
from .forgetting_texts import kept_long_enough
from .queries import asked_statuses, ended, has, in_asked_batch
from .sms_message import SmsMessage

__all__ = [
    "MessageQuerySet",
    "SmsMessage",
    "asked_statuses",
    "ended",
    "has",
    "in_asked_batch",
    "kept_long_enough",
]
