"""Rules that hold from a day to a day, working days, and deadlines that end with a day.

The rules, in plain English:

* What a law says is data: a row with the day it comes into force, the day it ceases to, where it stands, and whether
  somebody has checked it there. A row holds on its first day and no longer on its last.
* Rows that answer the same question never overlap, so on any day at most one holds. If none does, that is said; nothing
  is guessed.
* A shop adds or replaces rows. A row that nobody has checked works, and is listed as unchecked.
* Which days are holidays is handed in. A shop that hands in none gets an earlier date, never a later one.
* A deadline that is a day is met until that day is over where the shop is established. Its zone is a place: a bare
  offset does not know when clocks change there.

Month arithmetic for deadlines is ``shopaccounts.kernel.time.add_months``, counted from the original day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Generic, Protocol, TypeVar, final

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.errors import BadPolicy, InvalidInput, Kind, Rejected
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.time import DateOutOfRange, UnknownZone, Zone, require_day, start_of_day, zone

__all__ = [
    "BadZone",
    "DatedRule",
    "HolidayCalendars",
    "NoRuleForDate",
    "RuleBook",
    "WorkCalendar",
    "due_at",
    "establishment_zone",
    "in_force",
    "unverified_rules",
]

_ONE_DAY = timedelta(days=1)
_WEEK = frozenset(range(7))


@attrs.frozen
class NoRuleForDate(Rejected):
    """No row of ``regime`` holds on ``date``."""

    code = "privacy.no_rule_for_date"
    kind = Kind.INVALID
    regime: str
    date: date


@attrs.frozen
class BadZone(Rejected):
    """The establishment's zone is not a key of the tz database; a bare offset is none."""

    code = "consent.bad_zone"
    kind = Kind.INVALID
    value: str


@attrs.frozen(kw_only=True)
class DatedRule:
    """A rule that holds from ``valid_from`` until the day before ``valid_to``; kinds of rules add what they say.

    Args:
        rule_id: The name under which results cite the rule; later versions of one rule may share it.
        valid_from: The first day it holds.
        valid_to: The first day it no longer holds; ``None`` means until further notice.
        source: Where it stands: the article of the law, the number of the decision.
        verified: Whether somebody has read it there.

    Raises:
        BadPolicy: ``rule_id`` or ``source`` is empty, or ``valid_to`` is not after ``valid_from``.
        TypeError: A day is a datetime.
    """

    rule_id: str
    valid_from: date
    valid_to: date | None = None
    source: str
    verified: bool = False

    def __attrs_post_init__(self) -> None:
        require(bool(self.rule_id and self.source), "a dated rule has a name and a source")
        require_day(self.valid_from)
        if self.valid_to is not None:
            require(require_day(self.valid_to) > self.valid_from, f"{self.rule_id} ends after it begins")

    @property
    def key(self) -> tuple[str, ...]:
        """The question that the rule answers, such as (regime, right); kinds of rules override it."""
        return (self.rule_id,)

    def holds_on(self, day: date) -> bool:
        """Tell whether the rule is in force on *day*.

        Raises:
            TypeError: *day* is a datetime.
        """
        return self.valid_from <= require_day(day) and (self.valid_to is None or day < self.valid_to)


R = TypeVar("R", bound=DatedRule)


def in_force(rules: Iterable[R], on: date, *, regime: str = "") -> R:
    """Answer the row that holds on a day.

    Args:
        rules: Rows that answer one question.
        on: The day.
        regime: How the rejection names that question.

    Raises:
        NoRuleForDate: No row holds on that day.
        BadPolicy: More than one does.
        TypeError: *on* is a datetime.
    """
    holding = [rule for rule in rules if rule.holds_on(on)]
    if not holding:
        raise NoRuleForDate(regime, on)
    require(len(holding) == 1, f"one rule of {[rule.rule_id for rule in holding]} holds on {on}")
    return holding[0]


def unverified_rules(rules: Iterable[R]) -> tuple[R, ...]:
    """List the rows that nobody has checked at their source, in the order given."""
    return tuple(rule for rule in rules if not rule.verified)


