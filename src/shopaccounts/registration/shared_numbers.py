"""Numbers that more than one customer has proven, as families do.

* Such a number takes the notices of each of them, and signs in one of them.
* Who has the phone may be any of them. So it gives nobody a new password by itself.
* Who signs in by a number is found by it. Besides, three are kept who added it to their account: one is enough to know,
  and the others are there when that one gives it up. A place that was given up is the next one's.

[NIST SP 800-63B-4 3.1.3.3, 4.2.1.2]
"""

from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, is_verified
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact, ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Book, Change, Found

__all__ = ["PROVEN_NUMBERS", "ProvenNumber", "SharedNumbers"]

_PLACES: Final = 3
_HERE: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})


@described(data_class="contact_points", default=impersonal("ids"))
@attrs.frozen(kw_only=True)
class ProvenNumber:
    """That somebody has proven a number, if they didn't open their account by it.

    Args:
        place: Which of the places of this number it takes.
    """

    id: str = attrs.field(metadata=impersonal("an opaque id"))
    realm: RealmId
    version: int = 1
    account: AccountId
    number: str = attrs.field(
        repr=False, metadata=personal("contact_points", Category.CONTACT, on_erase=OnErase.DROP_ROW)
    )
    place: int


def _place(number: str, place: int) -> str:
    return f"{number} {place}"


PROVEN_NUMBERS = Book(
    name="proven_numbers",
    of=ProvenNumber,
    unique={"proven_number": lambda proven: [_place(proven.number, proven.place)]},
    groups={"account": lambda proven: proven.account},
    personal=True,
)


@attrs.frozen(kw_only=True)
class SharedNumbers:
    """Knows who else has proven a number."""

    desk: Desk
    records: Records

    async def holders(self, number: Contact) -> frozenset[AccountId]:
        """Answer who added a number to their account and has it still; that is one work for every number."""
        places = await self._places(number)
        return frozenset(found.it.account for found in places if found and _has_it(found, number))

    async def noted(self, account: AccountId, value: Contact) -> Change:
        """Answer the part of a change that keeps that an account has proven a contact; only numbers are kept."""
        if value.kind is not ContactKind.PHONE:
            return Change()
        places = await self._places(value)
        if any(found.it.account == account for found in places if found):
            return Change()
        free = (place for place, found in enumerate(places) if found is None or not _has_it(found, value))
        place = next(free, None)
        if place is None:
            return Change()
        left = places[place]
        proven = ProvenNumber(
            id=self.desk.entropy.token(128),
            realm=self.desk.scope.realm,
            account=account,
            number=value.key,
            place=place,
        )
        removals = (PROVEN_NUMBERS.remove(left.it),) if left else ()
        return Change(writes=(PROVEN_NUMBERS.add(proven),), removals=removals)

    async def _places(self, number: Contact) -> tuple[Found[ProvenNumber] | None, ...]:
        bring = (CUSTOMERS.via("account"),)
        keys = [_place(number.key, place) for place in range(_PLACES)]
        found = [await got(self.records.find(PROVEN_NUMBERS, key, by="proven_number", bring=bring)) for key in keys]
        return tuple(found)


def _has_it(found: Found[ProvenNumber], number: Contact) -> bool:
    """Tell whether somebody still has a number, and it is proven."""
    customer = found[CUSTOMERS]
    contact = customer.contact_with(number.kind, number.key) if customer else None
    return customer is not None and contact is not None and customer.status in _HERE and is_verified(contact)
