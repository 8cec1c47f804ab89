"""How long sessions live, how fast one may guess, and what the shop remembers of a device."""

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.assurance import Level, Operation, Requirement
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.policy import require
from shopaccounts.kernel.web import SameSite
from shopaccounts.signin.model import ActingScope

__all__ = [
    "AttemptPolicy",
    "DevicePolicy",
    "IdleReauth",
    "ImpersonationPolicy",
    "Overflow",
    "RenewalPolicy",
    "SessionPolicy",
    "StepUpPolicy",
]

_MOST_SESSIONS: Final = 250
_MOST_DEVICES: Final = 50


class Overflow(Enum):
    """What happens when an account has as many sessions as it may have, and signs in once more."""

    END_OLDEST = "end_oldest"
    REFUSE = "refuse"


class IdleReauth(Enum):
    """What it takes to go on with a session that was idle for too long.

    Args:
        FULL: Signing in again.
        ANY_FACTOR: One proof, until the session's last end. [NIST SP 800-63B-4 2.2.3]
    """

    FULL = "full"
    ANY_FACTOR = "any_factor"


@attrs.frozen(kw_only=True)
class RenewalPolicy:
    """How the value of a session is renewed while the session lives.

    Args:
        every: Age of a value at which its client is told to have it renewed.
        reuse_grace: How long a renewed value may be renewed again, by a client that didn't get the answer.

    Why these defaults:
        every: 1 hour, as long as access tokens live commonly; of the house.
        reuse_grace: 10 seconds, for an answer that was lost and requests that cross. [OWASP ASVS 10.4.5]
    """

    every: timedelta = timedelta(hours=1)
    reuse_grace: timedelta = timedelta(seconds=10)

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) <= self.reuse_grace < self.every, "the grace ends before the next renewal")


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
        max_sessions, overflow: 50 at once, then the oldest ends: more than anybody has browsers. [OWASP ASVS 7.1.2]
        renewal: none; cookies of browsers need none, tokens of apps do. [OWASP ASVS 10.4.8]
        idle_reauth: signing in again. [OWASP ASVS 7.3.1]
        pin_agent: off, since browsers change what they call themselves.
        remembers: yes, who wants to stays signed in beyond the browser; where not, that wish is passed over.
            [NIST SP 800-63B-4 5.1 wants cookies that end with the browser]
    """

    idle: timedelta = timedelta(hours=2)
    absolute: timedelta = timedelta(hours=24)
    idle_remembered: timedelta = timedelta(days=14)
    absolute_remembered: timedelta = timedelta(days=30)
    restricted: timedelta = timedelta(minutes=30)
    touch_every: timedelta = timedelta(minutes=5)
    same_site: SameSite = SameSite.LAX
    max_sessions: int = 50
    overflow: Overflow = Overflow.END_OLDEST
    renewal: RenewalPolicy | None = None
    idle_reauth: IdleReauth = IdleReauth.FULL
    pin_agent: bool = False
    remembers: bool = True

    def __attrs_post_init__(self) -> None:
        require(1 <= self.max_sessions <= _MOST_SESSIONS, f"an account has 1 to {_MOST_SESSIONS} sessions")
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
        code: of codes that sign in, five free, then 30 s doubling to 1 h. [OWASP ASVS 6.6.3; NIST 3.1.3.2]
        factor: the same for second steps, and only success forgets. [NIST SP 800-63B-4 3.2.2]
        recovery_code: five free, then a minute doubling to 1 h; only success forgets. [NIST SP 800-63B-4 3.2.2]
        passkey: twenty free, since nobody guesses a signature; then as codes. Of the house.
        missed_at: an event and a notice when more than 10 second steps in a day were wrong after a right password:
            somebody knows it. [OWASP ASVS 6.3.5]
        network: fifty failures of one network free; only failures count. [OWASP Authentication Cheat Sheet]
        attack_at, attack_within: an event when a realm has 1,000 failures within 5 minutes; of the house. Nobody is
            refused for it.
    """

    password: Wait = Wait(free=5, base=timedelta(seconds=1), cap=timedelta(hours=1), forget_after=timedelta(hours=24))
    code: Wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=timedelta(hours=24))
    factor: Wait = Wait(free=5, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=None)
    recovery_code: Wait = Wait(free=5, base=timedelta(seconds=60), cap=timedelta(hours=1), forget_after=None)
    passkey: Wait = Wait(free=20, base=timedelta(seconds=30), cap=timedelta(hours=1), forget_after=timedelta(hours=24))
    missed_at: int = 10
    network: Wait = Wait(free=50, base=timedelta(seconds=1), cap=timedelta(minutes=15), forget_after=timedelta(hours=1))
    attack_at: int = 1000
    attack_within: timedelta = timedelta(minutes=5)

    def __attrs_post_init__(self) -> None:
        require(self.missed_at >= 1, "a second step may be missed once")
        require(self.attack_at >= 1 and self.attack_within > timedelta(0), "an attack is so many within some time")


