"""A lost second factor: what it takes to go on without it, how long that takes, and how everybody else says no."""

import io
from datetime import timedelta

import attrs
import pytest

from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, NotFound, Trigger, VerificationMethod
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import Forbidden, InsecureTransport, InvalidInput, Rejected, Throttled
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import PASSWORDS, FactorProtectsShortPassword, MustChange
from shopaccounts.recovery import (
    CASES,
    AgentNotAllowed,
    CaseClosed,
    CaseKind,
    CaseNotReady,
    CasePolicy,
    CaseState,
    Evidence,
    EvidenceInsufficient,
    EvidenceKind,
    ProofsMissing,
    ResetLinkInvalid,
    ResetLinkStale,
    Shown,
)
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    SESSIONS,
    CodeExhausted,
    CodeWrong,
    EnrolmentNeeded,
    Factor,
    FactorKind,
    NoSession,
    NumberRisk,
    Passkey,
    PasswordChangeNeeded,
    ProgressEnded,
    RecoveryCodeAnswer,
    SecondFactorMode,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SentCodeAnswer,
    SignedIn,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

ANN, SECOND, TEL = "ann@lamp.example", "ann@second.example", "+4915123456789"
HERE = request_from(browser=Secret("the value of the owner's own browser"))
ELSEWHERE = request_from("203.0.113.9", browser=Secret("the value of another browser"))
MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)
WIDE = attrs.evolve(
    without_gaps(), phone_hourly=without_gaps().mailbox_hourly, phone_daily=without_gaps().mailbox_daily
)
RIGHT = (Evidence(EvidenceKind.DOCUMENT, right=True), Evidence(EvidenceKind.ORDER_AND_POSTAL_CODE, right=True))


@pytest.fixture
def builder(host):
    courier = ConsoleCourier(io.StringIO())
    return ShopBuilder(
        host=host,
        policies=quick_policies(sends=WIDE),
        couriers={Channel.SMS: courier, Channel.VOICE: courier},
    )


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder, name):
    return [event for event in rows(builder, EVENTS) if event.name == name]


def newest(builder, template):
    return next(letter for letter in reversed(builder.mailbag.letters) if letter.template == template)


def sent_to(builder, template):
    now = builder.clock.now()
    return {one.to for one in builder.mailbag.letters if one.template == template and one.message.created_at == now}


def a_contact(value, at, *roles):
    kind = ContactKind.EMAIL if isinstance(value, EmailAddress) else ContactKind.PHONE
    point = ContactPoint(id=ContactId(value.stored), kind=kind, value=value, added_at=at, roles=frozenset(roles))
    return point.proven(VerificationMethod.CODE, "a challenge", at)


async def with_contact(builder, account, point):
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))


async def with_phone(builder, account, at=None):
    phone = a_contact(PhoneNumber.parse(TEL), at or builder.clock.now(), ContactRole.RECOVERY, ContactRole.NOTIFY)
    await with_contact(builder, account, phone)


async def an_account(shop, builder):
    """An account with an app, a second address, and a phone that was proven long ago."""
    account = await shop.open_account(ANN)
    app = await enrol_app(shop.factors, account.session, HERE, builder.clock)
    second = a_contact(EmailAddress.parse(SECOND), builder.clock.now(), ContactRole.NOTIFY)
    await with_contact(builder, account, second)
    await with_phone(builder, account)
    builder.clock.advance(WEEK)
    return account, app


async def at_the_door(shop, context=HERE, password=PASSWORD):
    step = await shop.signin.sign_in_with_password(ANN, password, context)
    assert isinstance(step, SecondFactorNeeded)
    return step.progress


async def codes(shop, builder, progress, *channels, context=HERE):
    answers = []
    for channel in channels or (Channel.EMAIL,):
        sent = await shop.lost_factor.send_case_code(progress, channel, context)
        answers.append(SentCodeAnswer(sent.handle, builder.mailbag.last.code))
    return answers


