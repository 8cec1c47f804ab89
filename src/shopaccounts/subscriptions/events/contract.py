"""What happened to a subscription; ids, amounts and closed words. Who did it stands on the envelope.

The rules, in plain English:

* Each step of a subscription's life is told by exactly one event; ``STEPS`` says by which. Whatever else is told tells
  of something else.
* ``at`` is the business instant: the boundary at which a period began, not the hour in which somebody looked. After an
  outage events are told in the order of the business.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.money import Money
from shopaccounts.subscriptions.states import Trigger

__all__ = [
    "STEPS",
    "BillingDayMoved",
    "CancellationPlanned",
    "CancellationSubmitted",
    "CancellationUndone",
    "ChangeScheduled",
    "CycleEdited",
    "CycleRescheduled",
    "CycleSkipped",
    "CycleUnskipped",
    "CyclesLapsed",
    "FirstPaymentExpired",
    "FrequencyChanged",
    "HoldResolved",
    "OverrideDropped",
    "PlanChanged",
    "QuantityChanged",
    "ScheduledChangeDropped",
    "SubscriptionActivated",
    "SubscriptionCanceled",
    "SubscriptionDoubled",
    "SubscriptionEvent",
    "SubscriptionExpired",
    "SubscriptionHeld",
    "SubscriptionPaused",
    "SubscriptionReactivated",
    "SubscriptionRenewed",
    "SubscriptionResumed",
    "SubscriptionStarted",
    "TermsAccepted",
    "TrialConverted",
    "TrialEnding",
    "TrialLapsed",
    "TrialStarted",
    "WithdrawalConfirmed",
    "ZoneChanged",
]


@attrs.frozen(kw_only=True)
class SubscriptionEvent(Event):
    """Something that happened to one subscription of a customer."""

    account: AccountId
    subscription: str


@attrs.frozen(kw_only=True)
class _CycleEvent(SubscriptionEvent):
    """Something about one cycle, which is number *index* and lies in the subscription's segment number *segment*."""

    segment: int
    index: int


# How it begins


@attrs.frozen(kw_only=True)
class SubscriptionStarted(SubscriptionEvent):
    """There is a subscription that doesn't run yet: *lifecycle* is ``pending``, or ``incomplete`` until it is paid."""

    name: ClassVar[str] = "subscriptions.subscription_started"
    plan: str
    lifecycle: str


@attrs.frozen(kw_only=True)
class TrialStarted(SubscriptionEvent):
    """A subscription runs on trial until *ends_at*."""

    name: ClassVar[str] = "subscriptions.trial_started"
    plan: str
    ends_at: datetime


@attrs.frozen(kw_only=True)
class TrialEnding(SubscriptionEvent):
    """A trial ends soon; told once for each end."""

    name: ClassVar[str] = "subscriptions.trial_ending"
    ends_at: datetime


@attrs.frozen(kw_only=True)
class TrialConverted(SubscriptionEvent):
    """A trial ended, and the subscription runs on."""

    name: ClassVar[str] = "subscriptions.trial_converted"
    plan: str


@attrs.frozen(kw_only=True)
class TrialLapsed(SubscriptionEvent):
    """A trial ended, and the subscription with it, since nothing can pay for it."""

    name: ClassVar[str] = "subscriptions.trial_lapsed"


@attrs.frozen(kw_only=True)
class SubscriptionActivated(SubscriptionEvent):
    """A subscription runs, from its first day or since its first payment."""

    name: ClassVar[str] = "subscriptions.subscription_activated"
    plan: str


@attrs.frozen(kw_only=True)
class FirstPaymentExpired(SubscriptionEvent):
    """Nobody made the first payment in time; the subscription never ran."""

    name: ClassVar[str] = "subscriptions.first_payment_expired"
    invoice: str


@attrs.frozen(kw_only=True)
class TermsAccepted(SubscriptionEvent):
    """A customer accepted the terms of a subscription; *plan* is the version of the plan that they are of."""

    name: ClassVar[str] = "subscriptions.terms_accepted"
    plan: str


# Its cycles


@attrs.frozen(kw_only=True)
class SubscriptionRenewed(_CycleEvent):
    """The next cycle began."""

    name: ClassVar[str] = "subscriptions.subscription_renewed"


