"""Discounts: to the cent, never below zero, and for as long as they last."""

from datetime import date, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts import serial
from shopaccounts.kernel.cycles import Anchor, Cycle, Interval
from shopaccounts.kernel.money import (
    BadRate,
    BadShare,
    CurrencyMismatch,
    Money,
    NothingToAllocateTo,
    Rate,
    currency,
    share,
    total,
)
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.cycles.schedules import CycleRef
from shopaccounts.subscriptions.errors import BadPlan, DiscountAlreadyApplied, TooManyDiscounts
from shopaccounts.subscriptions.plans.discounts import (
    MAX_DISCOUNTS,
    AppliedDiscount,
    Discount,
    Discountable,
    Fixed,
    Forever,
    Once,
    Percent,
    add_discount,
    discount,
    discount_change,
    given_back,
    is_live,
    used,
)
from shopaccounts.subscriptions.plans.offers import SETUP_FEE_LINE
from shopaccounts.subscriptions.plans.phases import Cycles, Months

START = date(2029, 1, 31)
GRID = Cycle(Anchor.on(START, zone("UTC")), Interval.months(1))
EUR = currency("EUR")


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def percent(number: str, **fields) -> Discount:
    given_ = {"code": f"{number} percent", "duration": Forever(), **fields}
    return Discount(kind=Percent(Rate.percent(number)), **given_)


def fixed(amount: str, **fields) -> Discount:
    return Discount(kind=Fixed(eur(amount)), **{"code": f"{amount} off", "duration": Forever(), **fields})


def lines(*amounts: str, start: date = START) -> list[Discountable]:
    """Lines with the keys a, b, c ..."""
    return [Discountable("abcdefgh"[place], eur(amount), start) for place, amount in enumerate(amounts)]


def at(index: int) -> CycleRef:
    return CycleRef("subscription", 0, index)


def shares(priced, *discounts: Discount, **part) -> list[list[str]]:
    """What new discounts take of lines, as texts without the currency."""
    taken = discount(priced, [AppliedDiscount(discount=one) for one in discounts], at(0), **part)
    return [[str(money).removesuffix(" EUR") for money in one.shares] for one in taken]


kinds = st.one_of(
    st.integers(1, 10**8).map(lambda millionths: Percent(Rate(millionths, 10**8))),
    st.integers(1, 10**6).map(lambda minor: Fixed(Money(minor, "EUR"))),
)
scopes = st.none() | st.frozensets(st.sampled_from("abcdefgh"), min_size=1)
granted = st.builds(
    Discount, code=st.just("some"), kind=kinds, duration=st.just(Forever()), scope=scopes, position=st.integers(0, 3)
)
bills = st.lists(st.integers(0, 10**6), max_size=8).map(
    lambda minors: [Discountable("abcdefgh"[place], Money(minor, "EUR"), START) for place, minor in enumerate(minors)]
)


