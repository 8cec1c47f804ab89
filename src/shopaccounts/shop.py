"""A shop as a host has it: every use-case of one scope, for blocking and for async hosts."""

from typing import Self

from shopaccounts.fitting import refuse_async, refuse_blocking, with_defaults
from shopaccounts.kernel.desk import Bell
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.settings import Adapters, Policies
from shopaccounts.wiring import Wiring

__all__ = ["Adapters", "AsyncShopAccounts", "Policies", "ShopAccounts"]


class AsyncShopAccounts:
    """Customer accounts for an async host (FastAPI, Litestar, any ASGI application).

    Args:
        adapters: What differs between deployments.
        storefront: The shop's name and pages.
        policies: What differs between shops.
        scope: For which realm and store; None for a shop that has one of each.

    Raises:
        Defect: An adapter that would block the event loop, named with its class.
    """

    def __init__(
        self,
        *,
        adapters: Adapters,
        storefront: Storefront,
        policies: Policies | None = None,
        scope: Scope | None = None,
    ) -> None:
        self.policies = policies or Policies()
        self.storefront = storefront
        self.scope = scope or Scope.single()
        self.adapters = with_defaults(adapters, self.policies, blocking=False)
        refuse_blocking(self.adapters)
        wired = Wiring(
            adapters=self.adapters,
            storefront=self.storefront,
            policies=self.policies,
            scope=self.scope,
            bell=self.adapters.bell or self._task_bell(),
        )
        self.registration, self.signin, self.recovery = wired.registration, wired.signin, wired.recovery
        self.questions = wired.questions
        self.code_signin, self.step_codes = wired.code_signin, wired.step_codes
        self.cases, self.case_help, self.lost_factor = wired.cases, wired.case_help, wired.lost_factor
        self.invitations, self.usernames, self.assisted = wired.invitations, wired.usernames, wired.assisted
        self.contacts, self.contact_changes = wired.contacts, wired.contact_changes
        self.contact_care = wired.contact_care
        self.sessions, self.history, self.impersonation = wired.sessions, wired.history, wired.impersonation
        self.customers, self.closings, self.objections = wired.customers, wired.closings, wired.objections
        self.passwords, self.factors, self.second_step = wired.passwords, wired.factors, wired.second_step
        self.passkey_signin, self.passkeys = wired.passkey_signin, wired.passkeys
        self.another_device = wired.another_device
        self.providers = wired.providers
        self.subscriptions, self.billing = wired.subscriptions, wired.billing
        self.sweeping = wired.sweeping
        self.subscription_changes, self.pauses = wired.subscription_changes, wired.pauses
        self.subscription_views, self.payments = wired.subscription_views, wired.payments
        self.cancellations, self.statements = wired.cancellations, wired.statements
        self.subscription_prices, self.billing_notices = wired.subscription_prices, wired.billing_notices
        self.billing_desk, self.document_desk = wired.billing_desk, wired.document_desk
        self.subscription_imports, self.subscription_records = wired.subscription_imports, wired.subscription_records
        self.boxes, self.usage_watch = wired.boxes, wired.usage_watch
        self.relay, self.upkeep = wired.relay, wired.upkeep
        self.password_imports = wired.password_imports

    def for_scope(self, scope: Scope) -> Self:
        """Answer the same shop, working for another realm, store or actor."""
        return type(self)(adapters=self.adapters, storefront=self.storefront, policies=self.policies, scope=scope)

    def _task_bell(self) -> Bell:
        from shopaccounts.adapters.bells import TaskBell  # noqa: PLC0415  (asyncio is loaded only for async hosts)

        return TaskBell(lambda: self.relay.deliver_pending())  # noqa: PLW0108  (the relay is wired after its bell)


