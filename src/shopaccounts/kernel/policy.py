"""What differs between shops: frozen values with defaults that cite their source.

A shop overrides a few fields by name; an unknown name, or a value of the wrong type, is refused at start-up.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from shopaccounts.kernel.errors import BadPolicy

__all__ = ["Deviation", "overlay", "require"]

P = TypeVar("P")


@attrs.frozen
class Deviation:
    """A named rule of a standard that a policy does not meet, in the standard's own numbering."""

    rule: str
    why: str = ""


def require(holds: bool, what: str) -> None:  # noqa: FBT001  (reads as a sentence: require(x <= y, "x stays below y"))
    """Refuse a policy at start-up.

    Raises:
        BadPolicy: *holds* is false; *what* says which rule the values break.
    """
    if not holds:
        raise BadPolicy(what)


def overlay(default: P, overrides: Mapping[str, Any]) -> P:
    """Answer *default* with the fields that *overrides* names, read strictly.

    Args:
        default: The policy that holds where nothing is overridden.
        overrides: Field names to plain values, as a settings file holds them; nested policies as nested mappings.

    Raises:
        BadPolicy: An unknown field, a value of the wrong type, or values that contradict each other.
    """
    from shopaccounts import serial  # noqa: PLC0415  (cattrs is imported where it is used)

    return serial.read_overlay(default, overrides, attrs.fields_dict(type(default)))  # type: ignore[arg-type]  # P is an attrs class