async def open_case(shop, builder, *channels, **how):
    progress = await at_the_door(shop)
    answers = await codes(shop, builder, progress, *channels)
    return await shop.lost_factor.open_factor_case(progress, answers, HERE, **how)


async def complete(shop, builder, *channels, context=HERE):
    progress = await at_the_door(shop, context)
    answers = await codes(shop, builder, progress, *channels, context=context)
    return await shop.lost_factor.complete_factor_case(progress, answers, context)


async def attend(shop):
    return await shop.cases.attend_cases(100, WorkerId("test"))


async def sign_in_with(shop, answer, context=HERE):
    step = await shop.second_step.give_second_factor(await at_the_door(shop, context), answer, context)
    assert isinstance(step, SignedIn)
    return step.session


def as_agent(builder, name="eve", **staffing):
    staff = StaffRoom()
    staff.hire(name, **staffing)
    scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, name))
    office = attrs.evolve(builder, scope=scope, agents=staff)
    office.mailbag = builder.mailbag
    return office.build().case_help


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-23", "RCV-24", "KER-222")
@pytest.mark.parametrize(
    ("channels", "wait", "proofs"),
    [
        ((Channel.EMAIL,), timedelta(hours=72), {Shown.PASSWORD, Shown.MAILBOX_CODE}),
        ((Channel.EMAIL, Channel.SMS), timedelta(hours=24), {Shown.PASSWORD, Shown.MAILBOX_CODE, Shown.PHONE_CODE}),
    ],
)
async def test_who_lost_the_second_factor_goes_on_without_it(shop, builder, channels, wait, proofs) -> None:
    account, _ = await an_account(shop, builder)
    before = (await builder.kept(SECURITY, account.id)).stamps
    opened = await open_case(shop, builder, *channels)
    assert (opened.earliest_at, opened.takes_agent) == (builder.clock.now() + wait, False)
    assert opened.expires_at == opened.earliest_at + WEEK
    assert sent_to(builder, "recovery.factor_case_waiting") == {ANN, SECOND, TEL}
    assert {"cancel_link", "not_me_link", "freeze_link"} <= newest(
        builder, "recovery.factor_case_waiting"
    ).secrets.keys()
    case = await builder.kept(CASES, opened.case)
    assert (case.kind, case.state, set(case.proofs)) == (CaseKind.FACTOR, CaseState.WAITING, proofs)
    assert len((await builder.kept(AUTHENTICATORS, account.id)).factors) == 1

    builder.clock.set(opened.earliest_at - timedelta(microseconds=1))
    with pytest.raises(CaseNotReady) as refused:
        await complete(shop, builder, *channels)
    assert refused.value.earliest_at == opened.earliest_at
    builder.clock.set(opened.earliest_at)
    sessions = len(rows(builder, SESSIONS))
    done = await complete(shop, builder, *channels)
    assert done.on_hold_until == builder.clock.now() + WEEK
    assert len(rows(builder, SESSIONS)) == sessions
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert (own.factors, own.recovery_codes, own.enrolling) == ((), None, None)
    security = await builder.kept(SECURITY, account.id)
    assert security.hold_until == done.on_hold_until
    moved = (security.stamps.account, security.stamps.factors)
    assert moved == (before.account + 1, before.factors + 1)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert sent_to(builder, "recovery.factors_removed") == {ANN, SECOND, TEL}
    names = ("case_opened", "case_completed")
    assert all(len(told(builder, f"recovery.{name}")) == 1 for name in names)
    assert len(told(builder, "signin.factor_removed")) == 1
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("RCV-23")
async def test_who_has_to_have_one_enrols_anew(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    await complete(shop, builder)
    required = SecondFactorPolicy(mode=SecondFactorMode.REQUIRED)
    builder.policies = quick_policies(sends=WIDE, second_factor=required)
    step = await builder.build().signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, EnrolmentNeeded)


