"""What each field of a stored class means for the person it is about.

The rules, in plain English:

* Who defines a field says what it holds: personal data, a secret, or neither and why.
* From these marks come the data map, the access export and the erasure; no list of fields is kept elsewhere.
* One statement for a whole class may cover ids, closed choices, counters, times and money. It never covers text,
  bytes, mappings or a date that may be a birth date: free text is where personal data hides, so each such field is
  marked by itself.
* Erasing puts nothing false in a field: no today's date, no zero. Both would falsify statistics of sales and age.
"""

import datetime as dt
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, ClassVar, Final, Literal, NewType, TypeVar
from uuid import UUID

import attrs

from shopaccounts.kernel.errors import Defect

__all__ = [
    "Category",
    "Erasure",
    "FieldMark",
    "MarkKind",
    "OnErase",
    "Personal",
    "Source",
    "UnmarkedFields",
    "described",
    "field_marks",
    "impersonal",
    "personal",
    "secret",
]

C = TypeVar("C", bound=type)

_METADATA: Final = "shopaccounts.personal"
_DESCRIPTION: Final = "__shopaccounts_described__"


class Category(Enum):
    """What a piece of personal data tells about somebody."""

    IDENTITY = "identity"
    CONTACT = "contact"
    LOCATION = "location"
    FINANCIAL = "financial"
    PURCHASE = "purchase"
    BEHAVIOUR = "behaviour"
    TECHNICAL = "technical"
    PREFERENCE = "preference"
    CONTENT = "content"
    CHILD = "child"
    SPECIAL = "special"


class Source(Enum):
    """Where a piece of personal data came from (GDPR Art. 15(1)(g))."""

    SUBJECT = "subject"
    OBSERVED = "observed"
    DERIVED = "derived"
    THIRD_PARTY = "third_party"


class Erasure(Enum):
    """The ways to erase a field."""

    NULL = "null"
    BLANK = "blank"
    TOMBSTONE = "tombstone"
    COARSEN = "coarsen"
    KEYED_HASH = "keyed_hash"
    DROP_ROW = "drop_row"
    KEEP = "keep"


def _demand(holds: bool, what: str) -> None:  # noqa: FBT001  (reads as a sentence)
    if not holds:
        raise Defect(what)


@attrs.frozen
class OnErase:
    """What becomes of a field when its person is erased.

    ``OnErase.NULL``, ``BLANK`` (empty text), ``TOMBSTONE`` (the text ``[erased]``), ``KEYED_HASH`` and ``DROP_ROW``
    stand as they are; ``OnErase.coarsen("year_of_birth")`` names a function that makes the value less exact, and
    ``OnErase.keep("...")`` says why the value stays.

    Raises:
        Defect: A function that is no name, a missing reason, or either where it doesn't belong.
    """

    action: Erasure
    detail: str = ""

    NULL: ClassVar["OnErase"]
    BLANK: ClassVar["OnErase"]
    TOMBSTONE: ClassVar["OnErase"]
    KEYED_HASH: ClassVar["OnErase"]
    DROP_ROW: ClassVar["OnErase"]

    def __attrs_post_init__(self) -> None:
        if self.action is Erasure.COARSEN:
            _demand(self.detail.isidentifier(), "coarsening names a function")
        elif self.action is Erasure.KEEP:
            _demand(bool(self.detail.strip()), "what is kept has a reason")
        else:
            _demand(not self.detail, f"{self.action.value} takes no detail")

    @classmethod
    def coarsen(cls, function: str) -> "OnErase":
        """Make the value less exact by the function of this name."""
        return cls(Erasure.COARSEN, function)

    @classmethod
    def keep(cls, reason: str) -> "OnErase":
        """Leave the value, for this reason."""
        return cls(Erasure.KEEP, reason)


OnErase.NULL = OnErase(Erasure.NULL)
OnErase.BLANK = OnErase(Erasure.BLANK)
OnErase.TOMBSTONE = OnErase(Erasure.TOMBSTONE)
OnErase.KEYED_HASH = OnErase(Erasure.KEYED_HASH)
OnErase.DROP_ROW = OnErase(Erasure.DROP_ROW)


