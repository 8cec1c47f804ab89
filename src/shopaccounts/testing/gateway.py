"""A payment gateway that does what a test says, and remembers every debit.

What happens to a request is said by invoice and attempt, so that it doesn't depend on the order of calls.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TypeAlias

import attrs

from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.payments.charging import (
    ActionNeeded,
    Charged,
    ChargeRequest,
    Declined,
    DeclineKind,
    Found,
    NeverSeen,
    NoAnswer,
    Outcome,
    RefundRequest,
)

__all__ = ["Arrives", "Debit", "Delayed", "Lost", "ScriptedGateway", "Unheard"]

Decision: TypeAlias = Charged | Declined | ActionNeeded


@attrs.frozen
class Arrives:
    """The request arrives, and its answer comes back."""

    decision: Decision


@attrs.frozen
class Unheard:
    """The request arrives and is decided, but nobody hears the answer."""

    decision: Decision


@attrs.frozen
class Delayed:
    """Nobody hears an answer, and the request arrives only when the test calls ``arrive``."""

    decision: Decision


@attrs.frozen
class Lost:
    """Neither does an answer come back, nor does the request arrive."""


Fate: TypeAlias = Arrives | Unheard | Delayed | Lost


@attrs.frozen
class Debit:
    """Money that moved; a negative amount was paid back."""

    key: str
    amount: Money
    method: str = ""
    refund_of: str = ""


class ScriptedGateway:
    """A ``Gateway`` for tests; a request that nothing was said about is charged.

    Attributes:
        cards: What payment methods are declined with, unless a script says otherwise.
        debits: All money that moved, in order.
        asked: How often each key was asked.
        is_down: Whether nothing arrives, look-ups included.
    """

    def __init__(self) -> None:
        self.cards: dict[str, Declined] = {}
        self.debits: list[Debit] = []
        self.asked: Counter[str] = Counter()
        self.is_down = False
        self._fates: defaultdict[str, list[Fate]] = defaultdict(list)
        self._decided: dict[str, Decision] = {}
        self._under_way: dict[str, tuple[Debit, Decision]] = {}
        self._of: dict[str, Debit] = {}

    def script(self, invoice: str, attempt: int, *fates: Fate | Decision) -> None:
        """Say what happens when this attempt is asked for, once for each time; then it is charged.

        Args:
            invoice: Which invoice.
            attempt: The number of the intent among those of the invoice.
            fates: A decision by itself arrives, and its answer comes back.
        """
        told = (Arrives(fate) if isinstance(fate, Decision) else fate for fate in fates)
        self._fates[f"{invoice}:{attempt}"].extend(told)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Debit an amount, unless told otherwise."""
        decision = self.cards.get(request.method, Charged(f"charge-{request.key}"))
        return self._ask(Debit(request.key, request.amount, request.method), decision)

    def refund(self, request: RefundRequest) -> Outcome:
        """Pay back some or all of a charge, unless told otherwise; never more than is left of it."""
        refund = Debit(request.key, -request.amount, refund_of=request.charge)
        fits = request.amount <= self._left_of(request.charge, request.amount)
        decision = Charged(f"refund-{request.key}") if fits else Declined(DeclineKind.HARD, "refund_too_large")
        return self._ask(refund, decision)

    def lookup(self, key: str) -> Found:
        """Answer what became of a key."""
        return NoAnswer() if self.is_down else self._decided.get(key, NeverSeen())

    def arrive(self, key: str) -> None:
        """Let a delayed request arrive, if there is one; its key may have been decided on meanwhile."""
        if key in self._under_way:
            self._decide(*self._under_way.pop(key))

    def act(self, key: str, decision: Charged | Declined) -> None:
        """Let the customer do what a payment waits for; the bank decides then."""
        if isinstance(self._decided.get(key), ActionNeeded):
            del self._decided[key]
            self._decide(self._of[key], decision)

    def webhooks(self) -> Iterable[tuple[str, Decision]]:
        """Answer the news that the gateway has about each key; a test tells them late, twice, in any order."""
        return tuple(self._decided.items())

    def debits_of(self, key: str) -> tuple[Money, ...]:
        """Answer what moved under a key."""
        return tuple(debit.amount for debit in self.debits if debit.key == key)

    def _ask(self, debit: Debit, unless_told: Decision) -> Outcome:
        self.asked[debit.key] += 1
        if self.is_down:
            return NoAnswer()
        if debit.key in self._decided:
            return self._decided[debit.key]
        fates = self._fates[debit.key]
        return self._suffer(fates.pop(0) if fates else Arrives(unless_told), debit)

    def _suffer(self, fate: Fate, debit: Debit) -> Outcome:
        match fate:
            case Arrives(decision):
                return self._decide(debit, decision)
            case Unheard(decision):
                self._decide(debit, decision)
            case Delayed(decision):
                self._under_way[debit.key] = (debit, decision)
            case Lost():
                pass
        return NoAnswer()

    def _decide(self, debit: Debit, decision: Decision) -> Decision:
        if debit.key in self._decided:
            return self._decided[debit.key]
        self._decided[debit.key] = decision
        self._of[debit.key] = debit
        if isinstance(decision, Charged):
            self.debits.append(debit)
        return decision

    def _left_of(self, charge: str, like: Money) -> Money:
        moved = [debit.amount for debit in self.debits if charge in {debit.key, debit.refund_of}]
        return sum(moved, Money.zero(like.currency))
