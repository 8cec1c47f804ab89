"""How an account can be opened.

A way in counts only if it could be used right now: a password, where there is one that isn't disabled, together with
something to sign in with, a verified sign-in address or a user name. What would take the last way is refused by whoever
takes it. [NIST SP 800-63B-4 4.2]
"""

from enum import Enum

from shopaccounts.customers.contact_points import ContactRole
from shopaccounts.customers.model import Customer

__all__ = ["WayIn", "ways_in"]


class WayIn(Enum):
    """One way to open an account."""

    PASSWORD = "password"  # noqa: S105  (the name of a way)


def ways_in(customer: Customer, *, usable_password: bool) -> frozenset[WayIn]:
    """Answer the ways into an account that its owner could use now.

    Args:
        customer: Whose account it is, as the record is now.
        usable_password: Whether it has a password that opens something.
    """
    has_name = bool(customer.contacts_for(ContactRole.LOGIN)) or customer.username is not None
    return frozenset({WayIn.PASSWORD} if usable_password and has_name else ())