@pytest.mark.proves("RCV-23")
async def test_no_device_stands_for_the_second_step_afterwards(shop, builder) -> None:
    account, app = await an_account(shop, builder)
    step = await shop.second_step.give_second_factor(
        await at_the_door(shop), TotpCode(app.app.next_code()), HERE, trust_device=True
    )
    assert isinstance(step, SignedIn)
    (trusted,) = [d for d in (await builder.kept(DEVICES, account.id)).devices if d.trusted_until]
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    await complete(shop, builder)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    assert stamps.factors > trusted.trusted_under.factors
    await shop.sessions.resume(step.session, HERE)


@pytest.mark.proves("RCV-23")
@pytest.mark.parametrize("too", [True, False])
async def test_passkeys_stay_unless_they_are_lost_as_well(shop, builder, too) -> None:
    account, _ = await an_account(shop, builder)
    key = Passkey(id="key", credential=b"key", public_key=b"key", counter=0, created_at=builder.clock.now())
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, passkeys=(key,)))
    opened = await open_case(shop, builder, passkeys_too=too)
    builder.clock.set(opened.earliest_at)
    await complete(shop, builder)
    own = await builder.kept(AUTHENTICATORS, account.id)
    assert (own.factors, own.recovery_codes) == ((), None)
    assert own.passkeys == (() if too else (key,))


@pytest.mark.proves("RCV-23")
async def test_passkeys_are_what_is_lost_where_there_is_nothing_else(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    key = Passkey(id="key", credential=b"key", public_key=b"key", counter=0, created_at=builder.clock.now())
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, passkeys=(key,), factors=()))
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    await complete(shop, builder)
    assert (await builder.kept(AUTHENTICATORS, account.id)).passkeys == ()


@pytest.mark.proves("RCV-20")
async def test_a_hold_is_never_shortened(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    longer = builder.clock.now() + 30 * DAY
    await builder.edit(SECURITY, account.id, lambda security: attrs.evolve(security, hold_until=longer))
    assert (await complete(shop, builder)).on_hold_until == longer


# What it takes


@pytest.mark.proves("RCV-20", "RCV-21")
async def test_without_the_code_of_the_mailbox_nothing_opens(shop, builder) -> None:
    await an_account(shop, builder)
    progress = await at_the_door(shop)
    by_phone = await codes(shop, builder, progress, Channel.SMS)
    for given in (by_phone[:0], by_phone):
        with pytest.raises(ProofsMissing) as refused:
            await shop.lost_factor.open_factor_case(progress, given, HERE)
        assert refused.value.needed == ("mailbox_code",)
    assert not rows(builder, CASES)


@pytest.mark.proves("RCV-20", "RCV-21")
async def test_without_the_password_nothing_is_sent_or_opened(shop, builder) -> None:
    await an_account(shop, builder)
    before = len(builder.mailbag.letters)
    with pytest.raises(Rejected):
        await shop.signin.sign_in_with_password(ANN, "not the password at all", HERE)
    for handle in (Secret("sa1.prg.nothing"), Secret("anything")):
        for work in (
            shop.lost_factor.send_case_code(handle, Channel.EMAIL, HERE),
            shop.lost_factor.open_factor_case(handle, [], HERE),
            shop.lost_factor.complete_factor_case(handle, [], HERE),
        ):
            with pytest.raises(ProgressEnded):
                await work
    assert len(builder.mailbag.letters) == before
    assert not rows(builder, CASES)


@pytest.mark.proves("RCV-20", "RCV-21")
async def test_a_sign_in_that_began_with_the_mailbox_shows_no_password(shop, builder) -> None:
    await an_account(shop, builder)
    sent = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, HERE)
    step = await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, HERE)
    assert isinstance(step, SecondFactorNeeded)
    with pytest.raises(ProofsMissing) as refused:
        await shop.lost_factor.send_case_code(step.progress, Channel.EMAIL, HERE)
    assert refused.value.needed == ("password",)


@pytest.mark.proves("RCV-20")
async def test_a_phone_that_is_the_second_factor_does_not_vouch(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    factor = Factor(id="sms", kind=FactorKind.SMS, created_at=builder.clock.now(), contact=ContactId(TEL))
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, factors=(factor,)))
    progress = await at_the_door(shop)
    with pytest.raises(WayNotOffered):
        await shop.lost_factor.send_case_code(progress, Channel.SMS, HERE)
    await shop.lost_factor.send_case_code(progress, Channel.EMAIL, HERE)


