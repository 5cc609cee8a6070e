"""The clock of leases and deadlines."""

from __future__ import annotations

import time

if hasattr(time, "CLOCK_BOOTTIME"):

    def uptime() -> float:
        """Return the seconds since some moment in the past; time asleep counts too.

        ``time.monotonic()`` stands still on Linux while the machine is suspended, so a lease
        measured by it would seem to last after everybody else saw it end.
        """
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    uptime = time.monotonic
