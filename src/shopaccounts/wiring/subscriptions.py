"""What comes again: subscriptions, their invoices, and the runs that bill them."""

from functools import cached_property

import attrs

from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.subscriptions import (
    BillingDesk,
    BillingNotices,
    BillingRun,
    Boxes,
    Cancellations,
    Changing,
    Clerks,
    Collecting,
    CustomerRecords,
    DocumentDesk,
    Following,
    HandingOver,
    Lookups,
    NoticeLetters,
    Office,
    Pauses,
    Prices,
    StatementLetters,
    Statements,
    Subscribing,
    SubscriptionImports,
    Sweeping,
    UsageWatch,
    Viewing,
)
from shopaccounts.subscriptions.collecting.asking import Asking
from shopaccounts.subscriptions.collecting.casework import Casework
from shopaccounts.subscriptions.collecting.dunning_letters import DunningLetters
from shopaccounts.subscriptions.owners.following import Branch
from shopaccounts.wiring.providers import ProviderParts

__all__ = ["SubscriptionParts"]


class SubscriptionParts(ProviderParts):
    """The parts of one shop that deal with subscriptions."""

    @cached_property
    def subscriptions(self) -> Subscribing:
        ports = self.adapters.billing
        return Subscribing(
            desk=self.desk,
            plans=ports.plans,
            taxes=ports.taxes,
            methods=ports.methods,
            payments=self.payments,
            lookups=self.lookups,
            policy=self.policies.subscriptions,
        )

    @cached_property
    def payments(self) -> Collecting:
        policy = self.policies.subscriptions
        return Collecting(desk=self.desk, casework=self._casework, asking=self._asking, policy=policy)

    @cached_property
    def _casework(self) -> Casework:
        return Casework(
            desk=self.desk,
            work=self.store,
            taxes=self.adapters.billing.taxes,
            policy=self.policies.subscriptions,
            letters=DunningLetters(letters=self.letters),
        )

    @cached_property
    def _asking(self) -> Asking | None:
        ports = self.adapters.billing
        if ports.gateway is None:
            return None
        return Asking(
            desk=self.desk,
            work=self.store,
            gateway=ports.gateway,
            jurisdictions=ports.jurisdictions,
            casework=self._casework,
            policy=self.policies.subscriptions,
        )

    @cached_property
    def subscription_views(self) -> Viewing:
        return Viewing(
            desk=self.desk,
            taxes=self.adapters.billing.taxes,
            policy=self.policies.subscriptions,
            lookups=self.lookups,
            letters=self._notice_letters,
        )

    @cached_property
    def billing(self) -> BillingRun:
        ports = self.adapters.billing
        return BillingRun(
            desk=self.desk,
            work=self.store,
            taxes=ports.taxes,
            usage=ports.usage,
            policy=self.policies.subscriptions,
            lookups=self.lookups,
        )

    @cached_property
    def boxes(self) -> Boxes:
        return Boxes(desk=self.desk, work=self.store, policy=self.policies.subscriptions)

    @cached_property
    def sweeping(self) -> Sweeping:
        return Sweeping(billing=self.billing, payments=self.payments, notices=self.billing_notices, boxes=self.boxes)

    @cached_property
    def usage_watch(self) -> UsageWatch:
        usage = self.adapters.billing.usage
        return UsageWatch(desk=self.desk, usage=usage, policy=self.policies.subscriptions)

    @cached_property
    def lookups(self) -> Lookups:
        ports = self.adapters.billing
        return Lookups(
            desk=self.desk,
            jurisdictions=ports.jurisdictions,
            details=ports.method_details,
            policy=self.policies.subscriptions,
        )

    @cached_property
    def office(self) -> Office:
        ports = self.adapters.billing
        return Office(
            desk=self.desk,
            plans=ports.plans,
            taxes=ports.taxes,
            usage=ports.usage,
            policy=self.policies.subscriptions,
            lookups=self.lookups,
            payments=self.payments,
        )

    @cached_property
    def subscription_changes(self) -> Changing:
        return Changing(office=self.office)

    @cached_property
    def pauses(self) -> Pauses:
        return Pauses(office=self.office)

    @cached_property
    def cancellations(self) -> Cancellations:
        return Cancellations(office=self.office)

    @cached_property
    def statements(self) -> Statements:
        ports = self.adapters.billing
        return Statements(
            desk=self.desk,
            office=self.office,
            letters=StatementLetters(desk=self.desk, letters=self.letters),
            budget=self.budget,
            staff=self.staff,
            places=ports.jurisdictions,
            holidays=ports.holidays,
            transport=self.policies.transport,
        )

    @cached_property
    def subscription_prices(self) -> Prices:
        return Prices(
            desk=self.desk,
            staff=self.staff,
            plans=self.adapters.billing.plans,
            policy=self.policies.subscriptions,
        )

    @cached_property
    def _notice_letters(self) -> NoticeLetters:
        return NoticeLetters(letters=self.letters, policy=self.policies.subscriptions)

    @cached_property
    def billing_notices(self) -> BillingNotices:
        policy = self.policies.subscriptions
        return BillingNotices(
            desk=self.desk,
            work=self.store,
            letters=self._notice_letters,
            taxes=self.adapters.billing.taxes,
            policy=policy,
            lookups=self.lookups,
        )

    @cached_property
    def _clerks(self) -> Clerks:
        return Clerks(desk=self.desk, staff=self.staff)

    @cached_property
    def billing_desk(self) -> BillingDesk:
        return BillingDesk(clerks=self._clerks, office=self.office)

    @cached_property
    def document_desk(self) -> DocumentDesk:
        return DocumentDesk(clerks=self._clerks, office=self.office)

    @cached_property
    def subscription_imports(self) -> SubscriptionImports:
        ports = self.adapters.billing
        return SubscriptionImports(
            desk=self.desk,
            clerks=self._clerks,
            plans=ports.plans,
            methods=ports.methods,
            policy=self.policies.subscriptions,
        )

    @cached_property
    def subscription_records(self) -> CustomerRecords:
        return CustomerRecords(desk=self.desk, handing_over=HandingOver(desk=self.desk))

    @cached_property
    def _following(self) -> Following:
        desk = self.desk.by_itself
        return Following(desk=desk, handing_over=HandingOver(desk=desk), branch=self._branch)

    def _branch(self, store: StoreId) -> Branch:
        """Answer who decides in a store of the realm."""
        scope = attrs.evolve(self.scope, store=store, actor=Actor(ActorKind.SYSTEM))
        there = attrs.evolve(self, scope=scope)
        return Branch(office=there.office, payments=there.payments)
