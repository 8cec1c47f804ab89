"""How lost passwords are replaced in this shop."""

from datetime import timedelta

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["ResetPolicy"]

MAX_LINK_LIFE = timedelta(hours=24)


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
        require(timedelta(0) < self.link_life <= MAX_LINK_LIFE, "a link lives at most 24 hours [NIST 4.2.1.2]")
