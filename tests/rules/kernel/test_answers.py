import asyncio
import inspect

import pytest

from shopaccounts.kernel.answers import got, run
from shopaccounts.kernel.errors import Defect, TryLater


class Now:
    """A port that answers at once."""

    def ask(self, value):
        return value


class Later:
    """A port that answers when it has something."""

    async def ask(self, value):
        await asyncio.sleep(0)
        return value


class LaterWithoutWaiting:
    """A port that is asynchronous in form alone."""

    async def ask(self, value):
        return value


async def add(port, *values):
    """A use-case."""
    return sum([await got(port.ask(value)) for value in values])


async def fail(port):
    raise TryLater(await got(port.ask(TryLater().retry_after)))


class TestOneSource:
    @pytest.mark.parametrize("port", [Now(), Later(), LaterWithoutWaiting()], ids=lambda port: type(port).__name__)
    def test_an_async_host_awaits_a_use_case_over_ports_of_any_kind(self, port):
        with asyncio.Runner() as runner:
            assert runner.run(add(port, 1, 2, 3)) == 6

    @pytest.mark.parametrize("port", [Now(), LaterWithoutWaiting()], ids=lambda port: type(port).__name__)
    def test_a_blocking_host_runs_it_without_an_event_loop(self, port):
        assert run(add(port, 1, 2, 3)) == 6
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()

    def test_a_blocking_host_may_run_it_inside_of_somebody_elses_event_loop(self):
        async def host():
            return run(add(Now(), 4, 5))

        with asyncio.Runner() as runner:
            assert runner.run(host()) == 9

    def test_a_port_that_suspends_in_a_blocking_host_is_a_defect(self):
        work = add(Later(), 1)
        with pytest.raises(Defect, match="suspended"):
            run(work)
        assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED

    def test_a_use_case_that_suspended_gets_the_chance_to_clean_up(self):
        cleaned = []

        async def careful():
            try:
                await asyncio.sleep(0)
            finally:
                cleaned.append(True)

        with pytest.raises(Defect):
            run(careful())
        assert cleaned == [True]

    @pytest.mark.parametrize("port", [Now(), LaterWithoutWaiting()], ids=lambda port: type(port).__name__)
    def test_what_a_use_case_raises_reaches_the_caller(self, port):
        with pytest.raises(TryLater):
            run(fail(port))

    def test_nothing_is_an_answer_too(self):
        assert run(got(None)) is None
