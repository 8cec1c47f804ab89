"""Several cycles are paid at once: what they cost, how each is claimed, what follows, and what is given back."""

from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.money import Money, Rate, share
from shopaccounts.subscriptions import allowed_operations
from shopaccounts.subscriptions.announcing.timeline import UpcomingKind, upcoming
from shopaccounts.subscriptions.boxes.listing import deliveries
from shopaccounts.subscriptions.changing.prepaying import prepay
from shopaccounts.subscriptions.changing.quoting import quote_change
from shopaccounts.subscriptions.changing.wanting import plan_wish, quantity_wish
from shopaccounts.subscriptions.cycles.segments import service_period_of
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import fixed_end
from shopaccounts.subscriptions.errors import (
    AlreadyPrepaid,
    CancellationScheduled,
    CycleAlreadyBilled,
    OperationNotAllowed,
    PrepayNotOffered,
)
from shopaccounts.subscriptions.guards import Allowed, Operation, require_operation
from shopaccounts.subscriptions.invoices.voiding import freed
from shopaccounts.subscriptions.laws.notice_rules import NoticeTrigger
from shopaccounts.subscriptions.leaving.cancelling import CancelWish, cancel
from shopaccounts.subscriptions.notices.occasions import contract_facts, occasions
from shopaccounts.subscriptions.papers.documents import BilledFor, CycleEnd, InvoiceKind, cycle_key
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.pausing.overrides import skip_cycle, with_override
from shopaccounts.subscriptions.pausing.pauses import PauseWish, pause
from shopaccounts.subscriptions.plans.add_ons import AddOn, AfterPrepaid, MinimumSpend, PrepayOption
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles, RunningTerm
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount, Fixed
from shopaccounts.subscriptions.plans.offers import DeliveryPlan, Goods, Phase, PhaseKind, PlanVersionId, SetupFee
from shopaccounts.subscriptions.plans.phases import Cycles
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit
from shopaccounts.subscriptions.plans.terms import RemainderDue, Term
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.pausing import OnResume, PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.policy.running import CatchUpPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.pricing import PriceChange
from shopaccounts.subscriptions.scheduled import Override, OverrideKind
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.subscribers import EUR, Course, flat_plan

TENTH = Rate.percent(10)
OFFERS = (
    PrepayOption(3, TENTH),
    PrepayOption(6, Rate.percent(15), AfterPrepaid.EXPIRE),
    PrepayOption(12, Rate.percent(20), AfterPrepaid.PER_CYCLE),
)
BEGUN, ASKED = datetime(2031, 1, 10, 9, tzinfo=UTC), datetime(2031, 1, 20, 9, tzinfo=UTC)
COFFEE = flat_plan("9.99", prepay=OFFERS)
AT_ONCE = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
HERE = date(2031, 1, 10)


def eur(amount: str) -> Money:
    return Money.of(amount, EUR)


def begun(version=COFFEE, policy: SubscriptionPolicy | None = None, **choice) -> Course:
    """Somebody has subscribed ten days ago."""
    return Course.begin(version, BEGUN, policy=policy or SubscriptionPolicy(subscribing=AT_ONCE), **choice)


def pays(course: Course, cycles: int = 3, at: datetime = ASKED):
    """They pay for several cycles at once."""
    require_operation(course.subscription, Operation.PREPAY, at, course.policy)
    return course.take(prepay(course.subscription, cycles, at, course.facts, course.policy), at)


def paid_ahead(version=COFFEE, cycles: int = 3, policy: SubscriptionPolicy | None = None, **choice) -> Course:
    course = begun(version, policy, **choice)
    pays(course, cycles)
    return course


def number(line: LineDraft) -> int:
    """Answer which cycle a line is for."""
    assert line.cycle
    return line.cycle.index


def run_of(course: Course) -> PrepaidCycles:
    """Answer the cycles that were paid at once."""
    assert course.subscription.prepaid
    return course.subscription.prepaid


def ends_at(decision: Decision) -> datetime:
    """Answer when a subscription ends that was cancelled."""
    assert decision.subscription.scheduled.cancel
    return decision.subscription.scheduled.cancel.at


def newest(course: Course):
    return next(reversed(course.invoices.values()))


def on(month: int, day: int = 20, year: int = 2031) -> datetime:
    return datetime(year, month, day, 9, tzinfo=UTC)


