"""Field marks: what each field means for the person it is about."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Annotated, Any, Literal, NewType, Optional
from uuid import UUID

import attrs
import pytest

from shopaccounts.kernel.contact import EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Currency, Money
from shopaccounts.kernel.personal import (
    Category,
    Erasure,
    FieldMark,
    MarkKind,
    OnErase,
    Personal,
    Source,
    UnmarkedFields,
    described,
    field_marks,
    impersonal,
    personal,
    secret,
)
from shopaccounts.kernel.secret import Secret

pytestmark = pytest.mark.proves("SHR-4")

Nickname = NewType("Nickname", str)
DEFAULT = impersonal("ids, counters and times of the row")


class Colour(Enum):
    RED = "red"


class Size(StrEnum):
    LARGE = "large"


@attrs.frozen
class Coordinates:
    north: float
    east: float


@attrs.frozen
class Labelled:
    label: str


@attrs.frozen
class Unit:
    code: str = attrs.field(metadata=impersonal("a code of a closed table"))


@attrs.frozen
class Born:
    birth_year: int


@attrs.frozen
class Tree:
    size: int
    parent: Optional["Tree"] = None


def described_with(**types):
    made = attrs.make_class("Row", {name: attrs.field(type=hint) for name, hint in types.items()}, frozen=True)
    return described(data_class="rows", default=DEFAULT)(made)


def unmarked(model):
    with pytest.raises(UnmarkedFields) as caught:
        field_marks(model)
    return caught.value.fields


def the_mark(metadata):
    (mark,) = metadata.values()
    return mark


def test_a_class_lists_the_marks_of_its_fields_in_order():
    @described(data_class="profile", default=DEFAULT)
    @attrs.frozen(kw_only=True)
    class Profile:
        id: CustomerId
        name: str = attrs.field(metadata=personal("profile", Category.IDENTITY, on_erase=OnErase.TOMBSTONE))
        token: bytes = attrs.field(metadata=secret("credentials", "opens the profile"))
        locale: str = attrs.field(metadata=impersonal("a language that many speak"))
        version: int = 0

    marks = {mark.field: mark.mark for mark in field_marks(Profile)}
    assert list(marks) == ["id", "name", "token", "locale", "version"]
    assert marks["name"].on_erase is OnErase.TOMBSTONE
    assert marks["token"].kind is MarkKind.SECRET
    assert marks["id"] == marks["version"]
    assert [marks[name].data_class for name in marks] == ["profile", "profile", "credentials", "profile", "profile"]
    assert marks["version"].why == "ids, counters and times of the row"


def test_personal_data_is_told_shown_and_removed_unless_said_otherwise():
    assert the_mark(personal("profile", Category.IDENTITY)) == Personal(
        kind=MarkKind.PERSONAL,
        data_class="profile",
        category=Category.IDENTITY,
        source=Source.SUBJECT,
        export=True,
        on_erase=OnErase.NULL,
        sealed=False,
        index=None,
        about_others=False,
    )


def test_everything_about_a_field_can_be_said():
    mark = the_mark(
        personal(
            "messages",
            Category.CONTENT,
            source=Source.THIRD_PARTY,
            export=False,
            on_erase=OnErase.coarsen("first_letter"),
            sealed=True,
            index="search",
            about_others=True,
        )
    )
    assert (mark.source, mark.export, mark.on_erase.detail) == (Source.THIRD_PARTY, False, "first_letter")
    assert (mark.sealed, mark.index, mark.about_others) == (True, "search", True)


def test_a_secret_is_never_exported_and_always_destroyed():
    mark = the_mark(secret("credentials", "proves the password"))
    assert (mark.kind, mark.export, mark.on_erase, mark.why) == (
        MarkKind.SECRET,
        False,
        OnErase.NULL,
        "proves the password",
    )


@pytest.mark.parametrize(
    "hint",
    [
        CustomerId,
        Colour,
        Size,
        Literal["a", "b"],
        int,
        bool,
        float,
        Decimal,
        Currency,
        Money,
        UUID,
        dt.datetime,
        dt.time,
        dt.timedelta,
        int | None,
        Optional[Colour],  # noqa: UP045  (the older spelling is another type)
        Annotated[int, "counted"],
        tuple[CustomerId, ...],
        frozenset[Colour],
        list[int],
        Sequence[Money],
        Coordinates,
        Unit,
        Tree,
    ],
    ids=str,
)
def test_a_description_of_the_class_covers_ids_choices_counters_times_and_money(hint):
    assert field_marks(described_with(held=hint)) == (
        FieldMark("held", attrs.evolve(the_mark(DEFAULT), data_class="rows")),
    )


@pytest.mark.parametrize(
    "hint",
    [
        str,
        bytes,
        str | None,
        Optional[bytes],  # noqa: UP045  (the older spelling is another type)
        Annotated[str, "short"],
        Nickname,
        list[str],
        tuple[str, ...],
        tuple[int, str],
        frozenset[bytes],
        Sequence[str],
        list[list[str]],
        Mapping[str, int],
        Mapping[CustomerId, int],
        dict[str, str],
        dict,
        list,
        Any,
        object,
        dt.date,
        dt.date | None,
        Secret[bytes],
        Labelled,
        tuple[Labelled, ...],
        Born,
        EmailAddress,
        PhoneNumber,
        None,
    ],
    ids=str,
)
def test_a_description_never_covers_what_may_hold_free_text_or_a_birth_date(hint):
    assert unmarked(described_with(count=int, held=hint)) == ("held",)


@pytest.mark.parametrize("name", ["birth_year", "birthday", "Year_of_birth"])
def test_a_birth_date_is_known_by_its_name_too(name):
    assert unmarked(described_with(**{name: int})) == (name,)


def test_without_a_description_every_field_needs_a_mark_and_all_that_have_none_are_named():
    @attrs.frozen
    class Note:
        id: CustomerId
        text: str = attrs.field(metadata=personal("notes", Category.CONTENT))
        pinned: bool = False

    assert unmarked(Note) == ("id", "pinned")


def test_the_refusal_reads_as_a_sentence_of_names():
    no = UnmarkedFields("Note", ("id", "pinned"))
    assert str(no) == "Note: not marked: id, pinned"
    assert isinstance(no, Defect)


def test_a_subclass_is_described_anew():
    @described(data_class="rows", default=DEFAULT)
    @attrs.frozen
    class Short:
        count: int

    @attrs.frozen
    class Longer(Short):
        more: int = 0

    assert unmarked(Longer) == ("count", "more")


def test_types_written_as_text_are_resolved():
    @described(data_class="rows", default=DEFAULT)
    @attrs.frozen
    class Row:
        count: "int"
        text: "str"

    assert unmarked(Row) == ("text",)


def test_a_type_that_is_nowhere_defined_is_a_defect():
    row = described_with(count="Nowhere")
    with pytest.raises(Defect, match="Nowhere"):
        field_marks(row)


def test_only_attrs_classes_are_described():
    with pytest.raises(Defect):

        @described(data_class="rows", default=DEFAULT)
        class Plain:
            count: int

    with pytest.raises(Defect):
        field_marks(int)


@pytest.mark.parametrize(
    "action", [Erasure.NULL, Erasure.BLANK, Erasure.TOMBSTONE, Erasure.KEYED_HASH, Erasure.DROP_ROW]
)
def test_most_erasures_stand_as_they_are(action):
    assert getattr(OnErase, action.name) == OnErase(action)
    with pytest.raises(Defect):
        OnErase(action, "2026-01-01")


def test_an_erasure_puts_nothing_false_in_the_place_of_the_value():
    """The ways to erase are a closed choice in which today's date and zero don't occur."""
    assert {action.value for action in Erasure} == {
        "null",
        "blank",
        "tombstone",
        "coarsen",
        "keyed_hash",
        "drop_row",
        "keep",
    }


@pytest.mark.parametrize("function", ["", "0", "2026-01-01", "lambda: 0"])
def test_coarsening_names_a_function(function):
    assert OnErase.coarsen("year_of_birth") == OnErase(Erasure.COARSEN, "year_of_birth")
    with pytest.raises(Defect):
        OnErase.coarsen(function)


def test_what_is_kept_has_a_reason():
    assert OnErase.keep("tax law").detail == "tax law"
    with pytest.raises(Defect):
        OnErase.keep(" ")


@pytest.mark.parametrize(
    "marked",
    [
        lambda: secret("credentials", ""),
        lambda: impersonal(" "),
        lambda: personal("", Category.IDENTITY),
        lambda: personal("Contact Points", Category.CONTACT),
        lambda: secret("Credentials", "why"),
        lambda: described(data_class="two words", default=DEFAULT),
    ],
    ids=range(6),
)
def test_a_mark_without_reason_or_name_is_a_defect(marked):
    with pytest.raises(Defect):
        marked()


@pytest.mark.parametrize("contact", [EmailAddress, PhoneNumber])
def test_contact_values_mark_themselves(contact):
    kinds = {mark.field: mark.mark.kind for mark in field_marks(contact)}
    versions = {"key_version", "plan"}
    assert {kind for field, kind in kinds.items() if field not in versions} == {MarkKind.PERSONAL}
