"""How a shop bills its subscriptions: every choice there is, each with its default and where that comes from."""

from shopaccounts.subscriptions.policy.cancelling import CancelPolicy, CancelWhen, WinBackAnchor, WinBackPolicy
from shopaccounts.subscriptions.policy.changes import ChangePolicy, CreditForm, NewInterval, Preset
from shopaccounts.subscriptions.policy.cycles import (
    BoundaryClock,
    ChangeDay,
    CyclePolicy,
    FixedDiscountOnStub,
    ProrationPolicy,
    ZoneFrom,
)
from shopaccounts.subscriptions.policy.deliveries import DeliveryPolicy, LostBox
from shopaccounts.subscriptions.policy.dunning import CountFrom, DunningPolicy, OnExhausted, OnMethodChange, RetryPlan
from shopaccounts.subscriptions.policy.invoicing import InvoicePolicy, PaymentTerms, TaxPolicy, TaxRounding
from shopaccounts.subscriptions.policy.keeping import KeepingPolicy
from shopaccounts.subscriptions.policy.notices import NoticePolicy, house_rule
from shopaccounts.subscriptions.policy.operations import OperationPolicy
from shopaccounts.subscriptions.policy.pausing import AtLimit, OnResume, PauseHow, PausePolicy, SkipPolicy, Unused
from shopaccounts.subscriptions.policy.pricing import OnSilence, PricePolicy
from shopaccounts.subscriptions.policy.running import MOST_PERIODS, CatchUpPolicy, RunPolicy
from shopaccounts.subscriptions.policy.subscribing import FirstPayment, OneLivePer, SubscribePolicy
from shopaccounts.subscriptions.policy.trials import OncePer, OnMissingMethod, TrialChange, TrialCycles, TrialPolicy
from shopaccounts.subscriptions.policy.usage import UsagePolicy
from shopaccounts.subscriptions.policy.whole import SubscriptionPolicy

__all__ = [
    "MOST_PERIODS",
    "AtLimit",
    "BoundaryClock",
    "CancelPolicy",
    "CancelWhen",
    "CatchUpPolicy",
    "ChangeDay",
    "ChangePolicy",
    "CountFrom",
    "CreditForm",
    "CyclePolicy",
    "DeliveryPolicy",
    "DunningPolicy",
    "FirstPayment",
    "FixedDiscountOnStub",
    "InvoicePolicy",
    "KeepingPolicy",
    "LostBox",
    "NewInterval",
    "NoticePolicy",
    "OnExhausted",
    "OnMethodChange",
    "OnMissingMethod",
    "OnResume",
    "OnSilence",
    "OncePer",
    "OneLivePer",
    "OperationPolicy",
    "PauseHow",
    "PausePolicy",
    "PaymentTerms",
    "Preset",
    "PricePolicy",
    "ProrationPolicy",
    "RetryPlan",
    "RunPolicy",
    "SkipPolicy",
    "SubscribePolicy",
    "SubscriptionPolicy",
    "TaxPolicy",
    "TaxRounding",
    "TrialChange",
    "TrialCycles",
    "TrialPolicy",
    "Unused",
    "UsagePolicy",
    "WinBackAnchor",
    "WinBackPolicy",
    "ZoneFrom",
    "house_rule",
]
