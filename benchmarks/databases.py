"""Databases of both kinds, empty or copied, for as long as a benchmark runs."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

from benchmarks.peers.sites import Place

__all__ = ["KINDS", "Make", "opened"]

KINDS: Final = ("SQLite", "PostgreSQL")
_numbers = count(1)


class Make(Protocol):
    """Makes databases."""

    def __call__(self, like: Place | None = None) -> Place:
        """Make one more database, empty or a copy of one that nobody is connected to."""
        ...


@contextmanager
def opened(kind: str) -> Iterator[Make]:
    """Give a function that makes databases of a kind.

    PostgreSQL is a server of its own that doesn't wait for the disk, so that what is compared is work and not waiting.
    """
    if kind == "SQLite":
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield lambda like=None: _file(Path(folder), like)
        return
    from shopaccounts.testing.servers import embedded_postgres  # noqa: PLC0415  (only where it is asked for)

    with embedded_postgres() as server:
        yield lambda like=None: _database(server, like)


def _file(folder: Path, like: Place | None) -> Place:
    place = Place(f"sqlite:///{folder / f'bench{next(_numbers)}.db'}")
    if like:
        shutil.copy(like.bare, place.bare)
    return place


def _database(server: Any, like: Place | None) -> Place:
    from sqlalchemy import make_url  # noqa: PLC0415  (as above)

    return Place(server.create(f"bench{next(_numbers)}", make_url(like.url).database if like else None))
