"""A subscription begins with several cycles paid at once: at the start, later, or when its trial has ended."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind, upcoming
from shopaccounts.subscriptions.changing.changing_early import change_plan_early
from shopaccounts.subscriptions.changing.prepaying import begin_ahead, prepay
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.errors import AlreadyPrepaid, CancellationScheduled, PrepayNotOffered
from shopaccounts.subscriptions.events import SubscriptionActivated, SubscriptionRenewed, SubscriptionStarted
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.guards import Operation, require_operation
from shopaccounts.subscriptions.invoices.voiding import freed
from shopaccounts.subscriptions.lifecycle.trials import extend_trial
from shopaccounts.subscriptions.notices.occasions import contract_facts
from shopaccounts.subscriptions.papers.documents import CycleEnd, InvoiceKind
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.pausing.overrides import skip_cycle
from shopaccounts.subscriptions.plans.add_ons import AddOn, AfterPrepaid, MinimumSpend, PrepayOption, prepaid
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Fixed, Percent
from shopaccounts.subscriptions.plans.offers import Alignment, Phase, PhaseKind, PlanVersionId, SetupFee, SetupFeeWhen
from shopaccounts.subscriptions.plans.phases import Cycles, Days
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit
from shopaccounts.subscriptions.plans.terms import Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cycles import CyclePolicy
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.policy.trials import TrialCycles, TrialPolicy
from shopaccounts.subscriptions.pricing import PriceChange
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

OFFERS = (
    PrepayOption(3, Rate.percent(10)),
    PrepayOption(6, Rate.percent(15), AfterPrepaid.EXPIRE),
    PrepayOption(12, Rate.percent(20), AfterPrepaid.PER_CYCLE),
)
START = datetime(2031, 1, 10, 9, tzinfo=UTC)
COFFEE = flat_plan("9.99", prepay=OFFERS)
TRIED = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.TRIAL, Days(14)), *COFFEE.phases))
AT_ONCE = SubscriptionPolicy(subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED))
SHOWS_ALL = attrs.evolve(AT_ONCE, invoices=InvoicePolicy(issue_zero_invoices=True))
BY_GRID = SubscriptionPolicy(
    cycles=CyclePolicy(alignment=Alignment.CALENDAR),
    trials=TrialPolicy(cycles=TrialCycles.GRID),
    subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
)


def eur(amount: str) -> Money:
    return Money.of(amount, EUR)


def ahead(version=COFFEE, cycles: int = 3, **more) -> Course:
    """Somebody begins with so many cycles paid at once."""
    return Course.begin(version, START, prepay=cycles, **more)


def paid(course: Course) -> list[list[tuple[int | None, str]]]:
    """Answer the lines of each invoice that is for something, with the cycle that each is for."""
    return [
        [(line.cycle.index if line.cycle else None, str(line.base)) for line in invoice.lines]
        for invoice in course.invoices.values()
    ]


def on(month: int, day: int, year: int = 2031) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


class TestAtTheStart:
    @pytest.mark.proves("PLN-13")
    def test_they_stand_on_the_first_invoice_a_line_for_each_reduced_on_their_sum(self):
        course = ahead()
        (invoice,) = course.invoices.values()
        assert paid(course) == [[(0, "8.99 EUR"), (1, "8.99 EUR"), (2, "8.99 EUR")]]
        assert (invoice.id, invoice.kind, str(invoice.total)) == ("box/start/0", InvoiceKind.START, "26.97 EUR")
        assert [row.id for row in course.cycles] == [f"box/0/{index}/advance" for index in range(3)]
        assert {(row.ended, row.invoice) for row in course.cycles} == {(CycleEnd.BILLED, invoice.id)}
        assert course.subscription.prepaid == PrepaidCycles(option=OFFERS[0], first=0, until=3)
        assert course.subscription.billed_to == 3

    @pytest.mark.proves("PLN-13", "DIS-3")
    @given(
        price=st.integers(1, 10**6),
        off=st.integers(0, 10**6),
        count=st.integers(2, 6),
        seat=st.integers(0, 10**4),
        taken=st.one_of(st.none(), st.integers(1, 100).map(Rate.percent), st.integers(1, 10**6)),
        times=st.integers(1, 40),
    )
    def test_each_costs_what_it_costs_by_itself_less_its_part_of_the_reduction(
        self, price, off, count, seat, taken, times
    ):
        seats = (AddOn(key="seat", product="seat", prices=(PerUnit(Money(seat, EUR)),)),) if seat else ()
        version = flat_plan("1.00", add_ons=seats, prepay=(PrepayOption(count, Rate(off, 10**6)),))
        version = attrs.evolve(version, phases=(Phase(PhaseKind.EVERGREEN, None, (Flat(Money(price, EUR)),)),))
        kind = Percent(taken) if isinstance(taken, Rate) else Fixed(Money(taken, EUR)) if taken else None
        granted = (AppliedDiscount(discount=Discount(code="x", kind=kind, duration=Cycles(times))),) if kind else ()
        wants: dict[str, Any] = {"policy": SHOWS_ALL, "discounts": granted, "add_ons": {"seat": 1} if seat else {}}
        single, course = Course.begin(version, START, **wants), ahead(version, count, **wants)
        single.settle(START + timedelta(days=31 * (count - 1)))
        each = [line for invoice in list(single.invoices.values())[:count] for line in invoice.lines]
        costs = [line.base for line in each]
        expected = prepaid(costs, Rate(off, 10**6)) if any(one.minor for one in costs) else costs
        (invoice,) = course.invoices.values()
        assert {(line.cycle, line.key): (line.start, line.end, line.amount, line.base) for line in invoice.lines} == {
            (line.cycle, line.key): (line.start, line.end, line.amount, base)
            for line, base in zip(each, expected, strict=True)
        }

    @pytest.mark.proves("PLN-13")
    @pytest.mark.parametrize("cycles", [3, 6, 12])
    def test_they_cost_what_as_many_cost_that_are_paid_at_once_right_after_the_start(self, cycles):
        course, after = ahead(cycles=cycles), Course.begin(COFFEE, START)
        papers = after.take(prepay(after.subscription, cycles, START, after.facts, after.policy), START)
        (first,) = course.invoices.values()
        assert [line.base for line in first.lines] == [line.base for line in papers.invoices[0].lines]
        assert first.total == papers.invoices[0].total

    @pytest.mark.proves("PLN-13", "SUB-9")
    def test_it_runs_when_they_are_paid_and_is_over_when_nobody_does(self):
        course = ahead(paid=False)
        waits = course.subscription
        assert (waits.lifecycle, waits.first_payment_by) == (Lifecycle.INCOMPLETE, START + timedelta(hours=23))
        course.settle(START + timedelta(hours=24))
        assert course.subscription.lifecycle is Lifecycle.INCOMPLETE_EXPIRED
        assert [one.state.value for one in course.invoices.values()] == ["void"]

    @pytest.mark.proves("PLN-13")
    def test_it_begins_and_renews_nothing(self):
        told = [type(event) for papers in ahead(policy=AT_ONCE).papers for event in papers.events]
        assert told[:2] == [SubscriptionStarted, SubscriptionActivated]
        assert SubscriptionRenewed not in told

    @pytest.mark.proves("PLN-13", "PLN-7")
    def test_the_fee_for_setting_up_is_charged_with_them_and_not_reduced(self):
        course = ahead(attrs.evolve(COFFEE, setup_fee=SetupFee((eur("5.00"),))))
        assert paid(course) == [[(None, "5.00 EUR"), (0, "8.99 EUR"), (1, "8.99 EUR"), (2, "8.99 EUR")]]

    @pytest.mark.proves("PLN-13", "PLN-9")
    def test_a_stub_comes_on_top(self):
        course = ahead(attrs.evolve(COFFEE, alignment=Alignment.CALENDAR))
        (invoice,) = course.invoices.values()
        assert [(line.kind, line.start) for line in invoice.lines] == [
            (LineKind.STUB, date(2031, 1, 10)),
            (LineKind.RECURRING, date(2031, 2, 1)),
            (LineKind.RECURRING, date(2031, 3, 1)),
            (LineKind.RECURRING, date(2031, 4, 1)),
        ]
        assert all(line.base < line.amount for line in invoice.lines)

    @pytest.mark.proves("PLN-13", "PLN-8")
    def test_what_is_paid_in_arrears_stays_with_its_cycle(self):
        late = AddOn(key="late", product="late", prices=(PerUnit(eur("1.00")),), mode=BillingMode.IN_ARREARS)
        course = ahead(attrs.evolve(COFFEE, add_ons=(late,)), add_ons={"late": 1})
        course.settle(on(3, 20))
        assert paid(course)[1:] == [[(0, "1.00 EUR")], [(1, "1.00 EUR")]]

    @pytest.mark.proves("PLN-13", "PLN-12")
    def test_each_is_held_against_the_least_that_a_cycle_costs(self):
        course = ahead(attrs.evolve(COFFEE, minimum=(MinimumSpend(eur("10.00")),)))
        course.settle(on(3, 20))
        assert paid(course)[1:] == [[(0, "1.01 EUR")], [(1, "1.01 EUR")]]

    @pytest.mark.proves("PLN-13", "PRI-1")
    def test_a_price_that_was_announced_holds_from_the_cycle_on_in_which_it_takes_effect(self):
        account = Course.begin(COFFEE, START).account
        cheaper = PriceChange(
            id="p-1",
            realm=account.realm,
            store=account.store,
            plan=COFFEE.plan.id,
            plan_version="coffee-2",
            prices=(Flat(eur("7.99")),),
            announced_at=START,
            effective_on=date(2031, 3, 1),
            reason="cheaper beans",
        )
        course = ahead(told=Facts(price_changes=(cheaper,)))
        (invoice,) = course.invoices.values()
        assert [str(line.amount) for line in invoice.lines] == ["9.99 EUR", "9.99 EUR", "7.99 EUR"]

    @pytest.mark.proves("PLN-13")
    def test_it_is_refused_what_the_plan_does_not_offer_or_what_will_not_come(self):
        for cycles in (2, 4, 1, 0, -3):
            with pytest.raises(PrepayNotOffered) as refused:
                ahead(cycles=cycles)
            assert refused.value.offered == (3, 6, 12)
        with pytest.raises(TypeError):
            ahead(cycles=3.0)  # type: ignore[arg-type]  # a wrong type
        for version in (COFFEE, TRIED):
            short = attrs.evolve(version, term=Term(cycles=4))
            with pytest.raises(CancellationScheduled):
                ahead(short, 6)
            assert ahead(short, 3).subscription.prepaid
        renewing = attrs.evolve(COFFEE, term=Term(cycles=2, auto_renew=True, renewal_cycles=2))
        assert ahead(renewing, 6).subscription.billed_to == 6

    @pytest.mark.proves("PLN-13")
    def test_more_can_be_paid_when_the_last_one_has_begun(self):
        course = ahead()
        with pytest.raises(AlreadyPrepaid) as refused:
            require_operation(course.subscription, Operation.PREPAY, on(2, 1), course.policy)
        assert refused.value.available_on == date(2031, 3, 10)
        require_operation(course.subscription, Operation.PREPAY, on(3, 11), course.policy)


class TestWhatFollows:
    @pytest.mark.proves("PLN-13")
    def test_as_many_again_the_next_one_or_the_end(self):
        again, single, over = ahead(), ahead(cycles=12), ahead(cycles=6)
        assert fixed_end(over.subscription) == datetime(2031, 7, 9, 22, tzinfo=UTC)
        for course in (again, single, over):
            course.settle(on(2, 20, 2032))
        assert [[index for index, _ in lines] for lines in paid(again)][:3] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
        assert paid(single)[1:] == [[(12, "9.99 EUR")], [(13, "9.99 EUR")]]
        assert (over.subscription.lifecycle, len(over.invoices)) == (Lifecycle.EXPIRED, 1)

    @pytest.mark.proves("PLN-13", "INV-10")
    def test_they_are_billed_at_once_again_where_their_invoice_is_void(self):
        course = ahead(policy=AT_ONCE)
        (invoice,) = course.invoices.values()
        course.subscription = freed(course.subscription, invoice, course.cycles)
        del course.invoices[invoice.id]
        course.take(Decision(subscription=course.subscription), START)
        course.settle(START)
        assert paid(course) == [[(0, "8.99 EUR"), (1, "8.99 EUR"), (2, "8.99 EUR")]]


class TestLater:
    @pytest.mark.proves("PLN-13", "SUB-9", "SIM-2")
    def test_a_start_in_the_future_waits_and_shows_them_beforehand(self):
        course = ahead(starts_at=on(2, 10))
        assert (course.invoices, course.subscription.lifecycle) == ({}, Lifecycle.PENDING)
        shown = upcoming(course.subscription, course.account, course.facts, course.policy, rates={"": ()}, count=3)
        charges = [one for one in shown if one.kind is UpcomingKind.CHARGE]
        assert [(one.at.date(), str(one.amount)) for one in charges][:1] == [(date(2031, 2, 10), "26.97 EUR")]
        course.settle(on(2, 10))
        assert paid(course) == [[(0, "8.99 EUR"), (1, "8.99 EUR"), (2, "8.99 EUR")]]

    @pytest.mark.proves("PLN-13", "TRI-1", "PLN-7")
    def test_a_trial_comes_first_and_they_follow_it(self):
        fee = SetupFee((eur("5.00"),), when=SetupFeeWhen.AT_START)
        course = ahead(attrs.evolve(TRIED, setup_fee=fee), policy=AT_ONCE)
        assert (course.subscription.lifecycle, paid(course)) == (Lifecycle.TRIALING, [[(None, "5.00 EUR")]])
        shown = upcoming(course.subscription, course.account, course.facts, course.policy, rates={"": ()}, count=3)
        charges = [(one.at.date(), str(one.amount)) for one in shown if one.kind is UpcomingKind.CHARGE]
        assert charges[0] == (date(2031, 1, 24), "26.97 EUR")
        course.settle(on(1, 25))
        assert paid(course)[1:] == [[(1, "8.99 EUR"), (2, "8.99 EUR"), (3, "8.99 EUR")]]
        course.settle(on(4, 25))
        assert [index for index, _ in paid(course)[-1]] == [4, 5, 6]

    @pytest.mark.proves("PLN-13", "TRI-3", "TRI-8")
    @pytest.mark.parametrize("price", [None, "1.00"])
    def test_a_trial_that_is_cut_by_the_calendar_is_billed_as_ever_until_it_ends(self, price):
        free = Phase(PhaseKind.TRIAL, Days(40), (Flat(eur(price)),) if price else ())
        version = attrs.evolve(COFFEE, phases=(free, *COFFEE.phases))
        course = ahead(version, policy=BY_GRID)
        course.settle(on(2, 18))
        assert course.subscription.lifecycle is Lifecycle.TRIALING
        assert [row.index for row in course.cycles] == [0, 1]
        tried = len(course.invoices)
        assert tried == (2 if price else 0)
        course.settle(on(2, 20))
        assert [index for index, _ in paid(course)[tried]] == [2, 3, 4, 5]  # a stub to the first of March, and three

    @pytest.mark.proves("PLN-13", "TRI-5")
    def test_a_longer_trial_puts_them_off(self):
        course = ahead(TRIED)
        later = extend_trial(course.subscription, on(3, 1), TRIED, course.account, course.policy)
        course.take(Decision(subscription=later), on(1, 20))
        course.settle(on(2, 28))
        assert not course.invoices
        course.settle(on(3, 2))
        assert paid(course) == [[(1, "8.99 EUR"), (2, "8.99 EUR"), (3, "8.99 EUR")]]

    @pytest.mark.proves("PLN-13", "PAU-6")
    def test_a_cycle_that_is_left_out_before_it_begins_comes_on_top(self):
        course = ahead(starts_at=on(2, 10))
        course.take(skip_cycle(course.subscription, 1, START, course.facts, course.policy), START)
        course.settle(on(2, 10))
        assert [index for index, _ in paid(course)[0]] == [0, 2, 3]

    @pytest.mark.proves("PLN-13", "NOT-6")
    def test_laws_see_from_the_trial_on_for_how_long_somebody_pays(self):
        half_a_year = attrs.evolve(TRIED, prepay=(PrepayOption(6), PrepayOption(12, after=AfterPrepaid.EXPIRE)))
        facts = contract_facts(ahead(half_a_year, 6).subscription, None, has_method=True)
        assert (facts.interval, facts.renewal_term) == (Interval.months(6), Interval.months(6))
        once = contract_facts(ahead(half_a_year, 12).subscription, None, has_method=True)
        assert (once.interval, once.renewal_term) == (Interval.months(12), None)


class TestAnotherPlanBefore:
    def changed(self, course: Course, version) -> Course:
        done = change_plan_early(course.subscription, version, None, course.account, course.policy, START)
        course.take(done, START)
        return course

    @pytest.mark.proves("PLN-13", "CHG-10", "TRI-6")
    @pytest.mark.parametrize("waits", ["trial", "future"])
    def test_it_has_them_under_its_own_offer_and_none_where_it_offers_no_such(self, waits):
        def begun() -> Course:
            return ahead(TRIED) if waits == "trial" else ahead(starts_at=on(1, 24))

        phases = TRIED.phases if waits == "trial" else COFFEE.phases
        like = attrs.evolve(
            COFFEE, phases=phases, id=PlanVersionId("half"), prepay=(PrepayOption(3, Rate.percent(50)),)
        )
        course = self.changed(begun(), like)
        course.settle(on(1, 25))
        (lines,) = paid(course)
        assert sorted(base for _, base in lines) == ["4.99 EUR", "4.99 EUR", "5.00 EUR"]
        none = self.changed(begun(), attrs.evolve(like, prepay=(PrepayOption(4),)))
        none.settle(on(1, 25))
        assert [base for lines in paid(none) for _, base in lines] == ["9.99 EUR"]
        assert none.subscription.prepaid is None


@pytest.mark.proves("PLN-13")
def test_what_begins_with_them_waits_until_they_are_billed() -> None:
    plain = Course.begin(TRIED, START)
    wish = begin_ahead(plain.subscription, 3, START, plain.facts, plain.policy)
    assert wish == plain.subscription.but(prepaid=PrepaidCycles(option=OFFERS[0], first=1, until=1))
