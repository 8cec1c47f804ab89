"""Apps as second steps: what one is set up with, and its first code."""

from typing import Final

import attrs

from shopaccounts.customers import Customer, customer_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.signin.authenticators import Factor, FactorKind
from shopaccounts.signin.errors import CodeWrong, EnrolmentEnded
from shopaccounts.signin.factor_policy import AccountName, TotpPolicy
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.factors.enrolling import ENROLMENT_LIFE, account_name, begun, check_may_enrol, waiting
from shopaccounts.signin.factors.model import TotpStarted
from shopaccounts.signin.factors.ports import QrCode
from shopaccounts.signin.factors.proving import TotpSecrets
from shopaccounts.signin.factors.totp import otpauth_uri, secret_text
from shopaccounts.signin.throttling import Attempts

__all__ = ["TotpFactors"]

_BITS_OF_A_BYTE: Final = 8


@attrs.frozen(kw_only=True)
class TotpFactors:
    """Begins and confirms apps."""

    desk: Desk
    changes: FactorChanges
    secrets: TotpSecrets
    qr: QrCode
    attempts: Attempts
    wait: Wait
    policy: TotpPolicy
    storefront: Storefront

    async def begin(self, here: Present, label: str) -> TotpStarted:
        """Draw a secret and let it wait for its first code.

        Raises:
            WayNotOffered: The shop doesn't offer apps.
            EnrolmentNeedsVerifiedContact: Nothing of the account is proven.
            TooManyFactors: The account has as many as it may have.
        """
        customer, own, now = customer_of(here), self.changes.own(here), self.desk.now()
        check_may_enrol(customer, own, FactorKind.TOTP, self.changes.policy)
        secret = Secret(self.desk.entropy.raw(self.policy.secret_bits // _BITS_OF_A_BYTE))
        id = self.desk.entropy.token(128)
        kept = await self.secrets.keep(secret, here.account, id)
        factor = Factor(id=id, kind=FactorKind.TOTP, label=label, created_at=now, totp=kept)
        await self.desk.record(self.changes.write(here, begun(own, factor, now)))
        uri = otpauth_uri(secret, self.storefront.name, self._name(customer, label), self.policy.parameters)
        return TotpStarted(
            factor=id,
            secret=secret_text(secret),
            uri=uri,
            qr=await got(self.qr.svg(uri)),
            expires_at=now + ENROLMENT_LIFE,
        )

    def waiting(self, here: Present) -> Factor:
        """Answer the app that waits for its first code.

        Raises:
            EnrolmentEnded: None does, or it waited too long.
            WayNotOffered, EnrolmentNeedsVerifiedContact, TooManyFactors: As ``begin``.
        """
        own = self.changes.own(here)
        factor = waiting(own, self.desk.now())
        if factor.kind is not FactorKind.TOTP:
            raise EnrolmentEnded
        check_may_enrol(customer_of(here), own, FactorKind.TOTP, self.changes.policy)
        return factor

    async def charge(self, here: Present, factor: Factor, context: RequestContext) -> str:
        """Charge one try at a code; answer whose counter that is.

        Raises:
            Throttled: Too many tries.
            TryLater: The counters are not available.
        """
        subject, now = f"{here.account} {factor.id}", self.desk.now()
        await self.attempts.charge(subject, context.network, now, authenticator=Method.TOTP, rule=self.wait)
        return subject

    async def judge(self, here: Present, factor: Factor, code: str, context: RequestContext) -> Factor:
        """Answer the app after its first code was used.

        Raises:
            CodeWrong: That isn't what the app should show.
        """
        now = self.desk.now()
        used = await self.secrets.judge(here.account, factor, code, now)
        if isinstance(used, Factor):
            return used
        await self.attempts.failed(context.network, now)
        raise CodeWrong

    def _name(self, customer: Customer, label: str) -> str:
        chosen = label if self.policy.account_name is AccountName.CHOSEN else ""
        return chosen or account_name(customer)
