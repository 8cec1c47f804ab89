"""Codes for people who have shown something already: for a second step, and for a fresh proof."""

from datetime import timedelta
from typing import cast

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Method, ProofKind
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput, Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.signin import (
    AUTHENTICATORS,
    Authenticators,
    CodeExhausted,
    CodeSignInPolicy,
    CodeWay,
    CodeWrong,
    Factor,
    FactorKind,
    FactorUnknown,
    NumberRisk,
    ProgressEnded,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    SignInLinkInvalid,
    SignInLinkUsed,
    SignInRequired,
    WayNotOffered,
)
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from, without_gaps

ANN, BEA, HERE = "ann@lamp.example", "bea@lamp.example", request_from(agent="a browser")
NUMBER, PHONE = "+4915112345678", ContactId("phone")
MINUTE = timedelta(minutes=1)
SMS, MAIL = "by phone", "by mail"


@pytest.fixture
def builder(builder):
    """A shop that sends as many messages as a test wants."""
    builder.policies = quick_policies(sends=without_gaps())
    return builder


class Network:
    """Knows that a number was put on another card."""

    def number(self, number: str) -> frozenset[NumberRisk]:
        """Answer what speaks against a number."""
        assert number == NUMBER
        return frozenset({NumberRisk.RECENT_SIM_CHANGE})


async def with_factors(shop, builder, address=ANN, number=NUMBER):
    """Open an account with a phone and the mailbox as second steps."""
    account, now = await shop.open_account(address), builder.clock.now()
    phone = ContactPoint(
        id=PHONE,
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(number),
        roles=frozenset({ContactRole.NOTIFY}),
        added_at=now,
    ).proven(VerificationMethod.CODE, "challenge", now)
    customer = await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, phone)))
    factors = (
        Factor(id=SMS, kind=FactorKind.SMS, created_at=now, contact=PHONE),
        Factor(id=MAIL, kind=FactorKind.EMAIL_STEP, created_at=now, contact=customer.contacts[0].id),
    )
    own = Authenticators(id=account.id, realm=builder.scope.realm, factors=factors)
    await got(builder.storage.open(builder.scope).record(Change(writes=(AUTHENTICATORS.add(own),))))
    return account


async def half_way(shop, address=ANN):
    step = await shop.signin.sign_in_with_password(address, PASSWORD, HERE)
    assert isinstance(step, SecondFactorNeeded)
    return step.progress, attrs.evolve(HERE, binding=step.set_cookies[0].value)


@pytest.mark.proves("SIG-1", "SIG-10", "SIG-34", "KER-270")
@pytest.mark.parametrize(
    ("factor", "to", "level", "method"),
    [(SMS, NUMBER, Level.MULTI, Method.SMS_CODE), (MAIL, ANN, Level.SINGLE, Method.EMAIL_CODE)],
)
async def test_a_code_is_a_second_step_to_the_phone_a_factor_and_to_the_mailbox_none(
    shop, builder, factor, to, level, method
) -> None:
    account = await with_factors(shop, builder)
    progress, there = await half_way(shop)
    sent = await shop.step_codes.send_step_code(progress, factor, there)
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("signin.step_code", to)
    assert "link" not in letter.secrets
    assert to not in sent.masked
    step = await shop.second_step.give_second_factor(progress, SentCodeAnswer(sent.handle, letter.code, factor), there)
    assert isinstance(step, SignedIn)
    assert (step.auth.level, step.auth.proofs[1].method) == (level, method)
    used = (await builder.kept(AUTHENTICATORS, account.id)).factor(factor)
    assert used.last_used_at == builder.clock.now()


@pytest.mark.proves("KER-246")
async def test_a_text_message_carries_the_line_that_binds_its_code_to_the_shop(shop, builder) -> None:
    await with_factors(shop, builder)
    progress, there = await half_way(shop)
    await shop.step_codes.send_step_code(progress, SMS, there)
    assert builder.mailbag.last.variables["host"] == "lampenhaus.example"
    assert builder.mailbag.last.message.channel is Channel.SMS
    await shop.step_codes.send_step_code(progress, MAIL, there)
    assert "host" not in builder.mailbag.last.variables


