"""The book of what happened, until everybody who wants to know has heard of it.

A store gives each event its place in the history of its subject; all else about events is ordinary: they are due,
claimed, changed and purged like anything else. Messages have their own book (``messages.py``), deliveries theirs
(``relay``).
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
    keep_until=lambda e: e.kept_until if e.fanned_out_at else None,
)
