"""User names: a second thing to sign in with, for shops that want one.

A name is compared in one form, after the profile UsernameCaseMapped of RFC 8265: wide and narrow forms become ordinary
ones, then capitals become small. What is left has to be plain letters, digits, dots, underscores and hyphens, and to
begin with a letter, so a name is never mistaken for an address or a number. [RFC 8265 section 3.3]
"""

import re
import unicodedata
from typing import Final

import attrs

from shopaccounts.kernel.personal import Category, described, personal

__all__ = ["Username", "canonical_username", "username_keys"]

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]*")
_WIDTHS: Final = ("<wide>", "<narrow>")


@described(data_class="customer", default=personal("customer", Category.IDENTITY))
@attrs.frozen(kw_only=True)
class Username:
    """A customer's user name.

    Args:
        name: In the one form that is compared.
        skeleton: What all names have in common that look like it; the name itself in shops that don't ask.
    """

    name: str = attrs.field(repr=False, metadata=personal("customer", Category.IDENTITY))
    skeleton: str = attrs.field(repr=False, metadata=personal("customer", Category.IDENTITY))


def canonical_username(text: str) -> str | None:
    """Answer *text* in the form that user names are compared in, None if it can't be one."""
    plain = "".join(map(_at_ordinary_width, text))
    name = plain.lower() if plain.isascii() else ""
    return name if _NAME.fullmatch(name) else None


def username_keys(username: Username) -> tuple[str, str]:
    """Answer the unique keys that a name holds: itself, and everything that looks like it."""
    return (f"name {username.name}", f"looks {username.skeleton}")


def _at_ordinary_width(character: str) -> str:
    width, _, ordinary = unicodedata.decomposition(character).partition(" ")
    return chr(int(ordinary, 16)) if width in _WIDTHS else character