@pytest.mark.proves("KER-241", "SIG-11", "SIG-63")
async def test_a_code_counts_for_its_own_sign_in_factor_and_purpose_alone(shop, builder) -> None:
    await with_factors(shop, builder)
    first, there = await half_way(shop)
    sent = await shop.step_codes.send_step_code(first, SMS, there)
    code = builder.mailbag.last.code
    second, elsewhere = await half_way(shop)
    give = shop.second_step.give_second_factor
    with pytest.raises(SignInLinkInvalid):
        await give(second, SentCodeAnswer(sent.handle, code, SMS), elsewhere)
    with pytest.raises(CodeWrong):
        await give(first, SentCodeAnswer(sent.handle, code, MAIL), there)
    with pytest.raises(WayNotOffered):
        await give(first, SentCodeAnswer(sent.handle, code), there)
    with pytest.raises(SignInLinkInvalid):
        await shop.code_signin.sign_in_with_code(sent.handle, code, there)
    asked = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, there)
    with pytest.raises(SignInLinkInvalid):
        await give(first, SentCodeAnswer(asked.handle, builder.mailbag.last.code, MAIL), there)
    with pytest.raises(InvalidInput):
        await give(first, SentCodeAnswer(sent.handle, cast(str, 123456), SMS), there)
    assert isinstance(await give(first, SentCodeAnswer(sent.handle, code, SMS), there), SignedIn)


@pytest.mark.proves("SIG-11", "SIG-44", "KER-263")
async def test_starting_over_with_the_password_buys_no_more_guesses(shop, builder) -> None:
    await with_factors(shop, builder)
    for guess in range(5):
        if guess % 3 == 0:
            builder.clock.advance(2 * MINUTE)
            progress, there = await half_way(shop)
            sent = await shop.step_codes.send_step_code(progress, SMS, there)
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(progress, SentCodeAnswer(sent.handle, "000000", SMS), there)
    answer = SentCodeAnswer(sent.handle, builder.mailbag.last.code, SMS)
    with pytest.raises(Throttled):
        await shop.second_step.give_second_factor(progress, answer, there)
    builder.clock.advance(MINUTE / 2)
    assert isinstance(await shop.second_step.give_second_factor(progress, answer, there), SignedIn)


@pytest.mark.proves("KER-244")
async def test_a_codes_own_tries_run_out_too(shop, builder) -> None:
    account = await with_factors(shop, builder)
    sent = await shop.step_codes.send_confirmation_code(account.session, HERE, MAIL)
    code = builder.mailbag.last.code
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(account.session, SentCodeAnswer(sent.handle, "000000", MAIL), HERE)
    builder.clock.advance(MINUTE)
    with pytest.raises(CodeExhausted):
        await shop.signin.confirm_identity(account.session, SentCodeAnswer(sent.handle, code, MAIL), HERE)


@pytest.mark.proves("SIG-61", "SIG-62", "SIG-63")
async def test_who_is_signed_in_proves_it_again_with_a_code(shop, builder) -> None:
    """So who has no password can."""
    ann = await shop.open_account(ANN, None)
    bea = await shop.open_account(BEA)
    sent = await shop.step_codes.send_confirmation_code(ann.session, HERE)
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("signin.step_code", ANN)
    answer = SentCodeAnswer(sent.handle, letter.code)
    with pytest.raises(SignInLinkInvalid):
        await shop.signin.confirm_identity(bea.session, answer, HERE)
    following = await shop.signin.confirm_identity(ann.session, answer, HERE)
    resumed = await shop.sessions.resume(following.session, HERE)
    (proof,) = resumed.auth.proofs
    assert (proof.method, proof.kind, proof.at) == (Method.EMAIL_CODE, ProofKind.MAILBOX, builder.clock.now())
    with pytest.raises(SignInRequired):
        await shop.step_codes.send_confirmation_code(ann.session, HERE)
    with pytest.raises(SignInLinkInvalid):
        await shop.signin.confirm_identity(following.session, SentCodeAnswer(Secret("sa1.stc.x"), "1"), HERE)


@pytest.mark.proves("SIG-61")
async def test_a_code_for_a_fresh_proof_works_once(shop, builder) -> None:
    account = await with_factors(shop, builder)
    sent = await shop.step_codes.send_confirmation_code(account.session, HERE, SMS)
    answer = SentCodeAnswer(sent.handle, builder.mailbag.last.code, SMS)
    following = await shop.signin.confirm_identity(account.session, answer, HERE)
    with pytest.raises((SignInLinkUsed, SignInLinkInvalid)):
        await shop.signin.confirm_identity(following.session, answer, HERE)


@pytest.mark.proves("KER-222")
async def test_a_code_that_something_at_the_account_has_overtaken_is_wrong(shop, builder) -> None:
    account = await with_factors(shop, builder)
    sent = await shop.step_codes.send_confirmation_code(account.session, HERE, SMS)
    letter = builder.mailbag.last
    await builder.edit(SECURITY, account.id, lambda security: security.bump(Stamp.FACTORS))
    with pytest.raises(SignInRequired):
        await shop.signin.confirm_identity(account.session, SentCodeAnswer(sent.handle, letter.code, SMS), HERE)


