"""The address was mistyped: whoever began the attempt corrects it while it is unproven."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, StatusReason, Trigger, follow
from shopaccounts.kernel.contact import EmailInvalid
from shopaccounts.kernel.errors import InsecureTransport, Throttled
from shopaccounts.registration import (
    ATTEMPTS,
    CodeExhausted,
    CodeWrong,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    CorrectionsUsedUp,
    FieldRule,
    RegistrationForm,
    RegistrationPolicy,
)
from shopaccounts.signin import SignedIn, SignInRefused
from shopaccounts.testing.builders import (
    PASSWORD,
    SITUATIONS,
    Between,
    ShopBuilder,
    quick_policies,
    request_from,
    without_gaps,
)

TYPO, ANN, HERE = "amn@lamp.example", "ann@lamp.example", request_from()
POLICY = RegistrationPolicy(fields={"given_name": FieldRule()})
FORM = RegistrationForm(identifier=TYPO, password=PASSWORD, fields={"given_name": "Annabel"}, locale="de")


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(registration=POLICY))


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


@pytest.mark.proves("REG-18")
async def test_the_right_address_gets_the_code_and_the_wrong_one_is_of_no_use(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    wrong = builder.mailbag.last
    again = await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    assert (again.masked, again.resend_after, again.channel) == (
        "a***@lamp.example",
        started.resend_after,
        started.channel,
    )
    letter = builder.mailbag.last
    assert (letter.to, letter.template, letter.message.locale) == (ANN, "registration.verify_contact", "de")
    with pytest.raises(CodeWrong):
        await shop.registration.complete_registration(again.handle, wrong.code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.peek_contact(wrong.token, HERE)
    done = await shop.registration.complete_registration(again.handle, letter.code, HERE)
    (customer,) = rows(builder, CUSTOMERS)
    assert (customer.id, customer.status) == (done.account, AccountStatus.ACTIVE)
    assert [contact.key for contact in customer.contacts] == [ANN]
    assert customer.fields == {"given_name": "Annabel"}, "what else was filled in stays"
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(TYPO, PASSWORD, HERE)


@pytest.mark.proves("REG-18", "REG-10")
@pytest.mark.parametrize("typed", SITUATIONS)
@pytest.mark.parametrize("right", SITUATIONS)
async def test_from_any_address_to_any_other_one_message_goes_out_and_accounts_of_others_stay(
    host, typed, right
) -> None:
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=POLICY, sends=without_gaps()))
    shop = builder.build()
    held = {name: await shop.arrange(situation, name) for name, situation in ((TYPO, typed), (ANN, right))}
    builder.clock.advance(timedelta(hours=3))
    started = await shop.registration.register(FORM, HERE)
    before = len(builder.mailbag.letters)
    await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    assert len(builder.mailbag.letters) == before + 1
    letter = builder.mailbag.last
    assert (letter.to, letter.deliver) == (ANN, True)
    if letter.template != "registration.verify_contact":
        with pytest.raises(CodeWrong):
            await shop.registration.complete_registration(started.handle, "123456", HERE)
        return
    done = await shop.registration.complete_registration(started.handle, letter.code, HERE)
    assert done.account != held[TYPO], "an account that was there before is not carried off to another address"
    assert done.account == held[ANN] or right != "pending"
    holders = [
        c for c in rows(builder, CUSTOMERS) if ANN in {contact.key for contact in c.contacts if contact.verified}
    ]
    assert done.account in {holder.id for holder in holders}


@pytest.mark.proves("REG-18")
async def test_a_password_that_was_typed_at_an_owners_address_comes_along(shop, builder) -> None:
    await shop.open_account(TYPO)
    started = await shop.registration.register(FORM, HERE)
    assert builder.mailbag.last.template == "registration.already_registered"
    await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("REG-18", "REG-12")
async def test_a_password_of_another_account_is_not_put_on_the_one_that_waited(shop, builder) -> None:
    """The waiting account keeps its id, for which the password was not hashed: the owner sets one by mail."""
    waiting = await shop.arrange("pending", ANN)
    started = await shop.registration.register(FORM, HERE)
    await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert done.account == waiting
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


@pytest.mark.proves("REG-18")
async def test_three_corrections_are_enough(host) -> None:
    builder: Any = ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))
    shop = builder.build()
    started = await shop.registration.register(attrs.evolve(FORM, fields={}), HERE)
    for number in range(3):
        await shop.registration.change_attempt_contact(started.handle, f"ann{number}@lamp.example", HERE)
    before = builder.storage.snapshot()
    with pytest.raises(CorrectionsUsedUp):
        await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    assert builder.storage.snapshot() == before
    await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    (attempt,) = rows(builder, ATTEMPTS)
    assert attempt.corrections == 3


@pytest.mark.proves("REG-18", "KER-252")
async def test_limits_go_on_counting(shop) -> None:
    started = await shop.registration.register(FORM, HERE)
    with pytest.raises(Throttled):
        await shop.registration.change_attempt_contact(started.handle, TYPO, HERE)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.registration.complete_registration(started.handle, "wrong", HERE)
    with pytest.raises(CodeExhausted):
        await shop.registration.change_attempt_contact(started.handle, ANN, HERE)


@pytest.mark.proves("REG-18")
async def test_only_the_holder_of_an_unproven_attempt_corrects_it(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    letter = builder.mailbag.last
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.change_attempt_contact(letter.token, ANN, HERE)
    with pytest.raises(EmailInvalid):
        await shop.registration.change_attempt_contact(started.handle, "ann", HERE)
    with pytest.raises(InsecureTransport):
        await shop.registration.change_attempt_contact(started.handle, ANN, request_from(secure=False))
    await shop.registration.complete_registration(started.handle, letter.code, HERE)
    with pytest.raises(ContactLinkUsed):
        await shop.registration.change_attempt_contact(started.handle, ANN, HERE)


@pytest.mark.proves("REG-18", "REG-17")
async def test_who_lost_the_address_to_its_mailbox_takes_nothing_along(shop, builder) -> None:
    """The mailbox's owner has the account; the attempt goes on like any other, and opens another account at most."""
    started = await shop.registration.register(FORM, HERE)
    taken = await shop.registration.take_over_contact(builder.mailbag.last.token, "my own lamps by the river", HERE)
    await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    done = await shop.registration.complete_registration(started.handle, builder.mailbag.last.code, HERE)
    assert done.account != taken.account
    assert (await builder.kept(CUSTOMERS, done.account)).fields == {}
    kept = await builder.kept(CUSTOMERS, taken.account)
    assert [contact.key for contact in kept.contacts] == [TYPO]


