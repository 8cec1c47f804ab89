"""What each status allows, as one table.

Whatever is not said here in one word depends on something else: on the registration's policy, on the customer's
consents, or it is allowed for one purpose only.
"""

from enum import Enum
from types import MappingProxyType
from typing import Final

from shopaccounts.customers.model import AccountStatus

__all__ = ["ABILITIES", "Ability", "May", "may"]


class Ability(Enum):
    """What somebody may want to do with a customer record."""

    SIGN_IN = "sign in"
    LOOK_UNKNOWN = "be answered like a stranger"
    BUY_AS_GUEST = "buy as a guest with the same address"
    BE_OFFERED_CLAIMS = "be offered earlier orders"
    BE_ADVERTISED_TO = "be advertised to"
    BE_EDITED = "be edited by staff"
    HOLD_SIGN_IN_KEY = "hold the sign-in address"


class May(Enum):
    """The answers."""

    YES = "yes"
    NO = "no"
    BY_POLICY = "by policy"
    BY_CONSENT = "by consent"
    TO_STAY = "to stop the closing"
    CONTACTS_ONLY = "contacts only"


_Y, _N, _P, _C = May.YES, May.NO, May.BY_POLICY, May.BY_CONSENT

ABILITIES: Final = MappingProxyType[Ability, MappingProxyType[AccountStatus, May]](
    {
        ability: MappingProxyType(dict(zip(AccountStatus, answers, strict=True)))
        # the columns: guest, pending, active, suspended, closing, closed, erased, merged
        for ability, answers in {
            Ability.SIGN_IN: (_N, _P, _Y, _N, May.TO_STAY, _N, _N, _N),
            Ability.LOOK_UNKNOWN: (_Y, _Y, _N, _Y, _N, _Y, _Y, _Y),
            Ability.BUY_AS_GUEST: (_Y,) * len(AccountStatus),
            Ability.BE_OFFERED_CLAIMS: (_N, _N, _Y, _N, _N, _N, _N, _N),
            Ability.BE_ADVERTISED_TO: (_C, _N, _C, _N, _N, _N, _N, _N),
            Ability.BE_EDITED: (_Y, _Y, _Y, _Y, May.CONTACTS_ONLY, _N, _N, _N),
            Ability.HOLD_SIGN_IN_KEY: (_N, _Y, _Y, _Y, _Y, _N, _N, _N),
        }.items()
    }
)


def may(status: AccountStatus, ability: Ability) -> May:
    """Answer whether a record of this status may do that."""
    return ABILITIES[ability][status]
