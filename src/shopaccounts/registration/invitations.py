"""What people do with invitations: send one, look at it, take it up, decline it, take it back."""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, VerificationMethod, customer_of, is_verified
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Operation, Proof, ProofKind
from shopaccounts.kernel.contact import EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Write
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import read_selector
from shopaccounts.passwords import Chosen, prepare
from shopaccounts.registration.activating import BY_INVITATION
from shopaccounts.registration.arriving import arrival
from shopaccounts.registration.deciding import holder_of
from shopaccounts.registration.errors import InvitationUnknown, RegistrationNotOpen
from shopaccounts.registration.events import (
    InvitationAccepted,
    InvitationDeclined,
    InvitationExpired,
    InvitationRevoked,
    InvitationSent,
)
from shopaccounts.registration.inviting import (
    INVITATIONS,
    INVITE,
    Answer,
    Invitation,
    InvitationOffer,
    InvitationSummary,
    Invited,
    Invites,
    check_meant,
    ended,
    free_place,
    open_invitation,
    summary,
)
from shopaccounts.registration.model import Registered, RegistrationForm, WaitingPassword, Wish
from shopaccounts.registration.openings import Openings
from shopaccounts.registration.policy import OpenTo, RegistrationPolicy
from shopaccounts.signin import Attempts, Credentials, Gate, SignInRequired

__all__ = ["Invitations"]

_CROWD: Final = MAX_WINDOW + 1
_PAGE: Final = 100


