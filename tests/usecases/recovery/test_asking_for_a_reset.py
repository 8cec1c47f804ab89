"""Asking for a reset: what goes out for each way an address may stand with the shop; asking itself changes nothing."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, Standing, Trigger
from shopaccounts.kernel.contact import EmailInvalid
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport, InvalidInput, Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.recovery import ResetLinkInvalid, ResetLinkStale, ResetPolicy
from shopaccounts.signin import Resumed
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
SENT = {
    "pending": "registration.verify_contact",
    "active": "recovery.reset_password",
    "no password": "recovery.reset_password",
    "suspended": "recovery.account_suspended",
    "closing": "registration.account_closing",
}


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.mark.proves("RCV-2")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_each_situation_has_its_message_or_a_decoy(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    before = len(builder.mailbag.letters)
    answer = await shop.recovery.request_reset(ANN, HERE)
    (letter,) = builder.mailbag.letters[before:]
    assert (letter.template, letter.deliver) == (SENT.get(situation, "recovery.reset_password"), situation in SENT)
    (ticket,) = rows(builder, TICKETS)
    assert bool(ticket.subject) == (situation in {"active", "no password"}), "a decoy belongs to nobody"
    assert (answer.channel, answer.masked, answer.resend_after) == (
        Channel.EMAIL,
        "a***@lamp.example",
        timedelta(seconds=60),
    )


@pytest.mark.proves("RCV-2", "CUS-16")
@pytest.mark.parametrize("status", AccountStatus)
async def test_only_an_active_account_gets_a_reset_link(shop, builder, status) -> None:
    account = await shop.open_account(ANN)
    standing = Standing(status=status)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, standing=standing))
    await shop.recovery.request_reset(ANN, HERE)
    (ticket,) = rows(builder, TICKETS)
    assert ticket.subject == (account.id if status is AccountStatus.ACTIVE else ""), "a decoy belongs to nobody"
    told = {event.name for event in rows(builder, EVENTS)}
    names = {"recovery.reset_requested", "recovery.reset_asked_in_vain"}
    assert told & names == {f"recovery.reset_{'requested' if ticket.subject else 'asked_in_vain'}"}


@pytest.mark.proves("RCV-2", "KER-250")
async def test_a_decoy_is_written_like_a_real_message_and_its_link_opens_nothing(shop, builder) -> None:
    await shop.open_account(ANN)
    for address in (ANN, "nobody@lamp.example"):
        await shop.recovery.request_reset(address, HERE)
    real, decoy = builder.mailbag.letters[-2:]
    assert (real.deliver, decoy.deliver) == (True, False)
    assert (real.template, real.variables) == (decoy.template, decoy.variables)
    assert {name: len(value) for name, value in real.secrets.items()} == {n: len(v) for n, v in decoy.secrets.items()}
    with pytest.raises(ResetLinkInvalid):
        await shop.recovery.peek_reset(decoy.token, HERE)


@pytest.mark.proves("RCV-3")
@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s != "pending"])
async def test_asking_changes_nothing_about_the_account(shop, builder, situation) -> None:
    account = await shop.arrange(situation, ANN)
    before = [await builder.kept(book, account or "") for book in (CUSTOMERS, SECURITY, PASSWORDS)]
    await shop.recovery.request_reset(ANN, HERE)
    assert [await builder.kept(book, account or "") for book in (CUSTOMERS, SECURITY, PASSWORDS)] == before


@pytest.mark.proves("RCV-3")
async def test_the_session_goes_on_while_somebody_asks(shop) -> None:
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, request_from("203.0.113.9"))
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)


@pytest.mark.proves("RCV-3", "KER-206")
@pytest.mark.parametrize("trigger", [None, Trigger.SUSPEND, Trigger.REQUEST_CLOSING])
async def test_mail_goes_to_the_spelling_that_was_proven_and_never_to_what_was_typed(shop, builder, trigger) -> None:
    account = await shop.open_account("Ann@lamp.example")
    if trigger:
        await builder.step(account.id, trigger)
    await shop.recovery.request_reset("aNN@LAMP.EXAMPLE", HERE)
    assert builder.mailbag.last.to == "Ann@lamp.example"


@pytest.mark.proves("RCV-2")
async def test_an_owner_hears_once_a_day_that_the_account_is_suspended(shop, builder) -> None:
    await shop.arrange("suspended", ANN)
    sent = []
    for _ in range(3):
        await shop.recovery.request_reset(ANN, HERE)
        sent.append(builder.mailbag.last.deliver)
        builder.clock.advance(timedelta(minutes=30))
    assert sent == [True, False, False]
    builder.clock.advance(timedelta(hours=22, minutes=30) - timedelta(microseconds=1))
    await shop.recovery.request_reset(ANN, HERE)
    assert not builder.mailbag.last.deliver
    builder.clock.advance(timedelta(minutes=1))
    await shop.upkeep.tick()
    await shop.recovery.request_reset(ANN, HERE)
    assert (builder.mailbag.last.template, builder.mailbag.last.deliver) == ("recovery.account_suspended", True)


@pytest.mark.proves("RCV-2")
async def test_a_second_word_of_suspension_comes_after_a_day_without_upkeep_too(shop, builder) -> None:
    await shop.arrange("suspended", ANN)
    for _ in range(2):
        await shop.recovery.request_reset(ANN, HERE)
        assert builder.mailbag.last.deliver
        builder.clock.advance(timedelta(days=1))


@pytest.mark.proves("RCV-2")
async def test_a_suspension_that_is_over_stops_no_reset(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.step(account.id, Trigger.SUSPEND, builder.clock.now() + timedelta(hours=1))
    builder.clock.advance(timedelta(hours=1))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)


@pytest.mark.proves("KER-235")
async def test_a_newer_link_takes_the_place_of_the_older(shop, builder) -> None:
    await shop.open_account(ANN)
    links = []
    for _ in range(2):
        await shop.recovery.request_reset(ANN, HERE)
        links.append(builder.mailbag.last.token)
        builder.clock.advance(timedelta(minutes=1))
    with pytest.raises(ResetLinkStale):
        await shop.recovery.peek_reset(links[0], HERE)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_password(links[0], "another lamp by the river", HERE)
    await shop.recovery.peek_reset(links[1], HERE)


@pytest.mark.proves("KER-203")
async def test_a_ticket_holds_no_address(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    (ticket,) = rows(builder, TICKETS)
    (contact,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    assert (ticket.subject, ticket.bound) == (account.id, contact.id)
    assert rows(builder, EVENTS)[-1].name == "recovery.reset_requested"


@pytest.mark.proves("KER-252")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_three_an_hour_go_to_a_mailbox_that_strangers_ask_for_whoever_it_belongs_to(
    shop, builder, situation
) -> None:
    await shop.arrange(situation, ANN)
    builder.clock.advance(timedelta(days=2))
    for _ in range(3):
        await shop.recovery.request_reset(ANN, HERE)
        with pytest.raises(Throttled) as held:
            await shop.recovery.request_reset(ANN, HERE)
        builder.clock.advance(timedelta(minutes=1))
    assert held.value.retry_after == timedelta(minutes=58)
    with pytest.raises(Throttled) as held:
        await shop.recovery.request_reset(ANN, HERE)
    assert held.value.retry_after == timedelta(minutes=57)


@pytest.mark.proves("KER-206")
async def test_spellings_and_tags_of_a_mailbox_share_its_budget(shop) -> None:
    await shop.recovery.request_reset(ANN, HERE)
    for spelling in ("ANN@lamp.example", "ann+lamps@lamp.example"):
        with pytest.raises(Throttled):
            await shop.recovery.request_reset(spelling, HERE)


async def test_the_impatient_do_not_use_up_the_mailbox(shop, builder) -> None:
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    for _ in range(20):
        with pytest.raises(Throttled):
            await shop.recovery.request_reset(ANN, HERE)
    builder.clock.advance(timedelta(minutes=1))
    await shop.recovery.request_reset(ANN, HERE)


@pytest.mark.proves("RCV-13")
async def test_a_shop_may_keep_accounts_without_a_password_that_way(host) -> None:
    builder = ShopBuilder(host=host, policies=quick_policies(resets=ResetPolicy(creates_first_password=False)))
    shop = builder.build()
    await shop.arrange("no password", ANN)
    await shop.recovery.request_reset(ANN, HERE)
    assert not builder.mailbag.last.deliver
    assert [ticket.subject for ticket in rows(builder, TICKETS)] == [""]
    await shop.open_account("eve@lamp.example", PASSWORD)
    await shop.recovery.request_reset("eve@lamp.example", HERE)
    assert builder.mailbag.last.deliver


@pytest.mark.proves("RCV-13")
async def test_a_link_sets_no_first_password_once_the_shop_has_stopped_that(host) -> None:
    builder = ShopBuilder(host=host)
    shop = builder.build()
    await shop.arrange("no password", ANN)
    await shop.recovery.request_reset(ANN, HERE)
    builder.policies = quick_policies(resets=ResetPolicy(creates_first_password=False))
    with pytest.raises(ResetLinkStale):
        await builder.build().recovery.peek_reset(builder.mailbag.last.token, HERE)


@pytest.mark.proves("RCV-1")
@pytest.mark.parametrize("life", [timedelta(0), timedelta(minutes=30), timedelta(hours=25), timedelta(minutes=90)])
def test_a_link_lives_whole_hours_and_at_most_a_day(life) -> None:
    with pytest.raises(BadPolicy):
        ResetPolicy(link_life=life)
    assert ResetPolicy().link_life == timedelta(hours=1)


@pytest.mark.proves("RCV-1")
async def test_the_mail_says_how_long_its_link_works(host) -> None:
    builder = ShopBuilder(host=host, policies=quick_policies(resets=ResetPolicy(link_life=timedelta(hours=3))))
    shop = builder.build()
    await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    assert builder.mailbag.last.variables["hours"] == "3"
    assert builder.mailbag.last.message.expires_at == builder.clock.now() + timedelta(hours=3)


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("identifier", [None, [ANN, "eve@lamp.example"], ANN.encode(), "a" * 321, "no-address", 7])
async def test_what_can_be_no_address_is_refused_before_anything_is_counted(shop, builder, identifier) -> None:
    with pytest.raises((InvalidInput, EmailInvalid)):
        await shop.recovery.request_reset(identifier, HERE)
    assert not builder.storage.snapshot()["main"].counters


async def test_nothing_is_sent_for_an_unencrypted_request(shop, builder) -> None:
    with pytest.raises(InsecureTransport):
        await shop.recovery.request_reset(ANN, request_from(secure=False))
    assert not builder.mailbag.letters
