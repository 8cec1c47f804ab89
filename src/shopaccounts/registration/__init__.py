"""Open an account, and prove that an address is one's own.

People open an account with as few questions as the shop wants; nobody can take or block an address that isn't
theirs, and nobody can find out who is already a customer. What somebody typed waits in an *attempt*; the account gets
none of it until the address is proven by whoever started the attempt, and whoever else proves it starts clean.
"""

from shopaccounts.registration.errors import (
    CodeExhausted,
    CodeWrong,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
)
from shopaccounts.registration.model import (
    ATTEMPTS,
    Attempt,
    CodeSent,
    ContactConfirmed,
    ContactOffer,
    HolderUnknown,
    Registered,
    RegistrationForm,
    RegistrationStarted,
)
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.usecases import Registration
from shopaccounts.registration.verifying import Readied, Verifications

__all__ = [
    "ATTEMPTS",
    "Attempt",
    "CodeExhausted",
    "CodeSent",
    "CodeWrong",
    "ContactConfirmed",
    "ContactLinkExpired",
    "ContactLinkInvalid",
    "ContactLinkStale",
    "ContactLinkUsed",
    "ContactOffer",
    "HolderUnknown",
    "Readied",
    "Registered",
    "Registration",
    "RegistrationForm",
    "RegistrationPolicy",
    "RegistrationStarted",
    "Verifications",
]
