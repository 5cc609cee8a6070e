"""The feed of events: every change of a status, in an order that no late commit changes."""

from .holding_back import held_back
from .purging import GRACE, Deleted, count_old, delete_old
from .reading import MAX_LIMIT, Page, newest, read
from .restoring import begin_anew
from .seeking import count_after, oldest, since

#: Public; the other names are for the rooms of this package.
__all__ = ["newest", "read"]
