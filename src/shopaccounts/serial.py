"""Values to text and back: one converter for entities, events and settings.

The text is canonical JSON (sorted keys, no NaN), so that equal values give equal bytes. Times are ISO 8601 in UTC with
microseconds, wall times and days are ISO 8601 without a zone, bytes are base 64, enums stand by their value, zones by
their name, durations are whole microseconds. A ``Secret`` has no text.

Where a field may hold one of several attrs classes, ``"is"`` says which (``{"is":"Flat",...}``): no field can have that
name. What was written before that was said is of the one class whose fields it has.

A field that holds its default isn't written, which halves what large entities take. So the default of a field that is
stored never changes: what is to mean something else gets another field. A listing among the tests holds us to that.

Many values that are much alike, such as the lines of an invoice, are written in columns: where their class says
``stored_in_columns = True``, a tuple of them tells, field by field, what all have in common (``all``), the columns of
which that is made (``of``), or the value of each (``each``).

Reading is strict: nothing is made to fit. 1.9 is no whole number, 5 is no text, "false" is no boolean, a time without a
zone is no time, and a class that the field doesn't name is none.
"""

import base64
import functools
import math
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from enum import Enum, IntEnum, StrEnum
from types import NoneType, UnionType
from typing import Any, Final, Never, TypeVar, Union, get_args, get_origin

import attrs
import cattrs
import orjson
from cattrs.gen import make_dict_unstructure_fn

from shopaccounts.kernel.canonical import canonical, in_order, require_storable, time_text
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import Zone, require_instant, zone
from shopaccounts.kernel.vault import Sealed

__all__ = ["dump", "load", "read_overlay"]

T = TypeVar("T")
_MICRO = timedelta(microseconds=1)
_WHICH: Final = "is"
_SORTED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)


def dump(value: Any) -> str:
    """Answer an attrs value as canonical JSON.

    Raises:
        Defect: A whole number beyond 64 bits, or text that no database holds: with NUL or half of a surrogate pair.
        TypeError: What has no text, such as a secret or a time without a zone.
        ValueError: NaN or an infinity.
    """
    plain = _converter().unstructure(value)
    try:
        written = orjson.dumps(plain, option=_SORTED)
    except orjson.JSONEncodeError:
        return canonical(plain)  # says what is wrong with it
    require_storable(written, plain)
    return written.decode()


