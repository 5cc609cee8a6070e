"""Write messages into the outbox: every door writes through this room.

Projects import ``send_sms``, ``send_many`` and ``stop``. The other names serve other rooms.
"""

from .bulk_insert import insert_alike
from .duplicates import DUPLICATE, recently_sent
from .recipient_limit import HOUR, HourlyRoom, lock_numbers
from .stop_list import STOPPED, Stopped, read_numbers, stop, stopped_numbers
from .validation import clean, database_time, default_expiry
from .writing import MAX_ERRORS, copy_message, send_many, send_sms, write_many

__all__ = [
    "DUPLICATE",
    "HOUR",
    "MAX_ERRORS",
    "STOPPED",
    "HourlyRoom",
    "Stopped",
    "clean",
    "copy_message",
    "database_time",
    "default_expiry",
    "insert_alike",
    "lock_numbers",
    "read_numbers",
    "recently_sent",
    "send_many",
    "send_sms",
    "stop",
    "stopped_numbers",
    "write_many",
]
