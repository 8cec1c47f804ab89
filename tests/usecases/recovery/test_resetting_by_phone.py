"""A new password by a code that goes to a phone: who gets one, what it does, and when the link is mailed instead."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Trigger, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport, InvalidInput, Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, PasswordUnacceptable
from shopaccounts.recovery import (
    ProofsMissing,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkStale,
    ResetLinkUsed,
    ResetPolicy,
    SecondFactorAt,
)
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeExhausted,
    CodeWrong,
    Factor,
    FactorKind,
    NoSession,
    SecondFactorNeeded,
    SignedIn,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, Between, quick_policies, request_from, without_gaps
from shopaccounts.testing.phones import with_phones
from shopaccounts.testing.recording import assert_indistinguishable

TEL, TYPED, ANN, NEW = "+4915123456789", "0151 234 567 89", "ann@lamp.example", "another lamp by the river"
HERE = request_from(browser=Secret("the value of the owner's own browser"))
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
BY_PHONE = [one for one in SITUATIONS if one != "unverified contact"]


@pytest.fixture
def builder(host):
    built = with_phones(host)
    built.policies = attrs.evolve(built.policies, sends=WIDE)
    return built


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


async def with_mailbox(builder, account):
    now = builder.clock.now()
    point = ContactPoint(
        id=ContactId(ANN),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(ANN),
        added_at=now,
        roles=frozenset({ContactRole.LOGIN, ContactRole.NOTIFY}),
    ).proven(VerificationMethod.CODE, "a challenge", now)
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))


async def code(shop, builder, typed=TYPED):
    builder.clock.advance(MINUTE)
    sent = await shop.recovery.request_reset(typed, HERE, Channel.SMS)
    return sent.handle, builder.mailbag.last


@pytest.mark.proves("RCV-1", "RCV-2", "RCV-3", "RCV-10", "RCV-11")
async def test_a_code_to_the_phone_sets_a_new_password_once(shop, builder) -> None:
    account = await shop.open_account(TEL)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    builder.clock.advance(MINUTE)
    sent = await shop.recovery.request_reset(TYPED, HERE, Channel.SMS)
    letter = builder.mailbag.last
    assert (sent.channel, sent.masked) == (Channel.SMS, "+49…89")
    assert (letter.template, letter.to, letter.deliver) == ("recovery.reset_code", TEL, True)
    assert (letter.variables["minutes"], set(letter.secrets)) == ("10", {"code"})
    assert (await builder.kept(SECURITY, account.id)).stamps == stamps
    assert "recovery.reset_requested" in told(builder)

    done = await shop.recovery.reset_with_code(sent.handle, letter.code, NEW, HERE)
    assert done.masked == "+49…89"
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    after = (await builder.kept(SECURITY, account.id)).stamps
    assert after.password == stamps.password + 1
    assert builder.mailbag.last.template == "passwords.was_reset"
    assert {"passwords.set", "recovery.password_reset"} <= set(told(builder))
    assert isinstance(await shop.signin.sign_in_with_password(TEL, NEW, HERE), SignedIn)
    with pytest.raises(ResetLinkUsed):
        await shop.recovery.reset_with_code(sent.handle, letter.code, PASSWORD, HERE)


@pytest.mark.proves("RCV-13")
async def test_who_has_no_password_sets_a_first_one_so(shop, builder) -> None:
    account = await shop.open_account(TEL, None)
    handle, letter = await code(shop, builder)
    await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    assert await builder.kept(PASSWORDS, account.id)
    builder.policies = attrs.evolve(builder.policies, resets=ResetPolicy(creates_first_password=False))
    other = await shop.open_account("+4915198765432", None)
    _, letter = await code(builder.build(), builder, "+4915198765432")
    assert (letter.to, letter.deliver, letter.message.subject) == ("+4915198765432", False, "")
    assert await builder.kept(PASSWORDS, other.id) is None


@pytest.mark.proves("RCV-1", "RCV-10")
async def test_a_code_lives_ten_minutes_at_most_and_dies_with_what_it_relied_on(shop, builder) -> None:
    await shop.open_account(TEL)
    handle, letter = await code(shop, builder)
    builder.clock.advance(10 * MINUTE)
    with pytest.raises((CodeExhausted, CodeWrong)):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    builder.clock.advance(20 * MINUTE)
    with pytest.raises(ResetLinkExpired):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    earlier, old = await code(shop, builder)
    handle, letter = await code(shop, builder)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_with_code(earlier, old.code, NEW, HERE)
    builder.clock.advance(MINUTE)
    await shop.signin.sign_in_with_password(TEL, PASSWORD, HERE)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    with pytest.raises(ResetLinkInvalid):
        await shop.recovery.reset_with_code(Secret("sa1.rsc.nothing"), letter.code, NEW, HERE)


@pytest.mark.proves("RCV-10")
async def test_a_reset_by_mail_ends_the_code(shop, builder) -> None:
    account = await shop.open_account(TEL)
    await with_mailbox(builder, account)
    handle, letter = await code(shop, builder)
    await shop.recovery.request_reset(ANN, HERE)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    with pytest.raises(ResetLinkStale):
        await shop.recovery.reset_with_code(handle, letter.code, PASSWORD, HERE)


@pytest.mark.proves("RCV-1")
async def test_a_shop_may_have_its_codes_live_shorter(shop, builder) -> None:
    await shop.open_account(TEL)
    builder.policies = attrs.evolve(builder.policies, resets=ResetPolicy(sms_code_life=5 * MINUTE))
    shop = builder.build()
    handle, letter = await code(shop, builder)
    assert letter.variables["minutes"] == "5"
    builder.clock.advance(5 * MINUTE)
    with pytest.raises((CodeExhausted, CodeWrong)):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)


@pytest.mark.proves("RCV-1")
@pytest.mark.parametrize(
    "wrong",
    [
        {"sms_code_life": 11 * MINUTE},
        {"sms_code_life": timedelta(0)},
        {"sms_code_life": timedelta(seconds=90)},
        {"channels": frozenset({Channel.SMS})},
    ],
)
def test_a_policy_that_protects_nobody_is_refused(wrong) -> None:
    with pytest.raises(BadPolicy):
        ResetPolicy(**wrong)


@pytest.mark.proves("RCV-10", "KER-263")
async def test_wrong_codes_are_counted_and_learn_nothing_of_the_password(shop, builder) -> None:
    await shop.open_account(TEL)
    handle, letter = await code(shop, builder)
    left = []
    for password in (PASSWORD, "short", NEW, NEW, NEW):
        with pytest.raises(CodeWrong) as refused:
            await shop.recovery.reset_with_code(handle, "000000", password, HERE)
        left.append(refused.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(Throttled):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    builder.clock.advance(MINUTE)
    with pytest.raises(CodeExhausted):
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)


@pytest.mark.proves("RCV-10")
async def test_a_password_that_will_not_do_leaves_the_code_good(shop, builder) -> None:
    await shop.open_account(TEL)
    handle, letter = await code(shop, builder)
    for password in (PASSWORD, "lamp"):
        with pytest.raises(PasswordUnacceptable):
            await shop.recovery.reset_with_code(handle, letter.code, password, HERE)
    await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)


@pytest.mark.proves("RCV-14", "KER-236")
async def test_a_code_resets_once_however_many_use_it_at_once(shop, builder) -> None:
    await shop.open_account(TEL)
    handle, letter = await code(shop, builder)
    between = Between(lambda: shop.recovery.reset_with_code(handle, letter.code, "the first lamp of them all", HERE))
    with pytest.raises(ResetLinkUsed):
        await builder.build(between).recovery.reset_with_code(handle, letter.code, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(TEL, "the first lamp of them all", HERE), SignedIn)


@pytest.mark.proves("RCV-12")
async def test_the_second_factor_is_asked_for_at_the_reset_where_the_shop_wants_it(shop, builder) -> None:
    account = await shop.open_account(TEL)
    app = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    builder.policies = attrs.evolve(builder.policies, resets=ResetPolicy(second_factor_at=SecondFactorAt.RESET))
    shop = builder.build()
    handle, letter = await code(shop, builder)
    with pytest.raises(ProofsMissing) as refused:
        await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE)
    assert refused.value.needed == ("recovery_codes", "totp")
    second = TotpCode(app.app.next_code())
    await shop.recovery.reset_with_code(handle, letter.code, NEW, HERE, second=second)
    assert isinstance(await shop.signin.sign_in_with_password(TEL, NEW, HERE), SecondFactorNeeded)


async def with_the_phone_as_second_factor(shop, builder, *others):
    account = await shop.open_account(TEL)
    if "app" in others:
        await enrol_app(shop.factors, account.session, HERE, builder.clock)
    (phone,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    factor = Factor(id="sms", kind=FactorKind.SMS, created_at=builder.clock.now(), contact=phone.id)
    kept = await builder.kept(AUTHENTICATORS, account.id)
    if kept is None:
        from shopaccounts.signin import Authenticators  # noqa: PLC0415  (only here)

        await builder.add(AUTHENTICATORS, Authenticators(id=account.id, realm=builder.scope.realm, factors=(factor,)))
    else:
        await builder.edit(AUTHENTICATORS, account.id, lambda o: attrs.evolve(o, factors=(*o.factors, factor)))
    return account


@pytest.mark.proves("RCV-12")
async def test_where_the_number_is_the_only_second_factor_the_link_is_mailed(shop, builder) -> None:
    account = await with_the_phone_as_second_factor(shop, builder)
    _, letter = await code(shop, builder)
    assert not [one for one in builder.mailbag.letters if one.template == "recovery.reset_password"]
    await with_mailbox(builder, account)
    handle, letter = await code(shop, builder)
    assert (letter.template, letter.to, letter.deliver) == ("recovery.reset_password", ANN, True)
    assert len([one for one in builder.mailbag.to(TEL) if one.template == "recovery.reset_code" and one.deliver]) == 0
    with pytest.raises(CodeWrong):
        await shop.recovery.reset_with_code(handle, "000000", NEW, HERE)
    await shop.recovery.reset_password(letter.token, NEW, HERE)


@pytest.mark.proves("RCV-12")
async def test_with_another_second_factor_the_code_goes_to_the_phone(shop, builder) -> None:
    account = await with_the_phone_as_second_factor(shop, builder, "app")
    await with_mailbox(builder, account)
    _, letter = await code(shop, builder)
    assert (letter.template, letter.to) == ("recovery.reset_code", TEL)


@pytest.mark.proves("RCV-2")
async def test_a_number_that_was_long_unused_opens_nothing_by_itself(shop, builder) -> None:
    account = await shop.open_account(TEL)
    builder.clock.advance(200 * DAY)
    _, letter = await code(shop, builder)
    assert not letter.deliver
    await with_mailbox(builder, account)
    _, letter = await code(shop, builder)
    assert (letter.template, letter.to, letter.deliver) == ("recovery.reset_password", ANN, True)


@pytest.mark.proves("RCV-2")
async def test_how_a_number_stands_decides_what_goes_out(shop, builder) -> None:
    account = await shop.open_account(TEL)
    await builder.step(account.id, Trigger.SUSPEND)
    _, letter = await code(shop, builder)
    assert (letter.template, letter.to, letter.deliver) == ("recovery.account_suspended", TEL, True)
    _, letter = await code(shop, builder)
    assert not letter.deliver, "that is told once a day"
    pending, closing = "+4915198765432", "+4915112345678"
    await shop.arrange("pending", pending)
    _, letter = await code(shop, builder, pending)
    assert (letter.template, letter.to, letter.deliver) == ("registration.verify_contact", pending, True)
    await shop.arrange("closing", closing)
    _, letter = await code(shop, builder, closing)
    assert (letter.template, letter.to, letter.deliver) == ("registration.account_closing", closing, True)


@pytest.mark.proves("RCV-2", "RCV-3", "KER-250")
async def test_asking_by_phone_looks_alike_whoever_asks(host) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        await builder.build().arrange(situation, TEL)
        builder.clock.advance(DAY)
        letters = len(builder.mailbag.letters)
        shop = builder.build(recorder)
        recorder.trace.clear()
        answer = await shop.recovery.request_reset(TEL, HERE, Channel.SMS)
        return repr(answer), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in BY_PHONE})


@pytest.mark.proves("RCV-2", "KER-250")
async def test_a_wrong_code_looks_alike_whoever_gives_it(host) -> None:
    async def use_case(situation, recorder):
        builder = with_phones(host)
        plain = builder.build()
        await plain.arrange(situation, TEL)
        builder.clock.advance(DAY)
        handle = (await plain.recovery.request_reset(TEL, HERE, Channel.SMS)).handle
        assert handle is not None
        letters, shop = len(builder.mailbag.letters), builder.build(recorder)
        recorder.trace.clear()
        with pytest.raises(CodeWrong) as refused:
            await shop.recovery.reset_with_code(handle, "000000", NEW, HERE)
        return repr(refused.value), len(builder.mailbag.letters) - letters

    await assert_indistinguishable(use_case, {name: name for name in BY_PHONE})


async def test_what_is_not_offered_is_refused_alike_to_everybody(shop, builder) -> None:
    await shop.open_account(TEL)
    for who in (TEL, "+4915198765432"):
        with pytest.raises(WayNotOffered):
            await shop.recovery.request_reset(who, HERE, Channel.VOICE)
    builder.policies = quick_policies(resets=ResetPolicy(channels=frozenset({Channel.EMAIL})))
    with pytest.raises(WayNotOffered):
        await builder.build().recovery.request_reset(TEL, HERE, Channel.SMS)
    with pytest.raises(InvalidInput):
        await shop.recovery.request_reset(TEL, HERE, "sms")
    with pytest.raises(InsecureTransport):
        await shop.recovery.request_reset(TEL, attrs.evolve(HERE, secure=False), Channel.SMS)
    with pytest.raises(InsecureTransport):
        await shop.recovery.reset_with_code(Secret("x"), "1", NEW, attrs.evolve(HERE, secure=False))


@pytest.mark.proves("RCV-1")
async def test_a_shop_may_call_with_the_code(shop, builder) -> None:
    await shop.open_account(TEL)
    channels = frozenset({Channel.EMAIL, Channel.VOICE})
    builder.policies = attrs.evolve(builder.policies, resets=ResetPolicy(channels=channels))
    sent = await builder.build().recovery.request_reset(TEL, HERE, Channel.VOICE)
    assert (sent.channel, builder.mailbag.last.message.channel) == (Channel.VOICE, Channel.VOICE)
    await shop.recovery.reset_with_code(sent.handle, builder.mailbag.last.code, NEW, HERE)
