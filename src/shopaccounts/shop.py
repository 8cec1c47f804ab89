"""Puts a shop together: contexts, policies and adapters, for one scope. The only place where all of them meet."""

import inspect
from collections.abc import Mapping
from typing import Any, Self

import attrs

from shopaccounts.customers import LifecyclePolicy, NoticePolicy, Notices
from shopaccounts.kernel.chance import Entropy, SystemEntropy
from shopaccounts.kernel.desk import Bell, Desk, SilentBell
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import Counters, Leases, Storage, Store
from shopaccounts.kernel.request import TransportPolicy
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.sending import SendBudget, SendPolicy
from shopaccounts.kernel.staff import Agents, NoAgents, Staff
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.vault import Keyring, Vault
from shopaccounts.passwords import Hasher, PasswordPolicy
from shopaccounts.recovery import Recovery, ResetPolicy
from shopaccounts.registration import Registration, RegistrationPolicy, Verifications
from shopaccounts.relay import Courier, Relay, RelayPolicy, Target, Templates
from shopaccounts.signin import (
    AttemptPolicy,
    Attempts,
    Gate,
    SessionDoorkeeper,
    SessionPolicy,
    Sessions,
    SignIn,
    StepUpPolicy,
)
from shopaccounts.upkeep import Upkeep

__all__ = ["Adapters", "AsyncShopAccounts", "Policies", "ShopAccounts"]


@attrs.frozen(kw_only=True)
class Policies:
    """What differs between shops; every default cites its source."""

    registration: RegistrationPolicy = attrs.field(factory=RegistrationPolicy)
    passwords: PasswordPolicy = attrs.field(factory=PasswordPolicy)
    sessions: SessionPolicy = attrs.field(factory=SessionPolicy)
    step_up: StepUpPolicy = attrs.field(factory=StepUpPolicy)
    attempts: AttemptPolicy = attrs.field(factory=AttemptPolicy)
    sends: SendPolicy = attrs.field(factory=SendPolicy)
    resets: ResetPolicy = attrs.field(factory=ResetPolicy)
    lifecycle: LifecyclePolicy = attrs.field(factory=LifecyclePolicy)
    notices: NoticePolicy = attrs.field(factory=NoticePolicy)
    relay: RelayPolicy = attrs.field(factory=RelayPolicy)
    transport: TransportPolicy = attrs.field(factory=TransportPolicy)


@attrs.frozen(kw_only=True)
class Adapters:
    """What differs between deployments.

    Args:
        storage: Keeps the shop's books.
        keyring: Where keys come from.
        couriers: Who takes the messages of each channel.
        hasher: Keeps passwords; None takes Argon2id with the policy's cost.
        vault: Seals secrets; None takes AES-256-GCM with the keyring's keys.
        templates: Words messages; None takes the library's own texts.
        counters: Counts attempts; None takes the storage's.
        targets: Who hears of events.
        agents: Knows what the shop's own people may do; nobody may do anything unless the host says so.
        bell: Wakes the relay after a change; None delivers in the background.
        clock, entropy: None takes the system's.
    """

    storage: Storage
    keyring: Keyring
    couriers: Mapping[Channel, Courier] = attrs.field(factory=dict)
    hasher: Hasher | None = None
    vault: Vault | None = None
    templates: Templates | None = None
    counters: Counters | None = None
    targets: tuple[Target, ...] = ()
    bell: Bell | None = None
    agents: Agents = attrs.field(factory=NoAgents)
    clock: Clock = attrs.field(factory=SystemClock)
    entropy: Entropy = attrs.field(factory=SystemEntropy)


@attrs.frozen(kw_only=True)
class _Wired:
    """The use-cases of one scope."""

    registration: Registration
    signin: SignIn
    sessions: Sessions
    recovery: Recovery
    relay: Relay
    upkeep: Upkeep


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
        self.adapters = _with_defaults(adapters, self.policies, blocking=False)
        _refuse_blocking(self.adapters)
        wired = _wire(
            self.adapters, self.storefront, self.policies, self.scope, self.adapters.bell or self._task_bell()
        )
        self.registration, self.signin, self.recovery = wired.registration, wired.signin, wired.recovery
        self.sessions = wired.sessions
        self.relay, self.upkeep = wired.relay, wired.upkeep

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
            BlockingRecovery,
            BlockingRegistration,
            BlockingRelay,
            BlockingSessions,
            BlockingSignIn,
            BlockingUpkeep,
        )

        self.policies = policies or Policies()
        self.storefront = storefront
        self.scope = scope or Scope.single()
        self.adapters = _with_defaults(adapters, self.policies, blocking=True)
        _refuse_async(self.adapters, self.scope)
        wired = _wire(
            self.adapters, self.storefront, self.policies, self.scope, self.adapters.bell or self._thread_bell()
        )
        self.registration = BlockingRegistration(wired.registration)
        self.signin = BlockingSignIn(wired.signin)
        self.sessions = BlockingSessions(wired.sessions)
        self.recovery = BlockingRecovery(wired.recovery)
        self.relay = BlockingRelay(wired.relay)
        self.upkeep = BlockingUpkeep(wired.upkeep)

    def for_scope(self, scope: Scope) -> Self:
        """Answer the same shop, working for another realm, store or actor."""
        return type(self)(adapters=self.adapters, storefront=self.storefront, policies=self.policies, scope=scope)

    def _thread_bell(self) -> Bell:
        from shopaccounts.adapters.bells import ThreadBell  # noqa: PLC0415  (threads are started only where wanted)

        return ThreadBell(lambda: self.relay.deliver_pending())  # noqa: PLW0108  (the relay is wired after its bell)


