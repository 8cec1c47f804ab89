"""Which characters a new password may hold.

Everything that people can see or type on purpose: printable ASCII, the space, letters and digits of every script,
punctuation, symbols, single emoji. Not what nobody sees or what differs from one device to the next: controls, private
and unassigned characters, zero-width and other ignorable ones, old Hangul jamo. A few characters are welcome only in
their place, such as a middle dot between two l, or a joiner after a virama.

This is the FreeformClass of RFC 8264 with the contextual rules of RFC 5892, computed from Python's own Unicode data.
Two properties are not in that data and are derived from it: a script is told from the names of its characters, and how
a letter joins its neighbours is told from its presentation forms. A letter without such forms counts as not joining, so
a non-joiner in the middle of Syriac or Mongolian is refused.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

__all__ = ["refused_positions"]

_WELCOME: Final = frozenset("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007")
_REFUSED: Final = frozenset("\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b")
_CATEGORIES: Final = frozenset(
    "Ll Lu Lo Nd Lm Mn Mc Lt Nl No Me Zs Sm Sc Sk So Pc Pd Ps Pe Pi Pf Po".split()  # noqa: SIM905  (a table to read)
)
_OLD_JAMO: Final = "\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb"
_IGNORABLE: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_UNSEEN: Final = re.compile(f"[{_OLD_JAMO}{_IGNORABLE}]")
_VIRAMA: Final = 9
_ARABIC_DIGITS: Final = frozenset(map(chr, range(0x0660, 0x066A)))
_PERSIAN_DIGITS: Final = frozenset(map(chr, range(0x06F0, 0x06FA)))
_JAPANESE: Final = ("HIRAGANA LETTER", "KATAKANA LETTER", "HALFWIDTH KATAKANA", "CJK UNIFIED", "IDEOGRAPHIC NUMBER")


def refused_positions(text: str) -> tuple[int, ...]:
    """Answer where in *text* characters stand that a new password may not hold, counted from 0."""
    if text.isascii() and text.isprintable():
        return ()
    in_place = {character: rule(text) for character, rule in _IN_CONTEXT.items() if character in text}
    return tuple(at for at, character in enumerate(text) if not _may_stand(character, at, in_place))


def _may_stand(character: str, at: int, in_place: Mapping[str, Callable[[int], bool]]) -> bool:
    if character in in_place:
        return in_place[character](at)
    if character in _WELCOME:
        return True
    if character in _REFUSED or _UNSEEN.match(character):
        return False
    return unicodedata.category(character) in _CATEGORIES


def _between_l(text: str) -> Callable[[int], bool]:
    return lambda at: text[at - 1 : at + 2] == "l·l" if at else False


def _before_greek(text: str) -> Callable[[int], bool]:
    return lambda at: _named(text[at + 1 : at + 2], ("GREEK",))


def _after_hebrew(text: str) -> Callable[[int], bool]:
    return lambda at: at > 0 and _named(text[at - 1], ("HEBREW",))


def _near_japanese(text: str) -> Callable[[int], bool]:
    found = any(_named(character, _JAPANESE) for character in text)
    return lambda _: found


def _without(others: Iterable[str]) -> Callable[[str], Callable[[int], bool]]:
    unwanted = frozenset(others)

    def rule(text: str) -> Callable[[int], bool]:
        alone = unwanted.isdisjoint(text)
        return lambda _: alone

    return rule


def _after_virama(text: str) -> Callable[[int], bool]:
    return lambda at: at > 0 and unicodedata.combining(text[at - 1]) == _VIRAMA


def _where_letters_join(text: str) -> Callable[[int], bool]:
    after_virama = _after_virama(text)
    before, after = _joining_to_the_right(text), _joining_to_the_left(text)
    return lambda at: after_virama(at) or (at > 0 and before[at - 1] and at + 1 < len(text) and after[at + 1])


def _joining_to_the_right(text: str) -> list[bool]:
    """For each position, whether the nearest letter at or before it joins what follows."""
    joins: list[bool] = []
    for character in text:
        joins.append(bool(joins and joins[-1]) if _is_mark(character) else character in _joining()[0])
    return joins


def _joining_to_the_left(text: str) -> list[bool]:
    """For each position, whether the nearest letter at or after it joins what goes before."""
    joins: list[bool] = []
    for character in reversed(text):
        joins.append(bool(joins and joins[-1]) if _is_mark(character) else character in _joining()[1])
    return joins[::-1]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me"}


@cache
def _joining() -> tuple[frozenset[str], frozenset[str]]:
    """Answer the letters that join what follows, and those that join what goes before."""
    forms = [unicodedata.decomposition(chr(code)).split() for code in range(0xFB50, 0xFEFD)]
    letters = [(form[0], chr(int(form[1], 16))) for form in forms if len(form) == 2]  # noqa: PLR2004  (<form> letter)
    return (
        frozenset(letter for form, letter in letters if form in {"<initial>", "<medial>"}),
        frozenset(letter for form, letter in letters if form in {"<final>", "<medial>"}),
    )


def _named(character: str, beginnings: tuple[str, ...]) -> bool:
    return bool(character) and unicodedata.name(character, "").startswith(beginnings)


_IN_CONTEXT: Final[Mapping[str, Callable[[str], Callable[[int], bool]]]] = {
    "\u00b7": _between_l,
    "\u0375": _before_greek,
    "\u05f3": _after_hebrew,
    "\u05f4": _after_hebrew,
    "\u30fb": _near_japanese,
    "\u200c": _where_letters_join,
    "\u200d": _after_virama,
    **dict.fromkeys(_ARABIC_DIGITS, _without(_PERSIAN_DIGITS)),
    **dict.fromkeys(_PERSIAN_DIGITS, _without(_ARABIC_DIGITS)),
}
"""What makes a character welcome that is refused elsewhere, by RFC 5892 appendix A; asked once for each text."""