class MarkKind(Enum):
    """What a mark says in one word."""

    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105  (the word, not a secret)
    IMPERSONAL = "impersonal"


@attrs.frozen(kw_only=True)
class Personal:
    """What one field holds; made by ``personal``, ``secret`` or ``impersonal``.

    Args:
        kind: Which of the three it is.
        data_class: The row of the retention schedule it belongs to, such as ``contact_points``.
        category: What it tells; None where it tells nothing.
        source: Where it came from.
        export: Whether an access export shows it.
        on_erase: What becomes of it when the person is erased.
        sealed: Whether it is encrypted at rest.
        index: The name of the blind index it is looked up by.
        about_others: Whether it may tell about other people, who have rights of their own.
        why: The reason, for a secret or impersonal field.
    """

    kind: MarkKind
    data_class: str
    category: Category | None
    source: Source
    export: bool
    on_erase: OnErase
    sealed: bool = False
    index: str | None = None
    about_others: bool = False
    why: str = ""


@attrs.frozen
class FieldMark:
    """The mark that holds for one field of a class."""

    field: str
    mark: Personal


@attrs.frozen
class UnmarkedFields(Defect):
    """A class has fields that nobody has said anything about, or text that only a default would cover."""

    model: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.model}: not marked: {', '.join(self.fields)}"


@attrs.frozen
class _Description:
    owner: type
    data_class: str
    default: Personal


def personal(
    data_class: str,
    category: Category,
    *,
    source: Source = Source.SUBJECT,
    export: bool = True,
    on_erase: OnErase = OnErase.NULL,
    sealed: bool = False,
    index: str | None = None,
    about_others: bool = False,
) -> dict[str, Personal]:
    """Mark a field as personal data: ``attrs.field(metadata=personal("profile", Category.IDENTITY))``.

    The arguments are those of ``Personal``. The defaults are the careful answers: the person told it, the person gets
    to see it, and it goes when the person goes (GDPR Art. 15 and 17).

    Raises:
        Defect: The data class is not written as ``lower_case_words``.
    """
    return _metadata(
        Personal(
            kind=MarkKind.PERSONAL,
            data_class=_named(data_class),
            category=category,
            source=source,
            export=export,
            on_erase=on_erase,
            sealed=sealed,
            index=index,
            about_others=about_others,
        )
    )


def secret(data_class: str, why: str) -> dict[str, Personal]:
    """Mark a password hash, a seed or a token: never exported, always destroyed.

    Raises:
        Defect: The data class is not written as ``lower_case_words``, or the reason is missing.
    """
    _demand(bool(why.strip()), "a secret field says what it is for")
    return _metadata(
        Personal(
            kind=MarkKind.SECRET,
            data_class=_named(data_class),
            category=Category.TECHNICAL,
            source=Source.OBSERVED,
            export=False,
            on_erase=OnErase.NULL,
            why=why,
        )
    )


def impersonal(why: str) -> dict[str, Personal]:
    """Mark a field that tells nothing about anybody, and say why.

    Raises:
        Defect: The reason is missing.
    """
    _demand(bool(why.strip()), "a field is impersonal for a reason")
    return _metadata(
        Personal(
            kind=MarkKind.IMPERSONAL,
            data_class="",
            category=None,
            source=Source.DERIVED,
            export=False,
            on_erase=OnErase.keep(why),
            why=why,
        )
    )


def described(*, data_class: str, default: Mapping[str, Personal]) -> Callable[[C], C]:
    """Say for a whole class what the fields hold that have no mark of their own.

    Stands above ``@attrs.frozen``. It doesn't cover free text; ``field_marks`` says which fields are left.

    Args:
        data_class: The row of the retention schedule that impersonal fields of the class are listed under.
        default: What ``personal``, ``secret`` or ``impersonal`` answered.

    Raises:
        Defect: The class is not an attrs class (yet), or the data class is not written as ``lower_case_words``.
    """
    name = _named(data_class)

    def describe(model: C) -> C:
        _demand(attrs.has(model), "describe an attrs class: @described stands above @attrs.frozen")
        setattr(model, _DESCRIPTION, _Description(model, name, default[_METADATA]))
        return model

    return describe