@attrs.frozen(kw_only=True)
class DevicePolicy:
    """What the shop remembers of the devices of an account, and when a sign-in is told to its owner.

    Args:
        known_for: How long a device is known after its last sign-in.
        at_most: How many devices of an account are known; the one that wasn't used for longest goes.
        told_once_in: For how long the same kind of browser in the same wider network is not told again.
        told_after_failures: So many failures before a sign-in are told.
        told_after_silence: A sign-in after that long is told.
        trusted_for: How long a device stands for the second step after a password, where its owner wants that; None:
            never.

    Why these defaults:
        known_for: 400 days, the longest that browsers keep a cookie. [RFC 6265bis 5.5]
        at_most: 20, of the house.
        told_once_in: 24 hours, so that nobody who clears cookies is told daily more than once; of the house.
        told_after_failures, told_after_silence: 5 failures, 180 days. [OWASP ASVS 6.3.5]
        trusted_for: 30 days, not moved by use, as long as a remembered session; of the house. It is recognition, no
            authenticator. [NIST SP 800-63B-4 5.1]
    """

    known_for: timedelta = timedelta(days=400)
    at_most: int = 20
    told_once_in: timedelta = timedelta(hours=24)
    told_after_failures: int = 5
    told_after_silence: timedelta = timedelta(days=180)
    trusted_for: timedelta | None = timedelta(days=30)

    def __attrs_post_init__(self) -> None:
        require(1 <= self.at_most <= _MOST_DEVICES, f"an account has 1 to {_MOST_DEVICES} known devices")
        require(
            timedelta(days=1) <= self.told_after_silence < self.known_for, "silence is heard while devices are known"
        )
        trusts = self.trusted_for is None or timedelta(0) < self.trusted_for <= self.known_for
        require(trusts, "a device is trusted while it is known")
        require(timedelta(0) <= self.told_once_in, "a notice may be told again after some time")
        require(self.told_after_failures >= 1, "a sign-in without failures is not told")


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
            Operation.CHANGE_FACTORS: _HIGHEST,
            Operation.TRUST_DEVICES: _HIGHEST,
            Operation.LINK_PROVIDER: _HIGHEST,
            Operation.CHANGE_QUESTIONS: _HIGHEST,
            Operation.RECOVER: _HIGHEST,
            Operation.CLOSE_ACCOUNT: _HIGHEST,
            Operation.EXPORT_DATA: _HIGHEST,
        },
    )

    def within(self, max_age: timedelta) -> "StepUpPolicy":
        """Answer the same rules with another age of the newest proof."""
        return StepUpPolicy(rules={op: attrs.evolve(rule, max_age=max_age) for op, rule in self.rules.items()})


@attrs.frozen(kw_only=True)
class ImpersonationPolicy:
    """Whether and how agents may act for customers.

    Args:
        scopes: How far they may go; empty: not at all.
        life: For how long at most.
        agent_signed_in_within: How fresh the agent's own sign-in has to be, which also has to be of two factors.
        notice: Whether the customer gets a mail when it has ended.

    Why these defaults:
        scopes: looking and helping; a shop that wants neither takes the empty set. Of the house.
        life: 30 minutes, of the house.
        agent_signed_in_within: 15 minutes, as for everything that matters. [OWASP ASVS 7.5.3]
        notice: yes; nobody looks at an account behind its owner's back. Of the house.
    """

    scopes: frozenset[ActingScope] = frozenset(ActingScope)
    life: timedelta = timedelta(minutes=30)
    agent_signed_in_within: timedelta = timedelta(minutes=15)
    notice: bool = True

    def __attrs_post_init__(self) -> None:
        require(timedelta(0) < self.life <= timedelta(hours=1), "an agent acts for at most an hour")
        require(self.agent_signed_in_within > timedelta(0), "an agent's sign-in is fresh for a while")