class TestOneInvoice:
    @pytest.mark.proves("PLN-13")
    def test_the_next_cycles_stand_on_one_invoice_a_line_for_each_reduced_on_their_sum(self):
        course = begun()
        papers = pays(course)
        (invoice,) = papers.invoices
        assert [(number(line), line.start, line.end, line.amount) for line in invoice.lines] == [
            (1, date(2031, 2, 10), date(2031, 3, 10), eur("9.99")),
            (2, date(2031, 3, 10), date(2031, 4, 10), eur("9.99")),
            (3, date(2031, 4, 10), date(2031, 5, 10), eur("9.99")),
        ]
        assert [str(line.base) for line in invoice.lines] == ["8.99 EUR"] * 3
        assert [taken.code for line in invoice.lines for taken in line.discounts] == ["prepaid"] * 3
        assert (invoice.kind, str(invoice.total)) == (InvoiceKind.PERIODIC, "26.97 EUR")
        assert course.subscription.billed_to == 4
        assert course.subscription.prepaid == PrepaidCycles(option=OFFERS[0], first=1, until=4)

    @pytest.mark.proves("PLN-13", "INV-6")
    def test_each_cycle_is_claimed_by_its_own_key_with_what_it_cost(self):
        course = begun()
        papers = pays(course, 12)
        segment = course.subscription.segments[0].number
        keys = [f"box/{segment}/{index}/advance" for index in range(1, 13)]
        assert [row.id for row in papers.cycles] == keys
        assert keys[0] == cycle_key(papers.invoices[0].lines[0].cycle, BilledFor.ADVANCE)
        assert {(row.ended, row.invoice) for row in papers.cycles} == {(CycleEnd.BILLED, papers.invoices[0].id)}
        assert [row.total for row in papers.cycles] == [line.gross for line in papers.invoices[0].lines]

    @pytest.mark.proves("PLN-13")
    @given(
        st.integers(1, 10**6),
        st.integers(0, 10**6),
        st.integers(2, 36),
        st.lists(st.integers(1, 10**4), max_size=2),
    )
    def test_the_reduced_cycles_add_up_to_the_sum_of_what_each_costs_less_the_rate(self, price, off, count, more):
        rate = Rate(off, 10**6)
        add_ons = tuple(
            AddOn(key=f"more-{n}", product="more", prices=(PerUnit(Money(minor, EUR)),)) for n, minor in enumerate(more)
        )
        version = flat_plan("1.00", prepay=(PrepayOption(count, rate),), add_ons=add_ons)
        version = attrs.evolve(version, phases=(Phase(PhaseKind.EVERGREEN, None, (Flat(Money(price, EUR)),)),))
        course = begun(version, add_ons={one.key: 1 for one in add_ons})
        papers = pays(course, count)
        whole = Money((price + sum(more)) * count, EUR)
        total = whole - share(whole, rate.numerator, rate.denominator)
        assert len(papers.cycles) == len({row.id for row in papers.cycles}) == count
        assert sum(row.total.minor for row in papers.cycles) == total.minor
        assert sum(line.base.minor for invoice in papers.invoices for line in invoice.lines) == total.minor
        assert course.subscription.billed_to == 1 + count

    @pytest.mark.proves("PLN-13", "DIS-3")
    def test_each_cycle_has_the_discounts_that_it_would_have_by_itself(self):
        two = Discount(code="two", kind=Fixed(eur("2.00")), duration=Cycles(2))
        course = paid_ahead(discounts=(AppliedDiscount(discount=two),))
        lines = newest(course).lines
        assert [[(one.code, one.minor) for one in line.discounts] for line in lines] == [
            [("two", 200), ("prepaid", 80)],
            [("prepaid", 100)],
            [("prepaid", 100)],
        ]
        assert course.subscription.discounts[0].uses == 2

    @pytest.mark.proves("PLN-13", "PLN-2")
    def test_each_cycle_has_the_price_of_its_phase(self):
        intro = Phase(PhaseKind.INTRO, Cycles(3), (Flat(eur("5.00")),))
        course = paid_ahead(attrs.evolve(COFFEE, phases=(intro, *COFFEE.phases)))
        assert [str(line.amount) for line in newest(course).lines] == ["5.00 EUR", "5.00 EUR", "9.99 EUR"]

    @pytest.mark.proves("PLN-13", "PLN-7")
    def test_the_fee_for_setting_up_is_charged_with_them_and_not_reduced(self):
        free = Phase(PhaseKind.INTRO, Cycles(1), (Flat(eur("0.00")),))
        version = attrs.evolve(COFFEE, phases=(free, *COFFEE.phases), setup_fee=SetupFee((eur("5.00"),)))
        lines = newest(paid_ahead(version)).lines
        assert [(line.key, str(line.base)) for line in lines][:2] == [("setup_fee", "5.00 EUR"), ("plan", "8.99 EUR")]

    @pytest.mark.proves("PLN-13", "PLN-8")
    def test_what_is_paid_in_arrears_stays_with_its_cycle(self):
        late = AddOn(key="late", product="late", prices=(PerUnit(eur("1.00")),), mode=BillingMode.IN_ARREARS)
        course = paid_ahead(attrs.evolve(COFFEE, add_ons=(late,)), add_ons={"late": 1})
        assert {line.key for line in newest(course).lines} == {"plan"}
        course.settle(on(4))
        late_ones = [invoice for invoice in course.invoices.values() if invoice.lines[0].key == "late"]
        assert [(number(one.lines[0]), str(one.total)) for one in late_ones] == [
            (0, "1.00 EUR"),
            (1, "1.00 EUR"),
            (2, "1.00 EUR"),
        ]

    @pytest.mark.proves("PLN-13", "PAU-6")
    def test_a_cycle_that_was_left_out_stays_out_and_isn_t_one_of_them(self):
        course = begun()
        course.take(skip_cycle(course.subscription, 2, ASKED, course.facts, course.policy), ASKED)
        papers = pays(course)
        assert [number(line) for line in papers.invoices[0].lines] == [1, 3, 4]
        assert [(row.index, row.ended) for row in papers.cycles if row.ended is not CycleEnd.BILLED] == [
            (2, CycleEnd.SKIPPED)
        ]
        assert course.subscription.billed_to == 5

    @pytest.mark.proves("PLN-13", "PRI-1")
    def test_a_new_price_holds_from_the_cycle_on_in_which_it_takes_effect(self):
        course = begun()
        cheaper = PriceChange(
            id="p-1",
            realm=course.account.realm,
            store=course.account.store,
            plan=COFFEE.plan.id,
            plan_version="coffee-2",
            prices=(Flat(eur("7.99")),),
            announced_at=BEGUN,
            effective_on=date(2031, 3, 1),
            reason="cheaper beans",
        )
        course.told = attrs.evolve(course.told, price_changes=(cheaper,))
        pays(course)
        assert [str(line.amount) for line in newest(course).lines] == ["9.99 EUR", "7.99 EUR", "7.99 EUR"]


