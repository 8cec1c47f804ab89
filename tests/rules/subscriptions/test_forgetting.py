"""What each stored field means for a person, and what is left of it when that person is forgotten."""

from datetime import UTC, date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.books import BOOKS
from shopaccounts.kernel.personal import Erasure, MarkKind, field_marks
from shopaccounts.subscriptions import ACCOUNTS, SUBSCRIPTIONS, KeptOfCustomer
from shopaccounts.subscriptions.model import Parting
from shopaccounts.subscriptions.owners.forgetting import forgotten, released_on
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.testing.subscribers import Course, flat_plan, somebody

AT = datetime(2031, 3, 1, 12, tzinfo=UTC)
OURS = [book for book in BOOKS if ".subscriptions." in book.of.__module__]


@pytest.mark.proves("LIF-2")
@pytest.mark.parametrize("book", OURS, ids=lambda book: book.name)
def test_every_stored_field_says_what_it_means_for_a_person(book) -> None:
    assert {mark.field for mark in field_marks(book.of)} == {field.name for field in attrs.fields(book.of)}


@pytest.mark.proves("LIF-2")
@pytest.mark.parametrize("book", OURS, ids=lambda book: book.name)
def test_what_goes_leaves_something_that_a_field_can_hold(book) -> None:
    defaults = {field.name: field.default for field in attrs.fields(book.of)}
    going = [mark for mark in field_marks(book.of) if mark.mark.on_erase.action is Erasure.NULL]
    assert not [mark.field for mark in going if defaults[mark.field] is attrs.NOTHING]


@pytest.mark.proves("LIF-2")
def test_no_way_to_pay_and_no_address_is_called_impersonal() -> None:
    marks = {mark.field: mark.mark for book in (ACCOUNTS, SUBSCRIPTIONS) for mark in field_marks(book.of)}
    for name in ("payment_method", "ship_to", "tax_profile", "locale", "reference"):
        assert marks[name].kind is MarkKind.PERSONAL
        assert marks[name].export


@pytest.mark.proves("LIF-2")
def test_words_addresses_and_ways_to_pay_go_and_what_adds_up_stays() -> None:
    course = Course.begin(flat_plan("17.90"), AT, account=somebody(tax_profile={"vat": "DE123"}, locale="de"))
    said = Scheduled(cancel=CancelAt(at=AT, asked_at=AT, comment="I am ill"))
    full = attrs.evolve(
        course.subscription,
        ship_to="address-1",
        payment_method="card-1",
        reference="V-1",
        scheduled=said,
        parting=Parting(reason="moving", comment="to Bremen"),
    )
    left = forgotten(full)
    assert (left.ship_to, left.payment_method, left.reference) == ("", None, "")
    assert (left.scheduled.cancel.comment, left.parting.comment, left.parting.reason) == ("", "", "moving")
    same = {"ship_to": "", "payment_method": None, "reference": "", "scheduled": said, "parting": None}
    assert left.but(**same) == full.but(**same)
    account = forgotten(course.account)
    assert (account.tax_profile, account.locale, account.payment_method) == ({}, "en", None)
    assert forgotten(left) == left


@pytest.mark.proves("LIF-2")
@given(st.dates(date(2000, 1, 1), date(2100, 12, 31)), st.integers(0, 100))
def test_papers_are_kept_whole_years_from_the_end_of_their_own(day, years) -> None:
    until = released_on(day, years)
    assert (until.month, until.day, until.year - day.year) == (1, 1, years + 1)


@pytest.mark.proves("LIF-2")
def test_papers_of_a_year_are_released_on_the_first_of_january() -> None:
    assert released_on(date(2027, 5, 14), 8) == date(2036, 1, 1)


def test_an_export_has_a_place_for_each_kind_of_paper() -> None:
    assert {field.name for field in attrs.fields(KeptOfCustomer)} >= {"subscriptions", "invoices", "notices"}
