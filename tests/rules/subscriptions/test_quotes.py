"""What a change costs: the eight ways, to the cent."""

from datetime import date, timedelta

import attrs
import pytest

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.money import Money, Rate, currency, share
from shopaccounts.serial import dump, load
from shopaccounts.subscriptions.changing.quoting import ChangeQuote, ChangeWarning, Coming
from shopaccounts.subscriptions.changing.wanting import add_on_wish, product_wish, quantity_wish, removal_wish
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.decision import Decision, TakenBack
from shopaccounts.subscriptions.errors import CannotConvertTime, NothingToChange
from shopaccounts.subscriptions.leaving.cancelling import CancelWish, cancel
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.documents import CreditTo, InvoiceState
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.plans.discounts import Discount, Fixed, Once, Percent
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, NewInterval, Preset
from shopaccounts.subscriptions.policy.cycles import ChangeDay, ProrationPolicy
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy
from shopaccounts.subscriptions.policy.pausing import Unused
from shopaccounts.subscriptions.scheduled import Override, OverrideKind
from shopaccounts.testing.changing import Ledger, a_plan, no_first_payment

SMALL, LARGE = a_plan("17.90"), a_plan("29.90")
YEARLY = a_plan("299.00", Interval.months(12))
P = Preset
EUR = currency("EUR")
MAY_12, MAY_23, JUNE_12 = date(2026, 5, 12), date(2026, 5, 23), date(2026, 6, 12)
NOTES = no_first_payment(changes=ChangePolicy(credit_form=CreditForm.CREDIT_NOTE))


def nora(start: date = MAY_12, version=SMALL, **more) -> Ledger:
    return Ledger(version, start, **more)


def in_may(version=SMALL, **more) -> Ledger:
    return nora(version=version, **more).until(MAY_23, 15)


def said(lines) -> list[str]:
    return [f"{line.base.to_decimal()}" for line in lines]


def coming(quote: ChangeQuote) -> Coming:
    assert quote.next_invoice is not None
    return quote.next_invoice


def part_of(line: LineDraft) -> tuple[int, int]:
    assert line.factor is not None
    return line.factor.numerator, line.factor.denominator


def span(period) -> tuple[date, date]:
    return period.start, period.end


@pytest.mark.proves("CHG-1", "CHG-3", "CHG-4", "CHG-5", "CHG-8")
def test_the_rest_of_the_old_price_is_given_back_and_the_rest_of_the_new_one_charged():
    books = in_may()
    quote = books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert (said(quote.credits), said(quote.charges), str(quote.net)) == (["-11.55"], ["19.29"], "7.74 EUR")
    assert said(quote.invoice_now) == ["-11.55", "19.29"]
    assert (quote.effective_on, quote.new_segment, span(quote.first_new_period)) == (
        MAY_23,
        None,
        (JUNE_12, date(2026, 7, 12)),
    )
    written = books.written[-1].invoices[0]
    assert (written.subtotal, written.total) == (Money.of("7.74", EUR), Money.of("9.22", EUR))
    assert said(coming(quote).lines) == ["29.90"]


@pytest.mark.proves("CHG-5", "CHG-8")
def test_the_money_can_wait_for_the_next_invoice():
    books = in_may()
    quote = books.change(books.plan_wish(LARGE), preset=P.PRORATE_NEXT)
    assert (quote.invoice_now, books.written[-1].invoices) == ((), ())
    assert (coming(quote).on, str(coming(quote).net)) == (JUNE_12, "37.64 EUR")
    books.until(JUNE_12)
    assert sorted(said(books.written[-1].invoices[0].lines)) == ["-11.55", "19.29", "29.90"]
    assert books.written[-1].invoices[0].subtotal == coming(quote).net


@pytest.mark.proves("CHG-5", "CHG-8")
def test_cycles_can_begin_anew_with_a_whole_new_period():
    books = in_may()
    quote = books.change(books.plan_wish(YEARLY), preset=P.RESET_CREDIT)
    assert said(quote.invoice_now) == ["-11.55", "299.00"]
    assert span(quote.first_new_period) == (MAY_23, date(2027, 5, 23))
    assert quote.new_segment is not None
    assert quote.new_segment.start == MAY_23
    assert books.subscription.billed_to == quote.first_new_period.index + 1
    books.until(date(2027, 5, 23))
    assert said(books.written[-1].invoices[0].lines) == ["299.00"]


