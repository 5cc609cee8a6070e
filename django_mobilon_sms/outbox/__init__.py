"""Writing messages: every door writes through this room.

Public: ``send_sms``, ``send_many``, ``stop``.
"""

from .bulk_insert import insert_alike
from .duplicates import DUPLICATE, NOT_SENT, recently_sent
from .stop_list import STOPPED, Stopped, read_numbers, stop, stopped_numbers
from .validation import clean, default_expiry
from .writing import COPYABLE, MAX_ERRORS, copy_message, send_many, send_sms, write_many

__all__ = [
    "COPYABLE",
    "DUPLICATE",
    "MAX_ERRORS",
    "NOT_SENT",
    "STOPPED",
    "Stopped",
    "clean",
    "copy_message",
    "default_expiry",
    "insert_alike",
    "read_numbers",
    "recently_sent",
    "send_many",
    "send_sms",
    "stop",
    "stopped_numbers",
    "write_many",
]