def load(cls: type[T], text: str | bytes) -> T:
    """Read what ``dump`` wrote.

    Raises:
        cattrs.BaseValidationError: The text is no such value; nothing is converted to make it one.
    """
    return _converter().structure(orjson.loads(text), cls)


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
    converter = cattrs.Converter(unstruct_collection_overrides={frozenset: in_order}, omit_if_default=True)
    for plain in (bool, int, float, str):
        converter.register_structure_hook(plain, _exactly)
    converter.register_unstructure_hook(float, _finite)
    converter.register_unstructure_hook(datetime, time_text)
    converter.register_structure_hook(datetime, lambda text, _: require_instant(datetime.fromisoformat(text)))
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(time, _wall_time_text)
    converter.register_structure_hook(time, lambda text, _: _wall_time(time.fromisoformat(text)))
    converter.register_unstructure_hook(Zone, lambda zone: zone.name)
    converter.register_structure_hook(Zone, lambda name, _: zone(_exactly(name, str)))
    converter.register_unstructure_hook(timedelta, lambda span: span // _MICRO)
    converter.register_structure_hook(timedelta, lambda micros, _: _exactly(micros, int) * _MICRO)
    converter.register_unstructure_hook(bytes, _bytes_text)
    converter.register_structure_hook(bytes, lambda text, _: _read_bytes(text))
    converter.register_unstructure_hook(Sealed, lambda sealed: _bytes_text(sealed.data))
    converter.register_structure_hook(Sealed, lambda text, _: Sealed(_read_bytes(text)))
    converter.register_unstructure_hook_func(_is_enum, _enum_text)
    for kind in (Enum, IntEnum, StrEnum):
        converter.register_structure_hook(kind, _member)
    converter.register_unstructure_hook_func(_is_secret, _no_secrets)
    converter.register_structure_hook_func(_is_secret, _no_secrets)
    converter.register_unstructure_hook_factory(_is_one_of_several, _writes_one_of)
    converter.register_structure_hook_factory(_is_one_of_several, _reads_one_of)
    converter.register_unstructure_hook_factory(_is_many, _writes_many)
    converter.register_structure_hook_factory(_is_many, _reads_many)
    converter.register_unstructure_hook_factory(_is_in_columns, _writes_columns)
    converter.register_structure_hook_factory(_is_in_columns, _reads_columns)
    return converter


def _exactly(value: Any, kind: type[T]) -> T:
    """Take a value as it is; cattrs would rather cut 1.9 to 1 and write None as text."""
    if type(value) is not kind:
        msg = f"{type(value).__name__} where {kind.__name__} belongs"
        raise TypeError(msg)
    return value


def _is_one_of_several(cls: Any) -> bool:
    """Tell whether a type is a union of two attrs classes or more, and perhaps None."""
    classes = [cls for cls in get_args(cls) if cls is not NoneType]
    return get_origin(cls) in {Union, UnionType} and len(classes) > 1 and all(map(attrs.has, classes))


def _writes_one_of(union: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    classes = get_args(union)
    ways: dict[type, Callable[[Any], dict[str, Any]]] = {}

    def write(value: Any) -> Any:
        if value is None and NoneType in classes:
            return None
        cls = type(value)
        if cls not in ways:  # looked up late, for a class may hold values of its own union
            if cls not in classes:
                msg = f"{cls.__name__} where one of {union} belongs"
                raise TypeError(msg)
            ways[cls] = converter.get_unstructure_hook(cls)
        plain = ways[cls](value)
        plain[_WHICH] = cls.__name__
        return plain

    return write


def _reads_one_of(union: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    classes = {cls.__name__: cls for cls in get_args(union) if cls is not NoneType}
    may_be_none = NoneType in get_args(union)
    ways: dict[str, Callable[[Any, Any], Any]] = {}

    def read(value: Any, _: Any) -> Any:
        if value is None and may_be_none:
            return None
        name = _exactly(value, dict).get(_WHICH) or _untold(classes, value)
        if name not in ways:  # looked up late, as above
            ways[name] = converter.get_structure_hook(classes[name])
        return ways[name](value, classes[name])

    return read


def _untold(classes: Mapping[str, type], value: Mapping[str, Any]) -> str:
    """Answer the name of the one class that has these fields, for a value that doesn't tell."""
    (name,) = (name for name, cls in classes.items() if _fits(attrs.fields(cls), value.keys()))
    return name


def _fits(fields: "tuple[attrs.Attribute[Any], ...]", names: AbstractSet[str]) -> bool:
    may = {field.name for field in fields if field.init}
    must = {field.name for field in fields if field.init and field.default is attrs.NOTHING}
    return must <= names <= may


def _is_many(cls: Any) -> bool:
    """Tell whether a type is a tuple of any length."""
    return get_origin(cls) is tuple and get_args(cls)[1:] == (...,)


def _writes_many(many: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    way = converter.get_unstructure_hook(get_args(many)[0])
    return lambda values: [way(value) for value in values]


def _reads_many(many: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    of = get_args(many)[0]
    way = converter.get_structure_hook(of)
    return lambda plain, _: tuple([way(value, of) for value in _exactly(plain, list)])


def _is_in_columns(cls: Any) -> bool:
    """Tell whether a type is a tuple of any length of a class that is written in columns."""
    return _is_many(cls) and getattr(get_args(cls)[0], "stored_in_columns", False) is True


def _writes_columns(many: Any, converter: cattrs.Converter) -> Callable[[Any], Any]:
    """Answer what writes columns: of all fields, since values without some of them would be no columns."""
    way = make_dict_unstructure_fn(get_args(many)[0], converter, _cattrs_omit_if_default=False)
    return lambda values: {"count": len(values)} | _column([way(value) for value in values])


def _column(values: list[Any]) -> dict[str, Any]:
    if not values:
        return {}
    first = values[0]
    if all(value == first for value in values):
        return {"all": first}
    if all(isinstance(value, dict) and value.keys() == first.keys() for value in values):
        return {"of": {name: _column([value[name] for value in values]) for name in first}}
    return {"each": values}


def _reads_columns(many: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    of = get_args(many)[0]
    way = converter.get_structure_hook(of)
    return lambda plain, _: tuple(way(value, of) for value in _values(plain, _exactly(plain["count"], int)))


def _values(column: Mapping[str, Any], count: int) -> list[Any]:
    if not count:
        return []
    if "all" in column:
        return [column["all"]] * count
    if "each" in column:
        return _exactly(column["each"], list)
    of = {name: _values(inner, count) for name, inner in _exactly(column["of"], dict).items()}
    return [dict(zip(of, row, strict=True)) for row in zip(*of.values(), strict=True)]


def _wall_time_text(at: time) -> str:
    return _wall_time(at).isoformat()


def _wall_time(at: time) -> time:
    if at.tzinfo is not None:
        msg = "a wall time has no zone of its own"
        raise TypeError(msg)
    return at


def _bytes_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _is_secret(cls: Any) -> bool:
    return cls is Secret or getattr(cls, "__origin__", None) is Secret


def _is_enum(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, Enum)


def _member(value: Any, kind: type[Enum]) -> Enum:
    return _members(kind)[type(value), value]


@functools.cache
def _members(kind: type[Enum]) -> Mapping[tuple[type, Any], Enum]:
    """Answer members by their values, and by nothing that only equals them, as true equals 1."""
    return {(type(member.value), member.value): member for member in kind}


def _enum_text(member: Enum) -> Any:
    return member._value_  # what ``value`` answers, in a third of its time


def _finite(number: float) -> float:
    """Refuse what is no number; the encoder would write nothing in its place."""
    if not math.isfinite(number):
        msg = "JSON has no infinity, and nothing that is no number"
        raise ValueError(msg)
    return number
