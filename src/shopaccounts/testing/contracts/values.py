"""What comes back equals what went in, whatever it is."""

# ruff: noqa: D102  (a test's name is its sentence)
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.vault import Sealed
from shopaccounts.testing.contracts.steps import find, put
from shopaccounts.testing.plugin import Drive
from shopaccounts.testing.toys import BOXES, Box, Colour, Label, box, happened

__all__ = ["ValuesContract", "any_box"]

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
BIGGEST = 2**63 - 1
FULL: Final = 15000
"""Characters of four bytes that an entity of 64 kB has room for."""

EXTREMES: Final[dict[str, dict[str, Any]]] = {
    "empty": {"text": "", "note": "", "data": b"", "tags": frozenset(), "facts": {}, "nicknames": (), "owner": ""},
    "missing": {"note": None, "owner": None, "name": None, "day": None, "sealed": None},
    "maximal": {"text": "\U0010ffff" * FULL, "count": BIGGEST},
    "minimal": {"count": -BIGGEST - 1, "span": -timedelta(days=36500), "put_at": FIRST, "day": date(1970, 1, 1)},
    "last": {"put_at": LAST, "due_at": LAST, "keep_until": LAST, "day": date(9999, 12, 31)},
    "microseconds": {"put_at": FIRST + timedelta(microseconds=1), "span": timedelta(microseconds=-1)},
    "astral": {"text": "\U0001f411\U0001f468\u200d\U0001f469\u200d\U0001f467", "name": "\U0001d49c\U00010348"},
    "combining": {"text": unicodedata.normalize("NFD", "Ångström é") + "\u0301" * 50, "name": "e\u0301\u0323"},
    "composed-and-not": {"facts": {"é": "1", "e\u0301": "2"}, "nicknames": ("é", "e\u0301")},
    "right-to-left": {"text": "\u202eabc\u202c שלום \u0627\u0644", "note": "\u200f"},
    "whitespace": {"text": " \t\r\n\x0b\x85\u2028\u2029 ", "note": " "},
    "controls": {"text": "\x01\x07\x1b\x7f\x9f\ufffe\uffff\ufeff"},
    "quoting": {"text": "'\"\\%_;--/* {}[] :x ? $1 %s &amp;", "facts": {"'": '"', "\\": "%(x)s", ":a": "?"}},
    "like-other-types": {"text": "null", "note": "None", "name": "1e3", "owner": "true"},
    "bytes": {"data": bytes(range(256)), "sealed": Sealed(bytes(61))},
    "nested": {"label": Label(text="\U0001f411", size=-1), "tags": frozenset({"", "b", "a", "é"})},
}

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
_times = st.datetimes(FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None), timezones=st.just(UTC))


def any_box(realm: RealmId) -> st.SearchStrategy[Box]:
    """Answer boxes with any contents, for tests of your own."""
    return st.builds(
        Box,
        id=st.text("abcdefghijklmnop-0123456789", min_size=1, max_size=36),
        realm=st.just(realm),
        version=st.just(1),
        name=st.none() | _text,
        nicknames=st.lists(_text, max_size=3, unique=True).map(tuple),
        is_open=st.booleans(),
        owner=st.none() | _text,
        put_at=_times,
        due_at=st.none() | _times,
        lane=_text,
        place=st.integers(0, 2**31 - 1),
        urgency=st.integers(0, 9),
        keep_until=st.none() | _times,
        text=_text,
        note=st.none() | _text,
        data=st.binary(max_size=40),
        count=st.integers(-BIGGEST - 1, BIGGEST),
        colour=st.sampled_from(Colour),
        tags=st.frozensets(_text, max_size=3),
        facts=st.dictionaries(_text, _text, max_size=3),
        day=st.none() | st.dates(date(1970, 1, 1)),
        span=st.timedeltas(-timedelta(days=36500), timedelta(days=36500)),
        label=st.builds(Label, text=_text, size=st.integers(-BIGGEST - 1, BIGGEST)),
        sealed=st.none() | st.binary(min_size=61, max_size=100).map(Sealed),
    )


class ValuesContract:
    """Nothing is trimmed, folded, rounded, shifted to another zone or taken for something else.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    examples = 40
    """How many generated entities make the round trip."""

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @pytest.mark.proves("KER-195", "KER-190", "KER-194", "ADA-107")
    @pytest.mark.parametrize("extreme", EXTREMES)
    async def test_extreme_values_come_back_as_they_went_in(self, store: Store, scope: Scope, extreme: str) -> None:
        (kept,) = await put(store, BOXES, box(scope, **EXTREMES[extreme]))
        assert await find(store, BOXES, "box") == kept
        changed = attrs.evolve(kept, place=1)
        await got(store.record(Change(writes=(BOXES.change(kept, changed),))))
        found = await find(store, BOXES, "box")
        assert found == attrs.evolve(changed, version=2)
        assert serial.dump(found) == serial.dump(attrs.evolve(changed, version=2))

    @pytest.mark.proves("KER-195")
    def test_generated_values_come_back_as_they_went_in(self, storage: Storage, scope: Scope, drive: Drive) -> None:
        trips = 0

        @settings(max_examples=self.examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(any_box(scope.realm))
        def make_a_round_trip(generated: Box) -> None:
            nonlocal trips
            trips += 1
            here = attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{trips}"))
            drive(self.assert_it_comes_back(storage.open(here), attrs.evolve(generated, realm=here.realm)))

        make_a_round_trip()

    @staticmethod
    async def assert_it_comes_back(store: Store, generated: Box) -> None:
        """Record an entity, and find it by its id and its name."""
        await put(store, BOXES, generated)
        assert await find(store, BOXES, generated.id) == generated
        if generated.name is not None:
            assert await find(store, BOXES, generated.name, "box_name") == generated

    @pytest.mark.proves("ADA-107")
    async def test_empty_and_missing_are_told_apart(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "empty", owner="", note="", name=""), box(scope, "missing"))
        empty, missing = await find(store, BOXES, "empty"), await find(store, BOXES, "missing")
        assert empty is not None
        assert missing is not None
        assert (empty.owner, empty.note, empty.name) == ("", "", "")
        assert (missing.owner, missing.note, missing.name) == (None, None, None)
        assert await find(store, BOXES, "", "box_name") == empty
        assert (await got(store.rows(BOXES, "owner", "", None, 10))).items == (empty,)

    @pytest.mark.proves("KER-190")
    async def test_times_come_back_aware_and_in_utc(self, store: Store, scope: Scope) -> None:
        for n, at in enumerate((FIRST, FIRST + timedelta(microseconds=1), LAST)):
            await put(store, BOXES, box(scope, f"b{n}", put_at=at, due_at=at, keep_until=at))
            found = await find(store, BOXES, f"b{n}")
            assert found is not None
            for time in (found.put_at, found.due_at, found.keep_until):
                assert time == at
                assert time is not None
                assert time.utcoffset() == timedelta(0)

    @pytest.mark.proves("KER-195")
    async def test_an_event_comes_back_as_it_was_told(self, store: Store, scope: Scope) -> None:
        told = attrs.evolve(
            happened(scope, "e", data='{"a":"\U0001f411 \\u0000","b":[1,null]}'),
            actor=Actor(ActorKind.AGENT, "agent-1", "customer-2"),
            cause="\U0001f411",
            occurred_at=FIRST,
            recorded_at=LAST,
            schema=7,
        )
        await got(store.record(Change(events=(told,))))
        assert await find(store, EVENTS, "e") == told
