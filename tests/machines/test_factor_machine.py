"""An owner who adds and removes second steps, and a thief who knows the password: who gets in, and who changes what.

The owner has apps, recovery codes and a mailbox; the thief has the password, and now and then the owner's session. What
is checked after each step:

* the account has the second steps that its owner gave it, and as many recovery codes as are left;
* codes of apps count once, and steps only go up; recovery codes count once, those of an earlier set never;
* with the password alone nobody comes in where there is a second step, and nobody changes one;
* and the owner comes in, whatever has happened.
"""

from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shopaccounts.kernel.answers import run
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected
from shopaccounts.signin import (
    AUTHENTICATORS,
    CodeWrong,
    EnrolmentEnded,
    FactorKind,
    RecoveryCodeAnswer,
    Resumed,
    SecondFactorNeeded,
    SentCodeAnswer,
    SignedIn,
    SignInRequired,
    TotpCode,
)
from shopaccounts.testing.apps import AuthenticatorApp
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

MAILBOX = "ann@lamp.example"
OWNER, THIEF = request_from("192.0.2.10", agent="owner"), request_from("203.0.113.66", agent="thief")
QUARTER = timedelta(minutes=15)
MOST = 4
PLACES = st.integers(0, MOST)


class FactorMachine(RuleBasedStateMachine):
    """What the owner holds is known to the machine, and what the shop must keep follows from it."""

    @initialize()
    def opens(self) -> None:
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps()))
        self.shop: Any = self.builder.build()
        account = run(self.shop.open_account(MAILBOX))
        self.account, self.session = account.id, account.session
        self.apps: dict[str, AuthenticatorApp] = {}
        self.mail_step: str | None = None
        self.codes: list[str] = []  # recovery codes that count
        self.used: list[Any] = []  # answers that were used up
        self.steps: dict[str, int] = {}
        self.waiting: AuthenticatorApp | None = None
        self.waits_until = self.builder.clock.now()

    @property
    def row(self):
        return run(self.builder.kept(AUTHENTICATORS, self.account))

    @property
    def is_protected(self) -> bool:
        return bool(self.apps or self.mail_step)

    def mailed_code(self) -> str:
        letters = reversed(self.builder.mailbag.letters)
        return str(next(letter.code for letter in letters if "code" in letter.secrets))

    # What the owner shows

    def app_code(self, place: int) -> TotpCode:
        id = list(self.apps)[place % len(self.apps)]
        code = TotpCode(self.apps[id].next_code(), id)
        self.used.append(code)
        return code

    def comes_in(self, place: int = 0, *, by_recovery_code: bool = False) -> None:
        step = run(self.shop.signin.sign_in_with_password(MAILBOX, PASSWORD, OWNER))
        assert isinstance(step, SecondFactorNeeded) == self.is_protected, step
        if isinstance(step, SecondFactorNeeded):
            there = attrs.evolve(OWNER, binding=step.set_cookies[0].value)
            answer = self.second_step(step, there, place, by_recovery_code=by_recovery_code)
            step = run(self.shop.second_step.give_second_factor(step.progress, answer, there))
        assert isinstance(step, SignedIn)
        assert step.auth.level is (Level.MULTI if self.apps else Level.SINGLE)
        self.session = step.session

    def second_step(self, step, there, place: int, *, by_recovery_code: bool) -> Any:
        if by_recovery_code and self.codes:
            answer = RecoveryCodeAnswer(self.codes.pop())
            self.used.append(answer)
            return answer
        if self.apps:
            return self.app_code(place)
        sent = run(self.shop.step_codes.send_step_code(step.progress, self.mail_step, there))
        return SentCodeAnswer(sent.handle, self.mailed_code(), self.mail_step)

    def is_in(self) -> bool:
        return isinstance(run(self.shop.sessions.resume(self.session, OWNER)), Resumed)

    def shows_all(self, place: int = 0) -> None:
        """Be signed in, and show all that the account has."""
        if not self.is_in():
            self.comes_in(place)
        self.shows(PASSWORD)
        if self.apps:
            self.shows(self.app_code(place))
        elif self.mail_step:
            sent = run(self.shop.step_codes.send_confirmation_code(self.session, OWNER, self.mail_step))
            self.shows(SentCodeAnswer(sent.handle, self.mailed_code(), self.mail_step))

    def shows(self, answer) -> None:
        self.session = run(self.shop.signin.confirm_identity(self.session, answer, OWNER)).session

    # What the owner does

    @rule(place=PLACES, by_recovery_code=st.booleans())
    def the_owner_signs_in(self, place: int, by_recovery_code: bool) -> None:
        self.comes_in(place, by_recovery_code=by_recovery_code)

    @precondition(lambda self: len(self.apps) < MOST)
    @rule(place=PLACES)
    def the_owner_begins_an_app(self, place: int) -> None:
        self.shows_all(place)
        started = run(self.shop.factors.start_totp(self.session, "", OWNER))
        self.waiting = AuthenticatorApp(started.uri, self.builder.clock)
        self.waits_until = started.expires_at

    @precondition(lambda self: self.waiting is not None)
    @rule(place=PLACES)
    def the_owner_confirms_it(self, place: int) -> None:
        self.shows_all(place)
        app, self.waiting = self.waiting, None
        assert app is not None
        had_apps = bool(self.apps)
        try:
            answer = run(self.shop.factors.confirm_totp(self.session, app.code(), OWNER))
        except EnrolmentEnded:
            assert self.builder.clock.now() >= self.waits_until
            return
        self.used.append(TotpCode(app.code(), answer.factor))
        self.apps[answer.factor] = app
        self.session = answer.next_value.session
        assert len(answer.recovery_codes) == (0 if had_apps else 10)
        self.codes = self.codes if had_apps else [code.reveal() for code in answer.recovery_codes]

    @precondition(lambda self: self.mail_step is None)
    @rule(place=PLACES)
    def the_owner_adds_the_mailbox(self, place: int) -> None:
        self.shows_all(place)
        self.waiting = None
        sent = run(self.shop.factors.add_email_step(self.session, OWNER))
        answer = run(self.shop.factors.confirm_sent_factor(self.session, sent.handle, self.mailed_code(), OWNER))
        assert answer.recovery_codes == ()
        self.mail_step, self.session = answer.factor, answer.next_value.session

    @precondition(lambda self: self.apps)
    @rule(place=PLACES, shown=PLACES)
    def the_owner_removes_an_app(self, place: int, shown: int) -> None:
        self.shows_all(shown)
        id = list(self.apps)[place % len(self.apps)]
        answer = run(self.shop.factors.remove_factor(self.session, id, OWNER))
        del self.apps[id]
        assert answer.recovery_codes_removed == (not self.apps)
        if not self.apps:
            self.used += [RecoveryCodeAnswer(code) for code in self.codes]
            self.codes = []
        self.session = answer.next_value.session

    @precondition(lambda self: self.mail_step)
    @rule(place=PLACES)
    def the_owner_removes_the_mailbox(self, place: int) -> None:
        self.shows_all(place)
        self.session = run(self.shop.factors.remove_factor(self.session, self.mail_step, OWNER)).next_value.session
        self.mail_step = None

    @precondition(lambda self: self.apps)
    @rule(place=PLACES)
    def the_owner_renews_recovery_codes(self, place: int) -> None:
        self.shows_all(place)
        answer = run(self.shop.factors.renew_recovery_codes(self.session, OWNER))
        self.used += [RecoveryCodeAnswer(code) for code in self.codes]
        self.codes = [code.reveal() for code in answer.recovery_codes]
        self.session = answer.next_value.session

    @precondition(lambda self: self.apps)
    @rule(index=st.integers(0, 100))
    def the_owner_tries_what_is_used_up(self, index: int) -> None:
        if not self.used:
            return
        self.shows_all()
        with pytest.raises(CodeWrong):
            run(self.shop.signin.confirm_identity(self.session, self.used[index % len(self.used)], OWNER))
        self.builder.clock.advance(timedelta(hours=1))

    # What the thief does

    @precondition(lambda self: self.is_protected)
    @rule(place=PLACES)
    def a_thief_with_the_password_and_an_old_session_changes_nothing(self, place: int) -> None:
        if not self.is_in():
            self.comes_in(place)
        self.builder.clock.advance(QUARTER)
        before = self.row
        stolen = run(self.shop.signin.confirm_identity(self.session, PASSWORD, THIEF)).session
        factors = self.shop.factors
        for attempt in (
            lambda: factors.start_totp(stolen, "", THIEF),
            lambda: factors.add_email_step(stolen, THIEF),
            lambda: factors.remove_factor(stolen, before.factors[place % len(before.factors)].id, THIEF),
            lambda: factors.renew_recovery_codes(stolen, THIEF),
            lambda: factors.confirm_totp(stolen, "000000", THIEF),
        ):
            with pytest.raises(FreshSignInNeeded):
                run(attempt())
        assert self.row == before

    @precondition(lambda self: self.is_protected)
    @rule()
    def a_thief_with_the_password_does_not_come_in(self) -> None:
        step = run(self.shop.signin.sign_in_with_password(MAILBOX, PASSWORD, THIEF))
        assert isinstance(step, SecondFactorNeeded)
        there = attrs.evolve(THIEF, binding=step.set_cookies[0].value)
        for answer in (*self.used[-2:], TotpCode("000000")):
            with pytest.raises(Rejected):
                run(self.shop.second_step.give_second_factor(step.progress, answer, there))
        with pytest.raises(SignInRequired):
            run(self.shop.factors.factors(step.progress, there))
        self.builder.clock.advance(timedelta(hours=1))

    # What happens

    @rule(minutes=st.sampled_from([1, 14, 15, 130, 3000]))
    def time_passes(self, minutes: int) -> None:
        self.builder.clock.advance(timedelta(minutes=minutes))

    @rule()
    def the_shop_does_what_is_due(self) -> None:
        run(self.shop.upkeep.tick())

    @invariant()
    def the_account_has_what_its_owner_gave_it(self) -> None:
        row = self.row
        factors = row.factors if row else ()
        mail = {self.mail_step} if self.mail_step else set()
        assert {factor.id for factor in factors} == set(self.apps) | mail
        assert not any(factor.is_disabled for factor in factors)
        codes = row.recovery_codes if row else None
        assert (codes is None) == (not self.apps)
        assert (codes.left if codes else 0) == len(self.codes)

    @invariant()
    def the_steps_of_an_app_only_go_up(self) -> None:
        row = self.row
        for factor in row.factors if row else ():
            if factor.kind is FactorKind.TOTP:
                assert factor.totp.last_step >= self.steps.get(factor.id, -1)
                self.steps[factor.id] = factor.totp.last_step

    def teardown(self) -> None:
        if hasattr(self, "builder"):
            self.builder.clock.advance(timedelta(hours=1))
            self.comes_in()
            self.shows_all()


