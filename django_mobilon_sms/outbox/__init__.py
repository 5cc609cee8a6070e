"""Write messages into the outbox: every door writes through this room.

Projects import ``send_sms``, ``send_many`` and ``stop``. The other names serve other rooms.
"""

from .bulk_insert import insert_messages
from .confinement import confined
from .copying import copy_message
from .duplicates import DUPLICATE, recently_sent
from .recipient_limit import HOUR, HourlyRoom, lock_numbers
from .refusals import refusals
from .stop_list import (
    MAX_NOTE,
    STOPPED,
    Stopped,
    clean_note,
    read_numbers,
    stop,
    stopped_numbers,
    take_off,
)
from .validation import Past, clean, database_time, default_expiry, is_past
from .writing import MAX_ERRORS, send_many, send_sms, write_many

#: Public; the other names are for the rooms of this package.
__all__ = ["send_many", "send_sms", "stop"]