@pytest.mark.proves("SIG-32", "SIG-18")
async def test_a_code_goes_to_nothing_that_the_account_was_not_asked_for(shop, builder) -> None:
    await with_factors(shop, builder)
    progress, there = await half_way(shop)
    for unknown in ("another", "", "recovery_codes"):
        with pytest.raises((FactorUnknown, InvalidInput)):
            await shop.step_codes.send_step_code(progress, unknown, there)
    with pytest.raises(ProgressEnded):
        await shop.step_codes.send_step_code(progress, SMS, HERE)
    with pytest.raises(InsecureTransport):
        await shop.step_codes.send_step_code(progress, SMS, request_from(secure=False))
    bea = await shop.open_account(BEA)
    with pytest.raises(FactorUnknown):
        await shop.step_codes.send_confirmation_code(bea.session, HERE, SMS)
    builder.policies = quick_policies(code_sign_in=CodeSignInPolicy(ways=frozenset({CodeWay.SMS_CODE})))
    with pytest.raises(WayNotOffered):
        await builder.build().step_codes.send_confirmation_code(bea.session, HERE)
    builder.clock.advance(10 * MINUTE)
    with pytest.raises(ProgressEnded):
        await shop.step_codes.send_step_code(progress, SMS, there)


@pytest.mark.proves("SIG-33")
async def test_a_number_on_a_new_card_gets_no_code(builder) -> None:
    builder.ports = {"risk_signals": Network()}
    shop = builder.build()
    account = await with_factors(shop, builder)
    progress, there = await half_way(shop)
    letters = len(builder.mailbag.letters)
    with pytest.raises(WayNotOffered):
        await shop.step_codes.send_step_code(progress, SMS, there)
    with pytest.raises(WayNotOffered):
        await shop.step_codes.send_confirmation_code(account.session, HERE, SMS)
    assert len(builder.mailbag.letters) == letters
    assert await shop.step_codes.send_step_code(progress, MAIL, there)


@pytest.mark.proves("KER-264")
async def test_codes_for_second_steps_are_counted_like_all_others(builder) -> None:
    builder.policies = quick_policies()
    shop = builder.build()
    await with_factors(shop, builder)
    progress, there = await half_way(shop)
    await shop.step_codes.send_step_code(progress, SMS, there)
    with pytest.raises(Throttled):
        await shop.step_codes.send_step_code(progress, SMS, there)
    for _ in range(2):
        builder.clock.advance(MINUTE)
        await shop.step_codes.send_step_code(progress, SMS, there)
    builder.clock.advance(MINUTE)
    with pytest.raises(Throttled):
        await shop.step_codes.send_step_code(progress, SMS, there)


@pytest.mark.proves("SIG-1", "SIG-34", "KER-262", "KER-270")
@pytest.mark.parametrize("by_link", [False, True], ids=["by code", "by link"])
async def test_after_the_mailbox_a_code_to_the_mailbox_is_no_second_step(shop, builder, by_link) -> None:
    await with_factors(shop, builder)
    asked = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)
    letter, there = builder.mailbag.last, attrs.evolve(HERE, binding=asked.set_cookies[0].value)
    for _ in range(3):
        with pytest.raises(CodeWrong):
            await shop.code_signin.sign_in_with_code(asked.handle, "000000", there)
    if by_link:
        step = await shop.code_signin.sign_in_with_link(letter.token, there)
    else:
        step = await shop.code_signin.sign_in_with_code(asked.handle, letter.code, there)
    assert isinstance(step, SecondFactorNeeded)
    assert [option.kind for option in step.options] == ["sms"]
    with pytest.raises(FactorUnknown):
        await shop.step_codes.send_step_code(step.progress, MAIL, there)
    sent = await shop.step_codes.send_step_code(step.progress, SMS, there)
    answer = SentCodeAnswer(sent.handle, builder.mailbag.last.code, SMS)
    done = await shop.second_step.give_second_factor(step.progress, answer, there)
    assert isinstance(done, SignedIn)
    assert done.auth.level is Level.SINGLE


@pytest.mark.proves("KER-181", "SIG-11")
async def test_no_code_goes_out_for_what_has_ended_meanwhile(shop, builder) -> None:
    account = await with_factors(shop, builder)
    progress, there = await half_way(shop)
    letters = len(builder.mailbag.letters)
    meanwhile = Between(lambda: builder.edit(SECURITY, account.id, lambda security: security.bump(Stamp.FACTORS)))
    with pytest.raises(ProgressEnded):
        await builder.build(meanwhile).step_codes.send_step_code(progress, SMS, there)
    assert meanwhile.happened
    assert len(builder.mailbag.letters) == letters
