"""What every part of a plan is held to: the right types, numbers within their bounds."""

from collections.abc import Callable
from types import UnionType
from typing import Any

import attrs
from attrs.validators import deep_iterable, instance_of

from shopaccounts.subscriptions.errors import BadPlan

__all__ = ["a_name", "require_plan", "require_whole", "tuple_of", "whole_number"]

_LONGEST_NAME = 200


def require_plan(holds: bool, problem: str) -> None:  # noqa: FBT001  (reads as a sentence: what must hold, or else)
    """Refuse a plan that contradicts itself.

    Raises:
        BadPlan: *holds* is false; *problem* says what is wrong, for the shopkeeper.
    """
    if not holds:
        raise BadPlan(problem)


def require_whole(what: str, number: int) -> None:
    """Refuse whatever isn't exactly an ``int``.

    Raises:
        TypeError: *number* is a float, a bool or another type.
    """
    if type(number) is not int:
        msg = f"{what} must be int, not {type(number).__name__}"
        raise TypeError(msg)


def whole_number(least: int, most: int) -> Callable[[Any, "attrs.Attribute[int]", int], None]:
    """Answer a validator that takes an ``int`` from *least* to *most*.

    Raises:
        BadPlan: By the validator, for a number outside.
        TypeError: By the validator, for anything that isn't exactly an ``int``.
    """

    def check(instance: Any, field: "attrs.Attribute[int]", value: int) -> None:
        what = f"{type(instance).__name__}.{field.name}"
        require_whole(what, value)
        require_plan(least <= value <= most, f"{what} is {least} to {most}, not {value}")

    return check


def tuple_of(kind: type | UnionType) -> Callable[[Any, "attrs.Attribute[Any]", Any], Any]:
    """Answer a validator that takes a tuple of *kind* alone: a list could change afterwards.

    Raises:
        TypeError: By the validator, for anything else.
    """
    return deep_iterable(instance_of(kind), instance_of(tuple))


def a_name(instance: Any, field: "attrs.Attribute[str]", value: str) -> None:
    """Check that a key or code is a text of 1 to 200 printable characters.

    Raises:
        BadPlan: It is empty, longer, or has characters that can't be seen.
        TypeError: It is no text.
    """
    what = f"{type(instance).__name__}.{field.name}"
    if not isinstance(value, str):
        msg = f"{what} must be str, not {type(value).__name__}"
        raise TypeError(msg)
    require_plan(
        0 < len(value) <= _LONGEST_NAME and value.isprintable() and not value.isspace(),
        f"{what} has 1 to {_LONGEST_NAME} characters that can be seen",
    )
