"""An adapter of the wrong kind is refused when the shop is put together, by its name, not by the first customer."""

import sys

import pytest

from shopaccounts.adapters.argon2 import Argon2Hasher, ThreadedArgon2Hasher
from shopaccounts.adapters.bells import TaskBell
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import Argon2Profile
from shopaccounts.shop import Adapters, AsyncShopAccounts, Policies, ShopAccounts
from shopaccounts.signin import PasskeyPolicy
from shopaccounts.testing.builders import PlainTemplates

FRONT = Storefront(name="Lampenhaus", links=LinkBuilder(base={StoreId("main"): "https://lampenhaus.example"}, paths={}))
CHEAP = Argon2Profile.tests_only()


async def nothing():
    """Deliver nothing."""


def adapters(**other):
    ready = {
        "storage": MemoryStorage(),
        "keyring": RootKeyring([Secret(b"k" * 32)]),
        "templates": PlainTemplates(),
    }
    return Adapters(**{**ready, **other})


class HalfLateStorage(MemoryStorage):
    async def purge_lapsed(self, before, limit): ...  # type: ignore[override]  # that is its fault


class LateKeyring:
    async def current(self, ring): ...
    def key(self, ring, id): ...
    def all(self, ring): ...
    def retire(self, ring, id): ...


class LateVault:
    async def seal(self, plain, about): ...
    async def open(self, sealed, about): ...
    async def reseal(self, sealed, about): ...


class LateTemplates:
    async def render(self, template, locale, variables, channel): ...


class LateCourier:
    async def send(self, message): ...


class SlowCourier:
    holds_up_the_loop = True


class LateCounters:
    volatile = True

    def counters(self, _scope):
        return self

    async def read(self, *keys): ...


class SlowCounters:
    holds_up_the_loop = True


class LatePlaces:
    async def coarse(self, address):
        return str(address)


class LatePasskeys:
    async def verify_assertion(self, response, passkey, expected): ...


class LateTarget:
    name, patterns, policy = "late", ("*",), None

    async def publish(self, batch): ...


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"storage": AsyncSqlStorage("sqlite+aiosqlite://")}, "AsyncSqlStore.claim_due is asynchronous"),
        ({"storage": HalfLateStorage()}, "HalfLateStorage.purge_lapsed is asynchronous"),
        ({"keyring": LateKeyring()}, "LateKeyring.current is asynchronous"),
        ({"vault": LateVault()}, "LateVault.open is asynchronous"),
        ({"hasher": ThreadedArgon2Hasher(CHEAP)}, "ThreadedArgon2Hasher.hash is asynchronous"),
        ({"templates": LateTemplates()}, "LateTemplates.render is asynchronous"),
        ({"couriers": {Channel.EMAIL: LateCourier()}}, "LateCourier.send is asynchronous"),
        ({"counters": LateCounters()}, "LateCounters.read is asynchronous"),
        ({"targets": (LateTarget(),)}, "LateTarget.publish is asynchronous"),
        ({"places": LatePlaces()}, "LatePlaces.coarse is asynchronous"),
        ({"passkeys": LatePasskeys()}, "LatePasskeys.verify_assertion is asynchronous"),
        ({"bell": TaskBell(nothing)}, "TaskBell needs an event loop"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_blocking_host_takes_only_what_answers_at_once(other, named) -> None:
    with pytest.raises(Defect, match=named):
        ShopAccounts(adapters=adapters(**other), storefront=FRONT)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"storage": SqlStorage("sqlite://")}, "SqlStorage holds up the event loop"),
        ({"hasher": Argon2Hasher(CHEAP)}, "Argon2Hasher holds up the event loop"),
        ({"couriers": {Channel.EMAIL: SlowCourier()}}, "SlowCourier holds up the event loop"),
        ({"counters": SlowCounters()}, "SlowCounters holds up the event loop"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_an_async_host_takes_nothing_that_would_hold_it_up(other, named) -> None:
    with pytest.raises(Defect, match=named):
        AsyncShopAccounts(adapters=adapters(**other), storefront=FRONT)


def test_both_hosts_take_what_fits_and_fill_in_the_rest() -> None:
    assert isinstance(ShopAccounts(adapters=adapters(), storefront=FRONT).adapters.hasher, Argon2Hasher)
    later = AsyncShopAccounts(adapters=adapters(), storefront=FRONT)
    assert isinstance(later.adapters.hasher, ThreadedArgon2Hasher)
    assert later.for_scope(later.scope).adapters == later.adapters


@pytest.mark.proves("ADA-211")
@pytest.mark.parametrize("face", [ShopAccounts, AsyncShopAccounts])
def test_a_shop_with_passkeys_is_refused_at_the_start_where_their_package_is_missing(face, monkeypatch) -> None:
    policies = Policies(
        passkeys=PasskeyPolicy(rp_id="lamp.example", rp_name="Lampenhaus", origins=("https://lamp.example",))
    )
    face(adapters=adapters(), storefront=FRONT, policies=policies)
    monkeypatch.setitem(sys.modules, "webauthn", None)
    face(adapters=adapters(), storefront=FRONT)
    with pytest.raises(Defect, match=r"shopaccounts\[passkeys\]"):
        face(adapters=adapters(), storefront=FRONT, policies=policies)
