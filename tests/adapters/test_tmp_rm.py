import pytest
from shopaccounts.adapters.sqlalchemy import SqlStorage
from shopaccounts.kernel.answers import run
import sys; sys.path.insert(0,"/tmp/sqlx")
from random_machine2 import machine_against, run_machine
from shopaccounts.testing.toys import TOYS
@pytest.fixture
def host(): return "blocking"
def test_rm(drive):
    s=SqlStorage("sqlite://", books=TOYS); s.tables.metadata.create_all(s.engine)
    run_machine(machine_against(lambda: s, drive), histories=400, steps=25)
