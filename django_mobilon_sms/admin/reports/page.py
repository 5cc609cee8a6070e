"""The reports: messages and their statuses, the queue now, the gateway now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
from ...models import NONE, SENT, SOURCE, STATUS, TAG, GatewayState, Key, SmsBatch, Tally
from ...operations import monitoring
from ..badges import sentence
from ..messages.permissions import MessagePermissions
from . import chart, figures, periods
from .periods import Period

#: The statuses in the order of a bar, from its bottom: what went well comes first.
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

#: The latest batches that the page lists.
SHOWN_BATCHES = 10

Tallies = Mapping[tuple[datetime, str], Tally]


class ReportPage(MessagePermissions):
    """A page to read; its buttons are the gateway's switches."""

    @method_decorator(require_safe)
    def report_view(self, request: HttpRequest) -> HttpResponse:
        """Show the chosen period, and what is queued now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = GatewayState.objects.peek().now
        name, period, form = periods.chosen(request.GET, now)
        context = {
            **self.admin_site.each_context(request),
            **(_report(period) if period else {}),
            **_queue(now),
            "title": _("Reports"),
            "period": name,
            "choices": periods.CHOICES.items(),
            "form": form,
            "shows_batches": request.user.has_perm("mobilon_sms.view_smsbatch"),
            "opts": self.opts,
            "media": self.media,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mobilon_sms/smsmessage/reports.html", context)


def _report(period: Period) -> dict[str, Any]:
    tallies, whole, as_of = figures.of(period)
    totals = {status: whole.get(Key(STATUS, "", status), NONE) for status in ORDER}
    statuses = [status for status in ORDER if totals[status].messages]
    tried = sum(totals[status].messages for status in ORDER if status not in figures.NOT_TRIED)
    sent = sum(totals[status].messages for status in SENT)
    seconds = figures.seconds_to_sent(whole)
    return {
        "total": sum(totals.values(), NONE),
        "tried": tried,
        "sent": sent,
        "share": _percent(sent, tried),
        "as_of": as_of,
        "median": _duration(figures.percentile(seconds, 0.5)),
        "slowest": _duration(figures.percentile(seconds, 0.95)),
        "statuses": [(status, status.label, totals[status]) for status in statuses],
        "rows": list(_rows(period, tallies, statuses)),
        "charts": list(_charts(period, tallies, statuses)),
        "reasons": [
            row | {"sentence": sentence(row["error_code"])} for row in figures.by_reason(whole)
        ],
        "names": [
            (_("By tag"), _("Tag"), _with_shares(figures.by_name(whole, TAG))),
            (_("By sender"), _("Sender"), _with_shares(figures.by_name(whole, SOURCE))),
        ],
    }


def _rows(
    period: Period, tallies: Tallies, statuses: list[Status]
) -> Iterator[tuple[str, list[Tally], Tally]]:
    """Return the rows of the table, the newest first, without the empty ones."""
    for step in reversed(period.steps()):
        row = [tallies.get((step, status), NONE) for status in statuses]
        if (total := sum(row, NONE)).messages:
            yield period.label(step), row, total


def _charts(period: Period, tallies: Tallies, statuses: list[Status]) -> Iterator[chart.Chart]:
    steps = period.steps()
    labels = [period.label(step) for step in steps]
    for title, unit in ((_("Messages by status"), "messages"), (_("Parts by status"), "segments")):
        series = [
            chart.Series(
                status.value,
                status.label,
                [getattr(tallies.get((step, status), NONE), unit) for step in steps],
            )
            for status in statuses
        ]
        yield chart.draw(title, labels, series)


def _with_shares(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"share": _percent(row["sent"], row["tried"])} for row in rows]


def _percent(part: int, whole: int) -> float | None:
    """Return the share in percent. Less than everything is never rounded up to 100."""
    if not whole:
        return None
    return 100.0 if part == whole else min(99.9, round(part * 100 / whole, 1))


def _queue(now: datetime) -> dict[str, Any]:
    queue = monitoring.queue(now)
    oldest, empty_in = queue.oldest_waiting, queue.time_to_empty
    return {
        "queue": queue,
        "waiting": min(queue.waiting, monitoring.COUNT_LIMIT),
        "has_more": queue.waiting > monitoring.COUNT_LIMIT,
        "oldest": oldest and _duration(int(oldest.total_seconds())),
        "empty_in": empty_in and _duration(int(empty_in.total_seconds())),
        "batches": SmsBatch.objects.defer("packed_guids", "answers").order_by("-created_at")[
            :SHOWN_BATCHES
        ],
    }


def _duration(seconds: int | None) -> str | None:
    """Return a time in words: seconds below two minutes, Django's two largest units above."""
    if seconds is None:
        return None
    if seconds < 120:
        return ngettext("%(count)s second", "%(count)s seconds", seconds) % {"count": seconds}
    moment = timezone.now()
    return timesince(moment - timedelta(seconds=seconds), moment, depth=2)
