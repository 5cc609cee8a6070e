"""The statuses of accepted messages: the queries, and the record of the answers."""

from .queries import refresh, trouble

__all__ = ["refresh", "trouble"]
