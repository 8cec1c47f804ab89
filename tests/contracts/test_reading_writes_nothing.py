"""Whoever only looks leaves no trace: not a row, not a byte, and no statement but SELECT."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.ports import Position, Storage
from shopaccounts.kernel.record import Change, Once
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.template import TemplateStorage
from shopaccounts.testing.toys import BOXES, LIDS, NOW, TOYS, box, happened, lid, notice

pytestmark = pytest.mark.proves("KER-126")

HOUR, WORKER = timedelta(hours=1), WorkerId("worker")
READS: dict[str, Callable[[Storage, Scope], Any]] = {
    "find": lambda s, c: s.open(c).find(BOXES, "box", bring=(LIDS.via(), LIDS.newest("box"))),
    "find-nothing": lambda s, c: s.open(c).find(BOXES, "missing"),
    "find-by-key": lambda s, c: s.open(c).find(BOXES, "name", "box_name"),
    "find-what-has-lapsed": lambda s, c: s.open(c).find(BOXES, "lapsed"),
    "rows": lambda s, c: s.open(c).rows(BOXES, "owner", "ann", None, 1),
    "rows-on": lambda s, c: s.open(c).rows(BOXES, "owner", "ann", Position(NOW, "a"), 10),
    "rows-of-events": lambda s, c: s.open(c).rows(EVENTS, "subject", "ann", None, 10),
    "pick": lambda s, c: s.open(c).pick(BOXES, ("box", "missing")),
    "due-in": lambda s, c: s.open(c).due_in(BOXES, "owner", ("ann",), NOW, 10),
    "parked": lambda s, c: s.open(c).parked(BOXES, 10),
    "read": lambda s, c: s.counters(c).read("k"),
    "read-nothing": lambda s, c: s.counters(c).read("missing"),
    "read-what-has-lapsed": lambda s, c: s.counters(c).read("lapsed"),
}


def fill(storage: Any, scope: Scope) -> None:
    store, counters = storage.open(scope), storage.counters(scope)
    boxes = (
        box(scope, name="name", owner="ann", due_at=NOW),
        box(scope, "other", owner="ann"),
        box(scope, "lapsed", keep_until=NOW),
    )
    once = Once(namespace="toys", key="k", now=NOW, keep_until=NOW)
    writes = (*map(BOXES.add, boxes), LIDS.add(lid(scope, box="box")))
    told = Change(events=(happened(scope, "e", "ann"),), messages=(notice(scope, "m"),))
    store.record(Change(writes=writes, once=(once,)) | told)
    (claim,) = store.claim_due(BOXES, NOW, 1, HOUR, WORKER)
    store.park(BOXES, claim, "reason")
    counters.add("k", 1, NOW, NOW + HOUR)
    counters.add("lapsed", 1, NOW, NOW)


@pytest.mark.parametrize("read", READS)
def test_in_memory(read: str, scope: Scope) -> None:
    storage = MemoryStorage()
    fill(storage, scope)
    before = storage.snapshot()
    READS[read](storage, scope)
    assert storage.snapshot() == before


@pytest.mark.parametrize("read", READS)
def test_in_the_template(read: str, scope: Scope, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    storage = TemplateStorage(str(path))
    fill(storage, scope)
    before = dump(path)
    READS[read](storage, scope)
    assert dump(path) == before


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return list(db.iterdump())


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def sql(request: pytest.FixtureRequest) -> Iterator[SqlStorage]:
    storage = SqlStorage(request.getfixturevalue(request.param), books=TOYS)
    yield storage
    storage.close()


@pytest.mark.parametrize("read", READS)
def test_in_a_sql_database(read: str, sql: SqlStorage, scope: Scope) -> None:
    fill(sql, scope)
    sent: list[str] = []
    event.listen(sql.engine, "before_cursor_execute", lambda _c, _u, text, *_: sent.append(text))
    READS[read](sql, scope)
    assert sent
    assert [text for text in sent if not text.startswith("SELECT") or " FOR " in text] == []
