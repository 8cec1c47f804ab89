"""Rejections in the words of the person who is told no.

The rules, in plain English:

* The id of a text is the error's code. Every code of the library has a text in every language of the library.
* Facts stand in the text as people write them: durations and times in words, in the person's language.
* An error of the shop's own, for which the library has no text, is told in a general sentence, never as a code.
"""

from datetime import date, datetime, timedelta
from typing import Any, Final

import attrs
from babel.dates import format_date, format_timedelta, get_timezone
from babel.numbers import format_currency, format_decimal

from shopaccounts.adapters.catalogues import moment, region, texts
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.money import Money

__all__ = ["Messages"]

_GENERAL: Final = "kernel.rejected"
_UNITS: Final = (timedelta(days=1), timedelta(hours=1), timedelta(minutes=1))
_TWO: Final = 2
"""From how many of a unit on a span is told in it."""


class Messages:
    """Words rejections in one language.

    Args:
        locale: The person's, such as ``de-AT``; English where the library doesn't speak it.
        zone: In whose time instants are told, by its name in the tz database.
    """

    def __init__(self, locale: str, zone: str = "UTC") -> None:
        self._texts, self._region = texts(locale), region(locale)
        self._zone = get_timezone(zone)

    def say(self, error: Rejected) -> str:
        """Answer what the person is told."""
        text = self._texts.gettext(error.code)
        if text == error.code:
            text = self._texts.gettext(_GENERAL)
        return text % self._facts(error)

    def _facts(self, error: Rejected) -> dict[str, str]:
        kind = type(error)
        fields = attrs.fields(kind) if attrs.has(kind) else ()
        return {field.name: self._worded(getattr(error, field.name)) for field in fields}

    def _worded(self, fact: Any) -> str:
        match fact:
            case timedelta():
                return format_timedelta(_rounded_up(fact), threshold=_TWO, locale=self._region)
            case datetime():
                return moment(fact, self._zone, self._region)
            case date():
                return format_date(fact, "long", self._region)
            case Money():
                return format_currency(fact.to_decimal(), fact.currency, locale=self._region)
            case int() if not isinstance(fact, bool):
                return format_decimal(fact, locale=self._region)
            case _:
                return str(fact)


def _rounded_up(span: timedelta) -> timedelta:
    """Answer a span in whole units of the size that people tell it in; who waits that long has waited long enough."""
    unit = next((unit for unit in _UNITS if span >= _TWO * unit), timedelta(seconds=1))
    return max(1, -(-span // unit)) * unit
