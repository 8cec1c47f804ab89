"""What ``record`` promises: a change is stored whole, and only if it was still right."""

# ruff: noqa: D102  (a test's name is its sentence)
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Conflict, Defect, StaleWrite, Taken
from shopaccounts.kernel.ids import RealmId, WorkerId
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Storage, Store
from shopaccounts.kernel.record import (
    MAX_ENTITY_BYTES,
    MAX_EVENTS,
    MAX_MESSAGES,
    MAX_RECEIPT_BYTES,
    MAX_WRITES,
    Change,
    ClaimGuard,
    LeaseGuard,
    Once,
    Receipt,
    Recorded,
    Replayed,
    Sweep,
)
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.contracts.steps import find, listed, put, refused
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, box, happened, lid, notice

__all__ = ["WritingContract"]

HOUR = timedelta(hours=1)
ONCE = Once(namespace="toys", key="once", now=NOW, keep_until=NOW + HOUR)
RECEIPT = Receipt(namespace="toys", key="request", body_hash="body", result=b"answer", keep_until=NOW + HOUR)


@attrs.frozen
class Shelf:
    """What is there before a change: a box to change, one to remove, one that is swept, one whose name is taken."""

    changed: Box
    removed: Box
    swept: Box
    holder: Box

    def change(self, scope: Scope) -> Change:
        """Answer a change that has every part that a change may have."""
        return Change(
            writes=(BOXES.add(box(scope, "new")), BOXES.change(self.changed, attrs.evolve(self.changed, count=7))),
            removals=(BOXES.remove(self.removed),),
            guards=(BOXES.unchanged(self.holder), BOXES.absent("nobody")),
            once=(ONCE,),
            sweeps=(Sweep(book=BOXES, group="owner", value="swept"),),
            events=(happened(scope, "event", "somebody"),),
            messages=(notice(scope, "message"),),
            receipt=RECEIPT,
        )


Spoil = Callable[[Shelf, Scope], Change]
NEVER_HELD = 999
SPOILS: dict[str, tuple[Spoil, Conflict]] = {
    "added-again": (lambda s, c: Change(writes=(BOXES.add(box(c, s.holder.id)),)), StaleWrite("toy_boxes", "holder")),
    "changed-from-an-old-version": (
        lambda s, _: Change(writes=(BOXES.change(attrs.evolve(s.holder, version=9), s.holder),)),
        StaleWrite("toy_boxes", "holder"),
    ),
    "changed-though-missing": (
        lambda _, c: Change(writes=(BOXES.change(box(c, "missing"), box(c, "missing")),)),
        StaleWrite("toy_boxes", "missing"),
    ),
    "removed-from-an-old-version": (
        lambda s, _: Change(removals=(BOXES.remove(attrs.evolve(s.holder, version=9)),)),
        StaleWrite("toy_boxes", "holder"),
    ),
    "removed-though-missing": (
        lambda _, c: Change(removals=(BOXES.remove(box(c, "missing")),)),
        StaleWrite("toy_boxes", "missing"),
    ),
    "guard-on-an-old-version": (
        lambda s, _: Change(guards=(BOXES.unchanged(attrs.evolve(s.holder, version=9)),)),
        StaleWrite("toy_boxes", "holder"),
    ),
    "guard-on-a-missing-one": (
        lambda _, c: Change(guards=(BOXES.unchanged(box(c, "missing")),)),
        StaleWrite("toy_boxes", "missing"),
    ),
    "guard-on-the-absence-of-one-that-is-there": (
        lambda s, _: Change(guards=(BOXES.absent(s.holder.id),)),
        StaleWrite("toy_boxes", "holder"),
    ),
    "a-claim-that-nobody-has": (
        lambda s, _: Change(claims=(ClaimGuard(BOXES, s.holder.id, NEVER_HELD),)),
        StaleWrite("toy_boxes", "holder"),
    ),
    "a-lease-that-nobody-has": (
        lambda _, __: Change(leases=(LeaseGuard("nightly", NEVER_HELD),)),
        StaleWrite("leases", "nightly"),
    ),
    "a-key-that-is-held": (lambda _, c: Change(writes=(BOXES.add(box(c, "late", name="mine")),)), Taken("box_name")),
    "a-key-that-is-wanted-twice": (
        lambda _, c: Change(writes=(BOXES.add(box(c, "x", name="twin")), BOXES.add(box(c, "y", name="twin")))),
        Taken("box_name"),
    ),
    "a-marker-that-is-set": (
        lambda _, __: Change(once=(Once(namespace="spent", key="k", now=NOW, keep_until=NOW + HOUR),)),
        Taken("once:spent"),
    ),
    "a-message-that-was-recorded": (
        lambda _, c: Change(messages=(notice(c, "first"),)),
        StaleWrite("messages", "first"),
    ),
}


