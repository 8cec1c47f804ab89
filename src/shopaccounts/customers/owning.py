"""Whose account it is that somebody is signed in to.

The doorkeeper lets nobody in without the customer's record, so a use-case that has somebody present has an owner.
"""

from shopaccounts.customers.model import CUSTOMERS, Customer
from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.errors import Defect

__all__ = ["customer_of"]


def customer_of(here: Present) -> Customer:
    """Answer the record, as it is stored, of whoever is signed in.

    Raises:
        Defect: The doorkeeper brought none.
    """
    customer = here[CUSTOMERS]
    if customer is None:
        msg = "somebody is signed in to an account without a record"
        raise Defect(msg)
    return customer
