"""An owner who reads one mailbox, and a thief with others, in one account: whatever they do, the owner gets back in.

The thief has a session and knows the password; now and then the owner agrees to what they shouldn't. Both ask for
changes, to the owner's address as well, confirm, cancel, object, take back, reset and sign out, in any order. What is
checked after each step:

* one signs in by exactly one address, and it is proven;
* what ended stays ended, and what works once works once;
* as long as the owner's address was in force within thirty days, its owner can take the change back;
* and in the end the owner does, and comes in.
"""

from datetime import timedelta
from typing import Any

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

from shopaccounts.customers import ContactRole, is_verified
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import ChangeState, ContactChanged, ContactChangePolicy
from shopaccounts.signin import NoSession, Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

MAILBOX, HERE = "ann@lamp.example", request_from()
OTHERS = ("thief@one.example", "thief@two.example", "thief@three.example")
WINDOW = timedelta(days=30)
LETTERS = st.sampled_from([0, 0, 0, 1, 2, 5])


class ContactChangeMachine(RuleBasedStateMachine):
    """Who may come in follows from what is stored; the machine only remembers when the owner's address was left."""

    @initialize()
    def opens(self) -> None:
        eager = ContactChangePolicy(hold_after=timedelta(0), per_30_days=30)
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps(), contact_changes=eager))
        self.shop = self.builder.build()
        account = run(self.shop.open_account(MAILBOX))
        self.account, self.session, self.password = account.id, account.session, PASSWORD
        self.dead: list[Any] = []
        self.spent: list[Any] = []
        self.left: Any = None  # when the owner's address went out of force
        self.is_lost = False  # whether it came back when nobody could take the change back any more
        self.numbers = 0

    # What is found

    def books(self, name):
        return self.builder.storage.snapshot()["main"].books[name]

    @property
    def customer(self):
        return self.books("customers")[self.account]

    @property
    def in_force(self):
        (one,) = [c for c in self.customer.contacts if ContactRole.LOGIN in c.roles]
        return one.value.stored

    def letters(self, template):
        return [one for one in self.builder.mailbag.letters if one.template == f"registration.{template}"]

    def chosen(self, template, back):
        found = self.letters(template)
        return found[-1 - min(back, len(found) - 1)] if found else None

    def tries(self, work):
        """Does something; answers None if the shop says no."""
        try:
            return run(work)
        except Rejected:
            return None

    def moved_on(self):
        """Notes what follows from a change of the address in force."""
        if self.in_force == MAILBOX:
            self.is_lost |= bool(self.left) and self.builder.clock.now() >= self.left + WINDOW
            self.left = None
        elif self.left is None:
            self.left = self.builder.clock.now()

    def all_end(self):
        self.dead.append(self.session)

    # What people do

    @rule()
    def somebody_signs_in(self) -> None:
        step = self.tries(self.shop.signin.sign_in_with_password(self.in_force, self.password, HERE))
        if isinstance(step, SignedIn):
            self.session = step.session

    @rule(to=st.sampled_from((*OTHERS, MAILBOX)))
    def somebody_asks_for_a_change(self, to) -> None:
        self.tries(self.shop.contact_changes.promote_contact(self.session, to, HERE))

    @rule(to=st.sampled_from(OTHERS))
    def somebody_adds_a_contact(self, to) -> None:
        if self.tries(self.shop.contacts.add_contact(self.session, to, HERE)):
            self.tries(self.shop.contacts.confirm_added_contact(self.builder.mailbag.last.token, self.session, HERE))

    @rule(data=st.data())
    def somebody_removes_a_contact(self, data) -> None:
        contact = data.draw(st.sampled_from(self.customer.contacts))
        removed = self.tries(self.shop.contacts.remove_contact(self.session, contact.id, HERE))
        if removed:
            self.all_end()
            self.session = removed.next_value.session

    @rule(back=LETTERS, side=st.sampled_from(["new", "old"]))
    def somebody_confirms(self, back, side) -> None:
        letter = self.chosen(f"confirm_{side}_contact", back)
        if letter is None:
            return
        confirm = getattr(self.shop.contact_changes, f"confirm_change_{side}")
        done = self.tries(confirm(letter.token, self.session, HERE))
        if isinstance(done, ContactChanged):
            self.all_end()
            self.session = done.next_value.session if done.next_value else self.session
            self.spent.append(lambda: confirm(letter.token, self.session, HERE))
        self.moved_on()

    @rule(to=st.sampled_from((*OTHERS, MAILBOX)), first=st.sampled_from(["new", "old"]))
    def one_address_takes_the_place_of_another(self, to, first) -> None:
        self.somebody_signs_in()
        self.somebody_asks_for_a_change(to)
        self.somebody_confirms(0, first)
        self.somebody_confirms(0, "old" if first == "new" else "new")

    @rule()
    def somebody_cancels(self) -> None:
        self.tries(self.shop.contact_changes.cancel_contact_change(self.session, HERE))

    @rule(back=LETTERS, template=st.sampled_from(["change_requested", "contact_changed", "contact_removed"]))
    def somebody_objects(self, back, template) -> None:
        letter = self.chosen(template, back)
        if letter is None:
            return
        token = Secret(letter.secrets["not_me_link"].partition("token=")[2])
        try:
            run(self.shop.objections.not_me_change(token, HERE))
        except Rejected:
            return
        self.all_end()
        self.spent.append(lambda: self.shop.objections.not_me_change(token, HERE))
        self.moved_on()

    @rule(back=LETTERS)
    def somebody_takes_a_change_back(self, back) -> None:
        letter = self.chosen("undo_contact_change", back)
        if letter and self.tries(self.shop.contact_changes.reverse_contact_change(letter.token, HERE)):
            self.all_end()
            self.spent.append(lambda: self.shop.contact_changes.reverse_contact_change(letter.token, HERE))
        self.moved_on()

    @rule()
    def somebody_resets_the_password(self) -> None:
        self.tries(self.shop.recovery.request_reset(self.in_force, HERE))
        letter = self.builder.mailbag.last
        if letter.template == "recovery.reset_password" and letter.deliver:
            self.numbers += 1
            password = f"lamp number {self.numbers} of my own garden"
            if self.tries(self.shop.recovery.reset_password(letter.token, password, HERE)):
                self.all_end()
                self.password = password

    @rule()
    def somebody_signs_out_everywhere(self) -> None:
        if self.tries(self.shop.sessions.sign_out_everywhere(self.session, HERE)):
            self.all_end()

    @rule()
    def upkeep_is_done(self) -> None:
        run(self.shop.upkeep.tick())

    @rule(passes=st.sampled_from([timedelta(minutes=1), timedelta(hours=3), timedelta(days=2), timedelta(days=16)]))
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
    def one_signs_in_by_exactly_one_proven_address(self) -> None:
        if not hasattr(self, "builder"):
            return
        (one,) = [c for c in self.customer.contacts if ContactRole.LOGIN in c.roles]
        assert is_verified(one)
        assert len({c.key for c in self.customer.contacts}) == len(self.customer.contacts)

    @invariant()
    def what_ended_stays_ended(self) -> None:
        for value in getattr(self, "dead", [])[-5:]:
            assert value is self.session or isinstance(run(self.shop.sessions.resume(value, HERE)), NoSession)

    @invariant()
    def the_owner_can_take_it_back_for_thirty_days(self) -> None:
        if not hasattr(self, "builder") or self.is_lost:
            return
        if self.left and self.builder.clock.now() < self.left + WINDOW:
            assert self.way_back()

    def way_back(self):
        """The links that lead the owner back."""
        changes, now = self.books("contact_changes"), self.builder.clock.now()
        mine = [letter for letter in self.letters("undo_contact_change") if letter.to == MAILBOX]
        alive = {c.id for c in changes.values() if c.state is ChangeState.APPLIED and c.new and now < c.until}
        return [letter.token for letter in mine if letter.token.reveal().split(".")[2] in alive]

    def teardown(self) -> None:
        """The owner takes the change back if there is one, and comes in with a new password."""
        if not hasattr(self, "builder") or self.is_lost or (self.left and not self.way_back()):
            return
        if self.left:
            run(self.shop.contact_changes.reverse_contact_change(self.way_back()[0], HERE))
        assert self.in_force == MAILBOX
        self.builder.clock.advance(timedelta(hours=2))
        run(self.shop.recovery.request_reset(MAILBOX, HERE))
        run(self.shop.recovery.reset_password(self.builder.mailbag.last.token, "the owner is back in the shop", HERE))
        step = run(self.shop.signin.sign_in_with_password(MAILBOX, "the owner is back in the shop", HERE))
        assert isinstance(step, SignedIn)
        assert isinstance(run(self.shop.sessions.resume(step.session, HERE)), Resumed)
        for letter in self.letters("undo_contact_change"):
            if letter.to != MAILBOX:
                self.tries(self.shop.contact_changes.reverse_contact_change(letter.token, HERE))
        assert self.in_force == MAILBOX


@pytest.mark.proves("REG-62", "REG-68", "REG-69", "CUS-35")
def test_whatever_people_do_the_owner_of_the_old_mailbox_gets_back_in() -> None:
    run_state_machine_as_test(ContactChangeMachine, settings=settings(max_examples=60, stateful_step_count=40))


def test_the_machine_of_changes_gets_everywhere() -> None:
    """A machine that never puts a change in force proves nothing."""
    machine = ContactChangeMachine()
    machine.opens()
    machine.somebody_asks_for_a_change(OTHERS[0])
    machine.somebody_confirms(0, "old")
    machine.somebody_confirms(0, "new")
    assert machine.in_force == OTHERS[0]
    machine.somebody_asks_for_a_change(OTHERS[1])
    machine.somebody_confirms(0, "new")
    machine.somebody_confirms(0, "old")
    assert machine.in_force == OTHERS[1]
    machine.somebody_takes_a_change_back(1)
    assert machine.in_force == MAILBOX
    assert (len(machine.dead), len(machine.spent)) == (3, 3)
    machine.teardown()
