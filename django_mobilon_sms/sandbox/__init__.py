"""A local gateway to develop and test against. This room imports none of the others."""

from .broken_replies import Case
from .gateway import Sandbox
from .records import Exchange, Received
from .server import Ending, Reply, http_reply, json_reply

__all__ = ["Case", "Ending", "Exchange", "Received", "Reply", "Sandbox", "http_reply", "json_reply"]
