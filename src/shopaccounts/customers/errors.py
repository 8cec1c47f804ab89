"""How the customers context says no."""

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = ["NoticeLinkExpired", "NoticeLinkInvalid", "NoticeLinkStale", "NoticeLinkUsed", "StatusForbids"]


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
