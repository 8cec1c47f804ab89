"""What sign-in needs from outside."""

from enum import Enum
from typing import Any, Protocol

from shopaccounts.customers import Customer
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.kernel.request import IpAddress

__all__ = ["NoPlaces", "NoRiskSignals", "NumberRisk", "Places", "RiskSignals", "Unproven"]


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


class Unproven(Protocol):
    """Sends the verification of accounts once more whose address nobody has proven yet; registration does."""

    @property
    def bring(self) -> tuple[Bring, ...]:
        """What is read along with the account for it."""
        ...

    async def ready(self, contact: Contact) -> Any:
        """Ask for all that ``remind`` needs; the same questions for every address."""
        ...

    async def remind(self, readied: Any, found: Found[Customer], contact: Contact) -> Change:
        """Answer the part of a change that sends it, with one message."""
        ...


class NumberRisk(Enum):
    """What is known against a phone number just now.

    Args:
        RECENT_SIM_CHANGE: Somebody put it on another card a short while ago; it may be a thief.
    """

    RECENT_SIM_CHANGE = "recent_sim_change"


class RiskSignals(Protocol):
    """Knows what networks say about phone numbers, as NIST SP 800-63B-4 3.1.3.3 wants it asked.

    Promises:
        1. A number of which nothing is known answers nothing.
    """

    def number(self, number: str) -> Answer[frozenset[NumberRisk]]:
        """Answer what speaks against sending to *number*, in E.164."""
        ...


class NoRiskSignals:
    """For shops that ask no network."""

    def number(self, number: str) -> frozenset[NumberRisk]:  # noqa: ARG002  (the port names it)
        """Know nothing."""
        return frozenset()
