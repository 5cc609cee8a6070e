"""Sending one text to an uploaded list: read it, preview it, write its messages once."""

from .preview import COMMON
