"""A subscription that is billed, and what is asked of it, for tests of changes: rules alone, no store."""

from collections.abc import Sequence
from datetime import date, timedelta

from shopaccounts.kernel.cycles import BillingMode, Interval
from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.money import Money, Rate, currency
from shopaccounts.kernel.time import start_of_day, zone
from shopaccounts.subscriptions.changing.quoting import ChangeQuote, quote_change
from shopaccounts.subscriptions.changing.wanting import plan_wish
from shopaccounts.subscriptions.decision import Decision
from shopaccounts.subscriptions.due import next_due
from shopaccounts.subscriptions.facts import NO_FACTS, Facts
from shopaccounts.subscriptions.invoices.taxing import taxes_of
from shopaccounts.subscriptions.lifecycle.agreeing import Choice, agree
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.papers.documents import Invoice, TaxMode
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.planning.beginning import sign_up
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.plans.discounts import AppliedDiscount, Discount
from shopaccounts.subscriptions.plans.offers import (
    AddOn,
    Goods,
    Phase,
    PhaseKind,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
)
from shopaccounts.subscriptions.plans.tariffs import Flat, PerUnit
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.policy.changes import CreditForm, Preset
from shopaccounts.subscriptions.policy.invoicing import TaxRounding
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.scheduled import Wish

__all__ = ["Ledger", "a_plan", "no_first_payment"]

_EUR = currency("EUR")
_BERLIN = zone("Europe/Berlin")
_VAT = (Rate.percent(19),)


def no_first_payment(**more: object) -> SubscriptionPolicy:
    """Answer a policy under which subscriptions run at once."""
    return SubscriptionPolicy(
        subscribing=SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED),
        **more,  # type: ignore[arg-type]
    )


def a_plan(
    price: str,
    interval: Interval | None = None,
    *,
    id: str = "",
    add_ons: dict[str, str] | None = None,
    per_unit: bool = False,
    mode: BillingMode = BillingMode.IN_ADVANCE,
    **more: object,
) -> PlanVersion:
    """Answer a plan that costs so many euros; each has the code that it is called by, or its price."""
    money = Money.of(price, _EUR)
    code = id or f"plan-{price}-{interval or 'P1M'}"
    return PlanVersion(
        id=PlanVersionId(code),
        plan=Plan(id=PlanId(code), code=code, group="coffee", goods=Goods.DIGITAL),
        phases=(Phase(PhaseKind.EVERGREEN, None, (PerUnit(money) if per_unit else Flat(money),)),),
        interval=interval or Interval.months(1),
        mode=mode,
        add_ons=tuple(
            AddOn(key=key, product=key, prices=(PerUnit(Money.of(cost, _EUR)),))
            for key, cost in (add_ons or {}).items()
        ),
        **more,  # type: ignore[arg-type]
    )


class Ledger:
    """One customer's books in memory: what was decided is written up, and time goes on."""

    def __init__(
        self,
        version: PlanVersion,
        start: date,
        *,
        policy: SubscriptionPolicy | None = None,
        mode: TaxMode = TaxMode.EXCLUSIVE,
        discounts: Sequence[Discount] = (),
        quantity: int = 1,
        add_ons: dict[str, int] | None = None,
        rates: tuple[Rate, ...] = _VAT,
    ) -> None:
        self.policy = policy or no_first_payment()
        self.now = start_of_day(start, _BERLIN)
        self.rates = rates
        self.invoices: dict[str, Invoice] = {}
        self.written: list[Papers] = []
        self.account = BillingAccount(
            id="main/nora",
            realm=RealmId("main"),
            store=StoreId("main"),
            customer=CustomerId("nora"),
            zone=_BERLIN,
            payment_method="card",
            tax_mode=mode,
            created_at=self.now,
        )
        choice = Choice(
            version=version,
            currency=_EUR,
            quantity=quantity,
            add_ons=add_ons or {},
            starts_at=self.now,
            discounts=tuple(AppliedDiscount(discount=one) for one in discounts),
        )
        agreed = agree(choice, self.account, self.policy, id="sub", zone=_BERLIN, now=self.now)
        self.subscription: Subscription = agreed
        self.take(sign_up(agreed, self.now, NO_FACTS, self.policy))

    @property
    def facts(self) -> Facts:
        """What a decision is told."""
        return Facts(invoices=self.invoices, pending=self.account.pending)

    def take(self, decision: Decision) -> Papers:
        """Write a decision up, and remember what it led to."""
        drafts = [line for bill in decision.bills for line in bill.lines]
        rates = {(line.category, line.start): self.rates for line in drafts}
        facts = PaperFacts(rates=rates, method="card", invoices=self.invoices)
        papers = write_up(self.account, [decision], facts, self.policy, self.now, lambda key: key)
        self.account, self.subscription = papers.account, papers.subscriptions[0]
        for invoice in (*papers.invoices, *papers.changed):
            self.invoices[invoice.id] = invoice
        self.written.append(papers)
        return papers

    def until(self, day: date, hour: int = 0) -> "Ledger":
        """Let everything happen that is due up to a time of a local day."""
        self.now = start_of_day(day, _BERLIN) + timedelta(hours=hour)
        while (due := next_due(self.subscription, self.policy)) and due.at <= self.now:
            self.take(plan(self.subscription, self.facts, self.policy, self.now))
        return self

    def plan_wish(self, version: PlanVersion, quantity: int | None = None) -> Wish:
        """Answer the wish for another plan, from today on."""
        day = self.now.astimezone(_BERLIN.info).date()
        return plan_wish(self.subscription, version, self.account, day, self.policy, quantity=quantity)

    def quote(self, *wishes: Wish, preset: Preset | None = None) -> ChangeQuote:
        """Answer what a change costs now."""
        return quote_change(self.subscription, self.facts, wishes, preset, self.policy, self.now)

    def change(self, *wishes: Wish, preset: Preset | None = None) -> ChangeQuote:
        """Change something now."""
        quoted = self.quote(*wishes, preset=preset)
        self.take(quoted.decision)
        return quoted

    @property
    def owed(self) -> tuple[int, int, int]:
        """What all lines come to that were billed or wait, in minor units: bases, discounts, taxes."""
        lines = [line for invoice in self.invoices.values() for line in invoice.lines]
        lines = [line for line in lines if line.kind is not LineKind.TO_BALANCE]
        waiting = [pending.line for pending in self.account.pending]
        notes = [line for papers in self.written for note in papers.notes for line in note.lines]
        taxed = taxes_of([(line, line.rates) for line in waiting], self.account.tax_mode, TaxRounding.PER_LINE)
        bases = sum(line.base.minor for line in (*lines, *waiting)) - sum(note.base.minor for note in notes)
        in_lines = self.policy.changes.credit_form is CreditForm.LINES  # a credit note knows bases alone
        off = sum(line.discount.minor for line in (*lines, *waiting)) if in_lines else 0
        taxes = sum(map(sum, (*(line.taxed for line in lines), *taxed))) - sum(sum(note.taxed) for note in notes)
        return bases, off, taxes