@attrs.frozen(kw_only=True)
class CycleSkipped(_CycleEvent):
    """A customer leaves a cycle out."""

    name: ClassVar[str] = "subscriptions.cycle_skipped"


@attrs.frozen(kw_only=True)
class CycleUnskipped(_CycleEvent):
    """A customer wants a cycle after all."""

    name: ClassVar[str] = "subscriptions.cycle_unskipped"


@attrs.frozen(kw_only=True)
class CycleRescheduled(_CycleEvent):
    """The beginning of one cycle was moved, or moved back, to the day *on*; the others stay."""

    name: ClassVar[str] = "subscriptions.cycle_rescheduled"
    on: date


@attrs.frozen(kw_only=True)
class CycleEdited(_CycleEvent):
    """One cycle holds something else than the others."""

    name: ClassVar[str] = "subscriptions.cycle_edited"


@attrs.frozen(kw_only=True)
class CyclesLapsed(_CycleEvent):
    """The cycles from *index* to *last* passed while nothing ran, and are neither billed nor delivered."""

    name: ClassVar[str] = "subscriptions.cycles_lapsed"
    last: int


@attrs.frozen(kw_only=True)
class OverrideDropped(_CycleEvent):
    """What was different about a cycle no longer is, since cycles count anew; *kind*: ``skip``, ``move``, ``edit``."""

    name: ClassVar[str] = "subscriptions.override_dropped"
    kind: str


# Its changes


@attrs.frozen(kw_only=True)
class PlanChanged(SubscriptionEvent):
    """A subscription has another version of a plan, or of another plan; or another product within the same plan.

    *line*, *product* and *former_product* say what is delivered instead of what; they are empty where that is the same.
    """

    name: ClassVar[str] = "subscriptions.plan_changed"
    plan: str
    former_plan: str
    line: str = ""
    product: str = ""
    former_product: str = ""


@attrs.frozen(kw_only=True)
class QuantityChanged(SubscriptionEvent):
    """There is more or less of a line; an add-on that came had none before, and one that went has none now."""

    name: ClassVar[str] = "subscriptions.quantity_changed"
    line: str
    quantity: int
    former_quantity: int


@attrs.frozen(kw_only=True)
class FrequencyChanged(SubscriptionEvent):
    """Cycles have another length, told as ``P1M`` for a month."""

    name: ClassVar[str] = "subscriptions.frequency_changed"
    interval: str
    former_interval: str


@attrs.frozen(kw_only=True)
class BillingDayMoved(SubscriptionEvent):
    """Cycles begin on another day, in a new segment from *starts_on* on."""

    name: ClassVar[str] = "subscriptions.billing_day_moved"
    segment: int
    starts_on: date


@attrs.frozen(kw_only=True)
class ZoneChanged(SubscriptionEvent):
    """A subscription's days begin where those of another time zone do, in a new segment from *starts_on* on."""

    name: ClassVar[str] = "subscriptions.zone_changed"
    segment: int
    starts_on: date


@attrs.frozen(kw_only=True)
class ChangeScheduled(SubscriptionEvent):
    """Something is planned for *takes_effect_at*; *kind* is ``change``, ``pause`` or ``resume``."""

    name: ClassVar[str] = "subscriptions.change_scheduled"
    kind: str
    takes_effect_at: datetime


@attrs.frozen(kw_only=True)
class ScheduledChangeDropped(SubscriptionEvent):
    """What was planned for *takes_effect_at* won't happen; *kind* is ``change``, ``pause`` or ``resume``."""

    name: ClassVar[str] = "subscriptions.scheduled_change_dropped"
    kind: str
    takes_effect_at: datetime


# How it rests and ends


@attrs.frozen(kw_only=True)
class SubscriptionPaused(SubscriptionEvent):
    """A subscription rests, for *reason* ``asked``, ``trial`` or ``unpaid``; for ever without *until*."""

    name: ClassVar[str] = "subscriptions.subscription_paused"
    reason: str
    until: datetime | None


@attrs.frozen(kw_only=True)
class SubscriptionResumed(SubscriptionEvent):
    """A subscription that rested runs again."""

    name: ClassVar[str] = "subscriptions.subscription_resumed"


