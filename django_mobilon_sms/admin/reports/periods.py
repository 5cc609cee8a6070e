"""The time that a report is about: the last day, week or month, or a range of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.timezone import get_current_timezone, make_aware, make_naive
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

#: Days of the longest range: every message of it is read.
MOST_DAYS = 92


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


EPOCH = datetime(1970, 1, 1)


TOO_LONG = ngettext_lazy(
    "Choose at most %(most)d day: these are %(count)s.",
    "Choose at most %(most)d days: these are %(count)s.",
    "most",
)


#: What can be chosen with one click, and how many days back it goes.
CHOICES = {"day": _("24 hours"), "week": _("7 days"), "month": _("30 days")}


BACK = {"week": 7, "month": 30}


@dataclass(frozen=True)
class Period:
    """From ``start`` to before ``end``, told by the hour or by the day of the current time zone."""

    start: datetime
    end: datetime
    step: timedelta

    def numbers(self) -> list[int]:
        """A number for each step: its beginning on the local clock, in seconds since 1970."""
        first, last = (make_naive(moment) for moment in (self.start, self.end))
        size = int(self.step.total_seconds())
        begin, end = (int((moment - EPOCH).total_seconds()) for moment in (first, last))
        return list(range(begin, end, size))

    def label(self, number: int) -> str:
        """A step as people write it."""
        moment = EPOCH + timedelta(seconds=number)
        name = "TIME_FORMAT" if self.step == HOUR else "SHORT_DATE_FORMAT"
        return formats.date_format(moment, name)

    def offsets(self) -> list[tuple[datetime, int]]:
        """How many seconds the local clock is ahead of UTC, and until when."""
        found, moment = [], self.start
        while moment < self.end:
            later = min(moment + DAY, self.end)
            if _offset(later) != _offset(moment):
                found.append((_change(moment, later), _offset(moment)))
            moment = later
        return [*found, (self.end, _offset(self.end))]


class RangeForm(forms.Form):
    """The days of a range, both included."""

    start = forms.DateField(
        label=_("From"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    end = forms.DateField(
        label=_("To"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )

    def clean_start(self) -> date:
        """A day that has a beginning in every time zone."""
        return _usable(self.cleaned_data["start"])

    def clean_end(self) -> date:
        """A day that is not before the first, nor too far from it."""
        end, start = _usable(self.cleaned_data["end"]), self.cleaned_data.get("start")
        if start and end < start:
            raise ValidationError(_("The range ends before it begins."), code="backwards")
        if start and (days := (end - start).days + 1) > MOST_DAYS:
            values = {"most": MOST_DAYS, "count": days}
            raise ValidationError(str(TOO_LONG % values), code="too_long")
        return end


def chosen(query: Mapping[str, Any], now: datetime) -> tuple[str, Period | None, RangeForm]:
    """What the address names, by default the last week; no period if the range is wrong."""
    today = make_naive(now).date()
    name = "range" if "start" in query or "end" in query else query.get("period", "week")
    if name == "range":
        form = RangeForm(query)
        return name, _range(form) if form.is_valid() else None, form
    if name == "day":
        hour = make_naive(now).replace(minute=0, second=0, microsecond=0)
        end = make_aware(hour + HOUR)
        return name, Period(end - 24 * HOUR, end, HOUR), _form(today - DAY, today)
    name = name if name in BACK else "week"
    first = today - (BACK[name] - 1) * DAY
    return name, _days(first, today + DAY), _form(first, today)


def _range(form: RangeForm) -> Period:
    return _days(form.cleaned_data["start"], form.cleaned_data["end"] + DAY)


def _days(first: date, end: date) -> Period:
    start, stop = (make_aware(datetime.combine(day, time())) for day in (first, end))
    return Period(start, stop, DAY)


def _form(start: date, end: date) -> RangeForm:
    return RangeForm(initial={"start": start, "end": end})


def _usable(day: date) -> date:
    if not 2000 <= day.year <= 2999:
        raise ValidationError(_("Give a day between the years 2000 and 2999."), code="year")
    return day


def _offset(moment: datetime) -> int:
    offset = moment.astimezone(get_current_timezone()).utcoffset() or timedelta()
    return int(offset.total_seconds())


def _change(before: datetime, after: datetime) -> datetime:
    """The second in which the offset changes, found by halving the time between."""
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        here = datetime.fromtimestamp(middle, timezone.utc)
        low, high = (middle, high) if _offset(here) == _offset(before) else (low, middle)
    return datetime.fromtimestamp(high, timezone.utc)
