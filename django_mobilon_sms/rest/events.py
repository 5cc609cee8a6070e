"""The feed of events over REST: every change of a status, read with a cursor."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any
from uuid import uuid4

from django import forms
from django.core.cache import cache
from django.db import connections
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from .. import events
from ..choices import ErrorCode, Status, event_type
from ..conf import conf
from ..exceptions import CursorExpired, InvalidCursor
from ..models import SmsEvent
from .permissions import SEE, MessagePermission
from .serializers import IN_UTC, EnumField, ExactSerializer
from .strict_view import ParameterForm, StrictView

#: The ``after`` of a reader that wants only the events from now on.
NEWEST = "newest"
#: How long a request may wait for an event, in seconds: less than a server's or a proxy's timeout.
MAX_WAIT = 25
#: How often a waiting request looks for an event, in seconds.
STEP = 1.0


class CursorGone(APIException):
    """Events after the cursor have been deleted."""

    status_code = status.HTTP_410_GONE
    default_detail = _(
        "Events after this cursor have been deleted. Take a new cursor with after=newest, then"
        " search for the messages that you follow, then read on from the new cursor."
    )
    default_code = "cursor_expired"


class EventsOff(NotFound):
    """The project keeps no events."""

    default_detail = _("No events are kept here: MOBILON_SMS_EVENTS is not set.")
    default_code = "events_off"


class EventSerializer(serializers.ModelSerializer[SmsEvent]):
    """A change of a message's status. The time is in UTC."""

    type = EnumField("EventType", [(event_type(value), label) for value, label in Status.choices])
    old_status = EnumField(
        "OldStatus", Status.choices, allow_blank=True, help_text="Empty for a new message."
    )
    status = EnumField("Status", Status.choices)
    error_code = EnumField("ErrorCode", ErrorCode.choices, allow_blank=True)

    class Meta:
        model = SmsEvent
        ref_name = "SmsEvent"
        fields = ["id", "guid", "type", "old_status", "status", "error_code", "created_at"]
        read_only_fields = fields
        extra_kwargs = {"created_at": IN_UTC}


class EventPageSerializer(ExactSerializer):
    """Events in order, and the cursor to read on from."""

    events = EventSerializer(many=True)
    cursor = serializers.CharField(
        help_text="The next `after`. If it is the one that you sent, there is nothing new."
    )


class EventForm(ParameterForm):
    """The query parameters."""

    after = forms.CharField(required=False, strip=False)
    limit = forms.IntegerField(required=False, min_value=1, max_value=events.MAX_LIMIT)
    wait = forms.IntegerField(required=False, min_value=0, max_value=MAX_WAIT)


class Turn:
    """The turn of a user's newest waiting request; it ends the turn of the older one.

    So a user occupies one worker of the web server. If the cache fails, or if each process has a
    cache of its own, several requests of the user may wait.
    """

    def __init__(self, user: Any) -> None:
        self.key, self.mark = f"mobilon_sms_events_{user.pk}", uuid4().hex
        _quietly(cache.set, self.key, self.mark, MAX_WAIT * 2)

    def is_over(self) -> bool:
        """Return whether a newer request waits."""
        return bool(_quietly(cache.get, self.key, self.mark) not in (None, self.mark))


class EventViewSet(StrictView, GenericViewSet[SmsEvent]):
    """Events of messages, in an order in which none is missed."""

    queryset = SmsEvent.objects.all()
    serializer_class = EventPageSerializer
    permission_classes = [MessagePermission]
    required_permission = SEE
    pagination_class = None
    filter_backends: list[Any] = []
    parameters: Collection[str] = tuple(EventForm.base_fields)

    def list(self, request: Request) -> Response:
        """Return the events after a cursor, at once or as soon as there is one."""
        if conf.EVENTS is None:
            raise EventsOff
        given = EventForm(request.query_params).read()
        after, limit, wait = given.get("after"), given.get("limit", 100), given.get("wait", 0)
        page = self._wait(after, limit=limit, wait=wait)
        return Response(self.get_serializer(page).data)

    def _wait(self, after: str | None, *, limit: int, wait: int) -> events.Page:
        """Return the first page with an event, or the last page when the time or turn is over."""
        deadline, turn = time.monotonic() + wait, None
        while True:
            page = self._page(after, limit)
            if page.events or time.monotonic() >= deadline:
                return page
            if page.cursor == after:
                turn = turn or Turn(self.request.user)
                _close_connections()
                time.sleep(STEP)
                if turn.is_over():
                    return page
            after = page.cursor

    def _page(self, after: str | None, limit: int) -> events.Page:
        own = self.request.user.pk if conf.REST_OWN_MESSAGES_ONLY else None
        try:
            if after == NEWEST:
                return events.Page([], events.newest())
            return events.read(after, limit, created_by=own)
        except InvalidCursor as error:
            fault = {"after": [_("This is not a cursor of this API.")]}
            raise serializers.ValidationError(fault, code="invalid") from error
        except CursorExpired:
            raise CursorGone from None


def _close_connections() -> None:
    """Close the connections of this thread, so that none is held; the next query opens one."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _quietly(call: Any, *arguments: Any) -> Any:
    """Return the cache's answer; ``None`` if the cache fails, because waiting does not need it."""
    try:
        return call(*arguments)
    except Exception:  # every cache has errors of its own
        return None
