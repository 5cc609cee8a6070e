"""The reports: what was written and what became of it, the queue now, the gateway now."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from ...choices import Status
from ...models import GatewayState, SmsBatch
from ...operations import monitoring
from .. import gateway_panel
from ..badges import sentence
from ..messages.permissions import MessagePermissions
from . import chart, figures, periods
from .periods import Period

#: From the bottom of a bar: what went well, what is on its way, what did not.
ORDER = (
    Status.DELIVERED,
    Status.SENT,
    Status.ACCEPTED,
    Status.SENDING,
    Status.PENDING,
    Status.UNKNOWN,
    Status.FAILED,
    Status.EXPIRED,
    Status.CANCELLED,
)


#: So many batches are shown.
BATCHES = 10


class ReportPage(MessagePermissions):
    """A page to read; its buttons are the gateway's switches."""

    @method_decorator(require_safe)
    def report_view(self, request: HttpRequest) -> HttpResponse:
        """What the address names, by default the last week."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = GatewayState.objects.peek().now
        name, period, form = periods.chosen(request.GET, now)
        context = {
            **self.admin_site.each_context(request),
            **(_report(period) if period else {}),
            **_queue(monitoring.queue(now), now),
            "title": _("Reports"),
            "period": name,
            "choices": periods.CHOICES.items(),
            "form": form,
            "gateway": gateway_panel.panel(),
            "has_send_permission": self.has_send_permission(request),
            "shows_batches": request.user.has_perm("mobilon_sms.view_smsbatch"),
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mobilon_sms/smsmessage/reports.html", context)


def _report(period: Period) -> dict[str, Any]:
    counted = figures.by_step(period)
    statuses = [each for each in ORDER if each in {status for _step, status in counted}]
    totals = figures.totals(counted, statuses)
    took = figures.seconds_to_sent(period)
    tried = sum(totals[each].messages for each in statuses if each not in figures.NOT_YET)
    sent = sum(totals[each].messages for each in statuses if each in figures.SENT)
    return {
        "total": sum(totals.values(), figures.NONE),
        "tried": tried,
        "sent": sent,
        "share": _percent(sent, tried),
        "median": duration(figures.percentile(took, 0.5)),
        "slowest": duration(figures.percentile(took, 0.95)),
        "statuses": [(each, each.label, totals[each]) for each in statuses],
        "rows": list(_rows(period, counted, statuses)),
        "charts": list(_charts(period, counted, statuses)),
        "reasons": [
            each | {"sentence": sentence(each["error_code"])} for each in figures.by_reason(period)
        ],
        "names": [
            (_("By tag"), _("Tag"), _shares(figures.by_name(period, "tag"))),
            (_("By sender"), _("Sender"), _shares(figures.by_name(period, "source"))),
        ],
    }


def _rows(period: Period, counted: Any, statuses: list[Status]) -> Iterable[Any]:
    """The lines of the table: the newest first, without those in which nothing was written."""
    for number in reversed(period.numbers()):
        tallies = [counted.get((number, status), figures.NONE) for status in statuses]
        if (total := sum(tallies, figures.NONE)).messages:
            yield period.label(number), tallies, total


def _charts(period: Period, counted: Any, statuses: list[Status]) -> Iterable[chart.Chart]:
    numbers = period.numbers()
    labels = [period.label(number) for number in numbers]
    for title, of in ((_("Messages by status"), "messages"), (_("Parts by status"), "parts")):
        series = [
            (
                each.value,
                each.label,
                {
                    i: getattr(counted[number, each], of)
                    for i, number in enumerate(numbers)
                    if (number, each) in counted
                },
            )
            for each in statuses
        ]
        yield chart.draw(title, labels, series)


def _shares(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"share": _percent(row["sent"], row["tried"])} for row in rows]


def _percent(part: int, whole: int) -> float | None:
    """In percent; below 100 it is never rounded up to it."""
    if not whole:
        return None
    return 100.0 if part == whole else min(99.9, round(part * 100 / whole, 1))


def _queue(found: monitoring.Queue, now: datetime) -> dict[str, Any]:
    oldest, empty_in = found.oldest_waiting, found.time_to_empty
    return {
        "queue": found,
        "waiting": min(found.waiting, monitoring.COUNT_LIMIT),
        "has_more": found.waiting > monitoring.COUNT_LIMIT,
        "waits": oldest and timesince(now - oldest, now, depth=1),
        "empties": empty_in and duration(int(empty_in.total_seconds())),
        "batches": SmsBatch.objects.defer("reply").order_by("-created_at")[:BATCHES],
    }


def duration(seconds: int | None) -> str | None:
    """A time as people say it: seconds below two minutes, above it Django's words."""
    if seconds is None:
        return None
    if seconds < 120:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    moment = timezone.now()
    return timesince(moment - timedelta(seconds=seconds), moment, depth=2)
