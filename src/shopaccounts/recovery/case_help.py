"""What the shop's own people do for somebody who lost more than a password: vouch, and leave the rest to mailboxes."""

from collections.abc import Iterable
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, NotFound, StatusForbids
from shopaccounts.customers import as_of as customer_as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.kernel.staff import OnDuty, Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import peek, read_selector, spend
from shopaccounts.recovery.case_answers import CaseSummary, MailboxRecovered
from shopaccounts.recovery.case_steps import CaseSteps, summary
from shopaccounts.recovery.cases import (
    CASES,
    RECOVER_MAILBOX,
    CaseState,
    Helper,
    RecoveryCase,
    as_of,
    check_completable,
    check_open,
)
from shopaccounts.recovery.errors import AgentNotAllowed, CaseClosed, ResetLinkInvalid
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import (
    CaseKind,
    Evidence,
    Shown,
    check_evidence,
    quickest,
)
from shopaccounts.registration import (
    Account,
    Addresses,
    ChangeNotPossible,
    ContactBelongsElsewhere,
    contact_in_force,
)
from shopaccounts.signin import AUTHENTICATORS

__all__ = ["CaseHelp"]

_OWNER: Final = (
    CUSTOMERS.via("account"),
    SECURITY.via("account"),
    AUTHENTICATORS.via("account"),
    CASES.newest("asked", via="asked"),
)


