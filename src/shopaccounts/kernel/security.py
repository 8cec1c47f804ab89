"""The part of an account that decides who may still act: stamps, and until when it waits.

Everything a person can hold (a session, a ticket, a code) remembers the stamps it was issued under. When one it depends
on has moved, it is dead, whatever its own row says. So "end all sessions" is one small write, however many there are.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum

import attrs

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book

__all__ = ["SECURITY", "AccountSecurity", "Stamp", "Stamps"]


class Stamp(Enum):
    """The five counters of an account, each with its reasons to move."""

    ACCOUNT = "account"
    PASSWORD = "password"  # noqa: S105  (the name of a counter)
    CONTACTS = "contacts"
    FACTORS = "factors"
    PROVIDERS = "providers"


@attrs.frozen
class Stamps:
    """How often each part of the account's security has changed."""

    account: int = 0
    password: int = 0
    contacts: int = 0
    factors: int = 0
    providers: int = 0

    def bump(self, *stamps: Stamp) -> "Stamps":
        """Answer the counters with each of *stamps* moved on by one."""
        return attrs.evolve(self, **{stamp.value: self.of(stamp) + 1 for stamp in stamps})

    def of(self, stamp: Stamp) -> int:
        """Answer one counter."""
        count: int = getattr(self, stamp.value)
        return count

    def moved(self, since: "Stamps", depends_on: Iterable[Stamp]) -> bool:
        """Tell whether any of *depends_on* differs from what it was *since* then."""
        return self != since and any(self.of(stamp) != since.of(stamp) for stamp in depends_on)


@described(data_class="security", default=impersonal("counters and switches"))
@attrs.frozen(kw_only=True)
class AccountSecurity:
    """One row for each account that has credentials; every decision about access guards or writes it.

    Args:
        stamps: How often each part of the account's security has changed.
        not_before: Sessions that began earlier are over.
        ended_why: Why the shop's own people ended them, in their words.
        hold_until: Until when nothing of value may leave the account.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    stamps: Stamps = Stamps()
    not_before: datetime | None = None
    ended_why: str | None = attrs.field(
        default=None, repr=False, metadata=personal("security", Category.CONTENT, on_erase=OnErase.NULL)
    )
    hold_until: datetime | None = None

    def bump(self, *stamps: Stamp) -> "AccountSecurity":
        """Answer the row after something changed that ends what depends on *stamps*."""
        return attrs.evolve(self, stamps=self.stamps.bump(*stamps))

    def on_hold_until(self, now: datetime) -> datetime | None:
        """Answer until when nothing of value may leave the account, whose sign-in address was changed lately.

        None: it may.
        """
        return self.hold_until if self.hold_until is not None and now < self.hold_until else None

    def merged(self, other: "AccountSecurity", was: "AccountSecurity") -> "AccountSecurity":
        """Join two changes of one row: a stamp that either side moved is moved once."""
        moved = [s for s in Stamp if self.stamps.of(s) > was.stamps.of(s) or other.stamps.of(s) > was.stamps.of(s)]
        flags = other if other.stamps == was.stamps or attrs.evolve(self, stamps=was.stamps) == was else self
        return attrs.evolve(flags, stamps=was.stamps.bump(*moved))


SECURITY = Book(name="security", of=AccountSecurity)
