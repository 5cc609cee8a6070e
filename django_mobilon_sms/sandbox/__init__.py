"""A local gateway to develop and test against. This room imports none of the others."""

from .gateway import Sandbox
from .records import Exchange, Received

__all__ = ["Exchange", "Received", "Sandbox"]
