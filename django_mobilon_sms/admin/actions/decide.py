"""The page to decide about messages that may have gone out, and nobody can prove it.

It asks about one message, some, a whole batch, or all that wait for a decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import Count, Max, Min
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...models import MessageQuerySet, SmsBatch, SmsMessage
from ..badges import sentence
from ..messages.permissions import MessagePermissions
from ..messages.responses import Responses
from . import catalogue
from .catalogue import MessageAction
from .changelist_actions import LEFT_OVER, SKIPPED
from .confirmation import PksField

#: Messages that one decision takes.
MAX_DECIDED = 10_000


#: Messages, and batches of theirs, that the page lists.
MAX_LISTED = 10


TITLE = ngettext_lazy("Decide about %(count)s message", "Decide about %(count)s messages", "count")


UNDER_WAY = ngettext_lazy(
    "%(count)s of them cannot be sent again yet: its request may still be under way.",
    "%(count)s of them cannot be sent again yet: their requests may still be under way.",
    "count",
)


NEVER_AGAIN = ngettext_lazy(
    "%(count)s of them cannot be sent again: its number is on the stop list, or its text is"
    " forgotten.",
    "%(count)s of them cannot be sent again: their numbers are on the stop list, or their texts"
    " are forgotten.",
    "count",
)


NOTHING = _("None of these messages waits for a decision.")


CHOOSE = _("Choose what to do with them.")


class DecisionForm(forms.Form):
    """The choice, and the messages that the page counted."""

    choice = forms.ChoiceField(error_messages={"required": CHOOSE, "invalid_choice": CHOOSE})
    pks = PksField()

    def __init__(self, data: Any, choices: Sequence[MessageAction]) -> None:
        super().__init__(data)
        field = cast(forms.ChoiceField, self.fields["choice"])
        field.choices = [(action.name, action.label) for action in choices]

    def clean_pks(self) -> list[int]:
        """Return the primary keys of as many messages as one decision takes."""
        pks: list[int] = self.cleaned_data["pks"]
        return pks[:MAX_DECIDED]


class DecisionPage(MessagePermissions, Responses):
    """Lists, messages and batches lead to this page. Only its POST changes anything."""

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Return whether this person may choose one of the decisions."""
        return bool(catalogue.decisions_of(request.user))

    @admin.action(description=catalogue.DECIDE.label, permissions=["decide"])
    def decide(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Ask about the chosen messages."""
        undecided = catalogue.DECIDE.eligible(queryset.for_write())
        chosen, count, pks = queryset.count(), undecided.count(), newest(undecided)
        back = self._back(request)
        if not pks:
            self._show_count(request, messages.WARNING, SKIPPED, chosen)
            return back
        counts = ((SKIPPED, chosen - count), (LEFT_OVER, count - len(pks)))
        notes = [str(note % {"count": number}) for note, number in counts if number > 0]
        return self._question(request, pks, back.url, notes=notes)

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """Ask about a batch or all that wait for a decision; a POST decides."""
        if not (self.has_decide_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        if request.method == "POST":
            return self._decide(
                request, DecisionForm(request.POST, catalogue.decisions_of(request.user))
            )
        rows, back = self._rows_of_address(request)
        if pks := newest(catalogue.DECIDE.eligible(rows.for_write())):
            return self._question(request, pks, back)
        self.message_user(request, str(NOTHING), messages.INFO)
        return HttpResponseRedirect(back)

    def _rows_of_address(self, request: HttpRequest) -> tuple[MessageQuerySet, str]:
        """Return the messages that the address names, and the page to go back to."""
        if "batch" not in request.GET:
            return SmsMessage.objects.all(), self._address("smsmessage_changelist")
        try:
            batch = UUID(request.GET["batch"])
        except ValueError:
            raise BadRequest("The id of a batch is a UUID.") from None
        rows = SmsMessage.objects.filter(batch=batch)
        if not request.user.has_perm("mobilon_sms.view_smsbatch"):
            return rows, self._address("smsmessage_changelist")
        return rows, self._address("smsbatch_change", batch)

    def _decide(self, request: HttpRequest, form: DecisionForm) -> HttpResponse:
        back = self._within_admin(request.POST.get("back", ""))
        if form.is_valid():
            action, pks = catalogue.DECISIONS[form.cleaned_data["choice"]], form.cleaned_data["pks"]
            rows = SmsMessage.objects.for_write().filter(pk__in=pks)
            eligible = list(action.eligible(rows).values_list("pk", flat=True))
            changed = catalogue.apply(action, eligible, by=cast(AbstractBaseUser, request.user))
            self._show_count(request, messages.SUCCESS, action.result, changed)
            self._show_count(request, messages.WARNING, SKIPPED, len(pks) - changed)
            return HttpResponseRedirect(back)
        if "pks" not in form.cleaned_data:
            raise BadRequest("The primary keys of the messages are numbers.")
        return self._question(request, form.cleaned_data["pks"], back, form=form)

    def _question(
        self,
        request: HttpRequest,
        pks: Sequence[int],
        back: str,
        *,
        notes: Sequence[str] = (),
        form: DecisionForm | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            **_summary(pks),
            "title": TITLE % {"count": len(pks)},
            "pks": ",".join(map(str, pks)),
            "choices": catalogue.decisions_of(request.user),
            "notes": notes,
            "back": back,
            "error": form and form.errors.get("choice"),
            "opts": self.opts,
            "media": self.media,
            "shows_texts": self.has_text_permission(request),
            "shows_batches": request.user.has_perm("mobilon_sms.view_smsbatch"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mobilon_sms/smsmessage/decide.html", context)


def newest(rows: MessageQuerySet) -> list[int]:
    """Return the primary keys of the newest messages, as many as one decision takes."""
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:MAX_DECIDED])


def _summary(pks: Sequence[int]) -> dict[str, Any]:
    """Return what happened to these messages, when, and in which batches."""
    rows = SmsMessage.objects.for_write().filter(pk__in=pks)
    when = Coalesce("batch__closed_at", "created_at")
    reasons = (
        rows.order_by()
        .values("error_code")
        .annotate(count=Count("pk"), first=Min(when), last=Max(when))
        .order_by("-count", "error_code")
    )
    batches = rows.filter(batch__isnull=False).order_by().values("batch")
    under_way = never = 0
    if others := len(pks) - catalogue.RESEND.eligible(rows).count():
        under_way = rows.filter(batch__in=SmsBatch.objects.under_way()).count()
        never = others - under_way
    limits = ((UNDER_WAY, under_way), (NEVER_AGAIN, never))
    return {
        "reasons": [row | {"sentence": sentence(row["error_code"])} for row in reasons],
        "batches": batches.annotate(count=Count("pk")).order_by("-count", "batch")[:MAX_LISTED],
        "listed": rows.order_by("-pk")[:MAX_LISTED],
        "others": max(0, len(pks) - MAX_LISTED),
        "resend_limits": [words % {"count": count} for words, count in limits if count > 0],
    }
