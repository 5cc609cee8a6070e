"""The actions of the changelist, which the page of a message posts too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import BadRequest
from django.db.models import Max, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...models import MessageQuerySet, SmsMessage
from ...outbox import database_time
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import catalogue, confirmation, copy, send_now
from .catalogue import MessageAction
from .confirmation import PksField

#: Messages that one copy takes: they are written one by one, while the person waits.
MAX_COPIES = 500


LEFT_OVER = ngettext_lazy(
    "%(count)s more is left for the next time.",
    "%(count)s more are left for the next time.",
    "count",
)


REFUSED = ngettext_lazy(
    "%(count)s message was not created: %(reason)s",
    "%(count)s messages were not created: %(reason)s",
    "count",
)


SKIPPED = ngettext_lazy(
    "%(count)s message was skipped: its status has changed, or does not allow it.",
    "%(count)s messages were skipped: their status has changed, or does not allow it.",
    "count",
)


SEND_AGAIN = ngettext_lazy("Send %(count)s message again", "Send %(count)s messages again", "count")


CANCEL_MANY = ngettext_lazy(
    "Cancel %(count)s pending message", "Cancel %(count)s pending messages", "count"
)


NEW_MESSAGES = _(
    "Each becomes a new message with the same text, number, sender, priority and tag, and is paid"
    " for. Look first whether somebody has sent them again already."
)


SCHEDULED = ngettext_lazy(
    "%(count)s of them goes out at its own time, which is still to come.",
    "%(count)s of them go out at their own times, which are still to come.",
    "count",
)


class SubmissionForm(ActionForm):
    """Django's form of actions, with an id that shows when it is sent twice."""

    submission_id = forms.UUIDField(
        label="", required=False, initial=uuid4, widget=forms.HiddenInput(attrs={"id": None})
    )


class ChosenForm(forms.Form):
    """The messages that the page to confirm a copy has counted."""

    pks = PksField()


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
        """Cancel pending messages. Ask first if they are many, or all that match."""
        pending = catalogue.CANCEL.eligible(queryset.for_write())
        across = request.POST.get("select_across", "0") != "0"
        if newest := request.POST.get("newest"):
            # Those that the page counted, and none written since.
            queryset = queryset.filter(pk__lte=_pk(newest))
        elif (count := pending.count()) and (across or count > confirmation.MAX_UNASKED):
            return self._ask_to_cancel(request, pending, count)
        return self._change(catalogue.CANCEL, request, queryset)

    def _ask_to_cancel(
        self, request: HttpRequest, pending: MessageQuerySet, count: int
    ) -> HttpResponse:
        newest = pending.aggregate(newest=Max("pk"))["newest"]
        return self._ask(
            request,
            sentence=CANCEL_MANY % {"count": count},
            fields=[*_chosen(request), ("newest", newest)],
            figures=[(_("Messages"), count)],
        )

    @admin.action(description=catalogue.COPY.label, permissions=["send_again"])
    def copy(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Write failed, expired and cancelled messages anew, once the person has confirmed it."""
        if "pks" in request.POST:
            return self._copy(request)
        chosen, pks = queryset.count(), _pks(catalogue.COPY.eligible(queryset.for_write()))
        if not pks:
            self._show_count(request, messages.WARNING, SKIPPED, chosen)
            return self._back(request)
        counts = ((SKIPPED, chosen - len(pks)), (LEFT_OVER, len(pks) - MAX_COPIES))
        return self._ask_to_copy(request, pks[:MAX_COPIES], counts)

    def _ask_to_copy(
        self, request: HttpRequest, pks: list[int], counts: Sequence[tuple[Any, int]]
    ) -> HttpResponse:
        rows = SmsMessage.objects.for_write().filter(pk__in=pks)
        segments = rows.aggregate(total=Sum("segments"))["total"]
        counts = [(SCHEDULED, rows.filter(send_at__gt=database_time()).count()), *counts]
        return self._ask(
            request,
            sentence=SEND_AGAIN % {"count": len(pks)},
            fields=[
                *_chosen(request, pks[0]),
                ("submission_id", _submission_id(request)),
                ("pks", ",".join(map(str, pks))),
            ],
            figures=[(_("Messages"), len(pks)), (_("Total parts"), segments)],
            lines=[NEW_MESSAGES, *(note % {"count": count} for note, count in counts if count > 0)],
        )

    def _ask(self, request: HttpRequest, *, sentence: str, **page: Any) -> HttpResponse:
        button = ("_confirm", sentence)
        back = self._back(request).url
        return confirmation.ask(self, request, title=sentence, button=button, back=back, **page)

    def _copy(self, request: HttpRequest) -> HttpResponse:
        """Copy the messages that the page counted, and no others."""
        form = ChosenForm(request.POST)
        if not form.is_valid():
            raise BadRequest("The primary keys of the messages are numbers.")
        pks = form.cleaned_data["pks"][:MAX_COPIES]
        copies = copy.copy_all(pks, submission_id=_submission_id(request), by=_person(request))
        self._show_count(request, messages.SUCCESS, catalogue.COPY.result, copies.written)
        for reason, count in copies.refused.items():
            line = REFUSED % {"count": count, "reason": reason}
            self.message_user(request, str(line), messages.ERROR)
        skipped = len(pks) - copies.written - copies.refused.total()
        self._show_count(request, messages.WARNING, SKIPPED, skipped)
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


def _pk(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise BadRequest("The primary key of a message is a number.")
    return int(value)


def _chosen(request: HttpRequest, pk: int | None = None) -> list[tuple[str, Any]]:
    """Return the fields that choose the action again, for the same messages or for one."""
    names = ("action", "index", "select_across", "from_page", ACTION_CHECKBOX_NAME)
    fields = [(name, value) for name in names for value in request.POST.getlist(name)]
    if pk is None:
        return fields
    # The action names its messages itself. Django wants one to be chosen all the same.
    one = [(name, value) for name, value in fields if name in ("action", "index", "from_page")]
    return [*one, (ACTION_CHECKBOX_NAME, pk)]


def _submission_id(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("submission_id", ""))
    except ValueError:
        return uuid4()


def _person(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)  # the admin requires a login
