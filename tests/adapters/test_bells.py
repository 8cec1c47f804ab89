"""How the relay learns that something waits."""

import asyncio
import logging
import os
import threading

import pytest

from shopaccounts.adapters.bells import InlineBell, TaskBell, ThreadBell
from shopaccounts.kernel.answers import got, run

WAIT = 10.0


@pytest.mark.proves("REL-12")
def test_ringing_does_not_wait_for_the_delivery() -> None:
    may_go_on, delivered = threading.Event(), list[int]()

    def deliver() -> None:
        assert may_go_on.wait(WAIT)
        delivered.append(1)

    bell = ThreadBell(deliver)
    bell.ring()
    assert delivered == []
    assert not bell.drain(0)
    may_go_on.set()
    assert bell.drain(WAIT)
    assert delivered == [1]
    assert bell.close(WAIT)


@pytest.mark.proves("REL-12")
def test_rings_during_a_delivery_make_one_more() -> None:
    started, may_go_on, delivered = threading.Event(), threading.Event(), list[int]()

    def deliver() -> None:
        started.set()
        assert may_go_on.wait(WAIT)
        delivered.append(1)

    bell = ThreadBell(deliver)
    bell.ring()
    assert started.wait(WAIT)
    for _ in range(9):
        bell.ring()
    may_go_on.set()
    assert bell.close(WAIT)
    assert delivered == [1, 1]


@pytest.mark.proves("REL-12")
def test_a_failure_of_the_relay_is_logged_and_the_next_ring_works(caplog: pytest.LogCaptureFixture) -> None:
    delivered = list[int]()

    def deliver() -> None:
        delivered.append(1)
        if len(delivered) == 1:
            raise OSError

    bell = ThreadBell(deliver)
    for _ in range(2):
        bell.ring()
        assert bell.drain(WAIT)
    assert bell.close(WAIT)
    assert len(delivered) == 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_closed_bell_rings_no_more() -> None:
    delivered = list[int]()
    bell = ThreadBell(lambda: delivered.append(1))
    assert bell.close(WAIT)
    bell.ring()
    assert bell.drain(0)
    assert delivered == []


def test_no_thread_is_started_before_the_first_ring() -> None:
    before = threading.active_count()
    bell = ThreadBell(lambda: None)
    assert threading.active_count() == before
    assert bell.drain(0)


def test_a_bell_works_in_a_process_that_was_forked_after_it_rang(monkeypatch: pytest.MonkeyPatch) -> None:
    delivered = list[int]()
    bell = ThreadBell(lambda: delivered.append(1))
    bell.ring()
    assert bell.close(WAIT)
    child = os.getpid() + 1
    monkeypatch.setattr(os, "getpid", lambda: child)  # in a child there is the bell, but neither thread nor lock holder
    bell.ring()
    assert bell.close(WAIT)
    assert delivered == [1, 1]


@pytest.mark.proves("REL-12")
def test_in_an_async_host_a_task_delivers_after_the_ring_has_returned() -> None:
    delivered = list[str]()

    async def scenario() -> None:
        go_on = asyncio.Event()

        async def deliver() -> None:
            await go_on.wait()
            delivered.append("delivered")

        bell = TaskBell(deliver)
        bell.ring()
        delivered.append("rung")
        await asyncio.sleep(0)
        bell.ring()
        bell.ring()
        go_on.set()
        await bell.drain()
        await bell.drain()
        await bell.close()
        bell.ring()
        await bell.drain()

    asyncio.run(scenario())
    assert delivered == ["rung", "delivered", "delivered"]


@pytest.mark.proves("REL-12")
def test_in_an_async_host_a_failure_is_logged_and_the_next_ring_works(caplog: pytest.LogCaptureFixture) -> None:
    delivered = list[int]()

    async def deliver() -> None:
        delivered.append(1)
        if len(delivered) == 1:
            raise OSError

    async def scenario() -> None:
        bell = TaskBell(deliver)
        for _ in range(2):
            bell.ring()
            await bell.drain()

    asyncio.run(scenario())
    assert len(delivered) == 2
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_an_inline_bell_delivers_before_it_returns_in_both_kinds_of_host() -> None:
    delivered = list[str]()

    async def later() -> None:
        delivered.append("later")

    run(_rung(InlineBell(lambda: delivered.append("now"))))
    asyncio.run(_rung(InlineBell(later)))
    assert delivered == ["now", "later"]


async def _rung(bell: InlineBell) -> None:
    await got(bell.ring())
