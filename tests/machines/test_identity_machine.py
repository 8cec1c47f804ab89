"""An owner, a stranger and a shop: whatever they do in whatever order, the doors open for the owner alone.

The owner reads the mailbox; the stranger knows its address, and knows a password of their own. Both register, sign in
and ask for resets. What is checked after each step:

* there is a session for each time the gate opened, and for nothing else;
* a value that ended, or was ended, opens nothing ever again;
* a wrong password opens nothing;
* what works once works once;
* whatever the stranger tries, the owner comes in from a browser that the account knows, without waiting;
* and in the end the owner comes in, whatever has happened.
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

from shopaccounts.customers import AccountStatus, Trigger, as_of
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import FreshSignInNeeded, Rejected, Throttled
from shopaccounts.kernel.web import DEVICE_COOKIE
from shopaccounts.registration import ContactConfirmed, HolderUnknown, RegistrationForm
from shopaccounts.signin import (
    AccountSuspended,
    NoSession,
    RenewalPolicy,
    Resumed,
    SessionPolicy,
    SignedIn,
    SignInRefused,
    SignInRequired,
)
from shopaccounts.signin.devices import recognise
from shopaccounts.testing.builders import ShopBuilder, quick_policies, request_from, without_gaps

MAILBOX = "ann@lamp.example"
OWNER, STRANGER = request_from("192.0.2.10", agent="owner"), request_from("203.0.113.66", agent="stranger")
STRANGERS_PASSWORD = "a stranger in the lamp shop"


class IdentityMachine(RuleBasedStateMachine):
    """The owner's password is known to the machine, and who may come in follows from it."""

    @initialize()
    def opens(self) -> None:
        policies = quick_policies(sends=without_gaps(), sessions=SessionPolicy(renewal=RenewalPolicy()))
        self.builder: Any = ShopBuilder(policies=policies)
        self.shop = self.builder.build()
        self.password = None  # what opens the account now
        self.browser = OWNER  # with the cookie that makes the account know it
        self.alive: list[Any] = []
        self.dead: list[Any] = []
        self.spent: list[Any] = []  # what was used once, to be tried again
        self.handles: list[Any] = []
        self.strangers_handles: list[Any] = []
        self.entered = self.numbers = 0
        self.has_failed = False  # in the owner's own browser

    # What is found

    @property
    def realm(self):
        return self.builder.storage.snapshot()["main"]

    @property
    def account(self):
        """The account that holds the address, if any."""
        holders = [c for c in self.realm.books["customers"].values() if c.contacts]
        assert len(holders) <= 1
        return holders[0] if holders else None

    @property
    def status(self):
        return as_of(self.account, self.builder.clock.now()).status if self.account else None

    def newest(self, template):
        found = [letter for letter in self.builder.mailbag.to(MAILBOX) if letter.template == template]
        return found[-1] if found else None

    def a_password(self):
        self.numbers += 1
        return f"lamp number {self.numbers} of my own garden"

    def comes_in(self, step, password):
        assert isinstance(step, SignedIn)
        self.entered += 1
        self.alive.append(step.session)
        self.password = password
        for cookie in step.set_cookies:
            if cookie.name == DEVICE_COOKIE:
                self.browser = attrs.evolve(OWNER, device=cookie.value)

    @property
    def is_known(self):
        """Whether the account knows the owner's browser."""
        known = self.realm.books["devices"].get(self.account.id) if self.account else None
        return recognise(known, self.browser.device, self.builder.clock.now()) is not None

    def all_end(self):
        self.dead += self.alive
        self.alive = []

    # On the way to an account

    @rule()
    def the_owner_registers(self) -> None:
        password = self.a_password()
        try:
            started = run(self.shop.registration.register(form(password), OWNER))
        except Throttled:
            return
        self.handles = [*self.handles[-3:], (started.handle, password)]

    @rule()
    def the_stranger_registers(self) -> None:
        try:
            started = run(self.shop.registration.register(form(STRANGERS_PASSWORD), STRANGER))
        except Throttled:
            return
        self.strangers_handles = [*self.strangers_handles[-3:], started.handle]

    @precondition(lambda self: self.strangers_handles)
    @rule(code=st.sampled_from(["000000", "123456", "wrong", ""]))
    def the_stranger_guesses(self, code) -> None:
        letter = self.newest("registration.verify_contact")
        if letter and letter.code == code:
            return
        with pytest.raises(Rejected):
            run(self.shop.registration.complete_registration(self.strangers_handles[-1], code, STRANGER))

    @precondition(lambda self: self.handles)
    @rule()
    def the_owner_types_the_code(self) -> None:
        letter, (handle, password) = self.newest("registration.verify_contact"), self.handles[-1]
        if letter is None:
            return
        try:
            done = run(self.shop.registration.complete_registration(handle, letter.code, OWNER))
        except Rejected:
            return
        self.comes_in(done.step, password)
        self.spent.append(lambda: self.shop.registration.complete_registration(handle, letter.code, OWNER))

    @precondition(lambda self: self.newest("registration.verify_contact"))
    @rule(own=st.booleans())
    def the_owner_opens_the_link(self, own) -> None:
        token = self.newest("registration.verify_contact").token
        handle, password = self.handles[-1] if own and self.handles else (None, None)
        try:
            answer = run(self.shop.registration.confirm_contact(token, handle, OWNER))
        except Rejected:
            return
        if isinstance(answer, ContactConfirmed):
            self.password = password
            self.spent.append(lambda: self.shop.registration.confirm_contact(token, handle, OWNER))
            return
        assert answer == HolderUnknown()
        mine = self.a_password()
        self.comes_in(run(self.shop.registration.take_over_contact(token, mine, OWNER)).step, mine)
        self.spent.append(lambda: self.shop.registration.take_over_contact(token, mine, OWNER))

    @precondition(lambda self: self.handles)
    @rule()
    def another_mail_is_asked_for(self) -> None:
        for handle, context in ((self.handles[-1][0], OWNER), *((h, STRANGER) for h in self.strangers_handles[-1:])):
            try:
                run(self.shop.registration.resend_verification(handle, context))
            except Rejected:
                continue

    # At the door

    @precondition(lambda self: self.password)
    @rule(remember=st.booleans())
    def the_owner_signs_in(self, remember) -> None:
        is_known = self.is_known
        signing_in = self.shop.signin.sign_in_with_password(MAILBOX, self.password, self.browser, remember=remember)
        try:
            step = run(signing_in)
        except Throttled:
            assert not is_known or self.has_failed, (
                "a stranger keeps nobody out who comes from a browser that the account knows"
            )
            return
        if self.status is AccountStatus.SUSPENDED:
            assert isinstance(step, AccountSuspended)
        else:
            assert isinstance(step, SignedIn)
            assert step.new_device is False or not is_known
            self.comes_in(step, self.password)

    @precondition(lambda self: self.alive and self.password)
    @rule(right=st.booleans())
    def the_owner_proves_again(self, right) -> None:
        value = self.alive[-1]
        if not isinstance(run(self.shop.sessions.resume(value, self.browser)), Resumed):
            return
        proving = self.shop.signin.confirm_identity(value, self.password if right else STRANGERS_PASSWORD, self.browser)
        try:
            proven = run(proving)
        except (SignInRefused, Throttled):
            assert not (right and self.is_known and not self.has_failed)
            self.has_failed |= not right
            assert isinstance(run(self.shop.sessions.resume(value, self.browser)), Resumed)
            return
        assert right
        self.has_failed, self.entered = False, self.entered + 1
        self.dead.append(value)
        self.alive[-1] = proven.session

    @precondition(lambda self: self.alive)
    @rule(comes_back=st.booleans())
    def the_owner_renews(self, comes_back) -> None:
        value = self.alive[-1]
        if not isinstance(run(self.shop.sessions.resume(value, self.browser)), Resumed):
            return
        renewed = run(self.shop.sessions.renew(value, self.browser)).session
        self.entered += 1
        assert isinstance(run(self.shop.sessions.resume(value, self.browser)), NoSession)
        self.alive[-1] = renewed
        if comes_back:
            self.builder.clock.advance(timedelta(seconds=10))
            with pytest.raises(SignInRequired):
                run(self.shop.sessions.renew(value, STRANGER))
            self.dead += [value, self.alive.pop()]

    @precondition(lambda self: self.alive)
    @rule()
    def the_owner_forgets_all_devices(self) -> None:
        try:
            run(self.shop.sessions.forget_all_devices(self.alive[-1], self.browser))
        except (SignInRequired, FreshSignInNeeded):
            return
        assert not self.is_known

    @rule(password=st.sampled_from([STRANGERS_PASSWORD, "", "lamp number 0 of my own garden"]))
    def the_stranger_signs_in(self, password) -> None:
        with pytest.raises((SignInRefused, Throttled)):
            run(self.shop.signin.sign_in_with_password(MAILBOX, password, STRANGER))

    @precondition(lambda self: self.alive)
    @rule(everywhere=st.booleans())
    def the_owner_signs_out(self, everywhere) -> None:
        value = self.alive[-1]
        if not isinstance(run(self.shop.sessions.resume(value, OWNER)), Resumed):
            self.dead.append(self.alive.pop())
        elif everywhere:
            run(self.shop.sessions.sign_out_everywhere(value, OWNER))
            self.all_end()
        else:
            run(self.shop.sessions.sign_out(value, OWNER))
            self.dead.append(self.alive.pop())

    @precondition(lambda self: self.alive)
    @rule()
    def the_owner_ends_the_other_sessions(self) -> None:
        value = self.alive[-1]
        if not isinstance(run(self.shop.sessions.resume(value, OWNER)), Resumed):
            return
        renewed = run(self.shop.sessions.end_other_sessions(value, OWNER))
        self.all_end()
        self.alive, self.entered = [renewed.session], self.entered + 1

    # Lost passwords

    @rule(by_owner=st.booleans())
    def a_reset_is_asked_for(self, by_owner) -> None:
        try:
            run(self.shop.recovery.request_reset(MAILBOX, OWNER if by_owner else STRANGER))
        except Throttled:
            return

    @precondition(lambda self: self.newest("recovery.reset_password"))
    @rule()
    def the_owner_resets(self) -> None:
        token, password = self.newest("recovery.reset_password").token, self.a_password()
        try:
            run(self.shop.recovery.reset_password(token, password, OWNER))
        except Rejected:
            return
        assert self.status is AccountStatus.ACTIVE
        self.password = password
        self.all_end()
        self.spent.append(lambda: self.shop.recovery.reset_password(token, password + " again", OWNER))

    # What the shop does

    @precondition(lambda self: self.status is AccountStatus.ACTIVE)
    @rule(hours=st.sampled_from([None, 1, 30]))
    def the_shop_suspends(self, hours) -> None:
        until = hours and self.builder.clock.now() + timedelta(hours=hours)
        run(self.builder.step(self.account.id, Trigger.SUSPEND, until))
        self.all_end()

    @precondition(lambda self: self.status is AccountStatus.SUSPENDED)
    @rule()
    def the_shop_reinstates(self) -> None:
        run(self.builder.step(self.account.id, Trigger.REINSTATE))

    @rule()
    def upkeep_is_done(self) -> None:
        run(self.shop.upkeep.tick())

    @rule(passes=st.sampled_from([timedelta(seconds=1), timedelta(minutes=5), timedelta(hours=3), timedelta(days=20)]))
    def time_passes(self, passes) -> None:
        self.builder.clock.advance(passes)

    @precondition(lambda self: self.spent)
    @rule(data=st.data())
    def what_was_used_is_used_again(self, data) -> None:
        again = data.draw(st.sampled_from(self.spent[-5:]))
        with pytest.raises(Rejected):
            run(again())

    # What always holds

    @invariant()
    def what_ended_stays_ended(self) -> None:
        for value in getattr(self, "dead", [])[-10:]:
            assert isinstance(run(self.shop.sessions.resume(value, OWNER)), NoSession)

    @invariant()
    def every_session_came_through_the_gate(self) -> None:
        if not hasattr(self, "builder"):
            return
        sessions = self.realm.books["sessions"].values()
        assert len(sessions) <= self.entered
        assert all(session.agent == "owner" for session in sessions)
        told = [e for e in self.realm.books["events"].values() if e.name == "signin.signed_in"]
        assert len(told) <= self.entered

    @invariant()
    def an_account_lives_only_if_its_owner_proved_the_address(self) -> None:
        if hasattr(self, "builder") and self.status is AccountStatus.ACTIVE:
            assert self.password is not None or self.account.contacts[0].verified

    def teardown(self) -> None:
        """The owner comes in, after a day at the latest."""
        if not hasattr(self, "builder"):
            return
        self.builder.clock.advance(timedelta(hours=25))
        if self.status is AccountStatus.SUSPENDED:
            run(self.builder.step(self.account.id, Trigger.REINSTATE))
        password = self.a_password()
        run(self.shop.recovery.request_reset(MAILBOX, OWNER))
        letter = self.builder.mailbag.last
        if not letter.deliver:
            started = run(self.shop.registration.register(form(password), OWNER))
            step = run(
                self.shop.registration.complete_registration(started.handle, self.builder.mailbag.last.code, OWNER)
            ).step
        elif letter.template == "registration.verify_contact":
            step = run(self.shop.registration.take_over_contact(letter.token, password, OWNER)).step
        else:
            run(self.shop.recovery.reset_password(letter.token, password, OWNER))
            step = run(self.shop.signin.sign_in_with_password(MAILBOX, password, OWNER))
        assert isinstance(step, SignedIn)


