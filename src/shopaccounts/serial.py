"""Values to text and back: one converter for entities, events and settings.

The text is canonical JSON (sorted keys, no NaN), so that equal values give equal bytes. Times are ISO 8601 in UTC with
microseconds, bytes are base 64, enums stand by their value, durations are whole microseconds. A ``Secret`` has no text.
"""

import base64
import functools
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Never, TypeVar

import attrs
import cattrs

from shopaccounts.kernel.canonical import canonical, time_text
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Sealed

__all__ = ["dump", "load", "read_overlay"]

T = TypeVar("T")
_MICRO = timedelta(microseconds=1)


def dump(value: Any) -> str:
    """Answer an attrs value as canonical JSON."""
    return canonical(_converter().unstructure(value))


def load(cls: type[T], text: str | bytes) -> T:
    """Read what ``dump`` wrote."""
    return _converter().structure(json.loads(text), cls)


def read_overlay(default: T, overrides: Mapping[str, Any], fields: "Mapping[str, attrs.Attribute[Any]]") -> T:
    """Answer *default* with the fields named in *overrides*, read strictly.

    Raises:
        BadPolicy: An unknown field or an unreadable value.
    """
    unknown = overrides.keys() - fields.keys()
    if unknown:
        msg = f"{type(default).__name__} has no {', '.join(sorted(unknown))}"
        raise BadPolicy(msg)
    try:
        read = {name: _read_field(getattr(default, name), value, fields[name]) for name, value in overrides.items()}
    except (cattrs.BaseValidationError, TypeError, ValueError, KeyError) as failure:
        msg = f"{type(default).__name__}: unreadable {', '.join(sorted(overrides))}"
        raise BadPolicy(msg) from failure
    return attrs.evolve(default, **read)  # type: ignore[type-var]  # an attrs class


def _read_field(present: Any, value: Any, field: "attrs.Attribute[Any]") -> Any:
    if attrs.has(type(present)) and isinstance(value, Mapping):
        return read_overlay(present, value, attrs.fields_dict(type(present)))
    if type(value) is not type(present) and isinstance(present, (bool, int, str)):
        msg = f"{field.name} takes {type(present).__name__}"
        raise TypeError(msg)
    return _converter().structure(value, field.type or type(present))


def _no_secrets(*_: object) -> Never:
    msg = "a secret has no text"
    raise TypeError(msg)


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(unstruct_collection_overrides={frozenset: _sorted_list})
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(timedelta, lambda span: span // _MICRO)
    converter.register_structure_hook(timedelta, lambda micros, _: micros * _MICRO)
    converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode())
    converter.register_structure_hook(bytes, lambda text, _: base64.b64decode(text))
    converter.register_unstructure_hook(Sealed, lambda sealed: base64.b64encode(sealed.data).decode())
    converter.register_structure_hook(Sealed, lambda text, _: Sealed(base64.b64decode(text)))
    converter.register_unstructure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Enum), _enum_text)
    converter.register_unstructure_hook_func(_is_secret, _no_secrets)
    converter.register_structure_hook_func(_is_secret, _no_secrets)
    return converter


def _is_secret(cls: Any) -> bool:
    return cls is Secret or getattr(cls, "__origin__", None) is Secret


def _enum_text(member: Enum) -> Any:
    return member.value


def _sorted_list(items: Any) -> list[Any]:
    return sorted(items, key=repr)
