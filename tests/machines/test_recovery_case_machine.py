"""An owner who lost a mailbox, and a thief who has it, or the password: whatever they do, recovery is the slower door.

The owner knows the password until a reset changes it, and reads a second address. The thief either reads the old
mailbox, by which one can have a new password, or knows the password; and may add addresses of their own. Every two days
at the latest the owner looks at the mail and, unless this owner never looks, cancels what they didn't ask for. What is
checked after each step:

* nothing but signing in makes a session;
* a case that was completed had been told to everybody as long before as it had to wait;
* what was cancelled stays cancelled;
* against an owner who looks at their mail the thief never completes a case.
"""

from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, VerificationMethod
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import ContactId, WorkerId
from shopaccounts.recovery import CASES, CaseState
from shopaccounts.signin import SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

OLD, SECOND, NEW, THIEF = "ann@old.example", "ann@second.example", "ann@new.example", "thief@else.example"
MINE, THEIRS = request_from("192.0.2.10", agent="owner"), request_from("203.0.113.66", agent="thief")
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
COMPLETING = ("recovery.complete_case", "recovery.recovery_code")


class RecoveryCaseMachine(RuleBasedStateMachine):
    """What each of them can read is what the machine hands them."""

    @initialize(thief_reads_old=st.booleans(), owner_looks=st.booleans())
    def opens(self, thief_reads_old, owner_looks) -> None:
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps()))
        self.shop = self.builder.build()
        self.owner_looks = owner_looks
        self.mailboxes = {"owner": {SECOND, NEW}, "thief": {THIEF} | ({OLD} if thief_reads_old else set())}
        self.passwords = {"owner": PASSWORD, "thief": None if thief_reads_old else PASSWORD}
        self.handles: dict[str, Any] = {"owner": None, "thief": None}
        self.told_at: dict[str, Any] = {}
        self.cancelled: set[str] = set()
        self.numbers = 0
        account = run(self.shop.open_account(OLD))
        run(self.builder.edit(CUSTOMERS, account.id, self.with_second))
        self.builder.clock.advance(WEEK + DAY)

    # What is found

    def with_second(self, customer):
        point = ContactPoint(
            id=ContactId(SECOND),
            kind=ContactKind.EMAIL,
            value=EmailAddress.parse(SECOND),
            added_at=customer.created_at,
            roles=frozenset({ContactRole.RECOVERY, ContactRole.NOTIFY}),
        ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
        return attrs.evolve(customer, contacts=(*customer.contacts, point))

    @property
    def books(self):
        return self.builder.storage.snapshot()["main"].books

    @property
    def cases(self):
        return tuple(self.books[CASES.name].values())

    @property
    def login(self):
        (customer,) = [c for c in self.books["customers"].values() if c.contacts]
        return next(c.value.stored for c in customer.contacts if ContactRole.LOGIN in c.roles)

    def read(self, who, template):
        mine = self.mailboxes[who]
        return next(
            (one for one in reversed(self.builder.mailbag.letters) if one.template == template and one.to in mine), None
        )

    def recovering(self, work):
        """Do something that recovers; it never makes a session."""
        before = len(self.books["sessions"])
        try:
            return run(work)
        except Rejected:
            return None
        finally:
            assert len(self.books["sessions"]) == before, "recovery ended in a session"

    def session_of(self, who, context):
        if self.passwords[who] is None:
            return None
        try:
            step = run(self.shop.signin.sign_in_with_password(self.login, self.passwords[who], context))
        except Rejected:
            return None
        return step.session if isinstance(step, SignedIn) else None

    def passes(self, time):
        """Time passes in steps of at most a day; the owner looks at the mail at the end of each."""
        until = self.builder.clock.now() + time
        while self.builder.clock.now() < until:
            self.builder.clock.set(min(until, self.builder.clock.now() + DAY))
            run(self.shop.cases.attend_cases(100, WorkerId("test")))
            if self.owner_looks:
                self.cancels("owner", MINE)

    def cancels(self, who, context):
        for template in ("recovery.case_waiting", "recovery.case_ready"):
            letter = self.read(who, template)
            if letter is None:
                continue
            theirs = [case for case in self.cases if case.is_open and case.email.stored not in self.mailboxes[who]]
            if theirs:
                self.recovering(self.shop.cases.cancel_case(letter.ticket("cancel_link"), context))

    # What they do

    @rule(time=st.sampled_from([HOUR, DAY, 3 * DAY, WEEK]))
    def time_passes(self, time) -> None:
        self.passes(time)

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_resets_the_password(self, who) -> None:
        context = MINE if who == "owner" else THEIRS
        self.recovering(self.shop.recovery.request_reset(self.login, context))
        letter = self.read(who, "recovery.reset_password")
        if letter is None:
            return
        self.numbers += 1
        password = f"lamp number {self.numbers} of this garden"
        if self.recovering(self.shop.recovery.reset_password(letter.token, password, context)):
            self.passwords[who] = password

    @rule()
    def the_thief_adds_a_recovery_address(self) -> None:
        session = self.session_of("thief", THEIRS)
        if session is None:
            return
        try:
            started = run(self.shop.contacts.add_contact(session, THIEF, THEIRS))
            code = self.read("thief", "registration.add_contact").code
            added: Any = run(self.shop.contacts.prove_added_contact(session, started.addition, code, THEIRS))
            run(self.shop.contacts.use_contact(session, added.contact, ContactRole.RECOVERY, THEIRS))
        except Rejected:
            return

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_opens_a_case(self, who) -> None:
        context, address = (MINE, NEW) if who == "owner" else (THEIRS, THIEF)
        session = self.session_of(who, context)
        if session is None:
            return
        self.recovering(self.shop.cases.start_mailbox_recovery(session, address, context))
        link, code = self.read(who, "recovery.prove_mailbox"), self.read(who, "recovery.recovery_code")
        if link is None or code is None:
            return
        opened = self.recovering(self.shop.cases.open_mailbox_case(session, link.token, code.code, context))
        if opened is not None:
            self.handles[who] = opened
            notices = [one for one in self.builder.mailbag.letters if one.template == "recovery.case_waiting"]
            assert {OLD, SECOND} <= {one.to for one in notices if one.message.created_at == self.builder.clock.now()}
            self.told_at[opened.case] = self.builder.clock.now()

    @rule(who=st.sampled_from(["owner", "thief"]), waits=st.booleans())
    def somebody_completes_a_case(self, who, waits) -> None:
        opened, context = self.handles[who], MINE if who == "owner" else THEIRS
        if opened is None:
            return
        if waits and self.builder.clock.now() < opened.earliest_at:
            self.passes(opened.earliest_at - self.builder.clock.now())
        session, code = self.session_of(who, context), self.read(who, "recovery.recovery_code")
        if session is None or code is None:
            return
        proof = opened.handle
        self.recovering(self.shop.cases.complete_mailbox_case(session, proof, code.code, context))
        link = self.read(who, "recovery.complete_case")
        if link is not None:
            self.recovering(self.shop.case_help.complete_case(link.token, context))
            self.recovering(self.shop.cases.complete_mailbox_case(session, link.token, code.code, context))

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_cancels(self, who) -> None:
        self.cancels(who, MINE if who == "owner" else THEIRS)

    @rule()
    def the_thief_cancels_from_a_session(self) -> None:
        session = self.session_of("thief", THEIRS)
        if session is not None:
            self.recovering(self.shop.cases.cancel_case_here(session, THEIRS))

    # What has to hold

    @invariant()
    def a_completed_case_was_told_a_week_before(self) -> None:
        for case in self.cases:
            if case.state is CaseState.COMPLETED:
                assert case.ended_at - self.told_at[case.id] >= WEEK

    @invariant()
    def what_was_cancelled_stays_cancelled(self) -> None:
        now = {case.id for case in self.cases if case.state is CaseState.CANCELLED}
        assert self.cancelled <= now
        self.cancelled = now

    @invariant()
    def a_thief_completes_nothing_against_an_owner_who_looks(self) -> None:
        done = {case.email.stored for case in self.cases if case.state is CaseState.COMPLETED}
        assert THIEF not in done or not self.owner_looks


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-24", "RCV-26", "RCV-11")
def test_recovery_is_the_slower_door() -> None:
    run_state_machine_as_test(RecoveryCaseMachine, settings=settings(stateful_step_count=20))


@pytest.mark.parametrize("owner_looks", [True, False])
def test_the_machine_gets_everywhere(owner_looks) -> None:
    """A machine in which nobody ever completes a case proves nothing."""
    machine = RecoveryCaseMachine()
    machine.opens(thief_reads_old=False, owner_looks=owner_looks)
    machine.the_thief_adds_a_recovery_address()
    machine.time_passes(WEEK)
    machine.somebody_opens_a_case("thief")
    machine.somebody_completes_a_case("thief", waits=True)
    ends = [case.state for case in machine.cases if case.opened_at]
    assert ends == [CaseState.CANCELLED if owner_looks else CaseState.COMPLETED]
    machine.teardown()


@pytest.mark.parametrize("thief_reads_old", [True, False])
def test_the_owner_of_the_machine_gets_back_in(thief_reads_old) -> None:
    machine = RecoveryCaseMachine()
    machine.opens(thief_reads_old=thief_reads_old, owner_looks=True)
    machine.somebody_opens_a_case("owner")
    machine.somebody_completes_a_case("owner", waits=True)
    assert [case.state for case in machine.cases if case.opened_at] == [CaseState.COMPLETED]
    assert machine.login == NEW
    machine.teardown()
