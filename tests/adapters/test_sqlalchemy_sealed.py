"""Personal data that lies sealed: the same promises, nothing to read in a stolen database, and keys that can change."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.sqlalchemy import AsyncSqlStorage, SqlStorage
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import BadPolicy, Defect, Taken
from shopaccounts.kernel.ids import RealmId
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.record import AnyBook, Book, Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.vault import KeyInUse, Ring, SealBroken
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.keys import KeysContract
from shopaccounts.testing.contracts.paging import PagesContract
from shopaccounts.testing.contracts.reading import ReadingContract
from shopaccounts.testing.contracts.values import ValuesContract
from shopaccounts.testing.contracts.writing import WritingContract
from shopaccounts.testing.doubles import Late
from shopaccounts.testing.leaks import assert_no_leak, files_below
from shopaccounts.testing.plugin import ASYNC, BLOCKING
from shopaccounts.testing.races import assert_one_winner, race
from shopaccounts.testing.servers import Postgres
from shopaccounts.testing.toys import BOXES, TOYS, Box, box

OLD, NEW = Secret(b"o" * 32), Secret(b"n" * 32)
PERSONAL: Final[Book[Box]] = attrs.evolve(BOXES, personal=True)
BOOKS: Final[tuple[AnyBook, ...]] = tuple(PERSONAL if book is BOXES else book for book in TOYS)


def vault_and_keys(*roots: Secret[bytes]) -> tuple[AesVault, RootKeyring]:
    keyring = RootKeyring(list(roots))
    return AesVault(keyring, SystemEntropy()), keyring


def sealing(url: str, *roots: Secret[bytes]) -> SqlStorage:
    vault, keyring = vault_and_keys(*roots)
    return SqlStorage(url, books=BOOKS, personal_data="sealed", vault=vault, keyring=keyring)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield with_tables(f"sqlite:///{tmp_path / 'shop.db'}")
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"sealed_{request.getfixturevalue('worker')}"
    yield with_tables(server.create(name))
    server.drop(name)


def with_tables(url: str) -> str:
    storage = SqlStorage(url, books=BOOKS)
    storage.tables.metadata.create_all(storage.engine)
    storage.close()
    return url


@pytest.fixture
def sealed(url: str) -> Iterator[SqlStorage]:
    storage = sealing(url, OLD)
    yield storage
    storage.close()


def rows_of(storage: SqlStorage, book: AnyBook) -> list[Any]:
    with storage.engine.connect() as conn:
        return list(conn.execute(storage.tables[book].table.select()).mappings())


def keys_of(storage: SqlStorage) -> list[Any]:
    with storage.engine.connect() as conn:
        return list(conn.execute(storage.tables.keys.select()).mappings())


class Sealing:
    """Gives the contracts a storage that seals boxes, with two versions of each key alive."""

    @pytest.fixture(params=[BLOCKING, ASYNC])
    def host(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def storage(self, host: str, tmp_path: Path, event_loop_of_the_session: asyncio.Runner) -> Iterator[Storage]:
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        storage = sealing(url, NEW, OLD)
        storage.tables.metadata.create_all(storage.engine)
        if host == BLOCKING:
            yield storage
        else:
            vault, keyring = vault_and_keys(NEW, OLD)
            late = AsyncSqlStorage(
                url.replace("sqlite:", "sqlite+aiosqlite:"),
                books=BOOKS,
                personal_data="sealed",
                vault=Late(vault),
                keyring=Late(keyring),
            )
            yield late
            event_loop_of_the_session.run(late.close())
        storage.close()


class TestReading(Sealing, ReadingContract): ...


class TestWriting(Sealing, WritingContract): ...


class TestKeys(Sealing, KeysContract): ...


class TestPages(Sealing, PagesContract): ...


class TestDueWork(Sealing, DueWorkContract): ...


class TestValues(Sealing, ValuesContract):
    examples = 10


@pytest.mark.proves("KER-161", "KER-175")
def test_a_stolen_file_tells_nothing_about_persons(tmp_path: Path, scope: Scope) -> None:
    storage = sealing(f"sqlite:///{tmp_path / 'shop.db'}", OLD)
    storage.tables.metadata.create_all(storage.engine)
    name, street, born = "ann@winter.example", "12 Winter Street", b"\x01born-in-march"
    secret = box(scope, name=name, nicknames=("winter-ann",), text=street, data=born)
    storage.open(scope).record(Change(writes=(PERSONAL.add(secret),)))
    changed = Change(writes=(PERSONAL.change(secret, attrs.evolve(secret, count=1)),))
    storage.open(scope).record(changed)
    assert storage.open(scope).find(PERSONAL, "ann@winter.example", "box_name") is not None
    planted: dict[str, str | bytes] = {"name": name, "street": street, "born": born, "nickname": "winter-ann"}
    assert_no_leak(planted, files_below(tmp_path))
    storage.close()


@pytest.mark.proves("KER-162")
def test_a_body_moved_to_another_row_or_realm_does_not_open(sealed: SqlStorage, scope: Scope) -> None:
    store = sealed.open(scope)
    store.record(Change(writes=tuple(PERSONAL.add(box(scope, id)) for id in ("a", "b"))))
    table = sealed.tables[PERSONAL].table
    body = next(row["body"] for row in rows_of(sealed, PERSONAL) if row["id"] == "a")
    with sealed.engine.begin() as conn:
        conn.execute(table.update().where(table.c.id == "b").values(body=body))
    assert store.find(PERSONAL, "a") is not None
    with pytest.raises(SealBroken):
        store.find(PERSONAL, "b")


@pytest.mark.proves("KER-170", "KER-171")
def test_the_same_key_has_another_digest_under_each_name_realm_and_version(url: str, scope: Scope) -> None:
    storage = sealing(url, NEW, OLD)
    other = attrs.evolve(scope, realm=RealmId("other"))
    storage.open(scope).record(Change(writes=(PERSONAL.add(box(scope, name="same", nicknames=("same",))),)))
    storage.open(other).record(Change(writes=(PERSONAL.add(box(other, name="same")),)))
    rows = keys_of(storage)
    assert len({row["key"] for row in rows}) == len(rows) == 6
    assert len({row["key_id"] for row in rows}) == 2
    storage.close()


def test_a_storage_that_is_to_seal_needs_a_vault_and_a_keyring(url: str) -> None:
    vault, keyring = vault_and_keys(OLD)
    for missing in ({"vault": vault}, {"keyring": keyring}, {}):
        with pytest.raises(BadPolicy):
            SqlStorage(url, books=BOOKS, personal_data="sealed", **missing)


def test_a_storage_without_its_vault_says_so(sealed: SqlStorage, url: str, scope: Scope) -> None:
    sealed.open(scope).record(Change(writes=(PERSONAL.add(box(scope)),)))
    blind = SqlStorage(url, books=BOOKS)
    with pytest.raises(Defect, match="give the storage its vault"):
        blind.open(scope).find(PERSONAL, "box")
    with pytest.raises(BadPolicy):
        blind.rotation(scope)
    blind.close()


# Changing keys


def walk(step: Any, book: AnyBook, limit: int = 2) -> int:
    after, steps = "", 1
    while (following := step(book, after, limit)) is not None:
        after, steps = following, steps + 1
    return steps


@pytest.fixture
def old_boxes(sealed: SqlStorage, scope: Scope) -> tuple[Box, ...]:
    """Five boxes from before the change of keys."""
    boxes = tuple(box(scope, f"b{n}", name=f"name {n}", nicknames=(f"nick {n}", f"other {n}")) for n in range(5))
    sealed.open(scope).record(Change(writes=tuple(PERSONAL.add(one) for one in boxes)))
    return boxes


@pytest.mark.proves("KER-166", "KER-173")
def test_keys_are_changed_while_the_shop_is_open(url: str, scope: Scope, old_boxes: tuple[Box, ...]) -> None:
    storage = sealing(url, NEW, OLD)
    _, keyring = vault_and_keys(NEW, OLD)
    (new_body, old_body), (new_key, old_key) = (keyring.all(ring) for ring in (Ring.PERSONAL, Ring.INDEX_LOGIN))
    store, rotation = storage.open(scope), storage.rotation(scope)

    assert [store.find(PERSONAL, one.name or "", "box_name") is not None for one in old_boxes] == [True] * 5
    assert storage.uses_key(old_body.id)
    assert storage.uses_key(old_key.id)
    assert not rotation.is_complete(PERSONAL)
    with pytest.raises(KeyInUse):
        rotation.drop(PERSONAL, old_key.id)

    assert walk(rotation.reseal, PERSONAL) == 3
    assert not storage.uses_key(old_body.id)
    assert storage.uses_key(new_body.id)
    walk(rotation.backfill, PERSONAL)
    assert rotation.is_complete(PERSONAL)
    with pytest.raises(KeyInUse):
        rotation.drop(PERSONAL, new_key.id)
    assert rotation.drop(PERSONAL, old_key.id) == 15
    assert not storage.uses_key(old_key.id)
    storage.close()

    after = sealing(url, NEW)
    found = [after.open(scope).find(PERSONAL, one.nicknames[1], "box_nickname") for one in old_boxes]
    assert [one and one.it for one in found] == list(old_boxes), "neither contents nor versions have moved"
    after.close()


@pytest.mark.proves("KER-172")
def test_a_key_that_is_held_under_the_old_version_can_not_be_taken_under_the_new(
    url: str, scope: Scope, old_boxes: tuple[Box, ...]
) -> None:
    storage = sealing(url, NEW, OLD)
    late = Change(writes=(PERSONAL.add(box(scope, "late", name=old_boxes[0].name)),))
    with pytest.raises(Taken, match="box_name"):
        storage.open(scope).record(late)
    storage.close()


@pytest.mark.proves("KER-172", "KER-114")
def test_of_many_at_once_one_takes_a_key_while_some_know_only_the_old_version(
    sealed: SqlStorage, url: str, scope: Scope
) -> None:
    storages = (sealed, sealing(url, OLD, NEW), sealing(url, NEW, OLD))

    async def take(n: int) -> None:
        wanted = PERSONAL.add(box(scope, f"b{n}", name="wanted"))
        storages[n % 3].open(scope).record(Change(writes=(wanted,)))

    assert_one_winner(run(race(12, take)), Taken)
    for storage in storages[1:]:
        storage.close()


@pytest.mark.proves("KER-166")
@pytest.mark.usefixtures("old_boxes")
def test_what_is_written_meanwhile_is_neither_overwritten_nor_resealed(url: str, scope: Scope) -> None:
    """A vault that is slow enough for somebody else to write between reading and resealing."""
    _, keyring = vault_and_keys(NEW, OLD)
    storage = sealing(url, NEW, OLD)

    class Interrupted(AesVault):
        def reseal(self, *args: Any) -> Any:
            fresh = super().reseal(*args)
            found = storage.open(scope).find(PERSONAL, "b0")
            if found is not None and found.it.version == 1:
                now = attrs.evolve(found.it, count=7, name="other name")
                storage.open(scope).record(Change(writes=(PERSONAL.change(found.it, now),)))
            return fresh

    slow = SqlStorage(
        url, books=BOOKS, personal_data="sealed", vault=Interrupted(keyring, SystemEntropy()), keyring=keyring
    )
    walk(slow.rotation(scope).reseal, PERSONAL)
    walk(slow.rotation(scope).backfill, PERSONAL)
    found = storage.open(scope).find(PERSONAL, "other name", "box_name")
    assert found is not None
    assert (found.it.count, found.it.version) == (7, 2)
    assert storage.open(scope).find(PERSONAL, "name 0", "box_name") is None
    assert storage.rotation(scope).is_complete(PERSONAL)
    slow.close()
    storage.close()


@pytest.mark.proves("KER-161")
def test_a_shop_that_begins_to_seal_seals_what_it_has(url: str, scope: Scope) -> None:
    clear = SqlStorage(url, books=BOOKS)
    kept = box(scope, name="ann", text="12 Winter Street")
    clear.open(scope).record(Change(writes=(PERSONAL.add(kept),)))
    clear.close()
    storage = sealing(url, OLD)
    rotation = storage.rotation(scope)
    assert not rotation.is_complete(PERSONAL)
    walk(rotation.reseal, PERSONAL)
    walk(rotation.backfill, PERSONAL)
    assert rotation.is_complete(PERSONAL)
    found = storage.open(scope).find(PERSONAL, "ann", "box_name")
    assert found is not None
    assert found.it == kept
    shown = str(rows_of(storage, PERSONAL)) + str(keys_of(storage))
    assert "Winter" not in shown
    assert "'ann'" not in shown
    storage.close()


@pytest.mark.proves("KER-166")
class TestInAsyncHosts:
    @pytest.fixture
    def host(self) -> str:
        return ASYNC

    async def test_keys_are_changed_in_an_async_host_too(
        self, url: str, scope: Scope, old_boxes: tuple[Box, ...]
    ) -> None:
        vault, keyring = vault_and_keys(NEW, OLD)
        storage = AsyncSqlStorage(
            url.replace("sqlite:", "sqlite+aiosqlite:"),
            books=BOOKS,
            personal_data="sealed",
            vault=Late(vault),
            keyring=Late(keyring),
        )
        rotation, old = storage.rotation(scope), keyring.all(Ring.INDEX_LOGIN)[1]
        assert await rotation.reseal(PERSONAL, "", 100) is None
        assert await rotation.backfill(PERSONAL, "", 100) is None
        assert await rotation.is_complete(PERSONAL)
        assert await rotation.drop(PERSONAL, old.id) == 3 * len(old_boxes)
        assert not await storage.uses_key(old.id)
        await storage.close()
