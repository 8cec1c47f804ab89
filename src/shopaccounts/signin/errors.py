"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = [
    "DeviceUnknown",
    "ImpersonationNotAllowed",
    "NotWhileImpersonating",
    "SessionUnknown",
    "SignInRefused",
    "SignInRequired",
    "TooManySessions",
    "WayNotOffered",
]


@attrs.frozen
class SignInRefused(Rejected):
    """That didn't open an account; it never says why."""

    code = "signin.refused"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class SignInRequired(Rejected):
    """Nobody is signed in here, or not for this."""

    code = "signin.required"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class SessionUnknown(Rejected):
    """The account has no such session."""

    code = "signin.session_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class TooManySessions(Rejected):
    """The account has as many sessions as it may have; one of them has to end first.

    Args:
        most: How many it may have.
    """

    code = "signin.too_many_sessions"
    kind = Kind.CONFLICT
    most: int


@attrs.frozen
class DeviceUnknown(Rejected):
    """The account knows no such device."""

    code = "signin.device_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class WayNotOffered(Rejected):
    """The shop doesn't offer this.

    Args:
        way: What was wanted.
    """

    code = "signin.way_not_offered"
    kind = Kind.FORBIDDEN
    way: str


@attrs.frozen
class NotWhileImpersonating(Rejected):
    """An agent who acts for a customer may not do this."""

    code = "signin.not_while_impersonating"
    kind = Kind.FORBIDDEN
    operation: str


@attrs.frozen
class ImpersonationNotAllowed(Rejected):
    """The agent may not act for this customer, or not now."""

    code = "signin.impersonation_not_allowed"
    kind = Kind.FORBIDDEN
    reason: str
