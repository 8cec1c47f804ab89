"""How long sessions live, and how fast one may guess."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Level, Operation, Requirement
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.web import SameSite

__all__ = ["AttemptPolicy", "SessionPolicy", "StepUpPolicy"]


@attrs.frozen(kw_only=True)
class SessionPolicy:
    """How long a session lives.

    Why these defaults:
        idle_remembered, absolute_remembered: 14 and 30 days. [NIST SP 800-63B-4 2.1.3 allows 30 days at AAL1]
        idle, absolute: 2 and 24 hours for browsers that are not to be remembered.
        restricted: 30 minutes for sessions that may do one thing only; of the house.
        touch_every: 5 minutes between two writes of "last seen"; idle sessions may end that much early.
        same_site: Lax, so that who comes by a link is still signed in; Strict for shops that give that up.
            [OWASP ASVS 3.3.2]
    """

    idle: timedelta = timedelta(hours=2)
    absolute: timedelta = timedelta(hours=24)
    idle_remembered: timedelta = timedelta(days=14)
    absolute_remembered: timedelta = timedelta(days=30)
    restricted: timedelta = timedelta(minutes=30)
    touch_every: timedelta = timedelta(minutes=5)
    same_site: SameSite = SameSite.LAX

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) < self.idle <= self.absolute, "idle time stays within the absolute time")
        remembered = timedelta(0) < self.idle_remembered <= self.absolute_remembered
        require(remembered, "idle time stays within the absolute time")
        shortest = min(self.idle, self.idle_remembered)
        require(timedelta(0) <= self.touch_every < shortest, "sessions are touched within their idle time")
        require(timedelta(0) < self.restricted, "a restricted session lives for a while")

    def lives(self, *, remembered: bool) -> tuple[timedelta, timedelta]:
        """Answer idle and absolute time."""
        return (self.idle_remembered, self.absolute_remembered) if remembered else (self.idle, self.absolute)


@attrs.frozen(kw_only=True)
class AttemptPolicy:
    """How fast somebody may guess; waits grow and never lock.

    Why these defaults:
        password: five tries free, then 1 s doubling to 1 h: at most 39 tries a day. [OWASP ASVS 6.3.1; NIST 3.2.2]
        network: fifty failures of one network free; only failures count. [OWASP Authentication Cheat Sheet]
    """

    password: Wait = Wait(free=5, base=timedelta(seconds=1), cap=timedelta(hours=1), forget_after=timedelta(hours=24))
    network: Wait = Wait(free=50, base=timedelta(seconds=1), cap=timedelta(minutes=15), forget_after=timedelta(hours=1))


_QUARTER: Final = timedelta(minutes=15)
_HIGHEST: Final = Requirement(level=Level.MULTI, max_age=_QUARTER)
_ANY_PROOF: Final = Requirement(level=Level.SINGLE, max_age=_QUARTER)


def _rules(rules: Mapping[Operation, Requirement]) -> Mapping[Operation, Requirement]:
    return MappingProxyType(dict(rules))


@attrs.frozen(kw_only=True)
class StepUpPolicy:
    """For what a customer who is signed in has to prove again who they are.

    Args:
        rules: What an operation asks for: the level (at most the highest that the account can reach) and how old the
            newest proof of it may be. What isn't named asks for nothing but the session.

    Why these defaults:
        rules: 15 minutes and the highest level for everything that changes who can get in or takes data or the account
            away; any proof of 15 minutes for ending other sessions. [OWASP ASVS 7.5.1, 7.5.2]
    """

    rules: Mapping[Operation, Requirement] = attrs.field(
        converter=_rules,
        default={
            Operation.END_SESSIONS: _ANY_PROOF,
            Operation.CHANGE_PASSWORD: _HIGHEST,
            Operation.CHANGE_CONTACTS: _HIGHEST,
            Operation.CHANGE_QUESTIONS: _HIGHEST,
            Operation.RECOVER: _HIGHEST,
            Operation.CLOSE_ACCOUNT: _HIGHEST,
            Operation.EXPORT_DATA: _HIGHEST,
        },
    )

    def within(self, max_age: timedelta) -> "StepUpPolicy":
        """Answer the same rules with another age of the newest proof."""
        return StepUpPolicy(rules={op: attrs.evolve(rule, max_age=max_age) for op, rule in self.rules.items()})
