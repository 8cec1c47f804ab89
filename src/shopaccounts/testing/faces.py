"""Every use-case that a shop has, found by looking: a test that walks over them misses none that comes later."""

import inspect
from collections.abc import Callable
from typing import Any

import attrs

from shopaccounts.testing.builders import BuiltShop

__all__ = ["UseCase", "use_cases"]


@attrs.frozen(kw_only=True)
class UseCase:
    """One use-case of a shop.

    Args:
        face: The shop's attribute that has it.
        name: How it is called there.
        work: What it is, with its signature and docstring.
    """

    face: str
    name: str
    work: Callable[..., Any] = attrs.field(repr=False)

    @property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """What it takes, besides the request."""
        taken = inspect.signature(self.work).parameters.values()
        return tuple(parameter for parameter in taken if parameter.name not in {"self", "context"})

    @property
    def serves_a_request(self) -> bool:
        """Whether it takes the context of a request, as what somebody does in a browser."""
        return "context" in inspect.signature(self.work).parameters

    def __str__(self) -> str:
        return f"{self.face}.{self.name}"


def use_cases() -> tuple[UseCase, ...]:
    """Answer every use-case of every face of a shop, in order."""
    faces = ((field.name, field.type) for field in attrs.fields(BuiltShop) if field.name != "builder")
    return tuple(
        UseCase(face=face, name=name, work=work)
        for face, owner in faces
        for name, work in inspect.getmembers(owner, inspect.iscoroutinefunction)
        if not name.startswith("_")
    )
