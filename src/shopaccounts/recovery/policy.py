"""How lost passwords are replaced in this shop."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["ResetPolicy"]

MAX_LINK_LIFE = timedelta(hours=24)
_HOUR = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class ResetPolicy:
    """How long a reset link lives, and what it may do.

    Why these defaults:
        link_life: one hour; NIST SP 800-63B-4 4.2.1.2 allows 24 hours by e-mail.
        creates_first_password: who has no password may set a first one this way, having proven the mailbox.
    """

    link_life: timedelta = timedelta(hours=1)
    creates_first_password: bool = True

    def __attrs_post_init__(self) -> None:
        require(_HOUR <= self.link_life <= MAX_LINK_LIFE, "a link lives 1 to 24 hours [NIST 4.2.1.2]")
        require(self.link_life % _HOUR == timedelta(0), "a link lives whole hours, as its message says")
