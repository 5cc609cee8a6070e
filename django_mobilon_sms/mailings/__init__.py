"""Sending one text to an uploaded list."""

from .preview import COMMON

__all__ = [
    "COMMON",
]
