"""What unique keys, once-markers and receipts promise: byte for byte, and once."""

# ruff: noqa: D102  (a test's name is its sentence)
import unicodedata
from datetime import timedelta
from typing import Final

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import KeyReused, StaleWrite, Taken
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import Change, Once, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, put, refused
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Colour, box, happened, lid

__all__ = ["LOOKALIKES", "KeysContract"]

HOUR = timedelta(hours=1)
LOOKALIKES: Final = {
    "case": ("ann", "ANN", "Ann"),
    "case-beyond-ascii": ("straße", "STRASSE", "strasse", "STRAẞE"),
    "dotless-i": ("\u0131rmak", "Irmak", "irmak", "İrmak"),
    "accents": ("café", "cafe", "cafè"),
    "composition": ("café", unicodedata.normalize("NFD", "café")),
    "compatibility": ("ffi", "ﬃ", "ﬀi"),
    "width": ("abc", "\uff41\uff42\uff43"),
    "spaces-at-the-end": ("ann", "ann ", "ann  ", "ann\t"),
    "spaces-at-the-start": ("ann", " ann"),
    "kinds-of-space": ("a b", "a\u00a0b", "a\u2003b", "a  b"),
    "unseen-characters": ("ann", "an\u200bn", "ann\u00ad", "\ufeffann"),
    "wildcards": ("a%", "ab", "a_", "a\\%"),
    "digits": ("1", "\u0661", "\uff11", "01", "1.0"),
    "signs-of-the-zodiac": ("\u2648", "\u2648\ufe0f", "\U0001f411"),
    "nothing": ("", " ", "0", "None", "null"),
    "quotes": ("o'neil", "o''neil", 'o"neil', "o\u2019neil"),
}
"""Texts that one or another collation takes for the same."""


def once(key: str = "k", namespace: str = "toys", *, at: timedelta = timedelta(0), keep: timedelta = HOUR) -> Once:
    """Answer a marker that is set so long after ``NOW`` and kept so long from then."""
    return Once(namespace=namespace, key=key, now=NOW + at, keep_until=NOW + at + keep)


def receipt(key: str = "k", namespace: str = "toys", body: str = "body", result: bytes = b"answer") -> Receipt:
    """Answer a receipt that is kept for an hour."""
    return Receipt(namespace=namespace, key=key, body_hash=body, result=result, keep_until=NOW + HOUR)


