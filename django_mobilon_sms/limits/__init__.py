"""Limits on when and how fast messages go out: the pace and the quiet hours."""

from . import pace
from .quiet_hours import loud_since, quiet_until
