"""A customer does with a subscription whatever comes to mind, in two shops at once: one in memory, one on SQLite.

Both have the same clock, the same dice and a bank that decides alike, so both have to answer alike and to keep the same
rows, to the letter. In between bills are late, cards fail, and previews are looked at first. What always holds:

* what was refused has left no trace, but for what was due anyway;
* a preview shows the papers that the act then makes, and the act answers them;
* each cycle stands on one invoice that counts, and ends once: one row says how;
* money is conserved: invoice by invoice, and balance by balance as the sum of its entries;
* what is written down as due is what would be computed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import select

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.books import BOOKS
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.ids import CustomerId, RealmId, WorkerId
from shopaccounts.kernel.money import Rate, total
from shopaccounts.kernel.scope import Scope
from shopaccounts.serial import dump
from shopaccounts.subscriptions import BillingPorts, CancelWish, CycleContent, PauseWish, SubscriptionPolicy
from shopaccounts.subscriptions.cycles.schedules import DayOfMonth
from shopaccounts.subscriptions.due import next_due
from shopaccounts.subscriptions.papers.documents import CreditNote, Invoice, InvoiceState
from shopaccounts.subscriptions.papers.lines import LineKind
from shopaccounts.subscriptions.payments.charging import Charged, Declined, DeclineKind
from shopaccounts.subscriptions.plans.discounts import Discount, Forever, Percent
from shopaccounts.subscriptions.policy.cancelling import CancelWhen
from shopaccounts.subscriptions.policy.changes import Preset
from shopaccounts.subscriptions.policy.pausing import OnResume, PauseHow, PausePolicy, Unused
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, SubscribePolicy
from shopaccounts.subscriptions.usecases.change_requests import How
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder, quick_policies
from shopaccounts.testing.gateway import ScriptedGateway
from tests.rules.subscriptions.cycle_laws import require_settled
from tests.usecases.billing_worlds import AHEAD, LARGE, SMALL, TRIED, YEARLY, order_of

ANN, WORKER = CustomerId("ann"), WorkerId("w")
SOLD = {one.id: attrs.evolve(one, plan=SMALL.plan) for one in (SMALL, LARGE, YEARLY, TRIED, AHEAD)}
TENTH = Discount(code="TENTH", kind=Percent(Rate.percent(10)), duration=Forever())
BROKE = Declined(DeclineKind.SOFT, "no_funds")
PLANS = st.sampled_from(sorted(SOLD))
WAYS = st.sampled_from([None, *Preset])
SOON = st.integers(0, 4)
WHOLE = {LineKind.RECURRING, LineKind.STUB}
REALMS = count(1)


class Twin:
    """One of the two shops, with a bank of its own."""

    def __init__(self, storage: Any, scope: Scope, policy: SubscriptionPolicy) -> None:
        self.bank = ScriptedGateway()
        ports = BillingPorts(plans=FixedPlans(list(SOLD.values())), taxes=FlatTax("19"), gateway=self.bank)
        self.builder = ShopBuilder(
            storage=storage, scope=scope, policies=quick_policies(subscriptions=policy), ports={"billing": ports}
        )
        self.shop: Any = self.builder.build()

    def tries(self, act: Callable[[Any], Any]) -> Any:
        """Answer what an act came to, or how it was refused."""
        try:
            return run(act(self.shop))
        except Rejected as refusal:
            return refusal


class ContractMachine(RuleBasedStateMachine):
    """The rows of both shops are compared after each step."""

    database: SqlStorage

    @initialize(
        plan=PLANS,
        how=st.sampled_from(OnResume),
        unused=st.sampled_from([Unused.KEEP, Unused.CREDIT]),
        discounted=st.booleans(),
    )
    def begins(self, plan: Any, how: OnResume, unused: Unused, *, discounted: bool) -> None:
        subscribing = SubscribePolicy(first_payment=FirstPayment.NOT_REQUIRED)
        pausing = PausePolicy(on_resume=how, unused=unused, max_pauses_per_year=50)
        policy = SubscriptionPolicy(subscribing=subscribing, pausing=pausing)
        scope = attrs.evolve(Scope.single(), realm=RealmId(f"realm-{next(REALMS)}"))
        self.policy, self.realm = policy, scope.realm
        self.twins = [Twin(storage, scope, policy) for storage in (MemoryStorage(), self.database)]
        order = order_of(SOLD[plan], discounts=(TENTH,) if discounted else ())
        made = self.both(lambda shop: shop.subscriptions.subscribe(ANN, order, request_id="o-1"))
        self.id = made.subscription.id

    # Both at once

    def both(self, act: Callable[[Any], Any]) -> Any:
        """Let both shops do something, and answer what it came to, which is the same."""
        before, is_behind = self.rows(), self.is_behind
        here, there = (twin.tries(act) for twin in self.twins)
        if isinstance(here, Rejected):
            assert (type(there), there.code) == (type(here), here.code)
            assert is_behind or self.rows() == before
        else:
            assert not isinstance(there, Rejected), there.code
        return here

    def seen_first(self, see: Callable[[Any], Any], act: Callable[[Any], Any]) -> None:
        """Do what a preview shows."""
        before = {one.id for one in self.all_of("invoices")}
        shown, done = self.both(see), self.both(act)
        if isinstance(shown, Rejected):
            assert getattr(done, "code", None) == shown.code
        else:
            written = [one for one in self.all_of("invoices") if one.id not in before]
            assert sorted(map(said, papers(shown))) == sorted(map(said, written))
            assert sorted(map(said, papers(done))) == sorted(map(said, written))
            assert [str(one.total) for one in notes(done)] == [str(one.total) for one in notes(shown)]

    def rows(self) -> dict[str, dict[str, str]]:
        """Answer what the shop in memory keeps, book by book, as text."""
        books = self.kept
        return {name: {id: dump(one) for id, one in held.items()} for name, held in books.items() if held}

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        memory: Any = self.twins[0].builder.storage
        books: dict[str, dict[str, Any]] = memory.snapshot()[self.realm].books
        return books

    def all_of(self, book: str) -> list[Any]:
        return list(self.kept.get(book, {}).values())

    @property
    def mine(self) -> Any:
        return self.kept["subscriptions"][self.id]

    @property
    def is_behind(self) -> bool:
        """Whether something is due that nobody has done yet."""
        due = self.mine.due_at if hasattr(self, "id") else None
        return due is not None and due <= self.twins[0].builder.clock.now()

    # What a customer does

    @rule(plan=PLANS, preset=WAYS)
    def changes_the_plan(self, plan: Any, preset: Preset | None) -> None:
        how = How(preset=preset)
        self.seen_first(
            lambda shop: shop.subscription_changes.preview_change_plan(ANN, self.id, plan, how=how),
            lambda shop: shop.subscription_changes.change_plan(ANN, self.id, plan, how=how),
        )

    @rule(quantity=st.integers(1, 4), preset=WAYS)
    def wants_more_or_less(self, quantity: int, preset: Preset | None) -> None:
        how = How(preset=preset)
        self.seen_first(
            lambda shop: shop.subscription_changes.preview_change_quantity(ANN, self.id, quantity, how=how),
            lambda shop: shop.subscription_changes.change_quantity(ANN, self.id, quantity, how=how),
        )

    @rule(day=st.integers(1, 31))
    def moves_the_billing_day(self, day: int) -> None:
        self.seen_first(
            lambda shop: shop.subscription_changes.preview_move_billing_day(ANN, self.id, DayOfMonth(day)),
            lambda shop: shop.subscription_changes.move_billing_day(ANN, self.id, DayOfMonth(day)),
        )

    @rule()
    def pays_ahead(self) -> None:
        self.seen_first(
            lambda shop: shop.subscription_changes.preview_prepay(ANN, self.id, 3),
            lambda shop: shop.subscription_changes.prepay(ANN, self.id, 3),
        )

    @rule(wish=st.sampled_from([PauseWish(how=PauseHow.NOW), PauseWish(), PauseWish(cycles=2)]))
    def pauses(self, wish: PauseWish) -> None:
        self.seen_first(
            lambda shop: shop.pauses.preview_pause(ANN, self.id, wish),
            lambda shop: shop.pauses.pause(ANN, self.id, wish),
        )

    @rule()
    def goes_on(self) -> None:
        self.seen_first(
            lambda shop: shop.pauses.preview_resume(ANN, self.id), lambda shop: shop.pauses.resume(ANN, self.id)
        )

    @rule(ahead=SOON, back=st.booleans())
    def leaves_a_cycle_out(self, ahead: int, *, back: bool) -> None:
        index = self.mine.billed_to + ahead
        name = "unskip_cycle" if back else "skip_cycle"
        self.both(lambda shop: getattr(shop.pauses, name)(ANN, self.id, index))

    @rule(ahead=SOON, days=st.integers(-9, 9))
    def moves_a_cycle(self, ahead: int, days: int) -> None:
        index = self.mine.billed_to + ahead
        on: date = self.mine.begins_on(index) + timedelta(days=days)
        self.both(lambda shop: shop.pauses.reschedule_cycle(ANN, self.id, index, on))

    @rule(ahead=SOON, quantity=st.integers(1, 3))
    def fills_a_cycle_differently(self, ahead: int, quantity: int) -> None:
        index = self.mine.billed_to + ahead
        self.both(lambda shop: shop.pauses.edit_cycle(ANN, self.id, index, CycleContent(quantity=quantity)))

    @rule(when=st.sampled_from([CancelWhen.NOW, CancelWhen.AT_PERIOD_END]))
    def leaves(self, when: CancelWhen) -> None:
        wish = CancelWish(when=when)
        self.seen_first(
            lambda shop: shop.cancellations.preview_cancel(ANN, self.id, wish),
            lambda shop: shop.cancellations.cancel(ANN, self.id, wish),
        )

    @rule()
    def stays_after_all(self) -> None:
        self.both(lambda shop: shop.cancellations.undo_cancellation(ANN, self.id))

    @rule()
    def comes_back(self) -> None:
        self.seen_first(
            lambda shop: shop.cancellations.preview_reactivate(ANN, self.id),
            lambda shop: shop.cancellations.reactivate(ANN, self.id),
        )

    # What happens besides

    @rule(broke=st.booleans())
    def the_card_has_money_or_not(self, *, broke: bool) -> None:
        decision: Any = BROKE if broke else Charged("ok")
        for twin in self.twins:
            twin.bank.cards["card-1"] = decision

    @rule(days=st.sampled_from([0, 1, 3, 9, 27, 31, 70]), hours=st.sampled_from([1, 7]))
    def time_goes_by(self, days: int, hours: int) -> None:
        for twin in self.twins:
            twin.builder.clock.advance(timedelta(days=days, hours=hours))

    @rule()
    def the_shop_does_what_is_due(self) -> None:
        self.both(lambda shop: shop.sweeping.sweep(worker=WORKER))

    # What always holds

    @invariant()
    def both_keep_the_same(self) -> None:
        if hasattr(self, "id"):
            assert dict(self.stored()) == self.rows()

    def stored(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Answer what the shop on SQLite keeps, book by book, as it stands there."""
        with self.database.engine.connect() as connection:
            for book in BOOKS:
                table = self.database.tables[book].table
                rows = connection.execute(select(table.c.id, table.c.body).where(table.c.realm == self.realm)).all()
                if rows:
                    yield book.name, {row.id: row.body for row in rows}

    @invariant()
    def money_is_conserved(self) -> None:
        if not hasattr(self, "id"):
            return
        for paper in self.all_of("invoices"):
            covered = paper.balance_applied + paper.paid + paper.credited + paper.due
            assert paper.total == covered or paper.state is InvoiceState.VOID
            assert min(one.minor for one in (paper.total, paper.due, paper.paid, paper.refunded)) >= 0
        (account,) = self.all_of("billing_accounts")
        sums = total((one.amount for one in self.all_of("balance_entries")), "EUR")
        assert account.balance("EUR") == sums
        assert sums.minor >= 0

    @invariant()
    def each_cycle_stands_on_one_invoice_that_counts(self) -> None:
        if not hasattr(self, "id"):
            return
        billed = Counter(
            (line.cycle, line.key, line.start)
            for paper in self.all_of("invoices")
            if paper.state is not InvoiceState.VOID
            for line in paper.lines
            if line.kind in WHOLE
        )
        assert max(billed.values(), default=1) == 1

    @invariant()
    def each_cycle_that_is_done_with_has_one_row(self) -> None:
        if hasattr(self, "id"):
            require_settled(self.mine, self.all_of("billed_cycles"))

    @invariant()
    def what_is_due_is_what_would_be_computed(self) -> None:
        if hasattr(self, "id"):
            due = next_due(self.mine, self.policy)
            assert self.mine.due_at == (due.at if due else None)


