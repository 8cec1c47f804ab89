"""Which sign-ins their owner is told of.

A sign-in is told if there were several failures before it, if it came from a device that the account doesn't know, or
if nobody had signed in for half a year. One sign-in is one notice, for the first of these reasons. The same kind of
browser in the same wider network is new only once a day, so that nobody who clears cookies is told again and again.
Wrong passwords alone are told to nobody: that would let strangers fill a mailbox. [OWASP ASVS 6.3.5]
"""

from datetime import datetime

from shopaccounts.signin.devices import Met
from shopaccounts.signin.model import KnownDevices
from shopaccounts.signin.policy import DevicePolicy

__all__ = ["notice_of"]


def notice_of(met: Met, known: KnownDevices | None, failures: int, policy: DevicePolicy, now: datetime) -> str | None:
    """Answer which notice a sign-in causes, if any.

    Args:
        met: The device that was signed in with.
        known: The account's devices before.
        failures: How many tries had failed before it.
        policy: What is unusual.
        now: When.
    """
    last = max((device.last_seen for device in known.devices), default=None) if known else None
    reasons = {
        "signin.after_failures": failures >= policy.told_after_failures,
        "signin.new_device": met.is_new and not met.is_told_again,
        "signin.after_silence": last is not None and now - last >= policy.told_after_silence,
    }
    return next((template for template, holds in reasons.items() if holds), None)
