"""What limits how fast and when messages go out."""

from .quiet_hours import loud_since, quiet_until

__all__ = ["loud_since", "quiet_until"]
