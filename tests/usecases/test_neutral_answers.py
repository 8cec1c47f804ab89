"""Nobody learns from an answer, from the work behind it or from what it leaves behind, who has an account here.

Each use-case that strangers can call runs in every situation that an address may be in. All of it has to look the same:
the answer with its random parts taken out, every call of every port in its order, how often a password is hashed or
compared, and how many messages are recorded.
"""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, FormerContact, StatusReason, Trigger, VerificationMethod, follow
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.registration import AcceptedTerm, FieldRule, RegistrationForm, RegistrationPolicy
from shopaccounts.testing.builders import BEGINNING, PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.recording import assert_indistinguishable

ANN, HERE = "ann@lamp.example", request_from()
LATER = BEGINNING + timedelta(days=3)
WRONG = "seven other lamps in the wind"


async def outcome(work):
    """What somebody outside gets: the value with its secrets hidden, or the refusal with its facts."""
    try:
        return repr(await work)
    except Rejected as refusal:
        return refusal.code, repr(refusal)


def seen(host, act, before=None, **policies):
    """Arranges a situation, lets time pass, and acts in a shop whose ports are watched."""

    async def use_case(situation, recorder):
        builder = ShopBuilder(host=host)
        plain = builder.build()
        await ARRANGE.get(situation, lambda shop: shop.arrange(situation, ANN))(plain)
        builder.clock.set(LATER)
        prepared = await before(plain) if before else None
        builder = attrs.evolve(builder, policies=quick_policies(**policies))
        letters = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        answer = await outcome(act(shop, prepared))
        return answer, len(builder.mailbag.letters) - letters

    return use_case


async def lifted(shop):
    account = await shop.arrange("active", ANN)
    await shop.builder.edit(
        CUSTOMERS, account, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE, until=LATER)
    )


async def told_of_its_suspension(shop):
    await shop.arrange("suspended", ANN)
    shop.builder.clock.set(LATER - timedelta(hours=2))
    await shop.recovery.request_reset(ANN, HERE)


async def pending_without_an_attempt(shop):
    await shop.arrange("pending", ANN)
    shop.builder.clock.set(LATER)
    await shop.upkeep.tick()


async def with_an_open_link(shop):
    await shop.arrange("active", ANN)
    shop.builder.clock.set(LATER - timedelta(minutes=30))
    await shop.recovery.request_reset(ANN, HERE)


async def held_for_its_owner(shop):
    account = await shop.arrange("active", ANN)
    await shop.builder.edit(CUSTOMERS, account, lambda c: moved_away(c, LATER + timedelta(days=20)))


def moved_away(customer, until):
    (old,) = customer.contacts
    new = attrs.evolve(old, id="new", value=EmailAddress.parse("ann@new.example"))
    left = FormerContact(contact=old, until=until)
    return attrs.evolve(customer, contacts=(new.proven(VerificationMethod.LINK, "", LATER),), former_contacts=(left,))


ARRANGE = {
    "held for its owner": held_for_its_owner,
    "suspension over": lifted,
    "told of its suspension": told_of_its_suspension,
    "pending without an attempt": pending_without_an_attempt,
    "with an open link": with_an_open_link,
}
EVERY_SITUATION = {name: name for name in (*SITUATIONS, *ARRANGE)}


@pytest.mark.proves("KER-250", "KER-254", "REG-10")
@pytest.mark.parametrize("password", [PASSWORD, None], ids=["with a password", "without"])
async def test_registering(host, password) -> None:
    form = RegistrationForm(identifier=ANN, password=password)
    await assert_indistinguishable(seen(host, lambda shop, _: shop.registration.register(form, HERE)), EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-10", "REG-1")
async def test_registering_with_all_that_a_form_can_hold(host) -> None:
    policy = RegistrationPolicy(fields={"given_name": FieldRule()}, required_terms={"conditions": "2"})
    term = AcceptedTerm(document="conditions", version="2", locale="de", at=BEGINNING)
    form = RegistrationForm(
        identifier=ANN, password=PASSWORD, fields={"given_name": "Ann"}, accepted=(term,), choices={"post": True}
    )
    use_case = seen(host, lambda shop, _: shop.registration.register(form, HERE), registration=policy)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-18")
@pytest.mark.parametrize("typed", ["amn@lamp.example", ANN], ids=["a free address was typed", "this one was typed"])
async def test_correcting_the_address_of_an_attempt(host, typed) -> None:
    async def mistyped(shop):
        handle = (await shop.registration.register(RegistrationForm(identifier=typed, password=PASSWORD), HERE)).handle
        shop.builder.clock.advance(timedelta(minutes=2))
        return handle

    use_case = seen(host, lambda shop, handle: shop.registration.change_attempt_contact(handle, ANN, HERE), mistyped)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-18")
async def test_correcting_an_address_that_was_typed_where_somebody_else_has_an_account(host) -> None:
    use_case = seen(
        host, lambda shop, handle: shop.registration.change_attempt_contact(handle, "free@lamp.example", HERE), started
    )
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-50")
async def test_inviting(host) -> None:
    async def inviter(shop):
        return (await shop.open_account("bob@lamp.example")).session

    async def invites(shop, session):
        return attrs.evolve(await shop.invitations.invite(session, ANN, HERE), id="drawn anew each time")

    use_case = seen(host, invites, inviter)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


async def started(shop):
    handle = (await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)).handle
    shop.builder.clock.advance(timedelta(minutes=2))
    return handle


