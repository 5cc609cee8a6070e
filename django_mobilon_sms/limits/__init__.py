"""What limits how fast and when messages go out."""

from .pace import charge
from .quiet_hours import loud_since, quiet_until

__all__ = [
    "charge",
    "loud_since",
    "quiet_until",
]
