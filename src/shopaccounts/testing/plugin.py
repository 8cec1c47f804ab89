"""Runs ``async def`` tests in the host that they are meant for, and gives them a storage and a scope.

Write ``pytest_plugins = ["shopaccounts.testing.plugin"]`` into your ``conftest.py``. Then each ``async def`` test runs
twice, in a blocking host and in an async one, with a storage that answers at once and with one that answers late.
Override the fixture ``host`` to choose one of them, and ``storage`` to bring your own.
"""

import asyncio
import functools
import inspect
import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar, cast

import pytest

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.scope import Scope
from shopaccounts.testing.doubles import Late

__all__ = ["ASYNC", "BLOCKING", "Drive"]

T = TypeVar("T")
BLOCKING = "blocking"
ASYNC = "async"
PROVES = "proves(*ids): names the rules that this test proves"
_realms = itertools.count(1)


class Drive(Protocol):
    """Drives a coroutine to its end in the host of the test."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Answer what *work* returns."""
        ...


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker that ties a test to the rules it proves."""
    if not any(str(line).startswith("proves") for line in config.getini("markers")):
        config.addinivalue_line("markers", PROVES)


@pytest.fixture(scope="session")
def event_loop_of_the_session() -> Iterator[asyncio.Runner]:
    """Give one event loop to all async tests, so that pools of connections can outlive a test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=[BLOCKING, ASYNC])
def host(request: pytest.FixtureRequest) -> str:
    """Name the kind of host that the test runs in."""
    return str(request.param)


@pytest.fixture
def drive(host: str, request: pytest.FixtureRequest) -> Drive:
    """Drive coroutines to their end in the test's host."""
    if host == BLOCKING:
        return run
    runner: asyncio.Runner = request.getfixturevalue("event_loop_of_the_session")
    return functools.partial(_in_loop, runner)


@pytest.fixture
def storage(host: str) -> Storage:
    """Give an empty storage that answers at once in a blocking host, and late in an async one."""
    return MemoryStorage() if host == BLOCKING else Late(MemoryStorage())


@pytest.fixture
def scope() -> Scope:
    """Give a scope in a realm that no other test has."""
    return Scope(realm=RealmId(f"realm-{next(_realms)}"), store=StoreId("store"))


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(collector: pytest.Module | pytest.Class, name: str, obj: object) -> None:
    """Let every ``async def`` test use the fixture that drives it."""
    if collector.istestfunction(obj, name) and _is_async(obj):
        marks = getattr(obj, "pytestmark", [])
        if not any(mark.name == "usefixtures" and "drive" in mark.args for mark in marks):
            pytest.mark.usefixtures("drive")(obj)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Drive an ``async def`` test in its host."""
    if not _is_async(pyfuncitem.obj):
        return None
    drive = cast("Drive", pyfuncitem.funcargs["drive"])
    if inspect.iscoroutinefunction(pyfuncitem.obj):
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}  # noqa: SLF001  (as pytest does)
        drive(pyfuncitem.obj(**arguments))
        return True
    generated = pyfuncitem.obj.hypothesis
    generated.inner_test = _driven(_written(pyfuncitem.obj), drive)
    return None


def _is_async(function: Any) -> bool:
    """Tell whether a test, with or without ``@given``, is to be driven."""
    return inspect.iscoroutinefunction(_written(function))


def _written(function: Any) -> Any:
    """Answer a test as somebody wrote it, without what Hypothesis and this module put around it."""
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    return getattr(inner, "written", inner)


def _driven(test: Callable[..., Coroutine[Any, Any, None]], drive: Drive) -> Callable[..., None]:
    @functools.wraps(test)
    def call(*args: Any, **named: Any) -> None:
        drive(test(*args, **named))

    call.written = test  # type: ignore[attr-defined]  # so that another host can drive it next
    return call


def _in_loop(runner: asyncio.Runner, work: Coroutine[Any, Any, T]) -> T:
    return runner.run(_alone(work))


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Await *work*, and demand that it leaves no task behind."""
    result = await work
    left = [task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}]
    assert not left, f"tasks that nobody waited for: {left}"
    return result
