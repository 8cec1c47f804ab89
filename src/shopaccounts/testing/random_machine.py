"""Any storage against the one in memory: the same random operations, the same answers, the same contents.

``machine_against`` answers a Hypothesis state machine; ``run_machine`` runs it for a number of random histories.
"""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, TypeVar

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.errors import Conflict, Defect, Rejected
from shopaccounts.kernel.ids import RealmId, StoreId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Claimed, Lease, Storage, Swap
from shopaccounts.kernel.record import Change, ClaimGuard, LeaseGuard, Once, Receipt, Recorded, Sweep, Write
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.plugin import Drive
from shopaccounts.testing.toys import BOXES, LIDS, NOW, Box, Colour, Lid, box, happened, lid, notice

__all__ = ["machine_against", "run_machine"]

T = TypeVar("T")
Ask = Callable[[Storage, Scope, int], Answer[Any]]
IDS = ["a", "b", "c"]
NAMES = ["x", "X", "y "]
OWNERS = ["ann", "Ann"]
SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=60)
_realms = itertools.count(1)

_offsets = st.sampled_from([-LEASE, -SECOND, timedelta(0), SECOND, LEASE])
_contents = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | st.sampled_from(NAMES),
        "nicknames": st.lists(st.sampled_from(NAMES), unique=True, max_size=2).map(tuple),
        "owner": st.none() | st.sampled_from(OWNERS),
        "is_open": st.booleans(),
        "colour": st.sampled_from(Colour),
        "due_in": st.none() | _offsets,
        "kept_for": st.none() | _offsets,
        "lane": st.sampled_from(["", "lane"]),
        "place": st.integers(0, 2),
        "urgency": st.integers(0, 1),
        "series": st.sampled_from(["", "s"]),
        "count": st.integers(0, 3),
    },
)
_parts = st.sampled_from(["add", "change", "change", "remove", "guard", "absent"])
_extras = st.sampled_from(["once", "receipt", "event", "nobody's event", "message", "sweep", "claim", "lease", "lid"])


