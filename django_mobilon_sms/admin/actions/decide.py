"""The page to decide on: what may have gone out and nobody can prove.

For one message, some, a whole batch, or all that wait for a decision.
"""

from __future__ import annotations

import re
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
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...models import MessageQuerySet, SmsMessage
from ..badges import sentence
from . import catalogue
from .mixin import LEFT, SKIPPED, MessageActions

#: Messages that one decision takes.
MOST = 10_000


#: How many of them, and of their batches, are named on the page.
SOME = 10


TITLE = ngettext_lazy("Decide about %(count)s message", "Decide about %(count)s messages", "count")


UNDER_WAY = ngettext_lazy(
    "%(count)s of them can not be sent again yet: its request may still be under way.",
    "%(count)s of them can not be sent again yet: their requests may still be under way.",
    "count",
)


NOTHING = _("None of these messages waits for a decision.")


CHOOSE = _("Choose what is to become of them.")


_PKS = re.compile(r"\A[0-9]{1,18}(,[0-9]{1,18})*\Z")


class DecisionForm(forms.Form):
    """What was decided about the messages that were counted on the page."""

    choice = forms.ChoiceField(
        choices=[(verb.name, verb.label) for verb in catalogue.DECISIONS.values()],
        error_messages={"required": CHOOSE, "invalid_choice": CHOOSE},
    )
    pks = forms.RegexField(_PKS)

    def clean_pks(self) -> list[int]:
        """The keys of the messages. In one field: a form may hold a thousand fields only."""
        return [int(pk) for pk in self.cleaned_data["pks"].split(",")[:MOST]]


class Decisions(MessageActions):
    """Leads to the page from the list, a message, a batch; changes on its POST only."""

    def get_urls(self) -> list[URLPattern]:
        """The page before the admin's own, which take any path."""
        view = self.admin_site.admin_view(self.decide_view)
        return [path("decide/", view, name="mobilon_sms_decide"), *super().get_urls()]

    @admin.action(description=catalogue.DECIDE.label, permissions=["send"])
    def decide(self, request: HttpRequest, queryset: MessageQuerySet) -> HttpResponse:
        """Ask about the chosen messages."""
        waiting = catalogue.undecided(queryset.for_write())
        chosen, count, pks = queryset.count(), waiting.count(), newest(waiting)
        back = self._back(request)
        if not pks:
            self._tell(request, messages.WARNING, SKIPPED, chosen)
            return back
        notes = ((SKIPPED, chosen - count), (LEFT, count - len(pks)))
        said = [str(line % {"count": many}) for line, many in notes if many > 0]
        return self._question(request, pks, back["Location"], notes=said)

    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """The page for a batch, or for all that waits; its POST decides."""
        if not (self.has_send_permission(request) and self.has_view_permission(request)):
            raise PermissionDenied
        if request.method == "POST":
            return self._decide(request, DecisionForm(request.POST))
        rows, back = self._asked_for(request)
        if pks := newest(catalogue.undecided(rows.for_write())):
            return self._question(request, pks, back)
        self.message_user(request, str(NOTHING), messages.INFO)
        return HttpResponseRedirect(back)

    def _asked_for(self, request: HttpRequest) -> tuple[MessageQuerySet, str]:
        """The messages that the address names, and the page where the person came from."""
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
        back = self._known(request.POST.get("back", ""))
        if form.is_valid():
            verb, pks = catalogue.DECISIONS[form.cleaned_data["choice"]], form.cleaned_data["pks"]
            rows = SmsMessage.objects.for_write().filter(pk__in=pks)
            able = list(verb.eligible(rows).values_list("pk", flat=True))
            changed = catalogue.apply(verb, able, by=cast(AbstractBaseUser, request.user))
            self._tell(request, messages.SUCCESS, verb.done, changed)
            self._tell(request, messages.WARNING, SKIPPED, len(pks) - changed)
            return HttpResponseRedirect(back)
        if "pks" not in form.cleaned_data:
            raise BadRequest("The keys of the messages are numbers.")
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
            **_facts(pks),
            "title": TITLE % {"count": len(pks)},
            "pks": ",".join(map(str, pks)),
            "choices": catalogue.DECISIONS.values(),
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
    """The keys of as many as one decision takes."""
    return list(rows.order_by("-pk").values_list("pk", flat=True)[:MOST])


def _facts(pks: Sequence[int]) -> dict[str, Any]:
    """What happened to these messages, when, and with which batches."""
    rows = SmsMessage.objects.for_write().filter(pk__in=pks)
    when = Coalesce("batch__closed_at", "created_at")
    reasons = (
        rows.order_by()
        .values("error_code")
        .annotate(count=Count("pk"), first=Min(when), last=Max(when))
        .order_by("-count", "error_code")
    )
    batches = rows.filter(batch__isnull=False).order_by().values("batch")
    under_way = len(pks) - catalogue.RESEND.eligible(rows).count()
    return {
        "reasons": [each | {"sentence": sentence(each["error_code"])} for each in reasons],
        "batches": batches.annotate(count=Count("pk")).order_by("-count", "batch")[:SOME],
        "some": rows.order_by("-pk")[:SOME],
        "others": max(0, len(pks) - SOME),
        "under_way": UNDER_WAY % {"count": under_way} if under_way > 0 else "",
    }
