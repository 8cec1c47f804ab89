"""What has to be announced goes out in time, once, and says what will be charged."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import TypeVar

import attrs
import pytest

from shopaccounts.adapters.templates import JinjaTemplates
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.money import Money, Rate
from shopaccounts.kernel.record import Book, Entity
from shopaccounts.kernel.time import FixedClock, start_of_day, zone
from shopaccounts.subscriptions import (
    INTENTS,
    INVOICES,
    NOTICE_AGENDAS,
    SENT_NOTICES,
    SUBSCRIPTIONS,
    BillingPorts,
    MethodFacts,
    Order,
    SubscriptionPolicy,
)
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.model import Pause, PauseReason
from shopaccounts.subscriptions.papers.documents import Invoice
from shopaccounts.subscriptions.payments.intents import IntentState, PaymentIntent
from shopaccounts.subscriptions.plans.discounts import Discount, Percent
from shopaccounts.subscriptions.plans.offers import Days, Months, Phase, PhaseKind, Term
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.scheduled import Override, OverrideKind
from shopaccounts.subscriptions.states import Lifecycle
from shopaccounts.testing.between import Between
from shopaccounts.testing.billing_doubles import FixedDetails, FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, quick_policies
from shopaccounts.testing.crashes import Crash, CrashAt, Side
from shopaccounts.testing.subscribers import EUR, flat_plan

WORKER = WorkerId("letters")
START = datetime(2029, 3, 10, 20, tzinfo=UTC)
ADDRESS = "ann@lamp.example"
RUNS_AT_ONCE = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
YEARLY = flat_plan("120.00", Interval.years(1))
MONTHLY = flat_plan("10.00")
DAY = timedelta(days=1)
NOBODY = CustomerId("nobody")
_ORDERS = count()
T = TypeVar("T", bound=Entity)


def wallet(kind: str = "card", expires_on: date | None = None) -> FixedDetails:
    """What is known of the customer's payment method."""
    return FixedDetails({"card-1": MethodFacts(kind=kind, expires_on=expires_on)})


def tried(days: int = 60):
    """A plan with a trial of so many days."""
    price = (Flat(Money.of("10.00", EUR)),)
    return flat_plan("10.00", phases=(Phase(PhaseKind.TRIAL, Days(days), ()), Phase(PhaseKind.EVERGREEN, None, price)))


class BetweenPages(Between):
    """Something that happens between what a page reads and what it records."""

    def _around(self, call):
        if call.method != "record_page" or self.happened:
            return call.make()
        self.happened = True
        return self._after(call)


@attrs.define
class Town:
    """A shop with one customer, and days that go by in it."""

    builder: ShopBuilder
    shop: BuiltShop
    id: str = ""
    customer: CustomerId = NOBODY

    async def days(self, number: int, *, notices: bool = True, step: timedelta = DAY) -> None:
        for _ in range(number):
            self.builder.clock.advance(step)
            await self.work(notices=notices)

    async def until(self, day: date, *, notices: bool = True) -> None:
        while self.builder.clock.now().date() < day:
            await self.days(1, notices=notices)

    async def work(self, *, notices: bool = True) -> None:
        if notices:
            await self.shop.billing_notices.run_notices(worker=WORKER)
        await self.shop.billing.run_billing(worker=WORKER)

    async def subscription(self):
        return await self.builder.kept(SUBSCRIPTIONS, self.id)

    async def sent(self, rule: str = "") -> list[SentNotice]:
        rows = await self._rows(SENT_NOTICES, "subscription", self.id)
        return [one for one in rows if not rule or one.rule == rule]

    async def intents(self) -> list[PaymentIntent]:
        return await self._rows(INTENTS, "account", (await self.subscription()).account)

    async def invoices(self) -> list[Invoice]:
        return await self._rows(INVOICES, "account", (await self.subscription()).account)

    async def _rows(self, book: Book[T], group: str, value: str) -> list[T]:
        from shopaccounts.kernel.answers import got  # noqa: PLC0415  (as any other reader does)

        rows = await got(self.builder.storage.open(self.builder.scope).rows(book, group, value, None, 500))
        return list(rows.items)

    def letters(self, template: str = "subscriptions.") -> list[dict[str, str]]:
        found = (one for one in self.builder.mailbag.to(ADDRESS) if one.template.startswith(template))
        return [dict(one.variables) for one in found]

    async def told(self, name: str) -> list[str]:
        from shopaccounts.kernel.outbox import EVENTS  # noqa: PLC0415

        rows = await self._rows(EVENTS, "subject", self.customer)
        return [one.data for one in rows if one.name == f"subscriptions.{name}"]


