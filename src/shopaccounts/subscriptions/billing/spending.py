"""What cycles have cost so far, kept where each must cost something at least.

The rules, in plain English:

* What is paid in advance counts for the cycle that it is for, after discounts; so does what a change charges or takes
  back. The fee for setting up doesn't.
* It is kept of the running cycle, and of each that was paid together with others.
"""

from collections.abc import Sequence

import attrs

from shopaccounts.kernel.money import Money, total
from shopaccounts.subscriptions.model import Subscription
from shopaccounts.subscriptions.papers.lines import LineDraft, LineKind
from shopaccounts.subscriptions.plans.agreed import PrepaidCycles

__all__ = ["cost_of", "spent_in", "with_spent"]


def cost_of(subscription: Subscription, lines: Sequence[LineDraft]) -> Money:
    """Answer what lines come to, after discounts and without the fee for setting up."""
    return total((line.base for line in lines if line.kind is not LineKind.SETUP_FEE), subscription.currency)


def spent_in(subscription: Subscription, index: int) -> Money:
    """Answer what a cycle that runs, or was paid with others, has cost so far; nothing where that isn't kept.

    Args:
        subscription: Whose.
        index: Which cycle.
    """
    run = subscription.prepaid
    if run is not None and run.spent and run.holds(index):
        return run.spent[index - run.first]
    return Money.zero(subscription.currency) if subscription.spent is None else subscription.spent


def with_spent(subscription: Subscription, lines: Sequence[LineDraft]) -> Subscription:
    """Answer a subscription whose cycles have cost so much more, where that is kept.

    Args:
        subscription: Whose.
        lines: What was billed, or taken back, for the running cycle or for those that were paid with others.
    """
    if subscription.terms.minimum is None:
        return subscription.but(spent=None)
    run, before = subscription.prepaid, subscription.spent
    ahead = [line for line in lines if run and run.spent and line.cycle and run.holds(line.cycle.index)]
    rest = [line for line in lines if line not in ahead]
    spent = None if before is None else before + cost_of(subscription, rest)
    return subscription.but(spent=spent, prepaid=_dearer(subscription, run, ahead) if run and ahead else run)


def _dearer(subscription: Subscription, run: PrepaidCycles, lines: Sequence[LineDraft]) -> PrepaidCycles:
    """Answer cycles that were paid together of which some have cost more."""

    def added(index: int) -> Money:
        return cost_of(subscription, [line for line in lines if line.cycle and line.cycle.index == index])

    return attrs.evolve(run, spent=tuple(one + added(index) for index, one in enumerate(run.spent, run.first)))
