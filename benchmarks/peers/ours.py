"""Shops on this library, called directly."""

from collections.abc import Mapping
from ipaddress import IPv4Address
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

import attrs

from benchmarks.peers.sites import CHEAP, PASSWORD, Place, Site
from shopaccounts import Adapters, AsyncShopAccounts, Policies, ShopAccounts
from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.vault import SealContext, Sealed
from shopaccounts.kernel.web import DEVICE_COOKIE, LinkBuilder, SetCookie
from shopaccounts.kernel.writing import read_sealed
from shopaccounts.passwords import Argon2Profile, PasswordPolicy
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import SignedIn
from shopaccounts.signin.errors import SignInRefused

__all__ = [
    "Shop",
    "SignInRefused",
    "admit",
    "admit_later",
    "async_bare",
    "bare",
    "context",
    "form",
    "must_be_in",
    "open_async_shop",
    "open_shop",
    "set_cookie",
    "shop_on",
]

S = TypeVar("S")
FIRST_HOST: Final = 0x0B000000
REMEMBERED: Final = 8

FRONT: Final = Storefront(
    name="Lampenhaus",
    links=LinkBuilder(
        base={Scope.single().store: "https://shop.example"},
        paths={"verify_contact": "/verify", "password_reset": "/reset"},
    ),
)
KEYS: Final = RootKeyring([Secret(b"k" * 32)])
HASHING: Final = Argon2Profile(memory_kib=CHEAP.memory_cost, passes=CHEAP.time_cost, for_tests=True)
POLICIES: Final = Policies(passwords=PasswordPolicy(hashing=HASHING))
_hosts = count(1)


class NoTemplates:
    """Words no message: rendering is the relay's work, after the answer has gone out."""

    def render(self, *_: object) -> Any:
        """Refuse."""
        raise NotImplementedError


class Mailbox(AesVault):
    """Seals, and remembers what was in the last mails, as the person does who reads them."""

    last: Mapping[str, str] = MappingProxyType({})
    recent: tuple[Mapping[str, str], ...] = ()

    def seal(self, plain: Secret[bytes], about: SealContext) -> Sealed:
        """Seal, and look at what is sealed."""
        _, self.last = read_sealed(plain)
        self.recent = (self.last, *self.recent[: REMEMBERED - 1])
        return super().seal(plain, about)

    def ticket(self, purpose: str) -> Secret[str]:
        """Answer the newest ticket with this code of a purpose in a link."""
        links = (link for mail in self.recent for link in mail.values() if f"=sa1.{purpose}." in link)
        return Secret(next(links).partition("token=")[2])


@attrs.frozen
class Shop(Generic[S]):
    """A shop with what the benchmark needs besides it.

    Args:
        accounts: The shop.
        storage: Where it keeps its books.
        mailbox: What it mails.
        devices: The device cookie in each customer's browser.
    """

    accounts: S
    storage: Any
    mailbox: Mailbox
    devices: dict[str, Secret[str]] = attrs.field(factory=dict)


def open_shop(place: Place, clock: Clock | None = None) -> Shop[ShopAccounts]:
    """Answer a blocking shop whose tables are made."""
    storage = SqlStorage(place.url)
    storage.tables.metadata.create_all(storage.engine)
    return shop_on(storage, clock)


def shop_on(storage: Any, clock: Clock | None = None, **more: Any) -> Shop[ShopAccounts]:
    """Answer a blocking shop that keeps its books in a storage; *more* are other adapters of it."""
    mailbox = Mailbox(KEYS, SystemEntropy())
    adapters = attrs.evolve(_adapters(storage, mailbox), clock=clock or SystemClock(), **more)
    return Shop(ShopAccounts(adapters=adapters, storefront=FRONT, policies=POLICIES), storage, mailbox)


async def open_async_shop(place: Place) -> Shop[AsyncShopAccounts]:
    """Answer an async shop whose tables are made."""
    storage, mailbox = AsyncSqlStorage(place.async_url), Mailbox(KEYS, SystemEntropy())
    async with storage.engine.begin() as connection:
        await connection.run_sync(storage.tables.metadata.create_all)
    accounts = AsyncShopAccounts(adapters=_adapters(storage, mailbox), storefront=FRONT, policies=POLICIES)
    return Shop(accounts, storage, mailbox)


