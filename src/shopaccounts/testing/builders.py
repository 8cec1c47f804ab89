"""Shops for tests, put together in one line: storage in memory, a clock that stands still, dice that fall alike.

``ShopBuilder`` keeps what outlives a process (storage, keys, what went out) and builds shops over it, in a blocking or
an async host, with whatever a test puts between a shop and its ports.
"""

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final, TypeVar

import attrs

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.customers import (
    CUSTOMERS,
    ClosingObjections,
    Closings,
    ContactPoint,
    ContactRole,
    Customer,
    Customers,
    StatusReason,
    Trigger,
    as_of,
    follow,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.chance import Entropy, SystemEntropy
from shopaccounts.kernel.contact import EmailAddress, PhoneNumber, looks_like_phone
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.ids import AccountId, ContactId, StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import Book, Change, Entity
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.staff import Agents, NoAgents
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import BreachedPasswords, PasswordImports, Passwords
from shopaccounts.providers import Providers
from shopaccounts.recovery import CaseHelp, Cases, LostFactor, Objections, Questions, Recovery
from shopaccounts.registration import (
    AssistedRegistration,
    ContactCare,
    ContactChanges,
    Contacts,
    Invitations,
    Registered,
    Registration,
    RegistrationForm,
    Usernames,
)
from shopaccounts.relay import Courier, Relay
from shopaccounts.shop import Adapters, AsyncShopAccounts, Policies, ShopAccounts
from shopaccounts.signin import (
    AnotherDevice,
    CodeSignIn,
    EnrolmentNeeded,
    Factors,
    History,
    Impersonation,
    PasskeyCare,
    PasskeySignIn,
    SecondFactorNeeded,
    SecondStep,
    Sessions,
    SignedIn,
    SignIn,
    SignInStep,
    StepCodes,
    TotpCode,
)
from shopaccounts.subscriptions import (
    BillingDesk,
    BillingNotices,
    BillingPorts,
    BillingRun,
    Boxes,
    Cancellations,
    Changing,
    Collecting,
    CustomerRecords,
    DocumentDesk,
    Pauses,
    Prices,
    Statements,
    Subscribing,
    SubscriptionImports,
    Sweeping,
    UsageWatch,
    Viewing,
)
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.between import Between
from shopaccounts.testing.doubles import Late, ScriptedEntropy
from shopaccounts.testing.mailbag import Mailbag
from shopaccounts.testing.plugin import ASYNC, BLOCKING
from shopaccounts.testing.quick import PlainTemplates, QuickHasher, quick_policies, without_gaps
from shopaccounts.upkeep import Upkeep

__all__ = [
    "BEGINNING",
    "PASSWORD",
    "SITUATIONS",
    "Between",
    "BuiltShop",
    "OpenAccount",
    "PlainTemplates",
    "QuickHasher",
    "ShopBuilder",
    "opened_account",
    "quick_policies",
    "request_from",
    "without_gaps",
]

T = TypeVar("T", bound=Entity)
Wrap = Callable[[Any], Any]

BEGINNING: Final = datetime(2031, 1, 1, 12, tzinfo=UTC)
"""When every built shop opens its doors."""
PASSWORD: Final = "seven lamps in the winter wind"  # noqa: S105  (nobody's)
STORE: Final = StoreId("main")
SITUATIONS: Final = (
    "unknown",
    "unverified contact",
    "pending",
    "active",
    "no password",
    "suspended",
    "closing",
    "closed",
)
"""How an address may stand with a shop; ``BuiltShop.arrange`` brings one there."""


def request_from(
    address: str = "192.0.2.1",
    *,
    agent: str = "",
    secure: bool = True,
    device: Secret[str] | None = None,
    browser: Secret[str] | None = None,
) -> RequestContext:
    """Answer the context of a request from a network address, with the device and the flow cookie of a browser."""
    return RequestContext(
        secure=secure, client_ip=ip_address(address), user_agent=agent, device=device, binding=browser
    )


@attrs.frozen(kw_only=True)
class OpenAccount:
    """An account that was opened, and what its owner has in hand."""

    id: AccountId
    email: str
    password: str | None
    session: Secret[str]


@attrs.frozen(kw_only=True)
class BuiltShop:
    """A shop's use-cases, awaited alike in both hosts, and short ways to where a test begins."""

    builder: "ShopBuilder"
    registration: Registration
    invitations: Invitations
    usernames: Usernames
    assisted: AssistedRegistration
    contacts: Contacts
    contact_changes: ContactChanges
    contact_care: ContactCare
    signin: SignIn
    code_signin: CodeSignIn
    step_codes: StepCodes
    second_step: SecondStep
    passwords: Passwords
    factors: Factors
    passkey_signin: PasskeySignIn
    passkeys: PasskeyCare
    another_device: AnotherDevice
    providers: Providers
    sessions: Sessions
    history: History
    impersonation: Impersonation
    customers: Customers
    closings: Closings
    objections: Objections
    recovery: Recovery
    questions: Questions
    cases: Cases
    case_help: CaseHelp
    lost_factor: LostFactor
    subscriptions: Subscribing
    subscription_changes: Changing
    billing: BillingRun
    sweeping: Sweeping
    boxes: Boxes
    usage_watch: UsageWatch
    payments: Collecting
    subscription_views: Viewing
    pauses: Pauses
    cancellations: Cancellations
    statements: Statements
    subscription_prices: Prices
    billing_desk: BillingDesk
    document_desk: DocumentDesk
    subscription_imports: SubscriptionImports
    subscription_records: CustomerRecords
    billing_notices: BillingNotices
    relay: Relay
    upkeep: Upkeep
    password_imports: PasswordImports

    async def open_account(self, email: str, password: str | None = PASSWORD) -> OpenAccount:
        """Register and prove an address."""
        started = await self.registration.register(
            RegistrationForm(identifier=email, password=password), request_from("198.51.100.7")
        )
        code = self.builder.mailbag.last.code
        done = await self.registration.complete_registration(started.handle, code, request_from("198.51.100.7"))
        self.builder.clock.advance(timedelta(minutes=2))
        if isinstance(done.step, EnrolmentNeeded):
            narrow = done.step.session
            session = narrow if password is None else await self._enrolled(email, password, narrow)
            return OpenAccount(id=done.account, email=email, password=password, session=session)
        return opened_account(done, email, password)

    async def enter(
        self,
        email: str,
        password: str = PASSWORD,
        context: RequestContext | None = None,
        *,
        remember: bool = False,
    ) -> SignInStep:
        """Sign in with all that the account asks for; codes come from the app that was enrolled here."""
        here = context or request_from()
        step: SignInStep = await self.signin.sign_in_with_password(email, password, here, remember=remember)
        if not isinstance(step, SecondFactorNeeded):
            return step
        there = attrs.evolve(here, binding=step.set_cookies[0].value) if step.set_cookies else here
        answer = TotpCode(self.builder.apps[email].next_code())
        return await self.second_step.give_second_factor(step.progress, answer, there)

    async def _enrolled(self, email: str, password: str, session: Secret[str]) -> Secret[str]:
        """Add the app that the shop asks everybody for, and sign in with it."""
        here = request_from("198.51.100.7")
        self.builder.apps[email] = (await enrol_app(self.factors, session, here, self.builder.clock)).app
        step = await self.enter(email, password, here)
        assert isinstance(step, SignedIn), step
        return step.session

    async def arrange(self, situation: str, email: str) -> AccountId | None:
        """Bring an address into one of ``SITUATIONS``; answer the account, if there is one."""
        if situation == "unknown":
            return None
        if situation == "pending":
            form = RegistrationForm(identifier=email, password=PASSWORD)
            await self.registration.register(form, request_from("198.51.100.7"))
            self.builder.clock.advance(timedelta(minutes=2))
            return AccountId(self.builder.mailbag.last.message.subject)
        if situation == "unverified contact":
            other = await self.open_account("other@lamp.example" if looks_like_phone(email) else f"other.{email}")
            await self.builder.edit(CUSTOMERS, other.id, lambda customer: _with_unproven(customer, email))
            return other.id
        account = await self.open_account(email, None if situation == "no password" else PASSWORD)
        for trigger in _STEPS[situation]:
            await self.builder.step(account.id, trigger)
        return account.id


def _with_unproven(customer: Customer, email: str) -> Customer:
    value = PhoneNumber.parse(email) if looks_like_phone(email) else EmailAddress.parse(email)
    contact = ContactPoint(
        id=ContactId(f"unproven of {customer.id}"),
        kind=value.kind,
        value=value,
        roles=frozenset({ContactRole.NOTIFY}),
        added_at=customer.created_at,
    )
    return attrs.evolve(customer, contacts=(*customer.contacts, contact))


_STEPS: Final = {
    "active": (),
    "no password": (),
    "suspended": (Trigger.SUSPEND,),
    "closing": (Trigger.REQUEST_CLOSING,),
    "closed": (Trigger.REQUEST_CLOSING, Trigger.CLOSE),
}


@attrs.define(kw_only=True)
class ShopBuilder:
    """What outlives a process, and the shops that work on it.

    Args:
        host: ``BLOCKING`` or ``ASYNC``, as the fixture ``host`` has it.
        storage: Where everything is kept; in memory unless a test says otherwise.
        policies: What differs between shops; passwords are hashed at no cost unless a test says otherwise.
        entropy: The dice; ``SystemEntropy`` for tests with threads.
        clock: What time it is.
        scope: For which realm and store.
        agents: What the shop's own people may do.
        breached: Who knows leaked passwords.
        closing_objections: What speaks against closing an account.
        couriers: Who takes the shop's messages; for phones, a shop that has none takes no numbers.
        ports: What else the shop may ask, by its name among the ``Adapters``.
    """

    host: str = BLOCKING
    storage: Storage = attrs.field(factory=MemoryStorage)
    policies: Policies = attrs.field(factory=quick_policies)
    entropy: Entropy = attrs.field(factory=ScriptedEntropy)
    clock: FixedClock = attrs.field(factory=lambda: FixedClock(BEGINNING))
    scope: Scope = attrs.field(factory=Scope.single)
    keyring: RootKeyring = attrs.field(factory=lambda: RootKeyring([Secret(b"k" * 32)]))
    agents: Agents = attrs.field(factory=NoAgents)
    breached: BreachedPasswords | None = None
    closing_objections: tuple[ClosingObjections, ...] = ()
    couriers: Mapping[Channel, Courier] = attrs.field(factory=dict)
    ports: Mapping[str, Any] = attrs.field(factory=dict)
    mailbag: Mailbag = attrs.field(init=False)
    apps: dict[str, AuthenticatorApp] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.mailbag = Mailbag(AesVault(self.keyring, SystemEntropy()))

    def build(self, wrap: Wrap | None = None) -> BuiltShop:
        """Answer a shop, whose use-cases are awaited alike in both hosts.

        Args:
            wrap: What stands between the shop and each of its ports, such as a ``Recorder`` or a ``CrashAt``.
        """
        if self.host == BLOCKING:
            return self._built(self.blocking(wrap), _Awaitable)
        shop = AsyncShopAccounts(
            adapters=self._adapters(wrap), storefront=_FRONT, policies=self.policies, scope=self.scope
        )
        return self._built(shop, lambda face: face)

    def blocking(self, wrap: Wrap | None = None) -> ShopAccounts:
        """Answer a shop as a blocking host has it; *wrap* as in ``build``."""
        return ShopAccounts(adapters=self._adapters(wrap), storefront=_FRONT, policies=self.policies, scope=self.scope)

    def _adapters(self, wrap: Wrap | None) -> Adapters:
        around = wrap or (lambda port: port)
        storage = self.mailbag.behind(self.storage)
        late = self.host == ASYNC and isinstance(self.storage, MemoryStorage)
        return Adapters(
            storage=around(Late(storage) if late else storage),
            keyring=around(self.keyring),
            vault=around(AesVault(self.keyring, self.entropy)),
            hasher=around(QuickHasher(self.policies.passwords.hashing, entropy=self.entropy)),
            templates=PlainTemplates(),
            agents=self.agents,
            breached_passwords=around(self.breached) if self.breached else None,
            closing_objections=self.closing_objections,
            couriers={channel: around(courier) for channel, courier in self.couriers.items()},
            bell=around(SilentBell()),
            clock=self.clock,
            entropy=self.entropy,
            **{name: _each(port, around) for name, port in self.ports.items()},
        )

    async def edit(self, book: Book[T], id: str, change: Callable[[T], T]) -> T:
        """Change an entity as a use-case would that isn't there yet."""
        store = self.storage.open(self.scope)
        found = await got(store.find(book, id))
        assert found is not None, f"no {id} in {book.name}"
        now = change(found.it)
        await got(store.record(Change(writes=(book.change(found.it, now),))))
        return now

    async def add(self, book: Book[T], entity: T) -> T:
        """Add an entity as a use-case would that isn't there yet."""
        await got(self.storage.open(self.scope).record(Change(writes=(book.add(entity),))))
        return entity

    async def step(self, account: str, trigger: Trigger, until: datetime | None = None) -> Customer:
        """Let something happen to a customer's record; what stops an account ends its sessions."""
        now, reason = self.clock.now(), StatusReason.ABUSE if trigger is Trigger.SUSPEND else None
        await self.edit(SECURITY, account, lambda security: security.bump(Stamp.ACCOUNT))
        return await self.edit(CUSTOMERS, account, lambda c: follow(as_of(c, now), trigger, reason=reason, until=until))

    async def kept(self, book: Book[T], id: str) -> T | None:
        """Answer an entity as it is stored."""
        found = await got(self.storage.open(self.scope).find(book, id))
        return found.it if found else None

    def _built(self, shop: Any, as_face: Callable[[Any], Any]) -> BuiltShop:
        names = (field.name for field in attrs.fields(BuiltShop) if field.name != "builder")
        return BuiltShop(builder=self, **{name: as_face(getattr(shop, name)) for name in names})


def _each(port: Any, around: Wrap) -> Any:
    """Put *around* around a port, or around each of those that billing brings in one piece."""
    if not isinstance(port, BillingPorts):
        return around(port)
    asked = {field.name: getattr(port, field.name) for field in attrs.fields(BillingPorts) if field.name != "holidays"}
    return attrs.evolve(port, **{name: around(one) for name, one in asked.items() if one is not None})


class _Awaitable:
    """A blocking face that is awaited, so that one test serves both hosts."""

    def __init__(self, face: object) -> None:
        self._face = face

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._face, name)

        @functools.wraps(method)
        async def call(*args: Any, **named: Any) -> Any:
            return method(*args, **named)

        return call


_FRONT: Final = Storefront(
    name="Lampenhaus",
    links=LinkBuilder(
        base={STORE: "https://lampenhaus.example"},
        paths={"verify_contact": "/verify", "password_reset": "/reset"},
    ),
)


def opened_account(done: Registered, email: str, password: str | None) -> OpenAccount:
    """Answer the account that a registration opened."""
    assert isinstance(done.step, SignedIn), done.step
    return OpenAccount(id=done.account, email=email, password=password, session=done.step.session)
