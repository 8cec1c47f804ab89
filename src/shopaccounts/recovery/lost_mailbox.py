"""What people do who lost their mailbox: ask, open a case, wait, complete it; and how everybody else says no."""

from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.customers import as_of as customer_as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.tickets import TICKETS, mint, peek, read_selector, spend
from shopaccounts.recovery.case_answers import (
    CancelOffer,
    CaseOpened,
    CaseSummary,
    MailboxRecovered,
    MailboxRecoveryStarted,
)
from shopaccounts.recovery.case_proofs import CaseProofs, read_proof
from shopaccounts.recovery.case_steps import CaseSteps, new_address, summary
from shopaccounts.recovery.cases import (
    CANCEL_RECOVERY,
    CASES,
    RECOVER_MAILBOX,
    RECOVERY_HOLDER,
    RecoveryCase,
    account_key,
    as_of,
    check_open,
)
from shopaccounts.recovery.errors import CaseClosed, ProofsMissing, ResetLinkInvalid
from shopaccounts.recovery.objecting import Repudiations, may_be_objected
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import (
    CaseKind,
    named,
    quickest,
)
from shopaccounts.registration import (
    Account,
    Addresses,
    ContactBelongsElsewhere,
)
from shopaccounts.signin import AUTHENTICATORS, CodeSent, SentCodeAnswer

__all__ = ["Cases"]

_ROUNDS: Final = 7
"""A code's tries, and two more."""


