"""The period of a report: the last day, week or month, or a range of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import formats
from django.utils.timezone import get_default_timezone, make_aware, make_naive
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from ...operations import day_bounds

#: Days of the longest range.
MAX_DAYS = 366

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EPOCH = datetime(1970, 1, 1)

#: The periods to choose with one click.
CHOICES = {"day": _("24 hours"), "week": _("7 days"), "month": _("30 days")}

#: Days of the choices that are shown by the day.
DAYS = {"week": 7, "month": 30}

TOO_LONG = ngettext_lazy(
    "Choose at most %(limit)d day, not %(count)s.",
    "Choose at most %(limit)d days, not %(count)s.",
    "limit",
)


@dataclass(frozen=True)
class Period:
    """The time from ``start`` to before ``end``, in hours or days of ``TIME_ZONE``."""

    start: datetime
    end: datetime
    step: timedelta

    def steps(self) -> list[datetime]:
        """Return the hours or days of the period, by the local clock."""
        first, end = self.step_of(self.start), self.step_of(self.end)
        return [first + number * self.step for number in range((end - first) // self.step)]

    def step_of(self, moment: datetime) -> datetime:
        """Return the hour or day of a moment, by the local clock."""
        return EPOCH + (_local(moment) - EPOCH) // self.step * self.step

    def days(self) -> tuple[date, date]:
        """Return the first and the last day."""
        return self.step_of(self.start).date(), self.step_of(self.end).date() - DAY

    def label(self, step: datetime) -> str:
        """Return the hour or day in words."""
        name = "TIME_FORMAT" if self.step == HOUR else "SHORT_DATE_FORMAT"
        return formats.date_format(step, name)


class DayField(forms.DateField):
    """A day that every time zone can hold."""

    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})

    def validate(self, value: date | None) -> None:
        """Raise ``ValidationError`` for a day of another millennium, or for none."""
        super().validate(value)
        if value and not 2000 <= value.year <= 2999:
            raise ValidationError(_("Choose a day between the years 2000 and 2999."), code="year")


class RangeForm(forms.Form):
    """The first and the last day of a range."""

    start = DayField(label=_("From"))
    end = DayField(label=_("To"))

    def clean_end(self) -> date:
        """Return the last day. It must not be before the first day, nor too long after it."""
        end: date = self.cleaned_data["end"]
        start: date | None = self.cleaned_data.get("start")
        if start and end < start:
            raise ValidationError(_("The range ends before it begins."), code="backwards")
        if start and (days := (end - start).days + 1) > MAX_DAYS:
            message = str(TOO_LONG % {"limit": MAX_DAYS, "count": days})
            raise ValidationError(message, code="too_long")
        return end


def chosen(query: Mapping[str, Any], now: datetime) -> tuple[str, Period | None, RangeForm]:
    """Return the name and the period that an address chooses, and the form with its days.

    Without a choice, that is the last week. A wrong range has no period.
    """
    if "start" in query or "end" in query or query.get("period") == "range":
        form = RangeForm(query)
        if not form.is_valid():
            return "range", None, form
        return "range", _days(form.cleaned_data["start"], form.cleaned_data["end"]), form
    today = _local(now).date()
    name = query.get("period")
    if name == "day":
        hour = _local(now).replace(minute=0, second=0, microsecond=0)
        end = make_aware(hour + HOUR, get_default_timezone())
        return name, Period(end - 24 * HOUR, end, HOUR), _form(today - DAY, today)
    name = name if name in DAYS else "week"
    first = today - (DAYS[name] - 1) * DAY
    return name, _days(first, today), _form(first, today)


def _days(first: date, last: date) -> Period:
    return Period(day_bounds(first)[0], day_bounds(last)[1], DAY)


def _local(moment: datetime) -> datetime:
    """Return the moment by the project's clock, whatever time zone a middleware activates."""
    return make_naive(moment, get_default_timezone())


def _form(start: date, end: date) -> RangeForm:
    return RangeForm(initial={"start": start, "end": end})
