"""The last bill of an account, before it is written: when nobody is left for whose bill something could wait.

The rules, in plain English:

* What waits joins the account's next bill, whichever subscription that is for. So the account's other subscriptions go
  on as well, each thing at its own instant; what is due of several at one instant, in the order of their ids.
* Whoever has a line on another one's bill remembers that: what changes later takes it back.
* When a subscription has ended, and no other is to be billed any more, what waits is billed then.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import attrs

from shopaccounts.subscriptions.charges.metering import Asked
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.planning.last_bill import is_to_be_billed, write_last
from shopaccounts.subscriptions.planning.planner import plan
from shopaccounts.subscriptions.planning.rounds import with_papers
from shopaccounts.subscriptions.planning.taxes import RatesOf
from shopaccounts.subscriptions.planning.writing_up import PaperFacts, Papers, write_up
from shopaccounts.subscriptions.policy import SubscriptionPolicy

__all__ = ["Neighbour", "Neighbours"]

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@attrs.define
class Neighbour:
    """Another subscription of an account, as it will be, and what is known of it."""

    subscription: Subscription
    facts: Facts

    @property
    def when(self) -> tuple[datetime, str]:
        """When something becomes due of it, if anything does, and its place among what is due then."""
        return self.subscription.due_at or _NEVER, self.subscription.id


@attrs.define(kw_only=True)
class Neighbours:
    """The account's other subscriptions, as they will be.

    Args:
        each: Those that are to be billed.
        are_all: Whether there are no more of them.
        rates: The rates of taxes, as of today.
        policy: How the shop bills.
    """

    each: list[Neighbour]
    are_all: bool
    rates: RatesOf
    policy: SubscriptionPolicy

    @property
    def subscriptions(self) -> Mapping[str, Subscription]:
        """As they are by now, by id."""
        return {one.subscription.id: one.subscription for one in self.each}

    def until(self, at: datetime, account: BillingAccount, beside: Neighbour) -> BillingAccount:
        """Answer the account after all that becomes due of the others before something becomes due of the one.

        Args:
            at: When that is.
            account: As the last step of the one has left it.
            beside: The one; it remembers what is billed of it with others.
        """
        while (one := self._next((at, beside.subscription.id))) is not None:
            account = self._step(one, account, beside)
        return account

    def remember(self, papers: Papers, *more: Neighbour) -> None:
        """Let those remember it whose lines were billed with another one.

        Args:
            papers: What was written.
            more: Who else may have to.
        """
        changed = {one.id: one for one in papers.beside}
        for one in (*self.each, *more) if changed else ():
            if (now := changed.get(one.subscription.id)) is not None:
                one.subscription, one.facts = now, with_papers(one.facts, papers)

    def last_bill(self, subscription: Subscription, account: BillingAccount, at: datetime) -> Papers | None:
        """Answer the last bill of an account; None where nothing waits, or something else is to be billed.

        Args:
            subscription: The one that isn't among the others.
            account: As it is when somebody looks after what waits.
            at: When that is.
        """
        each = (subscription, *(one.subscription for one in self.each))
        if not account.pending or not self.are_all or any(map(is_to_be_billed, each)):
            return None
        paper = PaperFacts(rates=self.rates, method=account.payment_method)
        return write_last(account, paper, self.policy, at, lambda key: key)

    def _step(self, one: Neighbour, account: BillingAccount, beside: Neighbour) -> BillingAccount:
        facts = attrs.evolve(one.facts, measured=Asked(), pending=account.pending)
        paper = PaperFacts(
            rates=self.rates,
            method=account.payment_method,
            invoices=facts.invoices,
            beside={**self.subscriptions, beside.subscription.id: beside.subscription},
        )
        at, _ = one.when
        papers = write_up(
            account, [plan(one.subscription, facts, self.policy, at)], paper, self.policy, at, lambda key: key
        )
        one.subscription, one.facts = papers.subscriptions[0], with_papers(facts, papers)
        self.remember(papers, beside)
        return papers.account

    def _next(self, stop: tuple[datetime, str]) -> Neighbour | None:
        """Answer that of which something becomes due first, before an instant and an id."""
        return min((one for one in self.each if one.when < stop), key=lambda one: one.when, default=None)