class TestWhatFollows:
    @pytest.mark.proves("PLN-13")
    def test_as_many_are_billed_again_when_the_last_one_is_over(self):
        course = paid_ahead()
        course.settle(on(12, 31))
        assert course.totals == {
            "box/start/0": "9.99 EUR",
            "box/0/1/advance": "26.97 EUR",
            "box/0/4/advance": "26.97 EUR",
            "box/0/7/advance": "26.97 EUR",
            "box/0/10/advance": "26.97 EUR",
        }

    @pytest.mark.proves("PLN-13")
    def test_or_the_next_one_is_billed_by_itself(self):
        course = paid_ahead(cycles=12)
        course.settle(on(3, year=2032))
        assert [str(one.total) for one in course.invoices.values()][-3:] == ["95.90 EUR", "9.99 EUR", "9.99 EUR"]
        assert course.subscription.prepaid is None

    @pytest.mark.proves("PLN-13")
    @pytest.mark.parametrize("ahead", [0, 5])
    def test_or_all_is_over_when_the_last_one_is_and_no_sooner(self, ahead):
        course = paid_ahead(cycles=6)
        course.policy = attrs.evolve(course.policy, running=attrs.evolve(course.policy.running, bill_ahead_days=ahead))
        assert fixed_end(course.subscription) == datetime(2031, 8, 9, 22, tzinfo=UTC)
        course.settle(on(8, 9))
        assert course.subscription.lifecycle is Lifecycle.ACTIVE
        course.settle(on(12))
        over = course.subscription
        assert (over.lifecycle, over.ended_at) == (Lifecycle.EXPIRED, datetime(2031, 8, 9, 22, tzinfo=UTC))
        assert (len(course.invoices), over.prepaid) == (2, None)
        require_operation(over, Operation.REACTIVATE, on(8, 20), course.policy)  # who comes back soon is welcome

    @pytest.mark.proves("PLN-13")
    def test_more_can_be_paid_when_the_last_one_has_begun_also_where_all_would_be_over(self):
        course = paid_ahead(cycles=6)
        with pytest.raises(AlreadyPrepaid) as refused:
            pays(course, 3, on(7, 9))
        assert refused.value.available_on == date(2031, 7, 10)
        pays(course, 3, on(7, 11))
        course.settle(on(9))
        assert (course.subscription.lifecycle, course.subscription.billed_to) == (Lifecycle.ACTIVE, 10)

    @pytest.mark.proves("PLN-13")
    def test_a_plan_that_offers_it_no_more_is_billed_cycle_by_cycle(self):
        course = paid_ahead()
        terms = attrs.evolve(course.subscription.terms, prepay=())
        course.subscription = attrs.evolve(course.subscription, terms=terms)
        course.settle(on(6))
        assert [str(one.total) for one in course.invoices.values()][-2:] == ["9.99 EUR", "9.99 EUR"]

    @pytest.mark.proves("PLN-13", "SIM-2")
    def test_what_is_going_to_happen_shows_the_next_ones_at_once(self):
        course = paid_ahead()
        ahead = upcoming(course.subscription, course.account, course.facts, course.policy, rates={"": ()}, count=2)
        assert [(one.kind, one.at.date(), str(one.amount), len(one.lines)) for one in ahead] == [
            (UpcomingKind.CHARGE, date(2031, 5, 9), "26.97 EUR", 3),
            (UpcomingKind.CHARGE, date(2031, 8, 9), "26.97 EUR", 3),
        ]
        expiring = paid_ahead(cycles=6)
        (end,) = upcoming(expiring.subscription, expiring.account, expiring.facts, expiring.policy, rates={"": ()})
        assert (end.kind, end.at) == (UpcomingKind.END, fixed_end(expiring.subscription))

    @pytest.mark.proves("PLN-13", "NOT-6")
    def test_they_renew_for_as_long_as_they_last(self):
        monthly, half_a_year = begun(), paid_ahead(attrs.evolve(COFFEE, prepay=(PrepayOption(6),)), 6)
        assert contract_facts(monthly.subscription, None, has_method=True).renewal_term == Interval.months(1)
        facts = contract_facts(half_a_year.subscription, None, has_method=True)
        assert (facts.interval, facts.renewal_term) == (Interval.months(6), Interval.months(6))
        (found,) = [
            one
            for one in occasions(half_a_year.subscription, half_a_year.facts, half_a_year.policy, None, ASKED)
            if one.trigger is NoticeTrigger.RENEWAL
        ]
        assert (found.index, found.at.date()) == (7, date(2031, 8, 9))
        expiring = paid_ahead(cycles=6).subscription
        assert contract_facts(expiring, None, has_method=True).renewal_term is None


