"""How sure we are that this is the customer: proofs, and the level they add up to.

Two proofs of different kinds, out of what one knows, has and is, make MULTI; two of one kind stay SINGLE. The mailbox
never adds to MULTI, since whoever reads it can do everything else with it too. A session never stands higher than its
proofs, and nothing that merely keeps it alive makes it higher or fresher. [NIST SP 800-63B-4 2.2, 5.1; OWASP ASVS 6.6]
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import Enum, IntEnum

import attrs

from shopaccounts.kernel.errors import Defect, FreshSignInNeeded

__all__ = [
    "AuthContext",
    "Level",
    "Method",
    "Operation",
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
    SECURITY_ANSWERS = "security_answers"


class SessionScope(Enum):
    """What a session may be used for."""

    FULL = "full"
    CLOSING = "closing"
    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the name of a task)


class Operation(Enum):
    """What a customer may want to do, as far as it takes different proofs.

    Args:
        LOOK: Seeing what is there; agents who act for customers may.
        SHOP: What agents who help may do as well.
        MANAGE: Deciding about one's account, as far as it takes no fresh proof; agents may not.
    """

    LOOK = "look"
    SHOP = "shop"
    MANAGE = "manage"
    END_SESSIONS = "end_sessions"
    REPLACE_PASSWORD = "replace_password"  # noqa: S105  (the name of an operation; the current one is asked for it)
    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the name of an operation)
    CHANGE_CONTACTS = "change_contacts"
    CHANGE_QUESTIONS = "change_questions"
    INVITE = "invite"
    RECOVER = "recover"
    CANCEL_RECOVERY = "cancel_recovery"
    CLOSE_ACCOUNT = "close_account"
    CANCEL_CLOSING = "cancel_closing"
    EXPORT_DATA = "export_data"
    CONFIRM_IDENTITY = "confirm_identity"


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
    """How a session came about.

    Raises:
        Defect: A level that the proofs don't add up to.
    """

    proofs: tuple[Proof, ...]
    level: Level
    authenticated_at: datetime
    scope: SessionScope = SessionScope.FULL

    def __attrs_post_init__(self) -> None:
        if self.level > level_of(self.proofs):
            msg = f"a session of level {self.level.name} whose proofs don't reach it"
            raise Defect(msg)


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
    return Level.MULTI if len(kinds) > 1 or any(_is_multi(proof) for proof in given) else Level.SINGLE


def _is_multi(proof: Proof) -> bool:
    """Tell whether one proof is as good as two: a verified user's key, or a provider that vouches for both."""
    if proof.kind is ProofKind.FEDERATED:
        return proof.strong is Level.MULTI
    return proof.kind is ProofKind.POSSESSION and proof.user_verified


def require_level(auth: AuthContext, need: Requirement, can_reach: Level, now: datetime) -> None:
    """Check that a session's proofs are strong and fresh enough for an operation.

    The level asked is the lower of what the operation needs and what the account can reach. The age is that of the
    newest proof that counts for this level: a mailbox, which adds nothing to MULTI, doesn't refresh it either.

    Raises:
        FreshSignInNeeded: Too weak, or ``need.max_age`` old.
    """
    asked = min(need.level, can_reach)
    counting = (p.at for p in auth.proofs if asked < Level.MULTI or p.kind in _FACTORS or _is_multi(p))
    newest = max(counting, default=None)
    if auth.level < asked or newest is None or now - newest >= need.max_age:
        raise FreshSignInNeeded(int(asked), need.max_age)
