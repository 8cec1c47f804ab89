"""A field that may hold one of several classes says which one it holds."""

import json
from collections.abc import Mapping
from datetime import UTC, date, time
from typing import Optional, Union

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.contact import EmailAddress, PhoneNumber
from shopaccounts.kernel.cycles import Anchor, Cycle, Interval, Period, Unit
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.time import Zone, zone


@attrs.frozen
class Never:
    """A class without fields."""


@attrs.frozen
class Fixed:
    amount: Money


@attrs.frozen
class Dearest:
    amount: Money


@attrs.frozen(kw_only=True)
class Every:
    times: int
    rest: "Rule" = Never()


Rule = Never | Fixed | Dearest | Every


@attrs.frozen(kw_only=True)
class Rulebook:
    first: Rule
    perhaps: Rule | None = None
    perhaps_of_old: Optional[Union[Fixed, Dearest]] = None  # noqa: UP007, UP045  (as others write it)
    many: tuple[Rule, ...] = ()
    gaps: tuple[Fixed | Dearest | None, ...] = ()
    named: Mapping[str, Rule] = attrs.field(factory=dict)


amounts = st.builds(Money, st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(["EUR", "JPY", "KWD"]))
rules: st.SearchStrategy[Rule] = st.deferred(
    lambda: (
        st.just(Never())
        | st.builds(Fixed, amounts)
        | st.builds(Dearest, amounts)
        | st.builds(Every, times=st.integers(0, 9), rest=rules)
    )
)
books = st.builds(
    Rulebook,
    first=rules,
    perhaps=st.none() | rules,
    perhaps_of_old=st.none() | st.builds(Dearest, amounts),
    many=st.lists(rules, max_size=3).map(tuple),
    gaps=st.lists(st.none() | st.builds(Fixed, amounts), max_size=3).map(tuple),
    named=st.dictionaries(st.text("ab", max_size=2), rules, max_size=2),
)


@pytest.mark.proves("KER-195")
@given(books)
def test_each_value_comes_back_as_the_class_that_it_was(book: Rulebook) -> None:
    again = serial.load(Rulebook, serial.dump(book))
    assert again == book
    assert type(again.first) is type(book.first)
    assert [type(rule) for rule in again.many] == [type(rule) for rule in book.many]


@pytest.mark.proves("KER-194")
def test_the_class_stands_beside_the_fields() -> None:
    five = Money(500, "EUR")
    book = Rulebook(first=Never(), perhaps=Fixed(five), many=(Dearest(five), Every(times=2, rest=Fixed(five))))
    plain = json.loads(serial.dump(book))
    assert plain["first"] == {"is": "Never"}
    assert plain["perhaps"] == {"is": "Fixed", "amount": {"currency": "EUR", "minor": 500}}
    assert plain["many"] == [
        {"is": "Dearest", "amount": {"currency": "EUR", "minor": 500}},
        {"is": "Every", "times": 2, "rest": {"is": "Fixed", "amount": {"currency": "EUR", "minor": 500}}},
    ]


@pytest.mark.proves("KER-194")
@pytest.mark.parametrize(
    "value",
    [
        {"is": "Rulebook"}, {"is": "fixed"}, {"is": None}, {"is": ""}, {"is": ["Never"]}, "Never", ["Never"], None,
        {"is": "Fixed"}, {"is": "Every", "times": 1.5}, {"is": "Every", "times": 1, "rest": {"is": "Sometimes"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_the_field_does_not_name_is_refused(value: object) -> None:
    with pytest.raises(cattrs.BaseValidationError):
        serial.load(Rulebook, json.dumps({"first": value}))


@pytest.mark.proves("KER-194")
def test_a_class_that_the_field_does_not_name_is_not_written() -> None:
    wrong: list[object] = [Rulebook(first=Never()), "Never", None]
    for value in wrong:
        with pytest.raises(TypeError, match="belongs"):
            serial.dump(Rulebook(first=value))  # type: ignore[arg-type]  # what must be refused


@attrs.frozen
class Reached:
    value: EmailAddress | PhoneNumber


@pytest.mark.proves("KER-195")
def test_what_was_written_before_classes_were_named_is_of_the_class_whose_fields_it_has() -> None:
    address = EmailAddress.parse("ann@lamp.example")
    plain = json.loads(serial.dump(Reached(address)))
    assert plain["value"].pop("is") == "EmailAddress"
    assert serial.load(Reached, json.dumps(plain)) == Reached(address)


@pytest.mark.proves("KER-194")
@pytest.mark.parametrize("value", [{"amount": {"minor": 1, "currency": "EUR"}}, {"times": 1, "more": 1}, {"x": 1}])
def test_what_may_be_of_two_classes_or_of_none_is_refused(value: object) -> None:
    with pytest.raises(cattrs.BaseValidationError):
        serial.load(Rulebook, json.dumps({"first": value}))


wall_times = st.times()
zones = st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "+05:30", "-03:30"]).map(zone)
anchors = st.builds(
    Anchor, year=st.integers(1, 9999), month=st.integers(1, 12), day=st.integers(1, 28), at=wall_times, zone=zones
)
intervals = st.builds(Interval, st.integers(1, 10), st.sampled_from(Unit))
cycles = st.builds(Cycle, anchors, intervals)
rates = st.builds(Rate, st.integers(0, 1000), st.integers(100, 10_000))


FEBRUARY = Period(1, date(2026, 2, 28), date(2026, 3, 31))


@attrs.frozen
class Calendar:
    at: time
    zone: Zone
    anchor: Anchor
    interval: Interval
    cycle: Cycle
    period: Period
    price: Money
    tax: Rate | None


@pytest.mark.proves("KER-195")
@given(
    st.builds(Calendar, wall_times, zones, anchors, intervals, cycles, st.just(FEBRUARY), amounts, st.none() | rates)
)
def test_times_of_day_zones_cycles_and_amounts_come_back(calendar: Calendar) -> None:
    again = serial.load(Calendar, serial.dump(calendar))
    assert again == calendar
    assert again.zone.info is calendar.zone.info
    assert again.cycle.boundary_instant(0) == calendar.cycle.boundary_instant(0)


@pytest.mark.proves("KER-194")
def test_a_cycle_is_written_without_what_it_works_out() -> None:
    anchor = Anchor(year=2026, month=1, day=31, at=time(6, 30), zone=zone("Europe/Berlin"))
    assert json.loads(serial.dump(Cycle(anchor, Interval.parse("P1M")))) == {
        "anchor": {"year": 2026, "month": 1, "day": 31, "at": "06:30:00", "zone": "Europe/Berlin"},
        "interval": {"count": 1, "unit": "M"},
    }


@pytest.mark.proves("KER-194")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("at", 5),
        ("at", "06:30:00+01:00"),
        ("at", "soon"),
        ("at", None),
        ("zone", "Berlin"),
        ("zone", 1),
        ("zone", None),
    ],
)
def test_no_time_of_day_and_no_zone_is_made_to_fit(field: str, value: object) -> None:
    plain = {"year": 2026, "month": 1, "day": 31, "at": "06:30:00", "zone": "UTC", field: value}
    with pytest.raises(cattrs.BaseValidationError):
        serial.load(Anchor, json.dumps(plain))


@pytest.mark.proves("KER-194")
def test_a_time_of_day_with_a_zone_of_its_own_is_not_written() -> None:
    with pytest.raises(TypeError, match="zone"):
        serial.dump({"at": time(6, tzinfo=UTC)})
