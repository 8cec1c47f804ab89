"""Every book that the shop keeps, context by context. A storage adapter makes room for these."""

from typing import Any

from shopaccounts.customers import CLOSINGS, CUSTOMERS, Belongings, Kept
from shopaccounts.kernel.messages import MESSAGES
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.passwords import PASSWORDS
from shopaccounts.providers import FLOWS
from shopaccounts.recovery import CASES, QUESTIONS, STOP_NOTICES
from shopaccounts.registration import (
    ADDITIONS,
    ATTEMPTS,
    CONTACT_CHANGES,
    CONTACT_CHECKS,
    INVITATIONS,
    PROVEN_NUMBERS,
)
from shopaccounts.relay import DELIVERIES
from shopaccounts.signin import (
    AUTHENTICATORS,
    CEREMONIES,
    DEVICE_BINDINGS,
    DEVICES,
    IMPERSONATIONS,
    PROGRESSES,
    REALMS,
    SENT_CODES,
    SESSIONS,
)
from shopaccounts.subscriptions import (
    ACCOUNTS,
    BALANCE_ENTRIES,
    CAMPAIGN_USES,
    CANCELLATION_STATEMENTS,
    CLERK_ACTS,
    CREDIT_NOTES,
    CYCLES,
    DELIVERY_ROUNDS,
    INTENTS,
    INVOICES,
    LAST_RUNS,
    METERS,
    NOTICE_AGENDAS,
    PRICE_ANSWERS,
    PRICE_CHANGES,
    SENT_NOTICES,
    SUBSCRIPTION_DELIVERIES,
    SUBSCRIPTION_REQUESTS,
    SUBSCRIPTIONS,
    TRIALS,
    WITHDRAWAL_STATEMENTS,
)

__all__ = ["BELONGINGS", "BOOKS"]

BOOKS: tuple[Book[Any], ...] = (
    EVENTS,
    DELIVERIES,
    MESSAGES,
    TICKETS,
    SECURITY,
    CUSTOMERS,
    CLOSINGS,
    PASSWORDS,
    AUTHENTICATORS,
    PROGRESSES,
    CEREMONIES,
    DEVICE_BINDINGS,
    SENT_CODES,
    FLOWS,
    SESSIONS,
    DEVICES,
    REALMS,
    IMPERSONATIONS,
    ATTEMPTS,
    INVITATIONS,
    ADDITIONS,
    CONTACT_CHANGES,
    CONTACT_CHECKS,
    PROVEN_NUMBERS,
    STOP_NOTICES,
    QUESTIONS,
    CASES,
    ACCOUNTS,
    SUBSCRIPTIONS,
    SUBSCRIPTION_DELIVERIES,
    SUBSCRIPTION_REQUESTS,
    DELIVERY_ROUNDS,
    INVOICES,
    LAST_RUNS,
    METERS,
    NOTICE_AGENDAS,
    PRICE_ANSWERS,
    PRICE_CHANGES,
    SENT_NOTICES,
    CREDIT_NOTES,
    CYCLES,
    BALANCE_ENTRIES,
    CAMPAIGN_USES,
    INTENTS,
    TRIALS,
    CLERK_ACTS,
    CANCELLATION_STATEMENTS,
    WITHDRAWAL_STATEMENTS,
)

BELONGINGS = Belongings(
    on_closing=(
        Kept(PASSWORDS),
        Kept(AUTHENTICATORS),
        Kept(PROGRESSES, "account"),
        Kept(CEREMONIES, "account"),
        Kept(DEVICE_BINDINGS),
        Kept(FLOWS, "account"),
        Kept(SESSIONS, "account"),
        Kept(DEVICES),
        Kept(QUESTIONS),
    ),
    on_erasing=(
        Kept(SECURITY),
        Kept(CLOSINGS),
        Kept(STOP_NOTICES),
        Kept(TICKETS, "subject"),
        Kept(SENT_CODES, "account"),
        Kept(ATTEMPTS, "account"),
        Kept(INVITATIONS, "inviter"),
        Kept(IMPERSONATIONS, "account"),
        Kept(ADDITIONS, "account"),
        Kept(CONTACT_CHANGES, "account"),
        Kept(CONTACT_CHECKS, "account"),
        Kept(PROVEN_NUMBERS, "account"),
        Kept(CASES, "account"),
    ),
)
"""What goes when an account is closed, and what goes besides when its customer is erased.

Events and messages are the relay's: messages are wiped when they end, events hold no personal data.
"""
