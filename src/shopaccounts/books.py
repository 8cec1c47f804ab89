"""Every book that the shop keeps, context by context. A storage adapter makes room for these."""

from typing import Any

from shopaccounts.customers import CUSTOMERS
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.recovery import STOP_NOTICES
from shopaccounts.registration import ATTEMPTS
from shopaccounts.relay import DELIVERIES
from shopaccounts.signin import SESSIONS

__all__ = ["BOOKS"]

BOOKS: tuple[Book[Any], ...] = (
    EVENTS,
    DELIVERIES,
    MESSAGES,
    TICKETS,
    SECURITY,
    CUSTOMERS,
    PASSWORDS,
    SESSIONS,
    ATTEMPTS,
    STOP_NOTICES,
)
