"""How many statements a call takes, and that each of them finds its rows by an index."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from sqlalchemy import Engine, event

from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.adapters.sqlalchemy.store import SqlStore
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.messages import MESSAGES, MessageState
from shopaccounts.kernel.ports import Position, Swap
from shopaccounts.kernel.record import Change, ClaimGuard, LeaseGuard, Once, Receipt, Sweep
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.toys import BOXES, LIDS, NOW, TOYS, box, happened, lid, notice

HOUR: Final = timedelta(hours=1)
WORKER: Final = WorkerId("w")
PAGE: Final = 500
TRANSACTION: Final = ("BEGIN", "SAVEPOINT", "RELEASE")
Sent = list[tuple[str, Any]]


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    storage = SqlStorage(url, books=TOYS)
    storage.tables.metadata.create_all(storage.engine)
    yield storage
    storage.close()


@pytest.fixture
def store(storage: SqlStorage, scope: Scope) -> SqlStore:
    return storage.open(scope)


@pytest.fixture
def sent(storage: SqlStorage) -> Iterator[Sent]:
    """Every statement that goes to the database, with its first parameters."""
    listed: Sent = []
    with listening(storage.engine, listed):
        yield listed


class listening:  # noqa: N801  (used like a function)
    def __init__(self, engine: Engine, listed: Sent) -> None:
        self._engine, self._listed = engine, listed

    def __enter__(self) -> None:
        event.listen(self._engine, "before_cursor_execute", self._note)

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "before_cursor_execute", self._note)

    def _note(self, _c: Any, _cursor: Any, statement: str, params: Any, _context: Any, many: bool) -> None:
        if not statement.startswith(TRANSACTION):
            self._listed.append((statement, params[0] if many and isinstance(params, list) else params))


def everything(scope: Scope, id: str) -> Change:
    """A change of every part that there is."""
    return Change(
        writes=(BOXES.add(box(scope, id, name=id, owner="ann")),),
        guards=(LIDS.unchanged(lid(scope, "kept")), BOXES.absent(f"not-{id}")),
        leases=(LeaseGuard("nightly", 1),),
        once=(Once(namespace="toys", key=id, now=NOW, keep_until=NOW + HOUR),),
        sweeps=(Sweep(book=LIDS, group="box", value="old"),),
        events=(happened(scope, f"e-{id}", "ann"), happened(scope, f"f-{id}", "ben")),
        messages=(notice(scope, f"m-{id}"),),
        receipt=Receipt(namespace="toys", key=id, body_hash="b", result=b"", keep_until=NOW + HOUR),
    )


@pytest.mark.proves("ADA-112", "TES-112")
def test_a_change_takes_at_most_one_statement_for_each_table_that_it_writes(
    store: SqlStore, scope: Scope, sent: Sent, storage: SqlStorage
) -> None:
    store.record(Change(writes=(LIDS.add(lid(scope, "kept")), LIDS.add(lid(scope, "going", box="old")))))
    storage.leases(scope).acquire("nightly", WORKER, HOUR, NOW)
    sent.clear()
    store.record(everything(scope, "a"))
    tables = [
        statement.split(" ON ")[0].split(" VALUES ")[0].split("(")[0].split(" WHERE ")[0] for statement, _ in sent
    ]
    one_for_all_new_rows, holding_the_absent = (-3, 2) if storage.engine.dialect.name == "postgresql" else (0, 0)
    assert len(sent) == 9 + one_for_all_new_rows + holding_the_absent, tables


@pytest.mark.proves("ADA-112", "TES-112")
def test_what_is_simple_takes_one_statement(store: SqlStore, scope: Scope, sent: Sent, storage: SqlStorage) -> None:
    counters = storage.counters(scope)
    (kept,) = (LIDS.add(lid(scope, "kept")).now,)
    calls: dict[str, Callable[[], Any]] = {
        "add": lambda: store.record(Change(writes=(LIDS.add(kept),))),
        "find": lambda: store.find(LIDS, "kept"),
        "find by key with what belongs to it": lambda: store.find(
            BOXES, "n", "box_name", (LIDS.via(), LIDS.newest("box"))
        ),
        "pick": lambda: store.pick(LIDS, ("kept", "missing")),
        "due in a group": lambda: store.due_in(BOXES, "owner", ("ann", "ben"), NOW, 10),
        "list": lambda: store.rows(LIDS, "box", "b", None, 10),
        "change": lambda: store.record(Change(writes=(LIDS.change(kept, kept),))),
        "claim": lambda: store.claim_due(BOXES, NOW, 10, HOUR, WORKER),
        "count": lambda: counters.add("k", 1, NOW, NOW + HOUR),
        "read": lambda: counters.read("k", "other"),
        "swap": lambda: counters.swap(*(Swap(key, None, b"", NOW + HOUR) for key in ("other", "third"))),
        "forget": lambda: counters.clear("other"),
        "lease": lambda: storage.leases(scope).acquire("nightly", WORKER, HOUR, NOW),
        "nothing": lambda: store.record(Change()),
    }
    taken = {}
    for name, call in calls.items():
        sent.clear()
        call()
        taken[name] = len(sent)
    assert taken == {name: name != "nothing" for name in calls}


@pytest.mark.proves("ADA-112")
def test_an_entity_whose_keys_stay_the_same_writes_no_keys(store: SqlStore, scope: Scope, sent: Sent) -> None:
    added = BOXES.add(box(scope, name="mine", nicknames=("a", "b")))
    store.record(Change(writes=(added,)))
    sent.clear()
    changed = BOXES.change(added.now, attrs.evolve(added.now, count=1))
    store.record(Change(writes=(changed,)))
    assert len(sent) == 1
    sent.clear()
    store.record(Change(writes=(BOXES.change(changed.now, attrs.evolve(changed.now, nicknames=("b",))),)))
    assert [statement.split()[0] for statement, _ in sent] == ["UPDATE", "DELETE"]


def page(scope: Scope, size: int, prefix: str) -> tuple[Change, ...]:
    return tuple(
        Change(
            writes=(BOXES.add(box(scope, f"{prefix}-{n}", name=f"{prefix}-{n}")),),
            events=(happened(scope, f"{prefix}-{n}", f"s{n % 50}"),),
            messages=(notice(scope, f"{prefix}-{n}"),),
        )
        for n in range(size)
    )


@pytest.mark.proves("KER-119", "TES-112")
def test_a_page_takes_as_many_statements_as_its_kinds_of_parts_however_long_it_is(
    store: SqlStore, scope: Scope, sent: Sent
) -> None:
    taken = []
    for size in (5, 50, PAGE):
        sent.clear()
        assert set(store.record_page(page(scope, size, f"p{size}"))) == {"recorded"}
        taken.append(len(sent))
    assert taken[0] <= taken[1] == taken[2] <= 10, taken


@pytest.mark.proves("KER-119", "KER-180", "TES-112")
def test_a_series_is_counted_on_once_for_a_page_and_after_all_else_is_written(
    store: SqlStore, scope: Scope, sent: Sent
) -> None:
    for size in (50, PAGE):
        drafts = tuple(BOXES.add(box(scope, f"d{size}-{n}")).now for n in range(size))
        store.record_page(tuple(Change(writes=(BOXES.add(draft),)) for draft in drafts))
        changes = tuple(
            Change(
                writes=(BOXES.add(box(scope, f"n{size}-{n}", series="s", name=f"n{size}-{n}")),),
                events=(happened(scope, f"n{size}-{n}", f"s{n % 50}"),),
            )
            | Change(writes=(BOXES.change(draft, attrs.evolve(draft, series="s")),))
            for n, draft in enumerate(drafts)
        )
        sent.clear()
        assert set(store.record_page(changes)) == {"recorded"}
        ways = [(statement.split()[0], statement.split("shopaccounts_")[1].split()[0]) for statement, _ in sent]
        assert len(ways) == 10, ways
        assert ways[-4:] == [
            ("INSERT", "numbers"),
            ("UPDATE", "toy_boxes"),
            ("INSERT", "toy_boxes"),
            ("INSERT", "keys"),
        ]


@pytest.mark.proves("TES-112")
def test_a_hundred_messages_are_claimed_and_settled_in_four_statements(
    store: SqlStore, scope: Scope, sent: Sent
) -> None:
    store.record_page(tuple(Change(messages=(notice(scope, f"m{n}"),)) for n in range(100)))
    sent.clear()
    claims = store.claim_due(MESSAGES, NOW, 100, HOUR, WORKER)
    ended = [attrs.evolve(claim.item, state=MessageState.DELIVERED, ended_at=NOW) for claim in claims]
    settled = tuple(
        Change(writes=(MESSAGES.change(claim.item, now),), claims=(ClaimGuard(MESSAGES, claim.item.id, claim.fence),))
        for claim, now in zip(claims, ended, strict=True)
    )
    assert store.record_page(settled) == ("recorded",) * 100
    assert len(sent) <= 4


@pytest.mark.proves("TES-112")
def test_ending_all_of_a_group_takes_the_same_few_statements_however_many_there_are(
    store: SqlStore, scope: Scope, sent: Sent
) -> None:
    taken = []
    for size in (1, 200):
        added = tuple(BOXES.add(box(scope, f"s{size}-{n}", owner=f"o{size}", name=f"{size}-{n}")) for n in range(size))
        store.record(Change(writes=added))
        sent.clear()
        store.record(Change(sweeps=(Sweep(book=BOXES, group="owner", value=f"o{size}"),)))
        taken.append(len(sent))
        assert store.rows(BOXES, "owner", f"o{size}", None, 10).items == ()
    assert taken == [2, 2]


def many_rows(store: SqlStore, scope: Scope) -> None:
    for start in range(0, 2000, PAGE):
        boxes = (
            box(
                scope,
                f"b{n}",
                name=f"b{n}",
                owner=f"o{n % 200}",
                due_at=NOW + n * HOUR,
                lane=f"lane{n % 100}" if n % 2 else "",
                place=n,
                keep_until=NOW + n * HOUR,
            )
            for n in range(start, start + PAGE)
        )
        changes = (Change(writes=(BOXES.add(b), LIDS.add(lid(scope, b.id, box=b.id)))) for b in boxes)
        assert set(store.record_page(tuple(changes))) == {"recorded"}


def ways_to_read_and_write(store: SqlStore, storage: SqlStorage, scope: Scope) -> None:
    """Everything that looks for rows."""
    store.find(BOXES, "b7", bring=(LIDS.via(), LIDS.newest("box")))
    store.find(BOXES, "b7", "box_name", (LIDS.via(), LIDS.newest("box", after=3)))
    store.rows(BOXES, "owner", "o7", None, 5)
    store.rows(BOXES, "owner", "o7", Position(NOW, "b7"), 5)
    store.pick(BOXES, ["b7"])
    store.pick(BOXES, [f"b{n}" for n in range(300)])
    store.due_in(BOXES, "owner", ["o7"], NOW + 20 * HOUR, 500)
    store.due_in(BOXES, "owner", [f"o{n}" for n in range(100)], NOW + 200 * HOUR, 500)
    claims = store.claim_due(BOXES, NOW + 20 * HOUR, 10, HOUR, WORKER)
    store.renew(BOXES, claims, NOW, HOUR)
    store.release(BOXES, claims[:3], NOW)
    store.release(BOXES, claims[3:5], None)
    store.park(BOXES, claims[5], "reason")
    store.parked(BOXES, 5)
    store.unpark(BOXES, claims[5].item.id)
    store.purge(BOXES, NOW + 3 * HOUR, 2)
    store.record(Change(sweeps=(Sweep(book=BOXES, group="owner", value="o9", spare=frozenset({"b9"})),)))
    found = store.find(BOXES, "b10")
    assert found is not None
    store.record(Change(writes=(BOXES.change(found.it, attrs.evolve(found.it, name="other")),)))
    store.record_page((*page(scope, 3, "x"), Change(removals=(BOXES.remove(attrs.evolve(found.it, version=1)),))))
    counters = storage.counters(scope)
    counters.swap(Swap("k", None, b"", NOW))
    counters.swap(Swap("k", 1, b"", NOW))
    counters.swap(Swap("k", 1, b"", NOW), Swap("other", 1, b"", NOW))
    counters.clear("k")
    counters.read("k")
    counters.read("k", "other")
    storage.purge_lapsed(NOW, 2)


def plans(engine: Engine, sent: Sequence[tuple[str, Any]]) -> dict[str, str]:
    """What the database means to do for each statement; PostgreSQL is told that scans and sorts are very dear."""
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN (COSTS OFF) "
    told = {}
    with engine.connect() as conn:
        if engine.dialect.name == "postgresql":
            conn.exec_driver_sql("SET enable_seqscan = off")
        for statement, params in dict(sent).items():
            rows = conn.exec_driver_sql(explain + statement, params).all()
            told[statement] = "\n".join(str(row[-1]) for row in rows)
    return told


@pytest.mark.proves("SQL-5")
def test_every_statement_finds_its_rows_by_an_index(storage: SqlStorage, scope: Scope) -> None:
    store = storage.open(scope)
    many_rows(store, scope)
    with storage.engine.connect() as conn:
        conn.exec_driver_sql("ANALYZE")
        conn.commit()
    sent: Sent = []
    with listening(storage.engine, sent):
        ways_to_read_and_write(store, storage, scope)
    told = plans(storage.engine, sent)
    assert len(told) >= 20
    for statement, plan in told.items():
        for line in plan.splitlines():
            scan = line.strip().startswith("SCAN ") and "CONSTANT" not in line
            of_a_table = scan and line.split()[1] not in {"chosen", "first", "json_each"}
            assert not of_a_table, f"{statement}\n{plan}"
            assert "Seq Scan" not in line, f"{statement}\n{plan}"


@pytest.mark.proves("SQL-5")
def test_what_is_due_in_a_group_is_found_by_the_group_and_not_among_all_that_is_due(
    storage: SqlStorage, scope: Scope
) -> None:
    store = storage.open(scope)
    many_rows(store, scope)
    if storage.engine.dialect.name == "postgresql":  # which looks at its rows by itself; SQLite has to be asked to
        with storage.engine.connect() as conn:
            conn.exec_driver_sql("ANALYZE")
            conn.commit()
    sent: Sent = []
    with listening(storage.engine, sent):
        assert len(store.due_in(BOXES, "owner", ["o7"], NOW + 5000 * HOUR, 500)) == 10
        assert len(store.due_in(BOXES, "owner", ["o7", "o8", "o9"], NOW + 5000 * HOUR, 500)) == 30
    told = plans(storage.engine, sent)
    assert len(told) == 2
    for plan in told.values():
        assert "toy_boxes_g_owner" in plan


@pytest.mark.proves("SQL-5")
def test_every_key_begins_with_the_realm_and_no_table_is_numbered_or_tied_to_another(storage: SqlStorage) -> None:
    for table in storage.tables.metadata.tables.values():
        assert next(iter(table.primary_key.columns)).name == "realm"
        assert not table.foreign_keys
        for column in table.columns:
            assert column.server_default is None
            assert column.default is None
            assert column.autoincrement in {"auto", False}
            assert column.identity is None
