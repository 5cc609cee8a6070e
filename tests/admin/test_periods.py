"""The period of a report, also in a time zone whose clock changes, and the chart."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from django.utils.timezone import override

from django_mobilon_sms.admin.reports import chart
from django_mobilon_sms.admin.reports.figures import percentile
from django_mobilon_sms.admin.reports.periods import DAY, HOUR, Period, chosen

NOW = datetime(2026, 11, 25, 20, 30, tzinfo=timezone.utc)
KRASNOYARSK = ZoneInfo("Asia/Krasnoyarsk")


def local(*parts, zone=KRASNOYARSK):
    return datetime(*parts, tzinfo=zone)


@pytest.mark.parametrize(
    ("query", "name", "start", "end", "step"),
    [
        ({}, "week", local(2026, 11, 20), local(2026, 11, 27), DAY),
        ({"period": "week"}, "week", local(2026, 11, 20), local(2026, 11, 27), DAY),
        ({"period": "month"}, "month", local(2026, 10, 28), local(2026, 11, 27), DAY),
        ({"period": "day"}, "day", local(2026, 11, 25, 4), local(2026, 11, 26, 4), HOUR),
        ({"period": "\0"}, "week", local(2026, 11, 20), local(2026, 11, 27), DAY),
        (
            {"start": "2026-09-01", "end": "2026-12-01"},
            "range", local(2026, 9, 1), local(2026, 12, 2), DAY,
        ),
        (
            {"start": "2026-09-01", "end": "2026-09-01"},
            "range", local(2026, 9, 1), local(2026, 9, 2), DAY,
        ),
    ],
)  # fmt: skip
def test_address_names_the_period(query, name, start, end, step):
    with override("Asia/Krasnoyarsk"):
        found, period, _form = chosen(query, NOW)
        assert (found, period) == (name, Period(start, end, step))
        assert len(period.steps()) == (end - start) / step


@pytest.mark.parametrize(
    ("start", "end", "errors"),
    [
        ("2026-09-01", "2027-09-02", {"end": ["Choose at most 366 days, not 367."]}),
        ("2026-09-02", "2026-09-01", {"end": ["The range ends before it begins."]}),
        ("1999-12-31", "2026-09-01", {"start": ["Choose a day between the years 2000 and 2999."]}),
        ("2026-09-01", "9999-12-31", {"end": ["Choose a day between the years 2000 and 2999."]}),
        ("", "2026-09-01", {"start": ["This field is required."]}),
        ("x", "\0", {"start": ["Enter a valid date."], "end": ["Enter a valid date."]}),
    ],
)
def test_wrong_range_has_no_period_but_errors(start, end, errors):
    name, period, form = chosen({"start": start, "end": end}, NOW)
    assert (name, period, form.errors) == ("range", None, errors)


def test_half_a_range_is_an_error():
    assert chosen({"start": "2026-09-01"}, NOW)[2].errors == {"end": ["This field is required."]}


@pytest.mark.parametrize(
    ("zone", "start", "end", "moments"),
    [
        ("Asia/Krasnoyarsk", (2026, 3, 1), (2026, 4, 1), {(2026, 3, 4, 17): 5}),
        (
            "Asia/Kathmandu",
            (2026, 3, 1),
            (2026, 4, 1),
            {(2026, 3, 4, 18, 14): 4, (2026, 3, 4, 18, 15): 5},
        ),
        (
            "Europe/Berlin",
            (2026, 3, 1),
            (2026, 4, 1),
            {(2026, 3, 28, 23): 29, (2026, 3, 29, 21, 59): 29, (2026, 3, 29, 22): 30},
        ),
        (
            "America/New_York",
            (2026, 9, 15),
            (2026, 12, 15),
            {(2026, 11, 1, 4): 1, (2026, 11, 2, 4, 59): 1, (2026, 11, 2, 5): 2},
        ),
    ],
)
def test_steps_follow_the_clock_of_the_project(settings, zone, start, end, moments):
    settings.TIME_ZONE = zone
    with override("Pacific/Kiritimati"):  # as a middleware may for a person
        begin, stop = (local(*day, zone=ZoneInfo(zone)) for day in (start, end))
        period = Period(begin, stop, DAY)
        days = period.steps()
        assert (days[0], days[-1]) == (datetime(*start), datetime(*end) - DAY)
        assert len(days) == (datetime(*end) - datetime(*start)).days
        found = {
            moment: period.step_of(datetime(*moment, tzinfo=timezone.utc)) for moment in moments
        }
        assert {moment: step.day for moment, step in found.items()} == moments
        assert set(found.values()) <= set(days)


def test_percentiles_are_found_in_the_counts():
    found = Counter({1: 50, 2: 45, 60: 4, 7200: 1})
    assert [percentile(found, share) for share in (0.5, 0.51, 0.95, 0.96, 1)] == [1, 2, 2, 60, 7200]
    assert percentile(Counter(), 0.5) is None
    assert percentile(Counter({3: 1}), 0.95) == 3


# The chart


@pytest.mark.parametrize(
    ("highest", "step"),
    [
        (0, 1),
        (1, 1),
        (4, 1),
        (5, 2),
        (9, 5),
        (40, 10),
        (41, 20),
        (1000, 500),
        (2_000_001, 1_000_000),
    ],
)
def test_lines_are_at_round_numbers_that_reach_the_highest_bar(highest, step):
    assert chart.line_distance(highest) == step
    assert step * chart.LINES >= highest


def test_bars_are_stacked_and_stay_inside():
    series = [chart.Series("sent", "sent", [3, 1]), chart.Series("failed", "failed", [1, 0])]
    drawn = chart.draw("Messages", ["1.1.", "2.1."], series)
    sent, failed, other = drawn.bars
    assert (sent.word, failed.word, other.word) == ("sent", "failed", "sent")
    assert float(failed.y) + float(failed.height) == pytest.approx(float(sent.y), abs=0.2)
    assert float(failed.y) == chart.TOP
    assert float(sent.y) + float(sent.height) == chart.HEIGHT - chart.BOTTOM
    assert float(other.x) + float(other.width) < chart.WIDTH
    assert failed.title == "1.1., failed: 1"
    assert [mark.text for mark in drawn.beside] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("count", [1, 7, 24, 30, 92])
def test_labels_fit_below_the_bars(count):
    labels = [str(i) for i in range(count)]
    drawn = chart.draw("", labels, [])
    assert [mark.text for mark in drawn.below] == labels[:: -(-count // chart.MAX_LABELS)]
    assert len(drawn.below) <= chart.MAX_LABELS


def test_hours_of_a_day_are_labelled_by_the_clock():
    with override("Asia/Krasnoyarsk"):
        period = chosen({"period": "day"}, NOW)[1]
        assert [period.label(step) for step in period.steps()][:2] == ["4 a.m.", "5 a.m."]
    assert timedelta(hours=24) == period.end - period.start