def papers(answer: Any) -> tuple[Invoice, ...]:
    """Answer the invoices that something led to, or would."""
    return tuple(answer.invoices if hasattr(answer, "invoices") else answer.papers.invoices)


def notes(answer: Any) -> tuple[CreditNote, ...]:
    """Answer the credit notes that something led to, or would."""
    return tuple(answer.notes if hasattr(answer, "notes") else answer.papers.notes)


def said(paper: Invoice) -> str:
    """Answer what stands on an invoice, but for ids, its number and what was paid of it."""
    lines = [(line.key, line.kind.value, line.start, line.end, str(line.base), str(line.tax)) for line in paper.lines]
    return f"{paper.total} {paper.balance_applied} {paper.due_on} {lines}"


@pytest.mark.proves("SIM-1", "SCH-12", "INV-1", "INV-6", "INV-13", "TES-112")
def test_whatever_a_customer_does_both_shops_agree_and_no_money_is_lost(tmp_path: Path) -> None:
    database = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}")
    database.tables.metadata.create_all(database.engine)

    class OnThisDatabase(ContractMachine):
        pass

    OnThisDatabase.database = database
    run_state_machine_as_test(OnThisDatabase, settings=settings(max_examples=20, stateful_step_count=25))
    database.close()


@pytest.mark.proves("SIM-1", "INV-6", "CHG-4", "CAN-4")
@pytest.mark.parametrize("preset", [Preset.PRORATE_NOW, Preset.PRORATE_NEXT])
def test_so_it_is_for_who_pays_by_the_year_from_now_on_and_leaves_before_the_run_has_come_by(
    tmp_path: Path, preset: Preset
) -> None:
    database = SqlStorage(f"sqlite:///{tmp_path / 'shop.db'}")
    database.tables.metadata.create_all(database.engine)

    class OnThisDatabase(ContractMachine):
        pass

    OnThisDatabase.database = database
    twins = OnThisDatabase()

    def holds() -> None:
        twins.both_keep_the_same()
        twins.money_is_conserved()
        twins.each_cycle_stands_on_one_invoice_that_counts()
        twins.each_cycle_that_is_done_with_has_one_row()

    twins.begins(plan="small", how=OnResume.KEEP_ANCHOR, unused=Unused.CREDIT, discounted=True)
    twins.time_goes_by(days=9, hours=1)
    for plan in ("yearly", "small", "yearly", "large"):
        twins.changes_the_plan(plan=plan, preset=preset)
        holds()
    twins.time_goes_by(days=31, hours=1)
    twins.leaves(when=CancelWhen.NOW)
    holds()
    twins.the_shop_does_what_is_due()
    holds()
    database.close()
