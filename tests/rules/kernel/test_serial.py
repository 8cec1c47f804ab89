import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum

import attrs
import cattrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.canonical import canonical, plain_fields, time_text
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.vault import Sealed

NAIVE = datetime(2031, 3, 1, 12)  # noqa: DTZ001  (what must be refused)
FIRST, LAST = datetime(1970, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001  (bounds for Hypothesis)


class Colour(Enum):
    RED = "red"
    GREEN = "green"


@attrs.frozen(kw_only=True)
class Inner:
    text: str
    count: int


@attrs.frozen(kw_only=True)
class Everything:
    account: AccountId
    note: str | None
    count: int
    on: bool
    at: datetime
    until: datetime | None
    day: date
    life: timedelta
    digest: bytes
    sealed: Sealed | None
    colour: Colour
    inner: Inner
    many: tuple[Inner, ...]
    tags: frozenset[str]
    sizes: frozenset[int]
    words: Mapping[str, int]


@attrs.frozen
class Measured:
    share: float


@attrs.frozen(kw_only=True)
class Mostly:
    """What mostly has its defaults."""

    id: str
    on: bool = True
    count: int = 1
    words: Mapping[str, int] = attrs.field(factory=dict)
    inner: Inner = Inner(text="", count=0)


storable = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
whole = st.integers(-(2**63), 2**63 - 1)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(FIRST + timedelta(days=1), LAST - timedelta(days=1), timezones=st.just(UTC) | zones)
inners = st.builds(Inner, text=storable, count=whole)
everything = st.builds(
    Everything,
    account=storable.map(AccountId),
    note=st.none() | storable,
    count=whole,
    on=st.booleans(),
    at=times,
    until=st.none() | times,
    day=st.dates(),
    life=st.timedeltas(-timedelta(days=100_000_000), timedelta(days=100_000_000)),
    digest=st.binary(max_size=40),
    sealed=st.none() | st.binary(min_size=61, max_size=80).map(Sealed),
    colour=st.sampled_from(Colour),
    inner=inners,
    many=st.lists(inners, max_size=3).map(tuple),
    tags=st.frozensets(storable, max_size=4),
    sizes=st.frozensets(whole, max_size=4),
    words=st.dictionaries(storable, whole, max_size=4),
)
SAMPLE = Everything(
    account=AccountId("a"), note=None, count=1, on=True, until=None,
    at=datetime(2031, 3, 1, 13, tzinfo=timezone(timedelta(hours=1))),
    day=date(2031, 3, 1), life=timedelta(minutes=1), digest=b"\xff\0", sealed=None, colour=Colour.RED,
    inner=Inner(text="ä", count=2), many=(), tags=frozenset("ba"), sizes=frozenset(), words={"b": 1, "a": 2},
)  # fmt: skip


class TestRoundTrips:
    @pytest.mark.proves("KER-195", "KER-190")
    @given(everything)
    def test_what_is_read_equals_what_was_written_in_type_and_value(self, value):
        again = serial.load(Everything, serial.dump(value))
        assert again == value
        assert again.at.tzinfo is UTC
        assert type(again.inner) is Inner
        assert serial.load(Everything, serial.dump(value).encode()) == value

    @pytest.mark.proves("KER-194", "KER-101")
    @given(everything)
    def test_equal_values_have_equal_bytes(self, value):
        text = serial.dump(value)
        shuffled = attrs.evolve(
            value,
            at=value.at.astimezone(UTC),
            words=dict(reversed(value.words.items())),
            tags=frozenset(sorted(value.tags, reverse=True)),
        )
        assert serial.dump(shuffled) == text
        assert serial.dump(serial.load(Everything, text)) == text
        assert text.encode().decode() == text

    @pytest.mark.proves("KER-194")
    @given(everything)
    def test_entities_are_written_as_all_canonical_json_is(self, value):
        text = serial.dump(value)
        assert text == canonical(json.loads(text))

    @pytest.mark.proves("KER-194", "KER-195")
    @given(st.booleans(), st.integers(0, 2), st.dictionaries(storable, whole, max_size=1), inners)
    def test_a_field_that_holds_its_default_is_not_written(self, on, count, words, inner):
        value = Mostly(id="a", on=on, count=count, words=words, inner=inner)
        fields = attrs.fields_dict(Mostly)
        others = {name for name in fields if getattr(value, name) != getattr(Mostly(id="b"), name)}
        assert json.loads(serial.dump(value)).keys() == others
        assert serial.load(Mostly, serial.dump(value)) == value

    @pytest.mark.proves("KER-195")
    def test_what_was_written_with_its_defaults_is_read_all_the_same(self):
        text = '{"count":1,"id":"a","inner":{"count":0,"text":""},"on":true,"words":{}}'
        assert serial.load(Mostly, text) == Mostly(id="a")

    @pytest.mark.proves("KER-194")
    def test_the_text_is_compact_json_with_sorted_keys(self):
        assert serial.dump(SAMPLE) == (
            '{"account":"a","at":"2031-03-01T12:00:00.000000+00:00","colour":"red","count":1,"day":"2031-03-01",'
            '"digest":"/wA=","inner":{"count":2,"text":"ä"},"life":60000000,"many":[],"note":null,"on":true,'
            '"sealed":null,"sizes":[],"tags":["a","b"],"until":null,"words":{"a":2,"b":1}}'
        )

    @pytest.mark.proves("KER-195")
    @pytest.mark.parametrize("amount", [0, 1, -1, 1999, 2**63 - 1, -(2**63) + 1])
    def test_money_comes_back_to_the_smallest_unit(self, amount):
        money = Money(amount, "EUR")
        assert serial.load(Money, serial.dump(money)) == money
        assert type(serial.load(Money, serial.dump(money)).minor) is int

    @pytest.mark.proves("KER-195")
    def test_addresses_and_actors_come_back(self):
        for value in (EmailAddress.parse("Ann@Lamp.Example"), Actor(ActorKind.AGENT, "agent-1", "customer-1")):
            assert serial.load(type(value), serial.dump(value)) == value


class TestStrictness:
    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("count", 1.9), ("count", 1.0), ("count", "1"), ("count", True), ("count", None),
            ("account", 5), ("account", None), ("account", ["a"]), ("note", 5), ("note", False),
            ("on", 1), ("on", "false"), ("on", None),
            ("at", "2031-03-01"), ("at", "2031-03-01T12:00:00"), ("at", 5), ("at", None), ("until", "soon"),
            ("day", "2031-03-01T12:00:00+00:00"), ("day", 5), ("life", 1.5), ("life", "PT1H"), ("life", True),
            ("digest", "a"), ("digest", "a$=="), ("digest", 5), ("sealed", "%"), ("colour", "blue"), ("colour", None),
            ("inner", {"text": "a", "count": 1.5}), ("inner", {"text": "a"}), ("inner", None), ("inner", "a"),
            ("many", [{"text": 1, "count": 1}]), ("tags", [1]), ("sizes", ["1"]), ("words", {"a": 1.5}), ("words", []),
        ],
        ids=str,
    )  # fmt: skip
    def test_nothing_is_made_to_fit(self, field, value):
        text = json.dumps({**json.loads(serial.dump(SAMPLE)), field: value})
        with pytest.raises(cattrs.BaseValidationError):
            serial.load(Everything, text)

    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize("amount", [1.9, "5", True, None])
    def test_money_is_never_rounded_into_shape(self, amount):
        text = json.dumps({**json.loads(serial.dump(Money(5, "EUR"))), "minor": amount})
        with pytest.raises(cattrs.BaseValidationError):
            serial.load(Money, text)


