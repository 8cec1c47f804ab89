"""An owner who lost a mailbox, and a thief who has it, or the password: whatever they do, recovery is the slower door.

The owner knows the password until a reset changes it, and reads a second address. The thief either reads the old
mailbox, by which one can have a new password, or knows the password; and may add addresses of their own. Every two days
at the latest the owner looks at the mail and, unless this owner never looks, cancels what they didn't ask for. What is
checked after each step:

* nothing but signing in makes a session;
* a case that was completed had been told to everybody as long before as it had to wait;
* what was cancelled stays cancelled;
* against an owner who looks at their mail the thief never completes a case.

The second machine has an account with an app. The thief knows the password and reads the mailbox that signs in; the
owner has the app until they lose it, and a second address that hears of everything. What is checked besides: the app is
there until a case was completed, and nobody is signed in without it before.
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
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import CASES, CaseState
from shopaccounts.signin import AUTHENTICATORS, SecondFactorNeeded, SentCodeAnswer, SignedIn, TotpCode
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps

OLD, SECOND, NEW, THIEF = "ann@old.example", "ann@second.example", "ann@new.example", "thief@else.example"
MINE = request_from("192.0.2.10", agent="owner", browser=Secret("the value of the owner's browser"))
THEIRS = request_from("203.0.113.66", agent="thief", browser=Secret("the value of the thief's browser"))
CONTEXTS = {"owner": MINE, "thief": THEIRS}
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


class LostFactorMachine(RuleBasedStateMachine):
    """Both know the password and read the mailbox that signs in; the owner alone has the app, and hears of things."""

    @initialize(owner_looks=st.booleans())
    def opens(self, owner_looks) -> None:
        self.builder: Any = ShopBuilder(policies=quick_policies(sends=without_gaps()))
        self.shop = self.builder.build()
        self.owner_looks = owner_looks
        self.opened: dict[str, str] = {}
        self.told_at: dict[str, Any] = {}
        self.cancelled: set[str] = set()
        self.account = run(self.shop.open_account(OLD))
        self.app = run(enrol_app(self.shop.factors, self.account.session, MINE, self.builder.clock)).app
        run(self.builder.edit(CUSTOMERS, self.account.id, self.with_second))
        self.builder.clock.advance(DAY)

    def with_second(self, customer):
        point = ContactPoint(
            id=ContactId(SECOND),
            kind=ContactKind.EMAIL,
            value=EmailAddress.parse(SECOND),
            added_at=customer.created_at,
            roles=frozenset({ContactRole.NOTIFY}),
        ).proven(VerificationMethod.CODE, "a challenge", customer.created_at)
        return attrs.evolve(customer, contacts=(*customer.contacts, point))

    @property
    def cases(self):
        return tuple(self.builder.storage.snapshot()["main"].books[CASES.name].values())

    @property
    def completed(self):
        return [case for case in self.cases if case.state is CaseState.COMPLETED]

    def tries(self, work):
        try:
            return run(work)
        except Rejected:
            return None

    def stands_at_the_door(self, context):
        step = self.tries(self.shop.signin.sign_in_with_password(OLD, PASSWORD, context))
        if isinstance(step, SignedIn):
            assert self.completed, "somebody is signed in by the password alone"
        return step.progress if isinstance(step, SecondFactorNeeded) else None

    def recovers(self, who, work):
        """Open or complete a case at the door, with a code of the mailbox."""
        context = CONTEXTS[who]
        progress = self.stands_at_the_door(context)
        sent = progress and self.tries(self.shop.lost_factor.send_case_code(progress, Channel.EMAIL, context))
        if not sent:
            return None
        sessions = len(self.builder.storage.snapshot()["main"].books["sessions"])
        answer = self.tries(work(progress, [SentCodeAnswer(sent.handle, self.builder.mailbag.last.code)], context))
        assert len(self.builder.storage.snapshot()["main"].books["sessions"]) == sessions
        return answer

    def passes(self, time):
        until = self.builder.clock.now() + time
        while self.builder.clock.now() < until:
            self.builder.clock.set(min(until, self.builder.clock.now() + DAY))
            run(self.shop.cases.attend_cases(100, WorkerId("test")))
            if self.owner_looks:
                self.looks()

    def looks(self):
        """The owner reads the second mailbox, and cancels what the thief asked for."""
        mine = [one for one in self.builder.mailbag.to(SECOND) if "cancel_link" in one.secrets]
        theirs = [case for case in self.cases if case.is_open and self.opened.get(case.id) == "thief"]
        if mine and theirs:
            self.tries(self.shop.cases.cancel_case(mine[-1].ticket("cancel_link"), MINE))

    @rule(time=st.sampled_from([HOUR, DAY, 3 * DAY, WEEK]))
    def time_passes(self, time) -> None:
        self.passes(time)

    @rule(who=st.sampled_from(["owner", "thief"]))
    def somebody_opens_a_case(self, who) -> None:
        opened = self.recovers(who, self.shop.lost_factor.open_factor_case)
        if opened is not None:
            self.opened[opened.case], self.told_at[opened.case] = who, self.builder.clock.now()
            assert self.builder.mailbag.to(SECOND)[-1].template == "recovery.factor_case_waiting"

    @rule(who=st.sampled_from(["owner", "thief"]), waits=st.booleans())
    def somebody_completes_a_case(self, who, waits) -> None:
        if waits:
            self.passes(3 * DAY)
        self.recovers(who, self.shop.lost_factor.complete_factor_case)

    @rule()
    def the_owner_signs_in_with_the_app(self) -> None:
        progress = self.stands_at_the_door(MINE)
        if progress is not None:
            work = self.shop.second_step.give_second_factor(progress, TotpCode(self.app.next_code()), MINE)
            if self.tries(work) is not None:
                open_now = [case for case in self.cases if case.is_open]
                self.cancelled |= {case.id for case in open_now}

    @invariant()
    def a_completed_case_was_told_three_days_before(self) -> None:
        for case in self.completed:
            assert case.ended_at - self.told_at[case.id] >= 3 * DAY

    @invariant()
    def what_was_cancelled_or_found_again_is_never_completed(self) -> None:
        self.cancelled |= {case.id for case in self.cases if case.state is CaseState.CANCELLED}
        assert not self.cancelled & {case.id for case in self.completed}

    @invariant()
    def the_app_is_there_until_a_case_was_completed(self) -> None:
        own = run(self.builder.kept(AUTHENTICATORS, self.account.id))
        assert bool(own.factors) is not bool(self.completed)

    @invariant()
    def a_thief_completes_nothing_against_an_owner_who_looks(self) -> None:
        assert not self.owner_looks or "thief" not in {self.opened[case.id] for case in self.completed}


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


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-23", "RCV-24", "RCV-26")
def test_a_lost_factor_is_the_slower_door() -> None:
    run_state_machine_as_test(LostFactorMachine, settings=settings(stateful_step_count=15))


@pytest.mark.parametrize("owner_looks", [True, False])
def test_the_machine_of_lost_factors_gets_everywhere(owner_looks) -> None:
    machine = LostFactorMachine()
    machine.opens(owner_looks=owner_looks)
    machine.somebody_opens_a_case("thief")
    machine.somebody_completes_a_case("thief", waits=True)
    assert [case.state for case in machine.cases] == [CaseState.CANCELLED if owner_looks else CaseState.COMPLETED]
    machine.time_passes(WEEK)
    if owner_looks:
        machine.somebody_opens_a_case("owner")
        machine.somebody_completes_a_case("owner", waits=True)
        assert machine.completed
    machine.teardown()
