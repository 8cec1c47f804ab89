"""What somebody who lost the mailbox can show: what their session proved, the code, the link, the browser."""

import attrs

from shopaccounts.customers import CUSTOMERS, ContactPoint, is_stale
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Operation
from shopaccounts.kernel.codes import Verdict, answer_challenge
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import Purpose, peek, read_selector, selector_in
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.recovery.cases import (
    CASE_CODE,
    CASES,
    RECOVER_MAILBOX,
    RECOVERY_HOLDER,
    RecoveryCase,
    as_of,
    check_completable,
)
from shopaccounts.recovery.errors import ResetLinkInvalid, ResetLinkStale
from shopaccounts.recovery.policy import CasePolicy
from shopaccounts.recovery.proof_sets import (
    CaseKind,
    Shown,
    quickest,
    recovery_addresses,
    shown_by,
    vouching_phone,
)
from shopaccounts.registration import Account, ChangeNotPossible, CodeExhausted, CodeWrong, contact_in_force
from shopaccounts.signin import (
    Attempts,
    CodeSent,
    SentCodeAnswer,
    SentCodes,
    WayNotOffered,
    read_answer,
)
from shopaccounts.signin import CodeExhausted as SentCodeExhausted
from shopaccounts.signin import CodeWrong as SentCodeWrong

__all__ = ["CaseProofs"]


