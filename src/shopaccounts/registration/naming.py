"""Which user names a customer may have.

The rules, in plain English:

* Shops have no user names unless they want them.
* A name is read in the one form that is compared, and is neither too short nor too long in it.
* Words that would make somebody look like the shop are nobody's, with or without dots between them.
* A name is taken if somebody has it, or one that looks like it, or gave it up a short while ago.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import cache
from typing import Final

from shopaccounts.customers import canonical_username
from shopaccounts.kernel.record import Once
from shopaccounts.registration.errors import UsernameNotAllowed
from shopaccounts.registration.policy import UsernamePolicy

__all__ = ["allowed_username", "passing_on"]

_MARKER: Final = "username"
_SEPARATORS: Final = str.maketrans("", "", "._-")


def allowed_username(text: str, policy: UsernamePolicy, shop: Iterable[str]) -> str:
    """Answer the name that was typed, in the form that is compared.

    Args:
        text: As typed.
        policy: Which names there are in this shop.
        shop: The words that name the shop.

    Raises:
        UsernameNotAllowed: Nobody may have this name.
    """
    if not policy.enabled:
        raise UsernameNotAllowed(reason="off")
    name = canonical_username(text)
    if name is None:
        raise UsernameNotAllowed(reason="form")
    if not policy.shortest <= len(name) <= policy.longest:
        raise UsernameNotAllowed(reason="length")
    if name.translate(_SEPARATORS) in {*_reserved(), *policy.reserved, *shop}:
        raise UsernameNotAllowed(reason="reserved")
    return name


def passing_on(
    given_up: Iterable[str], taken: Iterable[str], policy: UsernamePolicy, now: datetime
) -> tuple[Once, ...]:
    """Answer the markers by which a name that was given up stays reserved, and a new one is known not to be.

    Args:
        given_up: Keyed digests of what the earlier name held.
        taken: Keyed digests of what the new one holds.
        policy: How long a name stays reserved.
        now: When.
    """
    until = now + policy.reserved_for
    return (
        *(Once(namespace=_MARKER, key=key, now=now, keep_until=until) for key in given_up),
        *(Once(namespace=_MARKER, key=key, now=now, keep_until=now) for key in taken),
    )


@cache
def _reserved() -> frozenset[str]:
    from importlib.resources import files  # noqa: PLC0415  (only shops with user names need it)

    words = files("shopaccounts.registration").joinpath("data", "reserved_names.txt").read_text("ascii")
    return frozenset(words.split())
