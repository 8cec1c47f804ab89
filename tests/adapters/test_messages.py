"""Rejections in the words of the person who is told no."""

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import attrs
import pytest

import shopaccounts
from shopaccounts.adapters.babel import Messages
from shopaccounts.adapters.catalogues import LOCALES, texts
from shopaccounts.kernel.errors import Forbidden, Kind, Rejected, Throttled
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.secret import Secret
from shopaccounts.subscriptions.errors import BalanceTooLow

PLACES = re.compile(r"%\((\w+)\)s")
ROOT = Path(shopaccounts.__file__).parents[2]


def subclasses(kind: type[Rejected]) -> Iterator[type[Rejected]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from subclasses(subclass)


@pytest.fixture(scope="module")
def rejections() -> dict[str, type[Rejected]]:
    """Every rejection of the library that has a code, by that."""
    for module in pkgutil.walk_packages(shopaccounts.__path__, "shopaccounts."):
        if ".migrations" not in module.name:  # Alembic runs these itself
            importlib.import_module(module.name)
    ours = [kind for kind in subclasses(Rejected) if kind.__module__.startswith("shopaccounts.")]
    return {kind.code: kind for kind in ours if "code" in vars(kind)}


def facts_of(kind: type[Rejected]) -> set[str]:
    return set(attrs.fields_dict(kind)) if attrs.has(kind) else set()


@pytest.mark.parametrize("locale", LOCALES)
def test_every_code_has_a_text_in_every_language(rejections: dict[str, type[Rejected]], locale: str) -> None:
    silent = sorted(code for code in rejections if texts(locale).gettext(code) == code)
    assert not silent, f"add these codes to locale/{locale}/LC_MESSAGES/shopaccounts.po: {silent}"


@pytest.mark.parametrize("locale", LOCALES)
def test_a_text_names_only_facts_that_its_error_has(rejections: dict[str, type[Rejected]], locale: str) -> None:
    wrong = {
        code: places
        for code, kind in rejections.items()
        if (places := set(PLACES.findall(texts(locale).gettext(code))) - facts_of(kind))
    }
    assert not wrong


def test_all_languages_name_the_same_facts(rejections: dict[str, type[Rejected]]) -> None:
    for code in rejections:
        assert len({frozenset(PLACES.findall(texts(locale).gettext(code))) for locale in LOCALES}) == 1, code


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(milliseconds=1), "1 second"),
        (timedelta(seconds=90), "90 seconds"),
        (timedelta(seconds=121), "3 minutes"),
        (timedelta(minutes=61), "61 minutes"),
        (timedelta(hours=2, seconds=1), "3 hours"),
        (timedelta(days=2), "2 days"),
    ],
)
def test_a_wait_is_told_in_words_and_rounded_up(span: timedelta, said: str) -> None:
    assert said in Messages("en").say(Throttled(span))


@pytest.mark.parametrize(
    ("locale", "said"), [("de-AT", "3 Minuten"), ("fr", "3 minutes"), ("es", "3 minutos"), ("ja", "3 minutes")]
)
def test_a_wait_is_told_in_the_persons_language_or_in_english(locale: str, said: str) -> None:
    assert said in Messages(locale).say(Throttled(timedelta(minutes=3))).replace("\xa0", " ")


@attrs.frozen
class Odd(Rejected):
    """A rejection of a shop's own."""

    code = "shop.odd"
    kind = Kind.INVALID
    at: datetime
    day: date
    flag: bool
    hidden: Secret[str]


def test_a_rejection_of_the_shops_own_is_told_in_a_general_sentence() -> None:
    odd = Odd(datetime(2027, 2, 1, tzinfo=UTC), date(2027, 2, 1), True, Secret("hunter22"))
    assert Messages("en").say(odd) == "That isn't possible."
    assert Messages("de").say(odd) == "Das ist nicht möglich."


def test_times_and_numbers_are_told_as_people_write_them_and_secrets_not_at_all() -> None:
    odd = Odd(datetime(2027, 2, 1, 23, tzinfo=UTC), date(2027, 2, 1), True, Secret("hunter22"))
    facts = Messages("de", zone="Europe/Berlin")._facts(odd)
    assert facts == {
        "at": "2. Februar 2027, 00:00 MEZ",
        "day": "1. Februar 2027",
        "flag": "True",
        "hidden": "Secret(•••)",
    }


def test_amounts_are_told_as_people_write_them() -> None:
    few = BalanceTooLow(Money(1234567, "EUR"))
    assert Messages("de-AT").say(few).startswith("Das Guthaben beträgt €\xa012.345,67.")
    assert Messages("en").say(few).startswith("The balance is €12,345.67.")


def test_an_error_without_facts_is_told_too() -> None:
    assert Messages("en").say(Forbidden()) == "You may not do that."


def test_the_compiled_catalogues_are_fresh() -> None:
    tool = ROOT / "tools" / "compile_messages.py"
    answer = subprocess.run([sys.executable, str(tool), "--check"], check=False, capture_output=True, text=True)  # noqa: S603
    assert answer.returncode == 0, answer.stdout + answer.stderr
