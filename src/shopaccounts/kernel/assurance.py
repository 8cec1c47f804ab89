"""How sure we are that this is the customer: proofs, and the level they add up to.

Two proofs of different kinds, out of what one knows, has and is, make MULTI; two of one kind stay SINGLE. The mailbox
never adds to MULTI, since whoever reads it can do everything else with it too. A session never stands higher than its
proofs, and nothing that merely keeps it alive makes it higher or fresher. [NIST SP 800-63B-4 2.2, 5.1; OWASP ASVS 6.6]
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.errors import Defect, FreshSignInNeeded

__all__ = [
    "BY_MAILBOX",
    "KIND_OF",
    "AuthContext",
    "Level",
    "Method",
    "Operation",
    "Proof",
    "ProofKind",
    "Requirement",
    "SessionScope",
    "WayIn",
    "level_of",
    "require_level",
    "would_do",
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
    SMS_CODE = "sms_code"
    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"
    PASSKEY = "passkey"
    PROVIDER = "provider"
    SECURITY_ANSWERS = "security_answers"


KIND_OF: Final[Mapping[Method, ProofKind]] = MappingProxyType(
    {
        Method.PASSWORD: ProofKind.KNOWLEDGE,
        Method.SECURITY_ANSWERS: ProofKind.KNOWLEDGE,
        Method.EMAIL_CODE: ProofKind.MAILBOX,
        Method.EMAIL_LINK: ProofKind.MAILBOX,
        Method.SMS_CODE: ProofKind.POSSESSION,
        Method.TOTP: ProofKind.POSSESSION,
        Method.RECOVERY_CODE: ProofKind.POSSESSION,
        Method.PASSKEY: ProofKind.POSSESSION,
        Method.PROVIDER: ProofKind.FEDERATED,
    }
)
"""What each method rests on; a provider may vouch for something else."""
BY_MAILBOX: Final = frozenset(method for method, kind in KIND_OF.items() if kind is ProofKind.MAILBOX)


class WayIn(Enum):
    """One way to open an account."""

    PASSWORD = "password"  # noqa: S105  (the name of a way)
    PASSKEY = "passkey"
    PROVIDER = "provider"
    EMAIL = "email"
    SMS = "sms"


class SessionScope(Enum):
    """What a session may be used for."""

    FULL = "full"
    ENROL_ONLY = "enrol_only"
    CLOSING = "closing"
    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the name of a task)


class Operation(Enum):
    """What a customer may want to do, as far as it takes different proofs.

    Args:
        LOOK: Seeing what is there; agents who act for customers may.
        SHOP: What agents who help may do as well.
        MANAGE: Deciding about one's account, as far as it takes no fresh proof; agents may not.
        SHIP_TO_NEW_ADDRESS: Having goods that a stored payment pays sent where nothing went before.
    """

    LOOK = "look"
    SHOP = "shop"
    MANAGE = "manage"
    END_SESSIONS = "end_sessions"
    REPLACE_PASSWORD = "replace_password"  # noqa: S105  (the name of an operation; the current one is asked for it)
    CHANGE_PASSWORD = "change_password"  # noqa: S105  (the name of an operation)
    CHANGE_CONTACTS = "change_contacts"
    CHANGE_FACTORS = "change_factors"
    TRUST_DEVICES = "trust_devices"
    LINK_PROVIDER = "link_provider"
    CHANGE_QUESTIONS = "change_questions"
    INVITE = "invite"
    RECOVER = "recover"
    CANCEL_RECOVERY = "cancel_recovery"
    CLOSE_ACCOUNT = "close_account"
    CANCEL_CLOSING = "cancel_closing"
    EXPORT_DATA = "export_data"
    CONFIRM_IDENTITY = "confirm_identity"
    SHIP_TO_NEW_ADDRESS = "ship_to_new_address"


@attrs.frozen(kw_only=True)
class Proof:
    """One thing that was proven, and when.

    Args:
        user_verified: Whether a passkey made sure of its user.
        strong: What a provider vouches for.
        identity: Which identity of the account a provider vouched for; the proof is worth nothing without it.
    """

    method: Method
    kind: ProofKind
    at: datetime
    user_verified: bool = False
    strong: Level | None = None
    identity: str | None = None


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


def require_level(
    auth: AuthContext, need: Requirement, can_reach: Level, now: datetime, methods: Iterable[Method] = ()
) -> None:
    """Check that a session's proofs are strong and fresh enough for an operation.

    The level asked is the lower of what the operation needs and what the account can reach. The age is that of the
    newest proof that counts for this level: a mailbox, which adds nothing to MULTI, doesn't refresh it either.

    Args:
        auth: How the session came about.
        need: What the operation needs.
        can_reach: The highest level that the account's ways in add up to.
        now: When it is asked.
        methods: With what the customer could prove it; whoever is refused is told.

    Raises:
        FreshSignInNeeded: Too weak, or ``need.max_age`` old.
    """
    asked = min(need.level, can_reach)
    newest = max((proof.at for proof in auth.proofs if _counts(proof, asked)), default=None)
    if auth.level < asked or newest is None or now - newest >= need.max_age:
        raise FreshSignInNeeded(int(asked), need.max_age, tuple(method.value for method in methods))


def would_do(proofs: Iterable[Proof], proof: Proof, asked: Level) -> bool:
    """Tell whether one more *proof* beside the earlier ones would reach a level."""
    return _counts(proof, asked) and level_of((*proofs, proof)) >= asked


def _counts(proof: Proof, asked: Level) -> bool:
    """Tell whether a proof adds to a level."""
    return asked < Level.MULTI or proof.kind in _FACTORS or _is_multi(proof)
