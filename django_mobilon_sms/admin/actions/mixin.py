"""The actions on chosen messages, in the list and on the page of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import ngettext_lazy

from ...models import MessageQuerySet, SmsMessage
from . import catalogue, copy, send_now
from .catalogue import Verb

if TYPE_CHECKING:
    MessageModelAdmin = admin.ModelAdmin[SmsMessage]
else:
    MessageModelAdmin = admin.ModelAdmin

#: Messages that one copy takes: each is written by itself, while the person waits.
MOST = 500


LEFT = ngettext_lazy(
    "%(count)s more is left for the next time.",
    "%(count)s more are left for the next time.",
    "count",
)


REFUSED = ngettext_lazy(
    "%(count)s message can not be copied: its number, sender or text is no longer allowed.",
    "%(count)s messages can not be copied: their number, sender or text is no longer allowed.",
    "count",
)


SKIPPED = ngettext_lazy(
    "%(count)s message was skipped: its state has changed, or does not allow it.",
    "%(count)s messages were skipped: their state has changed, or does not allow it.",
    "count",
)


class OnceForm(ActionForm):
    """The actions of the list, with what tells a form that is sent twice."""

    once = forms.UUIDField(
        label="", required=False, initial=uuid4, widget=forms.HiddenInput(attrs={"id": None})
    )


class MessageActions(MessageModelAdmin):
    """Every action names the state it needs, so that none comes too late."""

    action_form = OnceForm
    actions = tuple(verb.name for verb in catalogue.VERBS)  # ``decide`` is in ``decisions``

    def has_send_permission(self, request: HttpRequest) -> bool:
        """Whether this person may decide about messages that were written."""
        return request.user.has_perm("mobilon_sms.send_smsmessage")

    def has_text_permission(self, request: HttpRequest) -> bool:
        """Whether this person may see texts."""
        return request.user.has_perm("mobilon_sms.view_smsmessage_text")

    @admin.action(description=catalogue.SEND_NOW.label, permissions=["send"])
    def send_now(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Send what one POST holds, and leave the rest to the worker."""
        pending = catalogue.SEND_NOW.eligible(queryset.for_write())
        skipped = queryset.count() - (waiting := pending.count())
        if pks := send_now.first_post(pending):
            for level, line in send_now.send(pks, waiting=waiting, by=_person(request)):
                self.message_user(request, str(line), level)
        self._tell(request, messages.WARNING, SKIPPED, skipped)
        return self._back(request)

    @admin.action(description=catalogue.REFRESH.label, permissions=["send"])
    def refresh(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Let the worker's next run ask for their statuses."""
        return self._change(catalogue.REFRESH, request, queryset)

    @admin.action(description=catalogue.CANCEL.label, permissions=["send"])
    def cancel(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Take back what is pending."""
        return self._change(catalogue.CANCEL, request, queryset)

    @admin.action(description=catalogue.COPY.label, permissions=["send"])
    def copy(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Send failed, expired and cancelled messages anew, as new messages."""
        pks = _pks(catalogue.COPY.eligible(queryset.for_write()))
        skipped, left = queryset.count() - len(pks), len(pks) - MOST
        copies = copy.copy_all(pks[:MOST], once=_once(request), by=_person(request))
        skipped += len(pks[:MOST]) - copies.written - copies.refused
        self._tell(request, messages.SUCCESS, catalogue.COPY.done, copies.written)
        self._tell(request, messages.ERROR, REFUSED, copies.refused)
        self._tell(request, messages.WARNING, SKIPPED, skipped)
        self._tell(request, messages.WARNING, LEFT, left)
        return self._back(request)

    def _change(self, verb: Verb, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        chosen, pks = queryset.count(), _pks(verb.eligible(queryset.for_write()))
        changed = catalogue.apply(verb, pks, by=_person(request))
        self._tell(request, messages.SUCCESS, verb.done, changed)
        self._tell(request, messages.WARNING, SKIPPED, chosen - changed)
        return self._back(request)

    def _tell(self, request: HttpRequest, level: int, sentence: Any, count: int) -> None:
        if count > 0:
            self.message_user(request, str(sentence % {"count": count}), level)

    def _back(self, request: HttpRequest) -> HttpResponse:
        """To where the person was: the page of a message, or the list with its filters."""
        if "from_page" not in request.POST:
            return HttpResponseRedirect(request.get_full_path())
        pk = request.POST[ACTION_CHECKBOX_NAME]
        return HttpResponseRedirect(self._address("smsmessage_change", pk))

    def _known(self, back: str) -> str:
        """A page of this admin, or else the list: a form could name any other site."""
        inside = back.startswith(reverse("admin:index", current_app=self.admin_site.name))
        if inside and url_has_allowed_host_and_scheme(back, allowed_hosts=None):
            return back
        return self._address("smsmessage_changelist")

    def _address(self, page: str, *args: Any) -> str:
        name = f"admin:mobilon_sms_{page}"
        return reverse(name, args=args, current_app=self.admin_site.name)


def _pks(rows: MessageQuerySet) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def _once(request: HttpRequest) -> UUID:
    """What is the same for a form that is sent twice."""
    try:
        return UUID(request.POST.get("once", ""))
    except ValueError:
        return uuid4()


def _person(request: HttpRequest) -> AbstractBaseUser:
    return cast(AbstractBaseUser, request.user)  # the admin lets nobody in who is not logged in
