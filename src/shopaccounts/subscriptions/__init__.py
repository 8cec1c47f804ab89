"""Subscriptions: the right amount on the right local day, never twice, also after a week of downtime.

What a shop sells again and again is a plan. What a customer agreed on is a subscription: cycles that count from an
anchor and never drift, phases, discounts, terms. What is due is billed by a run that may come late, often, or from
many workers at once; what is owed is an invoice, and what pays it an intent that outlives every crash.
"""

from shopaccounts.subscriptions.announcing.letters import NoticeLetters
from shopaccounts.subscriptions.announcing.notifying import BillingNotices, NoticeReport
from shopaccounts.subscriptions.announcing.price_changing import OpenPriceChange, Prices
from shopaccounts.subscriptions.announcing.timeline import Upcoming, UpcomingKind
from shopaccounts.subscriptions.boxes.delivering import DELIVERY_ROUNDS
from shopaccounts.subscriptions.boxes.listing import SUBSCRIPTION_DELIVERIES
from shopaccounts.subscriptions.boxes.rounds import DeliveryReport
from shopaccounts.subscriptions.boxes.usecases import Boxes
from shopaccounts.subscriptions.changing.changes import When
from shopaccounts.subscriptions.charges.usage import METERS
from shopaccounts.subscriptions.collecting.usecases import Collecting, CollectReport, MethodChanged
from shopaccounts.subscriptions.desk.acts import CLERK_ACTS, ActKind, ClerkAct
from shopaccounts.subscriptions.desk.clerking import BillingDesk
from shopaccounts.subscriptions.desk.document_desk import DocumentDesk
from shopaccounts.subscriptions.desk.holds import HoldMode
from shopaccounts.subscriptions.desk.imports import SubscriptionImports
from shopaccounts.subscriptions.desk.work import Acted, ActPage, Clerks
from shopaccounts.subscriptions.entitlements import Entitlement, EntitlementReason, entitlement
from shopaccounts.subscriptions.failures import BillingFailure
from shopaccounts.subscriptions.guards import Allowed, Operation, Refusal
from shopaccounts.subscriptions.laws.notices import SENT_NOTICES
from shopaccounts.subscriptions.leaving.cancelling import CancelWish
from shopaccounts.subscriptions.leaving.statements import (
    CANCELLATION_STATEMENTS,
    WITHDRAWAL_STATEMENTS,
    CancellationForm,
    CancellationKind,
    StatementReceipt,
    WithdrawalForm,
)
from shopaccounts.subscriptions.leaving.winning_back import Return
from shopaccounts.subscriptions.lifecycle.campaigns import CAMPAIGN_USES
from shopaccounts.subscriptions.lifecycle.importing import RunningElsewhere
from shopaccounts.subscriptions.lifecycle.trial_cycles import trial_periods
from shopaccounts.subscriptions.lifecycle.trials import TRIALS
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, CutLine, PastDue, Subscription
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS
from shopaccounts.subscriptions.office.desk_work import Done, Office
from shopaccounts.subscriptions.office.known import Lookups
from shopaccounts.subscriptions.office.last_run import LAST_RUNS
from shopaccounts.subscriptions.owners.following import HEARD, Following
from shopaccounts.subscriptions.owners.handing_over import HandingOver
from shopaccounts.subscriptions.owners.records import CustomerRecords, KeptOfCustomer
from shopaccounts.subscriptions.owners.stakes import Stakes
from shopaccounts.subscriptions.papers.documents import BALANCE_ENTRIES, CREDIT_NOTES, CYCLES, INVOICES
from shopaccounts.subscriptions.pausing.cycle_content import CycleContent
from shopaccounts.subscriptions.pausing.pauses import PauseWish
from shopaccounts.subscriptions.payments.intents import INTENTS
from shopaccounts.subscriptions.planning.possibilities import allowed_operations
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
from shopaccounts.subscriptions.pricing import (
    PRICE_ANSWERS,
    PRICE_CHANGES,
    Consent,
    Deferral,
    Deferred,
    Moves,
    PriceChange,
    PriceMoment,
    decide_price_change,
    may_move_from,
)
from shopaccounts.subscriptions.requests import SUBSCRIPTION_REQUESTS
from shopaccounts.subscriptions.scheduled import CancelAt, Scheduled
from shopaccounts.subscriptions.stand_ins import BillingPorts
from shopaccounts.subscriptions.states import Collection, Lifecycle, Trigger, moved
from shopaccounts.subscriptions.usecases.billing_run import BillingRun, RunReport
from shopaccounts.subscriptions.usecases.cancellations import Cancellations
from shopaccounts.subscriptions.usecases.change_requests import Changed, How
from shopaccounts.subscriptions.usecases.changing import Changing
from shopaccounts.subscriptions.usecases.declaring import Statements
from shopaccounts.subscriptions.usecases.orders import Order
from shopaccounts.subscriptions.usecases.pauses import Pauses
from shopaccounts.subscriptions.usecases.statement_letters import StatementLetters
from shopaccounts.subscriptions.usecases.subscribing import (
    ActionNeeded,
    PaymentPending,
    Preview,
    Subscribed,
    Subscribing,
)
from shopaccounts.subscriptions.usecases.sweeping import Sweeping, SweepReport
from shopaccounts.subscriptions.usecases.usage_watch import UsageWatch
from shopaccounts.subscriptions.usecases.viewing import InvoicePage, SubscriptionView, Viewing

