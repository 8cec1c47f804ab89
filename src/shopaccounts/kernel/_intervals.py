"""How long a cycle's periods are; offered to the outside by ``shopaccounts.kernel.cycles``."""

import re
from enum import Enum
from typing import Self, final

import attrs

from shopaccounts.kernel.time import BadInterval

__all__ = ["Interval", "Unit"]

_ISO_PERIOD = re.compile(r"P([1-9][0-9]{0,3})([DWMY])")
_DAYS_IN_WEEK = 7
_MONTHS_IN_YEAR = 12


class Unit(Enum):
    """What an interval counts; the value is the letter of ISO 8601."""

    DAY = "D"
    WEEK = "W"
    MONTH = "M"
    YEAR = "Y"


_LONGEST = {Unit.DAY: 3660, Unit.WEEK: 520, Unit.MONTH: 120, Unit.YEAR: 10}  # ten years, and a little for days


@final
@attrs.frozen
class Interval:
    """How long it is from one boundary to the next: so many days, weeks, months or years, ten years at most.

    Args:
        count: How many; 1 to 3660 days, 520 weeks, 120 months or 10 years.
        unit: Of what.

    Raises:
        BadInterval: *count* is out of that range.
        TypeError: *count* is no int, or *unit* no ``Unit``.
    """

    count: int
    unit: Unit

    def __attrs_post_init__(self) -> None:
        if type(self.count) is not int or not isinstance(self.unit, Unit):
            msg = f"an interval is an int and a Unit, not {self.count!r} and {self.unit!r}"
            raise TypeError(msg)
        if not 1 <= self.count <= _LONGEST[self.unit]:
            raise BadInterval(str(self))

    def __str__(self) -> str:
        """Answer the text that ``parse`` reads, such as ``P3M``."""
        return f"P{self.count}{self.unit.value}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``P<n>D``, ``P<n>W``, ``P<n>M`` or ``P<n>Y``, the durations of ISO 8601 that have one part.

        Raises:
            BadInterval: *text* is something else, or too long an interval.
            TypeError: *text* is no text.
        """
        match = _ISO_PERIOD.fullmatch(text)
        if match is None:
            raise BadInterval(text)
        return cls(int(match[1]), Unit(match[2]))

    @classmethod
    def days(cls, count: int) -> Self:
        """Answer an interval of *count* days."""
        return cls(count, Unit.DAY)

    @classmethod
    def weeks(cls, count: int) -> Self:
        """Answer an interval of *count* weeks."""
        return cls(count, Unit.WEEK)

    @classmethod
    def months(cls, count: int) -> Self:
        """Answer an interval of *count* months."""
        return cls(count, Unit.MONTH)

    @classmethod
    def quarters(cls, count: int) -> Self:
        """Answer an interval of *count* times three months."""
        return cls(count * 3, Unit.MONTH)

    @classmethod
    def half_years(cls, count: int) -> Self:
        """Answer an interval of *count* times six months."""
        return cls(count * 6, Unit.MONTH)

    @classmethod
    def years(cls, count: int) -> Self:
        """Answer an interval of *count* years."""
        return cls(count, Unit.YEAR)

    @property
    def total_months(self) -> int:
        """The length in months, a year being twelve; 0 if the interval counts days or weeks."""
        return {Unit.MONTH: self.count, Unit.YEAR: self.count * _MONTHS_IN_YEAR}.get(self.unit, 0)

    @property
    def total_days(self) -> int:
        """The length in days, a week being seven; 0 if the interval counts months or years."""
        return {Unit.DAY: self.count, Unit.WEEK: self.count * _DAYS_IN_WEEK}.get(self.unit, 0)
