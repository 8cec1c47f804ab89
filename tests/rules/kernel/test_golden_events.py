"""What was told once keeps its form: each event has a file that shows it, one for each schema that was ever released.

A shop's own programs read these texts, and recorded events are read again years later. So a field that is added,
renamed or gone is a new schema: ``schema`` grows by one, a new file is added beside the old one, and an upcast leads
from one to the other. The files are written by hand, from what the failing test shows, so that nobody changes them
unawares.
"""

import importlib
import json
import pkgutil
import re
import sys
import types
import typing
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NewType

import attrs
import pytest

import shopaccounts
from shopaccounts import serial
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.money import Money

GOLDEN = Path(__file__).parents[2] / "golden" / "events"
AT = datetime(2031, 3, 1, 12, tzinfo=UTC)
WIRE_NAME = re.compile(r"[a-z]+\.[a-z][a-z_]*[a-z]")
TELLING = re.compile(
    r"email|mail|phone|address|(?<!store_)(?<!event_)name|birth|street|city|postcode|password|secret|token|code|digest|hash"
    r"|agent|\bip\b|text|note|comment|identifier|typed|subject"
)
ALLOWED = {"template", "provider_id", "credit_note"}
WORDS = {
    str: "text",
    int: "whole number",
    bool: "boolean",
    type(None): "null",
    Money: "amount",
    datetime: "time",
    date: "day",
}


def every_event() -> Iterator[type[Event]]:
    for module in pkgutil.walk_packages(shopaccounts.__path__, "shopaccounts."):
        if not re.search(r"\.(testing|locale|migrations)\b", module.name):
            importlib.import_module(module.name)
    waiting = [Event]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            is_ours = kind.__module__.startswith("shopaccounts.") and ".testing." not in kind.__module__
            is_told = "name" in vars(kind)  # and no family of events
            if is_ours and is_told and getattr(sys.modules[kind.__module__], kind.__name__, None) is kind:
                yield kind  # and not what attrs made it from


EVENTS = sorted(every_event(), key=lambda kind: kind.name)


def own_fields(kind: type[Event]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in attrs.fields(kind) if field.name != "at"}


def told_type(hint: Any) -> str:
    """A type as a reader of the wire sees it."""
    if isinstance(hint, NewType):
        return told_type(hint.__supertype__)
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return " or ".join(told_type(part) for part in typing.get_args(hint))
    if typing.get_origin(hint) in {tuple, frozenset}:
        return f"list of {told_type(typing.get_args(hint)[0])}"
    assert hint in WORDS, f"an event holds ids, closed words, whole numbers, amounts, times and lists, not {hint}"
    return WORDS[hint]


def example_of(name: str, hint: Any) -> Any:
    if isinstance(hint, NewType):
        return example_of(name, hint.__supertype__)
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return example_of(name, typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        return tuple(example_of(f"{name}-{n}", typing.get_args(hint)[0]) for n in (1, 2))
    if typing.get_origin(hint) is frozenset:
        return frozenset(example_of(f"{name}-{n}", typing.get_args(hint)[0]) for n in (1, 2))
    return {str: f"{name}-1", int: 1, bool: True, Money: Money(1, "EUR"), datetime: AT, date: AT.date()}[hint]


def example(kind: type[Event]) -> Event:
    return kind(at=AT, **{name: example_of(name, hint) for name, hint in own_fields(kind).items()})


def golden_text(kind: type[Event]) -> str:
    shown = {
        "name": kind.name,
        "schema": kind.schema,
        "fields": {name: told_type(hint) for name, hint in sorted(own_fields(kind).items())},
        "example": json.loads(example(kind).data()),
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


@pytest.fixture(params=EVENTS, ids=lambda kind: kind.name)
def kind(request):
    return request.param


def test_every_event_has_a_file_that_shows_its_present_form(kind):
    file = GOLDEN / f"{kind.name}.{kind.schema}.json"
    wanted = golden_text(kind)
    assert file.exists(), (
        f"{kind.__qualname__} has no {file.name} in tests/golden/events. If it was never released, "
        f"add that file:\n{wanted}"
    )
    assert file.read_text("utf-8") == wanted, (
        f"{kind.__qualname__} differs from tests/golden/events/{file.name}. If that form was released, raise the "
        f"event's schema, add a file for the new one and an upcast; if it was not, the file becomes:\n{wanted}"
    )


def test_every_file_shows_an_event_that_there_still_is():
    known = {(kind.name, schema) for kind in EVENTS for schema in range(1, kind.schema + 1)}
    shown = {
        (golden["name"], golden["schema"]): file
        for file in GOLDEN.glob("*.json")
        if (golden := json.loads(file.read_text()))
    }
    gone = [file.name for key, file in shown.items() if key not in known or file.name != f"{key[0]}.{key[1]}.json"]
    assert not gone, f"an event that was told once is never taken away or renamed: {gone}"
    missing = sorted(known - shown.keys())
    assert not missing, f"each schema up to the present one keeps its file: {missing}"


def test_each_event_has_a_name_of_its_own():
    names = [kind.name for kind in EVENTS]
    assert len(names) == len(set(names))
    assert [name for name in names if not WIRE_NAME.fullmatch(name)] == []


def test_what_is_told_can_be_read_again(kind):
    told = example(kind)
    text = json.dumps({**json.loads(told.data()), "at": AT.isoformat()})
    assert serial.load(kind, text) == told
    assert told.data() == serial.load(kind, text).data()


@pytest.mark.proves("KER-203")
def test_no_event_has_room_for_personal_data_or_a_secret(kind):
    telling = [name for name in own_fields(kind) if TELLING.search(name) and name not in ALLOWED]
    assert not telling, (
        f"{kind.name} tells {telling}: an event holds ids and closed words; a digest is named for what it is of"
    )