@pytest.mark.proves("KER-250", "KER-251")
async def test_asking_for_another_mail(host) -> None:
    use_case = seen(host, lambda shop, handle: shop.registration.resend_verification(handle, HERE), started)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-251")
async def test_guessing_the_code_of_an_attempt(host) -> None:
    async def guesses(shop, handle):
        return [await outcome(shop.registration.complete_registration(handle, "wrong", HERE)) for _ in range(7)]

    await assert_indistinguishable(seen(host, guesses, started), EVERY_SITUATION)


@pytest.mark.proves("KER-251")
async def test_an_attempt_that_was_replaced(host) -> None:
    async def twice(shop):
        first = await started(shop)
        await started(shop)
        return first

    use_case = seen(host, lambda shop, handle: shop.registration.complete_registration(handle, "123456", HERE), twice)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-251")
async def test_an_attempt_that_its_mailbox_has_answered_meanwhile(host) -> None:
    async def answered(shop):
        handle = await started(shop)
        letter = shop.builder.mailbag.last
        if letter.template == "registration.verify_contact":
            await shop.registration.take_over_contact(letter.token, "my own lamps by the river", HERE)
        return handle

    async def tries(shop, handle):
        sent = await outcome(shop.registration.resend_verification(handle, HERE))
        guessed = await outcome(shop.registration.complete_registration(handle, "123456", HERE))
        return sent, guessed

    await assert_indistinguishable(seen(host, tries, answered), EVERY_SITUATION)


@pytest.mark.proves("KER-250", "SIG-2", "REG-2")
@pytest.mark.parametrize("password", [WRONG, "", "\ud800"], ids=["wrong", "empty", "no password can be that"])
async def test_signing_in_with_a_wrong_password(host, password) -> None:
    use_case = seen(host, lambda shop, _: shop.signin.sign_in_with_password(ANN, password, HERE))
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "SIG-50")
async def test_signing_in_from_a_browser_that_another_account_knows(host) -> None:
    async def known_to_eve(shop):
        await shop.open_account("eve@lamp.example")
        step = await shop.signin.sign_in_with_password("eve@lamp.example", PASSWORD, HERE)
        return attrs.evolve(HERE, device=step.set_cookies[1].value)

    use_case = seen(host, lambda shop, eve: shop.signin.sign_in_with_password(ANN, WRONG, eve), known_to_eve)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-13")
async def test_signing_in_with_the_right_password_of_an_account_that_is_not_to_be_seen(host) -> None:
    use_case = seen(host, lambda shop, _: shop.signin.sign_in_with_password(ANN, PASSWORD, HERE))
    hidden = ("unknown", "unverified contact", "pending", "no password", "closed", "pending without an attempt")
    await assert_indistinguishable(use_case, {name: name for name in hidden})


@pytest.mark.proves("KER-250", "RCV-2")
async def test_asking_for_a_reset(host) -> None:
    use_case = seen(host, lambda shop, _: shop.recovery.request_reset(ANN, HERE))
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-252")
@pytest.mark.parametrize("asks", ["register", "request_reset"])
async def test_being_held(host, asks) -> None:
    async def once(shop):
        await shop.recovery.request_reset(ANN, HERE)

    async def again(shop, _):
        if asks == "register":
            return await shop.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
        return await shop.recovery.request_reset(ANN, HERE)

    await assert_indistinguishable(seen(host, again, once), EVERY_SITUATION)


