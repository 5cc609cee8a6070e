"""The totals of each day, and the counts that they are made of."""

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

__all__ = [
    "NONE",
    "REASON",
    "SECONDS",
    "SENT",
    "SOURCE",
    "STATUS",
    "TAG",
    "CountedDay",
    "DailyTotal",
    "Key",
    "Tallies",
    "Tally",
    "UnixTime",
    "day_of",
    "tally",
]
