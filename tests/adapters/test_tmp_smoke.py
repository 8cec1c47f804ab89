"""Temporary: contracts over sqlite"""

import pytest, itertools
from shopaccounts.adapters.sqlalchemy import SqlStorage, AsyncSqlStorage
from shopaccounts.testing.toys import TOYS
from shopaccounts.testing.contracts.counters import CountersContract, LeasesContract
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.events import EventsContract
from shopaccounts.testing.contracts.keys import KeysContract
from shopaccounts.testing.contracts.paging import PagesContract
from shopaccounts.testing.contracts.purging import PurgingContract
from shopaccounts.testing.contracts.races import RaceContract
from shopaccounts.testing.contracts.reading import ReadingContract
from shopaccounts.testing.contracts.realms import RealmsContract
from shopaccounts.testing.contracts.values import ValuesContract
from shopaccounts.testing.contracts.writing import WritingContract


@pytest.fixture(scope="module")
def pg():
    from shopaccounts.testing.servers import postgres

    with postgres() as server:
        yield server


NUM = itertools.count()


@pytest.fixture(scope="module")
def pgurl(request):
    pg = request.getfixturevalue("pg")
    u = pg.create("smoke")
    s = SqlStorage(u, books=TOYS)
    s.tables.metadata.create_all(s.engine)
    s.close()
    return u


import os

KINDS = os.environ.get("KINDS", "sqlite").split(",")


@pytest.fixture(scope="module")
def tmpdb(tmp_path_factory):
    u = f"sqlite:///{tmp_path_factory.mktemp('d')}/x.db"
    s = SqlStorage(u, books=TOYS)
    s.tables.metadata.create_all(s.engine)
    s.close()
    return u


@pytest.fixture(params=KINDS)
def storage(request, host, drive):
    kind = request.param
    kw = {}
    if kind == "pg-portable":
        kw["skip_locked"] = False
    if kind == "sqlite":
        url = request.getfixturevalue("tmpdb")
    elif kind == "memory":
        url = "sqlite://"
    else:
        url = request.getfixturevalue("pgurl")
    if host == "blocking":
        s = SqlStorage(url, books=TOYS, **kw)
        if kind == "memory":
            s.tables.metadata.create_all(s.engine)
        yield s
        s.close()
    else:
        s = AsyncSqlStorage(url.replace("sqlite:", "sqlite+aiosqlite:"), books=TOYS, **kw)
        if kind == "memory":

            async def mk():
                async with s.engine.begin() as c:
                    await c.run_sync(s.tables.metadata.create_all)

            drive(mk())
        yield s
        drive(s.close())


class TestReading(ReadingContract): ...


class TestWriting(WritingContract): ...


class TestKeys(KeysContract): ...


class TestPages(PagesContract): ...


class TestValues(ValuesContract): ...


class TestEvents(EventsContract): ...


class TestRealms(RealmsContract): ...


class TestPurging(PurgingContract): ...


class TestDueWork(DueWorkContract): ...


class TestCounters(CountersContract): ...


class TestLeases(LeasesContract): ...


class TestRaces(RaceContract): ...
