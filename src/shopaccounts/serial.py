"""Values to text and back: one converter for entities, events and settings.

The text is canonical JSON (sorted keys, no NaN), so that equal values give equal bytes. Times are ISO 8601 in UTC with
microseconds, bytes are base 64, enums stand by their value, durations are whole microseconds. A ``Secret`` has no text.

Reading is strict: nothing is made to fit. 1.9 is no whole number, 5 is no text, "false" is no boolean, a time without a
zone is no time.
"""

import base64
import functools
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Any, Never, TypeVar

import attrs
import cattrs

from shopaccounts.kernel.canonical import canonical, in_order, time_text
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import require_instant
from shopaccounts.kernel.vault import Sealed

__all__ = ["dump", "load", "read_overlay"]

T = TypeVar("T")
_MICRO = timedelta(microseconds=1)
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


def dump(value: Any) -> str:
    """Answer an attrs value as canonical JSON."""
    return canonical(_converter().unstructure(value))


def load(cls: type[T], text: str | bytes) -> T:
    """Read what ``dump`` wrote.

    Raises:
        cattrs.BaseValidationError: The text is no such value; nothing is converted to make it one.
    """
    return _converter().structure(json.loads(text), cls)


def read_overlay(default: T, overrides: Mapping[str, Any], fields: "Mapping[str, attrs.Attribute[Any]]") -> T:
    """Answer *default* with the fields named in *overrides*, read strictly; a ``timedelta`` may stand as it is.

    Raises:
        BadPolicy: An unknown field, an unreadable value, or values that contradict each other.
    """
    unknown = overrides.keys() - fields.keys()
    if unknown:
        msg = f"{type(default).__name__} has no {', '.join(sorted(map(str, unknown)))}"
        raise BadPolicy(msg)
    read = {name: _read_field(default, value, fields[name]) for name, value in overrides.items()}
    return attrs.evolve(default, **read)  # type: ignore[misc]  # an attrs class


def _read_field(policy: Any, value: Any, field: "attrs.Attribute[Any]") -> Any:
    present = getattr(policy, field.name)
    if attrs.has(type(present)) and isinstance(value, Mapping):
        return read_overlay(present, value, attrs.fields_dict(type(present)))
    if isinstance(value, timedelta) and isinstance(present, timedelta):
        return value
    try:
        _refuse_text_for_many(value, present)
        return _converter().structure(value, field.type or type(present))
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError, *_UNREADABLE) as failure:
        msg = f"{type(policy).__name__}.{field.name} can't be read"
        raise BadPolicy(msg) from failure


def _refuse_text_for_many(value: Any, present: Any) -> None:
    if isinstance(value, str) and isinstance(present, tuple | frozenset):
        msg = "one text where several values belong"
        raise TypeError(msg)


def _no_secrets(*_: object) -> Never:
    msg = "a secret has no text"
    raise TypeError(msg)


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(unstruct_collection_overrides={frozenset: in_order})
    for plain in (bool, int, float, str):
        converter.register_structure_hook(plain, _exactly)
    converter.register_structure_hook(IntEnum, lambda value, kind: kind(_exactly(value, int)))
    converter.register_structure_hook(StrEnum, lambda value, kind: kind(_exactly(value, str)))
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_structure_hook(datetime, lambda text, _: require_instant(datetime.fromisoformat(text)))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(timedelta, lambda span: span // _MICRO)
    converter.register_structure_hook(timedelta, lambda micros, _: _exactly(micros, int) * _MICRO)
    converter.register_unstructure_hook(bytes, _bytes_text)
    converter.register_structure_hook(bytes, lambda text, _: _read_bytes(text))
    converter.register_unstructure_hook(Sealed, lambda sealed: _bytes_text(sealed.data))
    converter.register_structure_hook(Sealed, lambda text, _: Sealed(_read_bytes(text)))
    converter.register_unstructure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Enum), _enum_text)
    converter.register_unstructure_hook_func(_is_secret, _no_secrets)
    converter.register_structure_hook_func(_is_secret, _no_secrets)
    return converter


def _exactly(value: Any, kind: type[T]) -> T:
    """Take a value as it is; cattrs would rather cut 1.9 to 1 and write None as text."""
    if type(value) is not kind:
        msg = f"{type(value).__name__} where {kind.__name__} belongs"
        raise TypeError(msg)
    return value


def _bytes_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _is_secret(cls: Any) -> bool:
    return cls is Secret or getattr(cls, "__origin__", None) is Secret


def _enum_text(member: Enum) -> Any:
    return member.value
