"""Subscriptions for tests of rules: plans, accounts, and the course of one subscription without any store.

``Course`` does what the billing run does, with nothing but the rules: it plans what is due and writes it up. So a test
of rules can let years go by, in one jump or day by day, and compare what was written.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from shopaccounts.kernel.cycles import Interval
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Currency, Money, currency
from shopaccounts.kernel.time import zone
from shopaccounts.subscriptions.changing.prepaying import begin_ahead
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import projected
from shopaccounts.subscriptions.facts import NO_FACTS, Facts
from shopaccounts.subscriptions.lifecycle.agreeing import Choice, agree
from shopaccounts.subscriptions.model import BillingAccount, Subscription, account_id
from shopaccounts.subscriptions.papers.documents import BilledCycle, Invoice
from shopaccounts.subscriptions.planning.beginning import first_paid, sign_up
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.plans.offers import Goods, Phase, PhaseKind, Plan, PlanId, PlanVersion, PlanVersionId
from shopaccounts.subscriptions.plans.tariffs import Flat
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["EUR", "Course", "flat_plan", "somebody"]

EUR: Final[Currency] = currency("EUR")
_STORE: Final = StoreId("main")
_ANN: Final = CustomerId("ann")


def flat_plan(
    price: str, interval: Interval | None = None, *, goods: Goods = Goods.DIGITAL, **more: Any
) -> PlanVersion:
    """Answer a plan with one price for ever.

    Args:
        price: What an interval costs, in euro.
        interval: How long that is; a month unless said otherwise.
        goods: Whether something is shipped.
        more: What else the version has.
    """
    facts: dict[str, Any] = {
        "id": PlanVersionId("coffee-1"),
        "plan": Plan(id=PlanId("coffee"), code="coffee", group="coffee", goods=goods),
        "phases": (Phase(PhaseKind.EVERGREEN, None, (Flat(Money.of(price, EUR)),)),),
        "interval": interval or Interval.months(1),
    }
    return PlanVersion(**facts | more)


def somebody(at: str = "Europe/Berlin", **more: Any) -> BillingAccount:
    """Answer a customer's billing account, with a card."""
    facts: dict[str, Any] = {
        "id": account_id(_STORE, _ANN),
        "realm": RealmId("main"),
        "store": _STORE,
        "customer": _ANN,
        "zone": zone(at),
        "payment_method": "card-1",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return BillingAccount(**facts | more)


@attrs.define(kw_only=True)
class Course:
    """One subscription through time: its state now, and everything that was written.

    Args:
        subscription: As it is now.
        account: As it is now.
        policy: How the shop bills.
        invoices: All there are by now, by id, as they are now.
        cycles: How cycles ended.
        papers: What each decision led to.
        told: What rules are told besides: changes of price, notices, a place.
    """

    subscription: Subscription
    account: BillingAccount
    policy: SubscriptionPolicy
    invoices: dict[str, Invoice] = attrs.field(factory=dict)
    cycles: list[BilledCycle] = attrs.field(factory=list)
    papers: list[Papers] = attrs.field(factory=list)
    told: Facts = NO_FACTS

    @classmethod
    def begin(
        cls,
        version: PlanVersion,
        at: datetime,
        *,
        account: BillingAccount | None = None,
        policy: SubscriptionPolicy | None = None,
        paid: bool = True,
        prepay: int | None = None,
        told: Facts = NO_FACTS,
        **choice: Any,
    ) -> "Course":
        """Subscribe somebody.

        Args:
            version: To what.
            at: When it is ordered, and begins.
            account: Who pays.
            policy: How the shop bills.
            paid: Whether the first invoice is paid at once.
            prepay: How many cycles are paid at once from the start; None for one by one.
            told: What rules are told besides.
            choice: What else was chosen.
        """
        payer, how = account or somebody(), policy or SubscriptionPolicy()
        facts: dict[str, Any] = {"version": version, "currency": EUR, "starts_at": at}
        wanted = Choice(**facts | choice)
        agreed = agree(wanted, payer, how, id="box", zone=payer.zone, now=at)
        if prepay is not None:
            agreed = begin_ahead(agreed, prepay, at, told, how)
        course = cls(subscription=agreed, account=payer, policy=how, told=told)
        course.take(sign_up(agreed, at, told, how), at)
        if paid and course.subscription.lifecycle is Lifecycle.INCOMPLETE:
            course.take(first_paid(course.subscription, at), at)
        return course

    @property
    def facts(self) -> Facts:
        """What rules are told."""
        method = self.subscription.payment_method or self.account.payment_method
        return attrs.evolve(self.told, has_method=method is not None, invoices=self.invoices)

    def take(self, decision: Decision, at: datetime) -> Papers:
        """Write a decision up, and go on from there."""
        ready = attrs.evolve(decision, subscription=projected(decision.subscription, self.policy))
        facts = PaperFacts(method=self.account.payment_method, invoices=self.invoices)
        papers = write_up(self.account, [ready], facts, self.policy, at, lambda key: key)
        self.subscription, self.account = papers.subscriptions[0], papers.account
        self.invoices |= {one.id: one for one in (*papers.invoices, *papers.changed)}
        self.cycles.extend(papers.cycles)
        self.papers.append(papers)
        return papers

    def advance(self, to: datetime) -> Papers:
        """Do what is due at an instant, as one run of billing does."""
        return self.take(plan(self.subscription, self.facts, self.policy, to), to)

    def settle(self, to: datetime) -> None:
        """Do what is due at an instant until nothing is left."""
        while (due := self.subscription.due_at) is not None and due <= to:
            self.advance(to)

    @property
    def totals(self) -> Mapping[str, str]:
        """What each invoice comes to, by its id."""
        return {id: str(invoice.total) for id, invoice in self.invoices.items()}
