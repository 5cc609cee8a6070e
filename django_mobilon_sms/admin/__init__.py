"""The admin. Django imports this package, and so registers the models."""

from .batches import JournalAdmin
from .mailings.admin import MailingAdmin
from .messages.admin import MessageAdmin
from .stop_list import StopListAdmin
from .webhooks import WebhookAdmin

__all__ = ["JournalAdmin", "MailingAdmin", "MessageAdmin", "StopListAdmin", "WebhookAdmin"]
