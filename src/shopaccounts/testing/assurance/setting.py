"""The shop that the values of an assurance profile are tried on, and what people do in it."""

import io
import itertools
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

import attrs
import pytest

from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.assurance import AssuranceProfile
from shopaccounts.customers import CUSTOMERS, ContactPoint, ContactRole, Customer, VerificationMethod
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.contact import ContactKind, EmailAddress, PhoneNumber
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import AccountId, ContactId, RealmId, StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhonePolicy
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.passwords import Argon2Profile, FindingCode, PasswordUnacceptable, prepare
from shopaccounts.passwords.breaches import Outage, fingerprint
from shopaccounts.providers import ProviderConfig
from shopaccounts.registration import CodeExhausted, CodeWrong, RegistrationForm
from shopaccounts.settings import Adapters, Policies
from shopaccounts.signin import NoSession, SecondFactorMode, SecondFactorNeeded, SignedIn, SignInRefused, WhyNoSession
from shopaccounts.testing.apps import AuthenticatorApp, enrol_app
from shopaccounts.testing.builders import BEGINNING, BuiltShop, OpenAccount, ShopBuilder, request_from

if TYPE_CHECKING:
    from shopaccounts.testing.providers import Browser

__all__ = [
    "ANN",
    "DAY",
    "MOMENT",
    "NUMBER",
    "PHONE",
    "SECOND",
    "SPARE",
    "ConfiguredShop",
    "Leaks",
    "a_browser",
    "a_form",
    "a_network",
    "a_password",
    "a_protected",
    "a_session",
    "app_of",
    "asks_everybody",
    "findings",
    "guess",
    "half_way",
    "sign_in",
    "tried",
    "why",
    "with_phone",
    "with_recovery_address",
    "wrong_code",
]

ANN: Final = "ann@lamp.example"
SPARE: Final = "ann@spare.example"
NUMBER: Final = "+4915112345678"
PHONE: Final = ContactId("phone")
MOMENT: Final = timedelta(microseconds=1)
SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)
PHRASE: Final = "velvet orchards hum beneath seventeen quiet rivers of amber " * 20
_numbers = itertools.count(1)


class Leaks:
    """A list of leaked passwords that a test fills, or puts out of reach."""

    def __init__(self) -> None:
        self.listed: set[str] = set()
        self.is_out = False

    def range(self, prefix: str) -> list[tuple[str, int]] | Outage:
        """Answer what is listed, as the port has it."""
        prints = map(fingerprint, map(prepare, self.listed))
        return Outage("timeout") if self.is_out else [(rest, 7) for first, rest in prints if first == prefix]


class ConfiguredShop:
    """A shop with the host's own adapters under the policies of its profile."""

    @pytest.fixture
    def profile(self) -> AssuranceProfile:
        """Answer the profile that the shop is configured with."""
        raise NotImplementedError

    @pytest.fixture
    def adapters(self) -> Adapters:
        """Answer the adapters that the shop is built with."""
        raise NotImplementedError

    @pytest.fixture
    def leaks(self) -> Leaks:
        """Answer the list of leaked passwords that the shop asks."""
        return Leaks()

    @pytest.fixture
    def policies(self, profile: AssuranceProfile) -> Policies:
        """Answer the policies that the shop is built with."""
        return tried(profile.policies)

    @pytest.fixture
    def builder(self, host: str, scope: Scope, policies: Policies, adapters: Adapters, leaks: Leaks) -> ShopBuilder:
        """Answer the shop's policies over its own adapters."""
        builder = ShopBuilder(
            host=host,
            storage=adapters.storage,
            policies=policies,
            entropy=SystemEntropy(),
            scope=attrs.evolve(scope, realm=RealmId(SystemEntropy().token(128)), store=StoreId("main")),
            keyring=cast(RootKeyring, adapters.keyring),
            breached=leaks,
            couriers=dict.fromkeys((Channel.SMS, Channel.VOICE), ConsoleCourier(io.StringIO())),
            ports={name: port for name in _PORTS if (port := getattr(adapters, name)) is not None},
        )
        if policies.providers.enabled:
            builder.ports = {**builder.ports, "id_tokens": _id_tokens(builder.clock)}
        return builder

    @pytest.fixture
    def shop(self, builder: ShopBuilder) -> BuiltShop:
        """Answer a shop that has just opened."""
        return builder.build()


_PORTS: Final = ("counters", "phone_rules", "totp", "passkeys")
"""Of the host's adapters those that values depend on."""


def tried(policies: Policies) -> Policies:
    """Answer the policies that values are tried on.

    Without what costs time, what depends on a country, and proofs that only devices can give; and every provider is one
    that a test can speak for.
    """
    passkeys = policies.passkeys and attrs.evolve(policies.passkeys, attestation="none", trust_roots={})
    providers = attrs.evolve(policies.providers, configs=tuple(map(_spoken_for, policies.providers.configs)))
    return attrs.evolve(
        policies,
        passwords=attrs.evolve(policies.passwords, hashing=Argon2Profile.tests_only()),
        passkeys=passkeys,
        providers=providers,
        phones=PhonePolicy(),
        sends=attrs.evolve(policies.sends, allowed_countries=frozenset()),
    )


def a_browser(shop: BuiltShop, provider: str, session: Secret[str] | None = None) -> "Browser":
    """Answer a browser that goes to a provider and comes back, signed in with *session*."""
    from shopaccounts.testing.providers import Browser, LittleProvider  # noqa: PLC0415  (optional)

    little = LittleProvider(shop.builder.clock.now, provider)
    return Browser(shop=shop, provider=little, session=session or Secret(""))