class TestWhatItTakes:
    @pytest.mark.proves("DIS-2")
    def test_a_percentage_is_computed_once_and_divided_to_the_cent(self):
        assert shares(lines("3.33", "3.33", "6.64"), percent("15")) == [["0.50", "0.50", "1.00"]]
        assert shares(lines("0.03", "0.03", "0.03"), percent("50")) == [["0.02", "0.02", "0.01"]]

    @pytest.mark.proves("DIS-2")
    def test_a_fixed_amount_is_divided_and_never_exceeds_its_lines(self):
        assert shares(lines("20.00", "10.00"), fixed("6.00")) == [["4.00", "2.00"]]
        assert shares(lines("20.00", "10.00"), fixed("50.00")) == [["20.00", "10.00"]]

    @pytest.mark.proves("DIS-2")
    def test_each_acts_on_what_the_earlier_ones_left(self):
        first, second = percent("50", position=1), fixed("5.00", position=2)
        assert shares(lines("20.00"), first, second) == [["10.00"], ["5.00"]]
        assert shares(lines("20.00"), second, first) == [["5.00"], ["10.00"]]
        later = attrs.evolve(first, position=3)
        assert shares(lines("20.00"), later, second) == [["7.50"], ["5.00"]]
        assert shares(lines("20.00"), percent("100"), second) == [["20.00"], ["0.00"]]

    @pytest.mark.proves("DIS-2")
    def test_discounts_of_one_position_act_in_the_order_in_which_they_were_added(self):
        assert shares(lines("20.00"), percent("50"), fixed("5.00")) == [["10.00"], ["5.00"]]
        assert shares(lines("20.00"), fixed("5.00"), percent("50")) == [["5.00"], ["7.50"]]

    @pytest.mark.proves("DIS-1", "DIS-2")
    def test_a_discount_is_for_the_lines_in_its_scope(self):
        bill = lines("10.00", "10.00", "10.00")
        assert shares(bill, percent("10", scope=frozenset("bc"))) == [["0.00", "1.00", "1.00"]]
        assert shares(bill, fixed("3.00", scope=frozenset("a"))) == [["3.00", "0.00", "0.00"]]
        assert shares(bill, percent("10", scope=frozenset("x"))) == [["0.00", "0.00", "0.00"]]

    @pytest.mark.proves("DIS-2")
    def test_a_setup_fee_is_discounted_only_by_name(self):
        bill = [*lines("10.00"), Discountable(SETUP_FEE_LINE, eur("30.00"), START)]
        assert shares(bill, percent("50")) == [["5.00", "0.00"]]
        assert shares(bill, percent("50", scope=frozenset({SETUP_FEE_LINE}))) == [["0.00", "15.00"]]

    @pytest.mark.proves("DIS-2")
    def test_without_lines_or_discounts_nothing_is_taken(self):
        assert discount(lines("10.00"), (), at(0)) == ()
        assert shares([], percent("50"), fixed("1.00")) == [[], []]
        assert shares(lines("0.00", "0.00"), percent("50"), fixed("1.00")) == [["0.00", "0.00"]] * 2

    @pytest.mark.proves("DIS-2")
    @given(bills, st.lists(granted, max_size=5))
    def test_no_line_becomes_cheaper_than_free_and_no_cent_is_lost(self, bill, discounts):
        taken = discount(bill, [AppliedDiscount(discount=one) for one in discounts], at(0))
        left = [line.amount for line in bill]
        for place in sorted(range(len(discounts)), key=lambda index: discounts[index].position):
            one, parts = discounts[place], taken[place].shares
            eligible = total((a for a, line in zip(left, bill, strict=True) if one.is_for(line.key)), "EUR")
            wanted = (
                one.kind.money
                if isinstance(one.kind, Fixed)
                else share(eligible, one.kind.rate.numerator, one.kind.rate.denominator)
            )
            assert total(parts, "EUR") == min(wanted, eligible)
            assert all(part.is_zero or one.is_for(line.key) for part, line in zip(parts, bill, strict=True))
            left = [amount - part for amount, part in zip(left, parts, strict=True)]
            assert all(amount.minor >= 0 for amount in left)

    @pytest.mark.proves("DIS-4")
    def test_on_a_stub_a_percentage_is_of_the_stubs_price(self):
        stub = lines(str(share(eur("17.90"), 17, 29)).removesuffix(" EUR"))
        assert stub[0].amount == eur("10.49")
        assert shares(stub, percent("10")) == shares(stub, percent("10"), numerator=17, denominator=29) == [["1.05"]]

    @pytest.mark.proves("DIS-4")
    def test_on_a_stub_a_fixed_amount_is_granted_in_full_or_in_part(self):
        stub = lines("10.49")
        assert shares(stub, fixed("5.00")) == [["5.00"]]
        assert shares(stub, fixed("5.00"), numerator=17, denominator=29) == [["2.93"]]
        with pytest.raises(BadShare):
            shares(stub, fixed("5.00"), numerator=-1, denominator=29)

    @pytest.mark.proves("DIS-1", "DIS-2")
    def test_amounts_of_another_currency_or_below_zero_are_refused(self):
        dollars = Discountable("b", Money.of("1.00", "USD"), START)
        for one in (percent("10"), fixed("1.00")):
            with pytest.raises(CurrencyMismatch):
                shares([*lines("10.00"), dollars], one)
        with pytest.raises(CurrencyMismatch):
            shares([dollars], fixed("1.00"))
        with pytest.raises(NothingToAllocateTo):
            lines("-0.01")


