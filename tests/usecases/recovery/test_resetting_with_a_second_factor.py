"""A reset of an account with a second factor: when it is asked for, what counts, and how short the password may be."""

import io
from datetime import timedelta

import attrs
import pytest

from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, AccountStatus, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, PhoneNumber
from shopaccounts.kernel.errors import InsecureTransport, Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.recovery import ProofsMissing, ResetLinkUsed, ResetPolicy, SecondFactorAt
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeWrong,
    Factor,
    FactorKind,
    FactorUnknown,
    NumberRisk,
    PasswordAnswer,
    RecoveryCodeAnswer,
    RecoveryCodePolicy,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from, without_gaps

ANN, TEL, NEW, SHORT = "ann@lamp.example", "+4915123456789", "another lamp by the river", "river lam"
HERE = request_from(browser=Secret("the value of the owner's own browser"))
MINUTE = timedelta(minutes=1)
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
AT_RESET = ResetPolicy(second_factor_at=SecondFactorAt.RESET)


@pytest.fixture
def builder(host):
    courier = ConsoleCourier(io.StringIO())
    policies = quick_policies(sends=WIDE, resets=AT_RESET)
    return ShopBuilder(host=host, policies=policies, couriers={Channel.SMS: courier})


def newest(builder, template):
    return next(letter for letter in reversed(builder.mailbag.letters) if letter.template == template)


async def with_app(shop, builder):
    account = await shop.open_account(ANN)
    return account, await enrol_app(shop.factors, account.session, HERE, builder.clock, "the app")


async def with_phone(builder, account):
    now = builder.clock.now()
    point = ContactPoint(
        id=ContactId(TEL),
        kind=ContactKind.PHONE,
        value=PhoneNumber.parse(TEL),
        added_at=now,
        roles=frozenset({ContactRole.NOTIFY}),
    ).proven(VerificationMethod.CODE, "a challenge", now)
    factor = Factor(id="sms", kind=FactorKind.SMS, created_at=now, contact=ContactId(TEL))
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, factors=(*own.factors, factor)))


async def link(shop, builder):
    builder.clock.advance(MINUTE)
    await shop.recovery.request_reset(ANN, HERE)
    return newest(builder, "recovery.reset_password").token


@pytest.mark.proves("RCV-12")
async def test_where_the_shop_wants_it_a_reset_takes_one_of_the_accounts_second_factors(shop, builder) -> None:
    account, app = await with_app(shop, builder)
    token = await link(shop, builder)
    offer = await shop.recovery.peek_reset(token, HERE)
    assert [(option.kind, option.factor, option.label) for option in offer.second] == [
        ("totp", app.id, "the app"),
        ("recovery_codes", None, ""),
    ]
    before = await builder.kept(PASSWORDS, account.id)
    with pytest.raises(ProofsMissing) as refused:
        await shop.recovery.reset_password(token, NEW, HERE)
    assert refused.value.needed == ("recovery_codes", "totp")
    with pytest.raises(WayNotOffered):
        await shop.recovery.reset_password(token, NEW, HERE, second=PasswordAnswer(PASSWORD))
    with pytest.raises(CodeWrong):
        await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode("000000"))
    assert await builder.kept(PASSWORDS, account.id) == before

    code = app.app.next_code()
    with pytest.raises(PasswordUnacceptable):
        await shop.recovery.reset_password(token, "lamp", HERE, second=TotpCode(code))
    done = await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode(code))
    assert (done.masked, done.recovery_code) == ("a***@lamp.example", None)
    (factor,) = (await builder.kept(AUTHENTICATORS, account.id)).factors
    assert factor.last_used_at == builder.clock.now()
    step = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    assert isinstance(step, SecondFactorNeeded)
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(step.progress, TotpCode(code), HERE)
    with pytest.raises(ResetLinkUsed):
        await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode(app.app.next_code()))


@pytest.mark.proves("RCV-12")
async def test_else_it_is_asked_for_at_the_next_sign_in(shop, builder) -> None:
    account, _ = await with_app(shop, builder)
    own = await builder.kept(AUTHENTICATORS, account.id)
    builder.policies = quick_policies(sends=WIDE)
    shop = builder.build()
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).second == ()
    await shop.recovery.reset_password(token, NEW, HERE)
    assert await builder.kept(AUTHENTICATORS, account.id) == own
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SecondFactorNeeded)


@pytest.mark.proves("RCV-12")
async def test_who_has_none_is_asked_for_none(shop, builder) -> None:
    await shop.open_account(ANN)
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).second == ()
    await shop.recovery.reset_password(token, NEW, HERE)


@pytest.mark.proves("RCV-12")
async def test_the_mailbox_is_no_second_factor_to_itself(shop, builder) -> None:
    account, _ = await with_app(shop, builder)
    (mail,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    step = Factor(id="mail", kind=FactorKind.EMAIL_STEP, created_at=builder.clock.now(), contact=mail.id)
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, factors=(*own.factors, step)))
    token = await link(shop, builder)
    kinds = {option.kind for option in (await shop.recovery.peek_reset(token, HERE)).second}
    assert kinds == {"totp", "recovery_codes"}
    with pytest.raises(FactorUnknown):
        await shop.recovery.send_reset_factor_code(token, "mail", HERE)


@pytest.mark.proves("RCV-12")
async def test_a_second_factor_that_was_disabled_is_still_asked_for(shop, builder) -> None:
    account, _ = await with_app(shop, builder)

    def worn_out(own):
        (factor,) = own.factors
        return attrs.evolve(own, factors=(attrs.evolve(factor, is_disabled=True),), recovery_codes=None)

    await builder.edit(AUTHENTICATORS, account.id, worn_out)
    with pytest.raises(ProofsMissing) as refused:
        await shop.recovery.reset_password(await link(shop, builder), NEW, HERE)
    assert refused.value.needed == ("second_factor",)


