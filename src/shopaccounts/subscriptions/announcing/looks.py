"""One look at a subscription: what can be announced now, what was missed, and when to look again.

The rules, in plain English:

* What is announced is asked of the subscription as it is now: what was moved meanwhile is announced for its new day.
* Whoever looks comes back when the next window opens, and after a day at the latest.
* A subscription that is over is looked at as long as its customer can come back, and then no more.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.kernel.events import Event
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.announcing.amounts import if_agreed
from shopaccounts.subscriptions.events import NoticeMissed
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import ContractFacts, NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import Missed, due_notices, judge, notice_window, rules_for
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.notices.agenda import LOOK_AGAIN, NoticeAgenda, WaitingCharge
from shopaccounts.subscriptions.notices.occasions import Occasion
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED

__all__ = ["ABOUT_CHARGES", "DueLetter", "Look", "letters_for_charges", "look_again", "look_at", "whose"]

ABOUT_CHARGES: Final = frozenset(
    {NoticeTrigger.RENEWAL, NoticeTrigger.PRE_DEBIT, NoticeTrigger.PAYMENT_METHOD_EXPIRING}
)
"""What needs no letter where nothing is charged."""
_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class DueLetter:
    """A letter that is to be written.

    Args:
        occasion: What it announces.
        rules: Which rules it serves.
        facts: With what its amounts are computed.
        waiting: The charge that waits for it, if one does.
    """

    occasion: Occasion
    rules: tuple[NoticeRule, ...]
    facts: Facts
    waiting: WaitingCharge | None = None


@attrs.frozen(kw_only=True)
class Look:
    """What one look at a subscription found.

    Args:
        agenda: Its agenda, as it is stored.
        subscription: As it is stored.
        account: Who pays.
        due: The letters that are to be written now.
        missed: What should have been announced and wasn't.
        opens_at: When the next window opens.
    """

    agenda: NoticeAgenda
    subscription: Subscription
    account: BillingAccount
    due: tuple[DueLetter, ...] = ()
    missed: tuple[Event, ...] = ()
    opens_at: datetime | None = None


def whose(subscription: Subscription) -> dict[str, Any]:
    """Answer what every event about a notice says."""
    return {
        "account": subscription.customer,
        "billing_account": subscription.account,
        "subscription": subscription.id,
    }


def look_at(
    look: Look,
    found: Mapping[Occasion, Facts],
    contract: ContractFacts,
    policy: SubscriptionPolicy,
    now: datetime,
) -> Look:
    """Find out what can be announced now.

    Args:
        look: What is looked at.
        found: What there is to announce, each with the facts that hold where the customer is then.
        contract: What decides which rules concern it.
        policy: Which rules the shop follows.
        now: This instant.
    """
    due: list[DueLetter] = []
    missed: list[Event] = []
    opens: list[datetime] = []
    one = look.subscription
    for occasion, facts in found.items():
        rules = _rules(occasion, one, facts, contract, policy)
        about = occasion.about(look.agenda.sent)
        windows = (notice_window(rule, occasion.at, one.zone).opens_at for rule in rules)
        opens += [at for at in windows if at is not None and at > now]
        missed += _missed(look, occasion, rules, policy, now)
        sendable = due_notices(rules, about, occasion.at, one.zone, now) if occasion.at > now else ()
        if sendable:
            told = if_agreed(one, occasion, facts, rules, now) if occasion.change else facts
            due.append(DueLetter(occasion=occasion, rules=sendable, facts=told))
    return attrs.evolve(look, due=tuple(due), missed=tuple(missed), opens_at=min(opens, default=None))


def _rules(
    occasion: Occasion, one: Subscription, facts: Facts, contract: ContractFacts, policy: SubscriptionPolicy
) -> tuple[NoticeRule, ...]:
    house = (policy.prices.rule,) if occasion.trigger is NoticeTrigger.PRICE_CHANGE else ()
    on = local_date(occasion.at, one.zone)
    return rules_for((*house, *policy.notices.rules), facts.place, on, occasion.trigger, contract)


def _missed(
    look: Look, occasion: Occasion, rules: tuple[NoticeRule, ...], policy: SubscriptionPolicy, now: datetime
) -> Iterator[Event]:
    """Tell what no charge comes with, and should have been announced since somebody looked last."""
    one = look.subscription
    if occasion.trigger is not NoticeTrigger.ANNUAL or not look.agenda.looked_at <= occasion.at < now:
        return
    about = occasion.about(look.agenda.sent)
    for rule in rules:
        if rule in policy.notices.laws and isinstance(judge(rule, about, occasion.at, one.zone, now), Missed):
            yield NoticeMissed(at=now, rule=rule.id, trigger_at=occasion.at, **whose(one))


def letters_for_charges(look: Look, policy: SubscriptionPolicy, facts: Facts) -> tuple[DueLetter, ...]:
    """Answer a letter for each charge that waits for one.

    Args:
        look: What is looked at.
        policy: Which rules the shop follows.
        facts: What is known.
    """
    by_id, index = {rule.id: rule for rule in policy.notices.rules}, look.subscription.billed_to
    return tuple(
        DueLetter(
            occasion=Occasion(trigger=NoticeTrigger.PRE_DEBIT, instance=one.notice, at=one.trigger_at, index=index),
            rules=(by_id[one.rule],),
            facts=facts,
            waiting=one,
        )
        for one in look.agenda.waiting
        if one.rule in by_id
    )


def look_again(look: Look, policy: SubscriptionPolicy, now: datetime) -> datetime | None:
    """Answer when to look again; None for a subscription that is over for good."""
    one = look.subscription
    if one.lifecycle in ENDED:
        over = (one.ended_at or now) + policy.winning_back.window + _DAY
        return now + LOOK_AGAIN if now < over else None
    tomorrow = now + LOOK_AGAIN
    return tomorrow if look.opens_at is None else min(look.opens_at, tomorrow)