@pytest.mark.proves("CHG-5")
def test_what_is_forfeited_is_never_given_back_later_either():
    books = in_may()
    quote = books.change(books.plan_wish(YEARLY), preset=P.RESET_FORFEIT)
    assert (quote.credits, said(quote.invoice_now)) == ((), ["299.00"])
    books.until(date(2026, 6, 1))
    again = books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert [line.product for line in again.credits] == [YEARLY.plan.code]


@pytest.mark.proves("CHG-4", "CHG-8")
def test_a_year_on_the_old_day_costs_the_rest_of_that_year():
    books = nora(date(2026, 2, 12)).until(MAY_23, 9)
    quote = books.change(books.plan_wish(YEARLY), preset=P.PRORATE_NOW)
    (charge,) = quote.charges
    assert (said(quote.credits), said(quote.charges)) == (["-11.55"], ["217.08"])
    assert part_of(charge) == (265, 365)
    assert span(quote.first_new_period) == (MAY_23, date(2027, 2, 12))
    books.until(date(2027, 2, 12))
    assert said(books.written[-1].invoices[0].lines) == ["299.00"]


@pytest.mark.proves("CHG-5")
def test_the_difference_is_charged_whatever_is_left_and_is_never_negative():
    books = in_may()
    assert said(books.change(books.plan_wish(LARGE), preset=P.DIFFERENCE).invoice_now) == ["12.00"]
    back = books.change(books.plan_wish(SMALL), preset=P.DIFFERENCE)
    assert (back.credits, back.charges) == ((), ())


@pytest.mark.proves("CHG-5")
def test_in_a_stub_the_difference_has_the_part_of_the_stub():
    books = nora(version=a_plan("31.00", billing_day=DayOfMonth(1)), start=date(2026, 5, 12)).until(MAY_23)
    (line,) = books.quote(books.plan_wish(a_plan("62.00", billing_day=DayOfMonth(1))), preset=P.DIFFERENCE).charges
    assert (str(line.amount), *part_of(line)) == ("20.00 EUR", 20, 31)


@pytest.mark.proves("CHG-5")
def test_periods_of_different_lengths_have_no_difference():
    books = in_may()
    with pytest.raises(InvalidInput):
        books.quote(books.plan_wish(YEARLY), preset=P.DIFFERENCE)


@pytest.mark.proves("CHG-5", "CHG-8", "CHG-9")
def test_what_is_left_buys_days_at_the_new_price():
    books = in_may()
    quote = books.change(books.plan_wish(LARGE), preset=P.TIME_CONVERSION)
    assert (quote.invoice_now, str(quote.net), said(quote.charges)) == ((), "0.00 EUR", ["11.55"])
    assert quote.first_new_period.start == coming(quote).on == date(2026, 6, 4)
    change = books.written[-1]
    assert change.invoices == ()
    books.until(date(2026, 6, 4))
    invoice = books.written[-1].invoices[0]
    assert (str(invoice.subtotal), str(invoice.tax)) == ("29.90 EUR", "5.68 EUR")


@pytest.mark.proves("CHG-9", "ABU-4")
def test_time_is_converted_once_in_a_while():
    books = in_may(version=YEARLY)
    books.change(books.plan_wish(SMALL), preset=P.TIME_CONVERSION)
    books.until(MAY_23 + timedelta(days=29))
    with pytest.raises(CannotConvertTime):
        books.quote(books.plan_wish(LARGE), preset=P.TIME_CONVERSION)
    books.until(MAY_23 + timedelta(days=30))
    assert books.quote(books.plan_wish(LARGE), preset=P.TIME_CONVERSION).charges


