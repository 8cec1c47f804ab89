"""An agent sees the shop as a customer does: for a short while, in the open, never in the customer's name.

* Only an agent whose right and strong, fresh sign-in the host vouches for; one customer at a time, never from within.
* Only an active account that isn't protected.
* Half an hour, whatever happens; nothing makes it longer.
* It proves nothing: its level is none. It looks, or helps with what a shop assistant may help with, and never touches
  what decides who gets in, what was agreed, or money.
* It ends at once when the agent may no longer, and with all sessions of the account. The customer hears of it.

[OWASP ASVS 8.2, 8.3; NIST SP 800-63B-4 5.1]
"""

from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Level, Operation
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import described, impersonal
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.staff import AgentFacts
from shopaccounts.signin.errors import ImpersonationNotAllowed
from shopaccounts.signin.model import Acting, ActingScope
from shopaccounts.signin.policy import ImpersonationPolicy

__all__ = ["IMPERSONATIONS", "Impersonated", "Outcome", "ended", "is_over", "may_act", "may_while_acting"]

_MAY: Final = MappingProxyType(
    {
        ActingScope.READ_ONLY: frozenset({Operation.LOOK}),
        ActingScope.ASSIST: frozenset({Operation.LOOK, Operation.SHOP}),
    }
)


class Outcome(Enum):
    """How it ended."""

    ENDED_BY_AGENT = "ended_by_agent"
    OVER = "over"


@described(data_class="security", default=impersonal("ids, times, states"))
@attrs.frozen(kw_only=True)
class Impersonated:
    """One time that an agent acted for a customer.

    Args:
        id: The public id of the session.
        account: Whose account.
        acting: Who, why, and how far.
        until: When it ends at the latest.
        outcome: How it ended; None while it lasts.
    """

    id: str
    realm: RealmId
    version: int = 1
    account: AccountId
    acting: Acting
    started_at: datetime
    until: datetime
    outcome: Outcome | None = None
    ended_at: datetime | None = None


IMPERSONATIONS = Book(
    name="impersonations",
    of=Impersonated,
    unique={"impersonating": lambda i: () if i.outcome else (i.acting.agent,)},
    groups={"account": lambda i: i.account},
    order=lambda i: i.started_at,
    due=lambda i: None if i.outcome else i.until,
    keep_until=lambda i: i.until,
)


def may_while_acting(acting: Acting | None, operation: Operation) -> bool:
    """Tell whether a session allows an operation as far as it is an agent's."""
    return acting is None or operation in _MAY[acting.scope]


def may_act(facts: AgentFacts, scope: ActingScope, policy: ImpersonationPolicy, now: datetime) -> None:
    """Check that an agent may begin.

    Raises:
        ImpersonationNotAllowed: The shop doesn't offer it, or the agent's own sign-in is too weak or too old.
    """
    if scope not in policy.scopes:
        raise ImpersonationNotAllowed(reason="not_offered")
    signed_in = facts.authenticated_at
    if facts.level < Level.MULTI or signed_in is None or now - signed_in >= policy.agent_signed_in_within:
        raise ImpersonationNotAllowed(reason="sign_in_too_weak")


def is_over(one: Impersonated, now: datetime) -> bool:
    """Tell whether it has ended, whether or not anybody has written so."""
    return one.outcome is not None or now >= one.until


def ended(one: Impersonated, outcome: Outcome, now: datetime) -> Impersonated:
    """Answer it ended."""
    return attrs.evolve(one, outcome=outcome, ended_at=min(now, one.until))
