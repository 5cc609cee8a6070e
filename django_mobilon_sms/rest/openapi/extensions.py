"""Descriptions of the API's addresses for drf-spectacular, which must be installed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import extend_schema, extend_schema_view

from .operations import EVENTS, MESSAGES, STOP_LIST
from .parameters import HEADERS


def _described(extension: Any) -> Any:
    """Return the view of an extension, with descriptions of its operations."""
    schemas = {
        name: extend_schema(operation_id=f"{extension.prefix}_{name}", **operation)
        for name, operation in extension.operations.items()
    }
    view = type("Described", (extension.target_class,), {})
    described = extend_schema_view(**schemas)(view)
    return extend_schema(tags=[extension.tag], parameters=HEADERS)(described)


class MessagesExtension(OpenApiViewExtension):
    """Describe the messages."""

    target_class = "django_mobilon_sms.rest.messages.views.MessageViewSet"
    tag, prefix, operations = "SMS", "sms_messages", MESSAGES
    view_replacement = _described


class EventsExtension(OpenApiViewExtension):
    """Describe the events."""

    target_class = "django_mobilon_sms.rest.events.EventViewSet"
    tag, prefix, operations = "SMS events", "sms_events", EVENTS
    view_replacement = _described


class StopListExtension(OpenApiViewExtension):
    """Describe the stop list."""

    target_class = "django_mobilon_sms.rest.stop_list.StopListViewSet"
    tag, prefix, operations = "SMS stop list", "sms_stop_list", STOP_LIST
    view_replacement = _described