@pytest.mark.proves("KER-253")
async def test_whoever_proves_the_mailbox_is_told_how_the_account_stands(shop, builder) -> None:
    templates = {}
    for situation in ("pending", "active", "suspended", "closing"):
        address = f"{situation}@lamp.example"
        await shop.arrange(situation, address)
        await shop.recovery.request_reset(address, HERE)
        templates[situation] = builder.mailbag.last.template
    assert len(set(templates.values())) == 4


async def eves_session(shop):
    session = (await shop.open_account("eve@lamp.example")).session
    shop.builder.clock.advance(timedelta(minutes=2))
    return session


@pytest.mark.proves("KER-250", "REG-20")
async def test_adding_an_address(host) -> None:
    use_case = seen(host, lambda shop, session: shop.contacts.add_contact(session, ANN, HERE), eves_session)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "KER-251", "REG-20")
async def test_guessing_the_code_of_an_added_address(host) -> None:
    async def adding(shop):
        session = await eves_session(shop)
        return session, (await shop.contacts.add_contact(session, ANN, HERE)).addition

    async def guesses(shop, hand):
        session, addition = hand
        prove = shop.contacts.prove_added_contact
        return [await outcome(prove(session, addition, "wrong", HERE)) for _ in range(7)]

    await assert_indistinguishable(seen(host, guesses, adding), EVERY_SITUATION)


@pytest.mark.proves("KER-250", "REG-60")
async def test_asking_to_sign_in_by_an_address(host) -> None:
    use_case = seen(host, lambda shop, session: shop.contact_changes.promote_contact(session, ANN, HERE), eves_session)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


async def asked_for_a_code(shop):
    sent = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)
    shop.builder.clock.advance(timedelta(minutes=2))
    return sent.handle


@pytest.mark.proves("KER-250", "KER-254", "SIG-15", "REG-13")
async def test_asking_for_a_code_to_sign_in(host) -> None:
    use_case = seen(host, lambda shop, _: shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE))
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "KER-254", "SIG-15", "REG-13")
async def test_asking_for_a_link_to_sign_in(host) -> None:
    use_case = seen(host, lambda shop, _: shop.code_signin.request_sign_in_link(ANN, HERE))
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "KER-252")
async def test_asking_for_a_code_from_a_browser_that_another_account_knows(host) -> None:
    async def known_to_eve(shop):
        await shop.open_account("eve@lamp.example")
        step = await shop.signin.sign_in_with_password("eve@lamp.example", PASSWORD, HERE)
        return attrs.evolve(HERE, device=step.set_cookies[1].value)

    use_case = seen(host, lambda shop, eve: shop.code_signin.request_sign_in_link(ANN, eve), known_to_eve)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-250", "KER-251")
async def test_asking_for_another_code(host) -> None:
    use_case = seen(host, lambda shop, handle: shop.code_signin.resend_code(handle, HERE), asked_for_a_code)
    await assert_indistinguishable(use_case, EVERY_SITUATION)


@pytest.mark.proves("KER-251", "SIG-2")
async def test_guessing_a_code_to_sign_in(host) -> None:
    async def guesses(shop, handle):
        return [await outcome(shop.code_signin.sign_in_with_code(handle, "wrong", HERE)) for _ in range(7)]

    await assert_indistinguishable(seen(host, guesses, asked_for_a_code), EVERY_SITUATION)


@pytest.mark.proves("KER-251")
async def test_guessing_on_when_the_account_has_changed_meanwhile(host) -> None:
    async def changed(shop):
        handle = await asked_for_a_code(shop)
        for account in [
            row.id for row in shop.builder.storage.snapshot()[shop.builder.scope.realm].books[SECURITY.name].values()
        ]:
            await shop.builder.edit(SECURITY, account, lambda security: security.bump(Stamp.PASSWORD))
        return handle

    async def tries(shop, handle):
        guessed = await outcome(shop.code_signin.sign_in_with_code(handle, "123456", HERE))
        return guessed, await outcome(shop.code_signin.resend_code(handle, HERE))

    there = [name for name in EVERY_SITUATION if name != "pending without an attempt"]
    await assert_indistinguishable(seen(host, tries, changed), {name: name for name in there})


@pytest.mark.proves("KER-252")
async def test_being_held_after_a_code(host) -> None:
    async def at_once(shop):
        await shop.code_signin.request_sign_in_link(ANN, HERE)

    use_case = seen(host, lambda shop, _: shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE), at_once)
    await assert_indistinguishable(use_case, EVERY_SITUATION)