class TestTheRun:
    @pytest.mark.proves("PLN-13", "RUN-9")
    def test_a_late_run_bills_what_runs_in_time_would_have(self):
        daily, late = paid_ahead(), paid_ahead()
        for days in range(400):
            daily.settle(ASKED + timedelta(days=days))
        late.settle(ASKED + timedelta(days=399))
        assert late.totals == daily.totals
        assert [row.id for row in late.cycles] == [row.id for row in daily.cycles]

    @pytest.mark.proves("PLN-13", "RUN-8")
    def test_where_old_cycles_lapse_as_many_are_billed_from_the_latest_on(self):
        box = flat_plan("9.99", goods=Goods.PHYSICAL, prepay=OFFERS)
        course = paid_ahead(box, policy=SubscriptionPolicy(subscribing=AT_ONCE, catch_up=CatchUpPolicy()))
        course.settle(on(7))
        assert [row.index for row in course.cycles if row.ended is CycleEnd.LAPSED] == [4, 5]
        assert [number(line) for line in newest(course).lines] == [6, 7, 8]

    @pytest.mark.proves("PLN-13", "INV-7")
    @pytest.mark.parametrize("cycles", [3, 6, 12])
    def test_they_are_billed_at_once_again_when_their_invoice_is_void(self, cycles):
        course = begun()
        papers = pays(course, cycles)
        invoice = papers.invoices[0]
        open_again = freed(course.subscription, invoice, papers.cycles)
        assert (open_again.billed_to, open_again.prepaid) == (1, attrs.evolve(run_of(course), until=1))
        course.subscription = attrs.evolve(open_again, due_at=on(1, 1))
        course.settle(on(2))
        assert [line.base for line in newest(course).lines] == [line.base for line in invoice.lines]
        assert course.subscription.billed_to == 1 + cycles


class TestTerms:
    @pytest.mark.proves("PLN-13", "PLN-10")
    def test_cycles_go_on_into_the_next_term(self):
        course = paid_ahead(attrs.evolve(COFFEE, term=Term(2, 0, auto_renew=True, renewal_cycles=2)))
        assert course.subscription.term == RunningTerm(agreed=Term(2, 0, auto_renew=True, renewal_cycles=2), begun=2)
        assert course.subscription.billed_to == 4

    @pytest.mark.proves("PLN-13", "PLN-10")
    def test_nobody_pays_for_cycles_after_the_end(self):
        course = begun(attrs.evolve(COFFEE, term=Term(3, auto_renew=False)))
        with pytest.raises(CancellationScheduled) as refused:
            pays(course)
        assert refused.value.at == datetime(2031, 4, 9, 22, tzinfo=UTC)
        assert course.subscription.prepaid is None

    @pytest.mark.proves("PLN-13", "PLN-10")
    def test_near_an_end_those_are_billed_again_that_are_left(self):
        course = paid_ahead(attrs.evolve(COFFEE, term=Term(6, auto_renew=False)))
        course.settle(on(12))
        assert course.subscription.lifecycle is Lifecycle.EXPIRED
        assert [str(one.total) for one in course.invoices.values()] == ["9.99 EUR", "26.97 EUR", "17.98 EUR"]

    @pytest.mark.proves("PLN-13", "PLN-11")
    def test_paying_ahead_doesn_t_shorten_a_minimum(self):
        bound = attrs.evolve(COFFEE, term=Term(12, 3))
        course = paid_ahead(bound)
        leaving = cancel(course.subscription, CancelWish(when=CancelWhen.NOW), ASKED, course.facts, course.policy)
        assert ends_at(leaving) == datetime(2031, 4, 9, 22, tzinfo=UTC)
        assert leaving.credits == ()
        gone = cancel(course.subscription, CancelWish(when=CancelWhen.NOW), on(4), course.facts, course.policy)
        assert gone.subscription.lifecycle is Lifecycle.CANCELED

    @pytest.mark.proves("PLN-13", "PLN-11")
    def test_what_is_paid_of_a_minimum_isn_t_charged_again(self):
        bound = attrs.evolve(COFFEE, term=Term(12, 6), early_exit=RemainderDue())
        course = paid_ahead(bound)
        gone = cancel(
            course.subscription,
            CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT),
            ASKED,
            course.facts,
            course.policy,
        )
        assert gone.credits == ()
        assert [number(line) for bill in gone.bills for line in bill.lines] == [4, 5]

    @pytest.mark.proves("PLN-13", "PLN-11")
    def test_what_is_paid_beyond_a_minimum_is_given_back(self):
        bound = attrs.evolve(COFFEE, term=Term(12, 2), early_exit=RemainderDue())
        course = paid_ahead(bound)
        wish = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)
        gone = cancel(course.subscription, wish, ASKED, course.facts, course.policy)
        assert [(back.invoice, back.wanted) for back in gone.credits] == [
            ("box/0/1/advance", {2: eur("8.99"), 3: eur("8.99")})
        ]
        assert gone.bills == ()


