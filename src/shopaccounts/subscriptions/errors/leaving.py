"""How this context says no to somebody who leaves, or wants that taken back."""

from datetime import date, datetime

import attrs

from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.tickets import LinkExpired, LinkInvalid, LinkStale, LinkUsed

__all__ = [
    "CancellationLinkExpired",
    "CancellationLinkInvalid",
    "CancellationLinkStale",
    "CancellationLinkUsed",
    "CancellationReached",
    "CancellationScheduled",
    "CommitmentRunning",
    "ErasureRefused",
    "WinBackWindowClosed",
    "WithdrawalPeriodOver",
]


@attrs.frozen
class CancellationScheduled(Rejected):
    """The subscription ends first."""

    code = "subscriptions.cancellation_scheduled"
    kind = Kind.CONFLICT
    at: datetime


@attrs.frozen
class CommitmentRunning(Rejected):
    """The contract runs until ``earliest_exit`` at least."""

    code = "subscriptions.commitment_running"
    kind = Kind.FORBIDDEN
    earliest_exit: date


@attrs.frozen
class CancellationReached(Rejected):
    """The subscription has ended."""

    code = "subscriptions.cancellation_reached"
    kind = Kind.GONE
    at: datetime


class CancellationLinkInvalid(LinkInvalid):
    """No cancellation waits for this link."""

    code = "subscriptions.cancellation_link_invalid"


class CancellationLinkExpired(LinkExpired):
    """The time of the link that confirms a cancellation is over."""

    code = "subscriptions.cancellation_link_expired"


class CancellationLinkUsed(LinkUsed):
    """The cancellation was confirmed before."""

    code = "subscriptions.cancellation_link_used"


class CancellationLinkStale(LinkStale):
    """The cancellation can't be confirmed any more."""

    code = "subscriptions.cancellation_link_stale"


@attrs.frozen
class WinBackWindowClosed(Rejected):
    """The subscription can't be taken up again any more."""

    code = "subscriptions.win_back_window_closed"
    kind = Kind.GONE
    closed_on: date


@attrs.frozen
class WithdrawalPeriodOver(Rejected):
    """The time for a withdrawal is over."""

    code = "subscriptions.withdrawal_period_over"
    kind = Kind.GONE
    ended_on: date


@attrs.frozen
class ErasureRefused(Rejected):
    """The customer can't be erased yet: ``reason`` is ``live``, ``unsettled`` or ``retention``, ``until`` the day."""

    code = "subscriptions.erasure_refused"
    kind = Kind.CONFLICT
    reason: str
    until: date | None
