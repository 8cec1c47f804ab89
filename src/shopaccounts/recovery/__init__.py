"""Lost the password? Back in, by a way that a thief can't walk faster than the owner.

Whoever asks is told the same, whether or not there is an account. The link goes to the address that the owner proved,
never to what was typed. It sets a new password, once, ends every session, tells every address we know, and signs nobody
in.
"""

from shopaccounts.recovery.errors import ResetLinkExpired, ResetLinkInvalid, ResetLinkStale, ResetLinkUsed
from shopaccounts.recovery.model import STOP_NOTICES, PasswordWasReset, ResetOffer, ResetSent
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.recovery.usecases import Recovery

__all__ = [
    "STOP_NOTICES",
    "PasswordWasReset",
    "Recovery",
    "ResetLinkExpired",
    "ResetLinkInvalid",
    "ResetLinkStale",
    "ResetLinkUsed",
    "ResetOffer",
    "ResetPolicy",
    "ResetSent",
]
