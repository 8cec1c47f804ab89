"""What decisions are told of prices, notices and places, for a whole page of subscriptions.

The rules, in plain English:

* It is looked up once for a page, and only where something on the page depends on it: a change of price that concerns
  one of its subscriptions, or a law that wants a notice before one of its charges.
* Which changes of price there are is looked up once for a run, and again when a minute has passed.
* Where customers are at home the shop's own port answers, for each account once.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.reading import all_picked
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.changing.price_moves import concerning
from shopaccounts.subscriptions.facts import Facts
from shopaccounts.subscriptions.laws.notice_rules import NoticeRule, NoticeTrigger
from shopaccounts.subscriptions.laws.notices import rules_for
from shopaccounts.subscriptions.laws.rows import in_force
from shopaccounts.subscriptions.model import BillingAccount, CollectionMode, Subscription
from shopaccounts.subscriptions.notices.agenda import NOTICE_AGENDAS, NoticeAgenda
from shopaccounts.subscriptions.notices.checks import Watched
from shopaccounts.subscriptions.notices.occasions import contract_facts, occasions
from shopaccounts.subscriptions.plans.offers import PhaseKind
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.ports import Jurisdictions, MethodDetails, MethodFacts
from shopaccounts.subscriptions.pricing import PRICE_ANSWERS, PRICE_CHANGES, PriceAnswer, PriceChange, answer_id
from shopaccounts.subscriptions.states import Lifecycle

__all__ = ["Known", "Lookups", "PriceList", "method_of"]

_MOST_CHANGES: Final = 500
_FRESH_FOR: Final = timedelta(minutes=1)
_BEFORE_CHARGES: Final = frozenset(
    {
        NoticeTrigger.RENEWAL,
        NoticeTrigger.PRE_DEBIT,
        NoticeTrigger.TRIAL_END,
        NoticeTrigger.INTRO_END,
        NoticeTrigger.TERM_END,
    }
)


@attrs.define
class PriceList:
    """The changes of price that a run knows, and since when."""

    changes: tuple[PriceChange, ...] = ()
    read_at: datetime | None = None


def method_of(subscription: Subscription, account: BillingAccount) -> str | None:
    """Answer what a subscription is charged to; None where nothing is charged automatically."""
    if account.collection_mode is CollectionMode.SEND_INVOICE:
        return None
    return subscription.payment_method or account.payment_method


@attrs.frozen(kw_only=True)
class Known:
    """What is known for the subscriptions of a page.

    Args:
        changes: The changes of price that were announced.
        answers: What customers said to them, by subscription.
        agendas: What was sent, by subscription.
        places: Where accounts are at home, by their id.
        methods: What is known of payment methods.
        asked: What laws want before a charge, by subscription.
    """

    changes: tuple[PriceChange, ...] = ()
    answers: Mapping[str, tuple[PriceAnswer, ...]] = MappingProxyType({})
    agendas: Mapping[str, NoticeAgenda] = MappingProxyType({})
    places: Mapping[str, str] = MappingProxyType({})
    methods: Mapping[str, MethodFacts] = MappingProxyType({})
    asked: Mapping[str, tuple[NoticeRule, ...]] = MappingProxyType({})

    def facts(self, subscription: Subscription, facts: Facts) -> Facts:
        """Answer what a decision about a subscription is told, with what is known here."""
        if not self.changes:
            return facts
        agenda = self.agendas.get(subscription.id)
        return attrs.evolve(
            facts,
            price_changes=self.changes,
            price_answers=self.answers.get(subscription.id, ()),
            notices=agenda.sent if agenda else (),
            place=self.places.get(subscription.account, ""),
        )

    def watched(
        self, subscriptions: Iterable[Subscription], accounts: Mapping[str, BillingAccount], policy: SubscriptionPolicy
    ) -> Mapping[str, Watched]:
        """Answer what laws want to be announced before the charges of subscriptions.

        Args:
            subscriptions: As they were stored.
            accounts: Whose they are.
            policy: How the shop bills.
        """
        if not self.asked:
            return _NOTHING_WATCHED
        found = (self._watched(one, accounts[one.account], policy) for one in subscriptions if one.id in self.asked)
        return {one.subscription: one for one in found if one.rules}

    def _watched(self, one: Subscription, account: BillingAccount, policy: SubscriptionPolicy) -> Watched:
        method = method_of(one, account)
        details, at = self.methods.get(method or ""), one.due_at or one.created_at
        expected = occasions(one, Facts(has_method=method is not None), policy, details, at)
        contract = contract_facts(one, details, has_method=method is not None)
        place, rules = self.places.get(one.account, ""), self.asked[one.id]
        days = {NoticeTrigger.PRE_DEBIT: local_date(at, one.zone)} if method is not None else {}
        days |= {each.trigger: local_date(each.at, one.zone) for each in expected if each.trigger in _BEFORE_CHARGES}
        agenda = self.agendas.get(one.id)
        return Watched(
            subscription=one.id,
            customer=one.customer,
            account=one.account,
            zone=one.zone,
            rules=tuple(
                (trigger, rule)
                for trigger, day in days.items()
                for rule in rules_for(rules, place, day, trigger, contract)
            ),
            expected=expected,
            sent=agenda.sent if agenda else (),
        )


_NOTHING_WATCHED: Final[Mapping[str, Watched]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Lookups:
    """Looks up what decisions about a page of subscriptions are told.

    Args:
        desk: Whose books.
        jurisdictions: Where customers are at home.
        details: What payment methods are.
        policy: Which laws the shop follows.
    """

    desk: Desk
    jurisdictions: Jurisdictions
    details: MethodDetails
    policy: SubscriptionPolicy

    async def prices(self, known: PriceList, now: datetime) -> tuple[PriceChange, ...]:
        """Answer the changes of price, looked up anew if that was a while ago."""
        if known.read_at is None or now - known.read_at > _FRESH_FOR:
            store = str(self.desk.scope.store)
            records = self.desk.records
            rows = await got(records.rows(PRICE_CHANGES, "store", store, None, _MOST_CHANGES, newest_first=True))
            known.changes, known.read_at = rows.items, now
        return known.changes

    async def known(
        self,
        subscriptions: Sequence[Subscription],
        accounts: Mapping[str, BillingAccount],
        changes: tuple[PriceChange, ...],
    ) -> Known:
        """Look up what the decisions of a page depend on.

        Args:
            subscriptions: Those of the page; at most 1,000.
            accounts: Whose they are, by id.
            changes: The changes of price there are.
        """
        priced = {one.id: mine for one in subscriptions if changes and (mine := concerning(one, changes))}
        places = await self._places(subscriptions)
        asked = self._asked(subscriptions, places)
        wanted = sorted(priced.keys() | asked.keys())
        agendas = await got(self.desk.records.pick(NOTICE_AGENDAS, wanted)) if wanted else ()
        charged = [one for one in subscriptions if one.id in asked]
        return Known(
            changes=changes if priced else (),
            answers=await self.answers(priced),
            agendas={one.id: one for one in agendas},
            places=places,
            methods=await self.methods(charged, accounts),
            asked=asked,
        )

    async def _places(self, subscriptions: Sequence[Subscription]) -> Mapping[str, str]:
        days = {one.account: _due_on(one) for one in subscriptions}
        return {account: await got(self.jurisdictions.of(account, day)) for account, day in days.items()}

    def _asked(
        self, subscriptions: Sequence[Subscription], places: Mapping[str, str]
    ) -> Mapping[str, tuple[NoticeRule, ...]]:
        """Answer which laws may want a notice before a charge of these subscriptions."""
        laws = tuple(rule for rule in self.policy.notices.laws if rule.triggers & _BEFORE_CHARGES)
        holding: dict[tuple[str, date], tuple[NoticeRule, ...]] = {}
        asked = {}
        for one in subscriptions:
            where = places[one.account], _due_on(one)
            if where not in holding:
                holding[where] = in_force(laws, *where)
            triggers = _triggers(one)
            if mine := tuple(rule for rule in holding[where] if rule.triggers & triggers):
                asked[one.id] = mine
        return asked

    async def answers(self, priced: Mapping[str, Sequence[PriceChange]]) -> Mapping[str, tuple[PriceAnswer, ...]]:
        """Answer what customers said to changes of price.

        Args:
            priced: The changes that concern each subscription.
        """
        ids = [answer_id(id, change.id) for id, changes in priced.items() for change in changes]
        answers: dict[str, tuple[PriceAnswer, ...]] = {}
        for one in (await all_picked(self.desk.records, PRICE_ANSWERS, ids)).values():
            answers[one.subscription] = (*answers.get(one.subscription, ()), one)
        return answers

    async def methods(
        self, subscriptions: Sequence[Subscription], accounts: Mapping[str, BillingAccount]
    ) -> Mapping[str, MethodFacts]:
        """Answer what is known of what subscriptions are charged to."""
        named = dict.fromkeys(method_of(one, accounts[one.account]) for one in subscriptions)
        names = [name for name in named if name is not None]
        found = await got(self.details.details(names)) if names else ()
        return {name: facts for name, facts in zip(names, found, strict=True) if facts is not None}


def _due_on(subscription: Subscription) -> date:
    return local_date(subscription.due_at or subscription.created_at, subscription.zone)


def _triggers(subscription: Subscription) -> frozenset[NoticeTrigger]:
    """Answer what can be announced of a subscription before its next charge."""
    if subscription.lifecycle is Lifecycle.TRIALING:
        return frozenset({NoticeTrigger.TRIAL_END, NoticeTrigger.PRE_DEBIT})
    if subscription.lifecycle is Lifecycle.PAUSED:
        return frozenset({NoticeTrigger.PRE_DEBIT})
    if subscription.lifecycle is not Lifecycle.ACTIVE:
        return frozenset()
    has_intro = any(phase.kind is PhaseKind.INTRO for phase in subscription.terms.phases)
    return _BEFORE_CHARGES if has_intro else _BOUND if subscription.term else _PLAIN


_PLAIN: Final = frozenset({NoticeTrigger.RENEWAL, NoticeTrigger.PRE_DEBIT})
_BOUND: Final = _PLAIN | {NoticeTrigger.TERM_END}