@pytest.mark.proves("RCV-20")
@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
async def test_a_phone_vouches_that_was_proven_long_enough_ago_and_can_be_written_to(shop, builder, channel) -> None:
    account = await shop.open_account(ANN)
    await enrol_app(shop.factors, account.session, HERE, builder.clock)
    await with_phone(builder, account)
    builder.clock.advance(DAY - MINUTE)
    with pytest.raises(WayNotOffered):
        await shop.lost_factor.send_case_code(await at_the_door(shop), channel, HERE)
    builder.clock.advance(MINUTE)
    if channel is Channel.VOICE:
        with pytest.raises(WayNotOffered):
            await shop.lost_factor.send_case_code(await at_the_door(shop), channel, HERE)
        return
    assert (await shop.lost_factor.send_case_code(await at_the_door(shop), channel, HERE)).channel is channel
    quiet = attrs.evolve(builder, couriers={}).build()
    with pytest.raises(WayNotOffered):
        await quiet.lost_factor.send_case_code(await at_the_door(shop), channel, HERE)


@pytest.mark.proves("RCV-20")
async def test_a_number_that_was_put_on_another_card_does_not_vouch(shop, builder) -> None:
    await an_account(shop, builder)

    class Swapped:
        def number(self, _):
            return frozenset(NumberRisk)

    builder.ports = {"risk_signals": Swapped()}
    with pytest.raises(WayNotOffered):
        await builder.build().lost_factor.send_case_code(await at_the_door(shop), Channel.SMS, HERE)


@pytest.mark.proves("RCV-20")
async def test_an_account_without_a_mailbox_has_no_case(shop, builder) -> None:
    account, _ = await an_account(shop, builder)

    def by_phone(customer):
        roles = frozenset({ContactRole.LOGIN, ContactRole.NOTIFY})
        phones = tuple(attrs.evolve(c, roles=roles) for c in customer.contacts if c.kind is ContactKind.PHONE)
        return attrs.evolve(customer, contacts=phones)

    progress = await at_the_door(shop)
    await builder.edit(CUSTOMERS, account.id, by_phone)
    with pytest.raises(WayNotOffered):
        await shop.lost_factor.send_case_code(progress, Channel.EMAIL, HERE)


@pytest.mark.proves("RCV-20")
async def test_a_shop_may_offer_the_phone_only_or_nothing(shop, builder) -> None:
    await an_account(shop, builder)
    builder.policies = quick_policies(sends=WIDE, cases=CasePolicy(factor_by_mailbox=None))
    with pytest.raises(ProofsMissing) as refused:
        await open_case(builder.build(), builder)
    assert refused.value.needed == ("phone_code",)
    assert await open_case(builder.build(), builder, Channel.EMAIL, Channel.SMS)


@pytest.mark.proves("RCV-21", "KER-244")
async def test_wrong_codes_open_nothing_and_are_counted(shop, builder) -> None:
    await an_account(shop, builder)
    progress = await at_the_door(shop)
    (right,) = await codes(shop, builder, progress)
    left = []
    for _ in range(5):
        with pytest.raises(CodeWrong) as refused:
            await shop.lost_factor.open_factor_case(progress, [attrs.evolve(right, code="000000")], HERE)
        left.append(refused.value.tries_left)
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(Throttled):
        await shop.lost_factor.open_factor_case(progress, [right], HERE)
    builder.clock.advance(MINUTE)
    with pytest.raises(CodeExhausted):
        await shop.lost_factor.open_factor_case(progress, [right], HERE)
    with pytest.raises(Throttled):
        await shop.lost_factor.open_factor_case(progress, await codes(shop, builder, progress), HERE)
    assert not rows(builder, CASES)