@attrs.frozen(kw_only=True)
class CaseProofs:
    """Looks what is shown, and whether it is enough."""

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    keyring: Keyring
    attempts: Attempts
    codes: SentCodes
    phones: Phones
    policy: CasePolicy

    async def present(self, value: Secret[str], context: RequestContext) -> Present:
        """Answer who is freshly signed in.

        Raises:
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may.
        """
        return await self.doorkeeper.present(value, context, Operation.RECOVER)

    def code_to(self, here: Present, email: EmailAddress) -> tuple[EmailAddress, ...]:
        """Answer the recovery addresses that vouch; none if the session does.

        Raises:
            ChangeNotPossible: There is no address to be replaced, or it is this one.
            ProofsMissing: Nothing vouches.
        """
        now, customer = self.desk.now(), Account.of(here).customer
        lost = contact_in_force(customer, ContactKind.EMAIL)
        if lost is None or lost.key == email.login_key:
            raise ChangeNotPossible("in_force" if lost else "none")
        known = recovery_addresses(customer, lost, self.policy, now)
        could = shown_by(here.auth, self.policy, now) | ({Shown.RECOVERY_ADDRESS} if known else set())
        by_phone = {Shown.PHONE_CODE} if self._phone(here) else set()
        wanted, _ = quickest(CaseKind.MAILBOX, could | by_phone, self.policy)
        return () if Shown.TWO_FACTORS in wanted.shown else known

    async def charge_message(self, here: Present, context: RequestContext) -> None:
        """Charge one message to the phone that vouches.

        Raises:
            WayNotOffered: None does.
            Throttled, TryLater, CountryNotServed: It can't be sent now, or not there.
        """
        point = self._phone(here)
        if point is None:
            raise WayNotOffered(Channel.SMS.value)
        await self.codes.charge(point.value, context)

    async def send(self, here: Present, context: RequestContext) -> tuple[CodeSent, Change]:
        """Answer a code that is on its way to the phone that vouches, and what is recorded."""
        point, account = self._phone(here), Account.of(here)
        if point is None:
            raise WayNotOffered(Channel.SMS.value)
        bound = f"session {here.session}"
        sent, part = await self.codes.send_to(point, account.customer, account.security, CASE_CODE, bound, context)
        return sent, part | account.guarded

    async def by_phone(self, here: Present, answer: SentCodeAnswer | None) -> tuple[frozenset[Shown], Change]:
        """Answer what a code to the phone shows, and the part of a change that uses it up.

        Raises:
            CodeWrong, CodeExhausted: That isn't the code; that is on record.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: Its handle is of no use here.
        """
        if answer is None:
            return frozenset(), Change()
        typed, now = require_text(answer.code, "code", printable=False), self.desk.now()
        sent = (await self.codes.find(CASE_CODE, answer.handle, bound=f"session {here.session}")).it
        judged = await self.codes.judge(sent, typed, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise SentCodeExhausted
        if judged.verdict is Verdict.WRONG:
            await self.desk.record(judged.part)
            raise SentCodeWrong(judged.tries_left)
        point = self._phone(here)
        return frozenset({Shown.PHONE_CODE} if point and point.id == sent.contact else ()), judged.part

    def _phone(self, here: Present) -> ContactPoint | None:
        """Answer the phone that vouches, if the shop can write to it and it was used not too long ago."""
        now = self.desk.now()
        point = vouching_phone(Account.of(here).customer, self.policy.mailbox_by_phone, now)
        if point is None or Channel.SMS not in self.phones.channels:
            return None
        return None if is_stale(point, self.phones.policy.stale_after, now) else point

    async def charged(
        self, value: Secret[str], code: str | None, context: RequestContext, phone: SentCodeAnswer | None
    ) -> str | None:
        """Charge one try at each code that was typed; answer that of the recovery address."""
        typed = None if code is None else require_text(code, "code", printable=False)
        if phone is not None:
            if not isinstance(read_answer(phone), SentCodeAnswer):
                raise InvalidInput(field="phone", reason="type")
            here = await self.present(value, context)
            await self.attempts.charge(
                here.account, context.network, self.desk.now(), authenticator=Method.SMS_CODE, rule=self.policy.waits
            )
        if typed is None:
            return None
        here = await self.present(value, context)
        await self.attempts.charge(
            here.account, context.network, self.desk.now(), authenticator=Method.EMAIL_CODE, rule=self.policy.waits
        )
        return typed

    async def request(self, here: Present, token: Secret[str]) -> RecoveryCase:
        """Answer the request that a link to the new address leads to, if it may still be opened.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: It may not.
        """
        selector, now = read_selector(token, RECOVER_MAILBOX), self.desk.now()
        found = await got(self.records.find(CASES, selector, bring=(CASES.newest("asked", via="asked"),)))
        peek(found.it.link if found else None, token, RECOVER_MAILBOX, here.security.stamps, now)
        if found is None or found.it.account != here.account:
            raise ResetLinkInvalid
        newest = found[CASES]
        if newest is not None and newest.id != found.it.id:
            raise ResetLinkStale(RECOVER_MAILBOX.name)
        return found.it

    async def answered(
        self, here: Present, was: RecoveryCase, case: RecoveryCase, typed: str | None
    ) -> tuple[RecoveryCase, frozenset[Shown]]:
        """Answer the case with its code answered, and all that is shown.

        Raises:
            CodeWrong, CodeExhausted: A code was typed that isn't it; that is on record.
        """
        now = self.desk.now()
        shown = shown_by(here.auth, self.policy, now)
        if typed is None or case.challenge is None:
            return case, shown
        key = await got(self.keyring.key(Ring.CODES, case.challenge.key_id))
        judged = answer_challenge(case.challenge, typed, key.secret, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        if judged.verdict is Verdict.WRONG:
            counted = attrs.evolve(was, challenge=judged.challenge)
            await self.desk.record(Change(writes=(CASES.change(was, counted),)))
            raise CodeWrong(judged.tries_left)
        return attrs.evolve(case, challenge=judged.challenge), shown | {Shown.RECOVERY_ADDRESS}

    async def completable(self, here: Present, proof: Secret[str]) -> tuple[RecoveryCase, RecoveryCase]:
        """Answer the case that a handle or link leads to, as it is stored and as it is, if it can be completed.

        Raises:
            CaseNotReady, CaseClosed: It can't.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The handle or link is of no use.
        """
        (purpose, selector), now = read_proof(proof), self.desk.now()
        found = await got(self.records.find(CASES, selector))
        if found is None or found.it.account != here.account:
            raise ResetLinkInvalid
        case = as_of(found.it, here[CUSTOMERS], here.security, now)
        ticket = case.holder if purpose is RECOVERY_HOLDER else case.link
        if case.is_open:
            peek(ticket, proof, purpose, here.security.stamps, now)
        check_completable(case)
        return found.it, case


def read_proof(proof: Secret[str]) -> tuple[Purpose, str]:
    """Answer what somebody completes a case with, a handle or a link, and its selector.

    Raises:
        InvalidInput: Not even a secret text, or longer than any.
        ResetLinkInvalid: It is neither.
    """
    purpose = RECOVERY_HOLDER if selector_in(proof, RECOVERY_HOLDER) else RECOVER_MAILBOX
    return purpose, read_selector(proof, purpose)
