"""Judging codes that were sent, as second steps and fresh proofs.

A code to a phone is something one has. A code to the mailbox slows down whoever tries stolen passwords, and proves no
more than the mailbox. Each counts for the half-done sign-in, or the session, that it was asked for in, and ends with
it.
[NIST SP 800-63B-4 3.1.3; OWASP ASVS 6.6]
"""

import attrs

from shopaccounts.kernel.assurance import KIND_OF, Method, Proof
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.limits import Wait
from shopaccounts.signin.answers import SentCodeAnswer
from shopaccounts.signin.authenticators import Factor, FactorKind
from shopaccounts.signin.codes.sending import SentCodes
from shopaccounts.signin.codes.sent import STEP
from shopaccounts.signin.errors import CodeExhausted
from shopaccounts.signin.factor_check import Proven, Tried, Wrong

__all__ = ["SentCodeProver"]


@attrs.frozen(kw_only=True)
class SentCodeProver:
    """Judges codes that were sent to a factor of the account, or to the mailbox that it signs in by.

    Args:
        factor_wait: How long a factor makes wait between guesses.
        mailbox_wait: How long the mailbox that signs in does.
    """

    desk: Desk
    codes: SentCodes
    factor_wait: Wait
    mailbox_wait: Wait

    def limit(self, tried: Tried, answer: SentCodeAnswer) -> tuple[str, Method, Wait]:
        """Answer the counter of the factor that is tried; without one, that of the mailbox that signs in."""
        factor = _factor(tried, answer)
        if factor is None:
            return tried.account, Method.EMAIL_CODE, self.mailbox_wait
        return f"{tried.account} {factor.id}", _method(factor), self.factor_wait

    async def prove(self, tried: Tried, answer: SentCodeAnswer) -> Proven | Wrong:
        """Judge a code; what it uses up is in the part.

        Raises:
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The handle is of no use here.
            CodeExhausted: No tries are left.
        """
        now, factor = self.desk.now(), _factor(tried, answer)
        sent = (await self.codes.find(STEP, answer.handle, bound=tried.bound)).it
        used = factor.id if factor else ""
        if sent.account != tried.account or sent.contact != _goes_to(tried, factor):
            return Wrong(used=used)
        judged = await self.codes.judge(sent, answer.code, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        if judged.verdict is Verdict.WRONG:
            return Wrong(used=used, part=judged.part)
        method = _method(factor)
        proof = Proof(method=method, kind=KIND_OF[method], at=now)
        own = tried.own
        if own is not None and factor is not None:
            own = own.with_factor(attrs.evolve(factor, last_used_at=now))
        return Proven(proof=proof, own=own, used=used, part=judged.part)


def _factor(tried: Tried, answer: SentCodeAnswer) -> Factor | None:
    factor = tried.own.factor(answer.factor) if tried.own and answer.factor else None
    return factor if factor and factor.contact is not None else None


def _goes_to(tried: Tried, factor: Factor | None) -> ContactId | None:
    """Answer the contact that codes of a factor go to; without one, the mailbox that signs in."""
    if factor is not None:
        return factor.contact
    email = tried.customer.sign_in_email
    contact = tried.customer.contact_with(email.kind, email.key) if email else None
    return contact.id if contact else None


def _method(factor: Factor | None) -> Method:
    return Method.SMS_CODE if factor is not None and factor.kind is FactorKind.SMS else Method.EMAIL_CODE
