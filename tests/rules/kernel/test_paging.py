"""Cursors: where a list went on, in a text that only we can write."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import Kind
from shopaccounts.kernel.paging import CursorInvalid, Page, read_cursor, write_cursor
from shopaccounts.kernel.ports import Position
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import Key, KeyState

pytestmark = pytest.mark.proves("KER-124")

KEY = Key("0" * 32, Secret(b"k" * 32), KeyState.ACTIVE)
OLD = Key("1" * 32, Secret(b"o" * 32), KeyState.READING)
HERE = {"realm": "main", "owner": "account-1", "query": "signin.sessions"}
PLACE = Position(datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC), "0195-session")
CURSOR = write_cursor(PLACE, KEY, **HERE)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

positions = st.builds(
    Position,
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  (made aware)
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


def refused(text, keys=(KEY,), **where):
    with pytest.raises(CursorInvalid) as caught:
        read_cursor(text, keys, **(HERE | where))
    assert (caught.value.code, caught.value.kind) == ("kernel.cursor_invalid", Kind.INVALID)


@given(positions, names, names, names)
def test_it_leads_back_to_where_it_was_written(position, realm, owner, query):
    where = {"realm": realm, "owner": owner, "query": query}
    assert read_cursor(write_cursor(position, KEY, **where), [KEY], **where) == position


@given(st.integers(0, len(CURSOR) - 1), st.characters())
def test_a_cursor_with_any_other_character_is_refused(place, other):
    altered = CURSOR[:place] + other + CURSOR[place + 1 :]
    if altered != CURSOR:
        refused(altered)


@pytest.mark.parametrize("id", ["", "a", "ab"])
def test_none_of_the_spellings_that_base64_would_also_read_is_a_cursor(id):
    cursor = write_cursor(attrs.evolve(PLACE, id=id), KEY, **HERE)
    for letter in ALPHABET:
        if letter != cursor[-1]:
            refused(cursor[:-1] + letter)
    for padding in ("=", "==", "\n", " "):
        refused(cursor + padding)
        refused(padding + cursor)


@given(st.integers(0, len(CURSOR) - 1), st.text(ALPHABET, min_size=1, max_size=3))
def test_a_cursor_that_was_cut_or_made_longer_is_refused(length, more):
    refused(CURSOR[:length])
    refused(CURSOR + more)


@given(names, names, names)
def test_it_counts_in_one_list_alone(realm, owner, query):
    where = {"realm": realm, "owner": owner, "query": query}
    if where != HERE:
        refused(CURSOR, **where)


def test_what_is_moved_from_one_name_to_the_next_makes_another_list():
    cursor = write_cursor(PLACE, KEY, realm="ab", owner="c", query="d")
    for realm, owner, query in (("a", "bc", "d"), ("ab", "", "cd"), ("", "abc", "d"), ('ab","c', "", "d")):
        refused(cursor, realm=realm, owner=owner, query=query)


@given(st.one_of(st.none(), st.integers(), st.binary(), st.text(), st.lists(st.text()), st.floats(), st.just(object())))
def test_whatever_else_comes_in_its_place_is_refused(thing):
    refused(thing)


def test_bytes_of_a_cursor_and_half_a_surrogate_pair_are_none():
    refused(CURSOR.encode())
    refused(CURSOR + "\ud800")
    refused("1" * 5_000_000)


def test_one_of_another_layout_is_outdated():
    assert CURSOR[0] == "1"
    for layout in ("", "0", "2", "11"):
        refused(layout + CURSOR[1:])


def test_a_key_that_is_only_read_with_still_counts_and_a_retired_or_unknown_one_does_not():
    cursor = write_cursor(PLACE, OLD, **HERE)
    assert read_cursor(cursor, [KEY, OLD], **HERE) == PLACE
    refused(cursor, keys=(KEY,))
    refused(cursor, keys=(KEY, attrs.evolve(OLD, state=KeyState.RETIRED)))
    refused(cursor, keys=())


def test_it_holds_a_time_and_an_id_under_a_mac_and_nothing_else():
    plain = base64.urlsafe_b64decode(CURSOR[1:] + "=" * (-len(CURSOR[1:]) % 4))
    micros = (PLACE.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    place = micros.to_bytes(8, "big") + b"0195-session"
    about = f'["shopaccounts/cursor","1","main","account-1","signin.sessions","{place.hex()}"]'
    assert plain == hmac.digest(b"k" * 32, about.encode(), hashlib.sha256) + place
    assert set(CURSOR) <= set(ALPHABET)


def test_a_time_without_its_zone_is_no_place():
    with pytest.raises(TypeError):
        write_cursor(Position(datetime(2026, 3, 1), "id"), KEY, **HERE)  # noqa: DTZ001  (that is the point)


def test_a_page_has_its_items_and_where_to_go_on():
    assert Page(("a", "b"), CURSOR).next == CURSOR
    assert Page((), None) == Page((), None)