class TestWhatMayBeGranted:
    @pytest.mark.proves("DIS-1", "ABU-8")
    def test_a_percentage_is_above_zero_and_at_most_all(self):
        assert Percent(Rate.percent(100)).rate == Rate(1, 1)
        for number in ("0", "100.000001", "1000"):
            with pytest.raises(BadRate):
                Percent(Rate.percent(number))
        with pytest.raises(BadRate):
            Percent(Rate.percent("100.0000001"))
        with pytest.raises(TypeError):
            Percent(0.1)  # type: ignore[arg-type]

    @pytest.mark.proves("DIS-1", "ABU-8")
    def test_a_fixed_amount_is_above_zero(self):
        assert shares(lines("0.05"), fixed("0.01")) == [["0.01"]]
        for amount in ("0.00", "-5.00"):
            with pytest.raises(BadPlan):
                Fixed(eur(amount))
        with pytest.raises(TypeError):
            Fixed(5)  # type: ignore[arg-type]

    @pytest.mark.proves("DIS-1", "ABU-8")
    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"code": ""}, BadPlan),
            ({"code": 5}, TypeError),
            ({"kind": Rate(1, 10)}, TypeError),
            ({"duration": 3}, TypeError),
            ({"scope": frozenset()}, BadPlan),
            ({"scope": "plan"}, TypeError),
            ({"position": 1.0}, TypeError),
            ({"position": True}, TypeError),
            ({"not_after": datetime(2029, 1, 1, 12)}, TypeError),  # noqa: DTZ001  (what is refused)
        ],
        ids=str,
    )
    def test_a_discount_says_what_it_is(self, fields, error):
        with pytest.raises(error):
            attrs.evolve(percent("10"), **fields)

    @pytest.mark.proves("DIS-1")
    @pytest.mark.parametrize("duration", [Once(), Months(3), Cycles(3), Forever()])
    def test_a_discount_survives_storage_with_what_is_used_of_it(self, duration):
        for one in (percent("12.5"), fixed("5.00", scope=frozenset("ab"), position=2, not_after=START)):
            new = AppliedDiscount(discount=attrs.evolve(one, duration=duration))
            taken = discount(lines("10.00"), [new], at(0))[0]
            for applied in (new, used(new, taken, at(0), START)):
                assert serial.load(AppliedDiscount, serial.dump(applied)) == applied


def billed(applied: AppliedDiscount, index: int, amount: str = "10.00") -> tuple[AppliedDiscount, bool]:
    """Bill one cycle of one line; answer the discount after it, and whether it took something."""
    period = GRID.period(index)
    (taken,) = discount(lines(amount, start=period.start), [applied], at(index))
    return used(applied, taken, at(index), period.start), taken.takes


def cycles_discounted(one: Discount, indices, amounts=None) -> list[int]:
    """Bill these cycles, and answer those that were cheaper."""
    applied, cheaper = AppliedDiscount(discount=one), []
    for index in indices:
        applied, takes = billed(applied, index, (amounts or {}).get(index, "10.00"))
        if takes:
            cheaper.append(index)
    return cheaper