@pytest.fixture
def opened(host):
    """Opens a shop, and subscribes a customer there."""

    async def open_town(
        version, place: str = "", at: str = "Europe/Berlin", *, known: bool = True, policy=None, **more
    ) -> Town:
        ports = {"method_details": wallet()} | {key: more.pop(key) for key in ("method_details",) if key in more}
        billing = BillingPorts(
            plans=FixedPlans([version]), taxes=FlatTax("19"), jurisdictions=OneJurisdiction(place), **ports
        )
        policies = quick_policies(subscriptions=policy or SubscriptionPolicy(subscribing=RUNS_AT_ONCE))
        builder = ShopBuilder(host=host, clock=FixedClock(START), policies=policies, ports={"billing": billing})
        town = Town(builder, builder.build())
        town.customer = (await town.shop.open_account(ADDRESS)).id if known else NOBODY
        builder.clock.set(START + timedelta(hours=1))
        order = attrs.evolve(Order(plan=version.id, currency="EUR", zone=at, payment_method="card-1"), **more)
        made = await town.shop.subscriptions.subscribe(town.customer, order, request_id=f"o-{next(_ORDERS)}")
        town.id = made.subscription.id
        return town

    return open_town


class TestRenewals:
    @pytest.mark.proves("NOT-2", "NOT-5", "NOT-8")
    async def test_a_year_in_california_is_announced_45_to_15_days_before(self, opened) -> None:
        town = await opened(YEARLY, "US-CA", "America/Los_Angeles")
        await town.until(date(2030, 1, 23))
        assert await town.sent("us_ca.annual_renewal") == []
        await town.days(1)
        (notice,) = await town.sent("us_ca.annual_renewal")
        here = zone("America/Los_Angeles")
        assert notice.trigger_at == start_of_day(date(2030, 3, 10), here)
        assert start_of_day(date(2030, 1, 24), here) <= notice.sent_at < start_of_day(date(2030, 2, 24), here)
        facts = notice.facts
        assert (str(facts.amount), facts.next_date, str(facts.interval)) == ("142.80 EUR", date(2030, 3, 10), "P1Y")
        assert facts.how_to_cancel == "https://lampenhaus.example/account/subscription"
        (letter,) = [one for one in town.letters("subscriptions.renewal_soon") if one["amount"] == "142.80 EUR"][:1]
        assert (letter["date"], letter["until"]) == ("2030-03-10", "2030-03-09")

    @pytest.mark.proves("NOT-6")
    async def test_the_shop_reminds_of_long_renewals_and_of_no_short_ones(self, opened) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 3, 12))
        (notice,) = await town.sent()
        assert notice.rule == "shop.renewal_reminder"
        assert date(2030, 3, 3) <= notice.sent_at.date() <= date(2030, 3, 4)
        monthly = await opened(MONTHLY)
        await monthly.days(40)
        assert await monthly.sent() == []

    @pytest.mark.proves("NOT-8")
    async def test_two_rules_that_concern_one_renewal_are_two_notices(self, opened) -> None:
        town = await opened(YEARLY, "US-CA", "America/Los_Angeles")
        await town.until(date(2030, 3, 12))
        rules = sorted(notice.rule for notice in await town.sent() if notice.instance == "cycle 1")
        assert rules == ["shop.renewal_reminder", "us_ca.annual_renewal"]

    @pytest.mark.proves("NOT-3")
    async def test_it_goes_out_once_however_often_it_is_looked(self, opened) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 3, 3))
        for _ in range(30):
            await town.days(1, step=timedelta(hours=5))
        assert len(await town.sent()) == 1
        assert len(town.letters()) == 1

    @pytest.mark.proves("NOT-3")
    @pytest.mark.parametrize("side", list(Side))
    async def test_it_goes_out_once_wherever_a_machine_dies(self, opened, side) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 3, 2))
        town.builder.clock.advance(DAY * 2)
        calls = 0
        for call in range(1, 100):
            crash = CrashAt(call, side)
            try:
                await town.builder.build(crash).billing_notices.run_notices(worker=WORKER)
            except Crash:
                calls += 1
                town.builder.clock.advance(timedelta(minutes=6))
            else:
                break
        assert calls > 5
        await town.work()
        assert len(await town.sent()) == 1
        assert len(town.letters()) == 1

    @pytest.mark.proves("NOT-3")
    async def test_a_worker_that_was_too_slow_sends_nothing(self, opened) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 3, 2))
        town.builder.clock.advance(DAY * 2)

        async def somebody_faster() -> None:
            town.builder.clock.advance(timedelta(minutes=6))
            await town.shop.billing_notices.run_notices(worker=WorkerId("faster"))

        slow = town.builder.build(BetweenPages(somebody_faster))
        report = await slow.billing_notices.run_notices(worker=WORKER)
        assert (report.sent, report.stale) == (0, 1)
        assert len(await town.sent()) == 1

    @pytest.mark.proves("NOT-3")
    async def test_what_moves_before_it_is_announced_is_announced_for_its_new_day(self, opened) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 2, 20))
        moved = Override(kind=OverrideKind.MOVE, index=1, on=date(2030, 4, 10), made_on=date(2030, 2, 20))
        await town.builder.edit(SUBSCRIPTIONS, town.id, lambda one: _projected(one, overrides=(moved,)))
        await town.until(date(2030, 4, 1))
        assert await town.sent() == []
        await town.until(date(2030, 4, 6))
        (notice,) = await town.sent()
        assert notice.facts.next_date == date(2030, 4, 10)

    @pytest.mark.proves("NOT-3")
    async def test_what_moves_out_of_its_window_afterwards_is_announced_again(self, opened) -> None:
        town = await opened(YEARLY)
        await town.until(date(2030, 3, 5))
        assert len(await town.sent()) == 1
        moved = Override(kind=OverrideKind.MOVE, index=1, on=date(2030, 3, 9), made_on=date(2030, 3, 5))
        await town.builder.edit(SUBSCRIPTIONS, town.id, lambda one: _projected(one, overrides=(moved,)))
        await town.days(2)
        assert len(await town.sent()) == 1  # it was in time for the day before, too
        moved = attrs.evolve(moved, on=date(2030, 4, 10))
        await town.builder.edit(SUBSCRIPTIONS, town.id, lambda one: _projected(one, overrides=(moved,)))
        await town.until(date(2030, 4, 6))
        assert [notice.facts.next_date for notice in await town.sent()] == [date(2030, 3, 10), date(2030, 4, 10)]

    @pytest.mark.proves("NOT-4", "RUN-10")
    async def test_what_the_law_wants_and_was_not_sent_is_told_when_it_is_billed(self, opened) -> None:
        town = await opened(YEARLY, "US-CA", "America/Los_Angeles")
        await town.until(date(2030, 3, 12), notices=False)
        assert len(await town.invoices()) == 2
        (missed,) = await town.told("notice_missed")
        assert "us_ca.annual_renewal" in missed
        in_time = await opened(YEARLY, "US-CA", "America/Los_Angeles")
        await in_time.until(date(2030, 3, 12))
        assert await in_time.told("notice_missed") == []

    @pytest.mark.proves("NOT-2")
    async def test_each_year_a_customer_in_california_is_reminded_of_a_monthly_contract(self, opened) -> None:
        town = await opened(MONTHLY, "US-CA", "America/Los_Angeles")
        await town.until(date(2031, 3, 13))
        first, second = await town.sent("us_ca.annual_reminder")
        assert (first.instance, second.instance) == ("year 1", "year 2")
        assert date(2030, 2, 8) <= first.sent_at.date() <= date(2030, 2, 9)
        assert str(first.facts.amount) == "11.90 EUR"

    @pytest.mark.proves("NOT-4")
    async def test_a_yearly_reminder_that_was_missed_is_told(self, opened) -> None:
        town = await opened(MONTHLY, "US-CA", "America/Los_Angeles")
        await town.until(date(2030, 3, 9), notices=False)
        await town.days(1, notices=False)
        await town.days(1)
        assert any("us_ca.annual_reminder" in told for told in await town.told("notice_missed"))

    async def test_what_was_cancelled_is_not_announced(self, opened) -> None:
        town = await opened(YEARLY)
        await town.builder.edit(SUBSCRIPTIONS, town.id, _canceled)
        await town.until(date(2030, 3, 20))
        assert await town.sent() == []

    @pytest.mark.proves("NOT-2")
    async def test_in_france_the_last_day_to_refuse_a_term_is_announced_a_month_before(self, opened) -> None:
        bound = flat_plan("10.00", term=Term(cycles=12, auto_renew=True, renewal_cycles=12))
        town = await opened(bound, "FR", "Europe/Paris")
        await town.until(date(2030, 3, 12))
        (notice,) = await town.sent("fr.tacit_renewal")
        assert date(2029, 12, 10) <= notice.sent_at.date() <= date(2029, 12, 11)


