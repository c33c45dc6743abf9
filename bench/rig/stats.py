"""Medians and spreads of the runs."""

from dataclasses import dataclass
from statistics import median


@dataclass
class Value:
    median: float
    low: float
    high: float

    def text(self, form="{:.0f}"):
        """The median, and the spread where there is one."""
        middle, low, high = (form.format(x) for x in (self.median, self.low, self.high))
        return middle if low == high else f"{middle} ({low}–{high})"


def of(numbers):
    """None when there are none."""
    numbers = list(numbers)
    return Value(median(numbers), min(numbers), max(numbers)) if numbers else None
