"""Reading phone numbers as the shop's customers type them, and saying which of them the shop serves.

The rules, in plain English:

* With an adapter that knows numbering plans, numbers are read as people type them, in the store's country first.
  Without one, in international form only: nothing is guessed.
* What is refused is refused for the number alone, so it tells nothing about accounts.
* Lines that cost the caller or reach no person of one's own prove nothing: codes go to mobile lines, calls to fixed
  lines too.
* A number that is only looked up is spelled, never judged: numbering plans change, customers' numbers don't.
* A number that was long unused may be somebody else's by now; alone it opens nothing.
"""

import re
from datetime import timedelta
from enum import Enum
from typing import Final, Protocol

import attrs

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.contact import LineType, PhoneNumber
from shopaccounts.kernel.errors import Kind, Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.policy import require

__all__ = ["CountryNotServed", "PhoneNotServed", "PhonePolicy", "PhoneRules", "PhoneUse", "Phones", "is_country"]

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PLAIN: Final = re.compile(r"[ \t]*\+[1-9][0-9]{7,14}[ \t]*", re.ASCII)
_DAY: Final = timedelta(days=1)


def is_country(code: str) -> bool:
    """Tell whether *code* is written as ISO 3166-1 alpha-2 writes countries."""
    return _COUNTRY.fullmatch(code) is not None


class PhoneUse(Enum):
    """What a number is wanted for.

    To be called by people; to prove who somebody is by codes and claims; or only to find who has it already.
    """

    CALL = "call"
    PROOF = "proof"
    LOOK_UP = "look_up"


class PhoneRules(Protocol):
    """Knows the numbering plans of the world, so that customers may type numbers as they are used to.

    Promises:
        1. ``parse`` reads a national number of *default_country* and an international one of any country.
        2. ``stored`` of its answer is the text as typed, trimmed; ``e164`` and ``country`` come from the plan.
        3. Extensions, letters, digits other than 0 to 9 and text over 40 characters are refused with ``PhoneInvalid``,
           whatever the use; short and emergency numbers and numbers that no plan has for every use but a look-up.
        4. For ``PhoneUse.PROOF`` it also refuses lines that charge the caller or reach no person of one's own:
           premium rate, shared cost, toll free.
        5. What ``PhoneNumber.parse`` reads and a plan knows gets the same ``e164``.
        6. Plans change: for ``PhoneUse.LOOK_UP`` a number is spelled, and not judged, so a number once stored is found
           for good.
    """

    def parse(self, raw: str, default_country: str | None, use: PhoneUse) -> Answer[PhoneNumber]:
        """Read a number as a person typed it."""
        ...

    def line_type(self, number: PhoneNumber) -> Answer[LineType]:
        """Answer what kind of line it is."""
        ...


@attrs.frozen
class PhoneNotServed(Rejected):
    """The shop takes no numbers of this kind, whoever has them.

    ``reason`` is ``off`` (the shop sends no messages to phones), ``region`` or ``line_type``.
    """

    code = "registration.phone_not_served"
    kind = Kind.INVALID
    reason: str


@attrs.frozen
class CountryNotServed(Rejected):
    """The shop sends no text messages to numbers of this country, and calls none; ``reason`` is ``country``."""

    code = "registration.country_not_served"
    kind = Kind.INVALID
    reason: str


@attrs.frozen(kw_only=True)
class PhonePolicy:
    """Which phone numbers the shop takes.

    Args:
        default_country: Whose numbers are read without a calling code, as ISO 3166-1 alpha-2; None reads none.
        regions: The countries whose numbers the shop takes; empty takes those of every country.
        types: The lines that text messages go to.
        call_types: The lines that are called.
        stale_after: How long a number may be unused before it opens nothing alone.

    Why these defaults:
        default_country, regions: none; only the shop knows where its customers are.
        types, call_types: mobile lines for text messages, fixed ones for calls too; lines on the Internet are rented by
            the thousand, of the house. [NIST SP 800-63B-4 3.1.3.3 wants risks of a number looked at]
        stale_after: 180 days: networks give numbers to others a few months after they were given up, of the house.
            [OWASP Multifactor Authentication Cheat Sheet, "SMS Messages and Phone Calls"]
    """

    default_country: str | None = None
    regions: frozenset[str] = frozenset()
    types: frozenset[LineType] = frozenset({LineType.MOBILE, LineType.FIXED_OR_MOBILE})
    call_types: frozenset[LineType] = frozenset({LineType.MOBILE, LineType.FIXED_OR_MOBILE, LineType.FIXED})
    stale_after: timedelta = 180 * _DAY

    def __attrs_post_init__(self) -> None:
        named = [*self.regions, *([self.default_country] if self.default_country else [])]
        require(all(map(is_country, named)), "countries are written with two capital letters")
        require(bool(self.types), "text messages go to some kind of line")
        require(self.stale_after >= _DAY, "a number is not stale within a day")


@attrs.frozen(kw_only=True)
class Phones:
    """Reads numbers as the shop's policy wants them.

    Args:
        policy: Which numbers the shop takes.
        rules: Knows numbering plans; None reads international numbers alone, and knows neither country nor line.
        channels: By which ways the shop can reach numbers; without one it takes none.
    """

    policy: PhonePolicy = attrs.field(factory=PhonePolicy)
    rules: PhoneRules | None = None
    channels: frozenset[Channel] = frozenset()

    async def read(self, text: str, channel: Channel = Channel.SMS) -> PhoneNumber:
        """Answer the number that somebody typed, if codes may go there by *channel*.

        Raises:
            PhoneInvalid: It can't be a number.
            PhoneNotServed: The shop doesn't take it.
        """
        self._check_on(channel)
        number = await self._parsed(text, PhoneUse.PROOF)
        if self.policy.regions and number.country not in self.policy.regions:
            raise PhoneNotServed(reason="region")
        self.check_reach(number, channel)
        return number

    def check_reach(self, number: PhoneNumber, channel: Channel) -> None:
        """Refuse to send a code to a number by a way that doesn't reach its kind of line.

        Raises:
            PhoneNotServed: So it is, or the shop has no such way.
        """
        self._check_on(channel)
        served = self.policy.call_types if channel is Channel.VOICE else self.policy.types
        if number.line is not LineType.UNKNOWN and number.line not in served:
            raise PhoneNotServed(reason="line_type")

    def _check_on(self, channel: Channel) -> None:
        if channel not in self.channels:
            raise PhoneNotServed(reason="off")

    async def look_up(self, text: str) -> PhoneNumber:
        """Answer the number that somebody typed who may have it here already; it is spelled, and not judged.

        Raises:
            PhoneInvalid: It can't be a number.
        """
        if _PLAIN.fullmatch(text):
            return PhoneNumber.parse(text)
        return await self._parsed(text, PhoneUse.LOOK_UP)

    async def _parsed(self, text: str, use: PhoneUse) -> PhoneNumber:
        if self.rules is None:
            return PhoneNumber.parse(text)
        return await got(self.rules.parse(text, self.policy.default_country, use))
