"""Phone numbers of the world, by phonenumbers: read as people type them, spelled as E.164 has them.

What the package does that one would not expect, and what is done about it here:

* It reads letters as keys of a phone, extensions in several spellings, digits of other scripts, a full-width plus, and
  line breaks: a text may hold the digits 0 to 9, a plus in front, and what people put between digits, nothing else.
* It reads short and emergency numbers without complaint; that they are no numbers of anybody is asked for by itself.
* Premium, shared-cost and toll-free numbers are valid to it: they are refused where a number proves who somebody is.
* It wants a text, and a country where the number has none; anything else is refused before it is asked.
* It spells some numbers anew, such as Argentine mobile numbers; a number that was typed as E.164 and would be spelled
  in another way is refused, as it would be somebody else's.
* Its plans change with each version: a number that is only looked up is spelled, never judged, and a number keeps the
  version that it was read by.
"""

import re
from typing import Any, Final

from shopaccounts.adapters.extras import require_extra
from shopaccounts.kernel.contact import LineType, PhoneInvalid, PhoneNumber
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.phones import PhoneUse
from shopaccounts.kernel.text import CAPS

__all__ = ["PlannedPhones"]

_BLANK: Final = " \t"
_EXTENSION: Final = re.compile(r"(?i)[0-9)]\s*(?:[;#,]|x|ext)")
_LETTERS: Final = re.compile(r"[A-Za-z]")
_DIALLED: Final = re.compile(r"(?=.*[0-9])\(?\+?[0-9 \t\u00a0()./-]+", re.ASCII)
_PLAIN: Final = re.compile(r"\+[0-9]+", re.ASCII)
_NOBODYS_OWN: Final = frozenset({LineType.PREMIUM_RATE, LineType.SHARED_COST, LineType.TOLL_FREE})
_NO_COUNTRY: Final = "001"


class PlannedPhones:
    """Keeps the promises of ``PhoneRules``.

    Raises:
        ExtraMissing: The extra ``phone`` isn't installed.
    """

    def __init__(self) -> None:
        require_extra("phone", self, "phonenumbers")
        import phonenumbers  # noqa: PLC0415  (optional)

        self._lib: Any = phonenumbers

    @property
    def plan(self) -> str:
        """The version of the numbering plans."""
        return str(self._lib.__version__)

    def parse(self, raw: str, default_country: str | None, use: PhoneUse) -> PhoneNumber:
        """Read a number as a person typed it.

        Args:
            raw: At most 40 characters; spaces and tabs around it are dropped.
            default_country: Whose numbers are read without a calling code, as ISO 3166-1 alpha-2; None reads none.
            use: What the number is wanted for.

        Raises:
            PhoneInvalid: It can't be used for that.
            BadPolicy: There is no such country.
        """
        stored = _typed(raw)
        found = self._found(stored, default_country)
        e164 = self._lib.format_number(found, self._lib.PhoneNumberFormat.E164)
        if _PLAIN.fullmatch(stored) and stored != e164:
            raise PhoneInvalid(reason="unknown")
        if use is not PhoneUse.LOOK_UP:
            self._judge(found, use)
        country = self._lib.region_code_for_number(found)
        if not 8 <= len(e164) - 1 <= 15:  # noqa: PLR2004  (as long as E.164 lets a number be)
            raise PhoneInvalid(reason="unknown")
        return PhoneNumber(
            stored, e164, None if country == _NO_COUNTRY else country, line=self._line(found), plan=self.plan
        )

    def line_type(self, number: PhoneNumber) -> LineType:
        """Answer what kind of line it is, as the plans have it now."""
        return self._line(self._found(number.e164, None))

    def _found(self, stored: str, default_country: str | None) -> Any:
        if default_country is not None and default_country not in self._lib.SUPPORTED_REGIONS:
            msg = f"no numbering plan of {default_country!r}"
            raise BadPolicy(msg)
        try:
            return self._lib.parse(stored, default_country)
        except self._lib.NumberParseException:
            pass
        raise PhoneInvalid(reason="unknown" if default_country or "+" in stored else "not_international")

    def _judge(self, found: Any, use: PhoneUse) -> None:
        if not self._lib.is_valid_number(found):
            region = self._lib.region_code_for_country_code(found.country_code)
            short = self._lib.is_possible_short_number_for_region(found, region)
            raise PhoneInvalid(reason="short_code" if short else "unknown")
        if use is PhoneUse.PROOF and self._line(found) in _NOBODYS_OWN:
            raise PhoneInvalid(reason="line_type")

    def _line(self, found: Any) -> LineType:
        kinds = self._lib.PhoneNumberType
        return {
            kinds.MOBILE: LineType.MOBILE,
            kinds.FIXED_LINE: LineType.FIXED,
            kinds.FIXED_LINE_OR_MOBILE: LineType.FIXED_OR_MOBILE,
            kinds.VOIP: LineType.VOIP,
            kinds.TOLL_FREE: LineType.TOLL_FREE,
            kinds.SHARED_COST: LineType.SHARED_COST,
            kinds.PREMIUM_RATE: LineType.PREMIUM_RATE,
        }.get(self._lib.number_type(found), LineType.OTHER)


def _typed(raw: object) -> str:
    """Answer the text of a number, trimmed, if nothing but a number stands in it."""
    if not isinstance(raw, str):
        raise PhoneInvalid(reason="type")
    text = str.__str__(raw)
    if len(text) > CAPS["phone"]:
        raise PhoneInvalid(reason="length")
    stored = text.strip(_BLANK)
    if _EXTENSION.search(stored):
        raise PhoneInvalid(reason="extension")
    if _LETTERS.search(stored):
        raise PhoneInvalid(reason="letters")
    if not _DIALLED.fullmatch(stored):
        raise PhoneInvalid(reason="characters")
    return stored
