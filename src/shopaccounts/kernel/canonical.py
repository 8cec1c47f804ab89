"""One text for one value: canonical JSON, so that equal values give equal bytes.

Keys are sorted, there is no NaN and no white space. Times are ISO 8601 in UTC with microseconds, so that the order of
texts is the order of times; enums stand by their value, durations are whole microseconds.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import Enum
from types import NoneType
from typing import Any

import attrs

from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.time import require_instant

__all__ = ["canonical", "in_order", "plain_fields", "require_storable", "time_text"]

_PLAIN = (str, int, float)
_AS_IT_IS = frozenset({NoneType, bool, int, float, str})
_MICRO = timedelta(microseconds=1)
_NUL, _LONG_NUMBER = rb"\u0000", b"0" * 19
_DIGITS_AS_ZERO = bytes(ord("0" if byte in b"0123456789" else " ") for byte in range(256))
_BEYOND_64_BITS = 2**63
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(plain: Any) -> str:
    """Answer plain values (dicts, lists, text, whole numbers, booleans, None) as canonical JSON.

    Raises:
        Defect: A whole number beyond 64 bits, or text that no database holds: with NUL or half of a surrogate pair.
        ValueError: NaN or an infinity.
    """
    text = _ENCODER.encode(plain)
    require_storable(_written(text), plain)
    return text


def require_storable(written: bytes, plain: Any) -> None:
    """Demand that databases hold what was written.

    Args:
        written: Plain values as canonical JSON.
        plain: The values themselves.

    Raises:
        Defect: A whole number beyond 64 bits, or text with NUL.
    """
    if _NUL in written or _LONG_NUMBER in written.translate(_DIGITS_AS_ZERO):
        for part in _parts(plain):
            _refuse_unstorable(part)


@functools.lru_cache(maxsize=1_024)
def time_text(at: datetime) -> str:
    """Answer a time as canonical text.

    Raises:
        TypeError: It doesn't say how far from UTC it is.
    """
    return require_instant(at).isoformat(timespec="microseconds")


def in_order(plain: Iterable[Any]) -> list[Any]:
    """Answer the members of a set, which has no order of its own, in the order of their canonical texts."""
    return sorted(plain, key=_ENCODER.encode)


def plain_fields(value: Any) -> dict[str, Any]:
    """Answer the fields of an attrs value as plain values, values within it included."""
    kind: Any = type(value)
    fields = {}
    for name in _names(kind):
        held = getattr(value, name)
        fields[name] = held if type(held) in _AS_IT_IS else _plain(held)
    return fields


def _parts(plain: Any) -> Iterator[Any]:
    if isinstance(plain, dict):
        for key, value in plain.items():
            yield key
            yield from _parts(value)
    elif isinstance(plain, list | tuple):
        for value in plain:
            yield from _parts(value)
    else:
        yield plain


def _refuse_unstorable(part: Any) -> None:
    if isinstance(part, str) and "\0" in part:
        msg = "text with NUL can't be stored"
        raise Defect(msg)
    if isinstance(part, int) and not -_BEYOND_64_BITS <= part < _BEYOND_64_BITS:
        msg = "a whole number beyond 64 bits can't be stored"
        raise Defect(msg)


def _written(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        msg = "text with half of a surrogate pair can't be stored"
        raise Defect(msg) from None


@functools.cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(kind))


def _plain(value: Any) -> Any:  # noqa: PLR0911  (a kind of value each)
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // _MICRO
    if isinstance(value, frozenset):
        return in_order(map(_plain, value))
    if isinstance(value, tuple | list):
        return list(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    return plain_fields(value) if attrs.has(type(value)) else value
