"""A shop through the years: the clock jumps from one thing that is due to the next, and everything due is done.

Nothing is simulated but time and the gateway: the shop is a real one, over any storage. What happened is kept as a log
that is the same whenever the same things happen, whether the clock was moved in one jump or day by day.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from shopaccounts.kernel.answers import Answer, got
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.record import AnyBook, Change, PageResult
from shopaccounts.kernel.time import ClockWentBack
from shopaccounts.subscriptions import DELIVERY_ROUNDS, INTENTS, INVOICES, NOTICE_AGENDAS, SUBSCRIPTIONS
from shopaccounts.testing.builders import BuiltShop, ShopBuilder
from shopaccounts.testing.wrapping import PortCall, wrapped

__all__ = ["Simulator"]

MOST_STEPS: Final = 1_000_000
_LEASE: Final = timedelta(minutes=1)
_WORKER: Final = WorkerId("simulator")
_AT_ONCE: Final = 500
_DUE: Final[tuple[AnyBook, ...]] = (SUBSCRIPTIONS, INTENTS, INVOICES, NOTICE_AGENDAS, DELIVERY_ROUNDS)
"""Whatever wants work of billing at a time of its own."""


class Simulator:
    """Lets time go by in a shop that sells subscriptions.

    Args:
        builder: What outlives the shop; its clock is moved.
    """

    def __init__(self, builder: ShopBuilder) -> None:
        self._builder = builder
        self._told: list[Envelope] = []
        self.shop: BuiltShop = builder.build(partial(wrapped, around=self._around))

    @property
    def now(self) -> datetime:
        """What time it is in the shop."""
        return self._builder.clock.now()

    @property
    def log(self) -> tuple[str, ...]:
        """What happened, in order, a line each."""
        return tuple(f"{event.occurred_at:%Y-%m-%d %H:%M}  {event.name} {event.data}" for event in self._told)

    def happened(self, *names: str) -> Sequence[Envelope]:
        """Answer what happened, all or only what has one of these names."""
        return tuple(event for event in self._told if not names or event.name in names)

    async def advance_by(self, span: timedelta) -> None:
        """Let so much time go by.

        Args:
            span: How much, in elapsed time.

        Raises:
            ClockWentBack: It is negative.
        """
        await self.advance_to(self.now + span)

    async def advance_to(self, until: datetime) -> None:
        """Let time go by up to an instant, and do everything that becomes due on the way, at its own instant.

        Args:
            until: Up to when.

        Raises:
            ClockWentBack: That is over already.
            RuntimeError: Something is due over and over again.
        """
        if until < self.now:
            raise ClockWentBack(self.now, until)
        for _ in range(MOST_STEPS):
            await self._sweep()
            due = await self._next_due(until)
            if due is None:
                self._builder.clock.set(until)
                return
            self._builder.clock.set(due)
        msg = f"more than {MOST_STEPS} steps until {until}"
        raise RuntimeError(msg)

    async def _sweep(self) -> None:
        """Do everything that is due now."""
        await self.shop.sweeping.sweep(worker=_WORKER)

    async def _next_due(self, until: datetime) -> datetime | None:
        """Answer when something is due next, up to an instant: what is due by then, and isn't yet."""
        found = [due for book in _DUE for due in await self._ahead(book, until)]
        return min(found, default=None)

    async def _ahead(self, book: AnyBook, until: datetime) -> Sequence[datetime]:
        """Answer when items of a book become due; what nobody takes, such as payments without a gateway, is left."""
        store = self._builder.storage.open(self._builder.scope)
        claims = await got(store.claim_due(book, until, _AT_ONCE, _LEASE, _WORKER))
        if claims:
            await got(store.release(book, claims, None))
        dues = [book.due(claim.item) for claim in claims] if book.due else []
        return [due for due in dues if due is not None and due > self.now]

    def _around(self, call: PortCall) -> Answer[Any]:
        """Note what is told by whatever was recorded."""
        if call.method not in {"record", "record_page"}:
            return call.make()
        assert isinstance(call.make, partial), "a storage is wrapped, not a wrapper"
        (recorded,) = call.make.args
        return self._noted(call.make(), [recorded] if call.method == "record" else list(recorded))

    def _noted(self, answer: Any, changes: Sequence[Change]) -> Any:
        if hasattr(answer, "__await__"):
            return self._noted_later(answer, changes)
        self._note(changes, answer)
        return answer

    async def _noted_later(self, answer: Any, changes: Sequence[Change]) -> Any:
        result = await answer
        self._note(changes, result)
        return result

    def _note(self, changes: Sequence[Change], answer: Any) -> None:
        results: Iterable[str] = answer if isinstance(answer, tuple) else (PageResult.RECORDED,)
        for change, result in zip(changes, results, strict=True):
            if result == PageResult.RECORDED:
                self._told.extend(change.events)
