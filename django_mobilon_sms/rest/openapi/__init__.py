"""What drf-spectacular makes of the API: it registers by being imported."""

from . import extensions

__all__ = ["extensions"]