class TestWhatNoDatabaseHolds:
    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
    def test_a_whole_number_beyond_64_bits_is_refused_before_it_is_written(self, number):
        for value in (attrs.evolve(SAMPLE, count=number), attrs.evolve(SAMPLE, words={"a": number})):
            with pytest.raises(Defect, match="64 bits"):
                serial.dump(value)

    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize("text", ["\0", "a\0b", "\\\0"])
    def test_text_with_nul_is_refused_before_it_is_written(self, text):
        for value in (attrs.evolve(SAMPLE, note=text), attrs.evolve(SAMPLE, words={text: 1})):
            with pytest.raises(Defect, match="NUL"):
                serial.dump(value)

    @pytest.mark.proves("KER-194")
    def test_half_of_a_surrogate_pair_is_refused_before_it_is_written(self):
        with pytest.raises(Defect, match="surrogate"):
            serial.dump(attrs.evolve(SAMPLE, note="\ud800"))

    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize("note", ["\\u0000", "1234567890123456789012", "\U0001f411", "9223372036854775808"])
    def test_text_that_only_looks_like_that_is_fine(self, note):
        value = attrs.evolve(SAMPLE, note=note, words={note: 2**63 - 1})
        assert serial.load(Everything, serial.dump(value)) == value

    @pytest.mark.proves("KER-194")
    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_what_is_no_number_is_refused(self, number):
        with pytest.raises(ValueError, match="JSON"):
            canonical({"a": number})
        with pytest.raises(ValueError, match="JSON"):
            serial.dump(Measured(share=number))

    @pytest.mark.proves("KER-190")
    def test_a_time_without_a_zone_is_refused(self):
        for wrong in (lambda: serial.dump(attrs.evolve(SAMPLE, at=NAIVE)), lambda: time_text(NAIVE)):
            with pytest.raises(TypeError, match="aware"):
                wrong()


class TestPlainFields:
    @pytest.mark.proves("KER-194")
    @given(st.builds(attrs.evolve, everything, digest=st.just(b""), sealed=st.none()))
    def test_events_are_written_like_everything_else(self, value):
        plain = plain_fields(value)
        assert plain.pop("digest") == b""
        ours = json.loads(serial.dump(value))
        del ours["digest"]
        assert json.loads(canonical(plain)) == ours

    @pytest.mark.proves("KER-190")
    @given(times, times)
    def test_the_order_of_texts_is_the_order_of_times(self, a, b):
        assert (time_text(a) < time_text(b)) == (a < b)
