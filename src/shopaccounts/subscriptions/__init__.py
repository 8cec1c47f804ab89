"""Subscriptions: the right amount on the right local day, never twice, also after a week of downtime.

What a shop sells again and again is a plan. What a customer agreed on is a subscription: cycles that count from an
anchor and never drift, phases, discounts, terms. What is due is billed by a run that may come late, often, or from
many workers at once; what is owed is an invoice, and what pays it an intent that outlives every crash.
"""

from shopaccounts.subscriptions.billing_run import BillingFailure, BillingRun, RunReport
from shopaccounts.subscriptions.boxes import Boxes
from shopaccounts.subscriptions.cancellations import Cancellations
from shopaccounts.subscriptions.cancelling import CancelWish
from shopaccounts.subscriptions.change_requests import Changed, How
from shopaccounts.subscriptions.changes import When
from shopaccounts.subscriptions.changing import Changing
from shopaccounts.subscriptions.clerk_acts import CLERK_ACTS, ActKind, ClerkAct
from shopaccounts.subscriptions.clerk_work import Acted, ActPage, Clerks
from shopaccounts.subscriptions.clerking import BillingDesk
from shopaccounts.subscriptions.collecting import Collecting, CollectReport, MethodChanged
from shopaccounts.subscriptions.cycle_content import CycleContent
from shopaccounts.subscriptions.declaring import Statements
from shopaccounts.subscriptions.deliveries import SUBSCRIPTION_DELIVERIES
from shopaccounts.subscriptions.delivering import DELIVERY_ROUNDS
from shopaccounts.subscriptions.delivery_run import DeliveryFailure, DeliveryReport
from shopaccounts.subscriptions.desk_work import Done, Office
from shopaccounts.subscriptions.document_desk import DocumentDesk
from shopaccounts.subscriptions.documents import BALANCE_ENTRIES, CREDIT_NOTES, CYCLES, INVOICES
from shopaccounts.subscriptions.holds import HoldMode
from shopaccounts.subscriptions.importing import RunningElsewhere
from shopaccounts.subscriptions.known import Lookups
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription
from shopaccounts.subscriptions.notice_agenda import NOTICE_AGENDAS
from shopaccounts.subscriptions.notice_letters import NoticeLetters
from shopaccounts.subscriptions.notices import SENT_NOTICES
from shopaccounts.subscriptions.notifying import BillingNotices, NoticeReport
from shopaccounts.subscriptions.pauses import Pauses
from shopaccounts.subscriptions.pausing import PauseWish
from shopaccounts.subscriptions.payments import INTENTS
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import (
    Gateway,
    Jurisdictions,
    MethodDetails,
    MethodFacts,
    PaymentMethods,
    Plans,
    Taxes,
    Usage,
)
from shopaccounts.subscriptions.price_changing import OpenPriceChange, Prices
from shopaccounts.subscriptions.pricing import PRICE_ANSWERS, PRICE_CHANGES
from shopaccounts.subscriptions.stand_ins import BillingPorts
from shopaccounts.subscriptions.statement_letters import StatementLetters
from shopaccounts.subscriptions.statements import (
    CANCELLATION_STATEMENTS,
    WITHDRAWAL_STATEMENTS,
    CancellationForm,
    CancellationKind,
    StatementReceipt,
    WithdrawalForm,
)
from shopaccounts.subscriptions.subscribing import (
    ActionNeeded,
    Order,
    PaymentPending,
    Preview,
    Subscribed,
    Subscribing,
)
from shopaccounts.subscriptions.subscription_imports import SubscriptionImports
from shopaccounts.subscriptions.sweeping import Sweeping, SweepReport
from shopaccounts.subscriptions.timeline import Upcoming, UpcomingKind
from shopaccounts.subscriptions.trials import TRIALS
from shopaccounts.subscriptions.usage import METERS
from shopaccounts.subscriptions.usage_watch import UsageWatch
from shopaccounts.subscriptions.viewing import InvoicePage, SubscriptionView, Viewing
from shopaccounts.subscriptions.winning_back import Return

__all__ = [
    "ACCOUNTS",
    "BALANCE_ENTRIES",
    "CANCELLATION_STATEMENTS",
    "CLERK_ACTS",
    "CREDIT_NOTES",
    "CYCLES",
    "DELIVERY_ROUNDS",
    "INTENTS",
    "INVOICES",
    "METERS",
    "NOTICE_AGENDAS",
    "PRICE_ANSWERS",
    "PRICE_CHANGES",
    "SENT_NOTICES",
    "SUBSCRIPTIONS",
    "SUBSCRIPTION_DELIVERIES",
    "TRIALS",
    "WITHDRAWAL_STATEMENTS",
    "ActKind",
    "ActPage",
    "Acted",
    "ActionNeeded",
    "BillingAccount",
    "BillingDesk",
    "BillingFailure",
    "BillingNotices",
    "BillingPorts",
    "BillingRun",
    "Boxes",
    "CancelWish",
    "CancellationForm",
    "CancellationKind",
    "Cancellations",
    "Changed",
    "Changing",
    "ClerkAct",
    "Clerks",
    "CollectReport",
    "Collecting",
    "CycleContent",
    "DeliveryFailure",
    "DeliveryReport",
    "DocumentDesk",
    "Done",
    "Gateway",
    "HoldMode",
    "How",
    "InvoicePage",
    "Jurisdictions",
    "Lookups",
    "MethodChanged",
    "MethodDetails",
    "MethodFacts",
    "NoticeLetters",
    "NoticeReport",
    "Office",
    "OpenPriceChange",
    "Order",
    "PauseWish",
    "Pauses",
    "PaymentMethods",
    "PaymentPending",
    "Plans",
    "Preview",
    "Prices",
    "Return",
    "RunReport",
    "RunningElsewhere",
    "StatementLetters",
    "StatementReceipt",
    "Statements",
    "Subscribed",
    "Subscribing",
    "Subscription",
    "SubscriptionImports",
    "SubscriptionPolicy",
    "SubscriptionView",
    "SweepReport",
    "Sweeping",
    "Taxes",
    "Upcoming",
    "UpcomingKind",
    "Usage",
    "UsageWatch",
    "Viewing",
    "When",
    "WithdrawalForm",
]
