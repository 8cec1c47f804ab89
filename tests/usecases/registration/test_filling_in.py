"""What people tell and accept on the way to an account: it waits for the proof, and reaches nobody else."""

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import (
    ATTEMPTS,
    AcceptedTerm,
    FieldRule,
    FormRejected,
    OpenTo,
    Presence,
    RegistrationForm,
    RegistrationNotOpen,
    RegistrationPolicy,
    TermsNotAccepted,
    TermsOutdated,
    missing_fields,
)
from shopaccounts.testing.builders import BEGINNING, PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
POLICY = RegistrationPolicy(
    fields={"given_name": FieldRule(presence=Presence.REQUIRED), "birthday": FieldRule(), "company": FieldRule()},
    required_terms={"conditions": "2"},
)
ACCEPTED = (AcceptedTerm(document="conditions", version="2", locale="de", at=BEGINNING),)
FORM = RegistrationForm(
    identifier=ANN,
    password=PASSWORD,
    fields={"given_name": "Annabel", "company": "Lamps & Sons"},
    accepted=ACCEPTED,
    choices={"newsletter": True, "post": False},
)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(registration=POLICY))


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def terms_told(builder):
    return [json.loads(e.data) for e in rows(builder, EVENTS) if e.name == "registration.terms_accepted"]


@pytest.mark.proves("REG-1", "REG-5", "REG-17")
async def test_what_was_filled_in_waits_with_the_attempt_and_goes_to_who_holds_it(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    (waiting,) = rows(builder, CUSTOMERS)
    assert waiting.fields == {}, "an unproven account knows nothing of anybody"
    assert not terms_told(builder)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    customer = await builder.kept(CUSTOMERS, done.account)
    assert customer.fields == {"given_name": "Annabel", "company": "Lamps & Sons"}
    assert [field.field for field in missing_fields(customer, POLICY)] == ["birthday"]
    (told,) = terms_told(builder)
    assert told == {
        "account": done.account,
        "documents": ["conditions"],
        "versions": ["2"],
        "locales": ["de"],
        "agreed": ["newsletter"],
        "declined": ["post"],
    }
    (attempt,) = rows(builder, ATTEMPTS)
    assert (attempt.details.fields, attempt.details.accepted) == ({}, ()), "nothing of it stays behind"


@pytest.mark.proves("REG-16", "REG-5")
async def test_the_link_brings_it_as_well_in_the_browser_that_asked(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    done = await shop.registration.confirm_contact(builder.mailbag.last.token, started.handle, HERE)
    assert (await builder.kept(CUSTOMERS, done.account)).fields["given_name"] == "Annabel"
    assert len(terms_told(builder)) == 1


@pytest.mark.proves("REG-17", "REG-30", "REG-5")
async def test_who_takes_the_address_over_gets_none_of_it(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    done = await shop.registration.take_over_contact(builder.mailbag.last.token, "my own lamps by the river", HERE)
    assert (await builder.kept(CUSTOMERS, done.account)).fields == {}
    assert not terms_told(builder)
    (attempt,) = rows(builder, ATTEMPTS)
    assert attempt.details.fields == {}


@pytest.mark.proves("REG-12", "REG-30")
async def test_who_registers_again_gets_none_of_the_earlier_attempt(shop, builder) -> None:
    await shop.registration.register(FORM, request_from("203.0.113.66"))
    builder.clock.advance(timedelta(minutes=2))
    own = attrs.evolve(FORM, fields={"given_name": "Nora"}, choices={})
    started = await shop.registration.register(own, HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert (await builder.kept(CUSTOMERS, done.account)).fields == {"given_name": "Nora"}
    (told,) = terms_told(builder)
    assert told["agreed"] == []


@pytest.mark.proves("REG-22", "REG-5")
async def test_an_attempt_that_nobody_proves_leaves_nothing(shop, builder) -> None:
    await shop.registration.register(FORM, HERE)
    builder.clock.advance(timedelta(days=31))
    await shop.upkeep.tick()
    assert not rows(builder, ATTEMPTS)
    assert [customer.fields for customer in rows(builder, CUSTOMERS)] == [{}]
    assert not terms_told(builder)


@pytest.mark.proves("REG-1", "REG-5")
@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"fields": {"given_name": "Ann", "status": "active"}}, FormRejected),
        ({"fields": {}}, FormRejected),
        ({"accepted": ()}, TermsNotAccepted),
        ({"accepted": (attrs.evolve(ACCEPTED[0], version="1"),)}, TermsOutdated),
    ],
)
async def test_a_form_that_will_not_do_is_refused_whoever_has_the_address(host, situation, change, refusal) -> None:
    builder: Any = ShopBuilder(host=host)
    await builder.build().arrange(situation, ANN)
    before = builder.storage.snapshot()
    strict = attrs.evolve(builder, policies=quick_policies(registration=POLICY)).build()
    with pytest.raises(refusal):
        await strict.registration.register(attrs.evolve(FORM, **change), HERE)
    assert builder.storage.snapshot() == before


@pytest.mark.proves("REG-1")
@pytest.mark.parametrize("password", ["Annabel!Annabel1", "12 02 2001"])
async def test_a_password_may_not_lean_on_what_was_filled_in(shop, password) -> None:
    form = attrs.evolve(FORM, password=password, fields={"given_name": "Annabel", "birthday": "2001-02-12"})
    with pytest.raises(PasswordUnacceptable):
        await shop.registration.register(form, HERE)


@pytest.mark.proves("REG-4")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_a_shop_for_the_invited_registers_nobody_else(host, situation) -> None:
    builder: Any = ShopBuilder(host=host)
    await builder.build().arrange(situation, ANN)
    before = builder.storage.snapshot()
    invited = quick_policies(registration=RegistrationPolicy(open_to=OpenTo.INVITED))
    closed = attrs.evolve(builder, policies=invited).build()
    with pytest.raises(RegistrationNotOpen):
        await closed.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    assert builder.storage.snapshot() == before
