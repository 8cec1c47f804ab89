"""Changing what an account proves itself with: who may, and all that happens with it.

One change adds or removes the second step, ends the account's other sessions, gives this one a new value, and tells the
owner. Nothing of it happens without the rest. A session that was opened for enrolling alone ends too.
[NIST SP 800-63B-4 4.1.2.1, 4.6; OWASP ASVS 7.4.3]
"""

from collections.abc import Collection

import attrs

from shopaccounts.customers import CUSTOMERS, Notices, customer_of
from shopaccounts.kernel.assurance import Operation, SessionScope
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, Doorkeeper, NextValue, Present
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.record import Bring, Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators, Factor, FactorKind
from shopaccounts.signin.events import FactorEnrolled
from shopaccounts.signin.factor_policy import SecondFactorPolicy
from shopaccounts.signin.factors.enrolling import confirmed, has_more_than_email
from shopaccounts.signin.factors.model import FactorEnrolment
from shopaccounts.signin.factors.proving import RecoveryCodeSets
from shopaccounts.signin.reaching import Offered

__all__ = ["FactorChanges"]


@attrs.frozen(kw_only=True)
class FactorChanges:
    """What every change of second steps has in common, passkeys among them."""

    desk: Desk
    doorkeeper: Doorkeeper
    notices: Notices
    codes: RecoveryCodeSets
    policy: SecondFactorPolicy
    offered: Offered

    async def may_change(
        self,
        value: Secret[str],
        context: RequestContext,
        bring: tuple[Bring, ...] = (),
        scopes: Collection[SessionScope] = FULL_ONLY,
    ) -> Present:
        """Answer who is signed in, if they may change what the account proves itself with.

        Raises:
            SignInRequired: The value opens nothing, or not this.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self.doorkeeper.present(value, context, Operation.CHANGE_FACTORS, bring, scopes)

    def own(self, here: Present) -> Authenticators:
        """Answer what the account has enrolled, which may be nothing yet."""
        return here[AUTHENTICATORS] or Authenticators(id=here.account, realm=self.desk.scope.realm)

    def write(self, here: Present, after: Authenticators) -> Change:
        """Answer the part of a change that keeps *after* as what the account has enrolled."""
        was = here[AUTHENTICATORS]
        return Change(writes=(AUTHENTICATORS.change(was, after) if was else AUTHENTICATORS.add(after),))

    async def enrol(self, here: Present, factor: Factor, part: Change | None = None) -> FactorEnrolment:
        """Record a factor whose first value was right.

        Args:
            here: Who is signed in, and what they have enrolled.
            factor: The factor, after this use.
            part: What else that value uses up.
        """
        now, own = self.desk.now(), self.own(here)
        after, shown = await self.with_recovery_codes(own, confirmed(own, factor, now))
        told = FactorEnrolled(at=now, account=here.account, factor=factor.id, kind=factor.kind.value)
        next_value, dropped, handed = self.after_enrolling(here)
        await self.record(here, after, told, "signin.factor_enrolled", handed | (part or Change()))
        return FactorEnrolment(
            factor=factor.id,
            recovery_codes=shown,
            next_value=next_value,
            clear_cookies=dropped,
        )

    async def with_recovery_codes(
        self, was: Authenticators, after: Authenticators
    ) -> tuple[Authenticators, tuple[Secret[str], ...]]:
        """Answer *after* with fresh recovery codes, and these to be shown, if it has the first step beyond e-mail."""
        is_first = has_more_than_email(after) and not has_more_than_email(was)
        if not is_first or not self.policy.offers(FactorKind.RECOVERY_CODES):
            return after, ()
        drawn = await self.codes.draw(after.id, self.desk.now())
        return attrs.evolve(after, recovery_codes=drawn.kept), drawn.shown

    def after_enrolling(self, here: Present) -> tuple[NextValue | None, tuple[ClearCookie, ...], Change]:
        """Answer how a session goes on in which something was enrolled, what its browser drops, and what is recorded.

        One that was opened for enrolling alone has done its work, and ends with all others.
        """
        if here.auth.scope in FULL_ONLY:
            next_value, handed = self.go_on(here)
            return next_value, (), handed
        ended = SECURITY.change(here.security, here.security.bump(Stamp.FACTORS))
        return None, (ClearCookie(SESSION_COOKIE),), Change(writes=(ended,))

    def go_on(self, here: Present, *stamps: Stamp) -> tuple[NextValue, Change]:
        """Answer how this session goes on, and the part of a change that ends the others.

        Args:
            here: Who is signed in.
            stamps: What has moved besides the second steps.
        """
        moving = (Stamp.FACTORS, *stamps) if self.policy.end_other_sessions else stamps
        security = here.security.bump(*moving) if moving else here.security
        return self.doorkeeper.hand_on(here, security, self.desk.now())

    async def record(self, here: Present, after: Authenticators, told: Event, template: str, part: Change) -> None:
        """Record what happened with its notice.

        Args:
            here: Who is signed in.
            after: What the account has enrolled from now on.
            told: What happened.
            template: The text of the notice.
            part: What happens to sessions, and whatever else is stored with it.
        """
        now, customer, was = self.desk.now(), customer_of(here), here[AUTHENTICATORS]
        key = f"{template} {here.account} {was.version if was else 0}"
        notice = await self.notices.about(customer, template, key, now, where=here.where)
        common = Change(guards=(CUSTOMERS.unchanged(customer),), events=self.desk.tell(told))
        await self.desk.record(self.write(here, after) | part | common | notice)
