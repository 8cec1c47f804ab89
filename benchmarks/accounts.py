"""Registering and signing in, beside whole libraries and beside the least that any shop has to do.

A hundred customers of each shop sign in in turns, each from a browser that the account knows. So each has a handful of
open sessions, as customers have, and not as many as one account may have.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle
from typing import Any, Final

from benchmarks.databases import KINDS, Make, opened
from benchmarks.measuring import Contestant, Effort, race
from benchmarks.peers.sites import Place, Site, fresh_address, hearing
from benchmarks.reports import Reach, Report, Row, counted

__all__ = ["run"]

MOST: Final = {"registration": 8, "sign-in": 6}
"""How many statements ours may take; calls of the counters apart."""
STEPS: Final = tuple(MOST)
NEW_DEVICE: Final = 9
"""How many a sign-in from a device that is new to the account may take."""
CUSTOMERS: Final = 100
COUNTERS: Final = "shopaccounts_counters"
Group = tuple[str, Sequence[Site]]


def run(effort: Effort) -> Report:
    """Compare registration and sign-in with every peer, through its own kind of client and called directly."""
    rows: list[Row] = []
    with asyncio.Runner() as runner:
        for kind in KINDS:
            places: list[Place] = []
            with opened(kind) as make, _groups(_noting(make, places), runner) as groups:
                for how, sites in groups:
                    crowds = {site.name: _crowd(site, runner) for site in sites}
                    for place in places:
                        place.look_over()
                    rows += _compare(f"{kind}, {how}", sites, crowds, runner, effort)
    notes = (
        "Everybody has a hundred customers who sign in in turns, with a handful of open sessions each.",
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


def _noting(make: Make, places: list[Place]) -> Make:
    def noted(like: Place | None = None) -> Place:
        places.append(make(like))
        return places[-1]

    return noted


def _crowd(site: Site, runner: asyncio.Runner) -> Iterator[str]:
    """Admit the customers of a site, and answer who is next, for ever."""
    crowd = [fresh_address() for _ in range(CUSTOMERS)]
    for address in crowd:
        _done(runner, site.admit(address))
    return cycle(crowd)


def _compare(
    case: str, sites: Sequence[Site], crowds: Mapping[str, Iterator[str]], runner: asyncio.Runner, effort: Effort
) -> list[Row]:
    rows = []
    for step in STEPS:
        works = {site.name: _work(site, step, crowds[site.name]) for site in sites}
        statements = {site.name: _statements(site, works[site.name], runner) for site in sites if site.name != "raw"}
        times = race([Contestant(site.name, site.often(runner, works[site.name])) for site in sites], effort)
        rows += [_row(f"{step}, {case}", times, site.name, statements) for site in sites[1:]]
        rows += _counted(f"{step}, {case}", statements["ours"], MOST[step]) if "bare" in case else []
    return rows + [row for site in sites for row in _anew(case, site, crowds[site.name], runner, effort)]


def _work(site: Site, step: str, crowd: Iterator[str]) -> Callable[[], Any]:
    if step == "registration":
        return lambda: site.register(fresh_address())
    return lambda: site.sign_in(next(crowd))


def _anew(case: str, site: Site, crowd: Iterator[str], runner: asyncio.Runner, effort: Effort) -> list[Row]:
    """Compare the first sign-in from a device with those that follow, where a shop minds."""
    sign_in_anew = site.sign_in_anew
    if sign_in_anew is None:
        return []
    case = f"sign-in from a new device, {case}"
    new, known = (lambda: sign_in_anew(next(crowd))), _work(site, "sign-in", crowd)
    statements = _statements(site, new, runner)
    contestants = [Contestant("new", site.often(runner, new)), Contestant("known", site.often(runner, known))]
    times = race(contestants, effort)
    row = Row(case=case, ours=times["new"], other=times["known"], beside="ours, from a known device")
    return [row, *_counted(case, statements, NEW_DEVICE)]


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


def _counted(case: str, statements: list[str], at_most: int) -> list[Row]:
    on_counters = sum(COUNTERS in statement for statement in statements)
    alone = len(statements) - on_counters
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
