"""A coffee box through a leap year: short months, a failed card, a pause, an upgrade, a week without power."""

from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import attrs

from demo.telling import Teller
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.ids import CustomerId, WorkerId
from shopaccounts.kernel.time import FixedClock, local_date, zone
from shopaccounts.subscriptions import BillingPorts, Order
from shopaccounts.subscriptions.papers import Invoice
from shopaccounts.subscriptions.pausing import PauseWish
from shopaccounts.subscriptions.payments import Declined, DeclineKind
from shopaccounts.subscriptions.plans import PlanVersionId
from shopaccounts.testing.billing_doubles import FixedPlans, FlatTax
from shopaccounts.testing.builders import ShopBuilder
from shopaccounts.testing.gateway import ScriptedGateway
from shopaccounts.testing.simulator import Simulator
from shopaccounts.testing.subscribers import flat_plan

__all__ = ["tell_of_coffee"]

T = TypeVar("T")
_ANN: Final = CustomerId("ann")
_CARD: Final = "card-1"
_BOX: Final = flat_plan("17.90", id=PlanVersionId("box"))
_LARGE_BOX: Final = flat_plan("29.90", id=PlanVersionId("large-box"))
_HOME: Final = zone("Europe/Berlin")
_WEEK: Final = timedelta(days=7)


def tell_of_coffee(teller: Teller) -> None:
    """Tell what Ann pays for her coffee in a leap year, and why."""
    CoffeeYear(teller).tell()


class CoffeeYear:
    """A shop that sells coffee by the month, and the clock of a year."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._gateway = ScriptedGateway()
        self._clock = FixedClock(datetime(2028, 1, 31, 9, tzinfo=UTC))
        ports = BillingPorts(plans=FixedPlans([_BOX, _LARGE_BOX]), taxes=FlatTax("7"), gateway=self._gateway)
        self._time = Simulator(ShopBuilder(clock=self._clock, ports={"billing": ports}))
        self._shop = self._time.shop

    def tell(self) -> None:
        """Tell it from January to the end of the year."""
        self._teller.chapter("Ann's coffee, through a leap year")
        order = Order(plan=_BOX.id, currency="EUR", zone="Europe/Berlin", payment_method=_CARD)
        self._id = self._run(self._shop.subscriptions.subscribe(_ANN, order, request_id="box")).subscription.id
        self._teller.say("Ann subscribes on 31 January 2028, 17.90 EUR a month and tax. The card is charged at once.")
        self._until(4, 15)
        self._teller.good("29 February, 31 March: the last day of a short month, and the 31st again.")
        self._card_fails()
        self._pauses()
        self._upgrades()
        self._loses_power()
        self._until(12, 31)
        self._teller.say("The invoices of the year:")
        self._teller.quote("\n".join(map(_shown, self._invoices())))
        paid = sum(debit.amount.minor for debit in self._gateway.debits)
        billed = sum(invoice.total.minor for invoice in self._invoices())
        self._teller.good(f"Billed {billed / 100:.2f} EUR, debited {paid / 100:.2f} EUR, each invoice once.")

    def _card_fails(self) -> None:
        self._gateway.cards[_CARD] = Declined(DeclineKind.SOFT, "no_funds")
        self._until(4, 30)
        self._teller.say("On 30 April the card has no funds. Nothing is lost: it is tried again a day later.")
        self._gateway.cards.clear()
        self._until(5, 2)
        recovered = self._time.happened("subscriptions.dunning_recovered")
        self._teller.good(f"On {local_date(recovered[-1].occurred_at, _HOME):%d %B} it works, and all is paid.")

    def _pauses(self) -> None:
        self._run(self._shop.pauses.pause(_ANN, self._id, PauseWish(cycles=1)))
        self._teller.say("Ann travels in June and pauses for one month. It begins when the paid month ends.")
        self._until(7, 1)
        self._teller.good("Nothing was billed for June; at its end it went on by itself.")

    def _upgrades(self) -> None:
        self._until(7, 10)
        shown = self._run(self._shop.subscription_changes.preview_change_plan(_ANN, self._id, _LARGE_BOX.id))
        self._teller.say("On 10 July she looks at the large box. Before she clicks, the page shows what it costs:")
        self._teller.quote(_lines(shown.invoices[0]))
        done = self._run(self._shop.subscription_changes.change_plan(_ANN, self._id, _LARGE_BOX.id))
        same = attrs.asdict(shown.invoices[0])["total"] == attrs.asdict(done.invoices[0])["total"]
        self._teller.good(
            f"She clicks, and pays {done.invoices[0].total}: {'as shown' if same else 'something else!'}."
        )

    def _loses_power(self) -> None:
        self._until(8, 28)
        self._clock.advance(_WEEK)
        self._run(self._shop.sweeping.sweep(worker=WorkerId("cron")))
        late = self._invoices()[-1]
        self._teller.say("The shop has no power from 28 August to 4 September. Then cron calls it again.")
        issued = local_date(late.written_at, _HOME)
        self._teller.good(
            f"The cycle of {late.lines[0].start:%d %B} is billed, once, at its price; issued {issued:%d %B}."
        )

    def _until(self, month: int, day: int) -> None:
        self._run(self._time.advance_to(datetime(2028, month, day, 9, tzinfo=UTC)))

    def _invoices(self) -> list[Invoice]:
        """Answer all there are, the oldest first."""
        return list(reversed(self._run(self._shop.subscription_views.my_invoices(_ANN)).invoices))

    @staticmethod
    def _run(work: Coroutine[Any, Any, T]) -> T:
        return run(work)


def _shown(invoice: Invoice) -> str:
    first, issued = invoice.lines[0], local_date(invoice.written_at, _HOME)
    number, days = f"no. {invoice.number}", f"{first.start:%d %b} to {first.end:%d %b}"
    return f"{number:<7} {issued:%d %b}  {days:<18} {invoice.total!s:>10}  {invoice.state.value}"


def _lines(invoice: Invoice) -> str:
    lines = [
        f"{line.start:%d %b} to {line.end:%d %b}  {line.kind.value:<10} {line.amount!s:>10}" for line in invoice.lines
    ]
    return "\n".join([*lines, f"{'with tax':<28} {invoice.total!s:>10}"])