class TestLeaving:
    @pytest.mark.proves("PLN-13", "CAN-4")
    def test_who_leaves_gets_back_what_each_unused_cycle_cost(self):
        course = paid_ahead()
        wish = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)
        papers = course.take(cancel(course.subscription, wish, on(3), course.facts, course.policy), on(3))
        (note,) = papers.notes
        # of the second, [10 March, 10 April), 21 of 31 days are left from 20 March on; the third wholly
        assert [str(line.base) for line in note.lines] == ["6.09 EUR", "8.99 EUR"]
        assert note.total == eur("15.08")
        assert course.subscription.prepaid is None

    @pytest.mark.proves("PLN-13", "CAN-4")
    @given(st.integers(0, 130), st.integers(0, 10**6), st.integers(1, 10**5))
    def test_used_and_given_back_are_what_was_paid_cycle_by_cycle(self, days, off, price):
        version = flat_plan("1.00", prepay=(PrepayOption(4, Rate(off, 10**6)),))
        version = attrs.evolve(version, phases=(Phase(PhaseKind.EVERGREEN, None, (Flat(Money(price, EUR)),)),))
        course = paid_ahead(version, 4)
        at = ASKED + timedelta(days=days)
        wish = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)
        left = cancel(course.subscription, wish, at, course.facts, course.policy)
        day = at.date()
        for back in left.credits:
            for number, base in back.wanted.items():
                line = course.invoices[back.invoice].lines[number - 1]
                assert base == line.base if line.start >= day else base <= line.base
        backs = {(back.invoice, number) for back in left.credits for number in back.wanted}
        whole = {
            (invoice.id, number)
            for invoice in course.invoices.values()
            for number, line in enumerate(invoice.lines, 1)
            if line.start >= day and line.base.minor
        }
        assert whole <= backs

    @pytest.mark.proves("PLN-13", "CAN-1")
    def test_the_end_of_the_period_is_the_end_of_what_is_paid(self):
        course = paid_ahead()
        wish = CancelWish(when=CancelWhen.AT_PERIOD_END)
        leaving = cancel(course.subscription, wish, ASKED, course.facts, course.policy)
        assert ends_at(leaving) == datetime(2031, 5, 9, 22, tzinfo=UTC)


class TestPausing:
    def paused(self, course: Course, at: datetime, **wish):
        how = PauseWish(how=PauseHow.NOW, **wish)
        return course.take(pause(course.subscription, how, at, course.facts, course.policy), at)

    @pytest.mark.proves("PLN-13", "PAU-2")
    def test_what_is_credited_is_credited_of_every_cycle_and_the_next_is_billed_by_itself(self):
        policy = SubscriptionPolicy(subscribing=AT_ONCE, pausing=PausePolicy(unused=Unused.CREDIT))
        course = paid_ahead(policy=policy)
        papers = self.paused(course, on(3), until=on(4))
        assert [str(line.base) for line in papers.notes[0].lines] == ["6.09 EUR", "8.99 EUR"]
        course.settle(on(5))
        assert course.subscription.prepaid is None
        assert [len(one.lines) for one in list(course.invoices.values())[2:]] == [1, 1]

    @pytest.mark.proves("PLN-13", "PAU-3")
    def test_what_is_kept_lasts_on_the_same_days_and_nothing_is_charged(self):
        course = paid_ahead()
        self.paused(course, on(2), until=on(3))
        course.settle(on(5, 9))
        assert (len(course.invoices), course.account.balance(EUR)) == (2, eur("0.00"))
        course.settle(on(5, 10))
        assert [number(line) for line in newest(course).lines] == [4, 5, 6]