@pytest.mark.proves("RCV-21", "RCV-22")
async def test_a_code_belongs_to_the_half_done_sign_in_it_was_asked_for_in(shop, builder) -> None:
    await an_account(shop, builder)
    earlier = await codes(shop, builder, await at_the_door(shop))
    progress = await at_the_door(shop)
    with pytest.raises(ResetLinkInvalid):
        await shop.lost_factor.open_factor_case(progress, earlier, HERE)
    mine = await codes(shop, builder, progress)
    with pytest.raises(ProgressEnded):
        await shop.lost_factor.open_factor_case(progress, mine, ELSEWHERE)
    await shop.lost_factor.open_factor_case(progress, mine, HERE)


@pytest.mark.proves("RCV-22")
async def test_a_newer_code_makes_the_earlier_one_worthless_and_each_works_once(shop, builder) -> None:
    await an_account(shop, builder)
    progress = await at_the_door(shop)
    earlier = await codes(shop, builder, progress)
    builder.clock.advance(MINUTE)
    later = await codes(shop, builder, progress)
    with pytest.raises(ResetLinkStale):
        await shop.lost_factor.open_factor_case(progress, earlier, HERE)
    opened = await shop.lost_factor.open_factor_case(progress, later, HERE)
    builder.policies = quick_policies(sends=WIDE, cases=CasePolicy(factor_by_two_methods=timedelta(0)))
    with pytest.raises(CaseNotReady):
        await complete(shop, builder)
    assert (await builder.kept(CASES, opened.case)).state is CaseState.WAITING


@pytest.mark.parametrize("given", [None, "code", 7, [None], [SentCodeAnswer(Secret("sa1.csc.x"), "1")] * 3])
async def test_what_is_no_list_of_codes_is_refused(shop, builder, given) -> None:
    await an_account(shop, builder)
    progress = await at_the_door(shop)
    for work in (shop.lost_factor.open_factor_case, shop.lost_factor.complete_factor_case):
        with pytest.raises(InvalidInput):
            await work(progress, given, HERE)


async def test_the_same_code_twice_is_no_two_codes(shop, builder) -> None:
    await an_account(shop, builder)
    progress = await at_the_door(shop)
    (one,) = await codes(shop, builder, progress)
    with pytest.raises(InvalidInput):
        await shop.lost_factor.open_factor_case(progress, [one, one], HERE)
    with pytest.raises(InvalidInput):
        await shop.lost_factor.send_case_code(progress, "email", HERE)


@pytest.mark.proves("RCV-23")
async def test_a_password_is_not_left_alone_that_is_too_short_for_it(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, meets_single_factor_minimum=False))
    with pytest.raises(FactorProtectsShortPassword):
        await open_case(shop, builder)


async def test_nothing_goes_over_an_open_line(shop, builder) -> None:
    await an_account(shop, builder)
    progress, open_line = await at_the_door(shop), attrs.evolve(HERE, secure=False)
    for work in (
        shop.lost_factor.send_case_code(progress, Channel.EMAIL, open_line),
        shop.lost_factor.open_factor_case(progress, [], open_line),
        shop.lost_factor.complete_factor_case(progress, [], open_line),
    ):
        with pytest.raises(InsecureTransport):
            await work


# Completing


@pytest.mark.proves("RCV-22")
async def test_completing_asks_for_all_that_opened_it_again(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder, Channel.EMAIL, Channel.SMS)
    builder.clock.set(opened.earliest_at)
    for given, missing in (((Channel.EMAIL,), "phone_code"), ((Channel.SMS,), "mailbox_code")):
        with pytest.raises(ProofsMissing) as refused:
            await complete(shop, builder, *given)
        assert refused.value.needed == (missing,)
    progress = await at_the_door(shop)
    wrong = [attrs.evolve(one, code="000000") for one in await codes(shop, builder, progress)]
    with pytest.raises(CodeWrong):
        await shop.lost_factor.complete_factor_case(progress, wrong, HERE)
    assert await complete(shop, builder, Channel.EMAIL, Channel.SMS, context=ELSEWHERE)


