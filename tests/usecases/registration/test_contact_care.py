"""Whether messages to a contact arrive, and what its key is."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, Delivery, NotFound, Reach, is_verified, login_key
from shopaccounts.kernel import contact as rules
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.errors import Forbidden, InvalidInput, Throttled
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.staff import Permission
from shopaccounts.registration import (
    ChangeNotPossible,
    ContactLinkExpired,
    ContactLinkUsed,
    contact_care,
)
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.doubles import StaffRoom

ANN, WORK, EVE, HERE = "ann@lamp.example", "ann@work.example", "eve@lamp.example", request_from()


async def opened(shop):
    """An account with two addresses; answers the account and the ids of both contacts."""
    account = await shop.open_account(ANN)
    await shop.contacts.add_contact(account.session, WORK, HERE)
    work = await shop.contacts.confirm_added_contact(shop.builder.mailbag.last.token, account.session, HERE)
    shop.builder.clock.advance(timedelta(minutes=2))
    login = (await shop.builder.kept(CUSTOMERS, account.id)).contacts[0].id
    return account, login, work.contact


async def contact(builder, account, id):
    return next(one for one in (await builder.kept(CUSTOMERS, account.id)).contacts if one.id == id)


def told(builder):
    return [event.name for event in builder.storage.snapshot()["main"].books["events"].values()]


@pytest.mark.proves("CUS-38")
async def test_a_contact_that_can_not_be_reached_gets_nothing_and_the_others_hear_of_everything(shop, builder) -> None:
    account, _, work = await opened(shop)
    await shop.contact_care.note_delivery(account.id, work, Delivery.IMPOSSIBLE, "mailbox_unknown")
    lost = await contact(builder, account, work)
    assert (lost.reach, lost.reach_detail, is_verified(lost)) == (Reach.UNREACHABLE, "mailbox_unknown", True)
    assert told(builder).count("customers.contact_unreachable") == 1
    before = len(builder.mailbag.to(WORK))
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, "another lamp by the river", HERE)
    assert len(builder.mailbag.to(WORK)) == before
    assert builder.mailbag.to(ANN)[-1].template == "passwords.was_reset"
    await shop.contact_care.note_delivery(account.id, work, Delivery.IMPOSSIBLE, "mailbox_unknown")
    assert told(builder).count("customers.contact_unreachable") == 1
    await shop.contact_care.note_delivery(account.id, work, Delivery.ARRIVED)
    assert (await contact(builder, account, work)).reach is Reach.REACHABLE


@pytest.mark.proves("CUS-38")
async def test_three_messages_that_are_put_off_within_thirty_days_put_a_contact_in_doubt(shop, builder) -> None:
    account, login, _ = await opened(shop)
    for days in (0, 16, 16):
        builder.clock.advance(timedelta(days=days))
        await shop.contact_care.note_delivery(account.id, login, Delivery.PUT_OFF, "mailbox_full")
        assert (await contact(builder, account, login)).reach is Reach.REACHABLE
    builder.clock.advance(timedelta(days=1))
    await shop.contact_care.note_delivery(account.id, login, Delivery.PUT_OFF, "mailbox_full")
    doubted = await contact(builder, account, login)
    assert (doubted.reach, doubted.reach_detail) == (Reach.DOUBTFUL, "mailbox_full")


@pytest.mark.proves("CUS-38")
async def test_what_is_noted_of_a_contact_that_is_gone_is_nothing(shop, builder) -> None:
    account, _, _ = await opened(shop)
    before = builder.storage.snapshot()["main"].books["customers"]
    for customer, id in (("nobody", "none"), (account.id, "none")):
        await shop.contact_care.note_delivery(customer, id, Delivery.IMPOSSIBLE)
    assert builder.storage.snapshot()["main"].books["customers"] == before
    with pytest.raises(InvalidInput):
        await shop.contact_care.note_delivery(account.id, "none", Delivery.IMPOSSIBLE, "x" * 65)


def at_the_desk(builder, *permissions):
    builder.agents = StaffRoom()
    builder.agents.hire("agent", permissions)
    builder.scope = attrs.evolve(builder.scope, actor=Actor(kind=ActorKind.AGENT, id="agent"))
    return builder.build()


@pytest.mark.proves("CUS-39", "CUS-8")
async def test_an_agent_asks_a_contact_whether_messages_arrive(shop, builder) -> None:
    account, _, work = await opened(shop)
    desk = at_the_desk(builder, Permission.CHECK_CONTACTS)
    await shop.contact_care.note_delivery(account.id, work, Delivery.IMPOSSIBLE, "mailbox_unknown")
    await desk.contact_care.check_contact(account.id, work, "the parcel service asks")
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("registration.contact_check", WORK)
    with pytest.raises(ChangeNotPossible):
        await desk.contact_care.check_contact(account.id, work, "once more")
    for _ in range(2):
        await shop.contact_care.peek_contact_check(letter.token, HERE)
    await shop.contact_care.answer_contact_check(letter.token, HERE)
    assert (await contact(builder, account, work)).reach is Reach.REACHABLE
    assert told(builder).count("customers.contact_confirmed") == 1
    with pytest.raises(ContactLinkUsed):
        await shop.contact_care.answer_contact_check(letter.token, HERE)


@pytest.mark.proves("CUS-39")
async def test_a_contact_is_asked_three_times_in_thirty_days(shop, builder) -> None:
    account, login, _ = await opened(shop)
    desk = at_the_desk(builder, Permission.CHECK_CONTACTS)
    for _ in range(3):
        await desk.contact_care.check_contact(account.id, login, "the parcel service asks")
        await desk.contact_care.answer_contact_check(builder.mailbag.last.token, HERE)
    with pytest.raises(Throttled):
        await desk.contact_care.check_contact(account.id, login, "the parcel service asks")
    builder.clock.advance(timedelta(days=30))
    await desk.contact_care.check_contact(account.id, login, "the parcel service asks")


@pytest.mark.proves("CUS-39")
async def test_a_check_that_nobody_answers_fails(shop, builder) -> None:
    account, login, _ = await opened(shop)
    desk = at_the_desk(builder, Permission.CHECK_CONTACTS)
    await desk.contact_care.check_contact(account.id, login, "the parcel service asks")
    link = builder.mailbag.last.token
    builder.clock.advance(timedelta(days=7))
    with pytest.raises(ContactLinkExpired):
        await shop.contact_care.answer_contact_check(link, HERE)
    await shop.upkeep.tick()
    await shop.upkeep.tick()
    assert told(builder).count("customers.contact_check_failed") == 1
    await desk.contact_care.check_contact(account.id, login, "the parcel service asks again")


@pytest.mark.proves("CUS-39", "CUS-8")
async def test_who_may_not_ask_learns_nothing_about_who_exists(shop, builder) -> None:
    account, login, _ = await opened(shop)
    for permissions in ((), (Permission.SUSPEND,)):
        desk = at_the_desk(builder, *permissions)
        for customer in (account.id, "nobody"):
            with pytest.raises(Forbidden):
                await desk.contact_care.check_contact(customer, login, "curious")
    desk = at_the_desk(builder, Permission.CHECK_CONTACTS)
    with pytest.raises(InvalidInput):
        await desk.contact_care.check_contact(account.id, login, None)
    for customer, id in (("nobody", login), (account.id, "none")):
        with pytest.raises(NotFound):
            await desk.contact_care.check_contact(customer, id, "the parcel service asks")
    with pytest.raises(ChangeNotPossible):
        await desk.contact_care.check_contact(account.id, login, "the parcel service asks", Channel.VOICE)


@pytest.fixture
def new_rules(monkeypatch):
    """From now on, keys forget the dots in front of the at-sign."""
    earlier = rules._login_key

    def begin():
        monkeypatch.setattr(rules, "KEY_VERSION", 2)
        monkeypatch.setattr(contact_care, "KEY_VERSION", 2)
        monkeypatch.setattr(rules, "_login_key", lambda *given: without_dots(earlier(*given)))

    return begin


def without_dots(key):
    name, _, domain = key.partition("@")
    return f"{name.replace('.', '')}@{domain}"


@pytest.mark.proves("CUS-28")
async def test_keys_are_computed_anew_and_proven_contacts_stay_proven(shop, builder, new_rules) -> None:
    accounts = [await shop.open_account(f"ann.{number}@lamp.example") for number in range(5)]
    assert await shop.contact_care.rekey_contacts(100) == 0
    new_rules()
    assert [await shop.contact_care.rekey_contacts(2) for _ in range(4)] == [2, 2, 1, 0]
    for number, account in enumerate(accounts):
        (one,) = (await builder.kept(CUSTOMERS, account.id)).contacts
        assert (one.value.stored, one.key) == (f"ann.{number}@lamp.example", f"ann{number}@lamp.example")
        assert is_verified(one)
        step = await shop.signin.sign_in_with_password(f"ann{number}@lamp.example", PASSWORD, HERE)
        assert isinstance(step, SignedIn)


@pytest.mark.proves("CUS-28")
@pytest.mark.parametrize(
    "addresses", [("a.nn@lamp.example", "an.n@lamp.example"), ("ann@lamp.example", "a.nn@lamp.example")]
)
async def test_two_customers_whose_keys_become_one_both_keep_theirs(shop, builder, new_rules, addresses) -> None:
    first, second = [await shop.open_account(address) for address in addresses]
    new_rules()
    assert await shop.contact_care.rekey_contacts(100) == 2
    assert await shop.contact_care.rekey_contacts(100) == 0
    for account in (first, second):
        (one,) = (await builder.kept(CUSTOMERS, account.id)).contacts
        assert (one.key, one.value.key_version, is_verified(one)) == (account.email, 2, True)
        key = login_key(ContactKind.EMAIL, account.email)
        found = await got(builder.storage.open(builder.scope).find(CUSTOMERS, key, by="login_contact"))
        assert found.it.id == account.id
    assert told(builder).count("customers.contact_key_collided") == 1
