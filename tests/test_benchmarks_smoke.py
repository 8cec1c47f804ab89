"""The benchmarks can be found and loaded; what they measure is no matter of tests."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import benchmarks
from benchmarks import billing
from benchmarks.registry import BENCHMARKS
from benchmarks.subscriptions import PAGE

APART = {"__main__", "peers"}
"""The command, and the shops on the peers, which load in the environment of the benchmarks only."""


def modules():
    return sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name not in APART)


@pytest.mark.parametrize("name", modules())
def test_every_module_loads_without_the_peers(name):
    importlib.import_module(f"benchmarks.{name}")


def test_the_registry_names_every_benchmark():
    loaded = {f"benchmarks.{name}": importlib.import_module(f"benchmarks.{name}") for name in modules()}
    runnable = {name for name, module in loaded.items() if "run" in getattr(module, "__all__", ())}
    assert runnable == set(BENCHMARKS.values())


def test_every_benchmark_is_called_with_an_effort():
    for name in BENCHMARKS.values():
        assert importlib.import_module(name).run.__annotations__["effort"].__name__ == "Effort"


def test_the_command_says_what_it_can_do(pytestconfig):
    command = [sys.executable, "-m", "benchmarks", "--help"]
    helped = subprocess.run(  # noqa: S603  (this package)
        command, cwd=pytestconfig.rootpath, capture_output=True, text=True, check=True
    )
    assert all(name in helped.stdout for name in BENCHMARKS)


@pytest.mark.proves("PRF-3")
def test_the_billing_run_is_measured_against_what_we_promise():
    """How long it takes is printed beside this, by one, two and four workers, with up to a million in the books."""
    assert {kind: PAGE / seconds for kind, seconds in billing.SECONDS.items()} == {
        "SQLite": 1_000,
        "PostgreSQL": 2_000,
        "memory": 5_000,
    }
    assert (billing.CREW, billing.SIZES, billing.MOST_STATEMENTS) == ((1, 2, 4), (10_000, 100_000, 1_000_000), 12)
