"""The messages over REST: written, found, counted, acted on."""

from .views import MessageViewSet

__all__ = ["MessageViewSet"]
