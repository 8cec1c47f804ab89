"""Who waits for the proof of an address can do nothing yet, and what is held for somebody else stays held."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, FormerContact
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.record import Change
from shopaccounts.registration import (
    ATTEMPTS,
    CodeWrong,
    FieldRule,
    RegistrationForm,
    RegistrationPolicy,
    UsernamePolicy,
    ports,
)
from shopaccounts.signin import SESSIONS, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from

ANN, NEW, HERE = "ann@lamp.example", "ann@shop.example", request_from()
POLICY = RegistrationPolicy(fields={"given_name": FieldRule()}, usernames=UsernamePolicy(enabled=True))
FORM = RegistrationForm(identifier=ANN, password=PASSWORD, fields={"given_name": "Ann"})


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(registration=POLICY))


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.mark.proves("REG-14", "REG-13", "CUS-14")
async def test_what_somebody_who_waits_has_in_hand_opens_nothing(shop, builder) -> None:
    """There is no session before the proof, and everything that an account may do asks for one."""
    started = await shop.registration.register(FORM, HERE)
    letter = builder.mailbag.last
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert not rows(builder, SESSIONS)
    for value in (started.handle, letter.token):
        for work in (
            shop.invitations.invite(value, "bob@lamp.example", HERE),
            shop.invitations.list_invitations(value, HERE),
            shop.usernames.change_username(value, "lamplighter", HERE),
            shop.sessions.list_sessions(value, HERE),
        ):
            with pytest.raises(SignInRequired):
                await work


@pytest.mark.proves("REG-14", "REG-11")
async def test_an_account_that_waits_is_not_matched_with_anything(shop, builder) -> None:
    """A name, a group or a purchase of somebody with the same address is neither read nor written."""
    other = await shop.arrange("unverified contact", ANN)
    before = await builder.kept(CUSTOMERS, other)
    await shop.registration.register(FORM, HERE)
    (waiting,) = [customer for customer in rows(builder, CUSTOMERS) if customer.id != other]
    assert (waiting.fields, waiting.username, len(waiting.contacts)) == ({}, None, 1)
    assert await builder.kept(CUSTOMERS, other) == before


@pytest.mark.proves("REG-10")
async def test_an_address_that_was_replaced_lately_is_held_for_its_owner(shop, builder) -> None:
    account = await shop.open_account("Ann@lamp.example")
    until = builder.clock.now() + timedelta(days=30)

    def moved(customer):
        (contact,) = customer.contacts
        new = attrs.evolve(contact, value=EmailAddress.parse(NEW))
        new = new.proven(contact.verified.method, "x", contact.added_at)
        return attrs.evolve(customer, contacts=(new,), former_contacts=(FormerContact(contact=contact, until=until),))

    await builder.edit(CUSTOMERS, account.id, moved)
    before = await builder.kept(CUSTOMERS, account.id)
    started = await shop.registration.register(FORM, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.secrets) == ("registration.address_held", "Ann@lamp.example", {})
    assert letter.variables["until"].startswith(until.date().isoformat())
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(started.handle, "123456", HERE)
    assert await builder.kept(CUSTOMERS, account.id) == before
    assert [attempt.account for attempt in rows(builder, ATTEMPTS) if attempt.value.stored == ANN] == [None]


@pytest.mark.proves("REG-80")
async def test_a_store_that_finds_an_address_taken_says_so_and_not_by_whom(shop, builder) -> None:
    account = await shop.open_account(ANN)
    customer = await builder.kept(CUSTOMERS, account.id)
    twin = attrs.evolve(customer, id="somebody else", version=1)
    with pytest.raises(Taken) as taken:
        await got(builder.storage.open(builder.scope).record(Change(writes=(CUSTOMERS.add(twin),))))
    assert attrs.asdict(taken.value) == {"field": "login_contact"}


@pytest.mark.proves("REG-80")
def test_no_port_of_registration_answers_who_somebody_is() -> None:
    for port in ports.__all__:
        for name, method in vars(getattr(ports, port)).items():
            answer = str(getattr(method, "__annotations__", {}).get("return", ""))
            assert "Account" not in answer, (port, name)
            assert "Customer" not in answer, (port, name)
