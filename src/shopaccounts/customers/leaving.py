"""How customers leave: they see what it means, prove that they want it, may stay for a while, and are gone."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers.closing import (
    CLOSE_ACCOUNT,
    CLOSINGS,
    Closing,
    ClosingAsked,
    ClosingDeferred,
    ClosingOffer,
    ClosingPlan,
    ClosingStarted,
    Holding,
    plan_closing,
)
from shopaccounts.customers.commanding import commanded
from shopaccounts.customers.contact_points import ContactRole
from shopaccounts.customers.erasing import Belongings
from shopaccounts.customers.errors import (
    ClosingBlocked,
    ClosingLinkStale,
    ClosingPlanStale,
    ClosingTooSoon,
    NoProvenEmail,
)
from shopaccounts.customers.events import ClosingCanceled, ClosingRequested, CustomerClosed
from shopaccounts.customers.lifecycle import as_of, follow
from shopaccounts.customers.model import CUSTOMERS, AccountStatus, Customer, Trigger
from shopaccounts.customers.notices import Notices
from shopaccounts.customers.owning import customer_of
from shopaccounts.customers.policy import BlockedClosing, LifecyclePolicy
from shopaccounts.customers.ports import ClosingObjections
from shopaccounts.customers.stopping import sessions_ended
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation, SessionScope
from shopaccounts.kernel.contact import Contact, ContactKind, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, Doorkeeper, Present, Where
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import TICKETS, Ticket, is_replaced, mint, peek, read_selector, spend

__all__ = ["Closings"]

_LINK_LIFE: Final = timedelta(hours=1)
_LOOK_AGAIN: Final = timedelta(days=1)
_STAYS: Final = FULL_ONLY | {SessionScope.CLOSING}
_MAY_LEAVE: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED})
_REACHED_BY: Final = (ContactRole.PRIMARY, ContactRole.LOGIN)


@attrs.frozen(kw_only=True)
class Closings:
    """Closing an account, and staying after all."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    objections: tuple[ClosingObjections, ...]
    staff: Staff
    budget: SendBudget
    letters: Letters
    notices: Notices
    belongings: Belongings
    policy: LifecyclePolicy

    # Leaving

    async def plan_account_closing(self, value: Secret[str], context: RequestContext) -> ClosingPlan:
        """Answer what closing the account would mean; nothing changes.

        Raises:
            SignInRequired: The value opens nothing.
            InsecureTransport: The request didn't come over TLS.
        """
        present = await self.doorkeeper.present(value, context, Operation.LOOK)
        return await self._plan(self._customer(present))

    async def request_account_closing(
        self, value: Secret[str], accepted: str | None, context: RequestContext
    ) -> ClosingAsked:
        """Mail a link that closes the account; nothing about the account changes.

        Args:
            value: The session value.
            accepted: The plan's fingerprint, if the customer has seen what gets lost; None if there was nothing to see.
            context: Where the request came from.

        Raises:
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old or too weak.
            ClosingTooSoon: The sign-in address was changed a short while ago.
            ClosingBlocked: Something has to be settled first.
            ClosingPlanStale: Something gets lost that the customer hasn't seen.
            NoProvenEmail: There is no address and no number that the link could go to.
            Throttled: Too many messages to this mailbox, or for this network.
        """
        if accepted is not None:
            require_text(accepted, "label")
        present = await self.doorkeeper.present(value, context, Operation.CLOSE_ACCOUNT)
        customer = self._customer(present)
        plan = await self._admitted(customer, present.security, accepted)
        to = _reached_at(customer)
        await self.budget.charge(to, context.network, self.desk.now())

        return await self.desk.retrying(lambda: self._ask(customer, present, plan, to))

    async def peek_account_closing(
        self, value: Secret[str], token: Secret[str], context: RequestContext
    ) -> ClosingOffer:
        """Answer what the page of the link shows, in the browser that asked for it; nothing changes.

        Raises:
            SignInRequired: The value opens nothing.
            ClosingLinkInvalid, ClosingLinkExpired, ClosingLinkUsed, ClosingLinkStale: The link is of no use.
        """
        read_selector(token, CLOSE_ACCOUNT)
        present = await self.doorkeeper.present(value, context, Operation.LOOK)
        ticket, _ = await self._open(token, present)
        return ClosingOffer(plan=await self._plan(self._customer(present)), expires_at=ticket.expires_at)

    async def confirm_account_closing(
        self, value: Secret[str], token: Secret[str], context: RequestContext
    ) -> ClosingStarted | ClosingDeferred:
        """Close the account after the time of grace, with the link, in the session that asked for it.

        Every session ends, this one too. Who signs in until then gets a session that can stop the closing.

        Args:
            value: The session value.
            token: From the link.
            context: Where the request came from.

        Returns:
            ``ClosingDeferred`` where something blocks it and the shop lets such wishes wait.

        Raises:
            SignInRequired: The value opens nothing.
            ClosingTooSoon: The sign-in address was changed a short while ago.
            ClosingBlocked: Something has to be settled first; the link stays good.
            ClosingPlanStale: Something gets lost that the customer hasn't seen; the link stays good.
            ClosingLinkInvalid, ClosingLinkExpired, ClosingLinkUsed, ClosingLinkStale: The link is of no use.
        """
        read_selector(token, CLOSE_ACCOUNT)

        async def decide() -> ClosingStarted | ClosingDeferred:
            bring = (CLOSINGS.via("account"),)
            present = await self.doorkeeper.present(value, context, Operation.MANAGE, bring=bring)
            ticket, accepted = await self._open(token, present)
            customer, now = self._customer(present), self.desk.now()
            plan = await self._admitted(customer, present.security, accepted)
            spent, _ = spend(ticket, token, CLOSE_ACCOUNT, present.security.stamps, now)
            used = Change(writes=(TICKETS.change(ticket, spent),))
            if plan.blockers:
                relied_on = Change(guards=(CUSTOMERS.unchanged(customer), SECURITY.unchanged(present.security)))
                waits = await self._wait(customer, present[CLOSINGS], plan, spent.id, now, present.where)
                await self.desk.record(used | relied_on | waits)
                return ClosingDeferred(blockers=plan.blockers)
            started = await self._start(customer, present.security, present[CLOSINGS], spent.id, now, present.where)
            await self.desk.record(used | started)
            return ClosingStarted(closes_at=now + self.policy.closing_grace)

        return await self.desk.retrying(decide)

    # Staying

    async def cancel_account_closing(self, value: Secret[str], context: RequestContext) -> None:
        """Stay after all: the account is as it was before; whoever isn't leaving changes nothing.

        The session that stopped the closing has done its task and ends; one signs in again as usual.

        Args:
            value: The session value, as the sign-in to an account that is being closed answers it.
            context: Where the request came from.

        Raises:
            SignInRequired: The value opens nothing.
        """

        async def decide() -> None:
            bring = (CLOSINGS.via("account"),)
            operation = Operation.CANCEL_CLOSING
            present = await self.doorkeeper.present(value, context, operation, bring=bring, scopes=_STAYS)
            customer, row = self._customer(present), present[CLOSINGS]
            await self.desk.record(await self._stay(customer, row, None, self.desk.now(), present.where))

        await self.desk.retrying(decide)

    async def cancel_closing_for(self, account: AccountId, why: str, *, expected_version: int | None = None) -> None:
        """Stop the closing of a customer's account, as the customer wished; whoever isn't leaving stays as they are.

        Args:
            account: Whose.
            why: Why the agent does it, up to 500 characters.
            expected_version: The version that the agent looked at; None if none.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StaleWrite: The record has changed since the agent looked.
        """
        duty = await self.staff.require(Permission.CLOSE, why)

        async def decide(found: Found[Customer], now: datetime) -> None:
            await self.desk.record(await self._stay(found.it, found[CLOSINGS], duty.reason, now))

        await commanded(self.desk, account, expected_version, (CLOSINGS.via(),), decide)

    # The end

    async def finish_closings(self, limit: int, worker: WorkerId) -> int:
        """Close up to *limit* accounts whose time of grace is over, begin it for those that waited; answer how many.

        What blocks an account is looked at again; while something does, it stays as it is for another day. Safe to run
        at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, CLOSINGS, self._finish, limit, worker)

    async def _finish(self, row: Closing) -> Change:
        now, bring = self.desk.now(), (SECURITY.via(), *self.belongings.bring)
        stored = await got(self.records.find(CUSTOMERS, row.id, bring=bring))
        found = attrs.evolve(stored, it=as_of(stored.it, now)) if stored else None
        wanted = _MAY_LEAVE if row.deferred else {AccountStatus.CLOSING}
        if found is None or found.it.status not in wanted:
            return Change(removals=(CLOSINGS.remove(row),))
        customer, security = found.it, found[SECURITY]
        ends_at = None if row.deferred else customer.status_until
        if ends_at is not None and now < ends_at:
            return _later(row, ends_at)
        if (await self._plan(customer)).blockers:
            return _later(row, now + _LOOK_AGAIN)
        if not row.deferred:
            return await self._close(found, row, now)
        return await self._start(customer, security, row, f"{row.id} {row.version}", now)

    # What is recorded

    async def _ask(self, customer: Customer, present: Present, plan: ClosingPlan, to: Contact) -> ClosingAsked:
        """Record the link that closes the account, and the mail that brings it."""
        ticket, text = mint(
            CLOSE_ACCOUNT,
            realm=customer.realm,
            subject=customer.id,
            bound=f"{present.session} {plan.fingerprint}",
            stamps=present.security.stamps,
            life=_LINK_LIFE,
            now=self.desk.now(),
            entropy=self.desk.entropy,
        )
        letter = await self.letters.write(
            "customers.close_account",
            to,
            key=f"close {ticket.selector}",
            until=ticket.expires_at,
            subject=customer.id,
            locale=customer.locale,
            secrets={"link": self.letters.link(CLOSE_ACCOUNT.name, text)},
        )
        await self.desk.record(Change(writes=(TICKETS.add(ticket),), messages=(letter,)))
        return ClosingAsked(masked=mask(to), expires_at=ticket.expires_at, plan=plan)

    async def _start(
        self,
        customer: Customer,
        security: AccountSecurity | None,
        row: Closing | None,
        key: str,
        now: datetime,
        where: Where | None = None,
    ) -> Change:
        """Answer the part that begins the time of grace, and tells every address how to object."""
        ends_at = now + self.policy.closing_grace
        after = follow(customer, Trigger.REQUEST_CLOSING, until=ends_at)
        wish = Closing(id=customer.id, realm=customer.realm, asked_at=now, look_at=ends_at)
        told = await self.notices.about(
            customer,
            "customers.closing_started",
            f"closing {key}",
            now,
            bound=key,
            where=where,
            variables={"closes_at": ends_at.isoformat(timespec="minutes")},
        )
        return told | Change(
            writes=(
                CUSTOMERS.change(customer, after),
                CLOSINGS.change(row, wish) if row else CLOSINGS.add(wish),
                *sessions_ended(security),
            ),
            events=self.desk.tell(ClosingRequested(at=now, account=customer.id, deferred=False)),
        )

    async def _wait(
        self, customer: Customer, row: Closing | None, plan: ClosingPlan, key: str, now: datetime, where: Where
    ) -> Change:
        """Answer the part that lets the wish wait until nothing blocks it."""
        wish = Closing(id=customer.id, realm=customer.realm, asked_at=now, look_at=now + _LOOK_AGAIN, deferred=True)
        blockers = {"blockers": " ".join(blocker.value for blocker in plan.blockers)}
        told = await self.notices.about(
            customer, "customers.closing_deferred", f"closing {key}", now, bound=key, where=where, variables=blockers
        )
        return told | Change(
            writes=(CLOSINGS.change(row, wish) if row else CLOSINGS.add(wish),),
            events=self.desk.tell(ClosingRequested(at=now, account=customer.id, deferred=True)),
        )

    async def _stay(
        self, customer: Customer, row: Closing | None, why: str | None, now: datetime, where: Where | None = None
    ) -> Change:
        """Answer the part by which the account stays; nothing if nobody is leaving."""
        leaving = customer.status is AccountStatus.CLOSING
        if not leaving and row is None:
            return Change()
        stayed = follow(customer, Trigger.CANCEL_CLOSING) if leaving else customer
        after = attrs.evolve(stayed, standing=attrs.evolve(stayed.standing, why=why))
        told = await self.notices.about(
            customer, "customers.closing_canceled", f"stays {customer.id} after {customer.version}", now, where=where
        )
        return told | Change(
            writes=(CUSTOMERS.change(customer, after),),
            removals=(CLOSINGS.remove(row),) if row else (),
            events=self.desk.tell(ClosingCanceled(at=now, account=customer.id)),
        )

    async def _close(self, found: Found[Customer], row: Closing, now: datetime) -> Change:
        """Answer the part that closes the account: the address is free, and what opened it is gone."""
        customer = found.it
        after = follow(customer, Trigger.CLOSE, until=now + self.policy.reopen_window)
        return self.belongings.gone_on_closing(found) | Change(
            writes=(CUSTOMERS.change(customer, after), *sessions_ended(found[SECURITY])),
            removals=(CLOSINGS.remove(row),),
            events=self.desk.tell(CustomerClosed(at=now, account=customer.id)),
            messages=await self.notices.word_of(
                customer, "customers.account_closed", f"closed {customer.id} after {customer.version}", now
            ),
        )

    # What is asked

    def _customer(self, present: Present) -> Customer:
        return as_of(customer_of(present), self.desk.now())

    async def _plan(self, customer: Customer) -> ClosingPlan:
        holdings: list[Holding] = []
        for objections in self.objections:
            holdings += await got(objections.against(customer.id))
        return plan_closing(customer, holdings, self.policy, self.desk.now())

    async def _admitted(self, customer: Customer, security: AccountSecurity, accepted: str | None) -> ClosingPlan:
        """Answer the plan, if the account may be closed by it.

        Raises:
            ClosingTooSoon, ClosingBlocked, ClosingPlanStale: It may not.
        """
        until = security.on_hold_until(self.desk.now())
        if until is not None:
            raise ClosingTooSoon(until)
        plan = await self._plan(customer)
        if plan.blockers and self.policy.closing_with_blockers is BlockedClosing.REFUSE:
            raise ClosingBlocked(_names(plan))
        if not plan.is_accepted(accepted):
            raise ClosingPlanStale(_names(plan))
        return plan

    async def _open(self, token: Secret[str], present: Present) -> tuple[Ticket, str]:
        """Answer the ticket of a link and the plan that it accepts, if the link may be used in this session.

        Raises:
            ClosingLinkInvalid, ClosingLinkExpired, ClosingLinkUsed, ClosingLinkStale: It may not.
        """
        selector = read_selector(token, CLOSE_ACCOUNT)
        found = await got(self.records.find(TICKETS, selector, bring=(TICKETS.newest("issued", via="issued"),)))
        ticket = found.it if found and found.it.subject == present.account else None
        ticket = peek(ticket, token, CLOSE_ACCOUNT, present.security.stamps, self.desk.now())
        session, _, fingerprint = ticket.bound.partition(" ")
        if session != present.session or (found and is_replaced(ticket, found[TICKETS])):
            raise ClosingLinkStale(ticket.purpose)
        return ticket, fingerprint


def _reached_at(customer: Customer) -> Contact:
    """Answer the proven contact that the link goes to: the primary address, else one to sign in by, else a number."""
    ways = [contact.value for role in _REACHED_BY for contact in customer.contacts_for(role)]
    for value in sorted(ways, key=lambda way: way.kind is not ContactKind.EMAIL):
        return value
    raise NoProvenEmail


def _later(row: Closing, at: datetime) -> Change:
    return Change(writes=(CLOSINGS.change(row, attrs.evolve(row, look_at=at)),))


def _names(plan: ClosingPlan) -> tuple[str, ...]:
    return tuple(blocker.value for blocker in plan.blockers)
