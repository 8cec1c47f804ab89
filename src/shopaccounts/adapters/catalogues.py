"""The languages that the library speaks, and its texts in each of them."""

import functools
import gettext
from datetime import datetime, tzinfo
from importlib.resources import files
from io import BytesIO
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name

__all__ = ["DOMAIN", "LOCALES", "closest", "moment", "region", "texts"]

DOMAIN: Final = "shopaccounts"
LOCALES: Final = ("en", "de", "fr", "es")
"""The languages with a complete catalogue; the first one is spoken to everybody else."""


def closest(locale: str) -> str:
    """Answer the language of ours for a locale such as ``de-AT``."""
    language = locale.replace("_", "-").split("-")[0].lower()
    return language if language in LOCALES else LOCALES[0]


@functools.lru_cache(maxsize=256)
def region(locale: str) -> Locale:
    """Answer how dates and numbers are written for a locale: as there, if its language is ours."""
    language = closest(locale)
    try:
        wanted = Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        return Locale(language)
    return wanted if wanted.language == language else Locale(language)


def moment(at: datetime, zone: tzinfo, where: Locale) -> str:
    """Answer an instant in words: the day, the minute, and in whose time."""
    local = at.astimezone(zone)
    time = format_time(local, "short", zone, where)
    return f"{format_date(local, 'long', where)}, {time} {get_timezone_name(local, 'short', locale=where)}"


def texts(locale: str) -> gettext.GNUTranslations:
    """Answer the catalogue for a locale."""
    return _texts(closest(locale))


@functools.cache
def _texts(language: str) -> gettext.GNUTranslations:
    catalogue = files("shopaccounts") / "locale" / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
    return gettext.GNUTranslations(BytesIO(catalogue.read_bytes()))
