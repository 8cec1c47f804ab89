"""What a customer is shown of the next year is what the next year brings: amounts, new prices, letters, the end."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopaccounts.kernel.answers import run
from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.time import FixedClock
from shopaccounts.subscriptions import INVOICES, SUBSCRIPTIONS, BillingPorts, MethodFacts, Order, SubscriptionPolicy
from shopaccounts.subscriptions.announcing.timeline import Upcoming, UpcomingKind
from shopaccounts.subscriptions.laws.notice_rules import NoticeTrigger
from shopaccounts.subscriptions.plans.offers import Days, Months, Phase, PhaseKind, PlanVersion, PlanVersionId, Term
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy.pricing import OnSilence, PricePolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.pricing import Consent, Reply
from shopaccounts.testing.billing_doubles import FixedDetails, FixedPlans, FlatTax, OneJurisdiction
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.simulator import Simulator
from shopaccounts.testing.subscribers import EUR, flat_plan

START = datetime(2031, 1, 10, 20, tzinfo=UTC)
DAY, YEAR = timedelta(days=1), timedelta(days=365)
EVE, WHY = Actor(ActorKind.AGENT, "eve"), "beans cost more"
OLD = flat_plan("10.00")


def at_price(price: str, version: PlanVersion) -> PlanVersion:
    """The same plan at another price."""
    phases = (*version.phases[:-1], attrs.evolve(version.phases[-1], prices=(Flat(Money.of(price, EUR)),)))
    return attrs.evolve(version, id=PlanVersionId(f"coffee at {price}"), phases=phases)


@attrs.define
class Cafe:
    """A shop with one subscriber and a clock that runs ahead."""

    time: Simulator
    builder: Any
    customer: CustomerId
    id: str

    @classmethod
    def opened(cls, version: PlanVersion, place: str = "", *, mail: bool = True, **prices: Any) -> "Cafe":
        agents = StaffRoom()
        agents.hire(EVE.id, [Permission.CHANGE_PRICES])
        policy = SubscriptionPolicy(
            subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED), prices=PricePolicy(**prices)
        )
        billing = BillingPorts(
            plans=FixedPlans([version, *(at_price(price, version) for price in ("8.00", "12.00", "13.00"))]),
            taxes=FlatTax("19"),
            gateway=ScriptedGateway(),
            jurisdictions=OneJurisdiction(place),
            method_details=FixedDetails({"card-1": MethodFacts(kind="card", expires_on=date(2031, 9, 1))}),
        )
        builder = ShopBuilder(
            clock=FixedClock(START),
            agents=agents,
            policies=quick_policies(subscriptions=policy),
            ports={"billing": billing},
        )
        time = Simulator(builder)
        customer = CustomerId(run(time.shop.open_account("ann@lamp.example")).id if mail else "somebody")
        builder.clock.advance(timedelta(hours=1))
        order = Order(plan=version.id, currency="EUR", zone="Europe/Berlin", payment_method="card-1")
        made = run(time.shop.subscriptions.subscribe(customer, order, request_id="o-1"))
        return cls(time, builder, customer, made.subscription.id)

    def announces(self, version: PlanVersion, price: str, on: date, consent: Consent = Consent.NOT_NEEDED) -> str:
        scope, self.builder.scope = self.builder.scope, attrs.evolve(self.builder.scope, actor=EVE)
        office, self.builder.scope = self.builder.build(), scope
        prices = office.subscription_prices
        announced = prices.announce_price_change(
            version.id, at_price(price, version).id, effective_on=on, reason=WHY, consent=consent
        )
        id: str = run(announced).id
        return id

    def answers(self, change: str, reply: Reply) -> None:
        prices = self.time.shop.subscription_prices
        say = prices.accept_price_change if reply is Reply.ACCEPTED else prices.decline_price_change
        run(say(self.customer, self.id, change))

    def passes(self, span: timedelta) -> None:
        run(self.time.advance_by(span))

    def shown(self) -> tuple[Upcoming, ...]:
        views = self.time.shop.subscription_views
        return run(views.upcoming(self.customer, self.id, until=self.time.now + YEAR, count=100))

    def happens(self) -> tuple[list[Any], list[Any]]:
        """What the next year brings: what is charged and when, and which letters go out when."""
        written, told = set(self.invoices()), len(self.time.happened("subscriptions.notice_sent"))
        until = self.time.now + YEAR
        run(self.time.advance_to(until))
        new = sorted((one.issued_at, one.total) for id, one in self.invoices().items() if id not in written)
        sent = self.time.happened("subscriptions.notice_sent")[told:]
        return new, sorted({one.occurred_at for one in sent})

    def invoices(self) -> Mapping[str, Any]:
        kept: Mapping[str, Any] = self.builder.storage.snapshot()["main"].books.get(INVOICES.name, {})
        return kept


def charges(shown: tuple[Upcoming, ...]) -> list[Any]:
    return [(one.at, one.amount) for one in shown if one.kind is UpcomingKind.CHARGE]


def letters(shown: tuple[Upcoming, ...]) -> list[Any]:
    return sorted({one.at for one in shown if one.kind is UpcomingKind.NOTICE})


@pytest.mark.proves("SIM-2", "PRI-1")
def test_a_new_price_is_shown_from_the_period_that_will_have_it() -> None:
    cafe = Cafe.opened(OLD)
    cafe.passes(DAY)
    cafe.announces(OLD, "12.00", date(2031, 3, 1))
    shown = cafe.shown()[:6]
    assert [(one.at.date(), one.kind, one.announces, str(one.amount)) for one in shown] == [
        (date(2031, 1, 12), UpcomingKind.NOTICE, NoticeTrigger.PRICE_CHANGE, "None"),
        (date(2031, 2, 9), UpcomingKind.CHARGE, None, "11.90 EUR"),
        (date(2031, 3, 9), UpcomingKind.PRICE, None, "None"),
        (date(2031, 3, 9), UpcomingKind.CHARGE, None, "14.28 EUR"),
        (date(2031, 4, 9), UpcomingKind.CHARGE, None, "14.28 EUR"),
        (date(2031, 5, 9), UpcomingKind.CHARGE, None, "14.28 EUR"),
    ]


@pytest.mark.proves("SIM-2", "PRI-3")
@pytest.mark.parametrize(
    ("consent", "reply", "silence", "amounts"),
    [
        (Consent.OPT_IN, None, OnSilence.KEEP_OLD, ["11.90 EUR"] * 3),
        (Consent.OPT_IN, Reply.ACCEPTED, OnSilence.KEEP_OLD, ["11.90 EUR", "14.28 EUR", "14.28 EUR"]),
        (Consent.OPT_IN, None, OnSilence.CANCEL_AT_PERIOD_END, ["11.90 EUR"]),
        (Consent.OPT_OUT, None, OnSilence.KEEP_OLD, ["11.90 EUR", "14.28 EUR", "14.28 EUR"]),
        (Consent.OPT_OUT, Reply.DECLINED, OnSilence.KEEP_OLD, ["11.90 EUR"]),
    ],
)
def test_what_the_customer_answered_decides_what_is_shown(consent, reply, silence, amounts) -> None:
    cafe = Cafe.opened(OLD, on_silence=silence)
    change = cafe.announces(OLD, "12.00", date(2031, 3, 1), consent)
    cafe.passes(2 * DAY)
    if reply is not None:
        cafe.answers(change, reply)
    shown = cafe.shown()
    assert [str(one.amount) for one in shown if one.kind is UpcomingKind.CHARGE][:3] == amounts
    assert (shown[-1].kind is UpcomingKind.END) == (len(amounts) == 1)


@pytest.mark.proves("SIM-2", "PRI-2")
def test_whoever_gets_no_letter_keeps_the_price_and_is_shown_so() -> None:
    cafe = Cafe.opened(OLD, mail=False)
    cafe.announces(OLD, "12.00", date(2031, 3, 1))
    shown = cafe.shown()
    assert {str(one.amount) for one in shown if one.kind is UpcomingKind.CHARGE} == {"11.90 EUR"}
    assert letters(shown) == []


@pytest.mark.proves("SIM-2")
async def test_the_next_charge_has_the_new_price() -> None:
    cafe = Cafe.opened(OLD)
    cafe.announces(OLD, "12.00", date(2031, 3, 1))
    cafe.passes(35 * DAY)
    view: Any
    (view,) = run(cafe.time.shop.subscription_views.my_subscriptions(cafe.customer))
    assert (view.next_charge.at.date(), str(view.next_charge.amount)) == (date(2031, 3, 9), "14.28 EUR")


PHASES: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "half a year": {"interval": Interval.months(6)},
    "a year": {"interval": Interval.years(1)},
    "with a trial": {"phases": (Phase(PhaseKind.TRIAL, Days(40)), *OLD.phases)},
    "with an introduction": {
        "phases": (Phase(PhaseKind.INTRO, Months(3), (Flat(Money.of("1.00", EUR)),)), *OLD.phases)
    },
    "with a term": {"term": Term(6, auto_renew=True, renewal_cycles=6)},
    "for a while": {"term": Term(9)},
}
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["8.00", "12.00", "13.00"]),
        st.integers(1, 300),
        st.sampled_from(Consent),
        st.sampled_from([None, *Reply]),
    ),
    max_size=2,
)


@pytest.mark.proves("SIM-1", "SIM-2", "PRI-1", "PRI-2", "PRI-3")
@given(
    kind=st.sampled_from(sorted(PHASES)),
    place=st.sampled_from(["", "DE", "US-CA", "FR", "IN"]),
    before=st.integers(0, 200),
    after=st.timedeltas(timedelta(0), 40 * DAY),
    changes=CHANGES,
    silence=st.sampled_from(OnSilence),
)
@settings(max_examples=15)
def test_the_next_year_is_what_was_shown(kind, place, before, after, changes, silence) -> None:
    version = attrs.evolve(OLD, **PHASES[kind])
    cafe = Cafe.opened(version, place, on_silence=silence)
    cafe.passes(before * DAY)
    announced = [
        (cafe.announces(version, price, (cafe.time.now + days * DAY).date(), consent), reply)
        for price, days, consent, reply in changes
    ]
    cafe.passes(after)
    open_ones = {
        one.change for one in run(cafe.time.shop.subscription_prices.open_price_changes(cafe.customer, cafe.id))
    }
    for (change, reply), (_, _, consent, _) in zip(announced, changes, strict=True):
        if reply is not None and change in open_ones and consent is not Consent.NOT_NEEDED:
            cafe.answers(change, reply)
    shown = cafe.shown()
    billed, sent = cafe.happens()
    assert charges(shown) == billed
    assert letters(shown) == sent
    subscription = cafe.builder.storage.snapshot()["main"].books[SUBSCRIPTIONS.name][cafe.id]
    ends = [one.at for one in shown if one.kind is UpcomingKind.END]
    assert ends == ([subscription.ended_at] if subscription.ended_at and subscription.ended_at > START else [])