def _projected(one, **changed):
    now = attrs.evolve(one, **changed)
    return attrs.evolve(now, due_at=projected(now, SubscriptionPolicy()).due_at)


def _canceled(one):
    from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled  # noqa: PLC0415

    ends = start_of_day(date(2030, 3, 10), zone("Europe/Berlin"))
    return _projected(one, scheduled=Scheduled(cancel=CancelAt(at=ends, asked_at=START)))


class TestOffers:
    @pytest.mark.proves("NOT-2", "NOT-6")
    async def test_visa_wants_a_reminder_a_week_before_the_first_charge(self, opened) -> None:
        town = await opened(tried(20), trial=True)
        await town.days(25)
        (visa,) = await town.sent("visa.trial_reminder")
        ends = visa.trigger_at
        assert timedelta(days=7) <= ends - visa.sent_at <= timedelta(days=11)
        (own,) = await town.sent("shop.trial_reminder")
        assert own.sent_at > visa.sent_at
        assert str(visa.facts.amount) == "11.90 EUR"
        assert [str(invoice.total) for invoice in await town.invoices()] == ["11.90 EUR"]
        assert len(await town.told("trial_ending")) == 2

    @pytest.mark.proves("NOT-2")
    async def test_a_long_trial_in_california_has_a_notice_more(self, opened) -> None:
        town = await opened(tried(60), "US-CA", "America/Los_Angeles", trial=True)
        await town.days(65)
        rules = {notice.rule for notice in await town.sent() if notice.instance == "trial"}
        assert rules == {"us_ca.trial_end", "visa.trial_reminder", "shop.trial_reminder"}

    async def test_who_has_left_no_way_to_pay_hears_that_nothing_is_charged(self, opened) -> None:
        town = await opened(tried(20), trial=True, payment_method=None)
        await town.days(15)
        (letter,) = town.letters("subscriptions.trial_ending")
        assert {"amount", "interval", "until"}.isdisjoint(letter)

    async def test_the_end_of_an_introductory_price_is_announced_with_the_price_after_it(self, opened) -> None:
        phases = (
            Phase(PhaseKind.INTRO, Months(2), (Flat(Money.of("5.00", EUR)),)),
            Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of("10.00", EUR)),)),
        )
        town = await opened(flat_plan("10.00", phases=phases))
        await town.until(date(2029, 5, 12))
        (notice,) = await town.sent("shop.trial_reminder")
        assert (notice.facts.next_date, str(notice.facts.amount)) == (date(2029, 5, 10), "11.90 EUR")

    @pytest.mark.proves("NOT-4")
    async def test_a_trial_reminder_that_was_missed_is_told(self, opened) -> None:
        town = await opened(tried(20), trial=True)
        await town.days(22, notices=False)
        (missed,) = await town.told("notice_missed")
        assert "visa.trial_reminder" in missed


