"""The box of what could not be delivered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.relay import (
    DELIVERIES,
    Ack,
    Dead,
    DeadLetterUnknown,
    OnDead,
    Relay,
    RelayPolicy,
    TargetAnswer,
    TargetPolicy,
)
from shopaccounts.relay.model import DeliveryState

if TYPE_CHECKING:
    from tests.usecases.relay.conftest import Office


@attrs.define
class Picky:
    """A target that refuses for good until it is mended."""

    policy: TargetPolicy = attrs.field(factory=TargetPolicy)
    mended: bool = False
    heard: list[int | None] = attrs.field(factory=list)
    name: str = "crm"
    patterns: tuple[str, ...] = ("toys.*",)

    def publish(self, batch: Sequence[Envelope]) -> Sequence[TargetAnswer]:
        self.heard += [envelope.seq for envelope in batch]
        return [Ack() if self.mended else Dead("broken")] * len(batch)


async def boxed(relay: Relay) -> list[str]:
    return [letter.id for letter in (await relay.dead_letters()).items]


@pytest.mark.proves("REL-7")
@pytest.mark.parametrize("on_dead", list(OnDead))
async def test_what_is_put_back_is_tried_anew(office: "Office", on_dead: OnDead) -> None:
    crm = Picky(TargetPolicy(on_dead=on_dead))
    relay = office.relay(crm)
    await office.happen()
    await relay.deliver_pending()
    (id,) = await boxed(relay)
    crm.mended = True
    assert (await relay.deliver_pending()).handled == 0
    await relay.requeue([id])
    assert (await relay.deliver_pending()).published == 1
    assert await boxed(relay) == []
    assert crm.heard == [1, 1]


@pytest.mark.proves("REL-7")
async def test_after_a_parked_delivery_is_put_back_the_customers_events_come_in_order(office: "Office") -> None:
    crm = Picky(TargetPolicy(on_dead=OnDead.PARK))
    relay = office.relay(crm)
    await office.happen("c1", 3)
    await relay.deliver_pending()
    assert (crm.heard, await office.standing("crm")) == ([1], (2, 1))
    crm.mended = True
    await relay.requeue(await boxed(relay))
    await relay.deliver_pending()
    assert crm.heard == [1, 1, 2, 3]


@pytest.mark.proves("REL-7")
async def test_after_a_parked_delivery_is_thrown_away_the_customers_next_event_goes_on(office: "Office") -> None:
    crm = Picky(TargetPolicy(on_dead=OnDead.PARK))
    relay = office.relay(crm)
    await office.happen("c1", 2)
    await relay.deliver_pending()
    (id,) = await boxed(relay)
    await relay.discard_dead([id], "consumer_gone")
    crm.mended = True
    await relay.deliver_pending()
    found = await got(relay.store.find(DELIVERIES, id))
    assert found is not None
    assert (found.it.state, found.it.last_error) == (DeliveryState.DISCARDED, "consumer_gone")
    assert (crm.heard, await boxed(relay)) == ([1, 2], [])


@pytest.mark.proves("REL-7")
async def test_each_death_is_told_once(office: "Office") -> None:
    relay = office.relay(Picky())
    await office.happen()
    await relay.deliver_pending()
    gossip = office.relay(Picky(), attrs.evolve(Picky(), name="gossip", patterns=("*",)))
    await gossip.deliver_pending()
    for _ in range(3):
        await gossip.deliver_pending()
    assert sorted(letter.target for letter in (await gossip.dead_letters()).items) == ["crm"]


@pytest.mark.proves("REL-7")
async def test_a_death_is_an_event_that_others_hear_of_and_its_own_death_is_not(office: "Office") -> None:
    everything = attrs.evolve(Picky(), name="everything", patterns=("*",))
    relay = office.relay(everything)
    await office.happen()
    await relay.deliver_pending()
    names = [
        found.it.name
        for letter in (await relay.dead_letters()).items
        if (found := await got(relay.store.find(EVENTS, letter.event_id)))
    ]
    assert sorted(names) == ["relay.delivery_died", "toys.sold"]
    assert (await relay.deliver_pending()).handled == 0


@pytest.mark.proves("REL-7")
async def test_all_are_put_back_or_none(office: "Office") -> None:
    relay = office.relay(Picky())
    await office.happen()
    await relay.deliver_pending()
    (id,) = await boxed(relay)
    with pytest.raises(DeadLetterUnknown) as refused:
        await relay.requeue([id, "nobody:crm"])
    assert refused.value.delivery == "nobody:crm"
    with pytest.raises(DeadLetterUnknown):
        await relay.discard_dead([id, "nobody:crm"], "consumer_gone")
    assert await boxed(relay) == [id]


@pytest.mark.proves("REL-7")
async def test_a_customer_opens_no_box(office: "Office") -> None:
    relay = office.relay(Picky())
    await office.happen()
    await relay.deliver_pending()
    scope = attrs.evolve(office.scope, actor=Actor(ActorKind.CUSTOMER, "c1"))
    nosy = attrs.evolve(relay, desk=attrs.evolve(relay.desk, scope=scope))
    for attempt in (nosy.requeue(await boxed(relay)), nosy.discard_dead(await boxed(relay), "mine")):
        with pytest.raises(Forbidden):
            await attempt
    agent = attrs.evolve(office.scope, actor=Actor(ActorKind.AGENT, "a1"))
    await attrs.evolve(relay, desk=attrs.evolve(relay.desk, scope=agent)).requeue(await boxed(relay))


@pytest.mark.proves("REL-27")
async def test_no_more_than_500_are_put_back_at_once(office: "Office") -> None:
    with pytest.raises(InvalidInput):
        await office.relay(Picky()).requeue([str(number) for number in range(501)])


@pytest.mark.proves("REL-7", "REL-112")
async def test_a_parked_delivery_waits_for_a_person_however_long_and_keeps_its_event(office: "Office") -> None:
    relay = office.relay(Picky(TargetPolicy(on_dead=OnDead.PARK)), policy=RelayPolicy(spread=0))
    await office.happen()
    await relay.deliver_pending()
    office.clock.advance(timedelta(days=400))
    await relay.prune()
    (letter,) = (await relay.dead_letters()).items
    assert await got(relay.store.find(EVENTS, letter.event_id)) is not None


async def test_the_box_is_read_page_by_page(office: "Office") -> None:
    relay = office.relay(Picky())
    for account in ("c1", "c2", "c3"):
        await office.happen(account)
        office.clock.advance(timedelta(seconds=1))
    await relay.deliver_pending()
    first = await relay.dead_letters(limit=2)
    second = await relay.dead_letters(first.next, limit=2)
    assert [letter.subject for letter in (*first.items, *second.items)] == ["c1", "c2", "c3"]
    assert second.next is None


async def test_who_is_slower_than_another_person_is_told_so(office: "Office") -> None:
    relay = office.relay(Picky())
    await office.happen()
    await relay.deliver_pending()
    (id,) = await boxed(relay)
    await relay.requeue([id])
    with pytest.raises(DeadLetterUnknown):
        await relay.requeue([id])