__all__ = [
    "ACCOUNTS",
    "BALANCE_ENTRIES",
    "CAMPAIGN_USES",
    "CANCELLATION_STATEMENTS",
    "CLERK_ACTS",
    "CREDIT_NOTES",
    "CYCLES",
    "DELIVERY_ROUNDS",
    "HEARD",
    "INTENTS",
    "INVOICES",
    "LAST_RUNS",
    "METERS",
    "NOTICE_AGENDAS",
    "PRICE_ANSWERS",
    "PRICE_CHANGES",
    "SENT_NOTICES",
    "SUBSCRIPTIONS",
    "SUBSCRIPTION_DELIVERIES",
    "SUBSCRIPTION_REQUESTS",
    "TRIALS",
    "WITHDRAWAL_STATEMENTS",
    "ActKind",
    "ActPage",
    "Acted",
    "ActionNeeded",
    "Allowed",
    "BillingAccount",
    "BillingDesk",
    "BillingFailure",
    "BillingNotices",
    "BillingPorts",
    "BillingRun",
    "Boxes",
    "CancelAt",
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
    "Collection",
    "Consent",
    "CustomerRecords",
    "CutLine",
    "CycleContent",
    "Deferral",
    "Deferred",
    "DeliveryReport",
    "DocumentDesk",
    "Done",
    "Entitlement",
    "EntitlementReason",
    "Following",
    "Gateway",
    "HandingOver",
    "HoldMode",
    "How",
    "InvoicePage",
    "Jurisdictions",
    "KeptOfCustomer",
    "Lifecycle",
    "Lookups",
    "MethodChanged",
    "MethodDetails",
    "MethodFacts",
    "Moves",
    "NoticeLetters",
    "NoticeReport",
    "Office",
    "OpenPriceChange",
    "Operation",
    "Order",
    "PastDue",
    "PauseWish",
    "Pauses",
    "PaymentMethods",
    "PaymentPending",
    "Plans",
    "Preview",
    "PriceChange",
    "PriceMoment",
    "Prices",
    "Refusal",
    "Return",
    "RunReport",
    "RunningElsewhere",
    "Scheduled",
    "Stakes",
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
    "Trigger",
    "Upcoming",
    "UpcomingKind",
    "Usage",
    "UsageWatch",
    "Viewing",
    "When",
    "WithdrawalForm",
    "allowed_operations",
    "decide_price_change",
    "entitlement",
    "may_move_from",
    "moved",
    "trial_periods",
]