@pytest.mark.proves("RCV-22", "RCV-24")
async def test_there_is_nothing_to_complete_without_a_case_or_after_it(shop, builder) -> None:
    await an_account(shop, builder)
    with pytest.raises(CaseClosed) as refused:
        await complete(shop, builder)
    assert refused.value.state == "none"
    opened = await open_case(shop, builder)
    builder.clock.set(opened.expires_at)
    with pytest.raises(CaseClosed) as refused:
        await complete(shop, builder)
    assert refused.value.state == "expired"


@pytest.mark.proves("RCV-20")
async def test_an_account_has_one_open_case_for_it(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder)
    with pytest.raises(CaseNotReady) as refused:
        await open_case(shop, builder)
    assert refused.value.earliest_at == opened.earliest_at
    builder.clock.set(opened.expires_at)
    assert await open_case(shop, builder)
    assert len(told(builder, "recovery.case_expired")) == 1


@pytest.mark.proves("RCV-20")
async def test_two_who_open_one_at_once_open_one(shop, builder) -> None:
    await an_account(shop, builder)
    first, second = await at_the_door(shop), await at_the_door(shop)
    mine, other = await codes(shop, builder, first), await codes(shop, builder, second)
    meanwhile = Between(lambda: shop.lost_factor.open_factor_case(first, mine, HERE))
    with pytest.raises(CaseNotReady):
        await builder.build(meanwhile).lost_factor.open_factor_case(second, other, HERE)
    assert meanwhile.happened
    assert len(rows(builder, CASES)) == 1


