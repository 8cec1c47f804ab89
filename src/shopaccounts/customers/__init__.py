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
from shopaccounts.customers.errors import (
    NoticeLinkExpired,
    NoticeLinkInvalid,
    NoticeLinkStale,
    NoticeLinkUsed,
    StatusForbids,
)
from shopaccounts.customers.lifecycle import TRANSITIONS, as_of, follow
from shopaccounts.customers.model import (
    CUSTOMERS,
    AccountStatus,
    Customer,
    Origin,
    Standing,
    StatusReason,
    Trigger,
    identifier_key,
    login_key,
)
from shopaccounts.customers.notices import FREEZE, NOT_ME_CHANGE, NOT_ME_SIGN_IN, Notices
from shopaccounts.customers.policy import LifecyclePolicy, NoticePolicy
from shopaccounts.customers.usernames import Username, canonical_username, username_keys

__all__ = [
    "CUSTOMERS",
    "FREEZE",
    "NOT_ME_CHANGE",
    "NOT_ME_SIGN_IN",
    "TRANSITIONS",
    "AccountStatus",
    "ContactPoint",
    "ContactRole",
    "Customer",
    "FormerContact",
    "LifecyclePolicy",
    "NoticeLinkExpired",
    "NoticeLinkInvalid",
    "NoticeLinkStale",
    "NoticeLinkUsed",
    "NoticePolicy",
    "Notices",
    "Origin",
    "Standing",
    "StatusForbids",
    "StatusReason",
    "Trigger",
    "Username",
    "Verification",
    "VerificationMethod",
    "as_of",
    "canonical_username",
    "follow",
    "identifier_key",
    "is_verified",
    "login_key",
    "username_keys",
]