class _Machine(RuleBasedStateMachine):
    """Does everything twice, and compares."""

    open_storage: ClassVar[Callable[[], Storage]]
    drive: ClassVar[Drive]

    def __init__(self) -> None:
        super().__init__()
        self.storages = (MemoryStorage(), type(self).open_storage())
        self.scope = Scope(realm=RealmId(f"random-{next(_realms)}"), store=StoreId("store"))
        self.now = NOW
        self.seen: list[Box] = []
        self.claims: list[tuple[Claimed[Box], ...]] = []
        self.leases: list[tuple[Lease, ...]] = []
        self.told = itertools.count(1)

    # Doing things twice

    def both(self, ask: Ask) -> tuple[Any, Any]:
        """Ask both storages, and answer what each one says; errors are answers as well."""
        first, second = (self.drive(_settled(ask, storage, self.scope, n)) for n, storage in enumerate(self.storages))
        return first, second

    def same(self, ask: Ask) -> Any:
        """Ask both, and demand the same answer."""
        expected, answer = self.both(ask)
        assert answer == expected, f"in memory {expected!r}, here {answer!r}"
        return answer

    # What may happen

    @rule(by=_offsets)
    def step_the_clock(self, by: timedelta) -> None:
        """Move the clock, forward or back."""
        self.now += by

    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        """Record a change of some parts, right or wrong."""
        build = self.change(data)
        self.same(lambda storage, scope, n: storage.open(scope).record(build(n)))

    @rule(data=st.data(), size=st.integers(0, 4))
    def record_page(self, data: st.DataObject, size: int) -> None:
        """Record several changes, each by itself."""
        builds = [self.change(data) for _ in range(size)]
        self.same(lambda storage, scope, n: storage.open(scope).record_page([build(n) for build in builds]))

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        """Claim what is due."""
        now = self.now
        pair = self.both(
            lambda storage, scope, _: storage.open(scope).claim_due(BOXES, now, limit, LEASE, WorkerId("w"))
        )
        shown = [[attrs.evolve(claim, fence=0) for claim in claims] for claims in pair]
        assert shown[0] == shown[1], f"in memory {shown[0]}, here {shown[1]}"
        self.claims += zip(*pair, strict=True)

    @rule(limit=st.integers(1, 3), owners=st.lists(st.sampled_from(OWNERS), unique=True))
    def look_along(self, limit: int, owners: list[str]) -> None:
        """Look for what is due in some groups."""
        now = self.now
        self.same(lambda storage, scope, _: storage.open(scope).due_in(BOXES, "owner", owners, now, limit))

    @rule(data=st.data(), way=st.sampled_from(["renew", "release", "give back", "park"]))
    def settle(self, data: st.DataObject, way: str) -> None:
        """Renew, release or park a claim, held or lost."""
        if not self.claims:
            return
        claim, now = data.draw(st.sampled_from(self.claims)), self.now
        ways: dict[str, Ask] = {
            "renew": lambda s, c, n: s.open(c).renew(BOXES, (claim[n],), now, LEASE),
            "release": lambda s, c, n: s.open(c).release(BOXES, (claim[n],), now + SECOND),
            "give back": lambda s, c, n: s.open(c).release(BOXES, (claim[n],), None),
            "park": lambda s, c, n: s.open(c).park(BOXES, claim[n], "reason"),
        }
        self.same(ways[way])

    @rule(id=st.sampled_from(IDS))
    def unpark(self, id: str) -> None:
        """Put an item back."""
        self.same(lambda storage, scope, _: storage.open(scope).unpark(BOXES, id))

    @rule(limit=st.integers(1, 3))
    def purge(self, limit: int) -> None:
        """Purge all that has reached its end; which goes first is not promised, so it goes on to the last."""
        now = self.now

        async def all_of_it(storage: Storage, scope: Scope) -> int:
            total = 0
            while gone := await got(storage.open(scope).purge(BOXES, now, limit)):
                total += gone
            return total

        self.same(lambda storage, scope, _: all_of_it(storage, scope))

    @rule(key=st.sampled_from(NAMES), state=st.binary(max_size=3), clear=st.booleans(), blind=st.booleans())
    def swap(self, key: str, state: bytes, clear: bool, blind: bool) -> None:  # noqa: FBT001  (drawn)
        """Swap a state, having looked or not, which somebody else may have cleared meanwhile."""
        until = self.now + timedelta(days=400)

        async def swap(storage: Storage, scope: Scope) -> tuple[bytes | None, bool]:
            counters = storage.counters(scope)
            seen = None if blind else (await got(counters.read(key))).get(key)
            if clear:
                await got(counters.clear(key))
            done = await got(counters.swap(Swap(key, seen.revision if seen else None, state, until)))
            return seen.state if seen else None, bool(done)

        self.same(lambda storage, scope, _: swap(storage, scope))

    @rule(amount=st.integers(-3, 3), keep=_offsets)
    def add(self, amount: int, keep: timedelta) -> None:
        """Add to a sum that may lapse."""
        now = self.now
        self.same(lambda storage, scope, _: storage.counters(scope).add("sum", amount, now, now + keep))

    @rule(data=st.data(), way=st.sampled_from(["acquire", "renew", "release"]))
    def lease(self, data: st.DataObject, way: str) -> None:
        """Take, renew or give back a lease, held or lost."""
        now = self.now
        if way == "acquire" or not self.leases:
            pair = self.both(lambda s, c, _: s.leases(c).acquire("nightly", WorkerId("w"), LEASE, now))
            assert (pair[0] is None) == (pair[1] is None), f"in memory {pair[0]}, here {pair[1]}"
            self.leases += [pair] if pair[0] else []
            return
        held = data.draw(st.sampled_from(self.leases))
        if way == "release":
            self.same(lambda s, c, n: s.leases(c).release(held[n]))
            return
        pair = self.both(lambda s, c, n: s.leases(c).renew(held[n], LEASE, now))
        first, second = (one and one.until for one in pair)
        assert first == second, f"in memory {first}, here {second}"

    # Changes

    def change(self, data: st.DataObject) -> Callable[[int], Change]:
        """Draw a change; claims and leases have other fences in each storage, so it is built for each."""
        ids = data.draw(st.lists(st.sampled_from(IDS), unique=True, max_size=3))
        change = Change()
        for id in ids:
            change = _plus(change, self.part(data, id))
        extras = data.draw(st.lists(_extras, unique=True, max_size=3))
        for kind in extras:
            change = _plus(change, self.further(kind, data, frozenset(ids)))
        claim = data.draw(st.sampled_from(self.claims)) if "claim" in extras and self.claims else None
        lease = data.draw(st.sampled_from(self.leases)) if "lease" in extras and self.leases else None
        return lambda n: attrs.evolve(
            change,
            claims=(ClaimGuard(BOXES, claim[n].item.id, claim[n].fence),) if claim else (),
            leases=(LeaseGuard("nightly", lease[n].fence),) if lease else (),
        )

    def part(self, data: st.DataObject, id: str) -> Change:
        """Draw what happens to one box: decided from the present version, an old one, or one that never was."""
        known = [one for one in self.seen if one.id == id]
        was = data.draw(st.sampled_from([box(self.scope, id), *known, *known[-1:] * 4]))
        kind = data.draw(_parts)
        if kind == "remove":
            return Change(removals=(BOXES.remove(was),))
        if kind in {"guard", "absent"}:
            return Change(guards=(BOXES.unchanged(was) if kind == "guard" else BOXES.absent(id),))
        now = self.filled(was, data.draw(_contents))
        write: Write = BOXES.add(now) if kind == "add" else BOXES.change(was, now)
        self.seen.append(write.now)
        return Change(writes=(write,))

    def filled(self, was: Box, contents: dict[str, Any]) -> Box:
        """Answer a box with drawn contents, its times counted from now."""
        due, kept = contents.pop("due_in", None), contents.pop("kept_for", None)
        times: dict[str, Any] = {
            "due_at": None if due is None else self.now + due,
            "keep_until": None if kept is None else self.now + kept,
        }
        return attrs.evolve(was, **(times | contents))

    def further(self, kind: str, data: st.DataObject, spare: frozenset[str]) -> Change:
        """Draw a part that is no box."""
        number, key = next(self.told), data.draw(st.sampled_from(NAMES))
        until = self.now + data.draw(_offsets)
        owner = data.draw(st.sampled_from(OWNERS))
        parts: dict[str, Callable[[], Change]] = {
            "once": lambda: Change(once=(Once(namespace="toys", key=key, now=self.now, keep_until=until),)),
            "receipt": lambda: Change(
                receipt=Receipt(namespace="toys", key=key, body_hash=owner, result=b"%d" % number, keep_until=until)
            ),
            "event": lambda: Change(events=(happened(self.scope, f"e{number}", owner),)),
            "nobody's event": lambda: Change(events=(happened(self.scope, f"e{number}"),)),
            "message": lambda: Change(messages=(notice(self.scope, f"m-{key}"),)),
            "sweep": lambda: Change(sweeps=(Sweep(book=BOXES, group="owner", value=owner, spare=spare),)),
            "lid": lambda: Change(writes=(LIDS.add(lid(self.scope, f"l{number}", box=IDS[number % len(IDS)])),)),
        }
        return parts.get(kind, Change)()

    # What is there

    @invariant()
    def holds_the_same(self) -> None:
        """Compare all that can be seen."""
        self.same(lambda storage, scope, _: _contents_of(storage, scope))


