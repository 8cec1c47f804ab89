"""Two rounds of papers are one: all that both have written, as the later one leaves it."""

from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.subscriptions.charges.usage import Meter
from shopaccounts.subscriptions.facts import NO_FACTS
from shopaccounts.subscriptions.notices.agenda import WaitingCharge
from shopaccounts.subscriptions.planning.rounds import joined, with_papers
from shopaccounts.subscriptions.planning.writing_up import Papers
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, Preset
from shopaccounts.testing.changing import Ledger, a_plan, no_first_payment

SMALL, LARGE, FREE = a_plan("28.00"), a_plan("56.00"), a_plan("0.00")
START = date(2027, 1, 31)


def two_rounds() -> tuple[Papers, Papers]:
    """A change that takes back with credit notes what the account paid, and another one on top of it."""
    books = Ledger(SMALL, START, policy=no_first_payment(changes=ChangePolicy(credit_form=CreditForm.CREDIT_NOTE)))
    for days, version in ((10, LARGE), (12, FREE)):
        books.now = books.now + timedelta(days=days)
        books.change(books.plan_wish(version), preset=Preset.PRORATE_NOW)
    return books.written[-2], books.written[-1]


@pytest.mark.proves("SIM-1", "UC-1")
def test_all_that_was_written_is_there_once_as_it_is_in_the_end():
    first, second = two_rounds()
    both = joined(first, second)
    (bill,) = first.invoices
    assert [one.id for one in both.invoices] == [bill.id]
    assert both.invoices == second.changed  # the bill of the first round, of which the second one took something back
    assert [one.id for one in both.changed] == [one.id for one in first.changed]
    assert [len(one) for one in (first.notes, second.notes, both.notes)] == [1, 1, 2]
    assert both.entries == (*first.entries, *second.entries)
    assert both.intents == (*first.intents, *second.intents)
    assert both.events == (*first.events, *second.events)
    assert (both.account, both.subscriptions) == (second.account, second.subscriptions)


@pytest.mark.proves("SIM-1")
def test_what_both_changed_is_as_the_later_one_left_it():
    first, second = two_rounds()
    older = first.changed[0]
    again = attrs.evolve(older, version=older.version + 1)
    assert joined(first, attrs.evolve(second, changed=(again,))).changed == (again,)


@pytest.mark.proves("SIM-1")
def test_charges_that_wait_and_meters_go_along():
    first, second = two_rounds()
    at, bill = first.account.created_at, first.invoices[0]
    charges = tuple(
        ("sub", WaitingCharge(intent=name, rule="in.pre_debit", instance=name, trigger_at=at, amount=bill.total))
        for name in ("a", "b")
    )
    meters = tuple(attrs.evolve(Meter.of(first.subscriptions[0]), id=id) for id in ("a", "b"))
    both = joined(
        attrs.evolve(first, waiting=charges[:1], meters=meters),
        attrs.evolve(second, waiting=charges[1:], meters=(attrs.evolve(meters[0], version=2),)),
    )
    assert both.waiting == charges
    assert both.meters == (attrs.evolve(meters[0], version=2), meters[1])


def test_nothing_before_is_nothing():
    first, _ = two_rounds()
    assert joined(None, first) is first


@pytest.mark.proves("SIM-1")
def test_the_next_round_knows_what_was_written():
    first, _ = two_rounds()
    told = with_papers(NO_FACTS, first)
    assert told.invoices == {one.id: one for one in (*first.invoices, *first.changed)}
    assert told.pending == first.account.pending
    meter = Meter.of(first.subscriptions[0])
    assert with_papers(NO_FACTS, attrs.evolve(first, meters=(meter,))).meters == {meter.id: meter}
