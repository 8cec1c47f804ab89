"""What the shop does for the contacts of its customers: note what arrives, ask, and keep their keys up to date."""

from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.customers import (
    CUSTOMERS,
    ContactPoint,
    Customer,
    Delivery,
    NotFound,
    Reach,
    login_key,
    noted,
    rekeyed,
    with_old_keys,
)
from shopaccounts.customers.events import (
    ContactCheckFailed,
    ContactConfirmed,
    ContactKeyCollided,
    ContactUnreachable,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import KEY_VERSION, ContactKind, LineType
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found, PageResult
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import mint, peek, read_selector, spend
from shopaccounts.registration.checking import CHECK, CONTACT_CHECKS, CheckOffer, CheckState, ContactCheck
from shopaccounts.registration.errors import ChangeNotPossible, ContactLinkInvalid
from shopaccounts.registration.policy import ContactChangePolicy

__all__ = ["ContactCare"]

_LIFE: Final = timedelta(days=7)
"""How long a customer has to answer a check."""


@attrs.frozen(kw_only=True)
class ContactCare:
    """The care for contacts."""

    desk: Desk
    records: Records
    work: DueWork
    letters: Letters
    budget: SendBudget
    staff: Staff
    policy: ContactChangePolicy
    transport: TransportPolicy

    async def note_delivery(
        self,
        customer: str,
        contact: str,
        delivery: Delivery,
        detail: str | None = None,
        line: LineType | None = None,
    ) -> None:
        """Note how a delivery to a contact ended, as a courier or mail service told; a contact that is gone is nothing.

        Args:
            customer: The customer's id.
            contact: The contact's id.
            delivery: How it ended.
            detail: Why, as a short key such as ``mailbox_unknown``.
            line: What kind of line a number is, where the courier knows.
        """
        reason = None if detail is None else require_text(detail, "label")

        async def decide() -> None:
            found = await got(self.records.find(CUSTOMERS, customer))
            known = _contact_of(found.it, contact) if found else None
            if found is None or known is None:
                return
            after = noted(known, delivery, reason, self.desk.now(), line)
            if after != known:
                await self.desk.record(self._noted(found.it, known, after))

        await self.desk.retrying(decide)

    async def check_contact(self, customer: str, contact: str, reason: str, via: Channel = Channel.EMAIL) -> None:
        """Ask a contact whether messages arrive; for agents with the permission ``contacts.check``.

        Args:
            customer: The customer's id.
            contact: The contact's id.
            reason: Why, up to 500 characters.
            via: By which channel: e-mail to an address, a text message to a number.

        Raises:
            Forbidden: The agent may not.
            NotFound: No such customer or contact.
            ChangeNotPossible: It was asked and hasn't answered yet, or can't be asked by this channel.
            Throttled: It was asked too often.
        """
        await self.staff.require(Permission.CHECK_CONTACTS, reason)
        found, known = await self._asked(customer, contact)
        if via is not (Channel.SMS if known.kind is ContactKind.PHONE else Channel.EMAIL):
            raise ChangeNotPossible(state=via.value)
        if await got(self.records.find(CONTACT_CHECKS, known.id, by="open_contact_check")):
            raise ChangeNotPossible(state="open")
        await self.budget.take("contact_checks", known.id, self.policy.checks, self.desk.now())
        try:
            await self.desk.record(await self._question(found, known))
        except Taken:
            raise ChangeNotPossible(state="open") from None

    async def peek_contact_check(self, token: Secret[str], context: RequestContext) -> CheckOffer:
        """Answer what the landing page of a check shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        found = await self._check(token)
        return CheckOffer(expires_at=peek(found.it.link, token, CHECK, Stamps(), self.desk.now()).expires_at)

    async def answer_contact_check(self, token: Secret[str], context: RequestContext) -> None:
        """Say that the message arrived, with its link, without signing in; it proves and opens nothing.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> None:
            found, now = await self._check(token), self.desk.now()
            link, _ = spend(found.it.link, token, CHECK, Stamps(), now)
            answered = attrs.evolve(found.it, link=link, state=CheckState.CONFIRMED)
            told = ContactConfirmed(at=now, account=found.it.account, contact=found.it.contact)
            change = Change(writes=(CONTACT_CHECKS.change(found.it, answered),), events=self.desk.tell(told))
            customer = found[CUSTOMERS]
            known = _contact_of(customer, found.it.contact) if customer else None
            if customer is not None and known is not None:
                after = customer.with_contact(noted(known, Delivery.ARRIVED, None, now))
                change |= Change(writes=(CUSTOMERS.change(customer, after),))
            await self.desk.record(change)

        await self.desk.retrying(decide)

    async def finish_checks(self, limit: int, worker: WorkerId) -> int:
        """End up to *limit* checks that nobody answered in time; answer how many. Safe to run twice, by many."""
        return await work_off(self.desk, self.work, CONTACT_CHECKS, self._failed, limit, worker)

    async def rekey_contacts(self, limit: int) -> int:
        """Compute the keys of up to *limit* customers' addresses anew after the rules have changed; answer how many.

        Call it until it answers 0. Where two customers would sign in by one key, both keep their old one, and
        ``customers.contact_key_collided`` tells of them.
        """
        done = 0
        for version in range(1, KEY_VERSION):
            rows = await got(self.records.rows(CUSTOMERS, "key_version", str(version), None, max(1, limit - done)))
            changes = [Change(writes=(CUSTOMERS.change(c, rekeyed(c, KEY_VERSION)),)) for c in rows.items]
            results = await got(self.records.record_page(changes)) if changes else ()
            for customer, result in zip(rows.items, results, strict=True):
                if result == PageResult.TAKEN:
                    await self.desk.record(await self._collided(customer))
            done += len(rows.items)
            if done >= limit:
                break
        return done

    def _noted(self, customer: Customer, before: ContactPoint, after: ContactPoint) -> Change:
        lost = after.reach is Reach.UNREACHABLE is not before.reach
        told = ContactUnreachable(
            at=self.desk.now(), account=customer.id, contact=after.id, reason=after.reach_detail or ""
        )
        write = CUSTOMERS.change(customer, customer.with_contact(after))
        return Change(writes=(write,), events=self.desk.tell(told) if lost else ())

    async def _asked(self, customer: str, contact: str) -> tuple[Customer, ContactPoint]:
        found = await got(self.records.find(CUSTOMERS, customer))
        known = _contact_of(found.it, contact) if found else None
        if found is None or known is None:
            raise NotFound
        return found.it, known

    async def _question(self, customer: Customer, contact: ContactPoint) -> Change:
        now = self.desk.now()
        link, text = mint(
            CHECK,
            realm=customer.realm,
            subject=customer.id,
            bound=contact.id,
            stamps=Stamps(),
            life=_LIFE,
            now=now,
            entropy=self.desk.entropy,
        )
        check = ContactCheck(
            id=link.selector, realm=customer.realm, account=customer.id, contact=contact.id, link=link, asked_at=now
        )
        links = {"link": self.letters.link(CHECK.name, text)}
        letter = await self.letters.write(
            "registration.contact_check",
            contact.value,
            key=f"contact_check {check.id}",
            until=link.expires_at,
            subject=customer.id,
            locale=customer.locale,
            secrets=links,
        )
        guards = (CUSTOMERS.unchanged(customer),)
        return Change(writes=(CONTACT_CHECKS.add(check),), guards=guards, messages=(letter,))

    async def _check(self, token: Secret[str]) -> Found[ContactCheck]:
        bring = (CUSTOMERS.via("account"),)
        found = await got(self.records.find(CONTACT_CHECKS, read_selector(token, CHECK), bring=bring))
        if found is None:
            raise ContactLinkInvalid
        return found

    def _failed(self, check: ContactCheck) -> Change:
        told = ContactCheckFailed(at=self.desk.now(), account=check.account, contact=check.contact, reason="unanswered")
        return Change(
            writes=(CONTACT_CHECKS.change(check, attrs.evolve(check, state=CheckState.FAILED)),),
            events=self.desk.tell(told),
        )

    async def _collided(self, customer: Customer) -> Change:
        """Answer what is recorded where a new key is another customer's: both keep the key that they had."""
        writes, others = [CUSTOMERS.change(customer, with_old_keys(customer, KEY_VERSION))], []
        for contact in rekeyed(customer, KEY_VERSION).contacts:
            found = await got(self.records.find(CUSTOMERS, login_key(contact.kind, contact.key), by="login_contact"))
            if found is None or found.it.id == customer.id:
                continue
            others.append(found.it)
            if any(c.key == contact.key and c.key_before for c in found.it.contacts):
                writes.append(CUSTOMERS.change(found.it, with_old_keys(found.it, KEY_VERSION)))
        told = (ContactKeyCollided(at=self.desk.now(), account=customer.id, other=other.id) for other in others)
        return Change(writes=tuple(writes), events=self.desk.tell(*told))


def _contact_of(customer: Customer, id: str) -> ContactPoint | None:
    return next((contact for contact in customer.contacts if contact.id == id), None)
