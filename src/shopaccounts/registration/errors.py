"""How this context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "CodeExhausted",
    "CodeWrong",
    "ContactLinkExpired",
    "ContactLinkInvalid",
    "ContactLinkStale",
    "ContactLinkUsed",
]


class ContactLinkInvalid(LinkInvalid):
    """No verification waits for this link."""

    code = "registration.link_invalid"


class ContactLinkExpired(LinkExpired):
    """The verification link's time is over."""

    code = "registration.link_expired"


class ContactLinkUsed(LinkUsed):
    """The verification link was used before."""

    code = "registration.link_used"


class ContactLinkStale(LinkStale):
    """Something about the account has changed since the link was sent."""

    code = "registration.link_stale"


@attrs.frozen
class CodeWrong(Rejected):
    """That isn't the code that was sent."""

    code = "registration.code_wrong"
    kind = Kind.UNAUTHENTICATED
    tries_left: int


@attrs.frozen
class CodeExhausted(Rejected):
    """There were too many wrong codes; start anew."""

    code = "registration.code_exhausted"
    kind = Kind.UNAUTHENTICATED