@pytest.mark.proves("CHG-9", "ABU-4")
def test_a_second_conversion_starts_from_the_money_left_and_not_from_rounded_days():
    books = in_may(version=YEARLY)
    first = books.change(books.plan_wish(SMALL), preset=P.TIME_CONVERSION)
    (value,) = (line.base for line in first.charges)
    days = (first.first_new_period.start - MAY_23).days
    assert days == -(-value.minor * 31 // 1790)
    later = MAY_23 + timedelta(days=40)
    books.until(later)
    second = books.quote(books.plan_wish(LARGE), preset=P.TIME_CONVERSION)
    left = share(value, days - 40, days)
    assert [line.base for line in second.charges] == [left]


@pytest.mark.proves("CHG-9")
def test_nothing_is_converted_into_what_costs_nothing():
    books = in_may()
    with pytest.raises(CannotConvertTime):
        books.quote(books.plan_wish(a_plan("0.00")), preset=P.TIME_CONVERSION)


@pytest.mark.proves("CHG-5")
def test_without_money_the_new_price_holds_from_the_next_period_on():
    books = in_may()
    quote = books.change(books.plan_wish(LARGE), preset=P.NO_MONEY)
    assert (quote.credits, quote.charges, said(coming(quote).lines)) == ((), (), ["29.90"])
    assert books.subscription.plan_line.product == LARGE.plan.code
    books.until(JUNE_12)
    assert said(books.written[-1].invoices[0].lines) == ["29.90"]


@pytest.mark.proves("CHG-5")
def test_another_frequency_without_money_begins_with_the_next_period():
    books = nora(date(2026, 2, 12)).until(MAY_23)
    quote = books.change(books.plan_wish(YEARLY), preset=P.NO_MONEY)
    assert span(quote.first_new_period) == (JUNE_12, date(2027, 2, 12))
    books.until(JUNE_12)
    assert said(books.written[-1].invoices[0].lines) == [f"{share(Money.of('299.00', EUR), 245, 365).to_decimal()}"]


@pytest.mark.proves("CHG-5")
@pytest.mark.parametrize(
    ("how", "end"), [(NewInterval.RESET, date(2027, 6, 12)), (NewInterval.KEEP, date(2027, 2, 12))]
)
def test_at_the_end_of_a_period_other_cycles_begin_there_or_on_the_old_day(how, end):
    policy = no_first_payment(changes=ChangePolicy(new_interval=how))
    books = nora(date(2026, 2, 12), policy=policy).until(date(2026, 6, 11))
    wish = books.plan_wish(YEARLY)
    books.now += timedelta(days=1)
    quote = books.change(wish, preset=P.AT_PERIOD_END)
    assert (quote.credits, quote.charges) == ((), ())
    books.until(JUNE_12)
    (line,) = books.written[-1].invoices[0].lines
    assert span(line) == (JUNE_12, end)


@pytest.mark.proves("CHG-6", "PLN-14")
@pytest.mark.parametrize(
    ("version", "how"),
    [
        (LARGE, P.PRORATE_NOW),
        (a_plan("9.90"), P.AT_PERIOD_END),
        (a_plan("17.90", id="other"), P.AT_PERIOD_END),
        (YEARLY, P.RESET_CREDIT),
        (a_plan("99.00", Interval.months(12)), P.AT_PERIOD_END),
    ],
)
def test_how_another_plan_is_priced_goes_by_what_it_costs_in_a_month(version, how):
    books = in_may()
    wish = books.plan_wish(version)
    assert books.quote(wish).preset is how


@pytest.mark.proves("CHG-6")
def test_more_is_prorated_less_waits_and_another_product_moves_no_money():
    books = in_may(version=a_plan("10.00", per_unit=True), quantity=2)
    assert books.quote(quantity_wish(3)).preset is P.PRORATE_NOW
    assert books.quote(quantity_wish(1)).preset is P.AT_PERIOD_END
    assert books.quote(product_wish(books.subscription, "tea")).preset is P.NO_MONEY


@pytest.mark.proves("CHG-1")
def test_lines_that_stay_are_left_alone():
    version = a_plan("20.00", add_ons={"seat": "3.10", "backup": "6.20"})
    books = in_may(version=version, add_ons={"seat": 1, "backup": 1})
    quote = books.quote(quantity_wish(3, "seat"), preset=P.PRORATE_NOW)
    assert [line.key for line in (*quote.credits, *quote.charges)] == ["seat", "seat"]
    assert (said(quote.credits), said(quote.charges)) == (["-2.00"], ["6.00"])


@pytest.mark.proves("CHG-1")
def test_nothing_is_no_change():
    books = in_may()
    for wish in (books.plan_wish(SMALL), quantity_wish(1), product_wish(books.subscription, SMALL.plan.code)):
        with pytest.raises(NothingToChange):
            books.quote(wish)


@pytest.mark.proves("CHG-1")
def test_an_add_on_comes_and_goes_within_a_period():
    version = a_plan("20.00", add_ons={"seat": "3.10"})
    books = in_may(version=version)
    quote = books.change(add_on_wish(books.subscription, version, "seat", 2, MAY_23))
    assert (quote.credits, said(quote.charges)) == ((), ["4.00"])
    assert said(books.quote(removal_wish("seat"), preset=P.PRORATE_NOW).credits) == ["-4.00"]


@pytest.mark.proves("CHG-3")
def test_the_credit_of_a_stub_starts_from_what_the_stub_cost():
    monthly = a_plan("31.00", billing_day=DayOfMonth(1))
    books = nora(version=monthly).until(date(2026, 5, 22))
    quote = books.quote(books.plan_wish(a_plan("62.00", billing_day=DayOfMonth(1))), preset=P.PRORATE_NOW)
    assert (said(quote.credits), said(quote.charges)) == (["-10.00"], ["20.00"])


@pytest.mark.proves("CHG-3")
def test_nothing_is_credited_twice_by_lines_or_by_notes():
    for policy in (no_first_payment(), NOTES):
        books = in_may(policy=policy)
        books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
        books.until(date(2026, 5, 30))
        (credit,) = books.quote(books.plan_wish(SMALL), preset=P.PRORATE_NOW).credits
        assert (credit.product, str(credit.base)) == (LARGE.plan.code, str(-share(Money.of("19.29", EUR), 13, 20)))


@pytest.mark.proves("CHG-3", "INV-11")
def test_a_credit_takes_its_part_of_the_tax_that_was_charged_whatever_holds_today():
    books = in_may()
    books.rates = (Rate.percent(7),)
    books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    credit, charge = books.written[-1].invoices[0].lines
    assert (credit.rates, credit.taxed) == ((Rate.percent(19),), (-219,))
    assert charge.rates == (Rate.percent(7),)


@pytest.mark.proves("CHG-7")
def test_moving_to_what_is_free_is_one_credit_and_no_charge():
    books = in_may()
    quote = books.change(books.plan_wish(a_plan("0.00")), preset=P.PRORATE_NOW)
    assert (said(quote.credits), quote.charges) == (["-11.55"], ())


@pytest.mark.proves("CHG-11")
def test_what_is_given_back_beyond_what_is_charged_goes_to_the_balance():
    books = in_may(version=LARGE)
    quote = books.change(books.plan_wish(SMALL), preset=P.PRORATE_NOW)
    invoice = books.written[-1].invoices[0]
    assert (str(quote.net), str(invoice.total), invoice.state) == ("-7.74 EUR", "0.00 EUR", InvoiceState.PAID)
    assert invoice.lines[-1].kind is LineKind.TO_BALANCE
    assert [str(money) for money in books.account.balances] == ["9.21 EUR"]
    assert books.written[-1].intents == ()


@pytest.mark.proves("CHG-11")
def test_what_is_given_back_can_be_a_credit_note_against_the_old_invoice():
    books = in_may(policy=NOTES)
    quote = books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    (note,), (invoice,) = books.written[-1].notes, books.written[-1].invoices
    assert (said(quote.credits), said(invoice.lines)) == (["-11.55"], ["19.29"])
    assert [str(line.base) for line in note.lines] == ["11.55 EUR"]


@pytest.mark.proves("CHG-10")
@pytest.mark.parametrize("policy", [no_first_payment(), NOTES])
@pytest.mark.parametrize("preset", [P.PRORATE_NOW, P.PRORATE_NEXT])
def test_there_and_back_is_exactly_nothing_and_there_again_exactly_there(policy, preset):
    books = in_may(policy=policy)
    before = books.owed
    books.change(books.plan_wish(LARGE), preset=preset)
    there = books.owed
    books.change(books.plan_wish(SMALL), preset=preset)
    assert books.owed == before
    books.change(books.plan_wish(LARGE), preset=preset)
    assert books.owed == there != before


@pytest.mark.proves("CHG-10")
def test_goodwill_that_was_given_before_survives_a_change_there_and_back():
    books = nora().until(MAY_12, 9)
    (start,) = books.invoices
    goodwill = TakenBack(key="g", invoice=start, wanted={1: Money.of("5.00", EUR)}, to=CreditTo.BALANCE, reason="")
    books.take(Decision(subscription=books.subscription, credits=(goodwill,)))
    before = books.owed
    for version in (LARGE, SMALL):
        books.change(books.plan_wish(version), preset=P.PRORATE_NOW)
    assert books.owed == before


@pytest.mark.proves("CHG-10")
def test_each_change_of_a_day_is_quoted_on_what_the_one_before_left():
    books = in_may()
    books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    quote = books.change(books.plan_wish(a_plan("39.90")), preset=P.PRORATE_NOW)
    assert (said(quote.credits), said(quote.charges)) == (["-19.29"], ["25.74"])


@pytest.mark.proves("DIS-5")
@pytest.mark.parametrize(
    ("kind", "back", "charge", "off"),
    [
        (Percent(Rate.percent(10)), "-10.39", "17.36", "1.93"),
        (Fixed(Money.of("3.10", EUR)), "-9.55", "17.29", "2.00"),
    ],
)
def test_the_new_line_has_the_same_percentage_off_or_what_the_credit_gave_back(kind, back, charge, off):
    books = in_may(discounts=[Discount(code="x", kind=kind, duration=Once())])
    quote = books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert (said(quote.credits), said(quote.charges)) == ([back], [charge])
    assert f"{quote.charges[0].discount.to_decimal()}" == off


@pytest.mark.proves("DIS-5")
def test_a_line_that_was_free_gives_its_discount_back_once():
    off = Discount(code="x", kind=Fixed(Money.of("17.90", EUR)), duration=Once())
    for form in CreditForm:
        issued = InvoicePolicy(issue_zero_invoices=True)
        policy = no_first_payment(changes=ChangePolicy(credit_form=form), invoices=issued)
        books = in_may(discounts=[off], policy=policy)
        first = books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
        assert said(first.charges) == ["7.74"]
        books.until(date(2026, 5, 30))
        second = books.quote(books.plan_wish(a_plan("39.90")), preset=P.PRORATE_NOW)
        assert str(second.charges[0].discount) == str(share(Money.of("11.55", EUR), 13, 20))


@pytest.mark.proves("DIS-5")
def test_who_has_everything_off_has_it_off_the_new_line_too_though_nothing_was_invoiced():
    books = in_may(discounts=[Discount(code="x", kind=Percent(Rate.percent(100)), duration=Once())])
    assert (books.invoices, said(books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW).charges)) == ({}, ["0.00"])


