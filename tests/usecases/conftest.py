"""What the tests of use-cases share: a shop in the host of the test, and shops over every kind of storage."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.builders import BuiltShop, ShopBuilder
from shopaccounts.testing.plugin import ASYNC, BLOCKING
from shopaccounts.testing.servers import Postgres

FLAVOURS = {
    "memory": BLOCKING,
    "memory-late": ASYNC,
    "sqlite": BLOCKING,
    "sqlite-async": ASYNC,
    "postgresql": BLOCKING,
    "postgresql-async": ASYNC,
}
realms = count(1)


@pytest.fixture
def builder(host: str) -> ShopBuilder:
    """Everything that outlives a shop, in the host of the test."""
    return ShopBuilder(host=host)


@pytest.fixture
def shop(builder: ShopBuilder) -> BuiltShop:
    """A shop that has just opened."""
    return builder.build()


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
def on(flavour: str, open_storage: Callable[[str], Storage]) -> Callable[..., ShopBuilder]:
    """Builds shops over the storage of the test, in a realm that no other test has."""

    def build(**more) -> ShopBuilder:
        scope = Scope(realm=RealmId(f"shop-{next(realms)}"), store=StoreId("main"))
        return ShopBuilder(host=FLAVOURS[flavour], storage=open_storage(flavour), scope=scope, **more)

    return build


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for the flavour of storage once for each."""
    if "flavour" in metafunc.fixturenames:
        metafunc.parametrize("flavour", FLAVOURS)
    if "flavour" in metafunc.fixturenames and "host" in metafunc.fixturenames:
        metafunc.parametrize("host", [""], indirect=True)
