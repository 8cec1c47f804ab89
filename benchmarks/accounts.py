"""Registering and signing in, beside whole libraries and beside the least that any shop has to do."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from benchmarks.databases import KINDS, Make, opened
from benchmarks.measuring import Contestant, Effort, race
from benchmarks.peers.sites import Site, fresh_address, hearing
from benchmarks.reports import Reach, Report, Row, counted

__all__ = ["run"]

MOST: Final = {"registration": 8, "sign-in": 6}
"""How many statements ours may take; calls of the counters apart."""
STEPS: Final = tuple(MOST)
COUNTERS: Final = "shopaccounts_counters"
Group = tuple[str, Sequence[Site]]


def run(effort: Effort) -> Report:
    """Compare registration and sign-in with every peer, through its own kind of client and called directly."""
    rows: list[Row] = []
    with asyncio.Runner() as runner:
        for kind in KINDS:
            with opened(kind) as make, _groups(make, runner) as groups:
                for how, sites in groups:
                    rows += _compare(f"{kind}, {how}", sites, runner, effort)
    notes = (
        "Our statements on counters, which slow guessing down, are counted apart; peers have none in their databases.",
        "Hashes are Argon2id at its lowest cost (8 KiB, one pass) for everybody, and SQLite has the same settings.",
        "PostgreSQL doesn't wait for the disk (fsync off).",
    )
    return Report(name="accounts", title="Registration and sign-in", rows=tuple(rows), notes=notes)


@contextmanager
def _groups(make: Make, runner: asyncio.Runner) -> Iterator[list[Group]]:
    """Give the sites that are compared with each other, ours first in each group."""
    from benchmarks.peers import on_django, on_fastapi, on_flask, ours, raw  # noqa: PLC0415  (the peers' environment)

    shop = ours.open_shop(make())
    later = runner.run(ours.open_async_shop(make()))
    on_django.open_at(make())
    groups: list[Group] = [
        ("bare", [ours.bare(shop), raw.raw(make()), on_django.django_bare()]),
        (
            "async, bare",
            [
                ours.async_bare(later),
                runner.run(raw.async_raw(make())),
                runner.run(on_fastapi.fastapi_users_bare(make())),
            ],
        ),
        ("Django's client", [on_django.ours_behind_django(shop), on_django.django_site(), on_django.allauth_site()]),
        ("Flask's client", [on_flask.ours_behind_flask(shop), on_flask.flask_security_site(make())]),
        (
            "async, httpx",
            [on_fastapi.ours_behind_fastapi(later), runner.run(on_fastapi.fastapi_users_site(make()))],
        ),
    ]
    with ExitStack() as stack:
        for _, sites in groups:
            for site in sites:
                stack.callback(_close, runner, site)
        yield groups


def _compare(case: str, sites: Sequence[Site], runner: asyncio.Runner, effort: Effort) -> list[Row]:
    customers = {site.name: fresh_address() for site in sites}
    for site in sites:
        _done(runner, site.admit(customers[site.name]))
    rows = []
    for step in STEPS:
        works = {site.name: _work(site, step, customers[site.name]) for site in sites}
        statements = {site.name: _statements(site, works[site.name], runner) for site in sites if site.name != "raw"}
        times = race([Contestant(site.name, site.often(runner, works[site.name])) for site in sites], effort)
        rows += [_row(f"{step}, {case}", times, site.name, statements) for site in sites[1:]]
        rows += _counted(f"{step}, {case}", statements, MOST[step]) if "bare" in case else []
    return rows


def _work(site: Site, step: str, address: str) -> Callable[[], Any]:
    if step == "registration":
        return lambda: site.register(fresh_address())
    return lambda: site.sign_in(address)


def _statements(site: Site, work: Callable[[], Any], runner: asyncio.Runner) -> list[str]:
    batch = site.often(runner, work)
    batch(1)
    with hearing() as heard:
        batch(1)
    return heard


def _row(case: str, times: Mapping[str, float], peer: str, statements: dict[str, list[str]]) -> Row:
    beside = peer if peer == "raw" else f"{peer} ({counted(len(statements[peer]), 'statement')})"
    reach = Reach(10) if peer == "raw" else Reach.faster(3)
    return Row(case=case, ours=times["ours"], other=times[peer], beside=beside, reach=reach)


def _counted(case: str, statements: dict[str, list[str]], at_most: int) -> list[Row]:
    on_counters = sum(COUNTERS in statement for statement in statements["ours"])
    alone = len(statements["ours"]) - on_counters
    return [
        Row(case=case, ours=alone, at_most=at_most, counted="statement"),
        Row(case=case, ours=on_counters, counted="statement on counters"),
    ]


def _close(runner: asyncio.Runner, site: Site) -> None:
    _done(runner, site.close())


def _done(runner: asyncio.Runner, answer: Any) -> None:
    async def awaited() -> None:
        await answer

    if answer is not None and hasattr(answer, "__await__"):
        runner.run(awaited())
