"""Names for ids, so that a type checker keeps them apart.

Ids are opaque text: no code reads a time or an order out of them.
"""

from typing import NewType

__all__ = [
    "AccountId",
    "AttemptId",
    "ContactId",
    "CustomerId",
    "EventId",
    "MessageId",
    "RealmId",
    "SessionId",
    "StoreId",
    "WorkerId",
]

RealmId = NewType("RealmId", str)
StoreId = NewType("StoreId", str)
CustomerId = NewType("CustomerId", str)
AccountId = CustomerId
"""The credentialed side of a customer: the same value, another hat."""
ContactId = NewType("ContactId", str)
AttemptId = NewType("AttemptId", str)
SessionId = NewType("SessionId", str)
EventId = NewType("EventId", str)
MessageId = NewType("MessageId", str)
WorkerId = NewType("WorkerId", str)