@pytest.mark.proves("PRO-10")
def test_the_day_of_a_change_belongs_to_what_comes_after_or_to_what_was():
    policy = no_first_payment(proration=ProrationPolicy(change_day=ChangeDay.OLD))
    books = in_may(policy=policy)
    quote = books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert quote.effective_on == date(2026, 5, 24)
    assert said(quote.credits) == [f"{-share(Money.of('17.90', EUR), 19, 31).to_decimal()}"]


@pytest.mark.proves("CHG-13")
def test_what_is_paid_in_arrears_is_cut_and_each_part_costs_its_own_price():
    small, large = (a_plan(price, mode=BillingMode.IN_ARREARS) for price in ("31.00", "62.00"))
    books = in_may(version=small)
    quote = books.change(books.plan_wish(large), preset=P.PRORATE_NOW)
    assert (quote.credits, quote.charges, books.written[-1].invoices) == ((), (), ())
    books.until(JUNE_12)
    assert [(line.start, str(line.amount)) for line in books.written[-1].invoices[0].lines] == [
        (MAY_12, "11.00 EUR"),
        (MAY_23, "40.00 EUR"),
    ]


@pytest.mark.proves("CHG-13")
def test_seats_in_arrears_are_cut_as_well_and_restored_on_the_same_day():
    version = a_plan("31.00", per_unit=True, mode=BillingMode.IN_ARREARS)
    books = in_may(version=version)
    before = books.subscription
    books.change(quantity_wish(2), preset=P.PRORATE_NOW)
    assert [(cut.line.quantity, cut.start, cut.end) for cut in books.subscription.cut] == [(1, MAY_12, MAY_23)]
    books.change(quantity_wish(1), preset=P.PRORATE_NOW)
    assert (books.subscription.cut, books.subscription.lines) == (before.cut, before.lines)


