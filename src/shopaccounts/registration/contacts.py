"""What customers do with their contacts: look at them, add one and prove it, say what it is for, remove it."""

from typing import Final, TypeVar

import attrs

from shopaccounts.customers import (
    CUSTOMERS,
    MAX_CONTACTS,
    ContactInUse,
    ContactLimit,
    ContactPoint,
    ContactRole,
    Customer,
    NotFound,
    Notices,
    VerificationMethod,
    is_stale,
    is_verified,
)
from shopaccounts.customers.events import ContactAdded as ContactAddedEvent
from shopaccounts.customers.events import ContactRemoved as ContactRemovedEvent
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.contact import Contact, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import check_secret, peek, read_selector
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.registration.adding import ADDITIONS, PROVE_ADDED, Addition, check_live, with_added
from shopaccounts.registration.addressing import Addresses
from shopaccounts.registration.asking import Additions
from shopaccounts.registration.changing import check_removable, check_told, told_kind
from shopaccounts.registration.claiming import Claims
from shopaccounts.registration.coding import judged
from shopaccounts.registration.contact_answers import (
    AdditionOffer,
    AdditionStarted,
    ContactAdded,
    ContactRemoved,
    ContactSummary,
)
from shopaccounts.registration.errors import (
    ChangeNotPossible,
    CodeWrong,
    ContactBelongsElsewhere,
    ContactLinkInvalid,
)
from shopaccounts.registration.events import ContactVerified
from shopaccounts.registration.holders import Account, Holders
from shopaccounts.registration.model import HolderUnknown, Wanted
from shopaccounts.registration.moving import Moves
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.ports import ContactUses
from shopaccounts.registration.shared_numbers import SharedNumbers

__all__ = ["Contacts"]

T = TypeVar("T")
_BRING: Final = (SECURITY.via("account"),)
_CHOSEN: Final = frozenset({ContactRole.NOTIFY, ContactRole.RECOVERY, ContactRole.BILLING})
"""What customers may say that a contact is for; by what they sign in is changed in another way."""


