"""What passwords ask of contexts that stand above them; whoever puts a shop together hands it in."""

from typing import Protocol

from shopaccounts.kernel.doorkeeper import Present
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.record import Bring
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import SetCookie
from shopaccounts.passwords.preparing import Prepared

__all__ = ["CurrentPasswords", "ResetAnswer", "Resets"]


class CurrentPasswords(Protocol):
    """Compares what somebody who is signed in types with their password, as at sign-in: nobody guesses faster here."""

    @property
    def bring(self) -> tuple[Bring, ...]:
        """What ``is_current`` needs to be read along with the session."""
        ...

    async def is_current(self, here: Present, typed: Prepared | None, context: RequestContext) -> bool:
        """Charge one try, and tell whether that is the password of whoever is signed in.

        Args:
            here: Who is signed in, with what ``bring`` names.
            typed: What was typed, None if no password can be that.
            context: Where the request came from.

        Raises:
            Throttled: Too many tries.
            TryLater: The counters or the hasher are not available.
        """
        ...


class ResetAnswer(Protocol):
    """What whoever asked for a reset goes on with."""

    @property
    def handle(self) -> Secret[str] | None:
        """What a code that went to a phone counts with; None by e-mail."""
        ...

    @property
    def set_cookies(self) -> tuple[SetCookie, ...]:
        """What the browser is to keep."""
        ...


class Resets(Protocol):
    """Sends owners a link or a code by which they choose a new password."""

    async def request_reset(
        self, identifier: str, context: RequestContext, channel: Channel = Channel.EMAIL
    ) -> ResetAnswer:
        """Send a link to the owner of an address, or a code to that of a number.

        Raises:
            WayNotOffered: The shop resets no passwords by this way.
            CountryNotServed: The shop sends nothing to this number's country.
            Throttled: Enough was sent there already.
            TryLater: The counters didn't answer.
        """
        ...