@pytest.mark.proves("RCV-12")
async def test_a_recovery_code_counts_and_is_spent(shop, builder) -> None:
    account, app = await with_app(shop, builder)
    builder.policies = quick_policies(sends=WIDE, resets=AT_RESET, recovery_codes=RecoveryCodePolicy(replace_used=True))
    shop, code = builder.build(), app.recovery_codes[0]
    token = await link(shop, builder)
    done = await shop.recovery.reset_password(token, NEW, HERE, second=RecoveryCodeAnswer(code))
    assert done.recovery_code is not None
    with pytest.raises(CodeWrong):
        await shop.recovery.reset_password(await link(shop, builder), PASSWORD, HERE, second=RecoveryCodeAnswer(code))
    kept = await builder.kept(AUTHENTICATORS, account.id)
    assert kept.recovery_codes.left == 10


@pytest.mark.proves("RCV-12")
async def test_a_code_to_a_phone_counts_for_the_reset_it_was_asked_for(shop, builder) -> None:
    account, app = await with_app(shop, builder)
    await with_phone(builder, account)
    token = await link(shop, builder)
    with pytest.raises(FactorUnknown):
        await shop.recovery.send_reset_factor_code(token, app.id, HERE)
    with pytest.raises(InsecureTransport):
        await shop.recovery.send_reset_factor_code(token, "sms", attrs.evolve(HERE, secure=False))
    sent = await shop.recovery.send_reset_factor_code(token, "sms", HERE)
    letter = builder.mailbag.last
    assert (letter.to, sent.channel, sent.masked) == (TEL, Channel.SMS, "+49…89")
    answer = SentCodeAnswer(sent.handle, letter.code, "sms")
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(Exception, match="link_invalid"):
        await shop.second_step.give_second_factor(step.progress, answer, HERE)
    await shop.recovery.reset_password(token, NEW, HERE, second=answer)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SecondFactorNeeded)


@pytest.mark.proves("RCV-12")
async def test_a_number_on_another_card_gets_no_code(shop, builder) -> None:
    account, _ = await with_app(shop, builder)
    await with_phone(builder, account)

    class Swapped:
        def number(self, _):
            return frozenset(NumberRisk)

    builder.ports = {"risk_signals": Swapped()}
    token = await link(shop, builder)
    with pytest.raises(WayNotOffered):
        await builder.build().recovery.send_reset_factor_code(token, "sms", HERE)


@pytest.mark.proves("RCV-12", "KER-263")
async def test_guesses_at_the_second_factor_of_a_reset_are_counted_with_all_others(shop, builder) -> None:
    _, app = await with_app(shop, builder)
    token = await link(shop, builder)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode("000000"))
    with pytest.raises(Throttled):
        await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode(app.app.code()))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(Throttled):
        await shop.second_step.give_second_factor(step.progress, TotpCode(app.app.code()), HERE)
    builder.clock.advance(MINUTE)
    await shop.recovery.reset_password(await link(shop, builder), NEW, HERE, second=TotpCode(app.app.next_code()))
    step = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    for _ in range(4):
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), HERE)


@pytest.mark.proves("RCV-12", "SIG-36")
async def test_one_code_resets_once_however_many_links_there_are(shop, builder) -> None:
    _, app = await with_app(shop, builder)
    token = await link(shop, builder)
    code = app.app.next_code()

    async def meanwhile():
        step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(code), HERE)
        assert isinstance(done, SignedIn)

    between = Between(meanwhile)
    with pytest.raises(Exception, match=r"code_wrong|link_stale"):
        await builder.build(between).recovery.reset_password(token, NEW, HERE, second=TotpCode(code))
    assert between.happened


@pytest.mark.proves("RCV-10", "RCV-12")
@pytest.mark.parametrize("resets", [AT_RESET, ResetPolicy()])
async def test_with_a_second_factor_a_password_may_be_shorter(shop, builder, resets) -> None:
    account, app = await with_app(shop, builder)
    builder.policies = quick_policies(sends=WIDE, resets=resets)
    shop, second = builder.build(), None
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).guide.minimum == 8
    second = TotpCode(app.app.next_code()) if resets is AT_RESET else None
    await shop.recovery.reset_password(token, SHORT, HERE, second=second)
    assert not (await builder.kept(PASSWORDS, account.id)).meets_single_factor_minimum


@pytest.mark.proves("RCV-10")
async def test_without_one_it_may_not(shop, builder) -> None:
    await shop.open_account(ANN)
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).guide.minimum == 15
    with pytest.raises(PasswordUnacceptable):
        await shop.recovery.reset_password(token, SHORT, HERE)


@pytest.mark.proves("SIG-85")
async def test_an_owners_hold_is_lifted_by_mailbox_and_second_factor(shop, builder) -> None:
    account, app = await with_app(shop, builder)
    builder.policies = quick_policies(sends=WIDE)
    shop = builder.build()
    await shop.customers.freeze_account(newest(builder, "signin.factor_enrolled").ticket("freeze_link"), HERE)
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).second
    with pytest.raises(ProofsMissing):
        await shop.recovery.reset_password(token, NEW, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.SUSPENDED
    await shop.recovery.reset_password(token, NEW, HERE, second=TotpCode(app.app.next_code()))
    assert (await builder.kept(CUSTOMERS, account.id)).status is AccountStatus.ACTIVE