@pytest.mark.proves("RCV-22")
async def test_two_who_complete_it_at_once_complete_it_once(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    progress = await at_the_door(shop)
    mine = await codes(shop, builder, progress)
    meanwhile = Between(lambda: complete(shop, builder))
    with pytest.raises(ProgressEnded):
        await builder.build(meanwhile).lost_factor.complete_factor_case(progress, mine, HERE)
    assert len(told(builder, "recovery.case_completed")) == 1


@pytest.mark.proves("RCV-20")
async def test_where_no_time_has_to_pass_it_is_ready_at_once_and_asks_again_all_the_same(shop, builder) -> None:
    await an_account(shop, builder)
    builder.policies = quick_policies(sends=WIDE, cases=CasePolicy(factor_by_two_methods=timedelta(0)))
    shop = builder.build()
    opened = await open_case(shop, builder, Channel.EMAIL, Channel.SMS)
    assert opened.earliest_at == builder.clock.now()
    assert (await builder.kept(CASES, opened.case)).state is CaseState.READY
    assert sent_to(builder, "recovery.factor_case_ready") == {ANN, SECOND, TEL}
    with pytest.raises(ProofsMissing):
        await complete(shop, builder)
    assert await complete(shop, builder, Channel.EMAIL, Channel.SMS)


# Telling


@pytest.mark.proves("RCV-24", "RCV-26", "SIG-80")
async def test_everybody_hears_of_it_day_by_day_when_it_is_ready_and_at_its_end(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder)
    for _ in range(2):
        builder.clock.advance(DAY)
        assert await attend(shop) == 1
        assert sent_to(builder, "recovery.factor_case_waiting") == {ANN, SECOND, TEL}
        assert await attend(shop) == 0
    builder.clock.set(opened.earliest_at)
    await attend(shop)
    assert sent_to(builder, "recovery.factor_case_ready") == {ANN, SECOND, TEL}
    assert len(told(builder, "recovery.case_ready")) == 1
    letters = len(builder.mailbag.letters)
    builder.clock.advance(DAY)
    await attend(shop)
    assert len(builder.mailbag.letters) == letters
    builder.clock.set(opened.expires_at)
    await attend(shop)
    assert sent_to(builder, "recovery.factor_case_ended") == {ANN, SECOND, TEL}
    assert (await builder.kept(CASES, opened.case)).state is CaseState.EXPIRED


# Saying no


@pytest.mark.proves("RCV-24")
@pytest.mark.parametrize("ready", [False, True])
async def test_every_notice_cancels_it_for_good(shop, builder, ready) -> None:
    account, _ = await an_account(shop, builder)
    opened = await open_case(shop, builder)
    if ready:
        builder.clock.set(opened.earliest_at)
        await attend(shop)
    notice = newest(builder, f"recovery.factor_case_{'ready' if ready else 'waiting'}")
    assert (await shop.cases.peek_cancel(notice.ticket("cancel_link"), HERE)).kind == "factor"
    await shop.cases.cancel_case(notice.ticket("cancel_link"), HERE)
    assert sent_to(builder, "recovery.factor_case_ended") == {ANN, SECOND, TEL}
    with pytest.raises(CaseClosed):
        await complete(shop, builder)
    with pytest.raises(CaseClosed):
        await open_case(shop, builder)
    assert len((await builder.kept(AUTHENTICATORS, account.id)).factors) == 1
    builder.clock.advance(DAY)
    assert await open_case(shop, builder)


@pytest.mark.proves("RCV-24")
async def test_every_session_sees_it_and_can_cancel_it(shop, builder) -> None:
    _, app = await an_account(shop, builder)
    session = await sign_in_with(shop, TotpCode(app.app.next_code()))
    opened = await open_case(shop, builder)
    (seen,) = await shop.cases.list_cases(session, HERE)
    assert (seen.case, seen.kind, seen.masked) == (opened.case, "factor", "")
    await shop.cases.cancel_case_here(session, HERE)
    assert (await builder.kept(CASES, opened.case)).state is CaseState.CANCELLED


@pytest.mark.proves("RCV-24")
@pytest.mark.parametrize("by", ["app", "recovery code"])
async def test_whoever_uses_what_is_said_to_be_lost_cancels_it(shop, builder, by) -> None:
    account, app = await an_account(shop, builder)
    opened = await open_case(shop, builder)
    answer = TotpCode(app.app.next_code()) if by == "app" else RecoveryCodeAnswer(app.recovery_codes[0])
    builder.clock.advance(HOUR)
    answer = TotpCode(app.app.next_code()) if by == "app" else answer
    await sign_in_with(shop, answer)
    found_at = builder.clock.now()
    builder.clock.set(opened.earliest_at - 60 * HOUR)
    with pytest.raises(CaseClosed) as refused:
        await complete(shop, builder)
    assert refused.value.state == "cancelled"
    with pytest.raises(CaseClosed) as refused:
        await open_case(shop, builder)
    assert refused.value.state == "cancelled"
    builder.clock.set(opened.earliest_at)
    await attend(shop)
    case = await builder.kept(CASES, opened.case)
    assert (case.state, case.ended_at) == (CaseState.CANCELLED, found_at)
    (event,) = told(builder, "recovery.case_cancelled")
    assert '"reason":"found"' in event.data
    assert sent_to(builder, "recovery.factor_case_ended") == {ANN, SECOND, TEL}
    assert len((await builder.kept(AUTHENTICATORS, account.id)).factors) == 1


@pytest.mark.proves("RCV-24")
async def test_a_passkey_that_is_not_said_to_be_lost_cancels_nothing(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    key = Passkey(id="key", credential=b"key", public_key=b"key", counter=0, created_at=builder.clock.now())
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, passkeys=(key,)))
    opened = await open_case(shop, builder)
    builder.clock.set(opened.earliest_at)
    used = attrs.evolve(key, last_used_at=builder.clock.now())
    await builder.edit(AUTHENTICATORS, account.id, lambda own: attrs.evolve(own, passkeys=(used,)))
    assert await complete(shop, builder)


@pytest.mark.proves("RCV-25", "SIG-83")
async def test_a_cancel_as_not_me_flags_the_password(shop, builder) -> None:
    account, app = await an_account(shop, builder)
    await open_case(shop, builder)
    notice = newest(builder, "recovery.factor_case_waiting")
    await shop.cases.cancel_case(notice.ticket("cancel_link"), HERE, not_me=True)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED
    assert newest(builder, "recovery.choose_new_password").to == ANN
    done = await shop.second_step.give_second_factor(await at_the_door(shop), TotpCode(app.app.next_code()), HERE)
    assert isinstance(done, PasswordChangeNeeded)


