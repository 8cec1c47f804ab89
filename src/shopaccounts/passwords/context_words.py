"""Words that a stranger would try first in *this* shop, for *this* person.

Names of the shop, of its domains and its product lines, and what is known of the person: pieces of the e-mail address,
user name, phone number, names, birthday. Each counts from four characters on.

A password may hold such words, if enough of it is something else. So all of them are taken out, the longest first; if
one was taken out and fewer than four letters are left, the password leans on them. It is looked at three times: as it
is, and with digits and signs read as the letters they stand in for (``l4mp3nh4u5``), where ``1`` and ``|`` can be an l
or an i. What is left counts as it was typed, so a digit is never a letter. For the shop *Lampenhaus*,
``Lampenhaus-2031-Lampenhaus`` has no letter left and is refused, while ``lampenhaus winter teapot`` has twelve and is
fine. [OWASP ASVS 6.1.2, 6.2.11; NIST SP 800-63B-4 3.1.1.2]
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from datetime import date
from typing import Final

import attrs

__all__ = ["PersonalWords", "ShopWords", "leans_on"]

_SHORTEST_WORD: Final = 4
_ENOUGH_LETTERS: Final = 4
_GONE: Final = "\0"
_PIECES: Final = re.compile(r"[\W_]+")
_LETTER_L: Final = str.maketrans("013457@$!|", "oleastasii")
_LETTER_I: Final = str.maketrans("013457@$!|", "oieastasil")
_BIRTHDAYS: Final = ("%Y%m%d", "%d%m%Y", "%m%d%Y", "%d%m%y", "%m%d%y", "%y%m%d", "%Y")


@attrs.frozen(kw_only=True)
class ShopWords:
    """What names the shop.

    Args:
        names: Names of the realm and its stores.
        domains: Domains of the stores.
    """

    names: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()

    def words(self, more: Iterable[str] = ()) -> frozenset[str]:
        """Answer every word of at least four characters, in the form that is looked for.

        Args:
            more: Words that the shop's policy adds, such as product lines.
        """
        return _long_enough([*self.names, *more, *_all_pieces([*self.names, *self.domains, *more])])


@attrs.frozen(kw_only=True, repr=False)
class PersonalWords:
    """What is known of the person who chooses; never shown."""

    emails: tuple[str, ...] = ()
    user_name: str = ""
    phones: tuple[str, ...] = ()
    given_name: str = ""
    family_name: str = ""
    birthday: date | None = None

    def words(self) -> frozenset[str]:
        """Answer every word of at least four characters, in the form that is looked for."""
        names = [self.user_name, self.given_name, self.family_name]
        locals_ = [email.partition("@")[0] for email in self.emails]
        numbers = ["".join(filter(str.isdecimal, phone)) for phone in self.phones]
        birthday = [self.birthday.strftime(form) for form in _BIRTHDAYS] if self.birthday else []
        return _long_enough([*names, *locals_, *_all_pieces([*names, *self.emails]), *numbers, *birthday])


def leans_on(password: str, words: Iterable[str]) -> frozenset[str]:
    """Answer the *words* that *password* leans on; none if enough of it is something else.

    Args:
        password: The whole password.
        words: What ``ShopWords.words`` and ``PersonalWords.words`` answer.
    """
    longest_first = sorted(words, key=lambda word: (-len(word), word))
    plain = _looked_for(password)
    for view in _VIEWS:
        found, rest = _taken_out(view(plain), [(word, view(word)) for word in longest_first])
        letters = sum(letter.isalpha() for letter, left in zip(plain, rest, strict=True) if left != _GONE)
        if found and letters < _ENOUGH_LETTERS:
            return found
    return frozenset()


def _taken_out(text: str, words: Iterable[tuple[str, str]]) -> tuple[frozenset[str], str]:
    found = set()
    for word, seen_as in words:
        if seen_as in text:
            found.add(word)
            text = text.replace(seen_as, _GONE * len(seen_as))
    return frozenset(found), text


def _looked_for(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _all_pieces(texts: Iterable[str]) -> list[str]:
    return [piece for text in texts for piece in _PIECES.split(text)]


def _long_enough(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in map(_looked_for, words) if len(word) >= _SHORTEST_WORD)


_VIEWS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    lambda text: text.translate(_LETTER_L),
    lambda text: text.translate(_LETTER_I),
)
