"""Empty databases of both kinds, for as long as a benchmark runs."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.peers.sites import Place

__all__ = ["KINDS", "opened"]

KINDS: Final = ("SQLite", "PostgreSQL")
_numbers = count(1)


@contextmanager
def opened(kind: str) -> Iterator[Callable[[], Place]]:
    """Give a function that makes one more empty database of a kind.

    PostgreSQL is a server of its own that doesn't wait for the disk, so that what is compared is work and not waiting.
    """
    if kind == "SQLite":
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            yield lambda: Place(f"sqlite:///{Path(folder) / f'bench{next(_numbers)}.db'}")
        return
    from shopaccounts.testing.servers import embedded_postgres  # noqa: PLC0415  (only where it is asked for)

    with embedded_postgres() as server:
        yield lambda: Place(server.create(f"bench{next(_numbers)}"))