@final
@attrs.frozen
class RuleBook(Generic[R]):
    """Dated rules of one kind, of which at most one per key holds on any day.

    Args:
        rules: The rows, in any order.

    Raises:
        BadPolicy: Two rows of one key overlap.
    """

    rules: tuple[R, ...] = attrs.field(converter=tuple)
    _by_key: Mapping[tuple[str, ...], tuple[R, ...]] = attrs.field(init=False, repr=False, eq=False)

    @_by_key.default
    def _sort_by_key(self) -> Mapping[tuple[str, ...], tuple[R, ...]]:
        rows: defaultdict[tuple[str, ...], list[R]] = defaultdict(list)
        for rule in sorted(self.rules, key=lambda rule: rule.valid_from):
            rows[rule.key].append(rule)
        for key, versions in rows.items():
            for earlier, later in pairwise(versions):
                if earlier.holds_on(later.valid_from):
                    msg = f"rules of {'/'.join(key)} overlap on {later.valid_from}"
                    raise BadPolicy(msg)
        return {key: tuple(versions) for key, versions in rows.items()}

    def in_force(self, on: date, *key: str) -> R:
        """Answer the row of a key that holds on a day.

        Raises:
            NoRuleForDate: None does.
            TypeError: *on* is a datetime.
        """
        return in_force(self._by_key.get(key, ()), on, regime="/".join(key))

    def amended(self, *rules: R) -> "RuleBook[R]":
        """Answer a book in which *rules* were added, each in place of the row of the same name and first day, if any.

        Raises:
            BadPolicy: Two rows of one key now overlap.
        """
        replaced = {(rule.rule_id, rule.valid_from) for rule in rules}
        kept = (rule for rule in self.rules if (rule.rule_id, rule.valid_from) not in replaced)
        return RuleBook((*kept, *rules))


@final
@attrs.frozen
class WorkCalendar:
    """Which days are working days in a region.

    Args:
        weekend: Days of the week without work, Monday being 0.
        holidays: Days without work besides.
        region: Whose calendar this is, such as ``DE-BY``; for the explanation only.

    Why these defaults:
        weekend: Saturday and Sunday are not working days. [Regulation (EEC, Euratom) 1182/71]
        holidays, region: none, since no list of holidays is right for every shop.

    Raises:
        BadPolicy: ``weekend`` holds what is no day of the week, or all seven.
    """

    weekend: frozenset[int] = frozenset({5, 6})
    holidays: frozenset[date] = frozenset()
    region: str = ""

    def __attrs_post_init__(self) -> None:
        require(self.weekend < _WEEK, "a weekend holds days 0 to 6, and not all of them")

    @property
    def explanation(self) -> str:
        """What a reader of a computed date should know: that no holidays were known, else nothing."""
        if self.holidays:
            return ""
        return f"no holiday calendar for {self.region}" if self.region else "no holiday calendar"

    def is_working_day(self, day: date) -> bool:
        """Tell whether *day* is neither weekend nor holiday.

        Raises:
            TypeError: *day* is a datetime.
        """
        return require_day(day).weekday() not in self.weekend and day not in self.holidays

    def next_working_day(self, day: date) -> date:
        """Answer *day* if it is a working day, else the first one after it.

        Raises:
            DateOutOfRange: There is none before the year 10000.
            TypeError: *day* is a datetime.
        """
        while not self.is_working_day(day):
            day = _day_after(day)
        return day

    def add_working_days(self, day: date, count: int) -> date:
        """Answer the working day number *count* after *day*, which is day 0 and may be any day.

        Raises:
            InvalidInput: *count* is negative.
            DateOutOfRange: It lies beyond the year 9999.
            TypeError: *day* is a datetime.
        """
        if count < 0:
            raise InvalidInput(field="count", reason="negative")
        require_day(day)
        for _ in range(count):
            day = self.next_working_day(_day_after(day))
        return day


def _day_after(day: date) -> date:
    try:
        return day + _ONE_DAY
    except OverflowError:
        raise DateOutOfRange from None


class HolidayCalendars(Protocol):
    """Knows the public holidays of regions.

    Promises:
        1. ``between`` answers the holidays of *region* from *first* to *last*, both included.
        2. For a region that it does not know, the answer is empty.
    """

    def between(self, region: str, first: date, last: date) -> Answer[frozenset[date]]:
        """Answer the public holidays of *region* from *first* to *last*, both included."""
        ...


def establishment_zone(name: str) -> Zone:
    """Answer the zone in which a shop's deadlines end.

    Args:
        name: A key of the tz database, such as ``Europe/Madrid``.

    Raises:
        BadZone: There is no such key, or *name* is a bare offset such as ``+02:00``.
        TypeError: *name* is not text.
    """
    try:
        place = zone(name)
    except UnknownZone:
        raise BadZone(name) from None
    if place.is_offset:
        raise BadZone(name)
    return place


def due_at(due: date, place: Zone) -> datetime:
    """Answer the instant at which a deadline that is a day has passed: the first one of the day after, in UTC.

    Whatever happens before that instant is in time; at that instant it is late.

    Args:
        due: The last day.
        place: The zone of the establishment, from ``establishment_zone``.

    Raises:
        BadZone: *place* is a bare offset.
        DateOutOfRange: *due* is the last day of the calendar.
        TypeError: *due* is a datetime.
    """
    if place.is_offset:
        raise BadZone(place.name)
    return start_of_day(_day_after(require_day(due)), place)
