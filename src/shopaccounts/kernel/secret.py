"""Values that must not be seen: passwords, codes, ticket texts, seeds, session values."""

import hmac
from typing import Generic, Never, TypeVar

__all__ = ["Secret", "same"]

T = TypeVar("T", str, bytes)


def same(a: str | bytes, b: str | bytes) -> bool:
    """Compare two secrets or digests in constant time."""
    return hmac.compare_digest(_raw(a), _raw(b))


def _raw(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")


class Secret(Generic[T]):
    """Holds a secret so that nothing prints, hashes, sorts, pickles or serialises it by accident.

    Only ``reveal`` opens it; an architecture test lists every place that does.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would be a comparison that is not constant-time

    def __init__(self, value: T) -> None:
        self._value: T = value

    def reveal(self) -> T:
        """Open the secret."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return same(self._value, other._value)

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> Never:
        msg = "a secret can't be pickled"
        raise TypeError(msg)
