"""What passwords ask of contexts that stand above them; whoever puts a shop together hands it in."""

from datetime import datetime
from typing import Protocol

from shopaccounts.kernel.request import RequestContext

__all__ = ["Guesses", "Resets"]


class Guesses(Protocol):
    """Counts the guesses at passwords, those at sign-in among them, so that nobody guesses faster elsewhere."""

    async def charge(self, subject: str, network: str, now: datetime) -> int:
        """Count a try at the password of *subject* before it is looked at; answer how many there were with it.

        Raises:
            Throttled: The network or the subject has to wait.
            TryLater: The counters didn't answer.
        """
        ...

    async def failed(self, network: str, now: datetime) -> None:
        """Count a failure against its network."""
        ...

    async def succeeded(self, subject: str) -> None:
        """Forget the tries at the password of *subject*."""
        ...


class Resets(Protocol):
    """Mails owners a link by which they choose a new password."""

    async def request_reset(self, identifier: str, context: RequestContext) -> object:
        """Send a link to the owner of an address.

        Raises:
            Throttled: Enough was sent there already.
            TryLater: The counters didn't answer.
        """
        ...
