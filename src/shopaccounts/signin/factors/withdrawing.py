"""Taking from an account what it proves itself with, where its owner didn't add it or has lost it.

Nothing of that ever opens an account: what is taken away moves the stamps by which everything ends that relied on it.
[NIST SP 800-63B-4 4.2, 4.5]
"""

from collections.abc import Collection, Iterator
from datetime import datetime

import attrs

from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.security import Stamp
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators
from shopaccounts.signin.events import FactorRemoved, PasskeyRemoved
from shopaccounts.signin.factors.enrolling import with_codes_for_something, without

__all__ = ["Withdrawal", "left_of", "withdraw", "without_added_since"]


@attrs.frozen(kw_only=True)
class Withdrawal:
    """What is taken away: the part of a change that does it, and the stamps that move with it."""

    part: Change = attrs.field(factory=Change)
    stamps: frozenset[Stamp] = frozenset()


def without_added_since(own: Authenticators | None, since: datetime) -> Authenticators | None:
    """Answer what was there before *since*."""
    if own is None:
        return None
    codes, waiting = own.recovery_codes, own.enrolling
    left = attrs.evolve(
        own,
        factors=tuple(factor for factor in own.factors if factor.created_at < since),
        passkeys=tuple(passkey for passkey in own.passkeys if passkey.created_at < since),
        recovery_codes=codes if codes and codes.made_at < since else None,
        enrolling=waiting if waiting and waiting.begun_at < since else None,
        identities=tuple(identity for identity in own.identities if identity.linked_at < since),
    )
    return with_codes_for_something(left)


def left_of(own: Authenticators | None, ids: Collection[str]) -> Authenticators | None:
    """Answer what is left without these factors, passkeys and identities, and without factors of these contacts."""
    return without(own, ids) if own else None


def withdraw(own: Authenticators | None, after: Authenticators | None, desk: Desk, now: datetime) -> Withdrawal:
    """Answer how *after*, with less in it, or with codes that go elsewhere, takes the place of *own*."""
    if own is None or after is None or after == own:
        return Withdrawal()
    written = Change(writes=(AUTHENTICATORS.change(own, after),), events=desk.tell(*_gone(own, after, now)))
    return Withdrawal(part=written, stamps=_moved(own, after))


def _moved(own: Authenticators, after: Authenticators) -> frozenset[Stamp]:
    kept = (own.factors, own.passkeys, own.recovery_codes) == (after.factors, after.passkeys, after.recovery_codes)
    moved = {Stamp.FACTORS: not kept, Stamp.PROVIDERS: own.identities != after.identities}
    return frozenset(stamp for stamp, has_moved in moved.items() if has_moved)


def _gone(own: Authenticators, after: Authenticators, now: datetime) -> Iterator[Event]:
    left = {factor.id for factor in after.factors} | {passkey.id for passkey in after.passkeys}
    for factor in own.factors:
        if factor.id not in left:
            yield FactorRemoved(at=now, account=own.id, factor=factor.id, kind=factor.kind.value)
    for passkey in own.passkeys:
        if passkey.id not in left:
            yield PasskeyRemoved(at=now, account=own.id, passkey=passkey.id)
