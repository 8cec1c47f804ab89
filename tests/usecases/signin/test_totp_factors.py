"""Apps as second steps: adding them, what that ends, and that each code works once."""

import sys
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, ContactRole
from shopaccounts.kernel.assurance import Level, Method
from shopaccounts.kernel.errors import Defect, FreshSignInNeeded, InvalidInput, Throttled, TryLater, Unavailable
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.vault import SealBroken
from shopaccounts.signin import (
    AUTHENTICATORS,
    AccountName,
    CodeWrong,
    EnrolmentEnded,
    EnrolmentNeeded,
    EnrolmentNeedsVerifiedContact,
    FactorKind,
    NoSession,
    SecondFactorMode,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SignedIn,
    SignInRequired,
    TooManyFactors,
    TotpCode,
    TotpPolicy,
    WayNotOffered,
    WhyNoSession,
)
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.faults import Fault, Faulty
from shopaccounts.testing.plugin import ASYNC

ANN, BEA, HERE = "ann@lamp.example", "bea@lamp.example", request_from(agent="a browser")
QUARTER, MOMENT = timedelta(minutes=15), timedelta(microseconds=1)
WRONG = "000000"
WORKER = WorkerId("worker")


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


async def why(shop, value):
    answer = await shop.sessions.resume(value, HERE)
    return answer.reason if isinstance(answer, NoSession) else None


async def sign_in(shop, password=PASSWORD, address=ANN, context=HERE):
    return await shop.signin.sign_in_with_password(address, password, context)


async def added(shop, builder, account, label="My phone"):
    return await enrol_app(shop.factors, account.session, HERE, builder.clock, label)


