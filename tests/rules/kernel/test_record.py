"""Changes are plain data: two parts become one, or contradict each other before anything is sent."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.record import (
    MAX_EVENTS,
    MAX_MESSAGES,
    MAX_RECEIPT_BYTES,
    MAX_WRITES,
    Book,
    Change,
    ClaimGuard,
    LeaseGuard,
    Once,
    Receipt,
    Sweep,
    Write,
)
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Lid, box, happened, lid, notice

SCOPE = Scope.single()
ONE, OTHER = lid(SCOPE, "one"), lid(SCOPE, "other")
RECEIPT = Receipt(namespace="toys", key="k", body_hash="b", result=b"", keep_until=NOW)


class TestWords:
    @pytest.mark.proves("KER-102", "KER-192")
    def test_an_entity_is_added_as_version_1_and_grows_by_one(self) -> None:
        added = LIDS.add(attrs.evolve(ONE, version=7))
        assert (added.now.version, added.was) == (1, None)
        changed = LIDS.change(attrs.evolve(ONE, version=7), attrs.evolve(ONE, version=99, count=1))
        assert (changed.now.version, changed.now.count) == (8, 1)
        assert changed.was == attrs.evolve(ONE, version=7)

    @pytest.mark.proves("KER-102")
    def test_nothing_can_be_written_without_saying_what_it_is_based_on(self) -> None:
        with pytest.raises(TypeError):
            Write(book=LIDS, now=ONE)  # type: ignore[call-arg]

    @pytest.mark.proves("KER-103")
    def test_a_guard_names_what_was_read_and_its_version(self) -> None:
        assert LIDS.unchanged(attrs.evolve(ONE, version=3)).version == 3
        assert LIDS.absent("one").version is None
        assert LIDS.absent("one").place == ("toy_lids", "one")

    @pytest.mark.proves("KER-131")
    def test_a_book_tells_every_key_that_an_entity_holds(self) -> None:
        held = BOXES.keys(box(SCOPE, name="n", nicknames=("x", "n")))
        assert held == {("box_name", "n"), ("box_nickname", "x"), ("box_nickname", "n")}

    @pytest.mark.proves("KER-101")
    def test_equal_changes_are_equal_and_have_equal_texts(self) -> None:
        def build() -> Change:
            return Change(writes=(BOXES.add(box(SCOPE, tags=frozenset("abc"), facts={"b": "2", "a": "1"})),))

        assert build() == build()
        texts = {serial.dump(build().writes[0].now) for _ in range(3)}
        turned = box(SCOPE, tags=frozenset("cba"), facts={"a": "1", "b": "2"})
        assert texts == {serial.dump(BOXES.add(turned).now)}

    @pytest.mark.proves("KER-106")
    def test_a_change_is_empty_only_if_it_has_no_part(self) -> None:
        assert Change().is_empty
        parts = [
            Change(writes=(LIDS.add(ONE),)),
            Change(removals=(LIDS.remove(ONE),)),
            Change(guards=(LIDS.absent("x"),)),
            Change(claims=(ClaimGuard(LIDS, "x", 1),)),
            Change(leases=(LeaseGuard("x", 1),)),
            Change(once=(Once(namespace="x", key="x", now=NOW, keep_until=NOW),)),
            Change(sweeps=(Sweep(book=LIDS, group="box", value="x"),)),
            Change(events=(happened(SCOPE, "x"),)),
            Change(messages=(notice(SCOPE, "x"),)),
            Change(receipt=RECEIPT),
        ]
        assert {field.name for field in attrs.fields(Change)} == {
            name for part in parts for name, value in attrs.asdict(part, recurse=False).items() if value
        }
        assert not any(part.is_empty for part in parts)


class TestJoining:
    @pytest.mark.proves("KER-104")
    def test_parts_are_put_together_in_their_order(self) -> None:
        one = Change(writes=(LIDS.add(ONE),), events=(happened(SCOPE, "1"), happened(SCOPE, "2")), receipt=RECEIPT)
        other = Change(writes=(LIDS.add(OTHER),), events=(happened(SCOPE, "0"),), messages=(notice(SCOPE, "m"),))
        both = one | other
        assert [write.now.id for write in both.writes] == ["one", "other"]
        assert [event.id for event in both.events] == ["1", "2", "0"]
        assert (len(both.messages), both.receipt) == (1, RECEIPT)

    @pytest.mark.proves("KER-104")
    def test_an_empty_part_adds_nothing(self) -> None:
        some = Change(writes=(LIDS.add(ONE),), events=(happened(SCOPE, "1"),))
        assert some | Change() == some == Change() | some

    @pytest.mark.proves("KER-104")
    def test_what_both_say_alike_is_said_once(self) -> None:
        part = Change(
            writes=(LIDS.add(ONE),),
            removals=(LIDS.remove(OTHER),),
            guards=(LIDS.absent("x"),),
            claims=(ClaimGuard(LIDS, "x", 1),),
            leases=(LeaseGuard("x", 1),),
            receipt=RECEIPT,
        )
        assert part | part == part

    @pytest.mark.proves("KER-104")
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Change(writes=(LIDS.add(ONE),)), Change(writes=(LIDS.add(attrs.evolve(ONE, count=1)),))),
            (
                Change(writes=(LIDS.change(ONE, ONE),)),
                Change(writes=(LIDS.change(ONE, attrs.evolve(ONE, count=1)),)),
            ),
            (Change(writes=(LIDS.change(ONE, ONE),)), Change(removals=(LIDS.remove(ONE),))),
            (Change(writes=(LIDS.change(ONE, ONE),)), Change(guards=(LIDS.absent("one"),))),
            (
                Change(writes=(LIDS.change(ONE, ONE),)),
                Change(guards=(LIDS.unchanged(attrs.evolve(ONE, version=2)),)),
            ),
            (Change(removals=(LIDS.remove(ONE),)), Change(guards=(LIDS.absent("one"),))),
            (Change(receipt=RECEIPT), Change(receipt=attrs.evolve(RECEIPT, key="other"))),
        ],
        ids=["adds", "writes", "write-and-removal", "absent", "version", "removed", "receipts"],
    )
    def test_parts_that_contradict_each_other_are_a_defect(self, one: Change, other: Change) -> None:
        for first, second in ((one, other), (other, one)):
            with pytest.raises(Defect):
                _ = first | second

    @pytest.mark.proves("KER-104")
    def test_a_guard_on_what_is_written_from_that_version_is_no_contradiction(self) -> None:
        both = Change(writes=(LIDS.change(ONE, ONE),)) | Change(guards=(LIDS.unchanged(ONE),))
        assert len(both.guards) == len(both.writes) == 1

    @pytest.mark.proves("KER-104")
    def test_the_same_id_in_two_books_is_two_entities(self) -> None:
        both = Change(writes=(LIDS.add(lid(SCOPE)),)) | Change(writes=(BOXES.add(box(SCOPE)),))
        assert len(both.writes) == 2

    @pytest.mark.proves("KER-107")
    def test_a_part_is_data_and_joining_changes_neither_side(self) -> None:
        one, other = Change(writes=(LIDS.add(ONE),)), Change(writes=(LIDS.add(OTHER),))
        _ = one | other
        assert one == Change(writes=(LIDS.add(ONE),))
        assert other == Change(writes=(LIDS.add(OTHER),))


class TestMerging:
    WAS = AccountSecurity(id=AccountId("a"), realm=RealmId("main"), version=4, stamps=Stamps(password=2, factors=7))

    def change(self, now: AccountSecurity) -> Change:
        return Change(writes=(SECURITY.change(self.WAS, now),))

    @pytest.mark.proves("KER-104", "KER-222")
    @given(st.sets(st.sampled_from(Stamp)), st.sets(st.sampled_from(Stamp)))
    def test_two_sets_of_moved_stamps_become_their_union_at_one_version(
        self, one: set[Stamp], other: set[Stamp]
    ) -> None:
        (write,) = (self.change(self.WAS.bump(*one)) | self.change(self.WAS.bump(*other))).writes
        assert write.now == attrs.evolve(self.WAS.bump(*(one | other)), version=5)
        assert write.was == self.WAS

    @pytest.mark.proves("KER-104")
    def test_two_moves_that_were_decided_from_different_versions_are_a_defect(self) -> None:
        newer = attrs.evolve(self.WAS, version=5)
        with pytest.raises(Defect):
            _ = self.change(self.WAS.bump(Stamp.PASSWORD)) | Change(writes=(SECURITY.change(newer, newer),))

    @pytest.mark.proves("KER-104")
    def test_two_additions_are_never_merged(self) -> None:
        new = attrs.evolve(self.WAS, version=1)
        with pytest.raises(Defect):
            _ = Change(writes=(SECURITY.add(new),)) | Change(writes=(SECURITY.add(new.bump(Stamp.ACCOUNT)),))


def lids(count: int) -> tuple[Write, ...]:
    return tuple(LIDS.add(lid(SCOPE, f"l{n}")) for n in range(count))


class TestLimits:
    @pytest.mark.proves("KER-105")
    @pytest.mark.parametrize(
        ("fits", "too_large"),
        [
            (Change(writes=lids(MAX_WRITES)), Change(writes=lids(MAX_WRITES + 1))),
            (
                Change(writes=lids(MAX_WRITES - 1), removals=(LIDS.remove(ONE),)),
                Change(writes=lids(MAX_WRITES), removals=(LIDS.remove(ONE),)),
            ),
            (
                Change(events=(happened(SCOPE, "e"),) * MAX_EVENTS),
                Change(events=(happened(SCOPE, "e"),) * (MAX_EVENTS + 1)),
            ),
            (
                Change(messages=(notice(SCOPE, "m"),) * MAX_MESSAGES),
                Change(messages=(notice(SCOPE, "m"),) * (MAX_MESSAGES + 1)),
            ),
            (
                Change(receipt=attrs.evolve(RECEIPT, result=b"x" * MAX_RECEIPT_BYTES)),
                Change(receipt=attrs.evolve(RECEIPT, result=b"x" * (MAX_RECEIPT_BYTES + 1))),
            ),
        ],
        ids=["writes", "removals", "events", "messages", "receipt"],
    )
    def test_a_change_is_limited_in_each_part(self, fits: Change, too_large: Change) -> None:
        assert fits.checked() is fits
        with pytest.raises(Defect):
            too_large.checked()

    @pytest.mark.proves("KER-105")
    def test_parts_that_are_too_large_together_are_not_joined(self) -> None:
        more = tuple(LIDS.add(lid(SCOPE, f"more-{n}")) for n in range(MAX_WRITES))
        with pytest.raises(Defect):
            _ = Change(writes=lids(MAX_WRITES)) | Change(writes=more)

    @pytest.mark.proves("KER-105")
    def test_the_limits_are_those_of_the_rulebook(self) -> None:
        assert (MAX_WRITES, MAX_EVENTS, MAX_MESSAGES, MAX_RECEIPT_BYTES) == (1000, 200, 50, 4096)


def test_a_book_that_says_nothing_of_its_own_holds_no_key_and_no_work() -> None:
    plain = Book(name="plain", of=Lid)
    assert plain.keys(ONE) == frozenset()
    assert (plain.due, plain.lane(ONE), plain.priority(ONE), plain.keep_until(ONE)) == (None, None, 0, None)


@pytest.mark.proves("KER-104")
def test_parts_may_remove_the_same_entity_but_not_from_two_versions(scope: Scope) -> None:
    kept = BOXES.add(box(scope, "b0")).now
    later = attrs.evolve(kept, version=2)
    one = Change(removals=(BOXES.remove(kept),))
    assert (one | one) == one
    with pytest.raises(Defect):
        _ = one | Change(removals=(BOXES.remove(later),))
    with pytest.raises(Defect):
        Change(removals=(BOXES.remove(kept), BOXES.remove(later))).checked()