class TestPuttingOff:
    GIVES_DAYS = SubscriptionPolicy(subscribing=AT_ONCE, pausing=PausePolicy(on_resume=OnResume.EXTEND))
    ANEW = SubscriptionPolicy(subscribing=AT_ONCE, pausing=PausePolicy(on_resume=OnResume.REANCHOR))

    def rested(self, policy: SubscriptionPolicy, since: datetime, until: datetime, version=COFFEE) -> Course:
        course = paid_ahead(version, policy=policy)
        how = PauseWish(how=PauseHow.NOW, until=until)
        course.take(pause(course.subscription, how, since, course.facts, course.policy), since)
        course.settle(until)
        assert course.subscription.lifecycle is Lifecycle.ACTIVE
        return course

    def served(self, course: Course) -> list[tuple[date, date]]:
        periods = (
            service_period_of(course.subscription.segments, index, moved=course.subscription.moved)
            for index in range(1, 4)
        )
        return [(period.start, period.end) for period in periods]

    @pytest.mark.proves("PLN-13", "PAU-3")
    def test_days_that_are_given_after_a_pause_put_every_cycle_off_that_is_paid(self):
        course = self.rested(self.GIVES_DAYS, on(2), on(4))  # 59 days
        assert self.served(course) == [
            (date(2031, 2, 10), date(2031, 5, 8)),
            (date(2031, 5, 8), date(2031, 6, 8)),
            (date(2031, 6, 8), date(2031, 7, 8)),
        ]
        course.settle(on(7, 7))
        assert len(course.invoices) == 2
        course.settle(on(7, 8))
        assert [line.start for line in newest(course).lines] == [date(2031, 7, 8), date(2031, 8, 8), date(2031, 9, 8)]

    @pytest.mark.proves("PLN-13", "PAU-3")
    @pytest.mark.parametrize(
        ("until", "second", "third", "end"),
        [
            (on(4), date(2031, 4, 20), date(2031, 5, 20), date(2031, 6, 20)),
            (on(2, 25), date(2031, 2, 25), date(2031, 3, 25), date(2031, 4, 25)),
        ],
    )
    def test_where_cycles_begin_anew_those_that_are_paid_are_the_first(self, until, second, third, end):
        course = self.rested(self.ANEW, on(2), until)
        assert self.served(course) == [(date(2031, 2, 10), second), (second, third), (third, end)]
        course.settle(datetime(end.year, end.month, end.day, tzinfo=UTC) - timedelta(hours=3))
        assert len(course.invoices) == 2
        course.settle(datetime(end.year, end.month, end.day, tzinfo=UTC))
        assert [number(line) for line in newest(course).lines] == [4, 5, 6]

    @pytest.mark.proves("PLN-13", "CAN-4", "PAU-3")
    @given(st.integers(0, 85), st.integers(1, 80), st.integers(0, 85))
    def test_who_leaves_after_it_gets_back_what_they_would_have_without_it(self, before, rest, after):
        since = on(2, 10) + timedelta(days=before)
        until = since + timedelta(days=rest)
        left = until + timedelta(days=min(after, 85 - before))
        course = self.rested(self.GIVES_DAYS, since, until)
        without = paid_ahead(policy=self.GIVES_DAYS)
        wish = CancelWish(when=CancelWhen.NOW, unused=Unused.CREDIT)
        paused = cancel(course.subscription, wish, left, course.facts, course.policy)
        earlier = left - timedelta(days=rest)
        never = cancel(without.subscription, wish, earlier, without.facts, without.policy)
        assert [back.wanted for back in paused.credits] == [back.wanted for back in never.credits]

    @pytest.mark.proves("PLN-13", "DLV-2")
    @given(st.integers(0, 85), st.integers(1, 80), st.sampled_from([GIVES_DAYS, ANEW]))
    def test_each_box_belongs_to_the_cycle_that_its_day_is_in(self, before, rest, policy):
        box = flat_plan(
            "9.99", goods=Goods.PHYSICAL, prepay=OFFERS, deliveries=DeliveryPlan(interval=Interval.weeks(1))
        )
        since = on(2, 10) + timedelta(days=before)
        course = self.rested(policy, since, since + timedelta(days=rest), box)
        found = deliveries(course.subscription, date(2031, 2, 10), date(2031, 9, 1))
        periods = dict(enumerate(self.served(course), 1))
        mine = [each for each in found if each.cycle.index in periods]
        assert all(periods[each.cycle.index][0] <= each.on < periods[each.cycle.index][1] for each in mine)
        assert mine

    @pytest.mark.proves("PLN-13", "DLV-2")
    def test_so_it_does_where_cycles_began_anew_twice(self):
        weekly = DeliveryPlan(interval=Interval.weeks(1))
        box = flat_plan("9.99", goods=Goods.PHYSICAL, prepay=OFFERS, deliveries=weekly)
        course = self.rested(self.ANEW, on(2, 11), on(2, 12), box)
        how = PauseWish(how=PauseHow.NOW, until=on(2, 14))
        course.take(pause(course.subscription, how, on(2, 13), course.facts, course.policy), on(2, 13))
        course.settle(on(2, 14))
        _, _, third = self.served(course)
        assert third == (date(2031, 2, 14), date(2031, 3, 14))
        found = deliveries(course.subscription, *third)
        assert {each.cycle.index for each in found} == {3}

    @pytest.mark.proves("PLN-13", "PAU-3")
    def test_what_was_put_off_stays_so_however_long_ago_that_was(self):
        course = self.rested(self.GIVES_DAYS, on(2), on(4))
        before = self.served(course)
        later = attrs.evolve(course.subscription, billed_to=12)
        new = Override(kind=OverrideKind.SKIP, index=12, made_on=date(2032, 6, 1))
        course.subscription = attrs.evolve(with_override(later, new), billed_to=4)
        assert self.served(course) == before