@attrs.frozen(kw_only=True)
class Invitations:
    """Invitations of customers, and of the shop itself."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    openings: Openings
    invites: Invites
    attempts: Attempts
    budget: SendBudget
    gate: Gate
    policy: RegistrationPolicy
    transport: TransportPolicy

    async def invite(self, session: Secret[str], identifier: str, context: RequestContext) -> Invited:
        """Invite somebody; the answer is the same whether or not the address has an account.

        Inviting an address again takes back the customer's earlier invitation of it.

        Args:
            session: Who invites.
            identifier: The address of whoever is invited, as typed.
            context: Where the request came from.

        Raises:
            SignInRequired, FreshSignInNeeded: The session isn't good enough.
            RegistrationNotOpen: Nobody may open an account, so nobody is invited.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            DomainNotAccepted: The shop takes no addresses of this domain.
            Throttled: Too many open invitations, invitations of a day, or messages.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        address = await self.openings.addresses.read(identifier)
        read = [await self.doorkeeper.present(session, context, Operation.INVITE)]
        if self.policy.open_to is OpenTo.NOBODY:
            raise RegistrationNotOpen(self.policy.open_to.value)
        now = self.desk.now()
        await self.budget.take("invite", read[0].account, self.invites.policy.per_inviter, now)
        await self.budget.charge(address.email, context.network, now)

        async def decide() -> Invited:
            present = read.pop() if read else await self.doorkeeper.present(session, context, Operation.INVITE)
            return await self._invite(present, address.email)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def list_invitations(self, session: Secret[str], context: RequestContext) -> tuple[InvitationSummary, ...]:
        """Answer a customer's newest invitations and how they stand, newest first; not who accepted.

        Raises:
            SignInRequired: The session opens nothing.
            InsecureTransport: The request didn't come over TLS.
        """
        present = await self.doorkeeper.present(session, context, Operation.LOOK)
        listed = await got(self.records.rows(INVITATIONS, "inviter", present.account, None, _PAGE, newest_first=True))
        newest: tuple[Invitation, ...] = listed.items
        return tuple(summary(invitation, self.desk.now()) for invitation in newest)

    async def revoke_invitation(self, session: Secret[str], id: str, context: RequestContext) -> None:
        """Take back an invitation that waits for an answer; its link is dead.

        Raises:
            SignInRequired: The session opens nothing.
            InvitationUnknown: The customer has no such open invitation.
            InsecureTransport: The request didn't come over TLS.
        """
        require_text(id, "label")

        async def decide() -> None:
            present = await self.doorkeeper.present(session, context, Operation.MANAGE)
            found = await got(self.records.find(INVITATIONS, id))
            if found is None or found.it.inviter != present.account or not found.it.is_open:
                raise InvitationUnknown
            now = self.desk.now()
            told = InvitationRevoked(at=now, invitation=id, inviter=present.account)
            guards = (SECURITY.unchanged(present.security),)
            await self.desk.record(attrs.evolve(self._end(found.it, Answer.REVOKE, told, now), guards=guards))

        await self.desk.retrying(decide)

    async def peek_invitation(self, token: Secret[str], context: RequestContext) -> InvitationOffer:
        """Answer what the page of an invitation shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        invitation = await self._open(token)
        known = await self.openings.holder(invitation.email, self.desk.now())
        return InvitationOffer(
            masked=mask(invitation.email),
            has_account=holder_of(known).is_owner,
            expires_at=invitation.link.expires_at,
        )

    async def accept_invitation(
        self, token: Secret[str], form: RegistrationForm, context: RequestContext
    ) -> Registered:
        """Open an account with the invited address; the link has proven it, so the account lives at once.

        What an unproven attempt had brought to the address is removed first.

        Args:
            token: From the link.
            form: What the person filled in; its address is the invited one.
            context: Where the request came from.

        Raises:
            InvitationForAnotherContact: The form has another address.
            SignInRequired: The address has an account; accept with that.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted, FormRejected, TermsNotAccepted, TermsOutdated,
                PasswordUnacceptable: As at ``register``; the link stays good.
            TryLater: The hasher is not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wish = await self.openings.wish(form)
        typed = None if form.password is None else prepare(form.password).text
        check_meant(await self._open(token), {wish.value.key})
        chosen = None
        if typed is not None:
            chosen = await self.openings.passwords.choose(typed, wish.value, wish.details.fields)
        hashes: dict[AccountId, WaitingPassword] = {}

        async def decide() -> Registered:
            return await self._accept(token, wish, chosen, hashes, context)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def accept_with_account(self, token: Secret[str], session: Secret[str], context: RequestContext) -> None:
        """Take up an invitation with an account that has proven the invited address.

        Args:
            token: From the link.
            session: Who accepts.
            context: Where the request came from.

        Raises:
            SignInRequired: The session opens nothing.
            InvitationForAnotherContact: The account hasn't proven the invited address.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_selector(token, INVITE)

        async def decide() -> None:
            present = await self.doorkeeper.present(session, context, Operation.MANAGE)
            invitation, customer, now = await self._open(token), customer_of(present), self.desk.now()
            check_meant(invitation, {contact.key for contact in customer.contacts if is_verified(contact)})
            change = self._taken_up(invitation, customer.id, now)
            guards = (CUSTOMERS.unchanged(customer), SECURITY.unchanged(present.security))
            await self.desk.record(attrs.evolve(change, guards=guards))

        await self.desk.retrying(decide)

    async def decline_invitation(self, token: Secret[str], context: RequestContext) -> None:
        """Say no to an invitation.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> None:
            invitation, now = await self._open(token), self.desk.now()
            told = InvitationDeclined(at=now, invitation=invitation.id, inviter=invitation.inviter)
            await self.desk.record(self._end(invitation, Answer.DECLINE, told, now))

        await self.desk.retrying(decide)

    async def expire_invitations(self, limit: int, worker: WorkerId) -> int:
        """End up to *limit* invitations whose time is over; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, INVITATIONS, self._expired, limit, worker)

    # Inviting

    async def _invite(self, present: Present, email: EmailAddress) -> Invited:
        now = self.desk.now()
        known = await self.openings.holder(email, now)
        contact = await self.invites.contact(email)
        waiting = await self.invites.waiting(present.account, contact)
        again = [invitation for invitation in waiting if invitation.contact == contact]
        others = [invitation for invitation in waiting if invitation.contact != contact]
        place = free_place(others, self.invites.policy, now)
        invitation, text = self.invites.make(email, contact, present.account, place, now, self.desk.scope.locale)
        sent = Change(
            writes=(INVITATIONS.add(invitation), *_revoked(again, now)),
            guards=(SECURITY.unchanged(present.security),),
            events=self.desk.tell(InvitationSent(at=now, invitation=invitation.id, inviter=present.account)),
            messages=(await self.invites.letter(invitation, text, known, "registration.invitation"),),
        )
        await self.desk.record(sent)
        return Invited(id=invitation.id, masked=mask(email), expires_at=invitation.link.expires_at)

    # Answering

    async def _open(self, token: Secret[str]) -> Invitation:
        found = await got(self.records.find(INVITATIONS, read_selector(token, INVITE)))
        return open_invitation(found.it if found else None, token, self.desk.now())

    async def _accept(
        self,
        token: Secret[str],
        wish: Wish,
        chosen: Chosen | None,
        hashes: dict[AccountId, WaitingPassword],
        context: RequestContext,
    ) -> Registered:
        """Record that an invitation was taken up; it is read last, so who comes second is told that it was used."""
        now = self.desk.now()
        known = await self.openings.holder(wish.value, now)
        invitation = await self._open(token)
        if holder_of(known).is_owner:
            raise SignInRequired
        id = known.id if known else wish.account
        if chosen and id not in hashes:
            hashes[id] = await self.openings.passwords.hash(chosen, id)
        account, arrived = arrival(
            self.desk, known, wish, VerificationMethod.LINK, invitation.id, now,
            way=BY_INVITATION, password=hashes.get(id), security=await self.openings.security_of(known),
        )  # fmt: skip
        change = self._taken_up(invitation, id, now) | arrived
        return await self._enter(account, change, wish, context, has_password=chosen is not None)

    def _taken_up(self, invitation: Invitation, account: AccountId, now: datetime) -> Change:
        told = InvitationAccepted(at=now, invitation=invitation.id, inviter=invitation.inviter, account=account)
        return self._end(invitation, Answer.ACCEPT, told, now, account)

    def _expired(self, invitation: Invitation) -> Change:
        now = self.desk.now()
        told = InvitationExpired(at=now, invitation=invitation.id, inviter=invitation.inviter)
        return self._end(invitation, Answer.EXPIRE, told, now)

    def _end(
        self, invitation: Invitation, answer: Answer, told: Event, now: datetime, account: AccountId | None = None
    ) -> Change:
        over = ended(invitation, answer, now, account)
        return Change(writes=(INVITATIONS.change(invitation, over),), events=self.desk.tell(told))

    async def _enter(
        self, account: Customer, change: Change, wish: Wish, context: RequestContext, *, has_password: bool
    ) -> Registered:
        now = self.desk.now()
        proofs: tuple[Proof, ...] = (Proof(method=Method.EMAIL_LINK, kind=ProofKind.MAILBOX, at=now),)
        if has_password:
            proofs += (Proof(method=Method.PASSWORD, kind=ProofKind.KNOWLEDGE, at=now),)
        security = next(write.now for write in change.writes if write.book is SECURITY)
        network = await self.attempts.digest("network", context.network)
        given = Credentials(proofs=proofs)
        step, part = self.gate.let_in(account, security, given, context, now, network=network)
        await self.desk.record(change | part)
        return Registered(account=account.id, return_path=wish.return_path, step=step)


def _revoked(earlier: list[Invitation], now: datetime) -> tuple[Write, ...]:
    return tuple(INVITATIONS.change(one, ended(one, Answer.REVOKE, now)) for one in earlier)