def field_marks(model: type) -> tuple[FieldMark, ...]:
    """Answer what each field of an attrs class holds, in the order of the fields.

    Raises:
        UnmarkedFields: Fields that have no mark, and that no description covers; all of them are named.
        Defect: Not an attrs class, or a type that can't be resolved.
    """
    description = _description(model)
    covered = {
        field.name: _own_mark(field) or (description.default if description and not needs_own else None)
        for field, needs_own in _fields(model, frozenset())
    }
    unmarked = tuple(name for name, mark in covered.items() if mark is None)
    if unmarked:
        raise UnmarkedFields(model.__qualname__, unmarked)
    data_class = description.data_class if description else ""
    return tuple(FieldMark(name, _classed(mark, data_class)) for name, mark in covered.items() if mark is not None)


def _named(data_class: str) -> str:
    _demand(data_class.isidentifier() and data_class == data_class.lower(), "a data class is named in_lower_case")
    return data_class


def _metadata(mark: Personal) -> dict[str, Personal]:
    return {_METADATA: mark}


def _classed(mark: Personal, data_class: str) -> Personal:
    return mark if mark.data_class else attrs.evolve(mark, data_class=data_class)


def _own_mark(field: "attrs.Attribute[Any]") -> Personal | None:
    mark: Personal | None = field.metadata.get(_METADATA)
    return mark


def _description(model: type) -> _Description | None:
    found: _Description | None = getattr(model, _DESCRIPTION, None)
    return found if found is not None and found.owner is model else None


def _fields(model: type, seen: frozenset[type]) -> list[tuple["attrs.Attribute[Any]", bool]]:
    """Answer each field, and whether nothing but a mark of its own will do."""
    _demand(attrs.has(model), "only attrs classes have field marks")
    try:
        hints = typing.get_type_hints(model, include_extras=True)
    except NameError as missing:
        msg = f"{model.__qualname__}: a type can't be resolved: {missing.name}"
        raise Defect(msg) from None
    return [
        (field, "birth" in field.name.lower() or _needs_own_mark(hints.get(field.name), seen | {model}))
        for field in attrs.fields(model)
    ]


# What a description of the whole class may cover. Dates are not among them: a type doesn't tell whose day it is.
_COVERED = (types.NoneType, Enum, int, float, Decimal, UUID, dt.datetime, dt.time, dt.timedelta, dt.tzinfo)
_CODES = ("Id", "Currency")
_GROUPS = (list, tuple, set, frozenset)


def _needs_own_mark(hint: Any, seen: frozenset[type]) -> bool:
    """Say whether a field of this type may hold free text; what is not known to be harmless may."""
    if hint is Ellipsis:
        return False
    if isinstance(hint, NewType):
        return not hint.__name__.endswith(_CODES) and _needs_own_mark(hint.__supertype__, seen)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _needs_own_mark(arguments[0], seen)
    if origin is Literal:
        return False
    if origin in {typing.Union, types.UnionType} or _is_group(origin):
        return any(_needs_own_mark(argument, seen) for argument in arguments)
    return not isinstance(hint, type) or not (issubclass(hint, _COVERED) or _is_harmless_value(hint, seen))


def _is_group(origin: Any) -> bool:
    return isinstance(origin, type) and any(issubclass(group, origin) for group in _GROUPS)


def _is_harmless_value(model: type, seen: frozenset[type]) -> bool:
    if model in seen:
        return True
    return attrs.has(model) and all(_is_harmless(field, needs_own) for field, needs_own in _fields(model, seen))


def _is_harmless(field: "attrs.Attribute[Any]", needs_own: bool) -> bool:  # noqa: FBT001  (the pair that _fields answers)
    mark = _own_mark(field)
    return mark.kind is MarkKind.IMPERSONAL if mark else not needs_own