class TestChanging:
    LARGE = attrs.evolve(flat_plan("19.98", prepay=(PrepayOption(3, Rate.percent(50)),)), id=PlanVersionId("large"))
    UNITS = attrs.evolve(COFFEE, phases=(Phase(PhaseKind.EVERGREEN, None, (PerUnit(eur("9.99")),)),))

    def quoted(self, course, wish, preset):
        return quote_change(course.subscription, course.facts, (wish,), preset, course.policy, on(3))

    def larger(self, course, version=LARGE):
        return plan_wish(course.subscription, version, course.account, date(2031, 3, 20), course.policy)

    @pytest.mark.proves("PLN-13", "CHG-1", "DIS-5")
    def test_every_cycle_ahead_is_given_back_and_charged_anew_at_the_same_reduction(self):
        course = paid_ahead()
        quote = self.quoted(course, self.larger(course), Preset.PRORATE_NOW)
        assert [str(line.base) for line in quote.credits] == ["-6.09 EUR", "-8.99 EUR"]
        assert [str(line.base) for line in quote.charges] == ["12.18 EUR", "17.98 EUR"]
        after = quote.decision.subscription
        assert (after.billed_to, after.prepaid) == (4, course.subscription.prepaid)
        course.take(quote.decision, on(3))
        course.settle(on(5))
        assert [str(line.base) for line in newest(course).lines] == ["9.99 EUR"] * 3  # the new plan takes off half

    @pytest.mark.proves("PLN-13", "CHG-10")
    def test_there_and_back_is_nothing(self):
        course = paid_ahead(self.UNITS)
        there = self.quoted(course, quantity_wish(3), Preset.PRORATE_NOW)
        course.take(there.decision, on(3))
        back = self.quoted(course, quantity_wish(1), Preset.PRORATE_NOW)
        assert there.net + back.net == eur("0.00")
        assert there.net.minor > 0

    @pytest.mark.proves("PLN-13", "CHG-5")
    def test_the_difference_of_every_cycle_ahead_has_the_same_part_off(self):
        course = paid_ahead(self.UNITS)
        quote = self.quoted(course, quantity_wish(2), Preset.DIFFERENCE)
        assert [str(line.base) for line in quote.charges] == ["8.99 EUR", "8.99 EUR"]

    @pytest.mark.proves("PLN-13", "CHG-5")
    @pytest.mark.parametrize("preset", [Preset.RESET_CREDIT, Preset.TIME_CONVERSION])
    def test_where_cycles_count_anew_all_is_given_back_and_the_next_is_billed_by_itself(self, preset):
        course = paid_ahead()
        quote = self.quoted(course, self.larger(course), preset)
        assert sum(line.base.minor for line in quote.credits) == -1508
        after = quote.decision.subscription
        assert after.prepaid is None
        course.take(quote.decision, on(3))
        course.settle(on(6))
        assert {number(line) for line in newest(course).lines if line.cycle} == {course.subscription.billed_to - 1}

    @pytest.mark.proves("PLN-13", "CHG-4")
    def test_another_rhythm_on_the_same_day_gives_all_back_and_bills_its_first_cycle(self):
        course = paid_ahead()
        yearly = flat_plan("99.00", Interval.years(1), id=PlanVersionId("yearly"), prepay=OFFERS)
        quote = self.quoted(course, self.larger(course, yearly), Preset.PRORATE_NOW)
        assert sum(line.base.minor for line in quote.credits) == -1508
        assert [(str(line.base), line.discounts) for line in quote.charges] == [("80.28 EUR", ())]  # 296 of 365 days
        after = quote.decision.subscription
        assert (after.prepaid, after.billed_to) == (None, 4)

    @pytest.mark.proves("PLN-13")
    def test_a_quote_shows_that_the_next_ones_come_at_once(self):
        course = paid_ahead(self.UNITS)
        quote = self.quoted(course, quantity_wish(2), Preset.PRORATE_NOW)
        assert (quote.next_invoice.on, len(quote.next_invoice.lines)) == (date(2031, 5, 10), 3)

    @pytest.mark.proves("PLN-13", "PAU-6")
    def test_a_cycle_that_is_paid_is_billed(self):
        course = paid_ahead()
        with pytest.raises(CycleAlreadyBilled) as refused:
            skip_cycle(course.subscription, 3, ASKED, course.facts, course.policy)
        assert refused.value.invoice == newest(course).id


