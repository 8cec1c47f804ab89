"""What people do when they lost their password: ask for a link, look at it, choose a new one."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.customers import (
    CUSTOMERS,
    Customer,
    NotFound,
    Notices,
    StatusForbids,
    as_of,
    is_held,
    login_key,
    released,
)
from shopaccounts.customers.events import ContactRemoved, CustomerReinstated
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import TICKETS, Ticket, is_replaced, mint, peek, read_selector, spend
from shopaccounts.passwords import (
    PASSWORDS,
    Chooser,
    NewPassword,
    PasswordContext,
    describe,
    prepare,
    words_of,
)
from shopaccounts.passwords.events import PasswordSet
from shopaccounts.recovery.answering import Answering, Answers, read_answers
from shopaccounts.recovery.deciding import (
    RESET,
    Reply,
    email_of,
    new_password,
    proven_contact,
    reply_to,
    signed_in_since,
    told_lately,
)
from shopaccounts.recovery.errors import ResetLinkInvalid, ResetLinkStale
from shopaccounts.recovery.events import PasswordReset, ResetAskedInVain, ResetRequested, ResetStarted
from shopaccounts.recovery.model import STOP_NOTICES, PasswordWasReset, ResetOffer, ResetSent, StopNotice
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.recovery.questions import QUESTIONS
from shopaccounts.recovery.recent import recent_additions, without_recent
from shopaccounts.registration import ATTEMPTS, Account, Readied, Verifications, contact_in_force
from shopaccounts.signin import DEVICES, SESSIONS, Attempts, is_owners_browser
from shopaccounts.signin.events import DeviceRevoked

__all__ = ["Recovery"]

_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_CROWD: Final = MAX_WINDOW + 1
"""No mailbox gets more messages in an hour than a window holds, so no more can meet at one address."""
_ASKED: Final = (SECURITY.via(), PASSWORDS.via(), STOP_NOTICES.via(), ATTEMPTS.newest("account"))
_SPENT_BY: Final = (
    CUSTOMERS.via("subject"),
    SECURITY.via("subject"),
    PASSWORDS.via("subject"),
    QUESTIONS.via("subject"),
    DEVICES.via("subject"),
    SESSIONS.newest("account", via="subject"),
    TICKETS.newest("issued", via="issued"),
)


@attrs.frozen(kw_only=True)
class _Opened:
    """A reset ticket that may be spent, with the account it belongs to."""

    ticket: Ticket
    customer: Customer
    security: AccountSecurity
    email: EmailAddress
    found: Found[Ticket]


@attrs.frozen(kw_only=True)
class Recovery:
    """The way back in."""

    desk: Desk
    records: Records
    chooser: Chooser
    attempts: Attempts
    budget: SendBudget
    verifications: Verifications
    letters: Letters
    notices: Notices
    answering: Answering
    doorkeeper: Doorkeeper
    staff: Staff
    policy: ResetPolicy
    transport: TransportPolicy

    async def request_reset(self, identifier: str, context: RequestContext) -> ResetSent:
        """Send a reset link to the owner of an address, if there is one; the answer is always the same.

        Args:
            identifier: The address as typed.
            context: Where the request came from.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            Throttled: Too many messages to this mailbox, or for this network.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        email = EmailAddress.parse(require_text(identifier, "identifier", printable=False))
        now = self.desk.now()
        by_owner = await is_owners_browser(self.records, email, context, now)
        await self.budget.charge(email, context.network, now, by_owner=by_owner)

        async def decide() -> None:
            await self._send(email)

        await self.desk.retrying(decide, _CROWD)
        return ResetSent(channel=Channel.EMAIL, masked=mask(email), resend_after=self.budget.resend_after)

    async def peek_reset(self, token: Secret[str], context: RequestContext) -> ResetOffer:
        """Answer what the landing page of a reset link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
        """
        self.transport.check(context)
        opened = await self._open(token)
        return ResetOffer(
            masked=mask(opened.email),
            expires_at=opened.ticket.expires_at,
            guide=describe(self.chooser.policy, PasswordContext().can_reach),
            questions=self.answering.asked_of(opened.found[QUESTIONS]),
        )

    async def reset_password(
        self, token: Secret[str], new_password: object, context: RequestContext, answers: Answers | None = None
    ) -> PasswordWasReset:
        """Set a new password with a reset link; every session ends, and nobody is signed in by it.

        A password that won't do leaves the link good.

        Args:
            token: From the link.
            new_password: Text, or ``Secret`` of it.
            context: Where the request came from.
            answers: To the questions of ``peek_reset``, where it shows any.

        Raises:
            ProofsMissing, AnswersWrong, Throttled: It takes the answers to the security questions as well.
            PasswordUnacceptable: The password won't do, with every reason.
            InvalidInput: The password or an answer is no text, or endless.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            TryLater: The hasher, or the list of leaked passwords, is not available.
        """
        self.transport.check(context)
        typed = prepare(new_password).text
        given = None if answers is None else read_answers(answers)
        opened = await self._open(token)
        await self.answering.check(opened.found[QUESTIONS], given, opened.customer, context.network)
        chosen = await self.chooser.choose(typed, words_of(opened.customer), opened.found[PASSWORDS])
        new = await self.chooser.hash(chosen, opened.customer.id)
        read = [opened]

        async def decide() -> PasswordWasReset:
            return await self._reset(read.pop() if read else await self._open(token), token, new)

        was_reset = await self.desk.retrying(decide)
        await self.attempts.succeeded(opened.customer.id)
        await self.answering.forget(opened.customer)
        return was_reset

    async def drop_recent(self, value: Secret[str], ids: Collection[str], context: RequestContext) -> NextValue:
        """Remove what was added to the account lately and its owner doesn't know; every other session ends.

        Args:
            value: The session value, of a fresh sign-in.
            ids: As ``PasswordWasReset.recent`` names them.
            context: Where the request came from.

        Raises:
            NotFound: One of them is nothing that was added lately.
            LastLoginContact, LastNoticeContact: The account can't do without it.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            InvalidInput: No ids.
            InsecureTransport: The request didn't come over TLS.
        """
        if isinstance(ids, str) or not isinstance(ids, Collection):
            raise InvalidInput(field="ids")
        chosen = frozenset(require_text(id, "label") for id in ids)

        async def decide() -> NextValue:
            here = await self.doorkeeper.present(value, context, Operation.RECOVER, (DEVICES.via("account"),))
            return await self._drop(here, chosen)

        return await self.desk.retrying(decide)

    async def start_reset_for(self, account: AccountId, reason: str) -> ResetSent:
        """Have a reset link mailed to the owner of an account: the same link, to the address that one signs in by.

        Nobody but the owner sees it, or sets a password.

        Args:
            account: Whose.
            reason: Why, up to 500 characters; stands in the event.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StatusForbids: The account is in no state for a reset.
            Throttled: Too many messages to this mailbox.
        """
        duty = await self.staff.require(Permission.START_RESET, reason)
        id = require_text(account, "account", cap=64)
        _, email = await self._resettable(id)
        await self.budget.charge(email, duty.agent, self.desk.now())

        async def decide() -> None:
            now, (known, to) = self.desk.now(), await self._resettable(id)
            told = self.desk.tell(ResetStarted(at=now, account=known.it.id, reason=duty.reason))
            await self.desk.record(await self._reset_link(known, to, now) | Change(events=told))

        await self.desk.retrying(decide)
        return ResetSent(channel=Channel.EMAIL, masked=mask(email), resend_after=self.budget.resend_after)

    # Asking

    async def _send(self, email: EmailAddress) -> None:
        now, key = self.desk.now(), login_key(ContactKind.EMAIL, email.login_key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_ASKED))
        readied = await self.verifications.ready(email)
        known = attrs.evolve(found, it=as_of(found.it, now)) if found else None
        in_vain = self._in_vain(await self.attempts.digest("tried", key), now)
        await self.desk.record(await self._answer(known, email, readied, in_vain, now))

    async def _answer(
        self, known: Found[Customer] | None, email: EmailAddress, readied: Readied, in_vain: Change, now: datetime
    ) -> Change:
        """Answer what is recorded: one message in every case, sent or not, one ticket and one event."""
        reply = reply_to(known.it if known else None, email)
        if known is None or reply is Reply.NOTHING or (reply is Reply.RESET and not self._may_reset(known)):
            return in_vain | await self._decoy(email, now)
        if reply is Reply.VERIFICATION:
            return in_vain | await self.verifications.prepare_reminder(readied, known.it, email, known[ATTEMPTS])
        if reply is Reply.RESET:
            return await self._reset_link(known, email, now)
        if reply is Reply.SUSPENDED:
            return in_vain | await self._word_of_suspension(known, email, now)
        letter = await self._letter(reply, known.it, email, {}, f"reset {self.desk.entropy.token(128)}", now)
        return in_vain | Change(guards=(CUSTOMERS.unchanged(known.it),), messages=(letter,))

    def _in_vain(self, tried: str, now: datetime) -> Change:
        """Answer what is recorded where no reset link is: a ticket that opens nothing, and that somebody asked."""
        decoy, _ = self._ticket("", "", Stamps(), now)
        told = self.desk.tell(ResetAskedInVain(at=now, tried=tried))
        return Change(writes=(TICKETS.add(decoy),), events=told)

    async def _resettable(self, account: str) -> tuple[Found[Customer], EmailAddress]:
        """Answer an account that a reset can be started for, and the address that it goes to.

        Raises:
            NotFound, StatusForbids: There is none.
        """
        found = await got(self.records.find(CUSTOMERS, account, bring=_ASKED))
        if found is None:
            raise NotFound
        known = attrs.evolve(found, it=as_of(found.it, self.desk.now()))
        contact = contact_in_force(known.it, ContactKind.EMAIL)
        email = contact.value if contact else None
        if not isinstance(email, EmailAddress) or not self._may_reset(known):
            raise StatusForbids(known.it.status.value, RESET.name)
        if reply_to(known.it, email) is not Reply.RESET:
            raise StatusForbids(known.it.status.value, RESET.name)
        return known, email

    def _may_reset(self, known: Found[Any]) -> bool:
        return known[PASSWORDS] is not None or self.policy.creates_first_password

    async def _decoy(self, email: EmailAddress, now: datetime) -> Change:
        ticket, text = self._ticket("", "", Stamps(), now)
        secrets = {"link": self.letters.link(RESET.name, text)}
        letter = await self._letter(Reply.RESET, None, email, secrets, f"reset {ticket.selector}", now)
        return Change(messages=(letter,))

    async def _reset_link(self, known: Found[Customer], email: EmailAddress, now: datetime) -> Change:
        customer, security, contact = known.it, known[SECURITY], proven_contact(known.it, email)
        stamps = security.stamps if security else Stamps()
        ticket, text = self._ticket(customer.id, contact.id if contact else "", stamps, now)
        secrets = {"link": self.letters.link(RESET.name, text)}
        letter = await self._letter(Reply.RESET, customer, email, secrets, f"reset {ticket.selector}", now)
        return Change(
            writes=(TICKETS.add(ticket),),
            guards=(CUSTOMERS.unchanged(customer),),
            messages=(letter,),
            events=self.desk.tell(ResetRequested(at=now, account=customer.id)),
        )

    async def _word_of_suspension(self, known: Found[Customer], email: EmailAddress, now: datetime) -> Change:
        customer, earlier = known.it, known[STOP_NOTICES]
        if told_lately(earlier, now):
            return await self._decoy(email, now)
        told = StopNotice(id=customer.id, realm=customer.realm, told_at=now)
        letter = await self._letter(Reply.SUSPENDED, customer, email, {}, f"reset {self.desk.entropy.token(128)}", now)
        return Change(
            writes=(STOP_NOTICES.change(earlier, told) if earlier else STOP_NOTICES.add(told),),
            guards=(CUSTOMERS.unchanged(customer),),
            messages=(letter,),
        )

    def _ticket(self, subject: str, contact: str, stamps: Stamps, now: datetime) -> tuple[Ticket, Secret[str]]:
        return mint(
            RESET,
            realm=self.desk.scope.realm,
            subject=subject,
            bound=contact,
            stamps=stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )

    async def _letter(
        self,
        reply: Reply,
        customer: Customer | None,
        email: EmailAddress,
        secrets: Mapping[str, Secret[str]],
        key: str,
        now: datetime,
    ) -> Message:
        """Write to the address that its owner proved; to nobody, where there is no customer."""
        contact = proven_contact(customer, email) if customer else None
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else email
        hours = {"hours": str(self.policy.link_life // _HOUR)} if reply is Reply.RESET else {}
        return await self.letters.write(
            reply.value,
            to.stored,
            key=key,
            until=now + self.policy.link_life,
            subject=customer.id if customer else "",
            locale=customer.locale if customer else None,
            variables=hours,
            secrets=secrets,
            deliver=customer is not None,
        )

    # Using the link

    async def _open(self, token: Secret[str]) -> _Opened:
        """Answer the ticket and its account, if the link may still be used.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector, now = read_selector(token, RESET), self.desk.now()
        found = await got(self.records.find(TICKETS, selector, bring=_SPENT_BY))
        stored, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        stamps = security.stamps if security else Stamps()
        ticket = peek(found.it if found else None, token, RESET, stamps, now)
        if found is None or stored is None or security is None:
            raise ResetLinkInvalid
        customer = as_of(stored, now)
        email = email_of(customer, ticket.bound)
        wanted = email is not None and reply_to(customer, email) is Reply.RESET and self._may_reset(found)
        overtaken = is_replaced(ticket, found[TICKETS]) or signed_in_since(ticket, found[SESSIONS])
        if email is None or not wanted or overtaken:
            raise ResetLinkStale(ticket.purpose)
        return _Opened(ticket=ticket, customer=customer, security=security, email=email, found=found)

    async def _reset(self, opened: _Opened, token: Secret[str], new: NewPassword) -> PasswordWasReset:
        now = self.desk.now()
        customer, record = opened.customer, opened.found[PASSWORDS]
        ticket, spent = spend(opened.ticket, token, RESET, opened.security.stamps, now)
        kept = new_password(spent, customer.realm, new, self.chooser.policy, record)
        change = Change(
            writes=(
                TICKETS.change(opened.ticket, ticket),
                PASSWORDS.change(record, kept) if record else PASSWORDS.add(kept),
                SECURITY.change(opened.security, opened.security.bump(Stamp.PASSWORD)),
            ),
            events=self.desk.tell(PasswordSet(at=now, account=customer.id), PasswordReset(at=now, account=customer.id)),
        )
        told = await self.notices.about(customer, "passwords.was_reset", f"was_reset {ticket.selector}", now)
        answered = await self.answering.passed(opened.found[QUESTIONS])
        await self.desk.record(change | self._released(customer, now) | answered | told)
        recent = recent_additions(customer, opened.found[DEVICES], now, besides=ticket.bound)
        return PasswordWasReset(masked=mask(opened.email), recent=recent)

    def _released(self, customer: Customer, now: datetime) -> Change:
        """Answer the part that lifts the owner's own hold; where there is none, that the account stays as it is."""
        if not is_held(customer):
            return Change(guards=(CUSTOMERS.unchanged(customer),))
        told = self.desk.tell(CustomerReinstated(at=now, account=customer.id))
        return Change(writes=(CUSTOMERS.change(customer, released(customer)),), events=told)

    # Afterwards

    async def _drop(self, here: Present, ids: frozenset[str]) -> NextValue:
        customer, known, now = Account.of(here).customer, here[DEVICES], self.desk.now()
        after, left = without_recent(customer, known, ids, now)
        moved = (Stamp.ACCOUNT, Stamp.CONTACTS) if after != customer else (Stamp.ACCOUNT,)
        next_value, part = self.doorkeeper.hand_on(here, here.security.bump(*moved), now)
        gone = [contact.id for contact in customer.contacts if contact.id in ids]
        told = self.desk.tell(
            *(ContactRemoved(at=now, account=customer.id, contact=id) for id in gone),
            *(DeviceRevoked(at=now, account=customer.id, device=id) for id in sorted(ids - set(gone))),
        )
        part |= Change(
            writes=(
                *((CUSTOMERS.change(customer, after),) if gone else ()),
                *((DEVICES.change(known, left),) if known and left and left != known else ()),
            ),
            guards=() if gone else (CUSTOMERS.unchanged(customer),),
            events=told,
        )
        key = f"recent_dropped {here.session}"
        notice = await self.notices.about(after, "recovery.recent_dropped", key, now, where=here.where)
        await self.desk.record(part | notice)
        return next_value
