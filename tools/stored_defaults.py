"""List the defaults of all fields that are stored.

A field that holds its default isn't written, so whoever changes a default changes what is stored already.
"""

import typing
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any, Final

import attrs

from shopaccounts.books import BOOKS

HEADER: Final = """\
# The defaults of what is stored. A field that holds its default isn't written: who changes a default changes what is
# stored already. So none of these lines ever changes or goes; what is to mean something else gets another field.
# Written by tools/generate_reference.py.
"""


def listing() -> str:
    """Answer the lines, sorted, a field each."""
    classes = {name(kind): kind for kind in reachable(book.of for book in BOOKS)}
    return HEADER + "".join(f"{name}.{field}\n" for name in sorted(classes) for field in defaults(classes[name]))


def name(kind: type) -> str:
    """Answer how a class is called and where it stands."""
    return f"{kind.__module__.removeprefix('shopaccounts.')}.{kind.__qualname__}"


def reachable(kinds: Iterable[Any]) -> set[type]:
    """Answer all attrs classes that values of these types may hold."""
    found: set[type] = set()
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        waiting += typing.get_args(kind)
        if isinstance(kind, type) and attrs.has(kind) and kind not in found:
            found.add(kind)
            waiting += [field.type for field in attrs.fields(attrs.resolve_types(kind))]
    return found


def defaults(kind: Any) -> Iterator[str]:
    """Answer the fields of a class that have a default, each with it."""
    for field in attrs.fields(kind):
        if field.init and field.default is not attrs.NOTHING:
            yield f"{field.name} = {shown(field.default)}"


def shown(default: Any) -> str:
    """Answer a default as it is listed."""
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, though the stubs call it a function
        return shown(default.factory())
    return f"{default!s}" if isinstance(default, Enum) else f"{default!r}"
