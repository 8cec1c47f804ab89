"""The book of what happened, until everybody who wants to know has heard of it.

Events are due, claimed, changed and purged like anything else, and each is numbered within the history of its subject.
Messages have their own book (``messages.py``), deliveries theirs (``relay``).
"""

from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.record import Book

__all__ = ["EVENTS"]

EVENTS = Book(
    name="events",
    of=Envelope,
    groups={"subject": lambda e: e.subject or None},
    order=lambda e: e.recorded_at,
    due=lambda e: None if e.fanned_out_at else e.recorded_at,
    lane=lambda e: (e.subject, e.seq) if e.seq else None,
    numbered=lambda e: e.subject or None,
    numbered_as="seq",
    keep_until=lambda e: e.kept_until if e.fanned_out_at else None,
)
