"""Second steps whose codes go to a contact, when that contact goes or another one takes its place.

* With a contact go the second steps that use it. So removing it asks for all that removing them asks for: one of the
  account's second steps was shown lately, a way in stays, and the password may be as short as it is.
* Where another contact takes the place of one, codes go there from then on, and back when that is taken back. So nobody
  is locked out by a change. A contact is a second step once: where the other one was one already, that one stays.
* A contact that comes back by itself is no second step any more.

[NIST SP 800-63B-4 4.2, 4.5]
"""

from collections.abc import Mapping

import attrs

from shopaccounts.customers import ContactPoint, Customer, Notices, customer_of
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.record import Change
from shopaccounts.passwords import PASSWORDS, PasswordPolicy
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators
from shopaccounts.signin.factors.withdrawing import Withdrawal, left_of, withdraw
from shopaccounts.signin.policy import StepUpPolicy
from shopaccounts.signin.reaching import Offered

__all__ = ["PointedSteps", "pointed_elsewhere"]


def pointed_elsewhere(own: Authenticators | None, moved: Mapping[ContactId, ContactId]) -> Authenticators | None:
    """Answer the row with codes going to other contacts.

    Args:
        own: What the account has enrolled.
        moved: Which contact takes the place of which.
    """
    if own is None:
        return None
    stays = {factor.contact for factor in own.factors if factor.contact and factor.contact not in moved}
    factors = []
    for factor in own.factors:
        to = moved.get(factor.contact) if factor.contact else None
        if to is None or to not in stays:
            factors.append(attrs.evolve(factor, contact=to or factor.contact))
        stays |= {to} if to else set()
    return attrs.evolve(own, factors=tuple(factors))


@attrs.frozen(kw_only=True)
class PointedSteps:
    """Takes second steps away together with the contact that their codes go to."""

    desk: Desk
    notices: Notices
    offered: Offered
    step_up: StepUpPolicy
    passwords: PasswordPolicy

    async def gone_with(self, here: Present, contact: ContactPoint, after: Customer) -> Withdrawal:
        """Answer what goes with a contact, and the word to the owner about it.

        Args:
            here: Who is signed in, and what they have enrolled.
            contact: What is removed.
            after: The customer without it.

        Raises:
            LastWayIn: Nothing else would open the account.
            FactorProtectsShortPassword: The last second step beyond e-mail would go, and the password is too short to
                open the account alone.
            FreshSignInNeeded: A second step would go, and none of the account's second steps was shown lately.
        """
        own, record, now = here[AUTHENTICATORS], here[PASSWORDS], self.desk.now()
        left = left_of(own, {contact.id})
        self.offered.check_way_stays(after, left, record)
        if own is None or left is None or left == own:
            return Withdrawal(part=Change(guards=(AUTHENTICATORS.unchanged(own),) if own else ()))
        rule = self.step_up.rules.get(Operation.CHANGE_FACTORS)
        self.offered.check_factor_shown(own, here.auth, rule, now)
        self.offered.check_password_suffices(own, left, record, self.passwords)
        key = f"signin.factor_removed {here.account} {own.version}"
        notice = await self.notices.about(customer_of(here), "signin.factor_removed", key, now, where=here.where)
        gone = withdraw(own, left, self.desk, now)
        return attrs.evolve(gone, part=gone.part | notice)