def _plus(change: Change, part: Change) -> Change:
    """Put two parts side by side unchecked: whether they fit together is for the storage to say."""
    fields = {field.name: getattr(change, field.name) for field in attrs.fields(Change)}
    added = {name: held + getattr(part, name) for name, held in fields.items() if isinstance(held, tuple)}
    return Change(**added, receipt=change.receipt or part.receipt)


async def _settled(ask: Ask, storage: Storage, scope: Scope, n: int) -> Any:
    try:
        answer = await got(ask(storage, scope, n))
    except (Conflict, Rejected) as error:
        return type(error).__name__, error.args
    except Defect as error:
        return type(error).__name__
    return ("recorded", answer.numbers) if isinstance(answer, Recorded) else answer


async def _contents_of(storage: Storage, scope: Scope) -> dict[str, Any]:
    """Answer everything that a storage tells about the machine's realm."""
    store = storage.open(scope)
    contents: dict[str, Any] = {}
    for id in IDS:
        found = await got(store.find(BOXES, id, bring=(LIDS.newest("box"),)))
        brought: Lid | None = found[LIDS] if found else None
        contents[f"box {id}"] = (found.it, brought) if found else None
    for name in NAMES:
        for key in ("box_name", "box_nickname"):
            holder = await got(store.find(BOXES, name, key))
            contents[f"{key} {name}"] = holder.it.id if holder else None
    for owner in OWNERS:
        contents[f"of {owner}"] = await got(store.rows(BOXES, "owner", owner, None, 500))
        events = await got(store.rows(EVENTS, "subject", owner, None, 500))
        contents[f"told of {owner}"] = [(event.id, event.seq) for event in events.items]
        opened = await got(store.find(BOXES, owner, "open_box"))
        contents[f"open_box {owner}"] = opened.it.id if opened else None
    contents["picked"] = await got(store.pick(BOXES, IDS))
    contents["parked"] = await got(store.parked(BOXES, 10))
    return contents


def machine_against(open_storage: Callable[[], Storage], drive: Drive) -> type[RuleBasedStateMachine]:
    """Answer a machine that compares a storage with the one in memory.

    Args:
        open_storage: Answers the storage, opened with ``toys.TOYS``; each history has a realm of its own in it.
        drive: Drives coroutines in the storage's host, such as the fixture ``drive`` does.
    """
    return type("Machine", (_Machine,), {"open_storage": staticmethod(open_storage), "drive": staticmethod(drive)})


def run_machine(
    machine: type[RuleBasedStateMachine], histories: int = 20, steps: int = 25, *, shrink: bool = True
) -> None:
    """Run random histories; the first difference fails.

    Args:
        machine: What ``machine_against`` answered.
        histories: How many.
        steps: Of so many operations each.
        shrink: Whether to look for the shortest history with that difference.
    """
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        ),
    )