@pytest.mark.proves("SIG-30", "SIG-31", "SIG-81")
async def test_adding_an_app_is_one_change_with_its_notice_event_and_codes(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    other = (await sign_in(shop)).session
    before = len(builder.mailbag.to(ANN))
    enrolled = await added(shop, builder, ann)
    kept = await builder.kept(AUTHENTICATORS, ann.id)
    (factor,) = kept.factors
    assert (factor.id, factor.kind, factor.label) == (enrolled.id, FactorKind.TOTP, "My phone")
    assert factor.created_at == factor.last_used_at == builder.clock.now()
    assert kept.enrolling is None
    assert (await builder.kept(SECURITY, ann.id)).stamps.factors == 1
    assert await why(shop, other) is WhyNoSession.REVOKED
    assert await why(shop, ann.session) is WhyNoSession.ENDED
    assert await why(shop, enrolled.session) is None
    assert len(enrolled.recovery_codes) == kept.recovery_codes.left == 10
    (notice,) = builder.mailbag.to(ANN)[before:]
    assert notice.template == "signin.factor_enrolled"
    assert {"not_me_link", "freeze_link"} <= notice.secrets.keys()
    (event,) = told(builder, "signin.factor_enrolled")
    assert (event.subject, f'"factor":"{enrolled.id}"' in event.data) == (ann.id, True)


@pytest.mark.proves("SIG-30", "SIG-36", "KER-270")
async def test_from_then_on_the_password_alone_opens_nothing(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    step = await sign_in(shop)
    assert isinstance(step, SecondFactorNeeded)
    assert [(option.kind, option.factor, option.label) for option in step.options] == [
        ("totp", enrolled.id, "My phone"),
        ("recovery_codes", None, ""),
    ]
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value if step.set_cookies else HERE.binding)
    done = await shop.second_step.give_second_factor(step.progress, TotpCode(enrolled.app.next_code()), there)
    assert isinstance(done, SignedIn)
    assert done.auth.level is Level.MULTI
    assert [proof.method for proof in done.auth.proofs] == [Method.PASSWORD, Method.TOTP]


@pytest.mark.proves("SIG-30")
async def test_nothing_is_enrolled_until_its_first_code_was_right(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    for code in (WRONG, "12345", "abcdef"):
        with pytest.raises(CodeWrong):
            await shop.factors.confirm_totp(ann.session, code, HERE)
    assert (await builder.kept(AUTHENTICATORS, ann.id)).factors == ()
    assert isinstance(await sign_in(shop), SignedIn)
    app = AuthenticatorApp(started.uri, builder.clock)
    await shop.factors.confirm_totp(ann.session, app.code(), HERE)
    assert isinstance(await sign_in(shop), SecondFactorNeeded)


@pytest.mark.proves("SIG-30")
async def test_a_first_code_may_be_typed_with_blanks(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    app = AuthenticatorApp((await shop.factors.start_totp(ann.session, "", HERE)).uri, builder.clock)
    code = app.code()
    assert (await shop.factors.confirm_totp(ann.session, f" {code[:3]} {code[3:]} ", HERE)).factor


@pytest.mark.proves("SIG-30")
async def test_what_is_not_confirmed_within_a_quarter_of_an_hour_is_dropped(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    step = await sign_in(shop)
    builder.clock.advance(timedelta(minutes=10))
    started = await shop.factors.start_totp(step.session, "", HERE)
    assert started.expires_at == builder.clock.now() + QUARTER
    app = AuthenticatorApp(started.uri, builder.clock)
    builder.clock.advance(QUARTER - MOMENT)
    fresh = (await shop.signin.confirm_identity(step.session, PASSWORD, HERE)).session
    assert await shop.factors.drop_unconfirmed(10, WORKER) == 0
    builder.clock.advance(MOMENT)
    with pytest.raises(EnrolmentEnded):
        await shop.factors.confirm_totp(fresh, app.code(), HERE)
    assert (await builder.kept(AUTHENTICATORS, ann.id)).enrolling is not None
    await shop.upkeep.tick()
    assert (await builder.kept(AUTHENTICATORS, ann.id)).enrolling is None
    with pytest.raises(EnrolmentEnded):
        await shop.factors.confirm_totp(fresh, app.code(), HERE)


@pytest.mark.proves("SIG-30")
async def test_beginning_anew_drops_what_was_begun_before(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    first = AuthenticatorApp((await shop.factors.start_totp(ann.session, "", HERE)).uri, builder.clock)
    second = AuthenticatorApp((await shop.factors.start_totp(ann.session, "", HERE)).uri, builder.clock)
    with pytest.raises(CodeWrong):
        await shop.factors.confirm_totp(ann.session, first.code(), HERE)
    assert (await shop.factors.confirm_totp(ann.session, second.code(), HERE)).factor


@pytest.mark.proves("SIG-30", "SIG-60")
async def test_only_a_fresh_session_begins_or_confirms(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    session = (await sign_in(shop)).session
    builder.clock.advance(QUARTER)
    app = AuthenticatorApp(started.uri, builder.clock)
    for attempt in (
        lambda: shop.factors.start_totp(session, "", HERE),
        lambda: shop.factors.confirm_totp(session, app.code(), HERE),
    ):
        with pytest.raises(FreshSignInNeeded):
            await attempt()
    with pytest.raises(SignInRequired):
        await shop.factors.start_totp(Secret("nobody's"), "", HERE)


@pytest.mark.proves("SIG-30")
async def test_an_account_of_which_nothing_is_proven_enrols_nothing(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    code = AuthenticatorApp(started.uri, builder.clock).code()
    bare = {"roles": frozenset({ContactRole.NOTIFY}), "verified": None}
    await builder.edit(
        CUSTOMERS, ann.id, lambda c: attrs.evolve(c, contacts=tuple(attrs.evolve(one, **bare) for one in c.contacts))
    )
    with pytest.raises(EnrolmentNeedsVerifiedContact):
        await shop.factors.start_totp(ann.session, "", HERE)
    with pytest.raises(EnrolmentNeedsVerifiedContact):
        await shop.factors.confirm_totp(ann.session, code, HERE)


@pytest.mark.proves("SIG-31")
async def test_an_account_has_several_apps_and_the_second_brings_no_new_codes(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    first = await added(shop, builder, ann, "Phone")
    proven = await shop.signin.confirm_identity(first.session, PASSWORD, HERE)
    proven = await shop.signin.confirm_identity(proven.session, TotpCode(first.app.next_code()), HERE)
    second = await enrol_app(shop.factors, proven.session, HERE, builder.clock, "Tablet")
    assert second.recovery_codes == ()
    listed = await shop.factors.factors(second.session, HERE)
    assert [(factor.id, factor.label) for factor in listed.factors] == [(first.id, "Phone"), (second.id, "Tablet")]
    assert listed.recovery_codes.left == 10
    for app in (first, second):
        step = await sign_in(shop)
        there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
        answer = TotpCode(app.app.next_code(), app.id)
        assert isinstance(await shop.second_step.give_second_factor(step.progress, answer, there), SignedIn)


@pytest.mark.proves("SIG-30")
async def test_an_account_has_at_most_twenty_second_steps(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    await builder.edit(AUTHENTICATORS, ann.id, lambda own: attrs.evolve(own, factors=own.factors * 20))
    proven = await shop.signin.confirm_identity(enrolled.session, PASSWORD, HERE)
    proven = await shop.signin.confirm_identity(proven.session, TotpCode(enrolled.app.next_code()), HERE)
    with pytest.raises(TooManyFactors) as refused:
        await shop.factors.start_totp(proven.session, "", HERE)
    assert refused.value.most == 20


@pytest.mark.proves("SIG-32")
async def test_who_has_a_second_step_shows_it_before_another_one_is_added(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    session = (await shop.signin.confirm_identity(enrolled.session, PASSWORD, HERE)).session
    with pytest.raises(FreshSignInNeeded) as needed:
        await shop.factors.start_totp(session, "", HERE)
    assert needed.value.level == Level.MULTI


@pytest.mark.proves("SIG-37", "SIG-36")
async def test_the_code_that_confirms_is_used_up_by_that(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    used = enrolled.app.code()
    step = await sign_in(shop)
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(step.progress, TotpCode(used), there)
    (event,) = told(builder, "signin.totp_replayed")
    assert (event.subject, f'"factor":"{enrolled.id}"' in event.data) == (ann.id, True)


@pytest.mark.proves("SIG-36")
async def test_a_code_works_once_whatever_it_is_used_for_and_none_before_it_after_it(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    older = enrolled.app.next_code()
    used = enrolled.app.next_code()
    session = (await shop.signin.confirm_identity(enrolled.session, TotpCode(used), HERE)).session
    for code in (used, older):
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, TotpCode(code), HERE)
        step = await sign_in(shop)
        there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(step.progress, TotpCode(code), there)
    assert len(told(builder, "signin.totp_replayed")) == 4
    assert (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session


@pytest.mark.proves("SIG-35")
async def test_the_shops_window_holds_for_every_app_and_its_clock_alone_counts(host) -> None:
    builder = ShopBuilder(host=host, policies=quick_policies(totp=TotpPolicy(past_steps=0, future_steps=0)))
    shop = builder.build()
    account = await shop.open_account(ANN)
    enrolled = await added(shop, builder, account)
    builder.clock.advance(timedelta(minutes=5))
    session = enrolled.session
    for early in (-30, 30):
        code = enrolled.app.code(builder.clock.now() + timedelta(seconds=early))
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, TotpCode(code), HERE)
    assert (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.code()), HERE)).session


@pytest.mark.proves("SIG-38")
@pytest.mark.parametrize(
    ("policy", "label", "name"),
    [
        (AccountName.MASKED, "My phone", "a•••@l•••.example"),
        (AccountName.CHOSEN, "My phone", "My phone"),
        (AccountName.CHOSEN, "  ", "a•••@l•••.example"),
    ],
)
async def test_an_app_calls_the_account_as_the_policy_says(host, policy, label, name) -> None:
    builder = ShopBuilder(host=host, policies=quick_policies(totp=TotpPolicy(account_name=policy)))
    shop = builder.build()
    account = await shop.open_account(ANN)
    started = await shop.factors.start_totp(account.session, label, HERE)
    parts = urlsplit(started.uri.reveal())
    shown = unquote(parts.path)
    assert shown.startswith("/Lampenhaus:")
    assert (ANN in shown, shown.removeprefix("/Lampenhaus:") == "My phone") == (False, name == "My phone")
    assert parse_qs(parts.query)["secret"] == [started.secret.reveal()]


@pytest.mark.proves("SIG-38", "ADA-208")
async def test_the_picture_is_drawn_by_the_shops_port(host) -> None:
    class Painter:
        def svg(self, text):
            return Secret(f"<svg>{text.reveal()}</svg>")

    builder = ShopBuilder(host=host, ports={"qr": Painter()})
    shop = builder.build()
    account = await shop.open_account(ANN)
    started = await shop.factors.start_totp(account.session, "", HERE)
    assert started.qr == Secret(f"<svg>{started.uri.reveal()}</svg>")
    plain = ShopBuilder(host=host).build()
    other = await plain.open_account(ANN)
    drawn = (await plain.factors.start_totp(other.session, "", HERE)).qr
    assert drawn is not None
    assert drawn.reveal().startswith("<svg")


@pytest.mark.proves("SIG-39")
async def test_the_secret_is_in_no_row_no_event_and_no_letter_and_shown_once(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "My phone", HERE)
    app = AuthenticatorApp(started.uri, builder.clock)
    answer = await shop.factors.confirm_totp(ann.session, app.code(), HERE)
    listed = await shop.factors.factors(answer.next_value.session, HERE)
    secret = started.secret.reveal()
    everything = f"{builder.storage.snapshot()!r} {builder.mailbag.letters!r} {started!r} {answer!r} {listed!r}"
    assert secret not in everything
    assert not any(secret in field for letter in builder.mailbag.letters for field in letter.secrets.values())


@pytest.mark.proves("SIG-39")
async def test_a_secret_that_was_moved_to_another_account_opens_nothing(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    bea = await shop.open_account(BEA)
    theirs = await enrol_app(shop.factors, bea.session, HERE, builder.clock)
    moved = (await builder.kept(AUTHENTICATORS, ann.id)).factors[0].totp
    await builder.edit(
        AUTHENTICATORS,
        bea.id,
        lambda own: attrs.evolve(own, factors=(attrs.evolve(own.factors[0], totp=moved),)),
    )
    with pytest.raises(SealBroken):
        await shop.signin.confirm_identity(theirs.session, TotpCode(enrolled.app.next_code()), HERE)


@pytest.mark.proves("SIG-44", "KER-263", "KER-260")
async def test_wrong_codes_make_their_own_factor_wait_and_no_other(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    session = enrolled.session
    builder.clock.advance(timedelta(minutes=5))
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(session, TotpCode(WRONG), HERE)
    with pytest.raises(Throttled) as held:
        await shop.signin.confirm_identity(session, TotpCode(enrolled.app.code()), HERE)
    assert held.value.retry_after == timedelta(seconds=30)
    assert (await shop.signin.confirm_identity(session, PASSWORD, HERE)).session
    builder.clock.advance(timedelta(days=3000))
    step = await sign_in(shop)
    there = attrs.evolve(HERE, binding=step.set_cookies[0].value)
    with pytest.raises(CodeWrong):
        await shop.second_step.give_second_factor(step.progress, TotpCode(WRONG), there)
    with pytest.raises(Throttled):
        await shop.second_step.give_second_factor(step.progress, TotpCode(WRONG), there)


@pytest.mark.proves("SIG-44", "KER-262")
async def test_a_right_code_forgets_the_wrong_ones_of_its_factor(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    enrolled = await added(shop, builder, ann)
    session = enrolled.session
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(CodeWrong):
                await shop.signin.confirm_identity(session, TotpCode(WRONG), HERE)
        session = (await shop.signin.confirm_identity(session, TotpCode(enrolled.app.next_code()), HERE)).session


@pytest.mark.proves("SIG-44", "KER-263")
async def test_guessing_at_a_first_code_waits_too(shop, builder) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await shop.factors.confirm_totp(ann.session, WRONG, HERE)
    code = AuthenticatorApp(started.uri, builder.clock).code()
    with pytest.raises(Throttled):
        await shop.factors.confirm_totp(ann.session, code, HERE)


@pytest.mark.proves("SIG-30")
async def test_a_session_for_enrolling_enrols_and_ends_with_that(host) -> None:
    required = SecondFactorPolicy(mode=SecondFactorMode.REQUIRED, end_other_sessions=False)
    builder = ShopBuilder(host=host)
    await builder.build().open_account(ANN)
    builder.policies = quick_policies(second_factor=required)
    shop = builder.build()
    step = await sign_in(shop)
    assert isinstance(step, EnrolmentNeeded)
    for refused in (
        lambda: shop.factors.factors(step.session, HERE),
        lambda: shop.factors.renew_recovery_codes(step.session, HERE),
        lambda: shop.factors.rename_factor(step.session, "any", "", HERE),
        lambda: shop.factors.remove_factor(step.session, "any", HERE),
    ):
        with pytest.raises(SignInRequired):
            await refused()
    enrolled = await enrol_app(shop.factors, step.session, HERE, builder.clock)
    assert enrolled.answer.next_value is None
    assert [cookie.name for cookie in enrolled.answer.clear_cookies] == ["__Host-session"]
    assert len(enrolled.recovery_codes) == 10
    assert await why(shop, step.session) is WhyNoSession.REVOKED
    asked = await sign_in(shop)
    there = attrs.evolve(HERE, binding=asked.set_cookies[0].value)
    done = await shop.second_step.give_second_factor(asked.progress, TotpCode(enrolled.app.next_code()), there)
    assert isinstance(done, SignedIn)


@pytest.mark.proves("SIG-30")
async def test_what_the_shop_does_not_offer_is_not_enrolled(host) -> None:
    kinds = frozenset({FactorKind.PASSKEY, FactorKind.RECOVERY_CODES})
    builder = ShopBuilder(host=host, policies=quick_policies(second_factor=SecondFactorPolicy(kinds=kinds)))
    shop = builder.build()
    account = await shop.open_account(ANN)
    with pytest.raises(WayNotOffered) as refused:
        await shop.factors.start_totp(account.session, "", HERE)
    assert refused.value.way == "totp"
    assert FactorKind.TOTP not in {offer.kind for offer in (await shop.factors.factors(account.session, HERE)).offers}


@pytest.mark.proves("SIG-31")
async def test_a_shop_without_recovery_codes_makes_none(host) -> None:
    kinds = frozenset({FactorKind.TOTP})
    builder = ShopBuilder(host=host, policies=quick_policies(second_factor=SecondFactorPolicy(kinds=kinds)))
    shop = builder.build()
    enrolled = await added(shop, builder, await shop.open_account(ANN))
    assert enrolled.recovery_codes == ()
    assert (await shop.factors.factors(enrolled.session, HERE)).recovery_codes is None


@pytest.mark.proves("SIG-30")
async def test_a_shop_may_let_the_other_sessions_be(host) -> None:
    policy = SecondFactorPolicy(end_other_sessions=False)
    builder = ShopBuilder(host=host, policies=quick_policies(second_factor=policy))
    shop = builder.build()
    account = await shop.open_account(ANN)
    other = (await sign_in(shop)).session
    enrolled = await added(shop, builder, account)
    assert await why(shop, other) is None
    assert await why(shop, enrolled.session) is None
    assert await why(shop, account.session) is WhyNoSession.ENDED


@pytest.mark.proves("SIG-30", "SIG-7")
async def test_of_a_first_code_and_a_stop_in_between_the_stop_wins(builder, shop) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    code = AuthenticatorApp(started.uri, builder.clock).code()

    async def elsewhere():
        await shop.sessions.sign_out(ann.session, HERE)

    raced = builder.build(Between(elsewhere))
    with pytest.raises(SignInRequired):
        await raced.factors.confirm_totp(ann.session, code, HERE)
    assert (await builder.kept(AUTHENTICATORS, ann.id)).factors == ()


@pytest.mark.proves("KER-267")
async def test_without_counters_no_code_is_looked_at(builder, shop) -> None:
    ann = await shop.open_account(ANN)
    started = await shop.factors.start_totp(ann.session, "", HERE)
    code = AuthenticatorApp(started.uri, builder.clock).code()
    broken = Faulty({("read", 1): Fault(Unavailable("connection_lost"))})
    blind = builder.build(broken)
    with pytest.raises(TryLater):
        await blind.factors.confirm_totp(ann.session, code, HERE)
    assert not broken.unused
    assert (await builder.kept(AUTHENTICATORS, ann.id)).factors == ()


@pytest.mark.proves("SIG-46")
async def test_a_label_is_plain_text_of_some_length(shop) -> None:
    ann = await shop.open_account(ANN)
    for label in ("x" * 65, "a\nb", None, 7):
        with pytest.raises(InvalidInput):
            await shop.factors.start_totp(ann.session, label, HERE)


@pytest.mark.proves("ADA-208", "ADA-211")
async def test_without_the_package_an_app_is_set_up_without_a_picture(host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    shop = ShopBuilder(host=host).build()
    account = await shop.open_account(ANN)
    started = await shop.factors.start_totp(account.session, "", HERE)
    assert started.qr is None
    assert started.secret.reveal() in started.uri.reveal()


@pytest.mark.proves("ADA-211")
@pytest.mark.parametrize(("port", "method"), [("totp", "matching_step"), ("qr", "svg"), ("risk_signals", "number")])
def test_a_sync_host_refuses_what_answers_later(port: str, method: str) -> None:
    async def later(*_: object) -> None:
        """Answer later."""

    adapter = type("Later", (), {method: later})()
    with pytest.raises(Defect, match=f"Later.{method} is asynchronous"):
        ShopBuilder(ports={port: adapter}).blocking()


@pytest.mark.proves("ADA-211")
def test_an_async_host_refuses_signals_that_hold_up_its_loop() -> None:
    adapter = type("Slow", (), {"holds_up_the_loop": True})()
    with pytest.raises(Defect, match="Slow holds up the event loop"):
        ShopBuilder(host=ASYNC, ports={"risk_signals": adapter}).build()
