"""Forgetting a customer: when that is possible, and what is left of contracts and papers then.

The rules, in plain English:

* Who has a subscription that runs, or an invoice that is neither paid nor given up, isn't forgotten: the contract needs
  to know whom it is with. [GDPR Art. 17(3)(e)]
* Papers are kept with their customer's name for as long as the law wants them, from the end of the year in which they
  were issued; statements in writing for as long as somebody may want to prove them. [GDPR Art. 17(3)(b)]
* After that nothing leads to the person any more: another, random name stands in place of the customer, and what people
  wrote, where they had things sent, and what they paid with is gone. Numbers, days and amounts stay, so that the books
  add up. What becomes of a field says its mark.
* Statements go altogether, and so does that a trial or a campaign was used: it counts for a name that nobody has then.
"""

from datetime import date
from typing import Any, Final

import attrs

from shopaccounts.kernel.personal import Erasure, Personal

__all__ = ["forgotten", "released_on"]

_TOMBSTONE: Final = "[erased]"


def released_on(day: date, years: int) -> date:
    """Answer the first day on which something needs to be kept no more.

    Args:
        day: The local day on which it was issued, or came in.
        years: For how many years after the end of that year it is kept.
    """
    return date(day.year + years + 1, 1, 1)


def forgotten(value: Any) -> Any:
    """Answer a value without what its marks say goes with the person; what holds nothing of that is answered as it is.

    Args:
        value: An entity, or anything in one.
    """
    if isinstance(value, tuple):
        return tuple(map(forgotten, value))
    if not attrs.has(type(value)):
        return value
    fields = ((field, getattr(value, field.name)) for field in attrs.fields(type(value)) if field.init)
    after = {field.name: _left_of(field, held) for field, held in fields}
    changed = {name: left for name, left in after.items() if left is not getattr(value, name)}
    return attrs.evolve(value, **changed) if changed else value


def _left_of(field: "attrs.Attribute[Any]", held: Any) -> Any:
    mark = next((one for one in field.metadata.values() if isinstance(one, Personal)), None)
    match mark.on_erase.action if mark else Erasure.KEEP:
        case Erasure.NULL:
            return _nothing(field)
        case Erasure.BLANK:
            return ""
        case Erasure.TOMBSTONE:
            return _TOMBSTONE
        case _:
            return forgotten(held)


def _nothing(field: "attrs.Attribute[Any]") -> Any:
    """Answer what a field holds that nobody has filled in."""
    default: Any = field.default
    return default.factory() if isinstance(default, _MADE) else default


_MADE: Final[type[Any]] = type(attrs.Factory(dict))
