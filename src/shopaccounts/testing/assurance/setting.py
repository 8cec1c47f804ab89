"""The shop that the values of an assurance profile are tried on, and what people do in it."""

import itertools
from datetime import timedelta
from ipaddress import IPv6Address
from typing import Any, Final, cast

import attrs
import pytest

from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.assurance import AssuranceProfile
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import Argon2Profile, FindingCode, PasswordUnacceptable, prepare
from shopaccounts.passwords.breaches import Outage, fingerprint
from shopaccounts.registration import CodeExhausted, CodeWrong, RegistrationForm
from shopaccounts.settings import Adapters
from shopaccounts.signin import NoSession, SignedIn, SignInRefused, WhyNoSession
from shopaccounts.testing.builders import BuiltShop, ShopBuilder, request_from

__all__ = [
    "ANN",
    "DAY",
    "MOMENT",
    "SECOND",
    "ConfiguredShop",
    "Leaks",
    "a_form",
    "a_network",
    "a_password",
    "a_session",
    "findings",
    "guess",
    "sign_in",
    "why",
    "wrong_code",
]

ANN: Final = "ann@lamp.example"
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
    def builder(
        self, host: str, scope: Scope, profile: AssuranceProfile, adapters: Adapters, leaks: Leaks
    ) -> ShopBuilder:
        """Answer the shop's policies over its own adapters."""
        at_no_cost = attrs.evolve(profile.policies.passwords, hashing=Argon2Profile.tests_only())
        return ShopBuilder(
            host=host,
            storage=adapters.storage,
            policies=attrs.evolve(profile.policies, passwords=at_no_cost),
            entropy=SystemEntropy(),
            scope=attrs.evolve(scope, realm=RealmId(SystemEntropy().token(128)), store=StoreId("main")),
            keyring=cast(RootKeyring, adapters.keyring),
            breached=leaks,
            ports={"counters": adapters.counters} if adapters.counters else {},
        )

    @pytest.fixture
    def shop(self, builder: ShopBuilder) -> BuiltShop:
        """Answer a shop that has just opened."""
        return builder.build()


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
    """Sign in with the right password."""
    typed = password or a_password(40)
    return await shop.signin.sign_in_with_password(ANN, typed, a_network(), remember=remember)


async def a_session(shop: BuiltShop) -> Secret[str]:
    """Answer a session that is not to be remembered."""
    step = await sign_in(shop)
    assert isinstance(step, SignedIn)
    return step.session


async def why(shop: BuiltShop, value: Secret[str]) -> WhyNoSession | None:
    """Answer why a value opens nothing, None if it does."""
    answer = await shop.sessions.resume(value, a_network())
    return answer.reason if isinstance(answer, NoSession) else None