@attrs.frozen(kw_only=True)
class Cases:
    """Getting back in without the mailbox."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    addresses: Addresses
    budget: SendBudget
    proofs: CaseProofs
    steps: CaseSteps
    repudiations: Repudiations
    policy: CasePolicy
    transport: TransportPolicy

    async def start_mailbox_recovery(
        self, value: Secret[str], identifier: str, context: RequestContext
    ) -> MailboxRecoveryStarted:
        """Ask to sign in by another address, since the mailbox of the present one is lost; nothing changes by that.

        A link goes to the new address, and a code to the recovery addresses, unless two factors vouch for the customer.
        The answer is the same whatever the shop knows of the new address. A newer request replaces an older one.

        Args:
            value: The session value, of a fresh sign-in.
            identifier: The new address as typed.
            context: Where the request came from.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput, DomainNotAccepted: It can't be the address.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            ProofsMissing: The password, or a recovery address that was proven long enough ago.
            ChangeNotPossible: There is no address to be replaced, or it is this one.
            Throttled: Too many messages.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        email = (await self.addresses.read(identifier)).email
        code_to = self.proofs.code_to(await self.proofs.present(value, context), email)
        for to in {to.abuse_key: to for to in (email, *code_to)}.values():
            await self.budget.charge(to, context.network, self.desk.now())

        async def decide() -> MailboxRecoveryStarted:
            return await self._start(await self.proofs.present(value, context), email)

        return await self.desk.retrying(decide)

    async def send_phone_code(self, value: Secret[str], context: RequestContext) -> CodeSent:
        """Send a code to a phone of the account that vouches for its owner where the mailbox is lost.

        Args:
            value: The session value, of a fresh sign-in.
            context: Where the request came from.

        Returns:
            The handle of the code, for ``SentCodeAnswer`` in this session.

        Raises:
            WayNotOffered: The account has no phone that was proven long enough ago and could be written to.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            Throttled: Too many messages.
            CountryNotServed: The shop sends nothing to this number's country.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        await self.proofs.charge_message(await self.proofs.present(value, context), context)

        async def decide() -> CodeSent:
            sent, part = await self.proofs.send(await self.proofs.present(value, context), context)
            await self.desk.record(part)
            return sent

        return await self.desk.retrying(decide)

    async def open_mailbox_case(
        self,
        value: Secret[str],
        token: Secret[str],
        code: str | None,
        context: RequestContext,
        phone: SentCodeAnswer | None = None,
    ) -> CaseOpened:
        """Open a case: from now on it waits, and every address that the shop knows hears how to cancel it.

        Args:
            value: The session value, of a fresh sign-in.
            token: From the link that went to the new address.
            code: From the mail to a recovery address; None where two factors or a phone vouch.
            context: Where the request came from.
            phone: The code of ``send_phone_code``, where a phone vouches.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            CodeWrong: That isn't the code; some tries are left.
            CodeExhausted: No tries are left.
            ProofsMissing: The password, or the code.
            CaseNotReady: There is an open case already.
            CaseClosed: One was cancelled a short while ago.
            ContactBelongsElsewhere: Another account signs in by the address.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            Throttled: Too many tries.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_selector(token, RECOVER_MAILBOX)
        typed = await self.proofs.charged(value, code, context, phone)

        async def decide() -> CaseOpened:
            here = await self.proofs.present(value, context)
            return await self._open(here, await self.proofs.request(here, token), typed, phone)

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    async def complete_mailbox_case(
        self,
        value: Secret[str],
        proof: Secret[str],
        code: str | None,
        context: RequestContext,
        phone: SentCodeAnswer | None = None,
    ) -> MailboxRecovered:
        """Put the new address in force, once the case has waited. Every session ends, and nobody is signed in by it.

        Args:
            value: The session value, of a fresh sign-in.
            proof: The handle of the browser that opened the case; in another one, the link that went to the new
                address when the case was ready.
            code: From the mail that went to a recovery address then; None where two factors or a phone vouch.
            context: Where the request came from.
            phone: A new code of ``send_phone_code``, where a phone vouches.

        Raises:
            CaseNotReady: It has to wait.
            CaseClosed: It is over.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The handle or link is of no use.
            CodeWrong, CodeExhausted: That isn't the code.
            ProofsMissing: The proofs that opened it are wanted again.
            ContactBelongsElsewhere: Another account signs in by the new address meanwhile; nothing changed.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            Throttled: Too many tries.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read_proof(proof)
        typed = await self.proofs.charged(value, code, context, phone)

        async def decide() -> MailboxRecovered:
            here = await self.proofs.present(value, context)
            was, case = await self.proofs.completable(here, proof)
            answered, shown = await self.proofs.answered(here, was, case, typed)
            by_phone, used = await self.proofs.by_phone(here, phone)
            shown |= by_phone
            if not frozenset(case.proofs) <= shown:
                raise ProofsMissing(named(frozenset(case.proofs) - shown))
            account = attrs.evolve(Account.of(here), here=None)
            recovered, part = await self.steps.completed(was, answered, account)
            await self.desk.record(part | used)
            return recovered

        return await self.desk.retrying(decide, _ROUNDS, on_taken=True)

    # Saying no

    async def list_cases(self, value: Secret[str], context: RequestContext) -> tuple[CaseSummary, ...]:
        """Answer the open cases of the account, for a word on every page while there is one.

        Raises:
            SignInRequired: The value opens nothing.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        return tuple(summary(case) for _, case in await self._open_cases(here) if case.is_open)

    async def peek_cancel(self, token: Secret[str], context: RequestContext) -> CancelOffer:
        """Answer what the page of a link shows that cancels a case; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            CaseClosed: The case is over.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        _, _, case, _ = await self._by_notice(token)
        return CancelOffer(kind=case.kind.value, earliest_at=case.earliest_at, expires_at=case.expires_at)

    async def cancel_case(self, token: Secret[str], context: RequestContext, *, not_me: bool = False) -> None:
        """Cancel a case for good, with the link of any notice about it, without signing in.

        Args:
            token: From the link.
            context: Where the request came from.
            not_me: Somebody else asked for it: every session ends and the password has to be changed, as for a sign-in
                that wasn't the owner's.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            CaseClosed: The case is over.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> None:
            found, was, case, customer = await self._by_notice(token)
            now = self.desk.now()
            spent, _ = spend(found.it, token, CANCEL_RECOVERY, Stamps(), now)
            part = Change(writes=(TICKETS.change(found.it, spent),))
            part |= await self.steps.cancelled(was, case, customer, "not_me" if not_me else "notice")
            if not_me and may_be_objected(customer):
                session = case.session or None
                part |= await self.repudiations.prepare(customer, found, case.since, session, spent.selector, now)
            await self.desk.record(part)

        await self.desk.retrying(decide)

    async def cancel_case_here(self, value: Secret[str], context: RequestContext) -> None:
        """Cancel every open case of the account for good; any session of the account may.

        Raises:
            CaseClosed: There is none.
            SignInRequired, NotWhileImpersonating: Nobody who may is signed in here.
        """

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.CANCEL_RECOVERY)
            cases = [pair for pair in await self._open_cases(here) if pair[1].is_open]
            if not cases:
                raise CaseClosed(state="none")
            part = Change()
            for was, case in cases:
                part |= await self.steps.cancelled(was, case, Account.of(here).customer, "session")
            await self.desk.record(part)

        await self.desk.retrying(decide)

    # Telling

    async def attend_cases(self, limit: int, worker: WorkerId) -> int:
        """Tell of up to *limit* cases what is due: that they wait, are ready, or are over; answer how many.

        Nothing depends on when that is done: a case is what the time and the account make of it. Safe to run at any
        time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, CASES, self._attended, limit, worker)

    async def _attended(self, case: RecoveryCase) -> Change:
        found = await got(self.records.find(CUSTOMERS, case.account, bring=(SECURITY.via(), AUTHENTICATORS.via())))
        if found is None:
            return await self.steps.attended(case, None, None, None)
        customer = customer_as_of(found.it, self.desk.now())
        return await self.steps.attended(case, customer, found[SECURITY], found[AUTHENTICATORS])

    # Asking and opening

    async def _start(self, here: Present, email: EmailAddress) -> MailboxRecoveryStarted:
        now, account, code_to = self.desk.now(), Account.of(here), self.proofs.code_to(here, email)
        holding = await self.steps.claims.holding(email, here.account, now)
        request = RecoveryCase(
            id=self.desk.entropy.token(128),
            realm=account.customer.realm,
            account=here.account,
            kind=CaseKind.MAILBOX,
            email=email,
            session=here.session,
            since=here.since,
            stamps=here.security.stamps,
            started_at=now,
            expires_at=now + self.policy.link_life,
        )
        request, messages = await self.steps.with_proofs(
            request, account.customer, "recovery.prove_mailbox", code_to, holding.owner
        )
        await self.desk.record(Change(writes=(CASES.add(request),), messages=messages) | account.guarded)
        return MailboxRecoveryStarted(
            masked=mask(email),
            code_sent_to=tuple(mask(to) for to in code_to),
            resend_after=self.budget.resend_after,
            expires_at=request.expires_at,
        )

    async def _open(
        self, here: Present, was: RecoveryCase, typed: str | None, phone: SentCodeAnswer | None
    ) -> CaseOpened:
        now, account = self.desk.now(), Account.of(here)
        request, shown = await self.proofs.answered(here, was, was, typed)
        by_phone, used = await self.proofs.by_phone(here, phone)
        proofs, wait = quickest(CaseKind.MAILBOX, shown | by_phone, self.policy)
        if (await self.steps.claims.holding(new_address(request), here.account, now)).owner is not None:
            raise ContactBelongsElsewhere(ContactKind.EMAIL.value)
        holder, handle = mint(
            RECOVERY_HOLDER,
            realm=request.realm,
            subject=request.account,
            bound=request.id,
            stamps=request.stamps,
            life=wait + self.policy.ready_for,
            now=now,
            entropy=self.desk.entropy,
            selector=request.id,
        )
        link = attrs.evolve(request.link, spent_at=now) if request.link else None
        request = attrs.evolve(request, holder=holder, link=link)
        case, part = await self.steps.opened(was, request, proofs.shown, wait, account)
        await self.desk.record(part | used)
        return CaseOpened(case=case.id, handle=handle, earliest_at=case.earliest_at or now, expires_at=case.expires_at)

    # Saying no

    async def _open_cases(self, here: Present) -> list[tuple[RecoveryCase, RecoveryCase]]:
        """Answer the account's cases that are open as they are stored, each with what it is by now."""
        keys = (account_key(here.account, kind) for kind in CaseKind)
        found = [await got(self.records.find(CASES, key, by="open_recovery_case")) for key in keys]
        now = self.desk.now()
        own = here[AUTHENTICATORS]
        return [(one.it, as_of(one.it, here[CUSTOMERS], here.security, now, own)) for one in found if one]

    async def _by_notice(self, token: Secret[str]) -> tuple[Found[Any], RecoveryCase, RecoveryCase, Customer]:
        """Answer the ticket of a notice, its case as stored and as it is, and whose it is, if it can be cancelled.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            CaseClosed: The case is over.
        """
        selector, now = read_selector(token, CANCEL_RECOVERY), self.desk.now()
        found = await got(self.records.find(TICKETS, selector, bring=self.repudiations.bring("subject")))
        ticket = peek(found.it if found else None, token, CANCEL_RECOVERY, Stamps(), now)
        stored = await got(self.records.find(CASES, ticket.bound))
        customer = found[CUSTOMERS] if found else None
        if found is None or stored is None or customer is None:
            raise ResetLinkInvalid
        customer = customer_as_of(customer, now)
        case = as_of(stored.it, customer, found[SECURITY], now, found[AUTHENTICATORS])
        check_open(case)
        return found, stored.it, case, customer
