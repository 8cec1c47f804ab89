"""What nobody proves goes away, and blocks nobody until then."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, LifecyclePolicy
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.registration import ATTEMPTS, ContactLinkInvalid, ContactLinkStale, RegistrationForm
from shopaccounts.signin import SESSIONS, SignInRefused
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
FORM = RegistrationForm(identifier=ANN, password=PASSWORD)
WORKER = WorkerId("test")


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.mark.proves("REG-22", "CUS-11")
async def test_an_account_that_nobody_proved_is_empty_after_thirty_days(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(days=30) - timedelta(microseconds=1))
    assert await shop.registration.expire_unproven(100, WORKER) == 0
    builder.clock.advance(timedelta(microseconds=1))
    assert await shop.registration.expire_unproven(100, WORKER) == 1
    (customer,) = rows(builder, CUSTOMERS)
    assert customer.status is AccountStatus.ERASED
    assert (customer.contacts, customer.former_contacts, customer.locale) == ((), (), None)
    assert rows(builder, EVENTS)[-1].name == "registration.attempt_expired"
    assert await shop.registration.expire_unproven(100, WORKER) == 0
    assert (await shop.open_account(ANN)).id != customer.id


@pytest.mark.proves("REG-22")
async def test_a_link_that_outlives_its_account_opens_nothing(host) -> None:
    builder = ShopBuilder(
        host=host, policies=quick_policies(lifecycle=LifecyclePolicy(unverified_after=timedelta(hours=1)))
    )
    shop = builder.build()
    await shop.registration.register(FORM, HERE)
    link = builder.mailbag.last.token
    builder.clock.advance(timedelta(hours=1))
    await shop.registration.expire_unproven(100, WORKER)
    with pytest.raises(ContactLinkStale):
        await shop.registration.take_over_contact(link, PASSWORD, HERE)


@pytest.mark.proves("REG-22")
async def test_a_proven_account_never_lapses(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(days=400))
    assert await shop.registration.expire_unproven(100, WORKER) == 0
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.ACTIVE


@pytest.mark.proves("REG-22")
async def test_lapsing_goes_page_by_page(shop, builder) -> None:
    for number in range(5):
        await shop.registration.register(attrs.evolve(FORM, identifier=f"ann{number}@lamp.example"), HERE)
    builder.clock.advance(timedelta(days=31))
    done = [await shop.registration.expire_unproven(2, WORKER) for _ in range(4)]
    assert done == [2, 2, 1, 0]


@pytest.mark.proves("REG-22")
async def test_the_secrets_of_an_attempt_go_when_its_link_ends(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(hours=24))
    await shop.upkeep.tick()
    assert rows(builder, ATTEMPTS), "the last moment of a link is still its own"
    builder.clock.advance(timedelta(microseconds=1))
    report = await shop.upkeep.tick()
    assert not rows(builder, ATTEMPTS)
    assert (report.purged, report.finished) == (1, True)


@pytest.mark.proves("REG-13", "CUS-14")
async def test_who_waits_for_proof_does_not_sign_in(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert not rows(builder, SESSIONS)
    assert not rows(builder, SECURITY)


@pytest.mark.proves("REG-13")
async def test_who_waits_for_proof_and_asks_for_a_reset_gets_the_proof_again(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    first = builder.mailbag.last
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.deliver) == ("registration.verify_contact", ANN, True)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.peek_contact(first.token, HERE)
    await shop.registration.take_over_contact(letter.token, "my own lamps by the river", HERE)
    assert [ticket.subject for ticket in rows(builder, TICKETS)] == [""], "a decoy belongs to nobody"


@pytest.mark.proves("REG-13")
async def test_the_proof_comes_again_although_the_attempt_is_gone(shop, builder) -> None:
    await shop.registration.register(attrs.evolve(FORM, locale="de"), HERE)
    builder.clock.advance(timedelta(days=3))
    await shop.upkeep.tick()
    assert not rows(builder, ATTEMPTS)
    await shop.recovery.request_reset(ANN, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.message.locale) == ("registration.verify_contact", "de")
    await shop.registration.take_over_contact(letter.token, "my own lamps by the river", HERE)


async def test_tickets_and_sessions_stay_for_a_month_after_their_end(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    builder.clock.advance(timedelta(days=30, hours=1))
    await shop.upkeep.tick()
    assert rows(builder, TICKETS)
    assert rows(builder, SESSIONS)
    builder.clock.advance(timedelta(days=1))
    await shop.upkeep.tick()
    assert not rows(builder, TICKETS)
    assert not rows(builder, SESSIONS)


async def test_upkeep_stops_when_its_time_is_over(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(days=31))
    report = await shop.upkeep.tick(budget=timedelta(0))
    assert not report.finished
    assert report.worked == 1


def test_an_account_waits_for_a_while() -> None:
    with pytest.raises(BadPolicy):
        LifecyclePolicy(unverified_after=timedelta(0))
