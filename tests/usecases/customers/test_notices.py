"""Who hears of what happens to an account, and what such a notice holds."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.adapters.templates import JinjaTemplates
from shopaccounts.customers import (
    CUSTOMERS,
    ContactPoint,
    ContactRole,
    FormerContact,
    Reach,
    VerificationMethod,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import MessageCategory
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, request_from

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"


def contact(address, at, *roles, proven=True, reach=Reach.UNTRIED):
    value = EmailAddress.parse(address)
    point = ContactPoint(
        id=ContactId(address), kind=ContactKind.EMAIL, value=value, added_at=at, roles=frozenset(roles)
    )
    done = point.proven(VerificationMethod.CODE, "a challenge", at) if proven else point
    return attrs.evolve(done, reach=reach)


async def has_contacts(builder, account, contacts, former=()):
    def more(customer):
        return attrs.evolve(customer, contacts=(*customer.contacts, *contacts), former_contacts=tuple(former))

    await builder.edit(CUSTOMERS, account.id, more)


async def noticed(shop, builder):
    """The notices of a new password."""
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    return [letter for letter in builder.mailbag.letters if letter.template == "passwords.was_reset"]


@pytest.mark.proves("SIG-80", "SIG-82")
async def test_every_proven_address_hears_of_it_with_the_same_two_links(shop, builder) -> None:
    account, now = await shop.open_account(ANN), builder.clock.now()
    notify = ContactRole.NOTIFY
    contacts = (
        contact("work@lamp.example", now, notify),
        contact("bills@lamp.example", now, ContactRole.BILLING),
        contact("typo@lamp.example", now, notify, proven=False),
        contact("gone@lamp.example", now, notify, reach=Reach.UNREACHABLE),
    )
    former = (
        FormerContact(contact=contact("old@lamp.example", now), until=now + timedelta(days=1)),
        FormerContact(contact=contact("older@lamp.example", now), until=now),
    )
    await has_contacts(builder, account, contacts, former)
    notices = await noticed(shop, builder)
    assert {notice.to for notice in notices} == {ANN, "work@lamp.example", "old@lamp.example"}
    assert len({tuple(sorted(notice.secrets.items())) for notice in notices}) == 1
    tickets = [t.purpose for t in builder.storage.snapshot()["main"].books[TICKETS.name].values()]
    assert sorted(tickets) == ["freeze_account", "not_me_change", "password_reset"]
    for notice in notices:
        assert notice.message.category is MessageCategory.SECURITY
        assert notice.variables["at"] == builder.clock.now().isoformat(timespec="minutes")


class Atlas:
    """Knows one city."""

    def coarse(self, _address):
        return "Bremen"


@pytest.mark.proves("SIG-80")
async def test_a_notice_of_a_change_tells_its_owner_alone_by_which_device_and_where(host) -> None:
    builder = ShopBuilder(host=host, ports={"places": Atlas()})
    shop = builder.build()
    await shop.open_account(ANN)
    firefox = request_from(agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, firefox)
    assert isinstance(step, SignedIn)
    session = step.session

    async def notice_of(change):
        await change
        letter = builder.mailbag.to(ANN)[-1]
        assert (letter.secrets["device"], letter.secrets["place"]) == ("Firefox, Linux", "Bremen")
        assert not {"device", "place"} & set(letter.variables)
        return letter.template

    adding = await shop.contacts.add_contact(session, "second@lamp.example", firefox)
    code = builder.mailbag.last.code
    proving = shop.contacts.prove_added_contact(session, adding.addition, code, firefox)
    assert await notice_of(proving) == "registration.contact_added"
    builder.clock.advance(timedelta(minutes=2))
    changing = shop.contact_changes.promote_contact(session, "new@lamp.example", firefox)
    assert await notice_of(changing) == "registration.change_requested"
    replacing = shop.passwords.change_password(session, PASSWORD, NEW, firefox)
    assert await notice_of(replacing) == "passwords.was_changed"


@pytest.mark.proves("SIG-80")
async def test_where_no_address_takes_notices_they_go_to_the_proven_ones(shop, builder) -> None:
    account = await shop.open_account(ANN)

    def unreachable(customer):
        return attrs.evolve(
            customer, contacts=tuple(attrs.evolve(c, reach=Reach.UNREACHABLE) for c in customer.contacts)
        )

    await builder.edit(CUSTOMERS, account.id, unreachable)
    assert [notice.to for notice in await noticed(shop, builder)] == [ANN]


@pytest.mark.proves("SIG-80", "SIG-81")
@pytest.mark.parametrize(
    "name",
    [
        "passwords.was_reset",
        "passwords.was_changed",
        "customers.closing_started",
        "customers.closing_deferred",
        "customers.closing_canceled",
        "recovery.account_protected",
    ],
)
def test_a_notice_says_when_what_to_do_and_how_to_reach_the_shop(name) -> None:
    templates = JinjaTemplates()
    sample = templates.sample(name).variables
    text = templates.preview(name, "en").text
    for variable in ("contact", "device", "place", "not_me_link", "freeze_link"):
        assert sample[variable] in text
    assert "February 1, 2027" in text or "1 February 2027" in text or "Feb 1, 2027" in text
