"""How the library says no.

Three families, told apart by who has to act:

``Rejected``
    The business says no. The customer or clerk can read why and do something else.
``Conflict``
    Somebody else was faster. Load again and decide again.
``Unavailable``
    A store or service did not answer. Nothing is known to be wrong; try later.
``Defect``
    A programmer has to act: a bad policy, an adapter that broke its contract.

Every ``Rejected`` has a stable ``code`` and a ``kind``. Hosts map the seven kinds to their protocol, not each class.
"""

from datetime import timedelta
from enum import Enum
from typing import ClassVar

import attrs

__all__ = [
    "BadPolicy",
    "Conflict",
    "Defect",
    "Forbidden",
    "FreshSignInNeeded",
    "InsecureTransport",
    "InvalidInput",
    "KeyReused",
    "Kind",
    "OutcomeUnknown",
    "Rejected",
    "StaleWrite",
    "Taken",
    "Throttled",
    "TryLater",
    "Unavailable",
]


class Kind(Enum):
    """What a host tells the caller's side; RFC 9110 gives each one status code."""

    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    THROTTLED = "throttled"
    GONE = "gone"


class Rejected(Exception):  # noqa: N818  (a rejection names the situation: ResetLinkExpired)
    """The business says no; subclasses carry their facts as typed fields.

    ``code`` is unique and never reused; it is also the id of the message that words the rejection for people.
    """

    code: ClassVar[str]
    kind: ClassVar[Kind]

    def __str__(self) -> str:
        return self.code


class Conflict(Exception):  # noqa: N818  (see Rejected)
    """Somebody else was faster: load again, decide again."""


class Defect(Exception):  # noqa: N818  (see Rejected)
    """A programmer has to act; never shown to customers."""


class BadPolicy(Defect):
    """A policy whose values contradict each other or a rule of security; raised at start-up."""


class Unavailable(Exception):  # noqa: N818  (see Rejected)
    """A store or service did not answer.

    Args:
        reason: A stable key such as ``connection_lost``, ``lock_timeout``, ``disk_full``; never a driver's text.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutcomeUnknown(Unavailable):
    """The connection broke during the commit: the change is stored or it is not."""

    def __init__(self) -> None:
        super().__init__("outcome_unknown")


@attrs.frozen
class StaleWrite(Conflict):
    """What the decision was based on has moved since; nothing was stored."""

    kind: str
    id: str


@attrs.frozen
class Taken(Conflict):
    """A unique key is held by somebody else; nothing was stored.

    ``field`` is the logical name of the key and all that is told about its holder.
    """

    field: str


@attrs.frozen
class InvalidInput(Rejected):
    """An argument is of the wrong type, too long or holds characters that may not be there."""

    code = "kernel.invalid_input"
    kind = Kind.INVALID
    field: str
    reason: str = "type"


@attrs.frozen
class Forbidden(Rejected):
    """The actor may not do this; says nothing about whether the object exists."""

    code = "kernel.forbidden"
    kind = Kind.FORBIDDEN


@attrs.frozen
class InsecureTransport(Rejected):
    """A secret would have travelled over an unencrypted connection."""

    code = "kernel.insecure_transport"
    kind = Kind.FORBIDDEN


@attrs.frozen
class KeyReused(Rejected):
    """The request key was used before with another content."""

    code = "kernel.key_reused"
    kind = Kind.CONFLICT
    namespace: str


@attrs.frozen
class Throttled(Rejected):
    """Too many tries; the next one is judged after ``retry_after``."""

    code = "kernel.throttled"
    kind = Kind.THROTTLED
    retry_after: timedelta


@attrs.frozen
class TryLater(Rejected):
    """Something the decision needs did not answer, so the decision is no."""

    code = "kernel.try_later"
    kind = Kind.THROTTLED
    retry_after: timedelta = timedelta(seconds=1)


@attrs.frozen
class FreshSignInNeeded(Rejected):
    """The session's proof is too old or too weak for this operation.

    Args:
        level: The level that is asked for.
        max_age: How old its newest proof may be.
        methods: With what the customer can prove it, each by itself.
    """

    code = "kernel.fresh_sign_in_needed"
    kind = Kind.UNAUTHENTICATED
    level: int
    max_age: timedelta
    methods: tuple[str, ...] = ()
