"""What sign-in needs from outside."""

from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.request import IpAddress

__all__ = ["NoPlaces", "Places"]


class Places(Protocol):
    """Knows about where an address is, for people to recognise: a town or region, no more.

    Promises:
        1. An address that it doesn't know answers None.
    """

    def coarse(self, address: IpAddress) -> Answer[str | None]:
        """Answer the place in words, as ``Bremen, Germany``."""
        ...


class NoPlaces:
    """For shops that don't look up where addresses are."""

    def coarse(self, address: IpAddress) -> None:
        """Know no place."""
