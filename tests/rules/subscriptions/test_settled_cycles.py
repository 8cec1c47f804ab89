"""Each cycle ends once, also the one that begins with a change of frequency and is charged in part."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.changing.changes import change
from shopaccounts.subscriptions.errors import CannotConvertTime
from shopaccounts.subscriptions.invoices.voiding import freed, put_off_rest
from shopaccounts.subscriptions.papers.documents import BilledCycle, CycleEnd
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.plans.offers import PlanVersion
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, NewInterval, Preset
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy
from shopaccounts.subscriptions.scheduled import Wish
from shopaccounts.testing.changing import Ledger, a_plan, no_first_payment
from tests.rules.subscriptions.cycle_laws import require_settled

MONTHLY, DEAR = a_plan("28.00"), a_plan("56.00")
YEARLY = a_plan("280.00", Interval.months(12))
FORTNIGHTLY = a_plan("14.00", Interval.weeks(2))
FREE = a_plan("0.00", Interval.months(12))
JANUARY_31, FEBRUARY_10, FEBRUARY_28 = date(2027, 1, 31), date(2027, 2, 10), date(2027, 2, 28)
P = Preset

both = pytest.mark.parametrize("preset", [P.PRORATE_NOW, P.PRORATE_NEXT])


def nora(version: PlanVersion = MONTHLY, **more) -> Ledger:
    return Ledger(version, JANUARY_31, **more).until(FEBRUARY_10, 13)


def rows(books: Ledger) -> list[BilledCycle]:
    return [row for papers in books.written for row in papers.cycles]


def to(books: Ledger, *versions: PlanVersion, preset: Preset) -> BilledCycle:
    """Change plans, one after the other, and answer how the cycle ended that begins with the last."""
    for version in versions:
        books.change(books.plan_wish(version), preset=preset)
    require_settled(books.subscription, rows(books))
    return rows(books)[-1]


@pytest.mark.proves("INV-6", "CHG-4")
@both
def test_a_cycle_that_is_charged_in_part_has_its_row_with_what_it_was_charged(preset):
    books = nora()
    row = to(books, YEARLY, preset=preset)
    assert (row.ended, row.start, row.end) == (CycleEnd.BILLED, FEBRUARY_10, date(2028, 1, 31))
    assert row.total == Money.of("324.07", "EUR")  # 355 of 365 days, with tax
    charged = [one.id for one in books.invoices.values() if any(line.kind is LineKind.CHARGE for line in one.lines)]
    assert [row.invoice] == (charged if preset is P.PRORATE_NOW else [""])


@pytest.mark.proves("INV-6", "CHG-7")
@both
@pytest.mark.parametrize("form", CreditForm)
def test_one_that_costs_nothing_is_free(preset, form):
    row = to(nora(policy=no_first_payment(changes=ChangePolicy(credit_form=form))), FREE, preset=preset)
    assert (row.ended, row.total, row.invoice) == (CycleEnd.FREE, Money.of("0", "EUR"), "")
    assert (row.start, row.end) == (FEBRUARY_10, date(2028, 1, 31))


@pytest.mark.proves("INV-6", "INV-9")
def test_one_whose_charge_is_too_little_for_an_invoice_is_billed_all_the_same():
    least = InvoicePolicy(min_charge=(Money.of("1000", "EUR"),))
    row = to(nora(policy=no_first_payment(invoices=least)), YEARLY, preset=P.PRORATE_NOW)
    assert (row.ended, row.total, row.invoice) == (CycleEnd.BILLED, Money.of("324.07", "EUR"), "")


@pytest.mark.proves("INV-6", "CHG-10")
@both
def test_there_and_back_and_there_again_settles_each_cycle(preset):
    row = to(nora(), YEARLY, MONTHLY, YEARLY, preset=preset)
    assert (row.ended, row.start, row.end) == (CycleEnd.BILLED, FEBRUARY_10, date(2028, 1, 31))


@pytest.mark.proves("INV-6", "CHG-4")
@both
def test_the_next_cycle_is_billed_when_it_begins_and_each_once(preset):
    books = nora(YEARLY)
    to(books, MONTHLY, preset=preset)
    books.until(date(2027, 4, 1))
    require_settled(books.subscription, rows(books))
    assert [(row.segment, row.index, row.start) for row in rows(books)] == [
        (0, 0, JANUARY_31),
        (1, 1, FEBRUARY_10),
        (1, 2, FEBRUARY_28),
        (1, 3, date(2027, 3, 31)),
    ]


@pytest.mark.proves("CHG-3", "CHG-10")
@pytest.mark.parametrize("versions", [(YEARLY,), (YEARLY, MONTHLY, YEARLY)])
def test_what_waits_again_is_given_back_like_what_waits(versions):
    books = nora()
    to(books, *versions, preset=P.PRORATE_NEXT)
    books.until(date(2027, 4, 10), 13)
    quoted = books.quote(books.plan_wish(MONTHLY), preset=P.PRORATE_NOW)
    assert [(str(line.amount), line.start) for line in quoted.credits] == [("-227.07 EUR", date(2027, 4, 10))]


@pytest.mark.proves("CHG-3", "CHG-10")
@pytest.mark.parametrize("detour", [(), (YEARLY, DEAR), (YEARLY, MONTHLY, DEAR)])
def test_so_it_is_where_it_waited_for_earlier_days_too(detour):
    books = Ledger(MONTHLY, JANUARY_31).until(date(2027, 2, 5), 13)
    to(books, DEAR, preset=P.PRORATE_NEXT)
    books.until(FEBRUARY_10, 13)
    before = books.owed
    to(books, *detour, preset=P.PRORATE_NEXT)
    assert books.owed == before
    books.until(date(2027, 2, 20), 13)
    quoted = books.quote(books.plan_wish(FREE), preset=P.PRORATE_NOW)
    assert [str(line.amount) for line in quoted.credits] == ["-16.00 EUR"]  # 8 of 28 days


@pytest.mark.proves("INV-7")
def test_a_cycle_charged_with_a_change_is_billed_anew_without_the_charge():
    books = nora()
    row = to(books, YEARLY, preset=P.PRORATE_NOW)
    void = books.invoices.pop(row.invoice)
    books.account = put_off_rest(books.account, void, [row], [books.subscription], books.now)
    books.subscription = freed(books.subscription, void, [row])
    books.until(date(2027, 2, 11))
    again = books.invoices[rows(books)[-1].invoice]
    assert again.total == void.total
    assert [(line.kind, line.start) for line in again.lines] == [
        (LineKind.STUB, FEBRUARY_10),
        (LineKind.CREDIT, FEBRUARY_10),
    ]


moves = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from([MONTHLY, DEAR, YEARLY, FORTNIGHTLY, FREE]),
        st.sampled_from([preset for preset in P if preset is not P.DIFFERENCE]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.proves("INV-6")
@given(moves=moves, kept=st.sampled_from(NewInterval), form=st.sampled_from(CreditForm))
@settings(max_examples=60)
def test_whatever_is_changed_each_cycle_ends_once(moves, kept, form):
    books = nora(policy=no_first_payment(changes=ChangePolicy(new_interval=kept, credit_form=form)))
    for days, version, preset in moves:
        books.until((books.now + timedelta(days=days)).date(), 13)
        wish = books.plan_wish(version)
        if version.id != books.subscription.terms.version:
            attempt(books, wish, preset)
        require_settled(books.subscription, rows(books))
    books.until((books.now + timedelta(days=40)).date(), 13)
    require_settled(books.subscription, rows(books))


def attempt(books: Ledger, wish: Wish, preset: Preset) -> None:
    """Change as asked, or plan it for the end of the period, unless what is left is no time to convert."""
    try:
        asked = change(books.subscription, books.facts, (wish,), preset, None, books.policy, books.now)
    except CannotConvertTime:
        asked = change(books.subscription, books.facts, (wish,), P.NO_MONEY, None, books.policy, books.now)
    books.take(asked.decision)