def _adapters(storage: Any, mailbox: Mailbox) -> Adapters:
    return Adapters(storage=storage, keyring=KEYS, vault=mailbox, bell=SilentBell(), templates=NoTemplates())


def context(device: Secret[str] | str | None = None) -> RequestContext:
    """Answer a request from a network of its own, so that no counter holds it, with the device cookie of a browser."""
    value = Secret(device) if isinstance(device, str) else device
    host = IPv4Address(FIRST_HOST + next(_hosts))
    return RequestContext(secure=True, client_ip=host, user_agent="benchmark", device=value)


def from_elsewhere() -> RequestContext:
    """Answer a request of a browser that nobody has seen the like of."""
    return attrs.evolve(context(), user_agent=f"browser {next(_hosts)}")


def form(address: str) -> RegistrationForm:
    """Answer a filled-in form."""
    return RegistrationForm(identifier=address, password=PASSWORD)


def must_be_in(step: object) -> SignedIn:
    """Answer *step* if it let somebody in."""
    if not isinstance(step, SignedIn):
        raise TypeError(step)
    return step


def set_cookie(answer: Any, cookie: SetCookie) -> None:
    """Set a cookie on the answer of any of the web frameworks, which agree in this."""
    answer.set_cookie(
        cookie.name,
        cookie.value.reveal(),
        path=cookie.path,
        secure=cookie.secure,
        httponly=cookie.http_only,
        samesite=cookie.same_site.lower(),
    )


def admit(shop: Shop[ShopAccounts], address: str) -> None:
    """Make a customer who has signed in before, and whose browser is known from then on."""
    started = shop.accounts.registration.register(form(address), context())
    shop.accounts.registration.complete_registration(started.handle, shop.mailbox.last["code"], context())
    step = shop.accounts.signin.sign_in_with_password(address, PASSWORD, context())
    shop.devices[address] = _device(must_be_in(step))


async def admit_later(shop: Shop[AsyncShopAccounts], address: str) -> None:
    """Make a customer as ``admit`` does."""
    started = await shop.accounts.registration.register(form(address), context())
    await shop.accounts.registration.complete_registration(started.handle, shop.mailbox.last["code"], context())
    step = await shop.accounts.signin.sign_in_with_password(address, PASSWORD, context())
    shop.devices[address] = _device(must_be_in(step))


def bare(shop: Shop[ShopAccounts]) -> Site:
    """Answer the shop, called directly."""
    accounts = shop.accounts

    def sign_in(address: str) -> None:
        must_be_in(accounts.signin.sign_in_with_password(address, PASSWORD, context(shop.devices[address])))

    def sign_in_anew(address: str) -> None:
        must_be_in(accounts.signin.sign_in_with_password(address, PASSWORD, from_elsewhere()))

    return Site(
        name="ours",
        register=lambda address: accounts.registration.register(form(address), context()),
        sign_in=sign_in,
        sign_in_anew=sign_in_anew,
        admit=lambda address: admit(shop, address),
        close=shop.storage.close,
    )


def async_bare(shop: Shop[AsyncShopAccounts]) -> Site:
    """Answer the async shop, called directly."""
    accounts = shop.accounts

    async def register(address: str) -> None:
        await accounts.registration.register(form(address), context())

    async def sign_in(address: str) -> None:
        must_be_in(await accounts.signin.sign_in_with_password(address, PASSWORD, context(shop.devices[address])))

    async def sign_in_anew(address: str) -> None:
        must_be_in(await accounts.signin.sign_in_with_password(address, PASSWORD, from_elsewhere()))

    return Site(
        name="ours",
        register=register,
        sign_in=sign_in,
        sign_in_anew=sign_in_anew,
        admit=lambda address: admit_later(shop, address),
        close=shop.storage.close,
    )


def _device(step: SignedIn) -> Secret[str]:
    return next(cookie.value for cookie in step.set_cookies if cookie.name == DEVICE_COOKIE)
