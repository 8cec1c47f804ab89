"""How this context says no."""

from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = ["ResetLinkExpired", "ResetLinkInvalid", "ResetLinkStale", "ResetLinkUsed"]


class ResetLinkInvalid(LinkInvalid):
    """No reset waits for this link."""

    code = "recovery.link_invalid"


class ResetLinkExpired(LinkExpired):
    """The reset link's time is over."""

    code = "recovery.link_expired"


class ResetLinkUsed(LinkUsed):
    """The reset link was used before."""

    code = "recovery.link_used"


class ResetLinkStale(LinkStale):
    """Something about the account has changed since the link was sent, or its owner has signed in."""

    code = "recovery.link_stale"
