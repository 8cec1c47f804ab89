"""What has lapsed is forgotten, page by page, and nothing else is."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.record import Change, Once, Receipt, Recorded, Replayed
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.plugin import ASYNC
from shopaccounts.testing.servers import Postgres
from shopaccounts.testing.toys import NOW, TOYS

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shop.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"lapsing_{request.getfixturevalue('worker')}"
    yield server.create(name)
    server.drop(name)


@pytest.fixture
def storage(url: str, scope: Scope) -> Iterator[SqlStorage]:
    """Five of each kind that end one after the other, an hour apart."""
    storage = SqlStorage(url, books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    for n in range(5):
        storage.open(scope).record(change(n))
        storage.counters(scope).add(f"k{n}", 1, NOW, NOW + n * HOUR)
    yield storage
    storage.close()


def change(n: int) -> Change:
    end = NOW + n * HOUR
    return Change(
        once=(Once(namespace="toys", key=f"k{n}", now=NOW, keep_until=end),),
        receipt=Receipt(namespace="toys", key=f"k{n}", body_hash="b", result=b"answer", keep_until=end),
    )


@pytest.mark.proves("KER-196", "KER-134")
def test_what_has_lapsed_is_forgotten_in_pages_and_the_rest_is_kept(storage: SqlStorage, scope: Scope) -> None:
    later = NOW + 2.5 * HOUR
    assert [storage.purge_lapsed(later, 2) for _ in range(3)] == [6, 3, 0]
    counters, store = storage.counters(scope), storage.open(scope)
    assert set(counters.read(*(f"k{n}" for n in range(5)))) == {"k3", "k4"}
    assert store.record(Change(receipt=change(2).receipt)) == Recorded()
    assert store.record(Change(receipt=change(3).receipt)) == Replayed(b"answer")
    with pytest.raises(Taken):
        store.record(Change(once=change(3).once))


@pytest.mark.proves("KER-196")
class TestInAsyncHosts:
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    @pytest.mark.usefixtures("storage")
    async def test_an_async_storage_forgets_too(self, url: str) -> None:
        late = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:"), books=TOYS)
        assert await late.purge_lapsed(NOW + 9 * HOUR, 500) == 15
        await late.close()
