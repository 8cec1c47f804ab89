"""The choices of a shop together."""

import attrs

from shopaccounts.kernel.policy import require
from shopaccounts.subscriptions.plans.offers import Alignment
from shopaccounts.subscriptions.policy.cancelling import CancelPolicy, WinBackPolicy
from shopaccounts.subscriptions.policy.changes import ChangePolicy
from shopaccounts.subscriptions.policy.cycles import CyclePolicy, ProrationPolicy
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy
from shopaccounts.subscriptions.policy.dunning import DunningPolicy
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy, TaxPolicy
from shopaccounts.subscriptions.policy.keeping import KeepingPolicy
from shopaccounts.subscriptions.policy.notices import NoticePolicy
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.policy.pausing import PausePolicy, SkipPolicy
from shopaccounts.subscriptions.policy.pricing import PricePolicy
from shopaccounts.subscriptions.policy.running import CatchUpPolicy, RunPolicy
from shopaccounts.subscriptions.policy.subscribing import SubscribePolicy
from shopaccounts.subscriptions.policy.trials import TrialCycles, TrialPolicy
from shopaccounts.subscriptions.policy.usage import UsagePolicy

__all__ = ["SubscriptionPolicy"]


@attrs.frozen(kw_only=True)
class SubscriptionPolicy:
    """How a shop bills its subscriptions.

    Why these defaults:
        cycles, proration, tax, trials, subscribing, operations: as their own fields say.
        changes, pausing, skipping, cancelling, winning_back, prices: as their own fields say.
        invoices, dunning, catch_up, running, usage, notices: as their own fields say.
        deliveries, keeping: as their own fields say.

    Raises:
        BadPolicy: A trial is cut by the billing days of others, while every subscription has days of its own.
    """

    cycles: CyclePolicy = attrs.field(factory=CyclePolicy)
    proration: ProrationPolicy = attrs.field(factory=ProrationPolicy)
    tax: TaxPolicy = attrs.field(factory=TaxPolicy)
    trials: TrialPolicy = attrs.field(factory=TrialPolicy)
    subscribing: SubscribePolicy = attrs.field(factory=SubscribePolicy)
    operations: OperationPolicy = attrs.field(factory=OperationPolicy)
    changes: ChangePolicy = attrs.field(factory=ChangePolicy)
    pausing: PausePolicy = attrs.field(factory=PausePolicy)
    skipping: SkipPolicy = attrs.field(factory=SkipPolicy)
    cancelling: CancelPolicy = attrs.field(factory=CancelPolicy)
    winning_back: WinBackPolicy = attrs.field(factory=WinBackPolicy)
    prices: PricePolicy = attrs.field(factory=PricePolicy)
    invoices: InvoicePolicy = attrs.field(factory=InvoicePolicy)
    dunning: DunningPolicy = attrs.field(factory=DunningPolicy)
    catch_up: CatchUpPolicy = attrs.field(factory=CatchUpPolicy)
    running: RunPolicy = attrs.field(factory=RunPolicy)
    usage: UsagePolicy = attrs.field(factory=UsagePolicy)
    notices: NoticePolicy = attrs.field(factory=NoticePolicy)
    deliveries: DeliveryPolicy = attrs.field(factory=DeliveryPolicy)
    keeping: KeepingPolicy = attrs.field(factory=KeepingPolicy)

    def __attrs_post_init__(self) -> None:
        cuts = self.trials.cycles is TrialCycles.GRID
        follows = self.cycles.alignment is not Alignment.SUBSCRIPTION
        require(follows or not cuts, "a trial is cut by billing days that the calendar or the customer sets")