class KeysContract:
    """A key is held by one, an answered command is answered the same, and nothing is folded to find out.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @pytest.mark.proves("KER-130", "CUS-27")
    @pytest.mark.parametrize("kind", LOOKALIKES)
    async def test_keys_that_look_alike_are_different_keys(self, store: Store, scope: Scope, kind: str) -> None:
        boxes = [box(scope, f"b{n}", name=name) for n, name in enumerate(LOOKALIKES[kind])]
        for one in boxes:
            await put(store, BOXES, one)
        for one in boxes:
            assert await find(store, BOXES, one.name or "", "box_name") == one
            await refused(Taken, store.record, Change(writes=(BOXES.add(attrs.evolve(one, id="other")),)))

    @pytest.mark.proves("KER-130")
    @pytest.mark.parametrize("kind", LOOKALIKES)
    async def test_ids_markers_and_requests_that_look_alike_are_different_ones(
        self, store: Store, scope: Scope, kind: str
    ) -> None:
        for n, text in enumerate(LOOKALIKES[kind]):
            await put(store, LIDS, lid(scope, f"-{text}", count=n))
            change = Change(once=(once(f"-{text}"),), receipt=receipt(f"-{text}", result=str(n).encode()))
            assert isinstance(await got(store.record(change)), Recorded)
        for n, text in enumerate(LOOKALIKES[kind]):
            assert await find(store, LIDS, f"-{text}") == lid(scope, f"-{text}", count=n)
            assert await got(store.record(Change(receipt=receipt(f"-{text}")))) == Replayed(str(n).encode())

    @pytest.mark.proves("KER-112", "KER-131")
    async def test_an_entity_is_found_under_each_of_its_keys_and_no_other(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, name="name", nicknames=("one", "two"), owner="ann"))
        for key, by in (("name", "box_name"), ("one", "box_nickname"), ("two", "box_nickname")):
            assert await find(store, BOXES, key, by) == kept
        for key, by in (("one", "box_name"), ("name", "box_nickname"), ("ann", "open_box"), ("three", "box_nickname")):
            assert await find(store, BOXES, key, by) is None

    @pytest.mark.proves("KER-131")
    async def test_one_text_may_be_held_under_two_names_of_keys(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "a", name="same"), box(scope, "b", nicknames=("same",)))
        await refused(Taken, store.record, Change(writes=(BOXES.add(box(scope, "c", nicknames=("other", "same"))),)))

    @pytest.mark.proves("KER-112")
    async def test_a_change_that_wants_the_key_of_another_is_refused(self, store: Store, scope: Scope) -> None:
        _, second = await put(store, BOXES, box(scope, "a", name="a"), box(scope, "b", name="b"))
        want = Change(writes=(BOXES.change(second, attrs.evolve(second, name="a")),))
        await refused(Taken("box_name"), store.record, want)
        assert await find(store, BOXES, "b", "box_name") == second

    @pytest.mark.proves("KER-131")
    async def test_a_key_that_is_given_up_can_be_held_by_another(self, store: Store, scope: Scope) -> None:
        first, second = await put(store, BOXES, box(scope, "a", name="a"), box(scope, "b", name="b"))
        await got(store.record(Change(writes=(BOXES.change(first, attrs.evolve(first, name=None)),))))
        assert await find(store, BOXES, "a", "box_name") is None
        await got(store.record(Change(removals=(BOXES.remove(second),))))
        new = await put(store, BOXES, box(scope, "c", name="a"), box(scope, "d", name="b"))
        assert [await find(store, BOXES, name, "box_name") for name in "ab"] == list(new)

    @pytest.mark.proves("KER-131")
    async def test_keys_can_change_hands_within_one_change(self, store: Store, scope: Scope) -> None:
        a, b, c = await put(store, BOXES, *(box(scope, id, name=id) for id in "abc"))
        swap = Change(
            writes=(
                BOXES.change(a, attrs.evolve(a, name="b")),
                BOXES.change(b, attrs.evolve(b, name="a")),
                BOXES.add(box(scope, "d", name="c")),
            ),
            removals=(BOXES.remove(c),),
        )
        assert isinstance(await got(store.record(swap)), Recorded)
        holders = [await find(store, BOXES, name, "box_name") for name in "abc"]
        assert [holder.id if holder else None for holder in holders] == ["b", "a", "d"]

    @pytest.mark.proves("KER-131")
    async def test_an_entity_keeps_its_key_when_it_is_written_again(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, name="mine", nicknames=("a", "b")))
        now = attrs.evolve(kept, nicknames=("b", "c"), count=1)
        await got(store.record(Change(writes=(BOXES.change(kept, now),))))
        held = [await find(store, BOXES, key, "box_nickname") for key in "abc"]
        assert held == [None, attrs.evolve(now, version=2), attrs.evolve(now, version=2)]
        assert await find(store, BOXES, "mine", "box_name") == attrs.evolve(now, version=2)

    @pytest.mark.proves("KER-132")
    async def test_a_key_may_be_held_by_the_open_one_among_many(self, store: Store, scope: Scope) -> None:
        blue = box(scope, "a", owner="ann", colour=Colour.BLUE)
        closed = attrs.evolve(blue, is_open=False)
        await put(store, BOXES, attrs.evolve(closed, id="closed"), attrs.evolve(closed, id="closed-too"))
        (first,) = await put(store, BOXES, blue)
        second = Change(writes=(BOXES.add(attrs.evolve(blue, id="b")),))
        await refused(Taken("open_box"), store.record, second)
        await got(store.record(Change(writes=(BOXES.change(first, attrs.evolve(first, is_open=False)),))))
        assert isinstance(await got(store.record(second)), Recorded)
        found = await find(store, BOXES, "ann", "open_box")
        assert found is not None
        assert found.id == "b"

    @pytest.mark.proves("KER-133")
    async def test_a_marker_is_set_once_until_it_lapses(self, store: Store) -> None:
        await got(store.record(Change(once=(once(),))))
        for later in (timedelta(0), HOUR / 2, HOUR - timedelta(microseconds=1)):
            await refused(Taken("once:toys"), store.record, Change(once=(once(at=later),)))
        assert isinstance(await got(store.record(Change(once=(once(at=HOUR, keep=2 * HOUR),)))), Recorded)
        await refused(Taken, store.record, Change(once=(once(at=2 * HOUR),)))

    @pytest.mark.proves("KER-133", "KER-192")
    async def test_a_marker_stays_set_when_the_clock_steps_back(self, store: Store) -> None:
        await got(store.record(Change(once=(once(),))))
        await refused(Taken, store.record, Change(once=(once(at=-2 * HOUR),)))

    @pytest.mark.proves("KER-133")
    async def test_a_refused_marker_does_not_prolong_the_first(self, store: Store) -> None:
        await got(store.record(Change(once=(once(),))))
        await refused(Taken, store.record, Change(once=(once(at=HOUR / 2, keep=9 * HOUR),)))
        assert isinstance(await got(store.record(Change(once=(once(at=HOUR),)))), Recorded)

    @pytest.mark.proves("KER-133")
    async def test_markers_of_two_namespaces_are_apart(self, store: Store) -> None:
        await got(store.record(Change(once=(once("k", "one"), once("k", "two"), once("l", "one")))))
        for key, namespace in (("k", "one"), ("k", "two"), ("l", "one")):
            await refused(Taken(f"once:{namespace}"), store.record, Change(once=(once(key, namespace),)))

    @pytest.mark.proves("KER-135", "KER-136")
    async def test_a_command_asked_again_is_answered_the_same_and_writes_nothing(
        self, store: Store, scope: Scope
    ) -> None:
        command = Change(writes=(LIDS.add(lid(scope)),), events=(happened(scope, "e", "ann"),), receipt=receipt())
        assert isinstance(await got(store.record(command)), Recorded)
        other = Change(writes=(LIDS.add(lid(scope, "two")),), receipt=receipt(result=b"another answer"))
        for again in (command, other):
            assert await got(store.record(again)) == Replayed(b"answer")
        assert await find(store, LIDS, "two") is None
        assert await find(store, LIDS, "box") == lid(scope)

    @pytest.mark.proves("KER-136")
    async def test_a_request_key_that_comes_with_another_content_is_refused(self, store: Store, scope: Scope) -> None:
        await got(store.record(Change(receipt=receipt())))
        other = Change(writes=(LIDS.add(lid(scope)),), receipt=receipt(body="another"))
        await refused(KeyReused("toys"), store.record, other)
        assert await find(store, LIDS, "box") is None

    @pytest.mark.proves("KER-136")
    async def test_a_refused_command_leaves_no_receipt(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, name="held"))
        for spoil, error in ((BOXES.add(box(scope)), StaleWrite), (BOXES.add(box(scope, "b", name="held")), Taken)):
            await refused(error, store.record, Change(writes=(spoil,), receipt=receipt()))
        assert isinstance(await got(store.record(Change(receipt=receipt(body="another")))), Recorded)

    @pytest.mark.proves("KER-135")
    async def test_receipts_of_two_namespaces_are_apart(self, store: Store) -> None:
        for namespace in ("one", "two"):
            await got(store.record(Change(receipt=receipt("k", namespace, result=namespace.encode()))))
        for namespace in ("one", "two"):
            again = Change(receipt=receipt("k", namespace))
            assert await got(store.record(again)) == Replayed(namespace.encode())

    @pytest.mark.proves("KER-135")
    async def test_the_answer_of_a_receipt_comes_back_byte_for_byte(self, store: Store) -> None:
        for n, result in enumerate((b"", b"\0", bytes(range(256)), "\U0001f411".encode())):
            await got(store.record(Change(receipt=receipt(f"k{n}", result=result))))
            assert await got(store.record(Change(receipt=receipt(f"k{n}")))) == Replayed(result)
