"""What the shop's own people may do, and on whose word.

A staff use-case takes the agent from its scope, asks the host what the agent may do, and wants a reason. Who may not is
told so without learning whether what was asked for exists. [OWASP ASVS 8.2]
"""

from datetime import datetime
from enum import Enum
from typing import Protocol

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.text import require_text

__all__ = ["AgentFacts", "Agents", "NoAgents", "OnDuty", "Permission", "Staff"]

MAX_REASON = 500


class Permission(Enum):
    """What an agent may be allowed to do."""

    END_SESSIONS = "sessions.end"
    START_RESET = "passwords.start_reset"
    FLAG_PASSWORD = "passwords.flag"  # noqa: S105  (the name of a permission)
    OPEN_ACCOUNTS = "registration.open"
    SUSPEND = "customers.suspend"
    CLOSE = "customers.close"
    CHECK_CONTACTS = "contacts.check"
    RECOVER = "recovery.help"
    IMPERSONATE = "signin.impersonate"
    CHANGE_PRICES = "subscriptions.change_prices"
    BILLING = "subscriptions.billing"
    HELP_WITH_CONTRACTS = "subscriptions.help"


@attrs.frozen(kw_only=True)
class AgentFacts:
    """What the host knows of an agent.

    Args:
        active: Whether the agent still works here.
        permissions: What the agent may do.
        level: How strongly the agent is signed in.
        authenticated_at: Since when.
    """

    active: bool
    permissions: frozenset[Permission]
    level: Level = Level.NONE
    authenticated_at: datetime | None = None


class Agents(Protocol):
    """The host's knowledge of its own people.

    Promises:
        1. An agent that is unknown, gone or signed out answers None or ``active=False``.
        2. What is answered is the present state, not that of the agent's sign-in.
        3. The accounts of the shop's own people are protected.
    """

    def facts(self, agent: str) -> Answer[AgentFacts | None]:
        """Answer what an agent may do now."""
        ...

    def is_protected(self, account: AccountId) -> Answer[bool]:
        """Tell whether an account is out of bounds for agents who act in a customer's place."""
        ...


class NoAgents:
    """For shops whose people use none of this."""

    def facts(self, agent: str) -> None:
        """Know nobody."""

    def is_protected(self, account: AccountId) -> bool:  # noqa: ARG002  (the port's signature)
        """Protect everybody."""
        return True


@attrs.frozen(kw_only=True)
class OnDuty:
    """An agent who may do what was asked for, and why they do it."""

    agent: str
    reason: str
    facts: AgentFacts


@attrs.frozen(kw_only=True)
class Staff:
    """Checks what agents want to do."""

    scope: Scope
    agents: Agents

    async def require(self, permission: Permission, reason: str) -> OnDuty:
        """Answer the agent who acts, if they may.

        Args:
            permission: What it takes.
            reason: Why they do it, up to 500 characters.

        Raises:
            Forbidden: Nobody, or somebody who may not.
            InvalidInput: No reason.
        """
        actor = self.scope.actor
        known = await self.known(actor)
        if known is None or permission not in known.permissions:
            raise Forbidden
        said = require_text(reason, "reason", cap=MAX_REASON)
        if not said.strip():
            raise InvalidInput(field="reason", reason="missing")
        return OnDuty(agent=actor.id, reason=said, facts=known)

    async def known(self, actor: Actor) -> AgentFacts | None:
        """Answer what an actor may do as an agent; None if they are none, or not any more."""
        facts = await got(self.agents.facts(actor.id)) if actor.kind is ActorKind.AGENT else None
        return facts if facts is not None and facts.active else None