@pytest.mark.proves("SIG-30", "SIG-32", "SIG-36", "SIG-41", "SIG-43", "SIG-53")
def test_no_sequence_locks_the_owner_out_or_lets_a_password_alone_change_a_second_step() -> None:
    run_state_machine_as_test(FactorMachine, settings=settings(max_examples=40, stateful_step_count=25))


def test_the_machine_gets_everywhere() -> None:
    """A machine that never adds a second step proves nothing."""
    machine = FactorMachine()
    machine.opens()
    machine.the_owner_adds_the_mailbox(0)
    machine.a_thief_with_the_password_does_not_come_in()
    machine.a_thief_with_the_password_and_an_old_session_changes_nothing(0)
    machine.the_owner_begins_an_app(0)
    machine.the_owner_confirms_it(0)
    machine.the_owner_begins_an_app(0)
    machine.the_owner_confirms_it(0)
    assert (len(machine.apps), len(machine.codes), machine.mail_step is None) == (2, 10, False)
    machine.the_owner_signs_in(1, by_recovery_code=True)
    machine.the_owner_tries_what_is_used_up(0)
    machine.the_owner_renews_recovery_codes(1)
    machine.a_thief_with_the_password_and_an_old_session_changes_nothing(1)
    machine.the_owner_removes_an_app(0, 1)
    machine.the_owner_removes_the_mailbox(0)
    machine.the_owner_removes_an_app(0, 0)
    machine.the_account_has_what_its_owner_gave_it()
    assert not machine.is_protected
    machine.teardown()
