"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected

__all__ = ["SessionUnknown", "SignInRefused", "SignInRequired"]


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
