"""How the customers context says no."""

from datetime import datetime

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "ClosingBlocked",
    "ClosingLinkExpired",
    "ClosingLinkInvalid",
    "ClosingLinkStale",
    "ClosingLinkUsed",
    "ClosingPlanStale",
    "ClosingTooSoon",
    "ContactInUse",
    "ContactLimit",
    "ContactTaken",
    "LastLoginContact",
    "LastNoticeContact",
    "NoProvenEmail",
    "NotFound",
    "NoticeLinkExpired",
    "NoticeLinkInvalid",
    "NoticeLinkStale",
    "NoticeLinkUsed",
    "StatusForbids",
]


class NoticeLinkInvalid(LinkInvalid):
    """No notice brought this link."""

    code = "customers.link_invalid"


class NoticeLinkExpired(LinkExpired):
    """The time to use the notice's link is over."""

    code = "customers.link_expired"


class NoticeLinkUsed(LinkUsed):
    """The notice's link was used before."""

    code = "customers.link_used"


class NoticeLinkStale(LinkStale):
    """What the notice's link was about is gone."""

    code = "customers.link_stale"


@attrs.frozen
class StatusForbids(Rejected):
    """The customer's status doesn't allow this step."""

    code = "customers.status_forbids"
    kind = Kind.CONFLICT
    status: str
    trigger: str


@attrs.frozen
class NotFound(Rejected):
    """There is no such thing, or it is another customer's; both are answered the same."""

    code = "customers.not_found"
    kind = Kind.NOT_FOUND


@attrs.frozen
class ContactLimit(Rejected):
    """The customer has as many contacts as one may have."""

    code = "customers.contact_limit"
    kind = Kind.CONFLICT
    limit: int


@attrs.frozen
class LastLoginContact(Rejected):
    """Nothing else is left to sign in by; it can be changed, not removed."""

    code = "customers.last_login_contact"
    kind = Kind.CONFLICT


@attrs.frozen
class LastNoticeContact(Rejected):
    """No other address would hear of what happens to the account."""

    code = "customers.last_notice_contact"
    kind = Kind.CONFLICT


@attrs.frozen
class ContactInUse(Rejected):
    """Something still writes to this contact; ``in_use_by`` names it."""

    code = "customers.contact_in_use"
    kind = Kind.CONFLICT
    in_use_by: tuple[str, ...]


class ClosingLinkInvalid(LinkInvalid):
    """No closing waits for this link."""

    code = "customers.closing_link_invalid"


class ClosingLinkExpired(LinkExpired):
    """The time to confirm the closing is over."""

    code = "customers.closing_link_expired"


class ClosingLinkUsed(LinkUsed):
    """The closing was confirmed before."""

    code = "customers.closing_link_used"


class ClosingLinkStale(LinkStale):
    """The account has changed since, or it is another session than the one that asked."""

    code = "customers.closing_link_stale"


@attrs.frozen
class ClosingBlocked(Rejected):
    """Something has to be settled before the account can be closed."""

    code = "customers.closing_blocked"
    kind = Kind.CONFLICT
    blockers: tuple[str, ...]


@attrs.frozen
class ClosingPlanStale(Rejected):
    """Something gets lost that the customer hasn't seen: show the plan again."""

    code = "customers.closing_plan_stale"
    kind = Kind.CONFLICT
    blockers: tuple[str, ...]


@attrs.frozen
class NoProvenEmail(Rejected):
    """There is no proven address that a confirmation could be sent to."""

    code = "customers.no_proven_email"
    kind = Kind.CONFLICT


@attrs.frozen
class ContactTaken(Rejected):
    """Another customer signs in by this address by now."""

    code = "customers.contact_taken"
    kind = Kind.CONFLICT


@attrs.frozen
class ClosingTooSoon(Rejected):
    """The sign-in address was changed a short while ago, and perhaps not by the owner; closing has to wait."""

    code = "customers.closing_too_soon"
    kind = Kind.FORBIDDEN
    until: datetime
