"""Events on their way to those who want to hear of them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.adapters.subscribers import CallableTarget, Ignore
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import EventId, WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.relay import (
    DELIVERIES,
    Ack,
    Dead,
    Delivered,
    OnDead,
    RelayPolicy,
    Retry,
    TargetAnswer,
    TargetPolicy,
    TargetStatus,
    handled_once,
)
from shopaccounts.testing.crashes import Crash, CrashAt, Side

if TYPE_CHECKING:
    from tests.usecases.relay.conftest import Office


REASON = "not ours"
ADDRESS = "anna@lampenhaus.example"


@attrs.define
class Listener:
    """A target that hears events, and answers what it is told to answer."""

    name: str = "crm"
    patterns: tuple[str, ...] = ("toys.*",)
    answer: Any = lambda _: Ack()
    policy: TargetPolicy = attrs.field(factory=TargetPolicy)
    heard: list[Envelope] = attrs.field(factory=list)
    batches: list[int] = attrs.field(factory=list)

    def publish(self, batch: Sequence[Envelope]) -> Sequence[TargetAnswer]:
        self.batches.append(len(batch))
        self.heard += batch
        return [self.answer(envelope) for envelope in batch]

    def places(self) -> list[tuple[str, int | None]]:
        return [(envelope.subject, envelope.seq) for envelope in self.heard]


@pytest.mark.proves("REL-1", "REL-12", "REL-101")
async def test_an_event_reaches_each_target_that_wants_it_once(office: "Office") -> None:
    crm, erp = Listener(), Listener("erp", ("lamps.*",))
    await office.happen()
    assert await office.relay(crm, erp).deliver_pending() == Delivered(fanned_out=1, published=1)
    assert await office.relay(crm, erp).deliver_pending() == Delivered()
    assert ([envelope.name for envelope in crm.heard], erp.heard) == (["toys.sold"], [])


@pytest.mark.proves("REL-1", "REL-101")
async def test_what_was_not_recorded_is_told_to_nobody(office: "Office") -> None:
    crm = Listener()
    crash = CrashAt(1, Side.BEFORE)
    desk = office.desk
    broken = attrs.evolve(desk, records=crash(desk.records))
    await office.happen()
    event = (await got(desk.records.rows(EVENTS, "subject", "c1", None, 9))).items[0]
    with pytest.raises(Crash):
        await broken.record(Change(events=(attrs.evolve(event, event_id=EventId("other"), seq=None),)))
    await office.relay(crm).deliver_pending()
    assert [envelope.event_id for envelope in crm.heard] == [event.event_id]


@pytest.mark.proves("REL-3", "REL-5", "REL-102")
async def test_the_events_of_one_customer_come_in_order_and_without_gaps(office: "Office") -> None:
    crm = Listener()
    for account in ("c1", "c2", "c1", "c1", "c2"):
        await office.happen(account)
    await office.relay(crm).deliver_pending()
    assert [place for place in crm.places() if place[0] == "c1"] == [("c1", 1), ("c1", 2), ("c1", 3)]
    assert [place for place in crm.places() if place[0] == "c2"] == [("c2", 1), ("c2", 2)]


@pytest.mark.proves("REL-5")
async def test_an_event_waits_for_the_one_before_it_at_the_same_target_only(office: "Office") -> None:
    crm = Listener(answer=lambda envelope: Retry("late") if envelope.subject == "c1" and not late else Ack())
    erp = Listener("erp")
    late: list[int] = []
    await office.happen("c1", 2)
    await office.happen("c2")
    relay = office.relay(crm, erp)
    await relay.deliver_pending()
    assert sorted(crm.places()) == [("c1", 1), ("c2", 1)]
    assert sorted(erp.places()) == [("c1", 1), ("c1", 2), ("c2", 1)]
    late.append(1)
    office.clock.advance(timedelta(seconds=30))
    await relay.deliver_pending()
    assert crm.places()[2:] == [("c1", 1), ("c1", 2)]


@pytest.mark.proves("REL-3")
async def test_events_of_nobody_are_not_ordered_and_wait_for_none(office: "Office") -> None:
    crm = Listener(answer=lambda _: Retry("late"))
    await office.happen(None, 3)
    assert (await office.relay(crm).deliver_pending()).postponed == 3
    assert crm.places() == [("", None)] * 3


@pytest.mark.proves("REL-4")
async def test_an_event_that_is_recorded_late_with_an_early_time_is_not_passed_over(office: "Office") -> None:
    crm = Listener()
    await office.happen("c1")
    (event,) = (await got(office.desk.records.rows(EVENTS, "subject", "c1", None, 9))).items
    relay = office.relay(crm)
    await relay.deliver_pending()
    early = event.recorded_at - timedelta(days=1)
    late = attrs.evolve(event, event_id=EventId("0"), seq=None, recorded_at=early, version=1)
    await got(office.desk.records.record(Change(events=(late,))))
    await relay.deliver_pending()
    assert [envelope.event_id for envelope in crm.heard] == [event.event_id, "0"]


@pytest.mark.proves("REL-4")
async def test_a_target_that_is_added_later_starts_from_then(office: "Office") -> None:
    await office.happen()
    await office.relay().deliver_pending()
    crm = Listener()
    relay = office.relay(crm)
    await relay.deliver_pending()
    assert crm.heard == []
    await office.happen()
    await relay.deliver_pending()
    assert crm.places() == [("c1", 2)]


@pytest.mark.proves("REL-2", "REL-103", "REL-110")
@pytest.mark.parametrize("side", list(Side))
async def test_wherever_a_worker_stops_the_rest_is_finished_with_the_same_ids(office: "Office", side: Side) -> None:
    counting = CrashAt(None)
    crm = Listener()
    await office.happen("c1", 2)
    await attrs.evolve(office.relay(crm), store=counting(office.storage.open(office.scope))).deliver_pending()
    for call in range(1, counting.calls + 1):
        heard = Listener()
        await office.happen("c1", 2)
        relay = office.relay(heard)
        with pytest.raises(Crash):
            await attrs.evolve(relay, store=CrashAt(call, side)(relay.store)).deliver_pending()
        office.clock.advance(timedelta(seconds=60))
        await relay.deliver_pending()
        first_time = list(dict.fromkeys(heard.places()))
        assert [seq for _, seq in first_time] == [2 * call + 1, 2 * call + 2]
        assert await office.standing("crm") == (0, 0)


@pytest.mark.proves("REL-103")
@pytest.mark.parametrize("book", [EVENTS, DELIVERIES])
async def test_a_worker_whose_item_was_claimed_by_another_changes_nothing(office: "Office", book: Any) -> None:
    await office.happen()
    slow = office.relay(Listener(), worker="slow")
    lease = slow.policy.lease

    class Overtaken:
        def __getattr__(self, name: str) -> Any:
            return getattr(slow.store, name)

        async def record_page(self, changes: Sequence[Change]) -> Any:
            if changes[0].claims[0].book.name == book.name:
                office.clock.advance(timedelta(seconds=61))
                claimed = await got(slow.store.claim_due(book, office.clock.now(), 1, lease, WorkerId("fast")))
                assert len(claimed) == 1
            return await got(slow.store.record_page(changes))

    done = await attrs.evolve(slow, store=Overtaken()).deliver_pending()
    assert (done.lost, done.published) == (1, 0)
    office.clock.advance(timedelta(seconds=61))
    assert (await slow.deliver_pending()).published == 1


@pytest.mark.proves("REL-6")
async def test_a_worker_stops_before_its_lease_ends_and_gives_events_back_uncounted(office: "Office") -> None:
    def slow(_: Envelope) -> TargetAnswer:
        office.clock.advance(timedelta(seconds=28))
        return Ack()

    crm = Listener(answer=slow)
    for account in ("c1", "c2", "c3"):
        await office.happen(account)
    relay, claimed = office.relay(crm, policy=RelayPolicy(page=3, spread=0)), list[list[tuple[str, int]]]()

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(relay.store, name)

        async def claim_due(self, book: Any, *args: Any) -> Any:
            claims = await got(relay.store.claim_due(book, *args))
            if book.name == DELIVERIES.name and claims:
                claimed.append([(claim.item.subject, claim.attempts) for claim in claims])
            return claims

    done = await attrs.evolve(relay, store=Watched()).deliver_pending(6)
    assert done.published == 3
    assert claimed == [[("c1", 0), ("c2", 0), ("c3", 0)], [("c3", 0)]]


@pytest.mark.proves("REL-8", "REL-7", "REL-28")
async def test_a_delivery_is_tried_at_the_times_of_its_schedule_and_then_dead(office: "Office") -> None:
    started, tries = office.clock.now(), list[float]()

    def answer(_: Envelope) -> TargetAnswer:
        tries.append((office.clock.now() - started).total_seconds())
        return Retry("late")

    relay = office.relay(Listener(answer=answer))
    await office.happen()
    await relay.deliver_pending()
    while page := (await got(relay.store.rows(DELIVERIES, "standing", "open", None, 9))).items:
        office.clock.set(page[0].due_at)
        await relay.deliver_pending()
    assert tries == [0, 30, 150, 750, 4350, 25950, 112350]
    assert await office.standing("crm") == (0, 1)


@pytest.mark.proves("REL-27")
@pytest.mark.parametrize("answers", [[], [Ack(), Ack()], ["ok"], [None]])
async def test_a_target_that_answers_what_it_should_not_is_tried_again(office: "Office", answers: Any) -> None:
    class Broken(Listener):
        def publish(self, batch: Sequence[Envelope]) -> Any:
            self.batches.append(len(batch))
            return answers

    await office.happen()
    relay = office.relay(Broken())
    assert (await relay.deliver_pending()).postponed == 1
    (waiting,) = (await got(relay.store.rows(DELIVERIES, "standing", "open", None, 9))).items
    assert waiting.last_error == "relay.bad_target"


@pytest.mark.proves("REL-9", "REL-109")
async def test_a_target_that_raises_is_tried_again_and_harms_no_other(office: "Office") -> None:
    def explode(_: Envelope) -> TargetAnswer:
        raise ConnectionError(ADDRESS)

    erp = Listener("erp")
    await office.happen()
    relay = office.relay(Listener(answer=explode), erp)
    done = await relay.deliver_pending()
    assert (done.published, done.postponed) == (1, 1)
    (waiting,) = (await got(relay.store.rows(DELIVERIES, "standing", "open", None, 9))).items
    assert waiting.last_error == "relay.raised:ConnectionError"


async def test_a_target_gets_as_many_at_once_as_it_wants(office: "Office") -> None:
    crm, erp = Listener(policy=TargetPolicy(batch=2)), Listener("erp")
    for account in ("c1", "c2", "c3"):
        await office.happen(account)
    await office.relay(crm, erp).deliver_pending()
    assert (crm.batches, erp.batches) == ([2, 1], [1, 1, 1])


async def test_a_delivery_to_a_target_that_is_not_here_waits_and_then_lies_in_the_box(office: "Office") -> None:
    await office.happen()
    await office.relay(Listener(answer=lambda _: Retry("late"))).deliver_pending()
    other = office.relay()
    for _ in range(9):
        office.clock.advance(timedelta(days=1))
        await other.deliver_pending()
    assert [letter.last_error for letter in (await other.dead_letters()).items] == ["relay.target_unknown"]


async def test_a_delivery_whose_event_was_erased_is_given_up(office: "Office") -> None:
    await office.happen()
    relay = office.relay(Listener(answer=lambda _: Retry("late")))
    await relay.deliver_pending()
    (event,) = (await got(relay.store.rows(EVENTS, "subject", "c1", None, 9))).items
    await got(relay.store.record(Change(removals=(EVENTS.remove(event),))))
    office.clock.advance(timedelta(minutes=1))
    assert await relay.deliver_pending() == Delivered(discarded=1)


@pytest.mark.proves("REL-27")
def test_two_targets_of_one_name_are_refused(office: "Office") -> None:
    with pytest.raises(BadPolicy):
        office.relay(Listener(), Listener())
    with pytest.raises(BadPolicy):
        office.relay(Listener(patterns=()))


@pytest.mark.proves("REL-13")
async def test_the_status_tells_what_waits_for_each_target_and_since_when(office: "Office") -> None:
    started = office.clock.now()
    crm = Listener(answer=lambda e: Dead("broken") if e.subject == "c3" else Retry("late"))
    await office.happen("c1")
    office.clock.advance(timedelta(seconds=5))
    for account in ("c2", "c3"):
        await office.happen(account)
    relay = office.relay(crm, Listener("erp"))
    await relay.deliver_pending()
    assert (await relay.status()).targets == (
        TargetStatus(target="crm", pending=2, dead=1, oldest=started),
        TargetStatus(target="erp"),
    )


@pytest.mark.proves("REL-13", "REL-112")
async def test_pruning_keeps_what_a_target_still_waits_for_and_dead_letters_for_longer(office: "Office") -> None:
    answers: dict[str, TargetAnswer] = {"c1": Ack(), "c2": Dead("broken"), "c3": Ack()}
    crm = Listener(answer=lambda envelope: answers[envelope.subject])
    relay = office.relay(crm)
    for account in answers:
        await office.happen(account)
        await relay.deliver_pending()
        office.clock.advance(timedelta(seconds=1))

    async def kept() -> list[str]:
        pages = [await got(relay.store.rows(EVENTS, "subject", account, None, 9)) for account in answers]
        return [account for account, page in zip(answers, pages, strict=True) if page.items]

    office.clock.advance(timedelta(days=29))
    assert await relay.prune() == 0
    office.clock.advance(timedelta(days=2))
    assert await relay.prune() > 0
    assert await kept() == ["c2", "c3"]
    assert [letter.subject for letter in (await relay.dead_letters()).items] == ["c2"]
    office.clock.advance(timedelta(days=60))
    await relay.prune()
    assert await kept() == []
    assert (await relay.dead_letters()).items == ()
    assert await relay.prune() == 0


@pytest.mark.proves("REL-13")
async def test_pruning_removes_messages_that_have_ended(office: "Office") -> None:
    written = await office.write(subject="")
    relay = office.relay()
    await relay.deliver_pending()
    office.clock.advance(timedelta(days=31))
    assert await relay.prune() == 2
    with pytest.raises(AssertionError):
        await office.message(written.id)


# Python functions


@pytest.mark.proves("REL-15", "REL-11")
async def test_a_function_is_told_the_event_as_todays_class(office: "Office", host: str) -> None:
    told: list[Any] = []
    await office.happen()
    if host == "async":

        async def later(event: Any, envelope: Envelope) -> None:
            told.append((event, envelope.seq))

        relay = office.relay(CallableTarget("crm", ("toys.sold",), later))
    else:
        relay = office.relay(CallableTarget("crm", ("toys.sold",), lambda e, envelope: told.append((e, envelope.seq))))
    assert (await relay.deliver_pending()).published == 1
    ((event, seq),) = told
    assert (type(event).__name__, event.account, event.toy, event.at, seq) == (
        "ToySold", "c1", "kite", office.clock.now(), 1,
    )  # fmt: skip


@pytest.mark.proves("REL-9")
async def test_a_function_that_ignores_an_event_is_not_told_again_and_one_that_raises_is(office: "Office") -> None:
    def ignores(*_: object) -> None:
        raise Ignore(REASON)

    def raises(*_: object) -> None:
        raise ValueError

    await office.happen()
    relay = office.relay(CallableTarget("crm", ("*",), ignores), CallableTarget("erp", ("*",), raises))
    assert await relay.deliver_pending() == Delivered(fanned_out=1, published=1, postponed=1)


@pytest.mark.proves("REL-10", "REL-2")
async def test_a_function_that_writes_here_has_its_effect_once_however_often_it_is_told(office: "Office") -> None:
    desk, told, effects = office.desk, list[str](), list[str]()

    async def rewards(_: Any, envelope: Envelope) -> None:
        told.append(envelope.event_id)
        await desk.record(Change(once=(handled_once("rewards", envelope, desk.now()),)))
        effects.append(envelope.event_id)

    await office.happen()
    relay = office.relay(CallableTarget("rewards", ("toys.*",), rewards))
    crashing = attrs.evolve(relay, store=_dies_on_settling(relay.store))
    with pytest.raises(Crash):
        await crashing.deliver_pending()
    office.clock.advance(timedelta(minutes=1))
    assert (await relay.deliver_pending()).published == 1
    assert (len(told), len(effects)) == (2, 1)


def _dies_on_settling(store: Any) -> Any:
    """Stop before the second page is recorded: the first one is the fan-out."""

    class Dying:
        pages = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def record_page(self, changes: Any) -> Any:
            self.pages += 1
            if self.pages > 1:
                raise Crash
            return store.record_page(changes)

    return Dying()


@pytest.mark.proves("REL-7")
async def test_a_dead_delivery_lets_the_customers_next_event_pass_or_holds_it_as_the_target_wants(
    office: "Office",
) -> None:
    skips = Listener("skips", answer=lambda e: Dead("broken") if e.seq == 1 else Ack())
    parks = Listener("parks", answer=lambda e: Dead("broken") if e.seq == 1 else Ack())
    parks.policy = TargetPolicy(on_dead=OnDead.PARK)
    await office.happen("c1", 2)
    await office.happen("c2", 2)
    parks.answer = lambda e: Dead("broken") if e.subject == "c1" else Ack()
    await office.relay(skips, parks).deliver_pending()
    assert ("c1", 2) in skips.places()
    assert [place for place in parks.places() if place[0] == "c1"] == [("c1", 1)]
    assert [place for place in parks.places() if place[0] == "c2"] == [("c2", 1), ("c2", 2)]
