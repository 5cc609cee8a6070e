"""A bar chart as SVG, drawn by the server: no script, and colours from the theme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.utils import formats

#: The size of the picture, and the margins around the bars, in units of the SVG.
WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 8, 12, 28

#: Labels that fit below the bars.
MAX_LABELS = 8

#: Horizontal lines above the base line.
LINES = 4


class Series(NamedTuple):
    """The values of one status, one for each bar. ``word`` names its colour."""

    word: str
    name: Any
    values: Sequence[int]


class Bar(NamedTuple):
    """A rectangle in the colour of its ``word``, with a tooltip."""

    word: str
    x: str
    y: str
    width: str
    height: str
    title: str


class Label(NamedTuple):
    """A text and where it stands."""

    x: str
    y: str
    text: str


class Chart(NamedTuple):
    """Everything that the template draws."""

    title: Any
    bars: list[Bar]
    below: list[Label]
    beside: list[Label]


def draw(title: Any, labels: Sequence[str], series: Sequence[Series]) -> Chart:
    """Return a chart of stacked bars, one bar for each label."""
    heights = [sum(values) for values in zip(*(one.values for one in series))]
    distance = line_distance(max(heights, default=0))
    top = distance * LINES
    slot = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    every = -(-len(labels) // MAX_LABELS)
    below = [
        Label(_number(LEFT + (place + 0.5) * slot), _number(HEIGHT - 8), labels[place])
        for place in range(0, len(labels), every)
    ]
    beside = [
        Label(_number(LEFT - 6), _number(_y(value, top)), _grouped(value))
        for value in range(0, top + 1, distance)
    ]
    return Chart(title, list(_bars(labels, series, slot, top)), below, beside)


def line_distance(highest: int) -> int:
    """Return 1, 2 or 5 with zeros, so that ``LINES`` lines reach the highest bar."""
    needed, power = max(1, -(-highest // LINES)), 1
    while power * 10 < needed:
        power *= 10
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= needed)


def _bars(labels: Sequence[str], series: Sequence[Series], slot: float, top: int) -> Iterator[Bar]:
    for place, label in enumerate(labels):
        below = 0
        for word, name, values in series:
            if not (value := values[place]):
                continue
            upper, lower = _y(below + value, top), _y(below, top)
            yield Bar(
                word,
                x=_number(LEFT + (place + 0.1) * slot),
                y=_number(upper),
                width=_number(slot * 0.8),
                height=_number(max(1.0, lower - upper)),
                title=f"{label}, {name}: {_grouped(value)}",
            )
            below += value


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _number(coordinate: float) -> str:
    """Return the coordinate with a decimal point in every language."""
    return f"{coordinate:.1f}"


def _grouped(value: int) -> str:
    return formats.number_format(value, force_grouping=True)
