"""The feed of events: every change of a status, in an order that no late commit changes."""

from .reading import MAX_LIMIT, Page, newest, read

__all__ = ["MAX_LIMIT", "Page", "newest", "read"]
