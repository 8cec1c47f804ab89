"""Using a reset link or code: what has to be shown besides, and what it does, once.

* A code is judged before anything else, so that nobody learns of a password by asking for another one.
* Where the shop wants it so, and where the reset lifts the owner's own hold on the account, one of the account's second
  factors is asked for as well. What the reset itself went by is none. [OWASP ASVS 6.4.3; NIST SP 800-63B-4 4.2.2.2]
* A password may be as short as one that never opens the account alone, if the account has a second factor.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices, as_of, is_held, released
from shopaccounts.customers.events import CustomerReinstated
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import KIND_OF, Level, Method, Proof
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.contact import Contact, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.tickets import TICKETS, Ticket, TicketSpent, is_replaced, peek, read_selector, spend
from shopaccounts.passwords import PASSWORDS, Chooser, NewPassword, PasswordRecord, Prepared, prepare, words_of
from shopaccounts.passwords.events import PasswordSet
from shopaccounts.recovery.answering import Answering, Answers, read_answers
from shopaccounts.recovery.deciding import (
    RESET,
    RESET_CODE,
    Reply,
    contact_of,
    new_password,
    reply_to,
    signed_in_since,
)
from shopaccounts.recovery.errors import ProofsMissing, ResetLinkInvalid, ResetLinkStale
from shopaccounts.recovery.events import PasswordReset
from shopaccounts.recovery.model import PasswordWasReset, Question
from shopaccounts.recovery.policy import ResetPolicy, SecondFactorAt
from shopaccounts.recovery.questions import QUESTIONS
from shopaccounts.recovery.recent import Owned, recent_additions
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    SESSIONS,
    Answer,
    Attempts,
    Authenticators,
    CodeExhausted,
    CodeWrong,
    FactorCheck,
    FactorOption,
    Memory,
    Offered,
    Proven,
    SentCode,
    SentCodes,
    Tried,
    WayNotOffered,
    Wrong,
    read_answer,
)

__all__ = ["Given", "Opened", "Resetting", "read_given"]

_ALSO: Final = (PASSWORDS, QUESTIONS, AUTHENTICATORS, DEVICES)
_SPENT_BY: Final = (
    CUSTOMERS.via("subject"),
    SECURITY.via("subject"),
    *(book.via("subject") for book in _ALSO),
    SESSIONS.newest("full", via="subject"),
    TICKETS.newest("issued", via="issued"),
)
_TYPED_BY: Final = (
    CUSTOMERS.via("account"),
    SECURITY.via("account"),
    *(book.via("account") for book in _ALSO),
    SESSIONS.newest("full", via="account"),
)
_NAMED: Final = frozenset({Method.RECOVERY_CODE, Method.PASSKEY})
"""What proves a second factor without naming which of the options it was."""


@attrs.frozen(kw_only=True)
class Opened:
    """A reset that may be done, with the account it belongs to.

    Args:
        ticket: The ticket of the link, or of the code's handle.
        spent: That it was spent, for whoever stores the rest.
        used: The part of a change that uses it up.
        contact: Where the link or code went.
        contact_id: Which contact of the account that is.
        found: What was read along with it.
    """

    ticket: Ticket
    spent: TicketSpent
    used: Change
    customer: Customer
    security: AccountSecurity
    contact: Contact
    contact_id: str
    found: Found[Any]

    @property
    def own(self) -> Authenticators | None:
        """What the account has enrolled."""
        return self.found[AUTHENTICATORS]

    @property
    def password(self) -> PasswordRecord | None:
        """The password that the account has."""
        return self.found[PASSWORDS]

    @property
    def bound(self) -> str:
        """What a second factor that is given with it is bound to."""
        return f"reset {self.ticket.id}"

    @property
    def proof(self) -> Proof:
        """What the link or code proves."""
        method = Method.EMAIL_LINK if isinstance(self.contact, EmailAddress) else Method.SMS_CODE
        return Proof(method=method, kind=KIND_OF[method], at=self.ticket.issued_at)


@attrs.frozen(kw_only=True)
class Given:
    """What somebody gives with a reset.

    Args:
        password: The new one.
        answers: To the security questions.
        second: One of the account's second factors.
    """

    password: Prepared
    answers: Mapping[Question, Prepared] | None
    second: Answer | None


def read_given(password: object, answers: Answers | None, second: Answer | None) -> Given:
    """Answer what was given with a reset, before anybody looks what it is for.

    Raises:
        InvalidInput: Something is no text or no answer, or endless.
    """
    return Given(
        password=prepare(password),
        answers=None if answers is None else read_answers(answers),
        second=None if second is None else read_answer(second),
    )


Opening: TypeAlias = Callable[[], Awaitable[Opened]]


@attrs.frozen(kw_only=True)
class Resetting:
    """Sets the new passwords of resets."""

    desk: Desk
    records: Records
    chooser: Chooser
    attempts: Attempts
    notices: Notices
    answering: Answering
    offered: Offered
    check: FactorCheck
    codes: SentCodes
    policy: ResetPolicy

    async def by_link(self, token: Secret[str]) -> Opened:
        """Answer the reset of a link, if it may still be done.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector, now = read_selector(token, RESET), self.desk.now()
        found = await got(self.records.find(TICKETS, selector, bring=_SPENT_BY))
        security = found[SECURITY] if found else None
        stamps = security.stamps if security else Stamps()
        ticket = peek(found.it if found else None, token, RESET, stamps, now)
        if found is None or is_replaced(ticket, found[TICKETS]):
            raise ResetLinkStale(ticket.purpose)
        after, spent = spend(ticket, token, RESET, stamps, now)
        used = Change(writes=(TICKETS.change(ticket, after),))
        return self._opened(found, ticket, spent, used, ticket.bound)

    async def sent(self, handle: Secret[str]) -> Found[SentCode]:
        """Answer the code that a handle is for, whether or not it leads to an account.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The handle is of no use.
        """
        return await self.codes.find(RESET_CODE, handle, _TYPED_BY)

    async def by_code(self, handle: Secret[str], typed: str) -> Opened:
        """Answer the reset of a code, if it may still be done; the try has to be charged before.

        Raises:
            CodeWrong, CodeExhausted: That isn't the code; that is on record.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The handle is of no use.
        """
        found, now = await self.sent(handle), self.desk.now()
        judged = await self.codes.judge(found.it, typed, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        if judged.verdict is Verdict.WRONG:
            await self.desk.record(judged.part)
            raise CodeWrong(judged.tries_left)
        security = found[SECURITY]
        stamps = security.stamps if security else Stamps()
        _, spent = spend(found.it.handle, handle, RESET_CODE.handle, stamps, now)
        return self._opened(found, found.it.handle, spent, judged.part, found.it.contact or "")

    def second_of(self, opened: Opened) -> tuple[FactorOption, ...] | None:
        """Answer of which second factors one is asked for; None if none is."""
        if self.policy.second_factor_at is SecondFactorAt.SIGN_IN and not is_held(opened.customer):
            return None
        shown = frozenset({opened.contact_id})
        asked = self.offered.second_step(opened.customer, opened.own, None, (opened.proof,), shown)
        return asked.options if asked else None

    def password_reaches(self, opened: Opened) -> Level:
        """Answer how far a sign-in with the new password will get, by what is asked for after it."""
        return self.offered.password_reaches(opened.own)

    def tried(self, opened: Opened, context: RequestContext) -> Tried:
        """Answer what a second factor is held against."""
        return Tried(
            customer=opened.customer,
            security=opened.security,
            own=opened.own,
            password=opened.password,
            devices=opened.found[DEVICES],
            bound=opened.bound,
            context=context,
        )

    async def reset(self, opening: Opening, given: Given, context: RequestContext) -> PasswordWasReset:
        """Set the new password, once all is shown that is asked for.

        Args:
            opening: Answers the reset, as it is now.
            given: What somebody gave with it.
            context: Where the request came from.

        Raises:
            ProofsMissing: It takes the answers, or a second factor.
            AnswersWrong, CodeWrong: They are wrong, or that isn't it.
            PasswordUnacceptable: The password won't do, with every reason.
        """
        opened = await opening()
        self._check_shown(opened, given.second)
        await self.answering.check(opened.found[QUESTIONS], given.answers, opened.customer, context.network)
        reach = self.password_reaches(opened)
        chosen = await self.chooser.choose(
            given.password.text, words_of(opened.customer), opened.password, can_reach=reach
        )
        new = await self.chooser.hash(chosen, opened.customer.id)
        read, memory = [opened], dict[Any, Any]()

        async def decide() -> tuple[PasswordWasReset, Proven | None]:
            again = read.pop() if read else await opening()
            proven = await self._second(again, given.second, context, memory)
            return await self._record(again, new, proven), proven

        was_reset, proven = await self.desk.retrying(decide)
        await self.attempts.succeeded(opened.customer.id)
        await self.answering.forget(opened.customer)
        if proven is not None:
            await self.check.succeeded(proven)
        return was_reset

    def _opened(self, found: Found[Any], ticket: Ticket, spent: TicketSpent, used: Change, contact_id: str) -> Opened:
        stored, security = found[CUSTOMERS], found[SECURITY]
        if stored is None or security is None:
            raise ResetLinkInvalid
        customer = as_of(stored, self.desk.now())
        contact = contact_of(customer, contact_id)
        may_reset = found[PASSWORDS] is not None or self.policy.creates_first_password
        wanted = contact is not None and reply_to(customer, contact) is Reply.RESET and may_reset
        if contact is None or not wanted or signed_in_since(ticket, found[SESSIONS]):
            raise ResetLinkStale(ticket.purpose)
        return Opened(
            ticket=ticket,
            spent=spent,
            used=used,
            customer=customer,
            security=security,
            contact=contact,
            contact_id=contact_id,
            found=found,
        )

    # What has to be shown besides

    def _check_shown(self, opened: Opened, second: Answer | None) -> None:
        """Refuse to go on without a second factor where one is asked for, before anything costs a try.

        Raises:
            ProofsMissing: There is none, or none is left that could be given.
            WayNotOffered: It is none of those that are asked for.
        """
        options = self.second_of(opened)
        if options is None:
            return
        kinds = {option.kind for option in options}
        if second is None or not kinds:
            raise ProofsMissing(needed=tuple(sorted(kinds)) or ("second_factor",))
        if not second.kinds & kinds:
            raise WayNotOffered(type(second).__name__)

    async def _second(
        self, opened: Opened, second: Answer | None, context: RequestContext, memory: Memory
    ) -> Proven | None:
        """Answer what a second factor proved; None if none was asked for.

        Raises:
            CodeWrong: That isn't it; that is on record.
        """
        self._check_shown(opened, second)
        options = self.second_of(opened)
        if options is None or second is None:
            return None
        outcome = await self.check.judge(self.tried(opened, context), second, memory)
        if isinstance(outcome, Wrong):
            await self.desk.record(outcome.part)
            raise CodeWrong
        if outcome.proof.method not in _NAMED and outcome.used not in {option.factor for option in options}:
            await self.desk.record(self.check.used_up(opened.own, outcome))
            raise CodeWrong
        return outcome

    # What it does

    async def _record(self, opened: Opened, new: NewPassword, proven: Proven | None) -> PasswordWasReset:
        now, customer, record = self.desk.now(), opened.customer, opened.password
        kept = new_password(opened.spent, customer.realm, new, self.chooser.policy, record)
        change = opened.used | Change(
            writes=(
                PASSWORDS.change(record, kept) if record else PASSWORDS.add(kept),
                SECURITY.change(opened.security, opened.security.bump(Stamp.PASSWORD)),
            ),
            events=self.desk.tell(PasswordSet(at=now, account=customer.id), PasswordReset(at=now, account=customer.id)),
        )
        if proven is not None:
            change |= self.check.used_up(opened.own, proven)
        told = await self.notices.about(customer, "passwords.was_reset", f"was_reset {opened.ticket.selector}", now)
        answered = await self.answering.passed(opened.found[QUESTIONS])
        await self.desk.record(change | self._noted(opened, proven, now) | answered | told)
        owned = Owned(customer=customer, own=opened.own, devices=opened.found[DEVICES])
        recent = recent_additions(owned, now, besides=opened.contact_id)
        handed_out = proven.handed_out if proven else None
        return PasswordWasReset(masked=mask(opened.contact), recent=recent, recovery_code=handed_out)

    def _noted(self, opened: Opened, proven: Proven | None, now: datetime) -> Change:
        """Answer the part that lifts the owner's own hold and notes which numbers were used; else, that nothing is."""
        customer, by = opened.customer, frozenset({opened.contact_id})
        if proven is not None and opened.own is not None:
            by |= opened.own.contacts_of(proven.used)
        after = customer.with_number_used(by, now)
        if not is_held(customer):
            kept = Change(guards=(CUSTOMERS.unchanged(customer),))
            return kept if after == customer else Change(writes=(CUSTOMERS.change(customer, after),))
        told = self.desk.tell(CustomerReinstated(at=now, account=customer.id))
        return Change(writes=(CUSTOMERS.change(customer, released(after)),), events=told)
