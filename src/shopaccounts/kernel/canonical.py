"""One text for one value: canonical JSON, so that equal values give equal bytes.

Keys are sorted, there is no NaN and no white space. Times are ISO 8601 in UTC with microseconds, so that the order of
texts is the order of times; enums stand by their value, durations are whole microseconds.
"""

import json
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

import attrs

__all__ = ["canonical", "plain_fields", "time_text"]

_MICRO = timedelta(microseconds=1)
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(plain: Any) -> str:
    """Answer plain values (dicts, lists, text, whole numbers, booleans, None) as canonical JSON."""
    return _ENCODER.encode(plain)


def time_text(at: datetime) -> str:
    """Answer a time as canonical text."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def plain_fields(value: Any) -> dict[str, Any]:
    """Answer the fields of an attrs value as plain values, values within it included."""
    return attrs.asdict(value, value_serializer=_plain)


def _plain(_owner: Any, _field: Any, value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value // _MICRO
    return sorted(value) if isinstance(value, frozenset) else value
