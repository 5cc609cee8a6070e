"""What an administrator needs: monitoring, daily totals and purging."""

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
from .sending_state import COUNT_LIMIT, SendingState, observe_sending, show_count
