"""The second step of signing in: what it takes, where, for how long, and what becomes of who can't give it."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, LifecyclePolicy, Trigger
from shopaccounts.kernel.assurance import Level, Method, SessionScope
from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, Throttled
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.passwords.forcing import flagged
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    PROGRESSES,
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    AttemptPolicy,
    CodeWrong,
    DevicePolicy,
    EnrolmentNeeded,
    NoSession,
    PasswordAnswer,
    PasswordChangeNeeded,
    ProgressEnded,
    RecoveryCodeAnswer,
    RecoveryCodePolicy,
    Resumed,
    SecondFactorMode,
    SecondFactorNeeded,
    SecondFactorPolicy,
    SignedIn,
    SignInRefused,
    SignInRequired,
    TotpCode,
    WayNotOffered,
)
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from

ANN, BEA = "ann@lamp.example", "bea@lamp.example"
HERE = request_from(agent="a browser")
NOT_IT = "seven other lamps in the wind"
MINUTE, DAY, MOMENT = timedelta(minutes=1), timedelta(days=1), timedelta(microseconds=1)
WORKER = WorkerId("worker")


def told(builder, name):
    events = builder.storage.snapshot()[builder.scope.realm].books["events"].values()
    return [event for event in events if event.name == name]


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def there(step, context=HERE):
    """The browser in which a sign-in began, with the cookies that it got."""
    (cookie,) = step.set_cookies
    return attrs.evolve(context, binding=cookie.value)


async def with_app(shop, builder):
    """Open an account with an app."""
    account = await shop.open_account(ANN)
    return account, await enrol_app(shop.factors, account.session, HERE, builder.clock)


async def halfway(shop, context=HERE, address=ANN, **how):
    step = await shop.signin.sign_in_with_password(address, PASSWORD, context, **how)
    assert isinstance(step, SecondFactorNeeded), step
    return step


async def whole(shop, app, context=HERE, **how):
    """Sign in with both steps."""
    step = await halfway(shop, context)
    return await shop.second_step.give_second_factor(
        step.progress, TotpCode(app.next_code()), there(step, context), **how
    )


class TestGoingOn:
    @pytest.mark.proves("SIG-1", "SIG-10")
    async def test_a_half_done_sign_in_opens_nothing_and_holds_no_secret(self, shop, builder):
        ann = await with_app(shop, builder)
        sessions = len(rows(builder, SESSIONS))
        step = await halfway(shop)
        assert step.expires_at == builder.clock.now() + 10 * MINUTE
        assert len(rows(builder, SESSIONS)) == sessions
        assert isinstance(await shop.sessions.resume(step.progress, HERE), NoSession)
        (kept,) = rows(builder, PROGRESSES)
        assert step.progress.reveal() not in repr(kept)
        assert PASSWORD not in repr(kept)
        (event,) = told(builder, "signin.second_factor_asked")
        assert event.subject == ann[0].id

    @pytest.mark.proves("SIG-1", "SIG-7", "KER-270")
    async def test_both_steps_make_a_session_of_two_factors(self, shop, builder):
        ann = await with_app(shop, builder)
        done = await whole(shop, ann[1].app)
        assert isinstance(done, SignedIn)
        assert (done.auth.level, done.second_step) == (Level.MULTI, None)
        assert [proof.method for proof in done.auth.proofs] == [Method.PASSWORD, Method.TOTP]
        resumed = await shop.sessions.resume(done.session, HERE)
        assert isinstance(resumed, Resumed)
        (factor,) = (await builder.kept(AUTHENTICATORS, ann[0].id)).factors
        assert factor.last_used_at == builder.clock.now()

    @pytest.mark.proves("SIG-11", "SIG-8")
    async def test_a_half_done_sign_in_is_good_for_one(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        with pytest.raises(ProgressEnded):
            await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))

    @pytest.mark.proves("SIG-11")
    async def test_it_goes_on_in_the_browser_in_which_it_began_and_nowhere_else(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        elsewhere = attrs.evolve(HERE, binding=Secret("x" * 43))
        for context in (HERE, elsewhere):
            with pytest.raises(ProgressEnded):
                await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), context)
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        assert isinstance(done, SignedIn)

    @pytest.mark.proves("SIG-11")
    async def test_a_browser_that_has_a_value_keeps_it(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        again = await halfway(shop, there(step))
        assert again.set_cookies == ()
        done = await shop.second_step.give_second_factor(again.progress, TotpCode(ann[1].app.next_code()), there(step))
        assert isinstance(done, SignedIn)

    @pytest.mark.proves("SIG-11")
    @pytest.mark.parametrize(("after", "open_"), [(10 * MINUTE - MOMENT, True), (10 * MINUTE, False)])
    async def test_it_lives_ten_minutes(self, shop, builder, after, open_):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        builder.clock.advance(after)
        giving = shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.code()), there(step))
        if open_:
            assert isinstance(await giving, SignedIn)
        else:
            with pytest.raises(ProgressEnded):
                await giving

    @pytest.mark.proves("SIG-11", "KER-222")
    @pytest.mark.parametrize("stamp", list(Stamp))
    async def test_it_is_dead_when_the_account_has_moved(self, shop, builder, stamp):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        await builder.edit(SECURITY, ann[0].id, lambda security: security.bump(stamp))
        giving = shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        if stamp is Stamp.PROVIDERS:
            assert isinstance(await giving, SignedIn)
        else:
            with pytest.raises(ProgressEnded):
                await giving

    @pytest.mark.proves("SIG-10")
    async def test_it_can_be_given_up(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        await shop.second_step.cancel_sign_in(step.progress, there(step))
        await shop.second_step.cancel_sign_in(step.progress, there(step))
        await shop.second_step.cancel_sign_in(Secret("nothing"), HERE)
        with pytest.raises(ProgressEnded):
            await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))

    @pytest.mark.proves("SIG-10", "KER-231")
    @pytest.mark.parametrize("junk", ["", "sa1.prg.x.y", "sa1.ses." + "A" * 22 + "." + "A" * 43])
    async def test_what_is_no_handle_goes_on_with_nothing(self, shop, junk):
        with pytest.raises(ProgressEnded):
            await shop.second_step.give_second_factor(Secret(junk), TotpCode("123456"), HERE)

    @pytest.mark.proves("KER-212")
    async def test_no_answer_is_taken_in_the_clear(self, shop, builder):
        await with_app(shop, builder)
        step = await halfway(shop)
        plain = attrs.evolve(there(step), secure=False)
        with pytest.raises(InsecureTransport):
            await shop.second_step.give_second_factor(step.progress, TotpCode("123456"), plain)
        with pytest.raises(InsecureTransport):
            await shop.second_step.cancel_sign_in(step.progress, plain)

    @pytest.mark.proves("SIG-78", "SIG-10")
    @pytest.mark.parametrize("when", ["first", "second"])
    async def test_who_wants_to_stay_signed_in_says_so_at_either_step(self, shop, builder, when):
        ann = await with_app(shop, builder)
        step = await halfway(shop, remember=when == "first")
        code = TotpCode(ann[1].app.next_code())
        done = await shop.second_step.give_second_factor(step.progress, code, there(step), remember=when == "second")
        assert done.set_cookies[0].max_age == timedelta(days=30)


class TestOptions:
    @pytest.mark.proves("SIG-1", "KER-270", "SIG-11")
    async def test_the_password_once_more_is_no_second_step(self, shop, builder):
        await with_app(shop, builder)
        step = await halfway(shop)
        with pytest.raises(WayNotOffered):
            await shop.second_step.give_second_factor(step.progress, PasswordAnswer(PASSWORD), there(step))
        assert rows(builder, PROGRESSES)[-1].wrong == 0

    @pytest.mark.proves("SIG-41", "SIG-1", "SIG-42")
    async def test_a_recovery_code_is_a_second_step_once(self, shop, builder):
        ann = await with_app(shop, builder)
        code = RecoveryCodeAnswer(ann[1].recovery_codes[0])
        step = await halfway(shop)
        done = await shop.second_step.give_second_factor(step.progress, code, there(step))
        assert (done.auth.level, done.recovery_code) == (Level.MULTI, None)
        again = await halfway(shop)
        with pytest.raises(CodeWrong):
            await shop.second_step.give_second_factor(again.progress, code, there(again))

    @pytest.mark.proves("SIG-1")
    async def test_the_app_of_somebody_else_proves_nothing(self, shop, builder):
        await with_app(shop, builder)
        bea = await shop.open_account(BEA)
        other = await enrol_app(shop.factors, bea.session, HERE, builder.clock)
        step = await halfway(shop)
        for answer in (
            TotpCode(other.app.next_code()),
            TotpCode(other.app.code(), other.id),
            RecoveryCodeAnswer(other.recovery_codes[0]),
        ):
            with pytest.raises(CodeWrong):
                await shop.second_step.give_second_factor(step.progress, answer, there(step))


class TestMissing:
    @pytest.mark.proves("SIG-11", "SIG-12")
    async def test_five_wrong_answers_end_it_and_the_owner_hears_that_somebody_knows_the_password(self, shop, builder):
        ann = await with_app(shop, builder)
        before = len(builder.mailbag.to(ANN))
        step = await halfway(shop)
        for left in (4, 3, 2, 1, 0):
            with pytest.raises(CodeWrong) as wrong:
                await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))
            assert wrong.value.tries_left == left
            builder.clock.advance(timedelta(seconds=31))
        with pytest.raises(ProgressEnded):
            await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        assert [event.subject for event in told(builder, "signin.second_factor_missed")] == [ann[0].id]
        (notice,) = builder.mailbag.to(ANN)[before:]
        assert notice.template == "signin.second_factor_missed"

    @pytest.mark.proves("SIG-12")
    async def test_the_notice_goes_out_once_a_day(self, shop, builder):
        await with_app(shop, builder)

        async def miss():
            step = await halfway(shop)
            builder.clock.advance(10 * MINUTE)
            await shop.upkeep.tick()
            return step

        before = len(builder.mailbag.to(ANN))
        await miss()
        await miss()
        missed = told(builder, "signin.second_factor_missed")
        assert [event.actor.kind for event in missed] == [ActorKind.SYSTEM] * 2
        assert [one.template for one in builder.mailbag.to(ANN)[before:]] == ["signin.second_factor_missed"]
        builder.clock.advance(DAY)
        await miss()
        assert len(builder.mailbag.to(ANN)[before:]) == 2

    @pytest.mark.proves("SIG-12")
    async def test_no_answer_from_a_known_browser_is_nobodys_business(self, shop, builder):
        ann = await with_app(shop, builder)
        done = await whole(shop, ann[1].app)
        device = next(cookie.value for cookie in done.set_cookies if cookie.name == "__Host-device")
        await halfway(shop, attrs.evolve(HERE, device=device))
        builder.clock.advance(10 * MINUTE)
        await shop.upkeep.tick()
        assert told(builder, "signin.second_factor_missed") == []

    @pytest.mark.proves("SIG-12")
    async def test_what_was_given_up_or_gone_on_with_is_not_missed(self, shop, builder):
        ann = await with_app(shop, builder)
        done = await whole(shop, ann[1].app)
        device = next(cookie.value for cookie in done.set_cookies if cookie.name == "__Host-device")
        at_home = attrs.evolve(HERE, device=device)
        step = await halfway(shop, at_home)
        await shop.second_step.cancel_sign_in(step.progress, there(step, at_home))
        builder.clock.advance(10 * MINUTE)
        await shop.upkeep.tick()
        assert told(builder, "signin.second_factor_missed") == []

    @pytest.mark.proves("SIG-11", "KER-263", "SIG-44")
    async def test_beginning_anew_buys_no_more_guesses(self, shop, builder):
        await with_app(shop, builder)
        for _ in range(5):
            step = await halfway(shop)
            with pytest.raises(CodeWrong):
                await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))
        builder.clock.advance(timedelta(seconds=1))
        step = await halfway(shop)
        with pytest.raises(Throttled) as wait:
            await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))
        assert wait.value.retry_after == timedelta(seconds=29)
        assert rows(builder, PROGRESSES)[-1].wrong == 0

    @pytest.mark.proves("SIG-45")
    async def test_more_than_ten_within_a_day_are_an_attack(self, shop, builder):
        ann = await with_app(shop, builder)
        for number in range(1, 13):
            builder.clock.advance(timedelta(hours=1, minutes=5))
            step = await halfway(shop)
            with pytest.raises(CodeWrong):
                await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))
            assert len(told(builder, "signin.second_factor_under_attack")) == (number > 10)
        (event,) = told(builder, "signin.second_factor_under_attack")
        assert event.subject == ann[0].id
        sent = [one.template for one in builder.mailbag.to(ANN)]
        assert sent.count("signin.second_factor_under_attack") == 1

    @pytest.mark.proves("KER-262", "SIG-44")
    async def test_half_a_sign_in_clears_no_counter_and_a_whole_one_clears_both(self, shop, builder):
        ann = await with_app(shop, builder)
        for _ in range(3):
            with pytest.raises(SignInRefused):
                await shop.signin.sign_in_with_password(ANN, NOT_IT, HERE)
        await halfway(shop)
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, NOT_IT, HERE)
        with pytest.raises(Throttled):
            await shop.signin.sign_in_with_password(ANN, NOT_IT, HERE)
        builder.clock.advance(timedelta(seconds=2))
        await whole(shop, ann[1].app)
        for _ in range(5):
            with pytest.raises(SignInRefused):
                await shop.signin.sign_in_with_password(ANN, NOT_IT, HERE)

    @pytest.mark.proves("KER-262", "SIG-44")
    async def test_a_whole_sign_in_clears_the_counter_of_its_second_step(self, shop, builder):
        ann = await with_app(shop, builder)

        async def miss(step, times):
            for _ in range(times):
                with pytest.raises(CodeWrong):
                    await shop.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))

        step = await halfway(shop)
        await miss(step, 4)
        await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        await miss(await halfway(shop), 5)

    @pytest.mark.proves("KER-263", "KER-260")
    async def test_a_wrong_answer_that_is_decided_anew_is_one_failure(self, builder):
        strict = Wait(free=2, base=MINUTE, cap=MINUTE, forget_after=DAY)
        builder.policies = quick_policies(attempts=AttemptPolicy(network=strict))
        shop = builder.build()
        await with_app(shop, builder)
        step = await halfway(shop)
        (progress,) = rows(builder, PROGRESSES)

        async def somebody_is_faster():
            await builder.edit(PROGRESSES, progress.id, lambda one: attrs.evolve(one, failures=1))

        late = builder.build(Between(somebody_is_faster))
        for counter in (late, shop):
            with pytest.raises(CodeWrong):
                await counter.second_step.give_second_factor(step.progress, TotpCode("000000"), there(step))


class TestWhatTheGateSays:
    @pytest.mark.proves("SIG-2", "SIG-3")
    async def test_a_suspended_account_is_told_after_both_steps_only(self, shop, builder):
        ann = await with_app(shop, builder)
        await builder.step(ann[0].id, Trigger.SUSPEND)
        step = await halfway(shop)
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        assert isinstance(done, AccountSuspended)

    @pytest.mark.proves("SIG-2", "SIG-3")
    async def test_who_is_suspended_in_between_is_not_let_in(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)
        await builder.step(ann[0].id, Trigger.SUSPEND)
        with pytest.raises(ProgressEnded):
            await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))

    @pytest.mark.proves("SIG-2")
    async def test_half_a_sign_in_cancels_no_closing(self, builder):
        builder.policies = quick_policies(lifecycle=LifecyclePolicy(sign_in_cancels_closing=True))
        shop = builder.build()
        account = await shop.open_account(ANN)
        enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
        await builder.step(account.id, Trigger.REQUEST_CLOSING)
        step = await halfway(shop)
        assert (await builder.kept(CUSTOMERS, account.id)).status.value == "closing"
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(enrolled.app.next_code()), there(step))
        assert isinstance(done, SignedIn)
        assert (await builder.kept(CUSTOMERS, account.id)).status.value == "active"

    @pytest.mark.proves("SIG-5", "PAS-16")
    async def test_a_password_that_must_go_is_looked_at_after_the_second_step(self, shop, builder):
        ann = await with_app(shop, builder)
        now = builder.clock.now()
        await builder.edit(PASSWORDS, ann[0].id, lambda record: flagged(record, MustChange.BREACHED, now))
        step = await halfway(shop)
        done = await shop.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))
        assert isinstance(done, PasswordChangeNeeded)
        assert done.via == "here"

    @pytest.mark.proves("SIG-42", "SIG-2", "SIG-5")
    @pytest.mark.parametrize("kind", [AccountSuspended, AccountClosing, PasswordChangeNeeded])
    async def test_a_fresh_recovery_code_is_shown_wherever_the_used_one_leads(self, builder, kind):
        builder.policies = quick_policies(recovery_codes=RecoveryCodePolicy(replace_used=True))
        shop = builder.build()
        account, app = await with_app(shop, builder)
        if kind is PasswordChangeNeeded:
            now = builder.clock.now()
            await builder.edit(PASSWORDS, account.id, lambda record: flagged(record, MustChange.BREACHED, now))
        else:
            stop = Trigger.SUSPEND if kind is AccountSuspended else Trigger.REQUEST_CLOSING
            await builder.step(account.id, stop)
        step = await halfway(shop)
        code = RecoveryCodeAnswer(app.recovery_codes[0])
        done = await shop.second_step.give_second_factor(step.progress, code, there(step))
        assert isinstance(done, kind)
        assert done.recovery_code.reveal() not in app.recovery_codes
        step = await halfway(shop)
        fresh = RecoveryCodeAnswer(done.recovery_code.reveal())
        assert isinstance(await shop.second_step.give_second_factor(step.progress, fresh, there(step)), kind)

    @pytest.mark.proves("SIG-4", "SIG-9")
    async def test_a_shop_that_requires_a_second_factor_opens_a_session_for_enrolling_alone(self, shop, builder):
        await shop.open_account(ANN)
        builder.policies = quick_policies(second_factor=SecondFactorPolicy(mode=SecondFactorMode.REQUIRED))
        strict = builder.build()
        step = await strict.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)
        assert isinstance(step, EnrolmentNeeded)
        assert step.set_cookies[0].max_age is None
        kept = rows(builder, SESSIONS)[-1]
        assert (kept.auth.scope, kept.ends_at) == (SessionScope.ENROL_ONLY, builder.clock.now() + 30 * MINUTE)
        with pytest.raises(SignInRequired):
            await strict.sessions.list_sessions(step.session, HERE)
        await enrol_app(strict.factors, step.session, HERE, builder.clock)
        assert isinstance(await strict.signin.sign_in_with_password(ANN, PASSWORD, HERE), SecondFactorNeeded)

    @pytest.mark.proves("SIG-7")
    async def test_a_change_that_comes_first_makes_the_sign_in_lose(self, shop, builder):
        ann = await with_app(shop, builder)
        step = await halfway(shop)

        async def changed():
            await builder.edit(SECURITY, ann[0].id, lambda security: security.bump(Stamp.PASSWORD))

        late = builder.build(Between(changed))
        with pytest.raises(ProgressEnded):
            await late.second_step.give_second_factor(step.progress, TotpCode(ann[1].app.next_code()), there(step))


class TestTrust:
    async def trusted(self, shop, app, context=HERE):
        done = await whole(shop, app, context, trust_device=True)
        device = next(cookie.value for cookie in done.set_cookies if cookie.name == "__Host-device")
        return attrs.evolve(context, device=device)

    @pytest.mark.proves("SIG-51", "SIG-1", "KER-271")
    async def test_a_trusted_device_stands_for_the_second_step_and_the_session_stays_single(self, shop, builder):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        assert len(told(builder, "signin.device_trusted")) == 1
        done = await shop.signin.sign_in_with_password(ANN, PASSWORD, known)
        assert (done.auth.level, done.second_step) == (Level.SINGLE, "device")

    @pytest.mark.proves("SIG-51", "SIG-60")
    async def test_it_never_stands_for_a_fresh_proof(self, shop, builder):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        done = await shop.signin.sign_in_with_password(ANN, PASSWORD, known)
        with pytest.raises(FreshSignInNeeded) as needed:
            await shop.factors.start_totp(done.session, "another", known)
        assert set(needed.value.methods) == {"totp", "recovery_code"}
        proven = (await shop.signin.confirm_identity(done.session, TotpCode(ann[1].app.next_code()), known)).session
        builder.clock.advance(15 * MINUTE)
        by_password = (await shop.signin.confirm_identity(proven, PASSWORD, known)).session
        with pytest.raises(FreshSignInNeeded) as needed:
            await shop.factors.start_totp(by_password, "another", known)
        assert set(needed.value.methods) == {"totp", "recovery_code"}

    @pytest.mark.proves("SIG-51")
    @pytest.mark.parametrize(
        ("after", "trusted"), [(timedelta(days=30) - 40 * MINUTE, True), (timedelta(days=30), False)]
    )
    async def test_trust_ends_after_thirty_days_however_often_it_is_used(self, shop, builder, after, trusted):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        for _ in range(5):
            builder.clock.advance(after / 5)
            step = await shop.signin.sign_in_with_password(ANN, PASSWORD, known)
        assert isinstance(step, SignedIn if trusted else SecondFactorNeeded)

    @pytest.mark.proves("SIG-51", "KER-222")
    @pytest.mark.parametrize("stamp", [Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.FACTORS, Stamp.CONTACTS])
    async def test_trust_ends_with_what_it_rests_on(self, shop, builder, stamp):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        await builder.edit(SECURITY, ann[0].id, lambda security: security.bump(stamp))
        assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, known), SecondFactorNeeded)

    @pytest.mark.proves("SIG-51")
    async def test_who_knows_the_device_value_but_not_the_password_gets_nowhere(self, shop, builder):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, NOT_IT, known)

    @pytest.mark.proves("SIG-51", "SIG-50")
    async def test_a_device_of_one_account_is_trusted_by_no_other(self, shop, builder):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        bea = await shop.open_account(BEA)
        await enrol_app(shop.factors, bea.session, HERE, builder.clock)
        assert isinstance(await shop.signin.sign_in_with_password(BEA, PASSWORD, known), SecondFactorNeeded)

    @pytest.mark.proves("SIG-51")
    async def test_a_shop_that_trusts_no_device_asks_each_time(self, builder):
        builder.policies = quick_policies(devices=DevicePolicy(trusted_for=None))
        shop = builder.build()
        account = await shop.open_account(ANN)
        enrolled = await enrol_app(shop.factors, account.session, HERE, builder.clock)
        known = await self.trusted(shop, enrolled.app)
        assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, known), SecondFactorNeeded)

    @pytest.mark.proves("SIG-51")
    async def test_without_asking_nothing_is_trusted(self, shop, builder):
        ann = await with_app(shop, builder)
        await whole(shop, ann[1].app)
        assert all(device.trusted_until is None for device in (await builder.kept(DEVICES, ann[0].id)).devices)

    async def by_mail(self, shop, builder, context):
        """Begin a sign-in by a code from the mailbox; answer its step, and the browser that it goes on in."""
        sent = await shop.code_signin.request_sign_in_code(ANN, Channel.EMAIL, context)
        browser = attrs.evolve(context, binding=sent.set_cookies[0].value)
        return await shop.code_signin.sign_in_with_code(sent.handle, builder.mailbag.last.code, browser), browser

    @pytest.mark.proves("SIG-51", "SIG-1")
    async def test_after_a_code_by_mail_a_trusted_device_stands_for_nothing(self, shop, builder):
        ann = await with_app(shop, builder)
        known = await self.trusted(shop, ann[1].app)
        step, _ = await self.by_mail(shop, builder, known)
        assert isinstance(step, SecondFactorNeeded)

    @pytest.mark.proves("SIG-51", "KER-270")
    async def test_two_steps_that_are_no_two_factors_trust_no_device(self, shop, builder):
        ann = await with_app(shop, builder)
        step, browser = await self.by_mail(shop, builder, HERE)
        code = TotpCode(ann[1].app.next_code())
        done = await shop.second_step.give_second_factor(step.progress, code, browser, trust_device=True)
        assert done.auth.level is Level.SINGLE
        assert all(device.trusted_until is None for device in (await builder.kept(DEVICES, ann[0].id)).devices)


class TestStepUp:
    @pytest.mark.proves("SIG-60", "SIG-61", "SIG-62")
    async def test_the_highest_level_takes_both_and_an_app_raises_a_session_to_it(self, shop, builder):
        ann = await with_app(shop, builder)
        _, app = ann
        builder.clock.advance(15 * MINUTE)
        with pytest.raises(FreshSignInNeeded):
            await shop.factors.start_totp(app.session, "another", HERE)
        fresh = await shop.signin.confirm_identity(app.session, TotpCode(app.app.code()), HERE)
        await shop.factors.start_totp(fresh.session, "another", HERE)
        assert isinstance(await shop.sessions.resume(app.session, HERE), NoSession)

    @pytest.mark.proves("SIG-61", "SIG-62")
    async def test_a_wrong_code_leaves_the_session_and_is_counted(self, shop, builder):
        ann = await with_app(shop, builder)
        _, app = ann
        for _ in range(5):
            with pytest.raises(CodeWrong):
                await shop.signin.confirm_identity(app.session, TotpCode("000000"), HERE)
        with pytest.raises(Throttled):
            await shop.signin.confirm_identity(app.session, TotpCode("000000"), HERE)
        assert isinstance(await shop.sessions.resume(app.session, HERE), Resumed)
        assert len(told(builder, "signin.step_up_refused")) == 5

    @pytest.mark.proves("SIG-36", "SIG-63")
    async def test_a_code_that_signed_in_proves_nothing_afterwards(self, shop, builder):
        ann = await with_app(shop, builder)
        done = await whole(shop, ann[1].app)
        with pytest.raises(CodeWrong):
            await shop.signin.confirm_identity(done.session, TotpCode(ann[1].app.code()), HERE)