class TestHowLong:
    @pytest.mark.proves("DIS-3")
    def test_once_is_the_first_cycle_in_which_it_takes_something(self):
        assert cycles_discounted(percent("10", duration=Once()), range(5)) == [0]
        assert cycles_discounted(percent("10", duration=Once()), range(5), {0: "0.00", 1: "0.04"}) == [2]
        assert cycles_discounted(fixed("1.00", duration=Once()), range(5), {0: "0.00"}) == [1]

    @pytest.mark.proves("DIS-3")
    def test_once_is_for_every_line_of_that_cycle(self):
        one = AppliedDiscount(discount=percent("10", duration=Once()))
        one, takes = billed(one, 3)
        assert takes
        again, takes = billed(one, 3)
        assert takes
        assert again == one
        assert not billed(again, 4)[1]

    @pytest.mark.proves("DIS-3")
    def test_months_run_by_the_calendar_also_while_nothing_is_billed(self):
        months = percent("10", duration=Months(3))
        assert cycles_discounted(months, range(6)) == [0, 1, 2]
        assert cycles_discounted(months, [0, 2, 3, 4]) == [0, 2]
        assert cycles_discounted(months, [4, 5, 6, 7]) == [4, 5, 6]
        assert cycles_discounted(percent("10", duration=Months(1)), range(1, 6)) == [1]

    @pytest.mark.proves("DIS-3")
    @given(st.dates(date(2001, 1, 1), date(2099, 12, 31)), st.integers(1, 36), st.integers(0, 30))
    def test_so_many_months_are_as_many_monthly_cycles_from_any_day(self, start, count, first):
        cycle = Cycle(Anchor.on(start, zone("UTC")), Interval.months(1))
        since = cycle.boundary(first)
        applied = AppliedDiscount(
            discount=percent("10", duration=Months(count)), first=at(first), since=since, last=at(first), uses=1
        )
        live = [is_live(applied, at(index), cycle.boundary(index)) for index in range(first, first + count + 2)]
        assert live == [True] * count + [False, False]

    @pytest.mark.proves("DIS-3")
    def test_cycles_stand_still_while_nothing_is_billed(self):
        three = percent("10", duration=Cycles(3))
        assert cycles_discounted(three, range(6)) == [0, 1, 2]
        assert cycles_discounted(three, [0, 2, 5, 6, 7]) == [0, 2, 5]
        assert cycles_discounted(three, range(6), {0: "0.00"}) == [1, 2, 3]

    @pytest.mark.proves("DIS-3")
    def test_a_cycle_that_is_billed_twice_is_one_use(self):
        applied = AppliedDiscount(discount=percent("10", duration=Cycles(1)))
        for _ in range(3):
            applied, takes = billed(applied, 0)
            assert takes
        assert applied.uses == 1
        assert not billed(applied, 1)[1]

    @pytest.mark.proves("DIS-3")
    def test_a_billed_cycle_counts_once_a_discount_has_begun(self):
        assert cycles_discounted(percent("10", duration=Cycles(3)), range(6), {1: "0.00"}) == [0, 2]

    @pytest.mark.proves("DIS-3")
    def test_forever_does_not_end(self):
        assert cycles_discounted(percent("10"), range(24)) == list(range(24))

    @pytest.mark.proves("DIS-1")
    def test_no_period_begins_after_its_last_day(self):
        last = GRID.boundary(3)
        assert cycles_discounted(percent("10", not_after=last), range(6)) == [0, 1, 2, 3]
        late, early = Discountable("b", eur("9.00"), GRID.boundary(4)), Discountable("a", eur("9.00"), last)
        assert shares([early, late], percent("10", not_after=last)) == [["0.90", "0.00"]]

    @pytest.mark.proves("DIS-3")
    @pytest.mark.parametrize("duration", [Once(), Months(1), Cycles(1)])
    def test_a_voided_invoice_gives_its_use_back(self, duration):
        new = AppliedDiscount(discount=percent("10", duration=duration))
        once, _ = billed(new, 0)
        assert not billed(once, 1)[1]
        assert given_back(once, at(0)) == new
        assert billed(given_back(once, at(0)), 1)[1]

    @pytest.mark.proves("DIS-3")
    def test_one_of_several_uses_is_given_back(self):
        applied = AppliedDiscount(discount=percent("10", duration=Cycles(2)))
        for index in (0, 1):
            applied, _ = billed(applied, index)
        for voided in (0, 1):
            again, takes = billed(given_back(applied, at(voided)), 2)
            assert takes
            assert not billed(again, 3)[1]

    @pytest.mark.proves("DIS-3")
    def test_a_cycle_that_is_billed_anew_is_a_use_again(self):
        applied = AppliedDiscount(discount=percent("10", duration=Cycles(2)))
        for index in (0, 1):
            applied, _ = billed(applied, index)
        anew, takes = billed(given_back(applied, at(1)), 1)
        assert takes
        assert not billed(anew, 2)[1]
        still, _ = billed(given_back(applied, at(0)), 1)
        assert still.uses == 1

    @pytest.mark.proves("DIS-3")
    def test_what_was_not_used_is_not_given_back(self):
        new = AppliedDiscount(discount=percent("10", duration=Once()))
        once, _ = billed(new, 2)
        assert given_back(new, at(0)) == new
        assert given_back(once, at(5)) == once


