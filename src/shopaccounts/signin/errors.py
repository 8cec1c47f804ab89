"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "CodeExhausted",
    "CodeWrong",
    "DeviceUnknown",
    "EnrolmentEnded",
    "EnrolmentNeedsVerifiedContact",
    "FactorUnknown",
    "ImpersonationNotAllowed",
    "LastWayIn",
    "NotWhileImpersonating",
    "PasskeyRefused",
    "PasskeyTaken",
    "PasskeyUnknown",
    "ProgressEnded",
    "SessionUnknown",
    "SignInLinkExpired",
    "SignInLinkInvalid",
    "SignInLinkStale",
    "SignInLinkUsed",
    "SignInRefused",
    "SignInRequired",
    "TooManyFactors",
    "TooManyPasskeys",
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


@attrs.frozen
class LastWayIn(Rejected):
    """Nothing else would open the account."""

    code = "signin.last_way_in"
    kind = Kind.CONFLICT


@attrs.frozen
class CodeWrong(Rejected):
    """That isn't it.

    Args:
        tries_left: How many answers are left, where whoever answers may know.
    """

    code = "signin.code_wrong"
    kind = Kind.UNAUTHENTICATED
    tries_left: int | None = None


@attrs.frozen
class ProgressEnded(Rejected):
    """The half-done sign-in is over; it begins anew with the first step."""

    code = "signin.progress_ended"
    kind = Kind.UNAUTHENTICATED


@attrs.frozen
class FactorUnknown(Rejected):
    """The account has no such second step."""

    code = "signin.factor_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class PasskeyRefused(Rejected):
    """What the browser answered isn't believed.

    Args:
        reason: Why: ``over`` (the question is), ``form``, ``type``, ``challenge``, ``origin``, ``cross_origin``,
            ``relying_party``, ``user_presence``, ``user_verification``, ``backup_state``, ``algorithm``, ``key``,
            ``attestation``, ``signature``, ``user_handle`` or ``counter``.
    """

    code = "signin.passkey_refused"
    kind = Kind.UNAUTHENTICATED
    reason: str


@attrs.frozen
class PasskeyTaken(Rejected):
    """That passkey belongs to an account already."""

    code = "signin.passkey_taken"
    kind = Kind.CONFLICT


@attrs.frozen
class PasskeyUnknown(Rejected):
    """The account has no such passkey."""

    code = "signin.passkey_unknown"
    kind = Kind.NOT_FOUND


@attrs.frozen
class TooManyPasskeys(Rejected):
    """The account has as many passkeys as it may have; one of them has to go first.

    Args:
        most: How many it may have.
    """

    code = "signin.too_many_passkeys"
    kind = Kind.CONFLICT
    most: int


@attrs.frozen
class CodeExhausted(Rejected):
    """There were too many wrong codes; another one has to be asked for from the start."""

    code = "signin.code_exhausted"
    kind = Kind.UNAUTHENTICATED


class SignInLinkInvalid(LinkInvalid):
    """No code or link that was sent fits this."""

    code = "signin.link_invalid"


class SignInLinkExpired(LinkExpired):
    """Its time is over."""

    code = "signin.link_expired"


class SignInLinkUsed(LinkUsed):
    """It was used before."""

    code = "signin.link_used"


class SignInLinkStale(LinkStale):
    """Something about the account has changed since, or a newer one was asked for."""

    code = "signin.link_stale"


@attrs.frozen
class EnrolmentNeedsVerifiedContact(Rejected):
    """Before anything is enrolled, an address or number of the account has to be proven: it hears of what happens."""

    code = "signin.enrolment_needs_verified_contact"
    kind = Kind.CONFLICT


@attrs.frozen
class EnrolmentEnded(Rejected):
    """Nothing waits to be confirmed here, or it waited too long; it begins anew."""

    code = "signin.enrolment_ended"
    kind = Kind.GONE


@attrs.frozen
class TooManyFactors(Rejected):
    """The account has as many second steps as it may have; one of them has to go first.

    Args:
        most: How many it may have.
    """

    code = "signin.too_many_factors"
    kind = Kind.CONFLICT
    most: int