@pytest.mark.proves("PAU-8")
def test_what_was_different_about_later_cycles_is_dropped_and_told_when_cycles_count_anew():
    books = in_may()
    skip = Override(kind=OverrideKind.SKIP, index=2, made_on=MAY_23)
    books.subscription = attrs.evolve(books.subscription, overrides=(skip,))
    quote = books.quote(books.plan_wish(YEARLY), preset=P.RESET_CREDIT)
    assert quote.warnings == (ChangeWarning.CYCLES_DROPPED,)
    assert [event.name for event in quote.decision.events][-1] == "subscriptions.override_dropped"
    assert quote.decision.subscription.overrides == ()


@pytest.mark.proves("CHG-12")
def test_two_changes_of_one_day_have_keys_of_their_own_and_a_replay_has_the_same():
    books = in_may(version=a_plan("20.00", add_ons={"a": "3.10", "b": "3.10"}), add_ons={"a": 1, "b": 1})
    one, other = (books.quote(quantity_wish(2, key), preset=P.PRORATE_NOW) for key in "ab")
    again = books.quote(quantity_wish(2, "a"), preset=P.PRORATE_NOW)
    keys = [quote.decision.bills[0].key for quote in (one, other, again)]
    assert keys[0] == keys[2] != keys[1]
    books.take(one.decision)
    later = books.quote(quantity_wish(3, "a"), preset=P.PRORATE_NOW)
    assert books.subscription.change_seq == 1
    assert later.decision.bills[0].key not in keys


