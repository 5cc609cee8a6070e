"""What an administrator asks and cleans up."""

from .monitoring import MOST, LastRequest, Snapshot, condition, observe, unwritten
from .purging import Purged, purge

__all__ = [
    "MOST",
    "LastRequest",
    "Purged",
    "Snapshot",
    "condition",
    "observe",
    "purge",
    "unwritten",
]
