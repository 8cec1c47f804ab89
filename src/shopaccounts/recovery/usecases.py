"""What people do when they lost their password: ask for a link, look at it, choose a new one."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, ContactRole, Customer, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found, Sweep
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import TICKETS, Purpose, Refusals, Ticket, live_group, mint, peek, read_selector, spend
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.writing import compose
from shopaccounts.passwords import (
    PASSWORDS,
    Acceptable,
    Hasher,
    PasswordContext,
    PasswordPolicy,
    PersonalWords,
    Prepared,
    ShopWords,
    StoredHash,
    choose,
    describe,
    keep,
    prepare_to_verify,
)
from shopaccounts.passwords.events import PasswordSet
from shopaccounts.recovery.deciding import (
    ONCE_A_DAY,
    Reply,
    email_of,
    once_a_day,
    proven_contact,
    reply_to,
    signed_in_since,
)
from shopaccounts.recovery.errors import ResetLinkExpired, ResetLinkInvalid, ResetLinkStale, ResetLinkUsed
from shopaccounts.recovery.events import PasswordReset, ResetRequested
from shopaccounts.recovery.model import PasswordWasReset, ResetOffer, ResetSent
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.registration import ATTEMPTS, Verifications
from shopaccounts.signin import SESSIONS, Attempts

__all__ = ["Recovery"]

RESET: Final = Purpose(
    "password_reset",
    "rst",
    frozenset({Stamp.ACCOUNT, Stamp.PASSWORD, Stamp.CONTACTS}),
    Refusals(ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale),
)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_ASKED: Final = (SECURITY.via(), ATTEMPTS.newest("account"))
_SPENT_BY: Final = (
    CUSTOMERS.via("subject"),
    SECURITY.via("subject"),
    PASSWORDS.via("subject"),
    SESSIONS.newest("account", via="subject"),
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
    hasher: Hasher
    vault: Vault
    attempts: Attempts
    budget: SendBudget
    verifications: Verifications
    storefront: Storefront
    policy: ResetPolicy
    passwords: PasswordPolicy
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
        await self.budget.charge(email, context.network, self.desk.now())
        quiet = False

        async def decide() -> None:
            nonlocal quiet
            try:
                await self._send(email, quiet=quiet)
            except Taken as taken:
                quiet = taken.field == ONCE_A_DAY
                raise

        await self.desk.retrying(decide, on_taken=True)
        return ResetSent(channel=Channel.EMAIL, masked=mask(email), resend_after=self.budget.resend_after)

    async def peek_reset(self, token: Secret[str], context: RequestContext) -> ResetOffer:
        """Answer what the landing page of a reset link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
        """
        self.transport.check(context)
        opened = await self._open(token)
        guide = describe(self.passwords, PasswordContext().can_reach)
        return ResetOffer(masked=mask(opened.email), expires_at=opened.ticket.expires_at, guide=guide)

    async def reset_password(
        self, token: Secret[str], new_password: object, context: RequestContext
    ) -> PasswordWasReset:
        """Set a new password with a reset link; every session ends, and nobody is signed in by it.

        A password that won't do leaves the link good.

        Raises:
            PasswordUnacceptable: The password won't do, with every reason.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            TryLater: The hasher is not available.
        """
        self.transport.check(context)
        opened = await self._open(token)
        prepared, verdict = await self._choose(new_password, opened)
        stored = await got(self.hasher.hash(prepared, opened.customer.id))

        async def decide() -> PasswordWasReset:
            return await self._reset(token, stored, verdict)

        was_reset = await self.desk.retrying(decide)
        await self.attempts.succeeded(opened.customer.id)
        return was_reset

    # Asking

    async def _send(self, email: EmailAddress, *, quiet: bool) -> None:
        now = self.desk.now()
        key = login_key(ContactKind.EMAIL, email.login_key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=_ASKED))
        reply = Reply.NOTHING if quiet else reply_to(found.it if found else None, email)
        await self.desk.record(await self._answer(found, reply, email, now))

    async def _answer(self, found: Found[Customer] | None, reply: Reply, email: EmailAddress, now: datetime) -> Change:
        if found is None or reply is Reply.NOTHING:
            return Change(messages=(await self._message(Reply.RESET, email, now, customer=None, deliver=False),))
        customer = found.it
        if reply is Reply.VERIFICATION:
            return await self.verifications.prepare_reminder(customer, email, found[ATTEMPTS])
        if reply is Reply.RESET:
            return await self._reset_link(customer, found[SECURITY], email, now)
        message = await self._message(reply, email, now, customer=customer)
        return Change(
            guards=(CUSTOMERS.unchanged(customer),), messages=(message,), once=(once_a_day(customer.id, now),)
        )

    async def _reset_link(
        self, customer: Customer, security: AccountSecurity | None, email: EmailAddress, now: datetime
    ) -> Change:
        ticket, text = mint(
            RESET,
            realm=self.desk.scope.realm,
            subject=customer.id,
            bound=email.login_key,
            stamps=security.stamps if security else Stamps(),
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )
        message = await self._message(Reply.RESET, email, now, customer=customer, link=text, key=ticket.selector)
        return Change(
            writes=(TICKETS.add(ticket),),
            guards=(CUSTOMERS.unchanged(customer),),
            sweeps=(Sweep(book=TICKETS, group="live", value=live_group(customer.id, RESET.name)),),
            messages=(message,),
            events=self.desk.tell(ResetRequested(at=now, account=customer.id)),
        )

    async def _message(
        self,
        reply: Reply,
        email: EmailAddress,
        now: datetime,
        *,
        customer: Customer | None,
        link: Secret[str] | None = None,
        key: str | None = None,
        deliver: bool = True,
    ) -> Message:
        contact = proven_contact(customer, email) if customer else None
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else email
        secrets = {"link": self.storefront.link(self.desk.scope.store, RESET.name, link)} if link else {}
        hours = str(self.policy.link_life // _HOUR)
        return await compose(
            self.desk,
            self.vault,
            template=reply.value,
            channel=Channel.EMAIL,
            to=to.stored,
            locale=(customer.locale if customer else None) or self.desk.scope.locale,
            variables=self.storefront.variables(hours=hours) if reply is Reply.RESET else self.storefront.variables(),
            secrets=secrets,
            subject=customer.id if customer else "",
            key=f"reset {key or self.desk.entropy.token(128)}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=now + self.policy.link_life,
            deliver=deliver,
        )

    # Using the link

    async def _open(self, token: Secret[str]) -> _Opened:
        """Answer the ticket and its account, if the link may still be used.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector = read_selector(token, RESET)
        found = await got(self.records.find(TICKETS, selector, bring=_SPENT_BY))
        customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
        stamps = security.stamps if security else Stamps()
        ticket = peek(found.it if found else None, token, RESET, stamps, self.desk.now())
        if found is None or customer is None or security is None:
            raise ResetLinkInvalid
        email = email_of(customer, ticket.bound)
        if email is None or reply_to(customer, email) is not Reply.RESET or signed_in_since(ticket, found[SESSIONS]):
            raise ResetLinkStale(ticket.purpose)
        return _Opened(ticket=ticket, customer=customer, security=security, email=email, found=found)

    async def _choose(self, raw: object, opened: _Opened) -> tuple[Prepared, Acceptable]:
        record, candidate = opened.found[PASSWORDS], prepare_to_verify(raw)
        match = await got(self.hasher.verify(record.stored, candidate, record.id)) if record else None
        emails = tuple(c.value.login_key for c in opened.customer.contacts if isinstance(c.value, EmailAddress))
        about = PasswordContext(
            shop=ShopWords(names=(self.storefront.name,), domains=self.storefront.domains),
            person=PersonalWords(emails=emails),
            is_current=match is not None and match.ok,
        )
        return choose(raw, about, self.passwords)

    async def _reset(self, token: Secret[str], stored: StoredHash, verdict: Acceptable) -> PasswordWasReset:
        opened, now = await self._open(token), self.desk.now()
        customer, record = opened.customer, opened.found[PASSWORDS]
        spent, _ = spend(opened.ticket, token, RESET, opened.security.stamps, now)
        kept = keep(customer.id, customer.realm, stored, verdict, now)
        change = Change(
            writes=(
                TICKETS.change(opened.ticket, spent),
                PASSWORDS.change(record, kept) if record else PASSWORDS.add(kept),
                SECURITY.change(opened.security, opened.security.bump(Stamp.PASSWORD)),
            ),
            guards=(CUSTOMERS.unchanged(customer),),
            messages=await self._notices(customer, spent, now),
            events=self.desk.tell(PasswordSet(at=now, account=customer.id), PasswordReset(at=now, account=customer.id)),
        )
        await self.desk.record(change)
        return PasswordWasReset(masked=mask(opened.email))

    async def _notices(self, customer: Customer, spent: Ticket, now: datetime) -> tuple[Message, ...]:
        """Tell every proven address of the customer."""
        addresses = [
            c.value.stored for c in customer.contacts_for(ContactRole.NOTIFY) if isinstance(c.value, EmailAddress)
        ]
        return tuple([await self._notice(customer, to, spent, number, now) for number, to in enumerate(addresses)])

    async def _notice(self, customer: Customer, to: str, spent: Ticket, number: int, now: datetime) -> Message:
        return await compose(
            self.desk,
            self.vault,
            template="passwords.was_reset",
            channel=Channel.EMAIL,
            to=to,
            locale=customer.locale or self.desk.scope.locale,
            variables=self.storefront.variables(at=now.isoformat(timespec="minutes")),
            secrets={},
            subject=customer.id,
            key=f"was_reset {spent.selector} {number}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=now + _DAY,
        )
