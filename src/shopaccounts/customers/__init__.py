"""The person: one correct, current record of each customer.

A customer is known to the shop, whether or not able to sign in. What a status allows, and which step leads to which
status, is a table (``TRANSITIONS``). A contact point is verified as long as its proven value is its value; nothing else
marks it.
"""

from shopaccounts.customers.contact_points import (
    ContactPoint,
    ContactRole,
    FormerContact,
    Verification,
    VerificationMethod,
    is_verified,
)
from shopaccounts.customers.errors import StatusForbids
from shopaccounts.customers.lifecycle import TRANSITIONS, as_of, follow
from shopaccounts.customers.model import (
    CUSTOMERS,
    AccountStatus,
    Customer,
    Origin,
    Standing,
    StatusReason,
    Trigger,
    login_key,
)
from shopaccounts.customers.policy import LifecyclePolicy

__all__ = [
    "CUSTOMERS",
    "TRANSITIONS",
    "AccountStatus",
    "ContactPoint",
    "ContactRole",
    "Customer",
    "FormerContact",
    "LifecyclePolicy",
    "Origin",
    "Standing",
    "StatusForbids",
    "StatusReason",
    "Trigger",
    "Verification",
    "VerificationMethod",
    "as_of",
    "follow",
    "is_verified",
    "login_key",
]
