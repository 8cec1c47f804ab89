"""A thief who knows the password, an owner who reads the mailbox, and everything that either can do to one account.

The thief signs in, keeps sessions, changes the password, adds contacts, removes them, asks for another sign-in address,
asks to close the account, sets security questions, and reads mailboxes of their own. The owner does the same things now
and then, is even taken in by a link once in a while, and answers notices: "that wasn't me", "stop my account", "take it
back". What is checked after each step:

* a value that ended opens nothing ever again;
* nobody is signed in whose last proof was a password that was not the account's;
* a link that worked once works no more;
* the account keeps an address that its owner proved.

In the end the owner answers the notices of the last two weeks, sets a new password by the mailbox, and comes in; and
then nothing that the thief holds opens anything.
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

from shopaccounts.customers import AccountStatus, ContactRole, as_of, is_verified
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.recovery import Question, SecurityQuestionsPolicy
from shopaccounts.registration import ContactChangePolicy
from shopaccounts.signin import NoSession, PasswordChangeNeeded, Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

MAILBOX, THIEFS = "ann@lamp.example", ("thief@one.example", "thief@two.example")
OWNER = request_from("192.0.2.10", agent="Mozilla/5.0 (X11) Firefox/1")
THIEF = request_from("203.0.113.66", agent="Mozilla/5.0 (Windows) Chrome/1")
ANSWERS = {
    Question.FIRST_PET: "an eel called Edda",
    Question.FIRST_JOB: "ladder holder",
    Question.FIRST_FLIGHT: "to Oslo",
}
TWO_WEEKS = timedelta(days=14)


class WholeIdentityMachine(RuleBasedStateMachine):
    """Both act through the shop alone; the machine remembers what each of them holds."""

    @initialize()
    def opens(self) -> None:
        eager = ContactChangePolicy(per_30_days=30, hold_after=timedelta(0))
        risky = SecurityQuestionsPolicy(enabled=True, accept_risk=True)
        policies = quick_policies(sends=without_gaps(), contact_changes=eager, questions=risky)
        self.builder: Any = ShopBuilder(policies=policies)
        self.shop = self.builder.build()
        account = run(self.shop.open_account(MAILBOX))
        self.account, self.numbers = account.id, 0
        self.password = self.stolen = PASSWORD
        self.mine: list[Any] = [account.session]
        self.thiefs: list[Any] = []
        self.dead: list[Any] = []
        self.used: list[Any] = []
        self.began = self.builder.clock.now()

    # What is found

    @property
    def customer(self):
        return self.builder.storage.snapshot()["main"].books["customers"][self.account]

    @property
    def status(self):
        return as_of(self.customer, self.builder.clock.now()).status

    @property
    def sign_in_address(self):
        (contact,) = [c for c in self.customer.contacts if ContactRole.LOGIN in c.roles]
        return contact.value.stored

    def lives(self, value):
        return isinstance(run(self.shop.sessions.resume(value, OWNER)), Resumed)

    def tries(self, work):
        """Does something; answers None if the shop says no."""
        try:
            return run(work)
        except Rejected:
            return None

    def letters(self, to, *secrets):
        """The letters to an address of the last two weeks that hold one of these links, newest first."""
        since = self.builder.clock.now() - TWO_WEEKS
        found = [one for one in self.builder.mailbag.to(to) if one.message.created_at > since]
        return [one for one in reversed(found) if set(secrets) & set(one.secrets)]

    def link(self, letter, name):
        return type(letter)(**{f: getattr(letter, f) for f in ("template", "to", "deliver", "variables", "message")},
                            secrets={"link": letter.secrets[name]}).token  # fmt: skip

    def a_password(self):
        self.numbers += 1
        return f"lamp number {self.numbers} of my own garden"

    def holds(self, who):
        return self.mine if who == "owner" else self.thiefs

    def a_session(self, who):
        held = self.holds(who)
        while held and not self.lives(held[-1]):
            self.dead.append(held.pop())
        return held[-1] if held else None

    # At the door

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_signs_in(self, who) -> None:
        password, context = (self.password, OWNER) if who == "owner" else (self.stolen, THIEF)
        if password is None:
            return
        step = self.tries(self.shop.signin.sign_in_with_password(self.sign_in_address, password, context))
        if isinstance(step, SignedIn):
            assert password == self.password
            self.holds(who).append(step.session)

    @rule(who=st.sampled_from(["owner", "thief"]), how=st.sampled_from(["out", "everywhere", "others"]))
    def somebody_signs_out(self, who, how) -> None:
        value, context = self.a_session(who), OWNER if who == "owner" else THIEF
        if value is None:
            return
        if how == "out":
            self.tries(self.shop.sessions.sign_out(value, context))
        elif how == "everywhere":
            self.tries(self.shop.sessions.sign_out_everywhere(value, context))
        else:
            went_on = self.tries(self.shop.sessions.end_other_sessions(value, context))
            if went_on:
                self.holds(who).append(went_on.session)

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_proves_again(self, who) -> None:
        value, password = self.a_session(who), self.password if who == "owner" else self.stolen
        if value and password:
            proven = self.tries(self.shop.signin.confirm_identity(value, password, OWNER if who == "owner" else THIEF))
            if proven:
                self.dead.append(self.holds(who).pop())
                self.holds(who).append(proven.session)

    # What one does inside

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_changes_the_password(self, who) -> None:
        value, known = self.a_session(who), self.password if who == "owner" else self.stolen
        if value is None or known is None:
            return
        new = self.a_password()
        changed = self.tries(self.shop.passwords.change_password(value, known, new, OWNER if who == "owner" else THIEF))
        if changed is None:
            return
        self.password = new
        if who == "thief":
            self.stolen = new
        if changed.next_value:
            self.holds(who).append(changed.next_value.session)

    @rule(to=st.sampled_from(THIEFS), agrees=st.sampled_from([False, False, False, True]))
    def the_thief_wants_another_address(self, to, agrees) -> None:
        value, shop = self.a_session("thief"), self.shop.contact_changes
        if value is None or self.tries(shop.promote_contact(value, to, THIEF)) is None:
            return
        old = self.sign_in_address
        new_letter = next(iter(self.builder.mailbag.to(to)[::-1]), None)
        if new_letter and new_letter.template == "registration.confirm_new_contact":
            self.tries(shop.confirm_change_new(new_letter.token, value, THIEF))
        asked = [one for one in self.builder.mailbag.to(old) if one.template == "registration.confirm_old_contact"]
        if asked and (agrees or old in THIEFS):
            self.tries(shop.confirm_change_old(asked[-1].token, None, OWNER))
        self.took_over()

    def took_over(self):
        """A session of the thief's may have been handed on; the machine lets go of it, as a careless thief would."""
        self.a_session("thief")

    @rule(to=st.sampled_from(THIEFS))
    def the_thief_adds_a_contact(self, to) -> None:
        value = self.a_session("thief")
        if value and self.tries(self.shop.contacts.add_contact(value, to, THIEF)):
            letter = self.builder.mailbag.last
            if letter.to == to and "link" in letter.secrets:
                self.tries(self.shop.contacts.confirm_added_contact(letter.token, value, THIEF))

    @rule(data=st.data(), role=st.sampled_from([ContactRole.NOTIFY, ContactRole.RECOVERY]), use=st.booleans())
    def the_thief_says_what_a_contact_is_for(self, data, role, use) -> None:
        value = self.a_session("thief")
        if value:
            contact = data.draw(st.sampled_from(self.customer.contacts))
            self.tries(self.shop.contacts.use_contact(value, contact.id, role, THIEF, use=use))

    @rule(data=st.data())
    def the_thief_removes_a_contact(self, data) -> None:
        value = self.a_session("thief")
        if value:
            contact = data.draw(st.sampled_from(self.customer.contacts))
            removed = self.tries(self.shop.contacts.remove_contact(value, contact.id, THIEF))
            if removed and removed.next_value:
                self.thiefs.append(removed.next_value.session)

    @rule()
    def the_thief_sets_questions(self) -> None:
        value = self.a_session("thief")
        if value:
            self.tries(self.shop.questions.set_questions(value, ANSWERS, THIEF))

    @rule()
    def the_thief_asks_to_close(self) -> None:
        value = self.a_session("thief")
        if value is None or self.tries(self.shop.closings.request_account_closing(value, None, THIEF)) is None:
            return
        letter = self.builder.mailbag.last
        if letter.to in THIEFS and "link" in letter.secrets:
            self.tries(self.shop.closings.confirm_account_closing(value, letter.token, THIEF))

    # What the owner answers

    @rule(which=st.integers(0, 3))
    def the_owner_objects(self, which) -> None:
        found = self.letters(MAILBOX, "not_me_link")
        if found:
            self.objects(found[min(which, len(found) - 1)])

    def objects(self, letter):
        token = self.link(letter, "not_me_link")
        sign_in = ".nms." in token.reveal()
        say = self.shop.objections.not_me_sign_in if sign_in else self.shop.objections.not_me_change
        try:
            run(say(token, OWNER))
        except Rejected:
            return
        self.used.append(lambda: say(token, OWNER))
        for held in (self.mine, self.thiefs):
            self.dead += held
            held.clear()

    @rule()
    def the_owner_stops_the_account(self) -> None:
        found = self.letters(MAILBOX, "freeze_link")
        if not found:
            return
        token = self.link(found[0], "freeze_link")
        try:
            run(self.shop.customers.freeze_account(token, OWNER))
        except Rejected:
            return
        assert self.status is AccountStatus.SUSPENDED
        self.used.append(lambda: self.shop.customers.freeze_account(token, OWNER))

    @rule()
    def the_owner_takes_a_change_back(self) -> None:
        for letter in self.letters(MAILBOX, "undo_link"):
            self.tries(self.shop.contact_changes.reverse_contact_change(self.link(letter, "undo_link"), OWNER))

    @rule()
    def the_owner_resets(self) -> None:
        self.resets(self.a_password())

    def resets(self, password):
        """Asks for a link at the mailbox and uses it; answers whether that worked."""
        self.builder.clock.advance(timedelta(seconds=1))
        before = len(self.builder.mailbag.letters)
        if self.tries(self.shop.recovery.request_reset(MAILBOX, OWNER)) is None:
            return False
        sent = [one for one in self.builder.mailbag.letters[before:] if one.to == MAILBOX and one.deliver]
        if not sent or sent[-1].template != "recovery.reset_password":
            return False
        asked = run(self.shop.recovery.peek_reset(sent[-1].token, OWNER)).questions
        answers = dict.fromkeys(asked, "the owner never heard these") if asked else None
        if self.tries(self.shop.recovery.reset_password(sent[-1].token, password, OWNER, answers)) is None:
            return False
        self.password = password
        return True

    # Time

    @rule(passes=st.sampled_from([timedelta(seconds=30), timedelta(minutes=20), timedelta(hours=9)]))
    def time_passes(self, passes) -> None:
        if self.builder.clock.now() + passes < self.began + TWO_WEEKS - timedelta(days=3):
            self.builder.clock.advance(passes)

    @rule()
    def upkeep_is_done(self) -> None:
        run(self.shop.upkeep.tick())

    # What always holds

    @invariant()
    def what_ended_stays_ended(self) -> None:
        for value in getattr(self, "dead", [])[-8:]:
            assert isinstance(run(self.shop.sessions.resume(value, OWNER)), NoSession)

    @invariant()
    def an_address_that_was_proven_signs_in(self) -> None:
        if hasattr(self, "builder"):
            (contact,) = [c for c in self.customer.contacts if ContactRole.LOGIN in c.roles]
            assert is_verified(contact)

    @precondition(lambda self: self.used)
    @rule(data=st.data())
    def what_was_used_is_used_again(self, data) -> None:
        with pytest.raises(Rejected):
            run(data.draw(st.sampled_from(self.used[-4:]))())

    def teardown(self) -> None:
        """The owner answers, sets a password and comes in; the thief is out for good."""
        if not hasattr(self, "builder"):
            return
        self.builder.clock.advance(timedelta(hours=25))
        self.the_owner_takes_a_change_back()
        for letter in self.letters(MAILBOX, "not_me_link"):
            self.objects(letter)
        password = self.a_password()
        for _ in range(25):  # the thief's questions are asked until they have been answered wrong often enough
            if self.resets(password):
                break
            self.builder.clock.advance(timedelta(hours=2))
        step = run(self.shop.signin.sign_in_with_password(MAILBOX, password, OWNER))
        assert isinstance(step, SignedIn), (self.status, step)
        assert not any(self.lives(value) for value in self.thiefs + self.dead)
        assert self.sign_in_address == MAILBOX
        before = self.tries(self.shop.signin.sign_in_with_password(MAILBOX, self.stolen or "", THIEF))
        assert not isinstance(before, SignedIn | PasswordChangeNeeded)


@pytest.mark.proves("REG-31", "REG-68", "SIG-76", "SIG-83", "SIG-84", "SIG-85", "RCV-10", "KER-222", "KER-223")
def test_whatever_a_thief_does_who_reads_the_mailbox_gets_the_account_back() -> None:
    run_state_machine_as_test(WholeIdentityMachine, settings=settings(max_examples=50, stateful_step_count=35))


def test_the_thief_gets_far() -> None:
    """A machine whose thief never does anything proves nothing."""
    machine = WholeIdentityMachine()
    machine.opens()
    machine.time_passes(timedelta(minutes=20))
    machine.somebody_signs_in("thief")
    assert machine.a_session("thief")
    machine.the_thief_wants_another_address(THIEFS[0], agrees=True)
    assert machine.sign_in_address == THIEFS[0]
    machine.somebody_signs_in("thief")
    machine.somebody_changes_the_password("thief")
    machine.the_thief_sets_questions()
    machine.the_thief_adds_a_contact(THIEFS[1])
    assert len(machine.customer.contacts) == 2
    machine.teardown()
