"""An owner, a thief and a shop: stopping, objecting, leaving and staying, in whatever order.

The owner reads the mailbox. The thief has seen a password and signs in with it, asks to close, and never reads a mail.
The shop stops and reinstates. What is checked after each step:

* a session that ended never lives again, and none lives while the account is stopped or gone;
* only the shop, or its own time, ends a stop of the shop; only a reset or the shop lifts the owner's hold;
* who was objected to has no way in until the owner has set a new password;
* nobody but who reads the mailbox closes the account, and who says so in time keeps it;
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

from shopaccounts.customers import CLOSINGS, CUSTOMERS, AccountStatus, StatusReason, as_of
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import AccountClosing, AccountSuspended, NoSession, PasswordChangeNeeded, Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

MAILBOX = "ann@lamp.example"
OWNER = request_from("192.0.2.10", agent="Mozilla/5.0 (X11) Firefox/1")
THIEF = request_from("203.0.113.66", agent="Mozilla/5.0 (Windows) Chrome/1")
ACTIVE, SUSPENDED, CLOSING, CLOSED = (
    AccountStatus.ACTIVE,
    AccountStatus.SUSPENDED,
    AccountStatus.CLOSING,
    AccountStatus.CLOSED,
)
STOPS = (StatusReason.FRAUD_SUSPECTED, StatusReason.PAYMENT_DISPUTE)


class AccountStatusMachine(RuleBasedStateMachine):
    """What the machine knows of the account follows from what people did."""

    @initialize()
    def opens(self) -> None:
        staff = StaffRoom()
        staff.hire("eve")
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps()), agents=staff)
        self.builder.scope = attrs.evolve(self.builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
        self.office = self.builder.build()
        self.builder.scope = Scope.single()
        self.shop = self.builder.build()
        account = run(self.shop.open_account(MAILBOX))
        self.account = account.id
        self.password = self.stolen = PASSWORD
        self.alive, self.dead = [account.session], list[Any]()
        self.thiefs: list[Any] = []
        self.stop: Any = None  # the shop's: reason and end
        self.held = self.flagged = self.leaving = self.closed = False
        self.numbers = 0

    # What is found

    @property
    def now(self):
        return self.builder.clock.now()

    @property
    def customer(self):
        kept = self.builder.storage.snapshot()["main"].books[CUSTOMERS.name][self.account]
        return as_of(kept, self.now)

    @property
    def is_stopped(self) -> bool:
        return self.stop is not None and (self.stop[1] is None or self.now < self.stop[1])

    def letters(self, name):
        return [letter for letter in self.builder.mailbag.to(MAILBOX) if name in letter.secrets]

    def all_end(self) -> None:
        self.dead += [*self.alive, *self.thiefs]
        self.alive, self.thiefs = [], []

    def signs_in(self, password, context):
        try:
            return run(self.shop.signin.sign_in_with_password(MAILBOX, password, context))
        except Rejected as refused:
            return refused

    def resets(self) -> bool:
        """The owner sets a new password, where the shop lets people."""
        self.builder.clock.advance(timedelta(seconds=1))
        try:
            run(self.shop.recovery.request_reset(MAILBOX, OWNER))
            letter = self.builder.mailbag.last
            if letter.template != "recovery.reset_password" or not letter.deliver:
                return False
            self.numbers += 1
            password = f"lamp number {self.numbers} of my own garden"
            run(self.shop.recovery.reset_password(letter.token, password, OWNER))
        except Throttled:
            return False
        self.password, self.flagged, self.held = password, False, False
        self.all_end()
        return True

    # Signing in

    @rule(by_owner=st.booleans())
    def somebody_signs_in(self, by_owner) -> None:
        password, context = (self.password, OWNER) if by_owner else (self.stolen, THIEF)
        step = self.signs_in(password, context)
        if isinstance(step, Throttled):
            return
        if self.closed or password != self.password:
            assert isinstance(step, Rejected)
        elif self.is_stopped or self.held:
            assert isinstance(step, AccountSuspended)
        elif self.leaving:
            assert isinstance(step, AccountClosing | PasswordChangeNeeded)
        elif self.flagged:
            assert isinstance(step, PasswordChangeNeeded)
            assert step.session is None
        else:
            assert isinstance(step, SignedIn)
            (self.alive if by_owner else self.thiefs).append(step.session)

    @rule()
    def the_owner_resets(self) -> None:
        was_closed, could = self.closed, not (self.is_stopped or self.leaving or self.closed)
        assert self.resets() in {could, False}
        assert self.closed is was_closed

    @precondition(lambda self: not self.closed)
    @rule()
    def the_thief_sees_the_password(self) -> None:
        self.stolen = self.password

    # Stopping

    @precondition(lambda self: self.letters("freeze_link"))
    @rule(data=st.data())
    def the_owner_puts_a_hold_on_it(self, data) -> None:
        token = data.draw(st.sampled_from(self.letters("freeze_link"))).ticket("freeze_link")
        try:
            run(self.shop.customers.freeze_account(token, OWNER))
        except Rejected:
            return
        assert not self.closed
        self.held, self.leaving = True, False
        self.all_end()

    @precondition(lambda self: self.letters("not_me_link"))
    @rule(data=st.data())
    def the_owner_objects(self, data) -> None:
        token = data.draw(st.sampled_from(self.letters("not_me_link"))).ticket("not_me_link")
        for objecting in (self.shop.objections.not_me_sign_in, self.shop.objections.not_me_change):
            try:
                run(objecting(token, OWNER))
            except Rejected:
                continue
            assert not self.closed
            self.flagged, self.leaving = True, self.customer.status is CLOSING
            self.all_end()

    @precondition(lambda self: not self.closed and not self.leaving)
    @rule(reason=st.sampled_from(STOPS), hours=st.sampled_from([None, 1, 30]))
    def the_shop_stops_it(self, reason, hours) -> None:
        until = self.now + timedelta(hours=hours) if hours else None
        answer = run(self.office.customers.suspend(self.account, reason, "as the lawyer says", until=until))
        if not self.is_stopped:
            self.stop = (reason, until)
            self.all_end()
        assert (answer.reason, answer.until) == self.stop

    @precondition(lambda self: not self.closed and not self.leaving)
    @rule()
    def the_shop_reinstates_it(self) -> None:
        try:
            run(self.office.customers.reinstate(self.account, "all is well"))
        except Rejected:
            assert not self.is_stopped
            assert not self.held
            return
        if self.is_stopped:
            self.stop = None
        else:
            self.held = False

    # Leaving

    @precondition(lambda self: self.alive or self.thiefs)
    @rule(by_owner=st.booleans())
    def somebody_asks_to_close_it(self, by_owner) -> None:
        values = self.alive if by_owner else self.thiefs
        if not values:
            return
        self.builder.clock.advance(timedelta(seconds=1))
        try:
            run(self.shop.closings.request_account_closing(values[-1], None, OWNER if by_owner else THIEF))
        except Rejected:
            return
        token = self.builder.mailbag.last.token
        if not by_owner:  # the owner sees that mail too, and clicks in the owner's own browser
            for value in self.alive:
                with pytest.raises(Rejected):
                    run(self.shop.closings.confirm_account_closing(value, token, OWNER))
            return
        run(self.shop.closings.confirm_account_closing(values[-1], token, OWNER))
        self.leaving = True
        self.all_end()

    @precondition(lambda self: self.leaving and not self.closed)
    @rule(by_shop=st.booleans())
    def it_stays_after_all(self, by_shop) -> None:
        if by_shop:
            run(self.office.closings.cancel_closing_for(self.account, "she called"))
        else:
            step = self.signs_in(self.password, OWNER)
            if not isinstance(step, AccountClosing):
                return
            run(self.shop.closings.cancel_account_closing(step.session, OWNER))
            self.dead.append(step.session)
        self.leaving = False

    @precondition(lambda self: self.closed)
    @rule()
    def the_shop_reopens_it(self) -> None:
        try:
            run(self.office.customers.reopen(self.account, "she wrote"))
        except Rejected:
            return
        run(self.shop.recovery.request_reset(MAILBOX, OWNER))
        letter = self.builder.mailbag.last
        self.numbers += 1
        password = f"lamp number {self.numbers} of my own garden"
        step = run(self.shop.registration.take_over_contact(letter.token, password, OWNER)).step
        assert isinstance(step, SignedIn)
        self.alive.append(step.session)
        self.password, self.closed, self.flagged = password, False, False

    # What happens by itself

    @rule(passes=st.sampled_from([timedelta(seconds=1), timedelta(minutes=5), timedelta(hours=3), timedelta(days=5)]))
    def time_passes(self, passes) -> None:
        self.builder.clock.advance(passes)

    @rule()
    def upkeep_is_done(self) -> None:
        run(self.shop.upkeep.tick())
        if self.leaving and self.customer.status is CLOSED:
            self.leaving, self.closed = False, True

    # What always holds

    @invariant()
    def what_ended_stays_ended(self) -> None:
        for value in getattr(self, "dead", [])[-12:]:
            assert isinstance(run(self.shop.sessions.resume(value, OWNER)), NoSession)

    @invariant()
    def nothing_opens_an_account_that_is_stopped_or_gone(self) -> None:
        if hasattr(self, "builder") and (self.is_stopped or self.held or self.leaving or self.closed):
            for value in (*self.alive, *self.thiefs):
                assert not isinstance(run(self.shop.sessions.resume(value, OWNER)), Resumed)

    @invariant()
    def the_record_stands_where_people_put_it(self) -> None:
        if not hasattr(self, "builder"):
            return
        customer = self.customer
        if self.closed or self.leaving:
            assert customer.status is (CLOSED if self.closed else CLOSING)
        elif self.is_stopped:
            assert (customer.status, customer.status_reason) == (SUSPENDED, self.stop[0])
        elif self.held:
            assert (customer.status, customer.status_reason) == (SUSPENDED, StatusReason.SECURITY_HOLD)
        else:
            assert customer.status is ACTIVE
            assert not self.builder.storage.snapshot()["main"].books[CLOSINGS.name]

    def teardown(self) -> None:
        """The owner comes in, after a day at the latest; who let an account be closed gets a new one."""
        if not hasattr(self, "builder"):
            return
        self.builder.clock.advance(timedelta(hours=25))
        if self.is_stopped:
            run(self.office.customers.reinstate(self.account, "all is well"))
            self.stop = None
        if self.leaving:
            run(self.office.closings.cancel_closing_for(self.account, "she called"))
            self.leaving = False
        if self.closed:
            form = RegistrationForm(identifier=MAILBOX, password="a new lamp in an old garden")
            started = run(self.shop.registration.register(form, OWNER))
            code = self.builder.mailbag.last.code
            step = run(self.shop.registration.complete_registration(started.handle, code, OWNER)).step
        else:
            assert self.resets()
            step = self.signs_in(self.password, OWNER)
        assert isinstance(step, SignedIn)


@pytest.mark.proves("CUS-11", "CUS-15", "SIG-3", "SIG-76", "SIG-83", "SIG-85")
def test_whatever_people_do_the_owner_gets_in_and_nobody_else_for_long() -> None:
    run_state_machine_as_test(AccountStatusMachine, settings=settings(max_examples=50, stateful_step_count=40))


def test_the_machine_gets_everywhere() -> None:
    """A machine that never stops or closes an account proves nothing."""
    machine = AccountStatusMachine()
    machine.opens()
    machine.the_owner_resets()
    machine.time_passes(timedelta(minutes=5))
    machine.the_thief_sees_the_password()
    machine.somebody_signs_in(by_owner=False)
    assert machine.thiefs
    assert len(machine.letters("freeze_link")) >= 2
    machine.the_shop_stops_it(StatusReason.PAYMENT_DISPUTE, None)
    machine.the_shop_reinstates_it()
    machine.somebody_signs_in(by_owner=True)
    machine.somebody_asks_to_close_it(by_owner=True)
    assert machine.leaving
    machine.time_passes(timedelta(days=15))
    machine.upkeep_is_done()
    assert machine.closed
    machine.the_shop_reopens_it()
    assert machine.alive
    machine.teardown()
