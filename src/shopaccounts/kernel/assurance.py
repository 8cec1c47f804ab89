"""How sure we are that this is the customer: proofs, and the level they add up to.

Two proofs of different kinds, out of what one knows, has and is, make MULTI; two of one kind stay SINGLE. The mailbox
never adds to MULTI, since whoever reads it can do everything else with it too. A session never stands higher than its
proofs, and nothing that merely keeps it alive makes it higher or fresher. [NIST SP 800-63B-4 2.2, 5.1; OWASP ASVS 6.6]
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum, IntEnum

import attrs

from shopaccounts.kernel.errors import FreshSignInNeeded

__all__ = [
    "AuthContext",
    "Level",
    "Method",
    "Proof",
    "ProofKind",
    "Requirement",
    "SessionScope",
    "level_of",
    "require_level",
]


class Level(IntEnum):
    """How strongly somebody proved who they are."""

    NONE = 0
    SINGLE = 1
    MULTI = 2


class ProofKind(Enum):
    """What a proof rests on."""

    KNOWLEDGE = "knowledge"
    POSSESSION = "possession"
    INHERENCE = "inherence"
    MAILBOX = "mailbox"
    FEDERATED = "federated"


class Method(Enum):
    """How something was proven."""

    PASSWORD = "password"  # noqa: S105  (the name of a method)
    EMAIL_CODE = "email_code"
    EMAIL_LINK = "email_link"


class SessionScope(Enum):
    """What a session may be used for."""

    FULL = "full"
    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the name of a scope)
    CLOSING = "closing"


@attrs.frozen(kw_only=True)
class Proof:
    """One thing that was proven, and when."""

    method: Method
    kind: ProofKind
    at: datetime
    user_verified: bool = False
    strong: Level | None = None


@attrs.frozen(kw_only=True)
class AuthContext:
    """How a session came about."""

    proofs: tuple[Proof, ...]
    level: Level
    authenticated_at: datetime
    scope: SessionScope = SessionScope.FULL


@attrs.frozen(kw_only=True)
class Requirement:
    """What an operation asks for before it goes on."""

    level: Level
    max_age: timedelta


_FACTORS = frozenset({ProofKind.KNOWLEDGE, ProofKind.POSSESSION, ProofKind.INHERENCE})


def level_of(proofs: Iterable[Proof]) -> Level:
    """Answer the level that *proofs* add up to."""
    given = tuple(proofs)
    if not given:
        return Level.NONE
    kinds = {proof.kind for proof in given} & _FACTORS
    verified = any(proof.user_verified and proof.kind is ProofKind.POSSESSION for proof in given)
    mapped = any(proof.strong is Level.MULTI for proof in given)
    return Level.MULTI if len(kinds) > 1 or verified or mapped else Level.SINGLE


def require_level(auth: AuthContext, need: Requirement, can_reach: Level, now: datetime) -> None:
    """Check that a session's proofs are strong and fresh enough for an operation.

    The level asked is the lower of what the operation needs and what the account can reach.

    Raises:
        FreshSignInNeeded: Too weak, or older than ``need.max_age``.
    """
    asked = min(need.level, can_reach)
    if auth.level < asked or now - auth.authenticated_at > need.max_age:
        raise FreshSignInNeeded(int(asked), need.max_age)
