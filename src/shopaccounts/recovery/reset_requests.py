"""Having a reset sent: to whom, by which way, and what everybody is told all the same.

* By e-mail a link goes out, by text message or call a code. Either goes to what the owner proved, as it is stored.
* What leads nowhere is answered alike, with as much work, and nothing goes out.
* A number that is the account's only second factor, that was long unused, or that somebody else has proven as well,
  opens nothing by itself: the link is mailed instead.

[OWASP Forgot Password Cheat Sheet; NIST SP 800-63B-4 4.2.2.2]
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, NotFound, StatusForbids, as_of, is_stale, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact, ContactKind, EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.flows import bind
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.tickets import TICKETS, Ticket, mint
from shopaccounts.passwords import PASSWORDS
from shopaccounts.recovery.deciding import (
    RESET,
    RESET_CODE,
    Reply,
    is_only_factor,
    proven_contact,
    reply_to,
    told_lately,
)
from shopaccounts.recovery.events import ResetAskedInVain, ResetRequested
from shopaccounts.recovery.model import STOP_NOTICES, ResetSent, StopNotice
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.registration import ATTEMPTS, Readied, SharedNumbers, Verifications, contact_in_force
from shopaccounts.signin import AUTHENTICATORS, Asking, Attempts, Owner, SentCodes, device_label

__all__ = ["ResetRequests"]

_HOUR: Final = timedelta(hours=1)
_ASKED: Final = (
    SECURITY.via(),
    PASSWORDS.via(),
    AUTHENTICATORS.via(),
    STOP_NOTICES.via(),
    ATTEMPTS.newest("account"),
)


@attrs.frozen(kw_only=True)
class _Answered:
    """What somebody who asked by phone brings about: whose code it is, what goes out in its place, what is stored."""

    owner: Owner | None = None
    instead: Callable[[], Awaitable[Change]] | None = None
    part: Change = attrs.field(factory=Change)


@attrs.frozen(kw_only=True)
class ResetRequests:
    """Decides what goes out to whoever asks for a new password.

    Args:
        codes: Sends codes that live as long as the policy of resets has it.
    """

    desk: Desk
    records: Records
    attempts: Attempts
    verifications: Verifications
    letters: Letters
    codes: SentCodes
    phones: Phones
    shared: SharedNumbers
    policy: ResetPolicy

    async def by_mail(self, email: EmailAddress) -> None:
        """Record what is answered by e-mail: one message in every case, sent or not, one ticket and one event."""
        now = self.desk.now()
        known, readied, told = await self._known(email, now)
        decoy, _ = self._ticket("", "", Stamps(), now)
        in_vain = Change(writes=(TICKETS.add(decoy),)) | told
        await self.desk.record(await self._answer(known, email, readied, in_vain, now))

    async def by_phone(self, number: Contact, channel: Channel, context: RequestContext) -> ResetSent:
        """Record what is answered by text message or call, and answer the handle of the code."""
        now = self.desk.now()
        known, readied, in_vain = await self._known(number, now)
        shared = await self.shared.holders(number)
        answered = await self._answer_by_phone(known, number, shared, readied, in_vain, now)
        asking = Asking(
            use=RESET_CODE,
            typed=number,
            channel=channel,
            owner=answered.owner,
            binding=bind(context, self.desk.entropy),
            where=Where(device=device_label(context.user_agent)),
        )
        sent, sending = await self.codes.send(asking, now, answered.instead)
        await self.desk.record(answered.part | sending)
        return ResetSent(
            channel=channel,
            masked=sent.masked,
            resend_after=sent.resend_after,
            handle=sent.handle,
            set_cookies=sent.set_cookies,
        )

    async def resettable(self, account: str) -> tuple[Found[Customer], EmailAddress]:
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

    async def link(self, known: Found[Customer], email: EmailAddress, now: datetime) -> Change:
        """Answer the part of a change that mails a reset link."""
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

    async def _known(self, contact: Contact, now: datetime) -> tuple[Found[Customer] | None, Readied, Change]:
        """Answer who signs in by a contact, what a verification needs, and what is told where there is no reset."""
        key = login_key(contact.kind, contact.key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_ASKED))
        readied = await self.verifications.ready(contact)
        known = attrs.evolve(found, it=as_of(found.it, now)) if found else None
        told: Event = ResetAskedInVain(at=now, tried=await self.attempts.digest("tried", key))
        return known, readied, Change(events=self.desk.tell(told))

    # By e-mail

    async def _answer(
        self, known: Found[Customer] | None, email: EmailAddress, readied: Readied, in_vain: Change, now: datetime
    ) -> Change:
        reply = reply_to(known.it if known else None, email)
        if known is None or reply is Reply.NOTHING or (reply is Reply.RESET and not self._may_reset(known)):
            return in_vain | await self._decoy(email, now)
        if reply is Reply.VERIFICATION:
            return in_vain | await self.verifications.prepare_reminder(readied, known.it, email, known[ATTEMPTS])
        if reply is Reply.RESET:
            return await self.link(known, email, now)
        if reply is Reply.SUSPENDED:
            if told_lately(known[STOP_NOTICES], now):
                return in_vain | await self._decoy(email, now)
            return in_vain | await self._word_of_suspension(known, email, now)
        return in_vain | await self._word(reply, known.it, email, now)

    async def _decoy(self, email: EmailAddress, now: datetime) -> Change:
        ticket, text = self._ticket("", "", Stamps(), now)
        secrets = {"link": self.letters.link(RESET.name, text)}
        letter = await self._letter(Reply.RESET, None, email, secrets, f"reset {ticket.selector}", now)
        return Change(messages=(letter,))

    # By phone

    async def _answer_by_phone(
        self,
        known: Found[Customer] | None,
        number: Contact,
        shared: Collection[AccountId],
        readied: Readied,
        in_vain: Change,
        now: datetime,
    ) -> _Answered:
        reply = reply_to(known.it if known else None, number)
        if known is None or reply is Reply.NOTHING or (reply is Reply.RESET and not self._may_reset(known)):
            return _Answered(part=in_vain)
        if reply is Reply.RESET:
            return await self._code_for(known, number, shared, now)
        if reply is Reply.VERIFICATION:
            remind = partial(self.verifications.prepare_reminder, readied, known.it, number, known[ATTEMPTS])
            return _Answered(instead=remind, part=in_vain)
        if reply is Reply.CLOSING:
            return _Answered(instead=partial(self._word, reply, known.it, number, now), part=in_vain)
        was_told = told_lately(known[STOP_NOTICES], now)
        tell = partial(self._word_of_suspension, known, number, now)
        return _Answered(instead=None if was_told else tell, part=in_vain)

    async def _code_for(
        self, known: Found[Customer], number: Contact, shared: Collection[AccountId], now: datetime
    ) -> _Answered:
        """Answer the owner of a code; the link is mailed where the number opens nothing by itself."""
        customer, contact, security = known.it, proven_contact(known.it, number), known[SECURITY]
        if contact is None or security is None:
            return _Answered()
        is_old = is_stale(contact, self.phones.policy.stale_after, now)
        if is_old or is_only_factor(known[AUTHENTICATORS], contact) or any(one != customer.id for one in shared):
            email = customer.sign_in_email
            return _Answered(instead=partial(self.link, known, email, now)) if email else _Answered()
        told = self.desk.tell(ResetRequested(at=now, account=customer.id))
        return _Answered(
            owner=Owner(customer=customer, contact=contact.id, value=contact.value, stamps=security.stamps),
            part=Change(guards=(CUSTOMERS.unchanged(customer),), events=told),
        )

    # What both have in common

    def _may_reset(self, known: Found[Any]) -> bool:
        return known[PASSWORDS] is not None or self.policy.creates_first_password

    async def _word(self, reply: Reply, customer: Customer, to: Contact, now: datetime) -> Change:
        letter = await self._letter(reply, customer, to, {}, f"reset {self.desk.entropy.token(128)}", now)
        return Change(guards=(CUSTOMERS.unchanged(customer),), messages=(letter,))

    async def _word_of_suspension(self, known: Found[Customer], to: Contact, now: datetime) -> Change:
        """Answer the part that tells an owner that the account is stopped."""
        customer, earlier = known.it, known[STOP_NOTICES]
        told = StopNotice(id=customer.id, realm=customer.realm, told_at=now)
        write = STOP_NOTICES.change(earlier, told) if earlier else STOP_NOTICES.add(told)
        return Change(writes=(write,)) | await self._word(Reply.SUSPENDED, customer, to, now)

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
        to: Contact,
        secrets: Mapping[str, Secret[str]],
        key: str,
        now: datetime,
    ) -> Message:
        """Write to the contact that its owner proved; to nobody, where there is no customer."""
        contact = proven_contact(customer, to) if customer else None
        hours = {"hours": str(self.policy.link_life // _HOUR)} if reply is Reply.RESET else {}
        return await self.letters.write(
            reply.value,
            contact.value if contact else to,
            key=key,
            until=now + self.policy.link_life,
            subject=customer.id if customer else "",
            locale=customer.locale if customer else None,
            variables=hours,
            secrets=secrets,
            deliver=customer is not None,
        )