@pytest.mark.proves("RCV-24")
@pytest.mark.parametrize("trigger", [Trigger.SUSPEND, Trigger.REQUEST_CLOSING])
async def test_an_account_that_is_stopped_or_closing_blocks_it(shop, builder, trigger) -> None:
    account, _ = await an_account(shop, builder)
    opened = await open_case(shop, builder)
    await builder.step(account.id, trigger)
    builder.clock.set(opened.earliest_at)
    with pytest.raises(CaseClosed) as refused:
        await complete(shop, builder)
    assert refused.value.state == "blocked"
    await attend(shop)
    assert (await builder.kept(CASES, opened.case)).state is CaseState.BLOCKED


@pytest.mark.proves("RCV-24")
async def test_a_reset_of_the_password_meanwhile_blocks_it(shop, builder) -> None:
    await an_account(shop, builder)
    opened = await open_case(shop, builder)
    builder.clock.advance(HOUR)
    await shop.recovery.request_reset(ANN, HERE)
    new = "another lamp by the river"
    await shop.recovery.reset_password(newest(builder, "recovery.reset_password").token, new, HERE)
    builder.clock.set(opened.earliest_at)
    progress = await at_the_door(shop, password=new)
    with pytest.raises(CaseClosed) as refused:
        await shop.lost_factor.complete_factor_case(progress, await codes(shop, builder, progress), HERE)
    assert refused.value.state == "blocked"


# Agents


@pytest.mark.proves("RCV-20", "RCV-28")
async def test_where_the_shop_wants_an_agent_one_has_to_vouch_meanwhile(shop, builder) -> None:
    await an_account(shop, builder)
    policy = CasePolicy(factor_by_mailbox_takes_agent=True)
    builder.policies = quick_policies(sends=WIDE, cases=policy)
    shop = builder.build()
    opened = await open_case(shop, builder)
    assert opened.takes_agent
    assert opened.earliest_at == builder.clock.now() + timedelta(hours=72)
    builder.clock.set(opened.earliest_at)
    with pytest.raises(ProofsMissing) as refused:
        await complete(shop, builder)
    assert refused.value.needed == ("agent",)
    with pytest.raises(EvidenceInsufficient):
        await as_agent(builder).vouch_for_case(opened.case, RIGHT[:1], "called us")
    seen = await as_agent(builder).vouch_for_case(opened.case, RIGHT, "called us")
    assert (seen.kind, seen.state) == ("factor", "ready")
    case = await builder.kept(CASES, opened.case)
    assert (case.evidence, [helper.agent for helper in case.helpers]) == (RIGHT, ["eve"])
    assert await complete(shop, builder)


@pytest.mark.proves("RCV-28")
async def test_nobody_vouches_for_what_is_no_open_case_of_a_factor(shop, builder) -> None:
    account, _ = await an_account(shop, builder)
    opened = await open_case(shop, builder)
    with pytest.raises(Forbidden):
        await shop.case_help.vouch_for_case(opened.case, RIGHT, "because")
    with pytest.raises(NotFound):
        await as_agent(builder).vouch_for_case("nothing", RIGHT, "called us")
    other = await as_agent(builder).open_case_for(account.id, "ann@new.example", RIGHT, "called us")
    with pytest.raises(NotFound):
        await as_agent(builder).vouch_for_case(other.case, RIGHT, "called us")
    staff = StaffRoom()
    staff.hire("eve")
    staff.protected.add(account.id)
    scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = attrs.evolve(builder, scope=scope, agents=staff).build()
    with pytest.raises(AgentNotAllowed):
        await office.case_help.vouch_for_case(opened.case, RIGHT, "called us")
    await as_agent(builder).stop_case(opened.case, "looks odd")
    with pytest.raises(CaseClosed):
        await as_agent(builder).vouch_for_case(opened.case, RIGHT, "called us")