class TestRefusals:
    @pytest.mark.proves("PLN-13")
    @pytest.mark.parametrize("cycles", [-1, 0, 1, 2, 4, 37, 10**9])
    def test_only_what_the_plan_offers_can_be_paid_at_once(self, cycles):
        with pytest.raises(PrepayNotOffered) as refused:
            pays(begun(), cycles)
        assert refused.value.offered == (3, 6, 12)

    @pytest.mark.proves("PLN-13", "ABU-8")
    @pytest.mark.parametrize("cycles", [3.0, True, "3", None])
    def test_how_many_is_a_whole_number(self, cycles):
        with pytest.raises(TypeError):
            pays(begun(), cycles)

    @pytest.mark.proves("PLN-13", "SUB-6")
    def test_what_an_account_page_offers_is_what_can_be_done(self):
        def allowed(course, at=ASKED):
            return Allowed(Operation.PREPAY) in allowed_operations(course.subscription, at, course.policy)

        assert allowed(begun())
        assert not allowed(begun(flat_plan("9.99")))
        assert not allowed(paid_ahead())
        assert allowed(paid_ahead(), on(4, 11))
        assert not allowed(begun(attrs.evolve(COFFEE, term=Term(3, auto_renew=False))))
        assert allowed(begun(attrs.evolve(COFFEE, term=Term(4, auto_renew=False))))

    @pytest.mark.proves("PLN-13", "SUB-4")
    def test_who_leaves_or_is_about_to_pause_pays_nothing_ahead(self):
        leaving = begun()
        leaving.take(cancel(leaving.subscription, CancelWish(), ASKED, leaving.facts, leaving.policy), ASKED)
        with pytest.raises(CancellationScheduled):
            pays(leaving)
        resting = begun()
        resting.take(pause(resting.subscription, PauseWish(), ASKED, resting.facts, resting.policy), ASKED)
        with pytest.raises(OperationNotAllowed):
            pays(resting)
        with pytest.raises(PrepayNotOffered):
            pays(begun(flat_plan("9.99")))


class TestTheLeastThatACycleCosts:
    LEAST = attrs.evolve(
        flat_plan("10.00", prepay=OFFERS, minimum=(MinimumSpend(eur("12.00")),)),
        phases=(Phase(PhaseKind.EVERGREEN, None, (PerUnit(eur("10.00")),)),),
    )

    def differences(self, course: Course) -> list[tuple[int, str]]:
        lines = [line for invoice in course.invoices.values() for line in invoice.lines]
        return [(number(line), str(line.base)) for line in lines if line.kind is LineKind.MINIMUM]

    @pytest.mark.proves("PLN-13", "PLN-12")
    def test_what_a_cycle_cost_by_itself_counts_toward_it(self):
        course = paid_ahead(self.LEAST)
        course.settle(on(5, 9))
        assert self.differences(course) == [(0, "2.00 EUR"), (1, "3.00 EUR"), (2, "3.00 EUR")]
        course.settle(on(6))
        assert self.differences(course)[3:] == [(3, "3.00 EUR"), (4, "3.00 EUR")]

    @pytest.mark.proves("PLN-13", "PLN-12")
    def test_what_the_running_cycle_cost_counts_for_that_alone(self):
        intro = Phase(PhaseKind.INTRO, Cycles(1), (PerUnit(eur("5.00")),))
        course = paid_ahead(attrs.evolve(self.LEAST, phases=(intro, *self.LEAST.phases)))
        course.settle(on(3))
        assert self.differences(course) == [(0, "7.00 EUR"), (1, "3.00 EUR")]

    @pytest.mark.proves("PLN-13", "PLN-12", "CHG-4")
    def test_what_is_given_back_of_later_ones_isn_t_missing_in_the_running_one(self):
        course = paid_ahead(self.LEAST)
        at = on(1, 25)
        yearly = flat_plan(
            "20.00", Interval.years(1), id=PlanVersionId("yearly"), minimum=(MinimumSpend(eur("12.00")),)
        )
        wish = plan_wish(course.subscription, yearly, course.account, date(2031, 1, 25), course.policy)
        quote = quote_change(course.subscription, course.facts, (wish,), Preset.PRORATE_NOW, course.policy, at)
        course.take(quote.decision, at)
        course.settle(on(2))
        assert self.differences(course) == []

    @pytest.mark.proves("PLN-13", "PLN-12")
    def test_also_of_the_last_one_before_the_end(self):
        course = paid_ahead(self.LEAST, 6)
        course.settle(on(9))
        assert self.differences(course)[1:] == [(index, "3.50 EUR") for index in range(1, 7)]

    @pytest.mark.proves("PLN-13", "PLN-12", "PAU-2")
    def test_what_was_used_before_a_pause_counts_for_the_cycle_that_it_is_in(self):
        late = AddOn(key="late", product="late", prices=(PerUnit(eur("1.55")),), mode=BillingMode.IN_ARREARS)
        course = paid_ahead(attrs.evolve(self.LEAST, add_ons=(late,)), add_ons={"late": 1})
        how = PauseWish(how=PauseHow.NOW, until=on(4, 1))
        course.take(pause(course.subscription, how, on(3), course.facts, course.policy), on(3))
        assert str(newest(course).lines[0].base) == "0.50 EUR"  # ten of the 31 days from 10 March on
        course.settle(on(4, 12))
        assert self.differences(course)[2:] == [(2, "2.05 EUR")]  # 12.00 less 9.00, 0.50, and 0.45 after the pause

    @pytest.mark.proves("PLN-13", "PLN-12")
    def test_so_does_what_a_change_charges_for_it(self):
        course = paid_ahead(self.LEAST)
        quote = quote_change(
            course.subscription, course.facts, (quantity_wish(2),), Preset.PRORATE_NOW, course.policy, on(3, 10)
        )
        course.take(quote.decision, on(3, 10))
        course.settle(on(5, 9))
        assert self.differences(course) == [(0, "2.00 EUR"), (1, "3.00 EUR")]
