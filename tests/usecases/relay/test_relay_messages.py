"""Messages on their way to people."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import InvalidInput, StaleWrite, Unavailable
from shopaccounts.kernel.ids import StoreId, WorkerId
from shopaccounts.kernel.messages import MESSAGES, Channel, Message, MessageCategory, MessageState, Priority
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import SealContext, Sealed
from shopaccounts.relay import (
    LOGIN_REFUSED,
    Accepted,
    CourierAnswer,
    Delivered,
    PermanentFailure,
    Refusal,
    RelayPolicy,
    Rendered,
    TemporaryFailure,
)
from shopaccounts.serial import dump
from shopaccounts.testing.leaks import assert_no_leak

if TYPE_CHECKING:
    from tests.usecases.relay.conftest import Office

pytestmark = pytest.mark.filterwarnings("error")


async def event_names(office: "Office", subject: str = "c1") -> list[str]:
    page = await got(office.storage.open(office.scope).rows(EVENTS, "subject", subject, None, 500))
    return [envelope.name for envelope in page.items]


@pytest.mark.proves("MSG-2", "MSG-17", "REL-105", "REL-12")
async def test_a_message_is_worded_sent_and_wiped_in_one_go(office: "Office") -> None:
    written = await office.write()
    assert await office.relay().deliver_pending() == Delivered(sent=1, fanned_out=1)
    (sent,) = office.courier.sent
    assert (sent.id, sent.to, sent.channel) == (written.id, "anna@lampenhaus.example", Channel.EMAIL)
    assert sent.wording.text == "link=https://lampenhaus.example/#sa1.tic.ket shop=Lampenhaus"
    kept = await office.message(written.id)
    assert (kept.state, kept.sealed, kept.variables) == (MessageState.DELIVERED, None, {})
    assert kept.provider_id == "provider-1"
    assert await event_names(office) == ["relay.message_delivered"]
    assert office.courier.hung_up == 1


@pytest.mark.proves("MSG-2", "REL-105", "KER-203", "KER-161")
@pytest.mark.parametrize(
    "answer", [Accepted(), PermanentFailure(Refusal.UNDELIVERABLE), TemporaryFailure("mail.temporary")]
)
async def test_no_secret_and_no_address_is_left_in_any_row_nor_in_the_log(
    office: "Office", answer: CourierAnswer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "shopaccounts")
    planted = {"address": "anna@lampenhaus.example", "link": "https://lampenhaus.example/#sa1.tic.ket"}
    office.courier.answer = lambda _: answer
    written = await office.write(expires_at=office.clock.now() + timedelta(days=9))
    for _ in range(9):
        assert_no_leak(planted, [("row", dump(await office.message(written.id)))])
        await office.relay().deliver_pending()
        office.clock.advance(timedelta(days=1))
    store = office.storage.open(office.scope)
    kept = [*(await got(store.rows(EVENTS, "subject", "c1", None, 500))).items, await office.message(written.id)]
    assert not (await office.message(written.id)).is_open
    places = [(type(row).__name__, dump(row)) for row in kept]
    assert_no_leak(planted, [*places, ("log", caplog.text), ("repr", repr(office.courier.sent))])


@pytest.mark.proves("REL-106", "MSG-3")
async def test_a_decoy_is_ended_without_words_or_courier_and_differs_by_its_flag_only(office: "Office") -> None:
    decoy, real = await office.write(deliver=False, key="d"), await office.write(key="r")
    assert decoy.sealed is not None
    assert real.sealed is not None
    assert len(decoy.sealed.data) == len(real.sealed.data)
    different = {"id", "deliver", "sealed", "idempotency_key"}
    fields = [field.name for field in attrs.fields(Message) if field.name not in different]
    assert [getattr(decoy, name) for name in fields] == [getattr(real, name) for name in fields]
    assert await office.relay(templates=None).deliver_pending(1) == Delivered(unsent=1)
    assert office.courier.sent == []
    ended = await office.message(decoy.id)
    assert (ended.state, ended.end_reason, ended.sealed) == (MessageState.DISCARDED, "decoy", None)
    assert await event_names(office) == []


@pytest.mark.proves("REL-104", "MSG-3")
async def test_a_message_is_not_sent_from_the_end_of_its_life_on(office: "Office") -> None:
    written = await office.write(expires_at=office.clock.now() + timedelta(minutes=30))
    office.clock.advance(timedelta(minutes=30))
    assert (await office.relay().deliver_pending()).unsent == 1
    ended = await office.message(written.id)
    assert (ended.state, ended.sealed, office.courier.sent) == (MessageState.EXPIRED, None, [])
    assert await event_names(office) == ["relay.message_expired"]


@pytest.mark.proves("REL-104")
async def test_retries_end_with_the_life_of_the_secret_and_it_is_wiped_then(office: "Office") -> None:
    office.courier.answer = lambda _: TemporaryFailure("mail.temporary")
    written = await office.write(expires_at=office.clock.now() + timedelta(minutes=5))
    for _ in range(6):
        await office.relay().deliver_pending()
        office.clock.advance(timedelta(minutes=1))
    assert (await office.message(written.id)).state is MessageState.EXPIRED
    assert len(office.courier.sent) == 3


@pytest.mark.proves("REL-8")
async def test_a_message_is_tried_at_the_times_of_its_schedule_and_then_dead(office: "Office") -> None:
    started, tries = office.clock.now(), list[float]()

    def answer(message: Rendered) -> CourierAnswer:
        tries.append((message.at - started).total_seconds())
        return TemporaryFailure("mail.temporary")

    office.courier.answer = answer
    written = await office.write(expires_at=started + timedelta(days=9))
    relay = office.relay()
    while (message := await office.message(written.id)).is_open:
        office.clock.set(max(message.due_at, office.clock.now()))
        await relay.deliver_pending()
    assert tries == [0, 30, 150, 750, 4350, 25950, 112350]
    assert (message.state, message.end_reason, message.attempts) == (MessageState.DEAD, "mail.temporary", 7)
    assert await event_names(office) == ["relay.message_dropped"]


@pytest.mark.proves("REL-6")
async def test_what_is_urgent_goes_first_then_what_waited_longest(office: "Office") -> None:
    written: list[Message] = []
    for priority in (Priority.BULK, Priority.NORMAL, Priority.SECURITY, Priority.NORMAL):
        written.append(await office.write(priority=priority, variables={"p": priority.name}))
        office.clock.advance(timedelta(seconds=1))
    await office.relay().deliver_pending()
    order = [message.wording.text.rsplit("=", 1)[1] for message in office.courier.sent]
    assert order == ["SECURITY", "NORMAL", "NORMAL", "BULK"]
    assert [message.id for message in office.courier.sent[1:3]] == [written[1].id, written[3].id]


@pytest.mark.proves("REL-6")
async def test_a_worker_stops_before_its_lease_ends_and_gives_the_rest_back_uncounted(office: "Office") -> None:
    def slow(_: Rendered) -> CourierAnswer:
        office.clock.advance(timedelta(seconds=28))
        return Accepted()

    office.courier.answer = slow
    written = sorted([await office.write() for _ in range(3)], key=lambda message: message.id)
    assert (await office.relay(policy=RelayPolicy(page=3, spread=0)).deliver_pending(3)).sent == 2
    waiting = await office.message(written[2].id)
    assert (waiting.is_open, waiting.attempts) == (True, 0)
    assert (await office.relay(worker="w2").deliver_pending(1)).sent == 1


class _With:
    """A port with one method in place of its own."""

    def __init__(self, port: Any, **methods: Callable[..., Any]) -> None:
        self._port = port
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


@pytest.mark.proves("REL-103")
async def test_a_worker_whose_lease_has_passed_changes_nothing(office: "Office") -> None:
    written = await office.write()
    slow = office.relay(worker="slow")

    def overtaken(message: Rendered) -> CourierAnswer:
        office.courier.answer = lambda _: Accepted("second")
        office.clock.advance(timedelta(seconds=61))
        overtaking.append(message.id)
        return TemporaryFailure("mail.temporary")

    overtaking: list[str] = []
    office.courier.answer = overtaken
    original = slow.store.record

    async def late_record(change: Change) -> Any:
        if overtaking:
            overtaking.clear()
            await office.relay(worker="fast").deliver_pending(1)
        return await got(original(change))

    answer = await attrs.evolve(slow, store=_With(slow.store, record=late_record)).deliver_pending(1)
    assert answer.lost == 1
    assert (await office.message(written.id)).provider_id == "second"


@pytest.mark.proves("REL-103")
async def test_a_worker_whose_item_was_claimed_by_another_changes_nothing(office: "Office") -> None:
    written = await office.write()
    slow = office.relay(worker="slow")
    policy, original = slow.policy, slow.store.record

    async def late_record(change: Change) -> Any:
        office.clock.advance(timedelta(seconds=61))
        claimed = await got(slow.store.claim_due(MESSAGES, office.clock.now(), 1, policy.lease, WorkerId("fast")))
        assert [claim.item.id for claim in claimed] == [written.id]
        return await got(original(change))

    answer = await attrs.evolve(slow, store=_With(slow.store, record=late_record)).deliver_pending(1)
    assert answer == Delivered(lost=1)
    assert (await office.message(written.id)).is_open


async def test_what_becomes_of_a_message_is_told_in_the_name_of_its_own_store(office: "Office") -> None:
    elsewhere = attrs.evolve(office, scope=attrs.evolve(office.scope, store=StoreId("outlet")))
    await elsewhere.write()
    await office.relay().deliver_pending()
    page = await got(office.storage.open(office.scope).rows(EVENTS, "subject", "c1", None, 9))
    assert [envelope.store for envelope in page.items] == ["outlet"]


@pytest.mark.proves("REL-109", "MSG-6", "REL-27")
async def test_one_messages_failure_never_blocks_the_others(office: "Office") -> None:
    def answer(message: Rendered) -> CourierAnswer:
        if "boom" in message.wording.text:
            raise OSError(message.to)
        return Accepted()

    office.courier.answer = answer
    bad = [
        await office.write(template="toys.missing"),
        await office.write(template="toys.broken"),
        await office.write(variables={"toy": "boom"}),
        await office.write(channel=Channel.SMS),
    ]
    good = await office.write(priority=Priority.BULK)
    assert await office.relay().deliver_pending(5) == Delivered(sent=1, postponed=4)
    assert [(await office.message(message.id)).end_reason for message in bad] == [
        "relay.template_unknown",
        "relay.raised:ZeroDivisionError",
        "relay.raised:OSError",
        "relay.no_courier",
    ]
    assert (await office.message(good.id)).state is MessageState.DELIVERED


@pytest.mark.proves("REL-27", "KER-164", "KER-167")
async def test_a_message_that_can_not_be_opened_dies_and_never_blocks_its_page(office: "Office") -> None:
    written = await office.write()
    foreign = AesVault(RootKeyring([Secret(b"f" * 32)]), office.entropy)
    assert (await office.relay(vault=office.port(foreign)).deliver_pending(1)).failed == 1
    dead = await office.message(written.id)
    assert (dead.state, dead.end_reason, dead.sealed) == (MessageState.DEAD, "relay.unreadable", None)
    assert await event_names(office) == ["relay.message_dropped"]


@pytest.mark.proves("KER-162", "REL-105")
async def test_the_sealed_part_of_another_message_does_not_open(office: "Office") -> None:
    one, other = await office.write(), await office.write(to="eve@lampenhaus.example")
    store = office.storage.open(office.scope)
    swapped = MESSAGES.change(one, attrs.evolve(one, sealed=other.sealed))
    await got(store.record(Change(writes=(swapped,))))
    await office.relay().deliver_pending()
    assert [message.to for message in office.courier.sent] == ["eve@lampenhaus.example"]
    assert (await office.message(one.id)).end_reason == "relay.unreadable"


async def test_a_vault_that_does_not_answer_is_asked_again_later(office: "Office") -> None:
    class Down(AesVault):
        def open(self, sealed: Sealed, about: SealContext) -> Secret[bytes]:
            raise Unavailable(reason=f"no {about.ring.value} for {sealed}")

    written = await office.write()
    relay = office.relay(vault=office.port(Down(RootKeyring([Secret(b"r" * 32)]), office.entropy)))
    assert (await relay.deliver_pending()).postponed == 1
    assert (await office.message(written.id)).is_open


@pytest.mark.proves("MSG-12", "MSG-17")
async def test_a_refused_login_is_tried_once_for_a_page_and_raises_one_alarm(office: "Office") -> None:
    office.courier.answer = lambda _: TemporaryFailure(LOGIN_REFUSED)
    for _ in range(3):
        await office.write(subject="")
    heard = office.relay()
    assert (await heard.deliver_pending(3)).postponed == 3
    assert len(office.courier.sent) == 1
    claimed = await got(heard.store.claim_due(EVENTS, office.clock.now(), 9, timedelta(60), heard.worker))
    assert [claim.item.name for claim in claimed] == ["relay.courier_refused_login"]


@pytest.mark.proves("MSG-5", "REL-110")
async def test_a_message_that_is_sent_again_after_a_crash_has_the_same_id(office: "Office") -> None:
    written = await office.write()
    relay = office.relay()

    def stops(_: Change) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await attrs.evolve(relay, store=_With(relay.store, record=stops)).deliver_pending()
    office.clock.advance(timedelta(seconds=60))
    await relay.deliver_pending()
    assert [message.id for message in office.courier.sent] == [written.id, written.id]


@pytest.mark.proves("REL-12", "REL-27")
async def test_a_negative_limit_is_refused_and_none_does_nothing(office: "Office") -> None:
    await office.write()
    with pytest.raises(InvalidInput):
        await office.relay().deliver_pending(-1)
    assert await office.relay().deliver_pending(0) == Delivered()


@pytest.mark.proves("MSG-1", "MSG-18")
async def test_the_same_cause_writes_one_message(office: "Office") -> None:
    await office.write(key="reset:c1")
    with pytest.raises(StaleWrite) as refused:
        await office.write(key="reset:c1")
    assert refused.value.kind == "messages"


@pytest.mark.proves("MSG-17", "REL-108")
async def test_a_bounce_is_told_with_its_kind(office: "Office") -> None:
    office.courier.answer = lambda _: PermanentFailure(Refusal.UNDELIVERABLE)
    written = await office.write(category=MessageCategory.SECURITY)
    assert (await office.relay().deliver_pending()).failed == 1
    assert (await office.message(written.id)).end_reason == "undeliverable"
    assert await event_names(office) == ["relay.message_bounced"]


async def test_a_courier_that_can_not_hang_up_fails_nothing(office: "Office") -> None:
    class Clinging(type(office.courier)):  # type: ignore[misc]
        def hang_up(self) -> None:
            raise OSError

    await office.write()
    relay = office.relay(couriers={Channel.EMAIL: office.port(Clinging())})
    assert (await relay.deliver_pending()).sent == 1