@pytest.mark.proves("REG-18")
async def test_an_account_that_the_shop_stopped_meanwhile_does_not_move(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    (customer,) = rows(builder, CUSTOMERS)
    await builder.edit(CUSTOMERS, customer.id, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE))
    with pytest.raises(ContactLinkStale):
        await shop.registration.change_attempt_contact(started.handle, ANN, HERE)


@pytest.mark.proves("REG-18", "KER-181")
async def test_an_address_that_somebody_registers_meanwhile_is_asked_for_again(host) -> None:
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=POLICY, sends=without_gaps()))
    shop = builder.build()
    started = await shop.registration.register(FORM, HERE)
    other = request_from("198.51.100.9")
    between = Between(lambda: builder.build().registration.register(attrs.evolve(FORM, identifier=ANN), other))
    await builder.build(between).registration.change_attempt_contact(started.handle, ANN, HERE)
    assert between.happened
    live = [attempt for attempt in rows(builder, ATTEMPTS) if attempt.value.stored == ANN]
    assert len(live) == 1


@pytest.mark.proves("REG-18", "REG-22")
async def test_an_account_that_let_go_of_its_address_lapses_like_any_other(shop, builder) -> None:
    await shop.open_account(ANN)
    started = await shop.registration.register(FORM, HERE)
    await shop.registration.change_attempt_contact(started.handle, ANN, HERE)
    left = next(c for c in rows(builder, CUSTOMERS) if c.status is AccountStatus.PENDING)
    assert left.contacts == ()
    builder.clock.advance(timedelta(days=31))
    await shop.upkeep.tick()
    assert (await builder.kept(CUSTOMERS, left.id)).status is AccountStatus.ERASED
