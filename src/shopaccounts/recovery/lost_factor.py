"""What people do who are stuck at the second step of signing in: ask for codes, open a case, wait, go on without it."""

from collections.abc import Sequence
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.text import require_choice
from shopaccounts.passwords import PasswordPolicy
from shopaccounts.recovery.case_answers import FactorCaseOpened, FactorsWereRemoved
from shopaccounts.recovery.case_steps import CaseSteps, proven_addresses
from shopaccounts.recovery.cases import (
    CASES,
    CaseTrigger,
    RecoveryCase,
    account_key,
    advanced,
    as_of,
    check_completable,
    takes_agent,
)
from shopaccounts.recovery.errors import CaseClosed, ProofsMissing
from shopaccounts.recovery.events import CaseCompleted
from shopaccounts.recovery.factor_proofs import FactorProofs, read_codes
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import CaseKind, named, quickest
from shopaccounts.registration import Account
from shopaccounts.signin import (
    Authenticators,
    CodeSent,
    Offered,
    SentCodeAnswer,
    Tried,
    UnderWay,
    left_of,
    withdraw,
)

__all__ = ["LostFactor"]

_ROUNDS: Final = 7
"""A code's tries, and two more."""


@attrs.frozen(kw_only=True)
class LostFactor:
    """Getting back in without the second factor."""

    desk: Desk
    records: Records
    proofs: FactorProofs
    steps: CaseSteps
    offered: Offered
    policy: CasePolicy
    passwords: PasswordPolicy
    transport: TransportPolicy

    async def send_case_code(self, progress: Secret[str], channel: Channel, context: RequestContext) -> CodeSent:
        """Send a code to the account's mailbox, or to a phone that is no second factor; nothing changes by that.

        Args:
            progress: The handle from ``SecondFactorNeeded``, of a sign-in that began with the password.
            channel: By e-mail or text message.
            context: Where the request came from.

        Returns:
            The handle of the code, for ``SentCodeAnswer`` at this half-done sign-in.

        Raises:
            ProgressEnded: The half-done sign-in is over.
            ProofsMissing: It began without the password.
            WayNotOffered: The account has nothing proven long enough that could be written to by this way.
            CaseClosed: The account isn't active.
            Throttled: Too many messages.
            CountryNotServed: The shop sends nothing to this number's country.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        require_choice(channel, "channel", Channel)
        await self.proofs.charge_message(await self.proofs.under_way(progress, context), channel, context)

        async def decide() -> CodeSent:
            sent, part = await self.proofs.send(await self.proofs.under_way(progress, context), channel, context)
            await self.desk.record(part)
            return sent

        return await self.desk.retrying(decide)

    async def open_factor_case(
        self,
        progress: Secret[str],
        codes: Sequence[SentCodeAnswer],
        context: RequestContext,
        *,
        passkeys_too: bool = False,
    ) -> FactorCaseOpened:
        """Open a case: from now on it waits, and every address that the shop knows hears how to cancel it.

        Args:
            progress: The handle from ``SecondFactorNeeded``, of a sign-in that began with the password.
            codes: What ``send_case_code`` sent: that of the mailbox, and that of the phone if there is one.
            context: Where the request came from.
            passkeys_too: Whether the passkeys are lost as well; so they are where there is nothing else.

        Raises:
            ProgressEnded: The half-done sign-in is over.
            ProofsMissing: The password, or the code of the mailbox.
            CodeWrong, CodeExhausted: That isn't the code.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: A handle is of no use.
            FactorProtectsShortPassword: The password is too short to open the account alone: reset it first.
            CaseNotReady: There is an open case already.
            CaseClosed: One was cancelled a short while ago, or the account isn't active.
            InvalidInput: That is no list of one or two codes.
            Throttled, TryLater: Too many tries, or the counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        given = read_codes(codes)
        under_way = await self.proofs.under_way(progress, context)
        counted = await self.proofs.charge(under_way, given, context)

        async def decide() -> FactorCaseOpened:
            return await self._open(await self.proofs.under_way(progress, context), given, passkeys_too=passkeys_too)

        opened = await self.desk.retrying(decide, _ROUNDS, on_taken=True)
        await self.proofs.succeeded(counted)
        return opened

    async def complete_factor_case(
        self, progress: Secret[str], codes: Sequence[SentCodeAnswer], context: RequestContext
    ) -> FactorsWereRemoved:
        """Take the lost second factors from the account, once the case has waited; nobody is signed in by it.

        Recovery codes and trusted devices go too. Every session ends, and the account is on hold for a while.

        Args:
            progress: The handle from ``SecondFactorNeeded``, of a new sign-in that began with the password.
            codes: New codes by the same ways as those that opened the case.
            context: Where the request came from.

        Raises:
            CaseNotReady: It has to wait.
            CaseClosed: There is none, it is over, or the account isn't active.
            ProofsMissing: The proofs that opened it are wanted again; ``agent``: nobody has vouched yet.
            ProgressEnded: The half-done sign-in is over.
            CodeWrong, CodeExhausted: That isn't the code.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: A handle is of no use.
            InvalidInput: That is no list of one or two codes.
            Throttled, TryLater: Too many tries, or the counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        given = read_codes(codes)
        under_way = await self.proofs.under_way(progress, context)
        counted = await self.proofs.charge(under_way, given, context)

        async def decide() -> FactorsWereRemoved:
            return await self._complete(await self.proofs.under_way(progress, context), given)

        removed = await self.desk.retrying(decide, _ROUNDS)
        await self.proofs.succeeded(counted)
        return removed

    async def _open(
        self, under_way: UnderWay, given: tuple[SentCodeAnswer, ...], *, passkeys_too: bool
    ) -> FactorCaseOpened:
        now, tried = self.desk.now(), under_way.tried
        shown, used = await self.proofs.shown(under_way, given)
        proofs, wait = quickest(CaseKind.FACTOR, shown, self.policy)
        lost = _lost(tried.own, passkeys_too=passkeys_too)
        self._check_password_stands_alone(tried, lost)
        request = RecoveryCase(
            id=self.desk.entropy.token(128),
            realm=tried.customer.realm,
            account=tried.account,
            kind=CaseKind.FACTOR,
            lost=lost,
            since=under_way.progress.opened_at,
            stamps=tried.security.stamps,
            started_at=now,
            expires_at=now + self.policy.link_life,
        )
        case, part = await self.steps.opened(None, request, proofs.shown, wait, self._account(under_way))
        await self.desk.record(used | part)
        return FactorCaseOpened(
            case=case.id,
            earliest_at=case.earliest_at or now,
            expires_at=case.expires_at,
            takes_agent=takes_agent(case, self.policy),
        )

    async def _complete(self, under_way: UnderWay, given: tuple[SentCodeAnswer, ...]) -> FactorsWereRemoved:
        was, case = await self._case(under_way)
        shown, used = await self.proofs.shown(under_way, given)
        missing = frozenset(case.proofs) - shown
        if missing or takes_agent(case, self.policy):
            raise ProofsMissing(named(missing) or ("agent",))
        removed, part = await self._without_lost(was, case, under_way)
        await self.desk.record(used | part)
        return removed

    async def _case(self, under_way: UnderWay) -> tuple[RecoveryCase, RecoveryCase]:
        """Answer the account's case as it is stored and as it is, if it can be completed.

        Raises:
            CaseNotReady, CaseClosed: It can't.
        """
        tried, now = under_way.tried, self.desk.now()
        key = account_key(tried.account, CaseKind.FACTOR)
        found = await got(self.records.find(CASES, key, by="open_recovery_case"))
        if found is None:
            raise CaseClosed(state="none")
        case = as_of(found.it, self.proofs.customer(under_way), tried.security, now, tried.own)
        check_completable(case)
        return found.it, case

    async def _without_lost(
        self, was: RecoveryCase, case: RecoveryCase, under_way: UnderWay
    ) -> tuple[FactorsWereRemoved, Change]:
        """Answer that what was lost is gone, and what is recorded."""
        now, tried, customer = self.desk.now(), under_way.tried, self.proofs.customer(under_way)
        until = now + self.policy.hold_after
        moved = tried.security.bump(Stamp.ACCOUNT, Stamp.FACTORS)
        held = attrs.evolve(moved, hold_until=max(until, moved.hold_until or until))
        told = CaseCompleted(at=now, account=case.account, case=case.id, kind=case.kind.value)
        done = advanced(case, CaseTrigger.COMPLETE, now)
        change = Change(
            writes=(SECURITY.change(tried.security, held), CASES.change(was, done)),
            guards=(CUSTOMERS.unchanged(tried.customer),),
            events=self.desk.tell(told),
        )
        key, also = f"factor_case_completed {case.id}", proven_addresses(customer)
        notice = await self.steps.notices.about(
            customer, "recovery.factors_removed", key, now, bound=case.id, also=also
        )
        gone = withdraw(tried.own, _without(tried.own, case.lost), self.desk, now)
        return FactorsWereRemoved(on_hold_until=held.hold_until or until), change | gone.part | notice

    def _check_password_stands_alone(self, tried: Tried, lost: frozenset[str]) -> None:
        """Refuse to leave a password alone that is too short for it.

        Raises:
            FactorProtectsShortPassword: So it is.
        """
        left = _without(tried.own, lost)
        self.offered.check_password_suffices(tried.own, left, tried.password, self.passwords)

    def _account(self, under_way: UnderWay) -> Account:
        tried = under_way.tried
        return Account(customer=self.proofs.customer(under_way), security=tried.security, own=tried.own)


def _lost(own: Authenticators | None, *, passkeys_too: bool) -> frozenset[str]:
    """Answer the ids of what is said to be lost: all second factors, and the passkeys if so or if there is no other."""
    factors = frozenset(factor.id for factor in own.factors) if own else frozenset()
    passkeys = frozenset(passkey.id for passkey in own.passkeys) if own else frozenset()
    return factors | passkeys if passkeys_too or not factors else factors


def _without(own: Authenticators | None, lost: frozenset[str]) -> Authenticators | None:
    left = left_of(own, lost)
    return attrs.evolve(left, recovery_codes=None, enrolling=None) if left else None
