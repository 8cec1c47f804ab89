"""The template that ships in the wheel keeps every promise; this file is all that proving an adapter takes."""

from pathlib import Path

import pytest

from shopaccounts.kernel.ports import Storage
from shopaccounts.testing.contracts.counters import CountersContract, LeasesContract
from shopaccounts.testing.contracts.due import DueWorkContract
from shopaccounts.testing.contracts.events import EventsContract
from shopaccounts.testing.contracts.keys import KeysContract
from shopaccounts.testing.contracts.numbers import NumbersContract
from shopaccounts.testing.contracts.paging import PagesContract
from shopaccounts.testing.contracts.purging import PurgingContract
from shopaccounts.testing.contracts.quotas import QuotasContract
from shopaccounts.testing.contracts.races import RaceContract
from shopaccounts.testing.contracts.reading import ReadingContract
from shopaccounts.testing.contracts.realms import RealmsContract
from shopaccounts.testing.contracts.values import ValuesContract
from shopaccounts.testing.contracts.writing import WritingContract
from shopaccounts.testing.template import TemplateStorage


class Template:
    @pytest.fixture
    def host(self) -> str:
        return "blocking"

    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        return TemplateStorage(str(tmp_path / "shop.db"))


@pytest.mark.proves("ADA-111")
class TestReading(Template, ReadingContract): ...


class TestWriting(Template, WritingContract): ...


class TestKeys(Template, KeysContract): ...


class TestPages(Template, PagesContract): ...


class TestValues(Template, ValuesContract): ...


class TestEvents(Template, EventsContract): ...


class TestRealms(Template, RealmsContract): ...


class TestPurging(Template, PurgingContract): ...


class TestDueWork(Template, DueWorkContract): ...


class TestCounters(Template, CountersContract): ...


class TestLeases(Template, LeasesContract): ...


class TestRaces(Template, RaceContract): ...


class TestNumbers(Template, NumbersContract): ...


class TestQuotas(Template, QuotasContract): ...