@attrs.frozen(kw_only=True)
class CancellationPlanned(SubscriptionEvent):
    """A subscription will end at *ends_at*."""

    name: ClassVar[str] = "subscriptions.cancellation_scheduled"
    ends_at: datetime


@attrs.frozen(kw_only=True)
class CancellationUndone(SubscriptionEvent):
    """A subscription that was to end at *ends_at* goes on."""

    name: ClassVar[str] = "subscriptions.cancellation_undone"
    ends_at: datetime


@attrs.frozen(kw_only=True)
class SubscriptionCanceled(SubscriptionEvent):
    """A subscription ended; *voluntary* if the customer wanted it, with a closed word for the *reason*."""

    name: ClassVar[str] = "subscriptions.subscription_canceled"
    reason: str
    voluntary: bool


@attrs.frozen(kw_only=True)
class SubscriptionExpired(SubscriptionEvent):
    """A subscription ended with its term."""

    name: ClassVar[str] = "subscriptions.subscription_expired"


@attrs.frozen(kw_only=True)
class SubscriptionReactivated(SubscriptionEvent):
    """A customer came back: a subscription that had ended runs again, in a new segment."""

    name: ClassVar[str] = "subscriptions.subscription_reactivated"
    segment: int


@attrs.frozen(kw_only=True)
class SubscriptionHeld(SubscriptionEvent):
    """A subscription waits for a decision of the shop, and isn't billed meanwhile; *reason* is a closed word."""

    name: ClassVar[str] = "subscriptions.subscription_held"
    reason: str


@attrs.frozen(kw_only=True)
class SubscriptionDoubled(SubscriptionEvent):
    """Two customers became one, who has two live subscriptions of one group now: this one came, *other* was there."""

    name: ClassVar[str] = "subscriptions.subscription_doubled"
    other: str


@attrs.frozen(kw_only=True)
class HoldResolved(SubscriptionEvent):
    """The shop decided: *decision* is ``each``, ``collapse``, ``latest_only`` or ``waive``."""

    name: ClassVar[str] = "subscriptions.hold_resolved"
    decision: str


@attrs.frozen(kw_only=True)
class CancellationSubmitted(Event):
    """Somebody handed in a cancellation; without a *subscription* the shop's people have to look whose it is."""

    name: ClassVar[str] = "subscriptions.cancellation_submitted"
    statement: str
    account: AccountId | None
    subscription: str | None


@attrs.frozen(kw_only=True)
class WithdrawalConfirmed(SubscriptionEvent):
    """A customer withdrew from a contract; *amount* is what is paid back."""

    name: ClassVar[str] = "subscriptions.withdrawal_confirmed"
    statement: str
    amount: Money


STEPS: Final[Mapping[Trigger, type[SubscriptionEvent]]] = MappingProxyType(
    {
        Trigger.SUBSCRIBED_LATER: SubscriptionStarted,
        Trigger.SUBSCRIBED_UNPAID: SubscriptionStarted,
        Trigger.SUBSCRIBED_TRIAL: TrialStarted,
        Trigger.SUBSCRIBED: SubscriptionActivated,
        Trigger.STARTED_UNPAID: SubscriptionStarted,
        Trigger.STARTED_TRIAL: TrialStarted,
        Trigger.STARTED: SubscriptionActivated,
        Trigger.FIRST_PAID: SubscriptionActivated,
        Trigger.FIRST_PAID_TRIAL: TrialStarted,
        Trigger.FIRST_UNPAID_EXPIRED: FirstPaymentExpired,
        Trigger.TRIAL_CONVERTED: TrialConverted,
        Trigger.TRIAL_PAUSED: SubscriptionPaused,
        Trigger.TRIAL_LAPSED: TrialLapsed,
        Trigger.PAUSED: SubscriptionPaused,
        Trigger.RESUMED: SubscriptionResumed,
        Trigger.CANCELED: SubscriptionCanceled,
        Trigger.CANCEL_REACHED: SubscriptionCanceled,
        Trigger.GAVE_UP: SubscriptionCanceled,
        Trigger.GAVE_UP_PAUSED: SubscriptionPaused,
        Trigger.TERM_ENDED: SubscriptionExpired,
        Trigger.REACTIVATED: SubscriptionReactivated,
    }
)
"""By which event each step of the lifecycle is told."""