def form(password):
    return RegistrationForm(identifier=MAILBOX, password=password)


@pytest.mark.proves("REG-31", "SIG-76", "KER-253", "KER-265", "SIG-62", "SIG-74")
def test_whatever_people_do_the_doors_open_for_the_owner_alone() -> None:
    run_state_machine_as_test(IdentityMachine, settings=settings(max_examples=60, stateful_step_count=40))


def test_the_machine_gets_everywhere() -> None:
    """A machine that never opens an account proves nothing."""
    machine = IdentityMachine()
    machine.opens()
    machine.the_owner_registers()
    machine.the_owner_types_the_code()
    assert machine.status is AccountStatus.ACTIVE
    machine.the_owner_signs_out(everywhere=True)
    machine.the_owner_signs_in(remember=True)
    assert machine.is_known
    machine.the_owner_proves_again(right=False)
    machine.the_owner_proves_again(right=True)
    machine.the_owner_renews(comes_back=False)
    machine.the_owner_forgets_all_devices()
    assert not machine.is_known
    machine.the_owner_signs_in(remember=True)
    machine.the_owner_renews(comes_back=True)
    machine.a_reset_is_asked_for(by_owner=False)
    machine.the_owner_resets()
    machine.the_shop_suspends(hours=None)
    assert (len(machine.dead), len(machine.spent), machine.entered) == (5, 2, 6)
    machine.teardown()
