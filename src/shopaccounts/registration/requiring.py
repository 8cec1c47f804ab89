"""Whether a visitor may do something as they are, is offered an account, or needs one.

Only an account that is in use counts: who waits for the proof of an address has none yet.
"""

import attrs

from shopaccounts.customers import AccountStatus, Customer
from shopaccounts.registration.policy import AccountAction, AccountNeed, AccountRequirementPolicy

__all__ = ["AccountNeeded", "Allowed", "OfferAccount", "needs_account"]


@attrs.frozen
class Allowed:
    """Go on."""


@attrs.frozen
class OfferAccount:
    """Go on, and offer an account: it would serve the visitor."""


@attrs.frozen
class AccountNeeded:
    """Sign in or open an account first."""


def needs_account(
    action: AccountAction, subject: Customer | None, policy: AccountRequirementPolicy
) -> Allowed | OfferAccount | AccountNeeded:
    """Answer whether a visitor may do something without an account.

    Args:
        action: What the visitor wants to do.
        subject: Who is signed in; None for a guest.
        policy: What needs an account in this shop.
    """
    has_account = subject is not None and subject.status is AccountStatus.ACTIVE
    need = policy.need(action)
    if has_account or need is AccountNeed.NEVER:
        return Allowed()
    return AccountNeeded() if need is AccountNeed.REQUIRED else OfferAccount()
