"""When a password has to be changed, and who may do it on the spot.

A password has to be changed only on evidence that somebody else knows it or could find it out, never for its age:

* *breached*: it is on the list of leaked passwords;
* *reported*: the owner said "that wasn't me";
* *staff flag*: the shop's people have reason to believe it;
* *import weak*: it came from a system that kept it badly.

Whoever is first to give a leaked or reported password need not be its owner. So who gives a reported one may change it
only by a link mailed to the owner's proven address; a breached one too, unless the sign-in proved more than the
password. The other two say nothing about who is at the door, so they may be changed on the spot. Evidence is never
replaced by lesser evidence, since that would open an easier way. [NIST SP 800-63B-4 3.1.1.2(6)]
"""

from datetime import datetime
from typing import Final, Literal

import attrs

from shopaccounts.passwords.breaches import BreachVerdict, Clean, Seen
from shopaccounts.passwords.model import MustChange, PasswordRecord
from shopaccounts.passwords.policy import PasswordPolicy

__all__ = ["ChangeVia", "after_check", "change_via", "flagged", "is_to_be_checked"]

ChangeVia = Literal["here", "mailbox"]
"""How a password that has to be changed is changed: at once, or by a reset link."""

_WEIGHT: Final = {
    None: 0,
    MustChange.IMPORT_WEAK: 1,
    MustChange.STAFF_FLAG: 2,
    MustChange.BREACHED: 3,
    MustChange.REPORTED: 4,
}


def change_via(evidence: MustChange, *, vouched: bool) -> ChangeVia:
    """Answer how a password that has to be changed may be changed by who has just signed in with it.

    Args:
        evidence: Why it has to be changed.
        vouched: The sign-in proved more than the password: a second factor, or a trusted device.
    """
    if evidence is MustChange.REPORTED:
        return "mailbox"
    return "mailbox" if evidence is MustChange.BREACHED and not vouched else "here"


def flagged(record: PasswordRecord, evidence: MustChange, now: datetime) -> PasswordRecord:
    """Answer the record of a password that has to be changed; graver evidence that is there already stays."""
    if _WEIGHT[evidence] <= _WEIGHT[record.must_change]:
        return record
    return attrs.evolve(record, must_change=evidence, must_change_since=now)


def is_to_be_checked(record: PasswordRecord, policy: PasswordPolicy) -> bool:
    """Tell whether the list of leaked passwords is asked about a password that was just given rightly.

    One that nobody could check when it was chosen is checked in every shop that has a list.
    """
    if policy.breach is None or record.must_change in {MustChange.BREACHED, MustChange.REPORTED}:
        return False
    return policy.breach.at_sign_in or record.breach_unchecked


def after_check(record: PasswordRecord, verdict: BreachVerdict, now: datetime) -> PasswordRecord:
    """Answer the record after the list was asked; without an answer it stays as it is."""
    if isinstance(verdict, Seen):
        return attrs.evolve(flagged(record, MustChange.BREACHED, now), breach_unchecked=False)
    if isinstance(verdict, Clean) and record.breach_unchecked:
        return attrs.evolve(record, breach_unchecked=False)
    return record