class ShopAccounts:
    """Customer accounts for a sync host (Flask, Django, a script).

    Args:
        adapters: What differs between deployments.
        storefront: The shop's name and pages.
        policies: What differs between shops.
        scope: For which realm and store; None for a shop that has one of each.

    Raises:
        Defect: An async adapter, named with its class and method.
    """

    def __init__(
        self,
        *,
        adapters: Adapters,
        storefront: Storefront,
        policies: Policies | None = None,
        scope: Scope | None = None,
    ) -> None:
        from shopaccounts.blocking import (  # noqa: PLC0415  (only sync hosts need the generated faces)
            BlockingAnotherDevice,
            BlockingAssistedRegistration,
            BlockingBillingDesk,
            BlockingBillingNotices,
            BlockingBillingRun,
            BlockingBoxes,
            BlockingCancellations,
            BlockingCaseHelp,
            BlockingCases,
            BlockingChanging,
            BlockingClosings,
            BlockingCodeSignIn,
            BlockingCollecting,
            BlockingContactCare,
            BlockingContactChanges,
            BlockingContacts,
            BlockingCustomerRecords,
            BlockingCustomers,
            BlockingDocumentDesk,
            BlockingFactors,
            BlockingHistory,
            BlockingImpersonation,
            BlockingInvitations,
            BlockingLostFactor,
            BlockingObjections,
            BlockingPasskeyCare,
            BlockingPasskeySignIn,
            BlockingPasswordImports,
            BlockingPasswords,
            BlockingPauses,
            BlockingPrices,
            BlockingProviders,
            BlockingQuestions,
            BlockingRecovery,
            BlockingRegistration,
            BlockingRelay,
            BlockingSecondStep,
            BlockingSessions,
            BlockingSignIn,
            BlockingStatements,
            BlockingStepCodes,
            BlockingSubscribing,
            BlockingSubscriptionImports,
            BlockingSweeping,
            BlockingUpkeep,
            BlockingUsageWatch,
            BlockingUsernames,
            BlockingViewing,
        )

        self.policies = policies or Policies()
        self.storefront = storefront
        self.scope = scope or Scope.single()
        self.adapters = with_defaults(adapters, self.policies, blocking=True)
        refuse_async(self.adapters, self.scope)
        wired = Wiring(
            adapters=self.adapters,
            storefront=self.storefront,
            policies=self.policies,
            scope=self.scope,
            bell=self.adapters.bell or self._thread_bell(),
        )
        self.registration = BlockingRegistration(wired.registration)
        self.invitations = BlockingInvitations(wired.invitations)
        self.usernames = BlockingUsernames(wired.usernames)
        self.assisted = BlockingAssistedRegistration(wired.assisted)
        self.contacts = BlockingContacts(wired.contacts)
        self.contact_changes = BlockingContactChanges(wired.contact_changes)
        self.contact_care = BlockingContactCare(wired.contact_care)
        self.signin = BlockingSignIn(wired.signin)
        self.code_signin = BlockingCodeSignIn(wired.code_signin)
        self.step_codes = BlockingStepCodes(wired.step_codes)
        self.second_step = BlockingSecondStep(wired.second_step)
        self.factors = BlockingFactors(wired.factors)
        self.passkey_signin = BlockingPasskeySignIn(wired.passkey_signin)
        self.passkeys = BlockingPasskeyCare(wired.passkeys)
        self.another_device = BlockingAnotherDevice(wired.another_device)
        self.providers = BlockingProviders(wired.providers)
        self.passwords = BlockingPasswords(wired.passwords)
        self.sessions = BlockingSessions(wired.sessions)
        self.history = BlockingHistory(wired.history)
        self.impersonation = BlockingImpersonation(wired.impersonation)
        self.customers = BlockingCustomers(wired.customers)
        self.closings = BlockingClosings(wired.closings)
        self.objections = BlockingObjections(wired.objections)
        self.recovery = BlockingRecovery(wired.recovery)
        self.questions = BlockingQuestions(wired.questions)
        self.cases = BlockingCases(wired.cases)
        self.case_help = BlockingCaseHelp(wired.case_help)
        self.lost_factor = BlockingLostFactor(wired.lost_factor)
        self.subscriptions = BlockingSubscribing(wired.subscriptions)
        self.subscription_changes = BlockingChanging(wired.subscription_changes)
        self.pauses = BlockingPauses(wired.pauses)
        self.subscription_prices = BlockingPrices(wired.subscription_prices)
        self.billing_desk = BlockingBillingDesk(wired.billing_desk)
        self.document_desk, self.subscription_imports, self.subscription_records = (
            BlockingDocumentDesk(wired.document_desk),
            BlockingSubscriptionImports(wired.subscription_imports),
            BlockingCustomerRecords(wired.subscription_records),
        )
        self.billing_notices = BlockingBillingNotices(wired.billing_notices)
        self.billing, self.boxes, self.usage_watch = (
            BlockingBillingRun(wired.billing),
            BlockingBoxes(wired.boxes),
            BlockingUsageWatch(wired.usage_watch),
        )
        self.subscription_views = BlockingViewing(wired.subscription_views)
        self.payments, self.sweeping = BlockingCollecting(wired.payments), BlockingSweeping(wired.sweeping)
        self.cancellations = BlockingCancellations(wired.cancellations)
        self.statements = BlockingStatements(wired.statements)
        self.relay = BlockingRelay(wired.relay)
        self.upkeep = BlockingUpkeep(wired.upkeep)
        self.password_imports = BlockingPasswordImports(wired.password_imports)

    def for_scope(self, scope: Scope) -> Self:
        """Answer the same shop, working for another realm, store or actor."""
        return type(self)(adapters=self.adapters, storefront=self.storefront, policies=self.policies, scope=scope)

    def _thread_bell(self) -> Bell:
        from shopaccounts.adapters.bells import ThreadBell  # noqa: PLC0415  (threads are started only where wanted)

        return ThreadBell(lambda: self.relay.deliver_pending())  # noqa: PLW0108  (the relay is wired after its bell)
