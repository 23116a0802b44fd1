"""Statistics of a finding as people read them: a number, its unit and its interval in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Unit: TypeAlias = Literal["share", "points", "p", "number"]

LABELS: Mapping[str, tuple[str, Unit]] = {
    "flips": ("Flips to the target", "share"),
    "flip_rate": ("Flips to the target", "share"),
    "control": ("Flips with random pieces", "share"),
    "q": ("q, adjusted for all tests", "p"),
    "p": ("p", "p"),
}
"""What the names of statistics are called, and their unit; others go by their name."""
SHARES = ("rate", "share", "accuracy", "purity", "flips", "control", "error", "confidence", "coverage", "gap")
"""A number whose name has such a word is a share, 0 to 1."""
COUNTS = ("images", "samples", "pastes", "passes", "cells", "n")
"""A number whose name ends so is counted, whatever else it says."""
PLAIN = ("control", "baseline", "before", "overall", "elsewhere", "rest", "expected", "noise")
"""Statistics with such a word in their name are what the others are compared with."""
SCALES = (0.04, 0.08, 0.2, 0.4)
"""Ends of scales whose quarters are round."""
INTERVAL = "_interval"
SMALL_P = 0.001


@dataclass(frozen=True)
class Reading:
    """One statistic.

    Args:
        name: In the document.
        label: What it is called.
        unit: What it is measured in.
        value: The number or text; None where there is an interval alone, or nothing.
        interval: 95 % interval.
    """

    name: str
    label: str
    unit: Unit
    value: float | int | str | None
    interval: tuple[float, float] | None

    @property
    def text(self) -> str:
        """The number in words of its unit."""
        return "" if self.value is None else in_words(self.value, self.unit)

    @property
    def interval_text(self) -> str:
        """The interval in words of its unit; empty without one."""
        if self.interval is None:
            return ""
        low, high = (in_words(end, self.unit) for end in self.interval)
        return f"{low.removesuffix(' %')} to {high}"

    @property
    def is_compared_with(self) -> bool:
        """Whether it is what the others are compared with, such as a control."""
        return any(word in PLAIN for word in self.name.split("_"))

    @property
    def is_drawn(self) -> bool:
        """Whether it has a dot and an interval to draw, on a scale from 0 to 1."""
        return self.unit == "share" and self.interval is not None and isinstance(self.value, (int, float))


def readings(statistics: Mapping[str, Any]) -> list[Reading]:
    """Statistics with their intervals, in the order of the document: `x_interval` is the interval of `x`."""
    found = []
    for name, value in statistics.items():
        if name.endswith(INTERVAL) and _stem(name, statistics) is not None:
            continue
        stem = name.removesuffix(INTERVAL)
        label, unit = LABELS.get(stem) or (stem.replace("_", " ").capitalize(), unit_of(stem))
        interval = next((each for key, each in statistics.items() if _stem(key, statistics) == name), None)
        if _is_interval(value):
            value, interval = None, value
        found.append(Reading(name, label, unit, value, None if interval is None else tuple(interval)))
    return found


def scale(drawn: Sequence[Reading]) -> float:
    """The smallest of `SCALES` that holds all intervals, so that small shares can be told apart."""
    largest = max((max(each.interval or (0.0,)) for each in drawn), default=1.0)
    return next((end for end in SCALES if largest <= end), 1.0)


def in_words(value: float | int | str, unit: Unit = "number") -> str:
    """A number as it is printed: shares as per cent, with a decimal below 10; p without its leading zero."""
    if isinstance(value, (str, bool)):
        return str(value)
    if unit in ("share", "points"):
        percent = 100 * value
        number = f"{percent:.1f}" if 0 < abs(percent) < 10 else f"{percent:.0f}"
        return f"{number} %" if unit == "share" else f"{number} points"
    if unit == "p":
        return "< .001" if value < SMALL_P else f"{value:.3f}".removeprefix("0")
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def unit_of(name: str) -> Unit:
    """The unit that a statistic's name tells."""
    if name in LABELS:
        return LABELS[name][1]
    words = name.split("_")
    if words[-1] in ("points", "margin"):
        return "points"
    if words[-1] in COUNTS or not set(words) & set(SHARES):
        return "p" if words[0] in ("p", "q") else "number"
    return "share"


def _stem(name: str, statistics: Mapping[str, Any]) -> str | None:
    """The statistic whose interval this is; None where it is no interval or stands alone."""
    stem = name.removesuffix(INTERVAL)
    if stem == name or not _is_interval(statistics[name]):
        return None
    return next((each for each in (stem, f"{stem}_rate", f"{stem}_share") if each in statistics), None)


def _is_interval(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2
