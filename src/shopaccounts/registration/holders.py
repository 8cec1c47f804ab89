"""Whether whoever opened a link is who asked for it: the session that asked, or one that was signed in to just now."""

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, customer_of
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present, Where
from shopaccounts.kernel.errors import FreshSignInNeeded
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.passwords import PASSWORDS, PasswordRecord
from shopaccounts.signin import AUTHENTICATORS, Authenticators, SignInRequired

__all__ = ["Account", "Holders"]


@attrs.frozen(kw_only=True)
class Account:
    """An account as it is now; *here* is the session that acts for it, if there is one."""

    customer: Customer
    security: AccountSecurity
    here: Present | None = None
    password: PasswordRecord | None = None
    own: Authenticators | None = None

    @classmethod
    def of(cls, here: Present) -> "Account":
        """Answer the account that is signed in."""
        return cls(
            customer=customer_of(here),
            security=here.security,
            here=here,
            password=here[PASSWORDS],
            own=here[AUTHENTICATORS],
        )

    @property
    def where(self) -> Where | None:
        """Where whoever acts for it is; None without a session."""
        return self.here.where if self.here else None

    @property
    def guarded(self) -> Change:
        """Answer the part of a change that relies on nothing of this having moved."""
        return Change(guards=(CUSTOMERS.unchanged(self.customer), SECURITY.unchanged(self.security)))


@attrs.frozen(kw_only=True)
class Holders:
    """Looks who is behind a session value, where nobody needs to be."""

    doorkeeper: Doorkeeper

    async def session_of(
        self, account: AccountId, value: Secret[str] | None, context: RequestContext, operation: Operation
    ) -> Present | None:
        """Answer who is signed in, if it is *account* and their proofs are good enough for *operation*."""
        if value is None:
            return None
        try:
            here = await self.doorkeeper.present(value, context, operation)
        except (SignInRequired, FreshSignInNeeded):
            return None
        return here if here.account == account else None

    async def holder_of(
        self, account: AccountId, asked_by: str, value: Secret[str] | None, context: RequestContext
    ) -> Present | None:
        """Answer the session that asked (its public id is *asked_by*), or a fresh one of the account."""
        here = await self.session_of(account, value, context, Operation.MANAGE)
        if here is None or here.session == asked_by:
            return here
        return await self.session_of(account, value, context, Operation.CHANGE_CONTACTS)