@attrs.frozen(kw_only=True)
class Contacts:
    """The contacts of an account."""

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    claims: Claims
    holders: Holders
    moves: Moves
    additions: Additions
    shared: SharedNumbers
    notices: Notices
    budget: SendBudget
    addresses: Addresses
    keyring: Keyring
    uses: ContactUses | None
    policy: RegistrationPolicy
    transport: TransportPolicy

    async def list_contacts(self, value: Secret[str], context: RequestContext) -> tuple[ContactSummary, ...]:
        """Answer the contacts of the account, masked.

        Raises:
            SignInRequired: The value opens nothing.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        return tuple(_summary(contact) for contact in Account.of(here).customer.contacts)

    async def add_contact(
        self, value: Secret[str], identifier: str, context: RequestContext, *, by_call: bool = False
    ) -> AdditionStarted:
        """Ask for a further address or number of the account; the answer is the same whatever the shop knows of it.

        Args:
            value: The session value.
            identifier: The address or number as typed.
            context: Where the request came from.
            by_call: Call the number and say the code, instead of sending a text message.

        Returns:
            What names it when the code from the message is typed.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput, DomainNotAccepted: It can't be the address.
            PhoneInvalid, PhoneNotServed, CountryNotServed: It can't be the number.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The proofs are too weak or too old.
            ChangeNotPossible: It is a proven contact of the account already.
            ContactLimit: The account has as many contacts as one may have.
            Throttled: Too many messages.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wanted = await self.addresses.read_contact(identifier, by_call=by_call)
        self._check_addable(Account.of(await self._present(value, context)).customer, wanted.value)
        await self.budget.charge(wanted.value, context.network, self.desk.now())

        async def decide() -> AdditionStarted:
            return await self._add(await self._present(value, context), wanted)

        return await self.desk.retrying(decide)

    async def prove_added_contact(
        self, value: Secret[str], addition: str, code: str, context: RequestContext
    ) -> ContactAdded | HolderUnknown:
        """Prove a further address with the code from its message.

        Args:
            value: The session value: of the session that asked, or one that was signed in to a short while ago.
            addition: As ``add_contact`` answered it.
            code: As typed; spaces, hyphens and letter case don't matter.
            context: Where the request came from.

        Returns:
            ``HolderUnknown`` from a session that neither asked nor is fresh: nothing changed.

        Raises:
            CodeWrong: That isn't the code; some tries are left.
            CodeExhausted: No tries are left.
            NotFound: The account waits for no such proof.
            ContactLinkUsed, ContactLinkExpired, ContactLinkStale: It was proven, or its time is over.
            ChangeNotPossible: It is a proven contact of the account already.
            ContactBelongsElsewhere: Another account signs in by the address.
            SignInRequired: The value opens nothing.
        """
        typed, id = require_text(code, "code", printable=False), require_text(addition, "label")

        async def decide() -> ContactAdded | HolderUnknown:
            here = await self.doorkeeper.present(value, context, Operation.MANAGE)
            found = await got(self.records.find(ADDITIONS, id))
            if found is None or found.it.account != here.account:
                raise NotFound
            holder = await self.holders.holder_of(here.account, found.it.session, value, context)
            return await self._judge(found.it, holder, typed) if holder else HolderUnknown()

        return await self.desk.retrying(decide, self.policy.code_tries + 2, on_taken=True)

    async def peek_added_contact(self, token: Secret[str], context: RequestContext) -> AdditionOffer:
        """Answer what the landing page of the link shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        addition = await self._by_link(token)
        return AdditionOffer(masked=mask(addition.value), expires_at=addition.link.expires_at)

    async def confirm_added_contact(
        self, token: Secret[str], value: Secret[str] | None, context: RequestContext
    ) -> ContactAdded | HolderUnknown:
        """Prove a further address with the link from its message.

        Args:
            token: From the link.
            value: The session value: of the session that asked, or one that was signed in to a short while ago.
            context: Where the request came from.

        Returns:
            ``HolderUnknown`` without such a session: nothing changed, and the link stays good.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            ChangeNotPossible: It is a proven contact of the account already.
            ContactBelongsElsewhere: Another account signs in by the address.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        check_secret(value)

        async def decide() -> ContactAdded | HolderUnknown:
            addition = await self._by_link(token)
            holder = await self.holders.holder_of(addition.account, addition.session, value, context)
            return await self._prove(addition, addition, holder, VerificationMethod.LINK) if holder else HolderUnknown()

        return await self.desk.retrying(decide)

    async def use_contact(
        self, value: Secret[str], contact: str, role: ContactRole, context: RequestContext, *, use: bool = True
    ) -> None:
        """Say what a proven contact is for: notices, recovery, bills.

        Args:
            value: The session value.
            contact: Its id.
            role: ``NOTIFY``, ``RECOVERY`` or ``BILLING``.
            context: Where the request came from.
            use: False takes the role away.

        Raises:
            NotFound: The account has no such contact.
            ChangeNotPossible: It isn't proven, or the role is none that one can say.
            LastNoticeContact: No other address would hear of what happens.
            SignInRequired, FreshSignInNeeded: The session is not good enough.
        """
        id = require_text(contact, "label")

        async def decide() -> None:
            account = Account.of(await self._present(value, context))
            changed = _in_use(_contact_of(account.customer, id), role, use=use)
            await self._use(account, changed)

        await self.desk.retrying(decide)

    async def sign_in_by_contact(self, value: Secret[str], contact: str, context: RequestContext) -> NextValue:
        """Sign in by a proven contact as well, of a kind that one doesn't sign in by yet; other sessions end.

        Args:
            value: The session value.
            contact: Its id.
            context: Where the request came from.

        Raises:
            NotFound: The account has no such contact.
            ChangeNotPossible: It isn't proven, or one signs in by another of its kind, which can be changed.
            ContactBelongsElsewhere: Another account signs in by it.
            OnHold: The sign-in contact was changed a short while ago.
            SignInRequired, FreshSignInNeeded: The session is not good enough.
        """
        id = require_text(contact, "label")

        async def decide() -> NextValue:
            here = await self._present(value, context)
            found = _contact_of(Account.of(here).customer, id)
            next_value, part = await self.moves.made_sign_in(here, found)
            await self.desk.record(part)
            return next_value

        return await self.desk.retrying(decide, on_taken=True)

    async def remove_contact(self, value: Secret[str], contact: str, context: RequestContext) -> ContactRemoved:
        """Remove a contact; it hears of what happens for a while, and can come back. Other sessions end.

        A second step whose codes go there goes with it, and has to be added anew.

        Args:
            value: The session value.
            contact: Its id.
            context: Where the request came from.

        Raises:
            NotFound: The account has no such contact.
            LastLoginContact, LastNoticeContact: The account can't do without it.
            ContactInUse: Something writes there.
            LastWayIn: Nothing else would open the account.
            FactorProtectsShortPassword: The last second step beyond e-mail uses it, and the password is too short to
                open the account alone.
            SignInRequired, FreshSignInNeeded: The session is not good enough.
        """
        id = require_text(contact, "label")

        async def decide() -> ContactRemoved:
            here = await self._present(value, context)
            found = _contact_of(Account.of(here).customer, id)
            check_removable(Account.of(here).customer, found)
            used_by = await got(self.uses.uses(here.account, found.id)) if self.uses else ()
            if used_by:
                raise ContactInUse(tuple(used_by))
            return await self._remove(here, found)

        return await self.desk.retrying(decide)

    # Adding

    async def _present(self, value: Secret[str], context: RequestContext) -> Present:
        return await self.doorkeeper.present(value, context, Operation.CHANGE_CONTACTS)

    async def _add(self, here: Present, wanted: Wanted) -> AdditionStarted:
        account = Account.of(here)
        self._check_addable(account.customer, wanted.value)
        addition, part = await self.additions.asked(account, here.session, wanted)
        await self.desk.record(part)
        return AdditionStarted(
            addition=addition.id,
            channel=wanted.channel,
            masked=mask(wanted.value),
            resend_after=self.budget.resend_after,
            expires_at=addition.challenge.code_expires_at,
        )

    def _check_addable(self, customer: Customer, value: Contact) -> None:
        """Refuse what is there already; a number that was long unused is proven anew."""
        known = customer.contact_with(value.kind, value.key)
        if known is not None and is_verified(known):
            if not is_stale(known, self.addresses.phones.policy.stale_after, self.desk.now()):
                raise ChangeNotPossible(state="proven")
        elif known is None and len(customer.contacts) >= MAX_CONTACTS:
            raise ContactLimit(MAX_CONTACTS)

    # Proving

    async def _by_link(self, token: Secret[str]) -> Addition:
        found = await got(self.records.find(ADDITIONS, read_selector(token, PROVE_ADDED), bring=_BRING))
        security = found[SECURITY] if found else None
        peek(
            found.it.link if found else None,
            token,
            PROVE_ADDED,
            security.stamps if security else Stamps(),
            self.desk.now(),
        )
        if found is None:
            raise ContactLinkInvalid
        return found.it

    async def _judge(self, addition: Addition, here: Present, typed: str) -> ContactAdded:
        check_live(addition, here.security.stamps, self.desk.now())
        key = await got(self.keyring.key(Ring.CODES, addition.challenge.key_id))
        answer = judged(addition.challenge, typed, key, self.desk.now())
        answered = attrs.evolve(addition, challenge=answer.challenge)
        if answer.verdict is Verdict.WRONG:
            await self.desk.record(Change(writes=(ADDITIONS.change(addition, answered),)))
            raise CodeWrong(answer.tries_left)
        return await self._prove(addition, answered, here, VerificationMethod.CODE)

    async def _prove(
        self, was: Addition, addition: Addition, here: Present, method: VerificationMethod
    ) -> ContactAdded:
        account, now = Account.of(here), self.desk.now()
        check_live(addition, here.security.stamps, now)
        self._check_addable(account.customer, addition.value)
        if (await self.claims.holding(addition.value, here.account, now)).owner is not None:
            raise ContactBelongsElsewhere(addition.value.kind.value)
        after = with_added(account.customer, addition, method, now)
        proven = _contact_with(after, addition.value)
        spent = attrs.evolve(addition, link=attrs.evolve(addition.link, spent_at=now))
        told = self.desk.tell(
            ContactVerified(at=now, account=here.account, contact=proven.id, method=method.value),
            ContactAddedEvent(at=now, account=here.account, contact=proven.id),
        )
        notice = await self.notices.about(
            account.customer,
            "registration.contact_added",
            f"contact_added {addition.id}",
            now,
            also=(addition.value,),
            where=here.where,
            variables=told_kind(addition.value.kind),
        )
        part = Change(
            writes=(CUSTOMERS.change(account.customer, after), ADDITIONS.change(was, spent)),
            guards=(SECURITY.unchanged(here.security),),
            events=told,
        )
        part |= await self.shared.noted(here.account, addition.value)
        await self.desk.record(part | notice)
        return ContactAdded(contact=proven.id, masked=mask(addition.value))

    # Using and removing

    async def _use(self, account: Account, changed: ContactPoint) -> None:
        customer, now = account.customer, self.desk.now()
        after = customer.with_contact(changed)
        if after == customer:
            return
        check_told(customer, after)
        key = f"contact_used {changed.id} {customer.version}"
        notice = await self.notices.about(
            customer,
            "registration.contact_used",
            key,
            now,
            where=account.where,
            variables=told_kind(changed.kind),
        )
        written = Change(writes=(CUSTOMERS.change(customer, after),), guards=(SECURITY.unchanged(account.security),))
        await self.desk.record(written | notice)

    async def _remove(self, here: Present, contact: ContactPoint) -> ContactRemoved:
        change, next_value, part = await self.moves.removed(here, contact)
        told = ContactRemovedEvent(at=self.desk.now(), account=here.account, contact=contact.id)
        await self.desk.record(part | Change(events=self.desk.tell(told)))
        return ContactRemoved(masked=mask(contact.value), until=change.until, next_value=next_value)


def _contact_of(customer: Customer, id: str) -> ContactPoint:
    """Answer the customer's contact with this id.

    Raises:
        NotFound: The customer has none.
    """
    contact = next((c for c in customer.contacts if c.id == require_text(id, "label")), None)
    if contact is None:
        raise NotFound
    return contact


def _contact_with(customer: Customer, value: Contact) -> ContactPoint:
    contact = customer.contact_with(value.kind, value.key)
    if contact is None:
        raise NotFound
    return contact


def _in_use(contact: ContactPoint, role: ContactRole, *, use: bool) -> ContactPoint:
    if role not in _CHOSEN:
        raise ChangeNotPossible(state=role.value)
    if not is_verified(contact):
        raise ChangeNotPossible(state="unproven")
    return attrs.evolve(contact, roles=contact.roles | {role} if use else contact.roles - {role})


def _summary(contact: ContactPoint) -> ContactSummary:
    return ContactSummary(
        id=contact.id,
        kind=contact.kind.value,
        masked=mask(contact.value),
        roles=tuple(sorted(role.value for role in contact.roles)),
        verified=is_verified(contact),
        reach=contact.reach.value,
    )
