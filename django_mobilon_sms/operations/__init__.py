"""What an administrator needs: monitoring, the watchdog, daily totals and purging."""

from .daily_totals import (
    JOB_SECONDS,
    RECENT_AGE,
    as_of,
    consistently,
    count_days,
    day_bounds,
    read_totals,
    recount_days,
    sums,
)
from .monitoring import LastRequest, Snapshot, observe
from .purging import Purged, purge
from .sending_state import COUNT_LIMIT, WORDS, SendingState, observe_sending, show_count
from .watchdog import Watch, watch
