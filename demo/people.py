"""Who answers for the customer: the script, or whoever sits at the terminal."""

import getpass
import sys
from typing import Protocol

__all__ = ["Customer", "GaveUp", "Person", "Reader"]


class GaveUp(Exception):  # noqa: N818  (not an error: somebody has seen enough)
    """The story can't go on as somebody typed it."""


class Customer(Protocol):
    """Types into the shop's forms."""

    is_typing: bool

    def types(self, what: str, suggestion: str, *, hidden: bool = False) -> str:
        """Answer what is typed into the field *what*."""
        ...


class Reader:
    """Nobody is there; every suggestion is taken."""

    is_typing = False

    def types(self, what: str, suggestion: str, *, hidden: bool = False) -> str:  # noqa: ARG002  (nobody looks at it)
        """Answer the suggestion."""
        return suggestion


class Person:
    """Somebody sits at the terminal; the Enter key alone takes the suggestion."""

    is_typing = True

    def types(self, what: str, suggestion: str, *, hidden: bool = False) -> str:
        """Ask for it; what is hidden doesn't show while it is typed on a terminal."""
        prompt = f"  {what} (Enter takes: {suggestion}): "
        try:
            typed = getpass.getpass(prompt) if hidden and sys.stdin.isatty() else input(prompt)
        except EOFError:
            raise GaveUp from None
        return typed or suggestion
