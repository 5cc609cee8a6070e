"""The OpenAPI description of REST: drf-spectacular registers it when it is imported."""

from . import extensions

__all__ = ["extensions"]
