"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.passwords.model import Finding

__all__ = [
    "FactorProtectsShortPassword",
    "NoOtherWayIn",
    "NoPassword",
    "PasswordAlreadySet",
    "PasswordUnacceptable",
    "WrongPassword",
]


@attrs.frozen
class PasswordUnacceptable(Rejected):
    """The new password won't do; each finding says why and what would help."""

    code = "passwords.unacceptable"
    kind = Kind.INVALID
    findings: tuple[Finding, ...]


@attrs.frozen
class WrongPassword(Rejected):
    """That is not the current password; says nothing about whether there is one."""

    code = "passwords.wrong_password"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class FactorProtectsShortPassword(Rejected):
    """The last second factor can't go, since the password is too short to open the account alone.

    ``min`` is the length, in characters, of a password that could.
    """

    code = "passwords.factor_protects_short_password"
    kind = Kind.CONFLICT
    min: int


@attrs.frozen
class NoOtherWayIn(Rejected):
    """The password can't go, since nothing else would open the account."""

    code = "passwords.no_other_way_in"
    kind = Kind.CONFLICT


@attrs.frozen
class NoPassword(Rejected):
    """There is no password here to remove or to flag."""

    code = "passwords.none"
    kind = Kind.NOT_FOUND


@attrs.frozen
class PasswordAlreadySet(Rejected):
    """The account has a password; it is changed with the current one, or replaced by a reset."""

    code = "passwords.already_set"
    kind = Kind.CONFLICT
