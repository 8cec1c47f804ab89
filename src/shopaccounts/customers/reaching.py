"""Whether messages to a contact arrive, as couriers and customers tell.

* A message that can't be delivered for good: nothing more is sent there; the other addresses hear of what concerns the
  account's security.
* Three messages that were put off within 30 days: it is in doubt.
* Something that arrived, or an answer to something that was sent there: all is well again.

None of that takes a proof away, and none adds one.
"""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.customers.contact_points import ContactPoint, Reach
from shopaccounts.kernel.contact import LineType, PhoneNumber

__all__ = ["Delivery", "noted"]

_REMEMBERED: Final = timedelta(days=30)
_DOUBTED_FROM: Final = 3


class Delivery(Enum):
    """How a delivery ended."""

    ARRIVED = "arrived"
    PUT_OFF = "put_off"
    IMPOSSIBLE = "impossible"


def noted(
    contact: ContactPoint, delivery: Delivery, detail: str | None, now: datetime, line: LineType | None = None
) -> ContactPoint:
    """Answer *contact* with what a delivery told about it.

    Args:
        contact: As it is.
        delivery: How it ended.
        detail: Why, as the courier tells it.
        now: When.
        line: What kind of line a number is, where the courier knows.
    """
    if line is not None and isinstance(contact.value, PhoneNumber):
        contact = attrs.evolve(contact, value=attrs.evolve(contact.value, line=line))
    if delivery is Delivery.ARRIVED:
        return attrs.evolve(contact, reach=Reach.REACHABLE, reach_detail=None, soft_bounces=())
    if delivery is Delivery.IMPOSSIBLE:
        return attrs.evolve(contact, reach=Reach.UNREACHABLE, reach_detail=detail)
    recent = tuple(at for at in contact.soft_bounces if now - at < _REMEMBERED)
    bounces = (*recent, now)[-_DOUBTED_FROM:]
    if len(bounces) < _DOUBTED_FROM or contact.reach is Reach.UNREACHABLE:
        return attrs.evolve(contact, soft_bounces=bounces)
    return attrs.evolve(contact, soft_bounces=bounces, reach=Reach.DOUBTFUL, reach_detail=detail)