def test_a_subscription_with_what_it_took_back_can_be_stored():
    books = in_may()
    books.change(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert books.subscription.replaced
    assert load(Subscription, dump(books.subscription)) == books.subscription


def test_an_add_on_that_the_new_plan_does_not_sell_ends_and_somebody_is_warned():
    books = in_may(version=a_plan("20.00", add_ons={"seat": "3.10"}), add_ons={"seat": 2})
    quote = books.quote(books.plan_wish(LARGE), preset=P.PRORATE_NOW)
    assert quote.warnings == (ChangeWarning.ADD_ONS_END,)
    kept = books.quote(books.plan_wish(a_plan("30.00", add_ons={"seat": "6.20"})), preset=P.PRORATE_NOW)
    assert said(kept.charges) == ["19.35", "8.00"]


@pytest.mark.proves("CHG-3", "CAN-4")
@pytest.mark.parametrize("preset", [P.PRORATE_NEXT, P.TIME_CONVERSION])
def test_who_leaves_has_back_what_still_waits_for_an_invoice(preset):
    books = in_may()
    books.change(books.plan_wish(LARGE), preset=preset)
    books.until(date(2026, 5, 30))
    before = books.owed[0]
    (charge,) = (one.line for one in books.account.pending if one.line.kind is LineKind.CHARGE)
    wish = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)
    books.take(cancel(books.subscription, wish, books.now, books.facts, books.policy))
    left, whole = (charge.end - date(2026, 5, 30)).days, (charge.end - charge.start).days
    assert books.owed[0] == before - share(charge.base, left, whole).minor
