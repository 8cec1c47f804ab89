"""What every part of a shop stands on: the store, the keys, the counters, the door."""

from functools import cached_property
from typing import TypeVar

import attrs

from shopaccounts.customers import Identifiers, Notices
from shopaccounts.kernel.assurance import WayIn
from shopaccounts.kernel.desk import Bell, Desk
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.ports import Counters, Store
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Staff
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.vault import Vault
from shopaccounts.passwords import Breaches, Chooser, Hasher
from shopaccounts.relay import Templates
from shopaccounts.settings import Adapters, Policies
from shopaccounts.signin import (
    Attempts,
    Gate,
    NoRiskSignals,
    Offered,
    RememberedRisks,
    RiskSignals,
    SentCodes,
    SessionDoorkeeper,
)

__all__ = ["Ground", "chosen"]


T = TypeVar("T")


@attrs.define(kw_only=True, slots=False)
class Ground:
    """The common parts of one shop in one scope; each is made when it is first asked for."""

    adapters: Adapters
    storefront: Storefront
    policies: Policies
    scope: Scope
    bell: Bell

    @cached_property
    def store(self) -> Store:
        return self.adapters.storage.open(self.scope)

    @cached_property
    def counters(self) -> Counters:
        return (self.adapters.counters or self.adapters.storage).counters(self.scope)

    @cached_property
    def vault(self) -> Vault:
        return chosen(self.adapters.vault)

    @cached_property
    def hasher(self) -> Hasher:
        hasher = chosen(self.adapters.hasher)
        if not self.policies.passwords.pepper:
            return hasher
        from shopaccounts.adapters.pepper import PepperedHasher  # noqa: PLC0415  (only shops with a pepper need it)

        return PepperedHasher(hasher, self.vault, self.scope.realm)

    @cached_property
    def templates(self) -> Templates:
        return chosen(self.adapters.templates)

    @cached_property
    def desk(self) -> Desk:
        return Desk(
            scope=self.scope,
            records=self.store,
            clock=self.adapters.clock,
            entropy=self.adapters.entropy,
            bell=self.bell,
        )

    @cached_property
    def letters(self) -> Letters:
        return Letters(desk=self.desk, vault=self.vault, storefront=self.storefront)

    @cached_property
    def notices(self) -> Notices:
        return Notices(desk=self.desk, letters=self.letters, policy=self.policies.notices)

    @cached_property
    def breaches(self) -> Breaches | None:
        listed, policy = self.adapters.breached_passwords, self.policies.passwords.breach
        return Breaches(listed, policy) if listed is not None and policy is not None else None

    @cached_property
    def chooser(self) -> Chooser:
        return Chooser(
            hasher=self.hasher, storefront=self.storefront, policy=self.policies.passwords, breaches=self.breaches
        )

    @cached_property
    def staff(self) -> Staff:
        return Staff(scope=self.scope, agents=self.adapters.agents)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(counters=self.counters, keyring=self.adapters.keyring, policy=self.policies.attempts)

    @cached_property
    def budget(self) -> SendBudget:
        return SendBudget(
            counters=self.counters,
            keyring=self.adapters.keyring,
            policy=self.policies.sends,
            store=self.scope.store,
        )

    @cached_property
    def phones(self) -> Phones:
        by_phone = frozenset({Channel.SMS, Channel.VOICE}) & self.adapters.couriers.keys()
        return Phones(policy=self.policies.phones, rules=self.adapters.phone_rules, channels=by_phone)

    @cached_property
    def risk_signals(self) -> RiskSignals:
        signals = self.adapters.risk_signals
        if isinstance(signals, NoRiskSignals):
            return signals
        return RememberedRisks(
            signals=signals, counters=self.counters, keyring=self.adapters.keyring, clock=self.adapters.clock
        )

    @cached_property
    def sent_codes(self) -> SentCodes:
        return SentCodes(
            desk=self.desk,
            records=self.store,
            keyring=self.adapters.keyring,
            vault=self.vault,
            letters=self.letters,
            budget=self.budget,
            risks=self.risk_signals,
            policy=self.policies.code_sign_in,
        )

    @cached_property
    def identifiers(self) -> Identifiers:
        return Identifiers(phones=self.phones, usernames=self.policies.registration.usernames.enabled)

    @cached_property
    def gate(self) -> Gate:
        return Gate(
            desk=self.desk,
            policy=self.policies.sessions,
            devices=self.policies.devices,
            lifecycle=self.policies.lifecycle,
            offered=self.offered,
        )

    @cached_property
    def offered(self) -> Offered:
        sent = self.policies.code_sign_in.ways_in(self.phones.channels)
        passkeys = {WayIn.PASSKEY} if self.policies.passkeys else set[WayIn]()
        known = self.policies.providers
        return Offered(
            ways=sent | passkeys,
            factors=self.policies.second_factor,
            providers=frozenset(config.id for config in known.enabled),
            closed=frozenset(config.id for config in known.configs if config.end_sessions and not config.enabled),
        )

    @cached_property
    def doorkeeper(self) -> SessionDoorkeeper:
        return SessionDoorkeeper(
            desk=self.desk,
            records=self.store,
            gate=self.gate,
            step_up=self.policies.step_up,
            staff=self.staff,
            transport=self.policies.transport,
        )


def chosen(adapter: T | None) -> T:
    """Answer an adapter that has its default by now."""
    if adapter is None:
        msg = "adapters without their defaults"
        raise Defect(msg)
    return adapter
