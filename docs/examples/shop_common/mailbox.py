"""In development: a page shows the mails that were sent."""

from collections import deque

from shopaccounts.kernel.answers import Answer
from shopaccounts.relay import Accepted, Courier, CourierAnswer, Rendered

__all__ = ["Mailbox"]


class Mailbox:
    """Keeps the last mails for a page of the developer, and hands them on where somebody takes them.

    Args:
        onward: Who really sends mail; None if nobody does.
    """

    def __init__(self, onward: Courier | None = None) -> None:
        self._onward = onward
        self.mails: deque[Rendered] = deque(maxlen=50)

    def send(self, message: Rendered) -> Answer[CourierAnswer]:
        """Keep a mail, then hand it on."""
        self.mails.appendleft(message)
        return self._onward.send(message) if self._onward else Accepted()

    def hang_up(self) -> Answer[None]:
        """Tell whoever sends that this was all for now."""
        return self._onward.hang_up() if self._onward else None
