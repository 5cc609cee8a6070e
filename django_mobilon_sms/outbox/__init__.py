"""Write messages into the outbox: every door writes through this room.

Projects import ``send_sms``, ``send_many`` and ``stop``. The other names serve other rooms.
"""

from .bulk_insert import insert_alike
from .duplicates import DUPLICATE, recently_sent
from .stop_list import STOPPED, Stopped, read_numbers, stop, stopped_numbers
from .validation import Past, clean, database_time, default_expiry, is_past
from .writing import MAX_ERRORS, copy_message, send_many, send_sms, write_many

__all__ = [
    "DUPLICATE",
    "MAX_ERRORS",
    "STOPPED",
    "Past",
    "Stopped",
    "clean",
    "copy_message",
    "database_time",
    "default_expiry",
    "insert_alike",
    "is_past",
    "read_numbers",
    "recently_sent",
    "send_many",
    "send_sms",
    "stop",
    "stopped_numbers",
    "write_many",
]