@attrs.frozen(kw_only=True)
class CaseHelp:
    """Vouching for somebody who lost everything."""

    desk: Desk
    records: Records
    addresses: Addresses
    staff: Staff
    steps: CaseSteps
    policy: CasePolicy
    transport: TransportPolicy

    # What agents do

    async def open_case_for(
        self, account: AccountId, identifier: str, evidence: Iterable[Evidence], reason: str
    ) -> CaseSummary:
        """Vouch for somebody who wants to sign in by another address; a second agent has to agree within a day.

        Nothing waits and nobody is told before that.

        Args:
            account: Whose account.
            identifier: The new address.
            evidence: What was checked and whether it was right; never what it was.
            reason: Why, up to 500 characters.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            AgentNotAllowed: The account is out of bounds for agents.
            EvidenceInsufficient: Too little of it was right.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput, DomainNotAccepted: It can't be the address.
            NotFound: There is no such account.
            StatusForbids: The account isn't active.
            ChangeNotPossible: There is no address to be replaced, or it is this one.
            ContactBelongsElsewhere: Another account signs in by the address.
        """
        duty, checked = await self._on_duty(reason), check_evidence(evidence, self.policy)
        id = AccountId(require_text(account, "account", cap=64))
        email = (await self.addresses.read(identifier)).email

        async def decide() -> CaseSummary:
            now = self.desk.now()
            customer, security = await self._account(id)
            lost = contact_in_force(customer, ContactKind.EMAIL)
            if lost is None or lost.key == email.login_key:
                raise ChangeNotPossible(state="in_force" if lost else "none")
            if (await self.steps.claims.holding(email, id, now)).owner is not None:
                raise ContactBelongsElsewhere(ContactKind.EMAIL.value)
            case = RecoveryCase(
                id=self.desk.entropy.token(128),
                realm=customer.realm,
                account=id,
                kind=CaseKind.EVERYTHING,
                email=email,
                since=now,
                stamps=security.stamps,
                started_at=now,
                expires_at=now + self.policy.link_life,
                evidence=checked,
                helpers=(Helper(duty.agent, duty.reason, now),),
            )
            guards = (CUSTOMERS.unchanged(customer), SECURITY.unchanged(security))
            await self.desk.record(Change(writes=(CASES.add(case),), guards=guards))
            return summary(case)

        if await got(self.staff.agents.is_protected(id)):
            raise AgentNotAllowed
        return await self.desk.retrying(decide)

    async def agree_to_case(self, case: str, reason: str) -> CaseSummary:
        """Agree to what another agent vouched for: the case waits from now on, and every address hears of it.

        Args:
            case: As ``open_case_for`` answered it.
            reason: Why, up to 500 characters.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            AgentNotAllowed: It takes another agent.
            NotFound: There is no such case.
            CaseClosed: It is over, waits already, or one was cancelled a short while ago.
            CaseNotReady: The account has an open case already.
            ProofsMissing: The shop doesn't help in this way.
        """
        duty = await self._on_duty(reason)

        async def decide() -> CaseSummary:
            (was, account), now = await self._case(case), self.desk.now()
            if any(helper.agent == duty.agent for helper in was.helpers):
                raise AgentNotAllowed
            request = attrs.evolve(was, helpers=(*was.helpers, Helper(duty.agent, duty.reason, now)))
            proofs, wait = quickest(was.kind, {Shown.TWO_AGENTS}, self.policy)
            opened, part = await self.steps.opened(was, request, proofs.shown, wait, account)
            await self.desk.record(part)
            return summary(opened)

        return await self.desk.retrying(decide, on_taken=True)

    async def vouch_for_case(self, case: str, evidence: Iterable[Evidence], reason: str) -> CaseSummary:
        """Vouch for somebody who lost the second factor and has nothing but password and mailbox.

        The case goes on waiting, and whoever opened it completes it with the same proofs. Twice is no error.

        Args:
            case: As ``open_factor_case`` answered it.
            evidence: What was checked and whether it was right; never what it was.
            reason: Why, up to 500 characters.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            AgentNotAllowed: The account is out of bounds for agents.
            EvidenceInsufficient: Too little of it was right.
            NotFound: There is no such case.
            CaseClosed: It is over.
        """
        duty, checked = await self._on_duty(reason), check_evidence(evidence, self.policy)

        async def decide() -> CaseSummary:
            now = self.desk.now()
            found = await got(self.records.find(CASES, require_text(case, "label"), bring=_OWNER))
            customer = found[CUSTOMERS] if found else None
            if found is None or customer is None or found.it.kind is not CaseKind.FACTOR:
                raise NotFound
            if await got(self.staff.agents.is_protected(found.it.account)):
                raise AgentNotAllowed
            current = as_of(found.it, customer_as_of(customer, now), found[SECURITY], now, found[AUTHENTICATORS])
            check_open(current)
            if any(helper.agent == duty.agent for helper in current.helpers):
                return summary(current)
            helpers = (*current.helpers, Helper(duty.agent, duty.reason, now))
            vouched = attrs.evolve(current, evidence=(*current.evidence, *checked), helpers=helpers)
            await self.desk.record(Change(writes=(CASES.change(found.it, vouched),)))
            return summary(vouched)

        return await self.desk.retrying(decide)

    async def stop_case(self, case: str, reason: str) -> None:
        """Cancel a case of either kind for good.

        Args:
            case: Which.
            reason: Why, up to 500 characters.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such case.
            CaseClosed: It is over.
        """
        duty = await self._on_duty(reason)

        async def decide() -> None:
            id, now = require_text(case, "label"), self.desk.now()
            found = await got(self.records.find(CASES, id, bring=_OWNER))
            customer = found[CUSTOMERS] if found else None
            if found is None or customer is None:
                raise NotFound
            current = as_of(found.it, customer_as_of(customer, now), found[SECURITY], now, found[AUTHENTICATORS])
            stopped = attrs.evolve(current, helpers=(*current.helpers, Helper(duty.agent, duty.reason, now)))
            await self.desk.record(await self.steps.cancelled(found.it, stopped, customer, "staff"))

        await self.desk.retrying(decide)

    # What the person does whom they vouched for

    async def complete_case(self, token: Secret[str], context: RequestContext) -> MailboxRecovered:
        """Put the new address in force, with the link that went there when the case was ready.

        Every session ends, and nobody is signed in by it: ask for a new password there.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            CaseNotReady, CaseClosed: The case can't be completed.
            ContactBelongsElsewhere: Another account signs in by the address meanwhile; nothing changed.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        selector = read_selector(token, RECOVER_MAILBOX)

        async def decide() -> MailboxRecovered:
            found, now = await got(self.records.find(CASES, selector, bring=_OWNER)), self.desk.now()
            customer, security = (found[CUSTOMERS], found[SECURITY]) if found else (None, None)
            if found is None or customer is None or security is None or found.it.kind is not CaseKind.EVERYTHING:
                raise ResetLinkInvalid
            was, customer = found.it, customer_as_of(customer, now)
            peek(was.link, token, RECOVER_MAILBOX, was.stamps, now)
            case = as_of(was, customer, security, now)
            check_completable(case)
            link, _ = spend(case.link, token, RECOVER_MAILBOX, security.stamps, now)
            account = Account(customer=customer, security=security, own=found[AUTHENTICATORS])
            recovered, part = await self.steps.completed(was, attrs.evolve(case, link=link), account)
            await self.desk.record(part)
            return recovered

        return await self.desk.retrying(decide, on_taken=True)

    async def _on_duty(self, reason: str) -> OnDuty:
        return await self.staff.require(Permission.RECOVER, reason)

    async def _account(self, id: AccountId) -> tuple[Customer, AccountSecurity]:
        """Answer an active account.

        Raises:
            NotFound, StatusForbids: There is none.
        """
        found = await got(self.records.find(CUSTOMERS, id, bring=(SECURITY.via(),)))
        security = found[SECURITY] if found else None
        if found is None or security is None:
            raise NotFound
        customer = customer_as_of(found.it, self.desk.now())
        if customer.status is not AccountStatus.ACTIVE:
            raise StatusForbids(customer.status.value, "recover")
        return customer, security

    async def _case(self, case: str) -> tuple[RecoveryCase, Account]:
        """Answer a request that an agent may still agree to.

        Raises:
            NotFound, CaseClosed: There is none.
        """
        found, now = await got(self.records.find(CASES, require_text(case, "label"), bring=_OWNER)), self.desk.now()
        if found is None or found.it.kind is not CaseKind.EVERYTHING:
            raise NotFound
        customer, security, newest = found[CUSTOMERS], found[SECURITY], found[CASES]
        current = as_of(found.it, customer_as_of(customer, now) if customer else None, security, now)
        replaced = newest is not None and newest.id != current.id
        if current.state is not CaseState.REQUESTED or replaced or customer is None or security is None:
            raise CaseClosed(current.state.value)
        return found.it, Account(customer=customer_as_of(customer, now), security=security)
