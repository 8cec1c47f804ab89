"""What people are told who lost the mailbox, and those who help them."""

from datetime import datetime, timedelta

import attrs

from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import Landing

__all__ = [
    "CancelOffer",
    "CaseOpened",
    "CaseSummary",
    "FactorCaseOpened",
    "FactorsWereRemoved",
    "MailboxRecovered",
    "MailboxRecoveryStarted",
]


@attrs.frozen(kw_only=True)
class FactorCaseOpened:
    """The case for a lost second factor waits; every address that the shop knows was told how to cancel it.

    Args:
        case: Names it, for the shop's people; opens nothing.
        earliest_at: When it can be completed, with the same proofs again.
        expires_at: Until when.
        takes_agent: Whether one of the shop's people has to vouch until then.
    """

    case: str
    earliest_at: datetime
    expires_at: datetime
    takes_agent: bool


@attrs.frozen(kw_only=True)
class FactorsWereRemoved:
    """What was lost is no second factor any more. Every session has ended, and nobody is signed in by this.

    Args:
        on_hold_until: Until then nothing of value leaves the account.
    """

    on_hold_until: datetime


@attrs.frozen(kw_only=True)
class MailboxRecoveryStarted:
    """What everybody is told who wants to sign in by another mailbox, whatever the shop knows of that one.

    Args:
        masked: The new address; a link went there.
        code_sent_to: The recovery addresses that got a code; none where two factors vouch.
        resend_after: How long to wait before another message.
        expires_at: When link and code are of no use any more.
    """

    masked: str
    code_sent_to: tuple[str, ...]
    resend_after: timedelta
    expires_at: datetime


@attrs.frozen(kw_only=True)
class CaseOpened:
    """The case waits; every address that the shop knows was told how to cancel it.

    Args:
        case: Names it; opens nothing.
        handle: For this browser alone; together with the same proofs it completes the case.
        earliest_at: When that is possible.
        expires_at: Until when.
    """

    case: str
    handle: Secret[str]
    earliest_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class MailboxRecovered:
    """One signs in by the new address from now on. Every session has ended, and nobody is signed in by this.

    Args:
        masked: The new address.
        on_hold_until: Until then nothing of value leaves the account.
        undo_until: Until then the old address can take it back.
    """

    masked: str
    on_hold_until: datetime
    undo_until: datetime


@attrs.frozen(kw_only=True)
class CancelOffer(Landing):
    """What the page of a link shows that cancels a case; looking changes nothing."""

    kind: str
    earliest_at: datetime | None
    expires_at: datetime


@attrs.frozen(kw_only=True)
class CaseSummary:
    """A case as its owner, or an agent, sees it; *masked* is the new address, empty where there is none."""

    case: str
    kind: str
    state: str
    masked: str
    earliest_at: datetime | None
    expires_at: datetime
