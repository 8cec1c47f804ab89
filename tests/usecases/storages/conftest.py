"""Shops over every kind of storage, each in the host that it is for; and over one whose counters lie apart."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.ports import OpensCounters, Storage
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.builders import ShopBuilder, quick_policies, without_gaps
from shopaccounts.testing.plugin import ASYNC, BLOCKING
from shopaccounts.testing.servers import Postgres

FLAVOURS = {
    "memory": BLOCKING,
    "memory-late": ASYNC,
    "sqlite": BLOCKING,
    "sqlite-async": ASYNC,
    "postgresql": BLOCKING,
    "postgresql-async": ASYNC,
    "postgresql+valkey": BLOCKING,
}
RUN = SystemEntropy().digits(12)
"""Tells realms of this run from those of another on a server that outlives both."""
realms = count(1)


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    """Name the kind of storage that the test runs on."""
    return str(request.param)


@pytest.fixture
def host(flavour: str) -> str:
    """Name the kind of host that the storage is for."""
    return FLAVOURS[flavour]


@pytest.fixture(scope="session")
def shop_sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with every table of a shop."""
    return with_tables(f"sqlite:///{tmp_path_factory.mktemp('shop') / 'shop.db'}")


@pytest.fixture(scope="session")
def shop_postgres_url(postgres_server: Postgres, worker: str) -> Iterator[str]:
    """A database with every table of a shop."""
    name = f"shopaccounts_{worker}_shop"
    yield with_tables(postgres_server.create(name))
    postgres_server.drop(name)


def with_tables(url: str) -> str:
    storage = SqlStorage(url)
    storage.tables.metadata.create_all(storage.engine)
    storage.close()
    return url


@pytest.fixture(scope="session")
def open_storage(
    request: pytest.FixtureRequest, event_loop_of_the_session: asyncio.Runner
) -> Iterator[Callable[[str], Storage]]:
    """Opens each kind of storage once, and closes what was opened in the end."""
    opened: dict[str, SqlStorage | AsyncSqlStorage] = {}

    def open_once(flavour: str) -> Storage:
        if flavour.startswith("memory"):
            return MemoryStorage()
        flavour = flavour.removesuffix("+valkey")
        if flavour not in opened:
            url = request.getfixturevalue("shop_sqlite_url" if "sqlite" in flavour else "shop_postgres_url")
            late = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:")) if "async" in flavour else None
            opened[flavour] = late or SqlStorage(url)
        return opened[flavour]

    yield open_once
    for storage in opened.values():
        closing = storage.close()
        if closing is not None:
            event_loop_of_the_session.run(closing)


@pytest.fixture
def ports(flavour: str, request: pytest.FixtureRequest) -> dict[str, OpensCounters]:
    """What lies apart from the storage."""
    return {"counters": request.getfixturevalue("valkey_counters")} if flavour.endswith("+valkey") else {}


@pytest.fixture
def builder(
    host: str, flavour: str, open_storage: Callable[[str], Storage], ports: dict[str, OpensCounters]
) -> ShopBuilder:
    """A shop in a realm that no other test has, with dice that many may throw at once, and without waits for mail."""
    scope = Scope(realm=RealmId(f"shop-{RUN}-{next(realms)}"), store=StoreId("main"))
    policies = quick_policies(sends=without_gaps())
    storage = open_storage(flavour)
    return ShopBuilder(host=host, storage=storage, scope=scope, entropy=SystemEntropy(), policies=policies, ports=ports)