class TestAChangeWithinACycle:
    @pytest.mark.proves("DIS-5")
    def test_the_new_charge_has_the_same_percentage(self):
        assert discount_change(eur("19.29"), [(percent("10"), eur("1.16"))]) == (eur("1.93"),)

    @pytest.mark.proves("DIS-5")
    def test_the_new_charge_has_what_was_given_back_of_a_fixed_amount(self):
        assert discount_change(eur("19.29"), [(fixed("5.00"), eur("3.23"))]) == (eur("3.23"),)
        assert discount_change(eur("2.00"), [(fixed("5.00"), eur("3.23"))]) == (eur("2.00"),)

    @pytest.mark.proves("DIS-5")
    def test_each_acts_on_what_the_earlier_ones_left(self):
        back = [(fixed("5.00"), eur("3.00")), (percent("50"), eur("4.00")), (fixed("9.00"), eur("9.00"))]
        assert discount_change(eur("10.00"), back) == (eur("3.00"), eur("3.50"), eur("3.50"))
        assert discount_change(eur("10.00"), []) == ()

    @pytest.mark.proves("DIS-5")
    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.lists(kinds, max_size=4))
    def test_there_and_back_keeps_every_fixed_amount(self, old, new, choice):
        bill = [Discountable("a", Money(old, "EUR"), START)]
        discounts = [Discount(code="some", kind=kind, duration=Forever()) for kind in choice]
        taken = discount(bill, [AppliedDiscount(discount=one) for one in discounts], at(0))
        back = [(one, part.shares[0]) for one, part in zip(discounts, taken, strict=True)]
        assert discount_change(bill[0].amount, back) == tuple(part for _, part in back)
        there = discount_change(Money(new, "EUR"), back)
        assert total(there, "EUR").minor <= new
        if new >= old:
            for (one, before), after in zip(back, there, strict=True):
                assert not isinstance(one.kind, Fixed) or after == before

    @pytest.mark.proves("DIS-5")
    def test_another_currency_is_refused(self):
        with pytest.raises(CurrencyMismatch):
            discount_change(Money.of("5.00", "USD"), [(fixed("5.00"), eur("3.00"))])


class TestHowMany:
    @staticmethod
    def add(discounts, new: Discount, index: int = 0, **most):
        return add_discount(discounts, new, EUR, at(index), GRID.boundary(index), **most)

    @pytest.mark.proves("DIS-6")
    def test_five_are_live_at_once(self):
        discounts: tuple[AppliedDiscount, ...] = ()
        for number in range(1, MAX_DISCOUNTS + 1):
            discounts = self.add(discounts, percent(str(number)))
        assert len(discounts) == 5
        with pytest.raises(TooManyDiscounts) as refusal:
            self.add(discounts, percent("6"))
        assert refusal.value.limit == 5
        assert len(self.add(discounts, percent("6"), most=6)) == 6

    @pytest.mark.proves("DIS-6")
    def test_what_is_used_up_makes_room(self):
        discounts = self.add((), percent("1", duration=Once()), most=1)
        with pytest.raises(TooManyDiscounts):
            self.add(discounts, percent("2"), most=1)
        discounts = (billed(discounts[0], 0)[0],)
        assert len(self.add(discounts, percent("2"), index=1, most=1)) == 2

    @pytest.mark.proves("DIS-6")
    def test_a_campaigns_code_is_taken_once(self):
        discounts = self.add((), percent("1", code="SPRING", duration=Once()))
        for have in (discounts, (billed(discounts[0], 0)[0],)):
            with pytest.raises(DiscountAlreadyApplied) as refusal:
                self.add(have, fixed("2.00", code="SPRING"), index=4)
            assert refusal.value.discount == "SPRING"

    @pytest.mark.proves("DIS-1")
    def test_a_fixed_amount_is_in_the_subscriptions_currency(self):
        with pytest.raises(CurrencyMismatch) as refusal:
            add_discount((), fixed("5.00"), currency("USD"), at(0), START)
        assert (refusal.value.left, refusal.value.right) == ("USD", "EUR")

    @pytest.mark.proves("DIS-6")
    def test_a_new_discount_acts_on_the_next_cycle_that_is_billed(self):
        (applied,) = self.add((), percent("10", duration=Once()), index=3)
        assert applied == AppliedDiscount(discount=percent("10", duration=Once()))
        assert billed(applied, 3)[1]