def _wire(adapters: Adapters, storefront: Storefront, policies: Policies, scope: Scope, bell: Bell) -> _Wired:
    store = adapters.storage.open(scope)
    counters = adapters.counters or adapters.storage.counters(scope)
    vault, hasher, templates = adapters.vault, adapters.hasher, adapters.templates
    if vault is None or hasher is None or templates is None:
        msg = "adapters without their defaults"
        raise Defect(msg)
    desk = Desk(scope=scope, records=store, clock=adapters.clock, entropy=adapters.entropy, bell=bell)
    notices = Notices(desk=desk, vault=vault, storefront=storefront, policy=policies.notices)
    staff = Staff(scope=scope, agents=adapters.agents)
    attempts = Attempts(counters=counters, keyring=adapters.keyring, policy=policies.attempts)
    budget = SendBudget(counters=counters, keyring=adapters.keyring, policy=policies.sends)
    gate = Gate(desk=desk, policy=policies.sessions)
    doorkeeper = SessionDoorkeeper(
        desk=desk, records=store, gate=gate, step_up=policies.step_up, transport=policies.transport
    )
    sessions = Sessions(
        desk=desk, records=store, doorkeeper=doorkeeper, policy=policies.sessions, transport=policies.transport
    )
    verifications = Verifications(
        desk=desk, vault=vault, keyring=adapters.keyring, storefront=storefront, policy=policies.registration
    )
    registration = Registration(
        desk=desk,
        records=store,
        work=store,
        hasher=hasher,
        attempts=attempts,
        budget=budget,
        gate=gate,
        verifications=verifications,
        vault=vault,
        keyring=adapters.keyring,
        storefront=storefront,
        policy=policies.registration,
        passwords=policies.passwords,
        lifecycle=policies.lifecycle,
        transport=policies.transport,
    )
    signin = SignIn(
        desk=desk,
        records=store,
        hasher=hasher,
        attempts=attempts,
        gate=gate,
        vault=vault,
        storefront=storefront,
        transport=policies.transport,
    )
    recovery = Recovery(
        desk=desk,
        records=store,
        hasher=hasher,
        vault=vault,
        attempts=attempts,
        budget=budget,
        verifications=verifications,
        storefront=storefront,
        notices=notices,
        policy=policies.resets,
        passwords=policies.passwords,
        transport=policies.transport,
    )
    relay = Relay(
        desk=attrs.evolve(desk, bell=SilentBell()),
        store=store,
        vault=vault,
        templates=templates,
        couriers=adapters.couriers,
        targets=adapters.targets,
        policy=policies.relay,
    )
    upkeep = Upkeep(desk=desk, records=store, storage=adapters.storage, relay=relay, registration=registration)
    return _Wired(
        registration=registration, signin=signin, sessions=sessions, recovery=recovery, relay=relay, upkeep=upkeep
    )


def _with_defaults(adapters: Adapters, policies: Policies, *, blocking: bool) -> Adapters:
    """Fill in what a shop didn't choose; each adapter is imported only if it is used."""
    from shopaccounts.adapters.argon2 import Argon2Hasher, ThreadedArgon2Hasher  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.crypto import AesVault  # noqa: PLC0415  (see above)
    from shopaccounts.adapters.templates import JinjaTemplates  # noqa: PLC0415  (see above)

    hasher = Argon2Hasher if blocking else ThreadedArgon2Hasher
    return attrs.evolve(
        adapters,
        hasher=adapters.hasher or hasher(policies.passwords.hashing),
        vault=adapters.vault or AesVault(adapters.keyring, adapters.entropy),
        templates=adapters.templates or JinjaTemplates(),
    )


def _refuse_async(adapters: Adapters, scope: Scope) -> None:
    """Refuse adapters that answer later: a sync host has nobody who would wait for them."""
    if getattr(adapters.bell, "needs_a_loop", False):
        msg = f"{type(adapters.bell).__name__} needs an event loop; ShopAccounts takes a bell that works without one"
        raise Defect(msg)
    opened: tuple[tuple[object, type[Any]], ...] = (
        (adapters.storage.open(scope), Store),
        (adapters.counters or adapters.storage.counters(scope), Counters),
        (adapters.storage.leases(scope), Leases),
        (adapters.storage, Storage),
        (adapters.keyring, Keyring),
        (adapters.vault, Vault),
        (adapters.hasher, Hasher),
        (adapters.templates, Templates),
        *((courier, Courier) for courier in adapters.couriers.values()),
        *((target, Target) for target in adapters.targets),
    )
    for adapter, port in opened:
        for method in _methods(port):
            if inspect.iscoroutinefunction(getattr(adapter, method, None)):
                msg = f"{type(adapter).__name__}.{method} is asynchronous; ShopAccounts takes what answers at once"
                raise Defect(msg)


def _refuse_blocking(adapters: Adapters) -> None:
    """Refuse adapters that would hold up the event loop of an async host."""
    chosen = (adapters.storage, adapters.counters, adapters.hasher, *adapters.couriers.values(), *adapters.targets)
    for adapter in chosen:
        if getattr(adapter, "holds_up_the_loop", False):
            msg = f"{type(adapter).__name__} holds up the event loop; AsyncShopAccounts takes its asynchronous twin"
            raise Defect(msg)


def _methods(port: type[Any]) -> tuple[str, ...]:
    return tuple(name for name, member in inspect.getmembers(port, inspect.isfunction) if not name.startswith("_"))
