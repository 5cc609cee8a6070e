"""The actions of the changelist, which the page of a message posts too."""

from __future__ import annotations

from typing import cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import ngettext_lazy

from ...models import MessageQuerySet
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import catalogue, copy, send_now
from .catalogue import MessageAction

#: Messages that one copy takes: they are written one by one, while the person waits.
MAX_COPIES = 500


LEFT_OVER = ngettext_lazy(
    "%(count)s more is left for the next time.",
    "%(count)s more are left for the next time.",
    "count",
)


REFUSED = ngettext_lazy(
    "%(count)s message cannot be copied: its number, sender or text is no longer allowed.",
    "%(count)s messages cannot be copied: their number, sender or text is no longer allowed.",
    "count",
)


SKIPPED = ngettext_lazy(
    "%(count)s message was skipped: its status has changed, or does not allow it.",
    "%(count)s messages were skipped: their status has changed, or does not allow it.",
    "count",
)


class SubmissionForm(ActionForm):
    """Django's form of actions, with an id that shows when it is sent twice."""

    submission_id = forms.UUIDField(
        label="", required=False, initial=uuid4, widget=forms.HiddenInput(attrs={"id": None})
    )


class ChangelistActions(MessagePermissions, Responses):
    """Every action checks the status of its messages, so one from a stale page does no harm."""

    action_form = SubmissionForm

    @admin.action(description=catalogue.SEND_NOW.label, permissions=["send"])
    def send_now(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Send as many as one request holds, and leave the rest to the worker."""
        pending = catalogue.SEND_NOW.eligible(queryset.for_write())
        skipped = queryset.count() - (waiting := pending.count())
        if pks := send_now.first_request(pending):
            for level, line in send_now.send(pks, waiting=waiting, by=_person(request)):
                self.message_user(request, str(line), level)
        self._show_count(request, messages.WARNING, SKIPPED, skipped)
        return self._back(request)

    @admin.action(description=catalogue.REFRESH.label, permissions=["send"])
    def refresh(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Let the next run of the worker query their statuses."""
        return self._change(catalogue.REFRESH, request, queryset)

    @admin.action(description=catalogue.CANCEL.label, permissions=["send"])
    def cancel(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Cancel pending messages."""
        return self._change(catalogue.CANCEL, request, queryset)

    @admin.action(description=catalogue.COPY.label, permissions=["send"])
    def copy(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Write failed, expired and cancelled messages anew, as new messages."""
        pks = _pks(catalogue.COPY.eligible(queryset.for_write()))
        skipped, left_over = queryset.count() - len(pks), len(pks) - MAX_COPIES
        pks = pks[:MAX_COPIES]
        copies = copy.copy_all(pks, submission_id=_submission_id(request), by=_person(request))
        skipped += len(pks) - copies.written - copies.refused
        self._show_count(request, messages.SUCCESS, catalogue.COPY.result, copies.written)
        self._show_count(request, messages.ERROR, REFUSED, copies.refused)
        self._show_count(request, messages.WARNING, SKIPPED, skipped)
        self._show_count(request, messages.WARNING, LEFT_OVER, left_over)
        return self._back(request)

    def _change(
        self, action: MessageAction, request: HttpRequest, queryset: MessageQuerySet
    ) -> HttpResponse:
        chosen, pks = queryset.count(), _pks(action.eligible(queryset.for_write()))
        changed = catalogue.apply(action, pks, by=_person(request))
        self._show_count(request, messages.SUCCESS, action.result, changed)
        self._show_count(request, messages.WARNING, SKIPPED, chosen - changed)
        return self._back(request)


def _pks(rows: MessageQuerySet) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _submission_id(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("submission_id", ""))
    except ValueError:
        return uuid4()


def _person(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)  # the admin requires a login
