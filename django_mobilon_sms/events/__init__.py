"""The feed of events: every change of a status, in an order that no late commit changes."""

from .reading import Page, newest, read
from .seeking import count_after, since

__all__ = ["Page", "newest", "read"]