class WritingContract:
    """Every part of a change is stored, or none, and never on top of what has moved meanwhile.

    Give the fixture ``storage``: a storage that was opened with ``toys.TOYS``.
    """

    @pytest.fixture
    def recorded(self) -> Recorded:
        """Say what the storage answers; ``durable`` is false where it joins the host's transaction."""
        return Recorded(durable=True)

    @pytest.fixture
    def store(self, storage: Storage, scope: Scope) -> Store:
        """Open a store in a realm of its own."""
        return storage.open(scope)

    @staticmethod
    async def shelf(store: Store, scope: Scope) -> Shelf:
        """Record what is there before."""
        changed, removed, swept, holder = await put(
            store,
            BOXES,
            box(scope, "changed"),
            box(scope, "removed"),
            box(scope, "swept", owner="swept"),
            box(scope, "holder", name="mine"),
        )
        spent = Once(namespace="spent", key="k", now=NOW, keep_until=NOW + HOUR)
        await got(store.record(Change(once=(spent,), messages=(notice(scope, "first"),))))
        return Shelf(changed, removed, swept, holder)

    @pytest.mark.proves("KER-110", "REL-101")
    async def test_a_change_is_stored_with_all_its_parts(self, store: Store, scope: Scope) -> None:
        shelf = await self.shelf(store, scope)
        assert isinstance(await got(store.record(shelf.change(scope))), Recorded)
        assert await find(store, BOXES, "new") == box(scope, "new")
        assert await find(store, BOXES, "changed") == attrs.evolve(shelf.changed, count=7, version=2)
        assert [await find(store, BOXES, id) for id in ("removed", "swept")] == [None, None]
        assert await find(store, EVENTS, "event") == attrs.evolve(happened(scope, "event", "somebody"), seq=1)
        assert await find(store, MESSAGES, "message") == notice(scope, "message")
        assert await got(store.record(Change(receipt=RECEIPT))) == Replayed(b"answer")
        await refused(Taken, store.record, Change(once=(ONCE,)))

    @pytest.mark.proves("KER-110", "KER-111", "KER-112", "KER-133", "REL-101", "ADA-102", "SQL-1")
    @pytest.mark.parametrize("spoilt", SPOILS)
    async def test_nothing_is_stored_if_one_part_does_not_hold(self, store: Store, scope: Scope, spoilt: str) -> None:
        shelf = await self.shelf(store, scope)
        spoil, expected = SPOILS[spoilt]
        whole = shelf.change(scope)
        one = spoil(shelf, scope)
        change = attrs.evolve(
            whole,
            writes=whole.writes + one.writes,
            removals=whole.removals + one.removals,
            guards=one.guards or (() if one.writes or one.removals else whole.guards),
            claims=one.claims,
            leases=one.leases,
            once=whole.once + one.once,
            messages=whole.messages + one.messages,
        )
        await refused(expected, store.record, change)
        await self.assert_untouched(store, scope, shelf)

    @staticmethod
    async def assert_untouched(store: Store, scope: Scope, shelf: Shelf) -> None:
        """Check that nothing of the shelf's change is there."""
        for kept in (shelf.changed, shelf.removed, shelf.swept, shelf.holder):
            assert await find(store, BOXES, kept.id) == kept
        assert [await find(store, BOXES, id) for id in ("new", "late", "x", "y")] == [None] * 4
        assert [await find(store, MESSAGES, id) for id in ("message", "second")] == [None, None]
        assert await find(store, EVENTS, "event") is None
        told = Change(events=(happened(scope, "other", "somebody"),), once=(ONCE,), receipt=RECEIPT)
        assert isinstance(await got(store.record(told)), Recorded)
        event = await find(store, EVENTS, "other")
        assert event is not None
        assert event.seq == 1

    @pytest.mark.proves("KER-102", "KER-192")
    async def test_a_version_is_1_at_first_and_grows_by_one_with_each_write(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope, version=40))
        assert kept.version == 1
        for expected in (2, 3, 4):
            await got(store.record(Change(writes=(BOXES.change(kept, kept),))))
            found = await find(store, BOXES, "box")
            assert found is not None
            assert found.version == expected
            kept = found

    @pytest.mark.proves("KER-103", "KER-111", "ADA-103")
    async def test_a_guard_that_holds_writes_nothing(self, store: Store, scope: Scope) -> None:
        guarded, other = await put(store, BOXES, box(scope, "guarded"), box(scope, "other"))
        guards = (BOXES.unchanged(guarded), BOXES.absent("nobody"))
        await got(store.record(Change(writes=(BOXES.change(other, other),), guards=guards)))
        assert await find(store, BOXES, "guarded") == guarded
        assert await find(store, BOXES, "nobody") is None

    @pytest.mark.proves("KER-111")
    async def test_an_entity_that_is_removed_may_be_added_anew(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope))
        await got(store.record(Change(removals=(BOXES.remove(kept),))))
        await refused(StaleWrite, store.record, Change(writes=(BOXES.change(kept, kept),)))
        await put(store, BOXES, box(scope, count=2))
        assert await find(store, BOXES, "box") == box(scope, count=2)

    @pytest.mark.proves("KER-112")
    async def test_what_is_taken_tells_nothing_of_its_holder(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, "holder-of-it", name="a-name-nobody-may-see", text="contents-of-the-holder"))
        late = Change(writes=(BOXES.add(box(scope, "late", name="a-name-nobody-may-see")),))
        error = await refused(Taken("box_name"), store.record, late)
        assert error.__cause__ is None
        assert error.__context__ is None or error.__suppress_context__
        told = "".join(traceback.format_exception_only(error))
        for hidden in ("holder-of-it", "contents-of-the-holder", "a-name-nobody-may-see", "toy_boxes"):
            assert hidden not in told

    @pytest.mark.proves("KER-113")
    async def test_stale_goes_before_taken(self, store: Store, scope: Scope) -> None:
        shelf = await self.shelf(store, scope)
        spent = Once(namespace="spent", key="k", now=NOW, keep_until=NOW + HOUR)
        both = Change(writes=(BOXES.add(box(scope, "a", name="mine")), BOXES.add(shelf.holder)), once=(spent,))
        await refused(StaleWrite("toy_boxes", "holder"), store.record, both)
        guarded = Change(writes=(BOXES.add(box(scope, "a", name="mine")),), guards=(BOXES.absent("holder"),))
        await refused(StaleWrite("toy_boxes", "holder"), store.record, guarded)

    @pytest.mark.proves("KER-113", "KER-136")
    async def test_an_answered_command_is_replayed_though_all_else_is_wrong(self, store: Store, scope: Scope) -> None:
        shelf = await self.shelf(store, scope)
        assert isinstance(await got(store.record(shelf.change(scope))), Recorded)
        assert await got(store.record(shelf.change(scope))) == Replayed(b"answer")

    @pytest.mark.proves("KER-103", "KER-111", "ADA-103")
    @pytest.mark.parametrize("kind", ["change", "changes", "remove", "both", "other-book", "swept"])
    async def test_a_guard_holds_whatever_else_is_written(self, store: Store, scope: Scope, kind: str) -> None:
        one, two, relied_on = await put(
            store, BOXES, box(scope, "a", name="a"), box(scope, "b"), box(scope, "r", owner="ann")
        )
        (cover,) = await put(store, LIDS, lid(scope, "a"))
        changes = tuple(BOXES.change(item, attrs.evolve(item, count=1)) for item in (one, two))
        also = BOXES.unchanged(one) if "change" in kind else LIDS.unchanged(cover)
        parts = {
            "change": Change(writes=changes[:1]),
            "changes": Change(writes=changes),
            "remove": Change(removals=(BOXES.remove(one),)),
            "both": Change(writes=changes[1:], removals=(BOXES.remove(one),)),
            "other-book": Change(writes=(LIDS.change(cover, attrs.evolve(cover, count=1)),)),
            "swept": Change(writes=changes[:1], sweeps=(Sweep(book=BOXES, group="owner", value="ann"),)),
        }
        asked = parts[kind] | Change(guards=(also, BOXES.unchanged(relied_on)))
        for wrong in (attrs.evolve(relied_on, version=2), attrs.evolve(relied_on, id="missing")):
            moved = attrs.evolve(asked, guards=(also, BOXES.unchanged(wrong)))
            await refused(StaleWrite("toy_boxes", wrong.id), store.record, moved)
            assert [await find(store, BOXES, id) for id in "abr"] == [one, two, relied_on]
            assert await find(store, LIDS, "a") == cover
        assert isinstance(await got(store.record(asked)), Recorded)
        held = await find(store, BOXES, "r")
        assert held == (None if kind == "swept" else relied_on)
        assert await find(store, BOXES, "a") != one or await find(store, LIDS, "a") != cover

    @pytest.mark.proves("KER-108")
    async def test_the_answer_tells_nothing_that_a_rule_could_decide_on(
        self, store: Store, scope: Scope, recorded: Recorded
    ) -> None:
        one, other = box(scope, "one", owner="swept"), box(scope, "other")
        sweep = Change(sweeps=(Sweep(book=BOXES, group="owner", value="swept"),))
        once = Once(namespace="toys", key="k", now=NOW, keep_until=NOW + timedelta(hours=1))
        adding = Change(writes=(BOXES.add(one), BOXES.add(other)), once=(once,))
        told = Change(events=(happened(scope, "event", "ann"),), guards=(BOXES.absent("missing"),))
        removing = Change(removals=(BOXES.remove(other),))
        answers = [await got(store.record(change)) for change in (sweep, adding, told, sweep, removing)]
        assert answers == [recorded] * 5
        assert [field.name for field in attrs.fields(Recorded)] == ["durable", "numbers"]

    @pytest.mark.proves("KER-106")
    async def test_an_empty_change_does_nothing(self, store: Store) -> None:
        assert isinstance(await got(store.record(Change())), Recorded)

    @pytest.mark.proves("KER-117")
    async def test_it_is_told_whether_a_change_waits_for_the_commit_of_the_host(
        self, store: Store, scope: Scope, recorded: Recorded
    ) -> None:
        assert await got(store.record(Change(writes=(BOXES.add(box(scope)),)))) == recorded

    @pytest.mark.proves("KER-105")
    @pytest.mark.parametrize("what", ["writes", "events", "messages", "receipt", "entity"])
    async def test_a_change_that_is_too_large_is_a_defect(self, store: Store, scope: Scope, what: str) -> None:
        large: dict[str, Change] = {
            "writes": Change(writes=tuple(BOXES.add(box(scope, f"b{n}")) for n in range(MAX_WRITES + 1))),
            "events": Change(events=tuple(happened(scope, f"e{n}") for n in range(MAX_EVENTS + 1))),
            "messages": Change(messages=tuple(notice(scope, f"m{n}") for n in range(MAX_MESSAGES + 1))),
            "receipt": Change(receipt=attrs.evolve(RECEIPT, result=b"x" * (MAX_RECEIPT_BYTES + 1))),
            "entity": Change(writes=(BOXES.add(box(scope, "b0", text="x" * MAX_ENTITY_BYTES)),)),
        }
        await refused(Defect, store.record, large[what])
        assert await find(store, BOXES, "b0") is None
        assert await find(store, EVENTS, "e0") is None
        assert await find(store, MESSAGES, "m0") is None
        assert isinstance(await got(store.record(Change(receipt=RECEIPT))), Recorded)

    @pytest.mark.proves("KER-105")
    async def test_a_change_as_large_as_may_be_is_stored(self, store: Store, scope: Scope) -> None:
        change = Change(
            writes=tuple(BOXES.add(box(scope, f"b{n}", owner="much")) for n in range(MAX_WRITES)),
            events=tuple(happened(scope, f"e{n}", "somebody") for n in range(MAX_EVENTS)),
            messages=tuple(notice(scope, f"m{n}") for n in range(MAX_MESSAGES)),
            receipt=attrs.evolve(RECEIPT, result=b"x" * MAX_RECEIPT_BYTES),
        )
        assert isinstance(await got(store.record(change)), Recorded)
        assert len(await listed(store, BOXES, "owner", "much")) == MAX_WRITES
        assert [e.seq for e in await listed(store, EVENTS, "subject", "somebody")].count(None) == 0
        await put(store, BOXES, box(scope, "big", text="x" * (MAX_ENTITY_BYTES - 1000)))

    @pytest.mark.proves("KER-104")
    async def test_a_change_that_contradicts_itself_is_a_defect(self, store: Store, scope: Scope) -> None:
        (kept,) = await put(store, BOXES, box(scope))
        contradictions = [
            Change(writes=(BOXES.change(kept, kept),), removals=(BOXES.remove(kept),)),
            Change(writes=(BOXES.change(kept, kept), BOXES.change(kept, attrs.evolve(kept, count=1)))),
            Change(writes=(BOXES.change(kept, kept),), guards=(BOXES.absent("box"),)),
            Change(writes=(BOXES.add(box(scope, "new")),), guards=(BOXES.unchanged(box(scope, "new")),)),
        ]
        for change in contradictions:
            await refused(Defect, store.record, change)
        assert await find(store, BOXES, "box") == kept
        assert await find(store, BOXES, "new") is None

    @pytest.mark.proves("KER-120")
    async def test_an_entity_of_another_realm_is_a_defect(self, store: Store, scope: Scope) -> None:
        stranger = attrs.evolve(box(scope, "stranger"), realm=RealmId("elsewhere"))
        await refused(Defect, store.record, Change(writes=(BOXES.add(stranger),)))
        assert await find(store, BOXES, "stranger") is None

    @pytest.mark.proves("KER-110")
    async def test_a_sweep_ends_a_group_but_for_those_that_are_spared(self, store: Store, scope: Scope) -> None:
        ours = await put(store, BOXES, *(box(scope, f"b{n}", owner="ann", name=f"n{n}") for n in range(5)))
        await put(store, BOXES, box(scope, "ben's", owner="ben"), box(scope, "nobody's"))
        sweep = Sweep(book=BOXES, group="owner", value="ann", spare=frozenset({"b1", "b3", "ben's"}))
        await got(store.record(Change(sweeps=(sweep,))))
        assert await listed(store, BOXES, "owner", "ann") == (ours[1], ours[3])
        assert await find(store, BOXES, "ben's") is not None
        assert await find(store, BOXES, "nobody's") is not None
        assert [await find(store, BOXES, f"n{n}", "box_name") for n in (0, 2, 4)] == [None] * 3

    @pytest.mark.proves("KER-110")
    async def test_a_sweep_ends_what_was_there_and_not_what_its_own_change_adds(
        self, store: Store, scope: Scope
    ) -> None:
        await put(store, BOXES, box(scope, "old", owner="ann", name="session"))
        change = Change(
            writes=(BOXES.add(box(scope, "new", owner="ann", name="session")),),
            sweeps=(Sweep(book=BOXES, group="owner", value="ann"),),
        )
        await got(store.record(change))
        assert [b.id for b in await listed(store, BOXES, "owner", "ann")] == ["new"]
        found = await find(store, BOXES, "session", "box_name")
        assert found is not None
        assert found.id == "new"

    @pytest.mark.proves("KER-143")
    async def test_a_claim_that_is_ours_lets_the_change_through(self, store: Store, scope: Scope) -> None:
        await put(store, BOXES, box(scope, due_at=NOW))
        (claim,) = await got(store.claim_due(BOXES, NOW, 1, HOUR, WorkerId("w")))
        done = BOXES.change(claim.item, attrs.evolve(claim.item, due_at=None))
        change = Change(writes=(done,), claims=(ClaimGuard(BOXES, "box", claim.fence),))
        assert isinstance(await got(store.record(change)), Recorded)

    @pytest.mark.proves("KER-101")
    async def test_the_same_change_leads_to_the_same_entities_in_two_realms(
        self, storage: Storage, scope: Scope
    ) -> None:
        seen: list[tuple[Any, ...]] = []
        for realm in ("one", "two"):
            here = attrs.evolve(scope, realm=RealmId(f"{scope.realm}-{realm}"))
            store = storage.open(here)
            await put(store, LIDS, lid(here, "other"))
            change = Change(writes=(BOXES.add(box(here, count=3)), LIDS.add(lid(here))), events=(happened(here, "e"),))
            await got(store.record(change))
            found = (await find(store, BOXES, "box"), await find(store, LIDS, "box"), await find(store, EVENTS, "e"))
            seen.append(tuple(attrs.evolve(it, realm=scope.realm) for it in found if it is not None))
        assert seen[0] == seen[1]
        assert len(seen[0]) == len(("box", "lid", "event"))