def _spoken_for(config: ProviderConfig) -> ProviderConfig:
    """Answer a provider of the same values that a test can speak for."""
    from shopaccounts.testing.providers import LittleProvider  # noqa: PLC0415  (optional)

    names = ("enabled", "trusts_email", "authoritative_domains", "auto_link", "amr_map")
    values = {name: getattr(config, name) for name in names}
    return LittleProvider(FixedClock(BEGINNING).now, config.id).config(**values)


def _id_tokens(clock: FixedClock) -> Any:
    """Answer what checks the signatures of these providers."""
    from shopaccounts.testing.providers import LittleProvider, QuickTokens  # noqa: PLC0415  (optional)

    class Keys:
        def fetch(self, address: str) -> bytes | None:
            host = urlsplit(address).hostname or ""
            return LittleProvider(clock.now, host.removesuffix(".example")).fetch(address)

    return QuickTokens(Keys())


def asks_everybody(profile: AssuranceProfile) -> bool:
    """Tell whether everybody in such a shop has a second factor."""
    return profile.policies.second_factor.mode is SecondFactorMode.REQUIRED


def a_network() -> RequestContext:
    """Answer a request from a network that no other request comes from."""
    return request_from(str(IPv6Address("2001:db8::") + (next(_numbers) << 64)))


def a_password(length: int) -> str:
    """Answer a good password of so many characters."""
    text = PHRASE[:length]
    return text if not text.endswith(" ") else f"{text[:-1]}z"


def a_form(address: str, password: str | None = None) -> RegistrationForm:
    """Answer what somebody fills in."""
    return RegistrationForm(identifier=address, password=a_password(40) if password is None else password)


async def findings(shop: BuiltShop, password: str) -> set[FindingCode]:
    """Answer what speaks against a password."""
    try:
        await shop.registration.register(a_form(f"{next(_numbers)}@lamp.example", password), a_network())
    except PasswordUnacceptable as refused:
        return {finding.code for finding in refused.findings}
    return set()


async def guess(shop: BuiltShop) -> timedelta | None:
    """Answer how long one has to wait, None if the guess was looked at."""
    try:
        await shop.signin.sign_in_with_password(ANN, "a guess", a_network())
    except SignInRefused:
        return None
    except Throttled as held:
        return held.retry_after
    raise AssertionError


async def wrong_code(shop: BuiltShop, handle: Secret[str]) -> None:
    """Type a wrong code, whatever comes of it."""
    try:
        await shop.registration.complete_registration(handle, "wrong", a_network())
    except (CodeWrong, CodeExhausted):
        return


async def sign_in(shop: BuiltShop, password: str | None = None, *, remember: bool = False) -> Any:
    """Sign in with the right password, and whatever else the shop asks for."""
    typed = password or a_password(40)
    return await shop.enter(ANN, typed, a_network(), remember=remember)


async def a_session(shop: BuiltShop) -> Secret[str]:
    """Answer a session that is not to be remembered."""
    step = await sign_in(shop)
    assert isinstance(step, SignedIn)
    return step.session


async def why(shop: BuiltShop, value: Secret[str]) -> WhyNoSession | None:
    """Answer why a value opens nothing, None if it does."""
    answer = await shop.sessions.resume(value, a_network())
    return answer.reason if isinstance(answer, NoSession) else None


async def a_protected(shop: BuiltShop, email: str = ANN) -> OpenAccount:
    """Open an account that has an app, whether the shop asks for one or not; its session has shown all there is."""
    account = await shop.open_account(email, a_password(40))
    if email not in shop.builder.apps:
        enrolled = await enrol_app(shop.factors, account.session, a_network(), shop.builder.clock)
        shop.builder.apps[email] = enrolled.app
    return attrs.evolve(account, session=await a_session(shop))


def app_of(shop: BuiltShop) -> AuthenticatorApp:
    """Answer Ann's app."""
    return shop.builder.apps[ANN]


async def half_way(shop: BuiltShop, context: RequestContext | None = None) -> tuple[Secret[str], RequestContext]:
    """Sign in with the password alone; answer what to go on with, and the browser that began."""
    here = context or a_network()
    step: Any = await shop.signin.sign_in_with_password(ANN, a_password(40), here)
    assert isinstance(step, SecondFactorNeeded), step
    return step.progress, attrs.evolve(here, binding=step.set_cookies[0].value)


async def with_phone(builder: ShopBuilder, account: AccountId, *roles: ContactRole) -> None:
    """Give an account a proven number."""
    await _with_contact(builder, account, PhoneNumber.parse(NUMBER), roles)


async def with_recovery_address(builder: ShopBuilder, account: AccountId) -> None:
    """Give an account a proven address beside the one that it signs in by."""
    await _with_contact(builder, account, EmailAddress.parse(SPARE), (ContactRole.RECOVERY,))


async def _with_contact(
    builder: ShopBuilder, account: AccountId, value: EmailAddress | PhoneNumber, roles: Iterable[ContactRole]
) -> None:
    now = builder.clock.now()
    id = PHONE if isinstance(value, PhoneNumber) else ContactId(f"spare of {account}")
    kind = ContactKind.PHONE if isinstance(value, PhoneNumber) else ContactKind.EMAIL
    point = ContactPoint(id=id, kind=kind, value=value, roles=frozenset(roles), added_at=now)
    proven = point.proven(VerificationMethod.CODE, "a challenge", now)

    def listed(customer: Customer) -> Customer:
        return attrs.evolve(customer, contacts=(*customer.contacts, proven))

    await builder.edit(CUSTOMERS, account, listed)
