"""Passing all that a customer's billing accounts hold to another customer, or to nobody.

The rules, in plain English:

* A usual account passes in one change. A very large one passes in several: amounts, subscriptions and open papers with
  the first, the rest after that, and its row goes with the last. Until then it says to whom it passes, so that whoever
  is interrupted goes on, and whoever comes twice does nothing.
* What somebody decides about the account meanwhile is decided anew: each of these changes is one of the account's, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import CustomerId
from shopaccounts.kernel.reading import all_rows
from shopaccounts.kernel.record import Book, Change, Entity, Removal, Sweep, Write
from shopaccounts.subscriptions.boxes.delivering import DELIVERY_ROUNDS
from shopaccounts.subscriptions.boxes.listing import SUBSCRIPTION_DELIVERIES
from shopaccounts.subscriptions.charges.usage import METERS
from shopaccounts.subscriptions.desk.acts import CLERK_ACTS
from shopaccounts.subscriptions.events import BillingAccountMoved, SubscriptionDoubled
from shopaccounts.subscriptions.leaving.statements import CANCELLATION_STATEMENTS, WITHDRAWAL_STATEMENTS
from shopaccounts.subscriptions.lifecycle.campaigns import CAMPAIGN_USES
from shopaccounts.subscriptions.lifecycle.trials import TRIALS, TrialUse
from shopaccounts.subscriptions.model import ACCOUNTS, SUBSCRIPTIONS, BillingAccount, Subscription, group_key
from shopaccounts.subscriptions.owners.forgetting import forgotten
from shopaccounts.subscriptions.owners.moving import (
    account_of,
    both_campaigns,
    is_one_of_its_group,
    joined_accounts,
    moved_campaign,
    moved_subscription,
    moved_trial,
    relinked,
    with_marked,
)
from shopaccounts.subscriptions.papers.documents import BALANCE_ENTRIES, CREDIT_NOTES, INVOICES
from shopaccounts.subscriptions.payments.intents import INTENTS
from shopaccounts.subscriptions.requests import SUBSCRIPTION_REQUESTS

__all__ = ["HandingOver", "accounts_of"]

T = TypeVar("T", bound=Entity)
_ROOM: Final = 450
"""How many rows pass in one change: each takes two writes at most, and a change has a thousand."""
_PAGE: Final = 500
_ROUNDS: Final = 8
_OF_ACCOUNTS: Final[tuple[Book[Any], ...]] = (
    BALANCE_ENTRIES,
    SUBSCRIPTIONS,
    INVOICES,
    INTENTS,
    CREDIT_NOTES,
    CLERK_ACTS,
)
_USES: Final[tuple[Book[Any], ...]] = (TRIALS, CAMPAIGN_USES)
"""What somebody had once, under ids that are made of the customer."""
_OF_CUSTOMERS: Final[tuple[Book[Any], ...]] = (METERS, SUBSCRIPTION_DELIVERIES, DELIVERY_ROUNDS, *_USES)
_STATEMENTS: Final[tuple[Book[Any], ...]] = (CANCELLATION_STATEMENTS, WITHDRAWAL_STATEMENTS)


async def accounts_of(desk: Desk, customer: CustomerId) -> tuple[BillingAccount, ...]:
    """Answer the billing accounts of a customer, one for each store of the realm at most.

    Args:
        desk: Whose books.
        customer: Whose.
    """
    return (await got(desk.records.rows(ACCOUNTS, "customer", customer, None, _PAGE))).items


@attrs.frozen(kw_only=True)
class _Step:
    """What passes in one change."""

    source: BillingAccount
    before: BillingAccount | None
    target: BillingAccount
    rows: Sequence[tuple[Book[Any], Any]]

    @property
    def is_last(self) -> bool:
        """Whether nothing is left in the account after it."""
        return len(self.rows) < _ROOM

    def accounts(
        self,
        left_of: Callable[[BillingAccount], BillingAccount] = lambda account: account,
        moved: Iterable[Subscription] = (),
    ) -> Change:
        """Answer what becomes of both accounts.

        Args:
            left_of: What is left of an account.
            moved: The subscriptions that pass, as they are then.
        """
        emptied, grown = map(left_of, joined_accounts(self.source, self.target))
        grown = with_marked(grown, moved)
        write = ACCOUNTS.add(grown) if self.before is None else ACCOUNTS.change(self.before, grown)
        if self.is_last:
            asked = Sweep(book=SUBSCRIPTION_REQUESTS, group="asker", value=self.source.customer)
            return Change(writes=(write,), removals=(ACCOUNTS.remove(self.source),), sweeps=(asked,))
        return Change(writes=(write, ACCOUNTS.change(self.source, emptied)))

    def of(self, book: Book[T]) -> list[T]:
        """Answer the rows of one book."""
        return [row for each, row in self.rows if each is book]


@attrs.frozen(kw_only=True)
class HandingOver:
    """Passes on what customers have.

    Args:
        desk: Whose books.
    """

    desk: Desk

    async def to(self, source: CustomerId, target: CustomerId) -> None:
        """Let everything of one customer belong to another, in every store of the realm; done before, it does nothing.

        Args:
            source: Whose it was.
            target: Whose it is then.
        """
        if source == target:
            return
        for account in await accounts_of(self.desk, source):
            while await self._passes(account.id, target):
                pass

    async def to_nobody(self, source: CustomerId) -> None:
        """Forget whose it was, in every store of the realm; done before, it does nothing.

        Args:
            source: Whose it was.
        """
        for account in await accounts_of(self.desk, source):
            await self._drop_statements(account)
            while await self._passes(account.id, None):
                pass

    async def _passes(self, account: str, target: CustomerId | None) -> bool:
        """Pass on as much as goes into one change; answer whether there is more."""
        return await self.desk.retrying(lambda: self._step(account, target), _ROUNDS, on_taken=True)

    async def _step(self, account: str, target: CustomerId | None) -> bool:
        found = await got(self.desk.records.find(ACCOUNTS, account))
        if found is None:
            return False
        source = found.it
        customer = target or source.passes_to or CustomerId(self.desk.entropy.new_id(self.desk.now()))
        fresh = account_of(source, customer)
        there = await got(self.desk.records.find(ACCOUNTS, fresh.id))
        before = there.it if there else None
        step = _Step(source=source, before=before, target=before or fresh, rows=await self._taken(source))
        change = await (self._moved(step) if target else self._forgotten(step))
        await self.desk.record(change)
        return not step.is_last

    async def _taken(self, source: BillingAccount) -> list[tuple[Book[Any], Any]]:
        """Answer the rows that pass next."""
        taken: list[tuple[Book[Any], Any]] = []
        groups = [(book, "account", source.id) for book in _OF_ACCOUNTS]
        groups += [(book, "customer", source.customer) for book in _OF_CUSTOMERS]
        for book, group, value in groups:
            room = _ROOM - len(taken)
            rows = await all_rows(
                self.desk.records, book, group, value, wanted=lambda row: row.store == source.store, room=room
            )
            taken += [(book, row) for row in rows]
        return taken

    # To somebody

    async def _moved(self, step: _Step) -> Change:
        held, target = await self._held(step), step.target
        writes: list[Write] = []
        events: list[Event] = []
        now = self.desk.now()
        for book, row in step.rows:
            if book is SUBSCRIPTIONS:
                after = moved_subscription(row, step.source, target, held)
                writes.append(SUBSCRIPTIONS.change(row, after))
                events += _doubled(row, after, now)
            elif book not in _USES:
                writes.append(book.change(row, relinked(row, step.source, target)))
        if step.is_last:
            moved = BillingAccountMoved(
                at=now, account=target.customer, billing_account=target.id, source=step.source.customer
            )
            events.append(moved)
        passed = Change(writes=tuple(writes), events=self.desk.tell(*events))
        accounts = step.accounts(moved=[write.now for write in writes if write.book is SUBSCRIPTIONS])
        return accounts | passed | await self._moved_trials(step) | await self._moved_campaigns(step)

    async def _held(self, step: _Step) -> dict[str, str]:
        """Answer which groups of plans are held by a live subscription of the account that stays."""
        mine = step.of(SUBSCRIPTIONS)
        held = {}
        for group in {one.terms.group for one in mine if is_one_of_its_group(one)}:
            key = group_key(step.target.id, group)
            found = await got(self.desk.records.find(SUBSCRIPTIONS, key, "live_plan_group"))
            if found is not None:
                held[group] = found.it.id
        return held

    async def _moved_trials(self, step: _Step) -> Change:
        """Answer the trials that the account that stays had as well, under the ids by which they are looked up."""
        uses = step.of(TRIALS)
        if not uses:
            return Change()
        records, customers = self.desk.records, (step.source.customer, step.target.customer)
        tried = {
            one.id: one for one in await got(records.pick(SUBSCRIPTIONS, sorted({use.subscription for use in uses})))
        }
        pairs = [(use, moved_trial(use, _tried_in(tried.get(use.subscription)), *customers, use.store)) for use in uses]
        known = {one.id for one in await got(records.pick(TRIALS, sorted(after.id for _, after in pairs)))}
        removals = tuple(TRIALS.remove(use) for use, after in pairs if after.id != use.id)
        return Change(writes=tuple(_trials(pairs, known)), removals=removals)

    async def _moved_campaigns(self, step: _Step) -> Change:
        """Answer what the account that stays has of campaigns: what both had."""
        uses = step.of(CAMPAIGN_USES)
        if not uses:
            return Change()
        after = [moved_campaign(use, step.target.customer) for use in uses]
        known = {
            one.id: one for one in await got(self.desk.records.pick(CAMPAIGN_USES, sorted(one.id for one in after)))
        }
        writes = (
            CAMPAIGN_USES.change(was, both_campaigns(was, one))
            if (was := known.get(one.id))
            else CAMPAIGN_USES.add(one)
            for one in after
        )
        return Change(writes=tuple(writes), removals=tuple(map(CAMPAIGN_USES.remove, uses)))

    # To nobody

    async def _forgotten(self, step: _Step) -> Change:
        writes: list[Write] = []
        removals: list[Removal] = []
        for book, row in step.rows:
            if book in _USES:
                removals.append(book.remove(row))
            else:
                writes.append(book.change(row, relinked(forgotten(row), step.source, step.target)))
        return step.accounts(forgotten) | Change(writes=tuple(writes), removals=tuple(removals))

    async def _drop_statements(self, account: BillingAccount) -> None:
        """Remove what the customer wrote to end contracts."""
        for one in await all_rows(self.desk.records, SUBSCRIPTIONS, "account", account.id):
            for book in _STATEMENTS:
                while rows := (await got(self.desk.records.rows(book, "subscription", one.id, None, _ROOM))).items:
                    await self.desk.record(Change(removals=tuple(map(book.remove, rows))))


def _doubled(before: Subscription, after: Subscription, now: datetime) -> Iterator[Event]:
    if after.doubles != before.doubles:
        yield SubscriptionDoubled(at=now, account=after.customer, subscription=after.id, other=after.doubles)


def _tried_in(subscription: Subscription | None) -> tuple[str, ...]:
    """Answer what may have been tried in a subscription: a group of plans, or a plan."""
    return (subscription.terms.group, subscription.terms.plan) if subscription else ()


def _trials(pairs: Iterable[tuple[TrialUse, TrialUse]], known: set[str]) -> Iterator[Write]:
    for before, after in pairs:
        if after.id == before.id:
            yield TRIALS.change(before, after)
        elif after.id not in known:
            yield TRIALS.add(after)
