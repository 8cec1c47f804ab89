"""What is recorded on each step of a case, and who is told."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import ContactPoint, Customer, Notices, is_verified
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Challenge, CodeShape, code_mac
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import AccountSecurity, Stamps
from shopaccounts.kernel.tickets import TICKETS, mint
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.recovery.case_answers import CaseSummary, MailboxRecovered
from shopaccounts.recovery.cases import (
    CANCEL_RECOVERY,
    CASES,
    RECOVER_MAILBOX,
    RECOVERY_CODE,
    CaseState,
    CaseTrigger,
    RecoveryCase,
    account_key,
    advanced,
    as_of,
    is_cooling_down,
    opened,
    told,
)
from shopaccounts.recovery.errors import CaseClosed, CaseNotReady
from shopaccounts.recovery.events import CaseBlocked, CaseCancelled, CaseCompleted, CaseExpired, CaseOpened, CaseReady
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import (
    CaseKind,
    Shown,
    recovery_addresses,
)
from shopaccounts.registration import Account, ChangeState, Claims, ContactChange, Moves, contact_in_force
from shopaccounts.signin import Authenticators

__all__ = ["CaseSteps", "new_address", "proven_addresses", "summary"]

FOUND: Final = "found"
"""Why a case is off in which what was lost was used again."""
_HOUR: Final = timedelta(hours=1)
_AFTERWARDS: Final = timedelta(days=7)
"""How long after its end the links of a case still tell what became of it."""
_SHAPE: Final = CodeShape()


@attrs.frozen(kw_only=True)
class CaseSteps:
    """Puts the steps of a case together."""

    desk: Desk
    records: Records
    keyring: Keyring
    claims: Claims
    notices: Notices
    moves: Moves
    policy: CasePolicy

    async def with_proofs(
        self,
        case: RecoveryCase,
        customer: Customer,
        template: str,
        code_to: tuple[EmailAddress, ...],
        owner: Customer | None = None,
    ) -> tuple[RecoveryCase, tuple[Message, ...]]:
        """Answer a case with a new link and a new code, and the messages that bring them; earlier ones are dead.

        Args:
            case: As it is.
            customer: Whose case.
            template: Which text brings the link to the new address.
            code_to: The recovery addresses; nobody gets a code if there are none.
            owner: Who signs in by the new address already, and gets a word of it in place of the link.
        """
        now, to_new = self.desk.now(), new_address(case)
        link, text = mint(
            RECOVER_MAILBOX,
            realm=case.realm,
            subject=case.account,
            bound=case.id,
            stamps=case.stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
            selector=case.id,
        )
        key, until = f"{template} {case.id} {case.version}", link.expires_at
        hours = {"hours": str(self.policy.link_life // _HOUR)}
        if owner is not None:
            first = await self.claims.word_to_owner(owner, to_new, key, until)
        else:
            links = {"link": self.claims.link(RECOVER_MAILBOX.name, text)}
            first = await self.claims.letter(template, to_new, customer, key, until, links, hours)
        case = attrs.evolve(case, link=link)
        if not code_to:
            return case, (first,)
        challenge, code = await self._challenge(case, now)
        key, secrets = f"recovery_code {case.id} {case.version}", {"code": code}
        codes = [
            await self.claims.letter("recovery.recovery_code", to, customer, f"{key} {n}", until, secrets, hours)
            for n, to in enumerate(code_to)
        ]
        return attrs.evolve(case, challenge=challenge), (first, *codes)

    async def opened(
        self,
        was: RecoveryCase | None,
        request: RecoveryCase,
        proofs: frozenset[Shown],
        wait: timedelta,
        account: Account,
    ) -> tuple[RecoveryCase, Change]:
        """Answer a case that waits from now on, and what is recorded.

        Args:
            was: As it is stored; None if it isn't yet.
            request: With all that opens it.
            proofs: What that is.
            wait: How long it waits.
            account: As it is now.

        Raises:
            CaseNotReady: The account has an open case of this kind already.
            CaseClosed: It is none that could be opened, or one was cancelled a short while ago.
        """
        now = self.desk.now()
        case = opened(request, proofs, wait, self.policy, now)
        over = await self._place_for(case, account, now)
        event = CaseOpened(at=now, account=case.account, case=case.id, kind=case.kind.value)
        proven = (case.email,) if case.link is not None and case.email is not None else ()
        write = CASES.change(was, case) if was else CASES.add(case)
        part = Change(writes=(write,), events=self.desk.tell(event)) | account.guarded | over
        return case, part | await self._notice(case, account.customer, now, proven)

    async def completed(
        self, was: RecoveryCase, case: RecoveryCase, account: Account
    ) -> tuple[MailboxRecovered, Change]:
        """Answer that the new address is in force, and what is recorded; every session ends.

        Args:
            was: As it is stored.
            case: With its code answered; it is ready.
            account: As it is now, with no session that goes on.

        Raises:
            CaseClosed: There is no address to be replaced.
            ContactBelongsElsewhere: Another account signs in by the new one.
        """
        now, customer = self.desk.now(), account.customer
        old = contact_in_force(customer, ContactKind.EMAIL)
        if old is None:
            raise CaseClosed(CaseState.BLOCKED.value)
        change = ContactChange(
            id=case.id,
            realm=case.realm,
            account=case.account,
            kind=ContactKind.EMAIL,
            old=old,
            new=ContactPoint(
                id=ContactId(self.desk.entropy.new_id(now)),
                kind=ContactKind.EMAIL,
                value=new_address(case),
                roles=old.roles,
                added_at=now,
            ),
            state=ChangeState.APPLIED,
            session=case.session,
            epoch=case.stamps.contacts,
            requested_at=case.started_at,
            until=now,
        )
        applied, _, part = await self.moves.applied(
            account, None, change, hold_after=self.policy.hold_after, also=proven_addresses(customer)
        )
        done = advanced(case, CaseTrigger.COMPLETE, now)
        event = CaseCompleted(at=now, account=case.account, case=case.id, kind=case.kind.value)
        recovered = MailboxRecovered(
            masked=mask(new_address(case)), on_hold_until=now + self.policy.hold_after, undo_until=applied.until
        )
        return recovered, part | Change(writes=(CASES.change(was, done),), events=self.desk.tell(event))

    async def ended(
        self, was: RecoveryCase, ended: RecoveryCase, customer: Customer | None, reason: str = ""
    ) -> Change:
        """Answer what is recorded when a case ends without having changed anything: everybody hears of it.

        Args:
            was: As it is stored.
            ended: As it ends.
            customer: Whose case; None if the account is gone.
            reason: How it was cancelled.
        """
        now = self.desk.now()
        events = {
            CaseState.CANCELLED: CaseCancelled(
                at=now, account=ended.account, case=ended.id, kind=ended.kind.value, reason=reason
            ),
            CaseState.EXPIRED: CaseExpired(at=now, account=ended.account, case=ended.id, kind=ended.kind.value),
            CaseState.BLOCKED: CaseBlocked(at=now, account=ended.account, case=ended.id, kind=ended.kind.value),
        }
        part = Change(writes=(CASES.change(was, ended),), events=self.desk.tell(events[ended.state]))
        if customer is None:
            return part
        return part | await self.notices.about(
            customer,
            _template(ended, "ended"),
            f"case_ended {ended.id}",
            now,
            bound=ended.id,
            also=proven_addresses(customer),
        )

    async def cancelled(self, was: RecoveryCase, case: RecoveryCase, customer: Customer, reason: str) -> Change:
        """Answer what is recorded when somebody says no to a case.

        Raises:
            CaseClosed: It is over already.
        """
        return await self.ended(was, advanced(case, CaseTrigger.CANCEL, self.desk.now()), customer, reason)

    async def attended(
        self,
        was: RecoveryCase,
        customer: Customer | None,
        security: AccountSecurity | None,
        own: Authenticators | None,
    ) -> Change:
        """Answer what is recorded when it is time to tell of a case: what it has come to, and what that asks for."""
        now = self.desk.now()
        case = as_of(was, customer, security, now, own)
        if not case.is_open or customer is None:
            return await self.ended(was, case, customer, FOUND)
        case = told(case, self.policy, now)
        if case.state is CaseState.WAITING:
            change = Change(writes=(CASES.change(was, case),))
            return change | await self._notice(case, customer, now)
        messages: tuple[Message, ...] = ()
        if case.kind is not CaseKind.FACTOR:
            code_to = self.code_to(case, customer)
            case, messages = await self.with_proofs(case, customer, "recovery.complete_case", code_to)
        change = Change(writes=(CASES.change(was, case),), messages=messages)
        if was.state is CaseState.READY:
            return change
        event = CaseReady(at=now, account=case.account, case=case.id, kind=case.kind.value)
        change |= Change(events=self.desk.tell(event))
        return change | await self._notice(case, customer, now)

    def code_to(self, case: RecoveryCase, customer: Customer) -> tuple[EmailAddress, ...]:
        """Answer the recovery addresses that a code goes to, if the case asks for one."""
        lost = contact_in_force(customer, ContactKind.EMAIL)
        if lost is None or Shown.RECOVERY_ADDRESS not in case.proofs:
            return ()
        return recovery_addresses(customer, lost, self.policy, self.desk.now())

    async def _place_for(self, case: RecoveryCase, account: Account, now: datetime) -> Change:
        """Answer the part that makes room for a case, where an earlier one is over and nobody has said so yet."""
        key = account_key(case.account, case.kind)
        cancelled = (await got(self.records.rows(CASES, "cancelled", key, None, 1, newest_first=True))).items
        if is_cooling_down(cancelled[0] if cancelled else None, self.policy, now):
            raise CaseClosed(CaseState.CANCELLED.value)
        found = await got(self.records.find(CASES, key, by="open_recovery_case"))
        if found is None:
            return Change()
        earlier = as_of(found.it, account.customer, account.security, now, account.own)
        if earlier.is_open:
            raise CaseNotReady(earlier.earliest_at or earlier.expires_at)
        if is_cooling_down(earlier, self.policy, now) and earlier.state is CaseState.CANCELLED:
            raise CaseClosed(CaseState.CANCELLED.value)
        return await self.ended(found.it, earlier, account.customer, FOUND)

    async def _challenge(self, case: RecoveryCase, now: datetime) -> tuple[Challenge, Secret[str]]:
        key, code = await got(self.keyring.current(Ring.CODES)), _SHAPE.draw(self.desk.entropy)
        until = now + self.policy.link_life
        challenge = Challenge(
            id=case.id,
            purpose=RECOVERY_CODE,
            code_mac=code_mac(key.secret, case.id, RECOVERY_CODE, code.reveal()),
            key_id=key.id,
            shape=_SHAPE,
            issued_at=now,
            code_expires_at=until,
            expires_at=until,
        )
        return challenge, code

    async def _notice(
        self,
        case: RecoveryCase,
        customer: Customer,
        now: datetime,
        also: Iterable[EmailAddress] = (),
    ) -> Change:
        """Answer the part that tells everybody of an open case, with a link that cancels it."""
        template = _template(case, case.state.value)
        ticket, text = mint(
            CANCEL_RECOVERY,
            realm=case.realm,
            subject=case.account,
            bound=case.id,
            stamps=Stamps(),
            life=case.expires_at + _AFTERWARDS - now,
            now=now,
            entropy=self.desk.entropy,
        )
        waits = case.state is CaseState.WAITING and case.earliest_at is not None
        ends = {"earliest": case.earliest_at} if waits else {"until": case.expires_at}
        notice = await self.notices.about(
            customer,
            template,
            f"{template} {case.id} {now.isoformat()}",
            now,
            bound=case.id,
            also=(*proven_addresses(customer), *also),
            variables={name: at.isoformat(timespec="minutes") for name, at in ends.items() if at},
            secrets={"cancel_link": self.claims.link(CANCEL_RECOVERY.name, text)},
        )
        return notice | Change(writes=(TICKETS.add(ticket),))


def summary(case: RecoveryCase) -> CaseSummary:
    """Answer what a case tells its owner, or an agent."""
    return CaseSummary(
        case=case.id,
        kind=case.kind.value,
        state=case.state.value,
        masked=mask(case.email) if case.email else "",
        earliest_at=case.earliest_at,
        expires_at=case.expires_at,
    )


def new_address(case: RecoveryCase) -> EmailAddress:
    """Answer the address that a case for a lost mailbox puts in force.

    Raises:
        Defect: It is a case of another kind.
    """
    if case.email is None:
        msg = f"case {case.id} has no new address"
        raise Defect(msg)
    return case.email


def _template(case: RecoveryCase, step: str) -> str:
    """Answer the text that tells of a step of a case."""
    return f"recovery.{'factor_' if case.kind is CaseKind.FACTOR else ''}case_{step}"


def proven_addresses(customer: Customer) -> tuple[EmailAddress, ...]:
    """Answer every proven address, whatever else it is for: a thief who takes a role away silences nobody."""
    return tuple(c.value for c in customer.contacts if is_verified(c) and isinstance(c.value, EmailAddress))
