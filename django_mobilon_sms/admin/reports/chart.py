"""Bars in an SVG that the server draws: no script, no style of its own, colours from the theme."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django.utils import formats

WIDTH, HEIGHT = 960, 260


LEFT, RIGHT, TOP, BOTTOM = 56, 8, 12, 28


#: Labels that fit below the bars, and lines that fit beside them.
LABELS, LINES = 8, 4


class Bar(NamedTuple):
    """A rectangle in the colour of its ``word``, with what is read when one points at it."""

    word: str
    x: str
    y: str
    width: str
    height: str
    title: str


class Mark(NamedTuple):
    """A text at a place."""

    x: str
    y: str
    text: str


class Chart(NamedTuple):
    """What the template draws."""

    title: Any
    bars: list[Bar]
    below: list[Mark]
    beside: list[Mark]


def draw(
    title: Any, labels: Sequence[str], series: Sequence[tuple[str, Any, Mapping[int, int]]]
) -> Chart:
    """Bars that stand on one another: for each series its word, its name, its values by place."""
    heights = [sum(values.get(i, 0) for _, _, values in series) for i in range(len(labels))]
    line = step(max(heights, default=0))
    top = line * LINES
    wide = (WIDTH - LEFT - RIGHT) / max(1, len(labels))
    every = -(-len(labels) // LABELS)
    below = [
        Mark(_at(LEFT + (i + 0.5) * wide), _at(HEIGHT - 8), labels[i])
        for i in range(0, len(labels), every)
    ]
    beside = [
        Mark(_at(LEFT - 6), _at(_y(value, top)), formats.number_format(value, force_grouping=True))
        for value in range(0, top + 1, line)
    ]
    return Chart(title, list(_bars(labels, series, wide, top)), below, beside)


def step(highest: int) -> int:
    """The distance of the lines: 1, 2 or 5 and zeros, so that a few of them reach the highest."""
    needed, power = max(1, -(-highest // LINES)), 1
    while power * 10 < needed:
        power *= 10
    return next(power * each for each in (1, 2, 5, 10) if power * each >= needed)


def _bars(
    labels: Sequence[str],
    series: Sequence[tuple[str, Any, Mapping[int, int]]],
    wide: float,
    top: int,
) -> Iterator[Bar]:
    for i, label in enumerate(labels):
        below = 0
        for word, name, values in series:
            if not (value := values.get(i, 0)):
                continue
            upper, lower = _y(below + value, top), _y(below, top)
            shown = formats.number_format(value, force_grouping=True)
            yield Bar(
                word,
                _at(LEFT + (i + 0.1) * wide),
                _at(upper),
                _at(wide * 0.8),
                _at(max(1.0, lower - upper)),
                f"{label}, {name}: {shown}",
            )
            below += value


def _y(value: int, top: int) -> float:
    return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)


def _at(place: float) -> str:
    """A coordinate, with a point in every language."""
    return f"{place:.1f}"
