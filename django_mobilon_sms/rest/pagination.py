"""Pages of messages, the newest first."""

from rest_framework.pagination import CursorPagination


class MessagePagination(CursorPagination):
    """A deep page costs as the first, and a new message moves none."""

    ordering = "-pk"
    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000