class TestDebits:
    @pytest.mark.proves("NOT-4", "RUN-10", "NOT-5")
    async def test_in_india_a_debit_that_was_announced_a_day_before_is_made_at_once(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata")
        await town.until(date(2029, 4, 11))
        (notice,) = await town.sent("in.pre_debit")
        assert timedelta(hours=24) <= notice.trigger_at - notice.sent_at <= timedelta(hours=72)
        _, second = await town.intents()
        assert (second.due_at, second.amount) == (second.planned_at, notice.facts.amount)
        assert await town.told("notice_missed") == []

    @pytest.mark.proves("NOT-4", "RUN-10")
    async def test_in_india_a_debit_waits_until_24_hours_after_its_notice(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata")
        await town.until(date(2029, 4, 11), notices=False)
        _, waiting = await town.intents()
        assert (waiting.state, waiting.due_at) == (IntentState.READY, None)
        assert len(await town.told("notice_missed")) == 1
        town.builder.clock.advance(timedelta(hours=5))
        sent_at = town.builder.clock.now()
        await town.work()
        (notice,) = await town.sent("in.pre_debit")
        _, announced = await town.intents()
        assert announced.due_at == sent_at + timedelta(hours=24)
        assert notice.facts.amount == announced.amount
        assert (await town.builder.kept(NOTICE_AGENDAS, town.id)).waiting == ()
        await town.days(3)
        assert len(await town.sent("in.pre_debit")) == 1

    @pytest.mark.proves("NOT-5", "NOT-4")
    async def test_a_debit_of_another_amount_than_its_notice_named_waits_for_one_that_names_it(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata")
        await town.until(date(2029, 4, 9))
        (first,) = await town.sent("in.pre_debit")
        twice = attrs.evolve((await town.subscription()).plan_line, quantity=1, category="")
        dear = Flat(Money.of("30.00", EUR))

        def dearer(one):
            phases = tuple(attrs.evolve(phase, tariff=dear) for phase in one.terms.phases)
            return attrs.evolve(one, lines=(twice,), terms=attrs.evolve(one.terms, phases=phases))

        await town.builder.edit(SUBSCRIPTIONS, town.id, dearer)
        await town.until(date(2029, 4, 11), notices=False)
        _, waiting = await town.intents()
        assert (waiting.due_at, str(waiting.amount)) == (None, "35.70 EUR")
        (differs,) = await town.told("notice_amount_differs")
        assert first.id in differs
        await town.work()
        _, second = await town.sent("in.pre_debit")
        assert str(second.facts.amount) == "35.70 EUR"
        _, goes_on = await town.intents()
        assert goes_on.due_at == second.sent_at + timedelta(hours=24)

    @pytest.mark.proves("NOT-4", "RUN-10")
    async def test_what_a_customer_finds_unbilled_is_held_as_well(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata")
        town.builder.clock.advance(DAY * 32)
        await town.shop.cancellations.cancel(town.customer, town.id)
        _, waiting = await town.intents()
        assert waiting.due_at is None
        await town.work()
        _, announced = await town.intents()
        assert announced.due_at == town.builder.clock.now() + timedelta(hours=24)

    @pytest.mark.proves("NOT-4", "RUN-10")
    async def test_what_is_charged_at_the_end_of_a_pause_is_announced_first(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata")
        await town.days(3)
        ends = START + DAY * 50

        def paused(one):
            rest = Pause(since=START + DAY, until=ends, reason=PauseReason.ASKED)
            return _projected(one, lifecycle=Lifecycle.PAUSED, pause=rest)

        await town.builder.edit(SUBSCRIPTIONS, town.id, paused)
        await town.days(47)
        held = [one for one in await town.intents() if one.planned_at > ends - DAY]
        assert [one.due_at for one in held] == [None]
        await town.days(1)
        (notice,) = await town.sent("in.pre_debit")
        (announced,) = [one for one in await town.intents() if one.planned_at > ends - DAY]
        assert announced.due_at == notice.sent_at + timedelta(hours=24)

    async def test_what_is_paid_otherwise_than_by_a_mandate_is_charged_at_once(self, opened) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata", method_details=wallet("netbanking"))
        await town.until(date(2029, 4, 11), notices=False)
        _, second = await town.intents()
        assert second.due_at == second.planned_at

    @pytest.mark.proves("NOT-6")
    async def test_a_card_that_expires_before_the_next_charge_is_told_in_time(self, opened) -> None:
        town = await opened(MONTHLY, method_details=wallet("card", date(2029, 5, 1)))
        await town.until(date(2029, 4, 20))
        assert await town.sent() == []
        await town.until(date(2029, 5, 12))
        (notice,) = await town.sent("shop.method_reminder")
        assert notice.facts.next_date == date(2029, 5, 10)


class TestAmounts:
    @pytest.mark.proves("NOT-5")
    @pytest.mark.parametrize(
        "more",
        [
            {},
            {"discounts": (Discount(code="HELLO", kind=Percent(Rate.percent("10")), duration=Months(3)),)},
        ],
    )
    async def test_what_was_announced_is_what_is_charged(self, opened, more) -> None:
        town = await opened(MONTHLY, "IN", "Asia/Kolkata", **more)
        await town.until(date(2029, 8, 12))
        charged = [intent.amount for intent in await town.intents()][1:]
        assert [notice.facts.amount for notice in await town.sent("in.pre_debit")] == charged
        assert len(charged) == 5
        assert await town.told("notice_amount_differs") == []


class TestWords:
    @pytest.mark.proves("NOT-5")
    @pytest.mark.parametrize(
        ("template", "version", "place", "days"),
        [
            ("renewal_soon", YEARLY, "", 364),
            ("trial_ending", tried(20), "", 15),
            ("pre_debit", MONTHLY, "IN", 30),
            ("method_expiring", MONTHLY, "", 30),
        ],
    )
    async def test_each_letter_brings_what_its_text_asks_for(self, opened, template, version, place, days) -> None:
        expiring = wallet("card", date(2029, 4, 1))
        town = await opened(version, place, trial=version.has_trial, method_details=expiring)
        await town.days(days)
        asked = JinjaTemplates().sample(f"subscriptions.{template}")
        wanted = asked.variables.keys() - asked.optional
        letters = town.letters(f"subscriptions.{template}")
        assert letters
        for letter in letters:
            assert wanted <= letter.keys() <= asked.variables.keys()


class TestWhoGetsNone:
    async def test_somebody_whom_no_mail_reaches_is_not_counted_as_told(self, opened) -> None:
        town = await opened(YEARLY, known=False)
        await town.until(date(2030, 3, 4))
        town.builder.clock.advance(DAY)
        report = await town.shop.billing_notices.run_notices(worker=WORKER)
        assert (report.sent, report.unreachable) == (0, 1)
        assert await town.sent() == []

    async def test_a_subscription_that_is_over_is_not_looked_at_for_ever(self, opened) -> None:
        town = await opened(YEARLY)
        await town.builder.edit(SUBSCRIPTIONS, town.id, _canceled)
        await town.until(date(2030, 4, 20))
        agenda = await town.builder.kept(NOTICE_AGENDAS, town.id)
        assert agenda.due_at is None
