"""Numbers without gaps: events within the history of their subject, invoices within their series.

The rules, in plain English:

* The last number of a series stands in one row. Who records counts it on by as many as it takes, once for a whole page,
  and gives them in the order of its changes; what is taken back gives them back.
* From then on until it is committed, nobody else gets a number of that series. So a series that all workers share is
  counted on as late as can be: when everything else is written, events included.
* An entity that is added is written with its number. One that is changed is written before, so that it is locked before
  the series is, and once more with its number: whoever has the series waits for nobody.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from shopaccounts.adapters.sqlalchemy.drafting import Put

__all__ = ["Series", "counts", "further", "given"]

Series = tuple[str, str]
"""The name of a book, and that of a series in it."""


def counts(realm: str, puts: Iterable[Put]) -> list[dict[str, Any]]:
    """Answer how many numbers are taken of each series, as rows to count it on with, always in the same order."""
    taken = Counter(_series(put) for put in puts if put.series is not None)
    return [{"realm": realm, "book": book, "series": series, "last": n} for (book, series), n in sorted(taken.items())]


def further(new: Any, numbers: Table) -> Any:
    """Count a series on where it was begun."""
    return new.on_conflict_do_update(
        index_elements=list(numbers.primary_key.columns), set_={"last": numbers.c.last + new.excluded.last}
    )


def given(puts: Sequence[Put], last: Mapping[Series, int]) -> list[tuple[Put, Any]]:
    """Answer each entity with its number; *last* is the last one that was taken of each series."""
    still = Counter(_series(put) for put in puts)
    numbered = []
    for put in puts:
        series = _series(put)
        still[series] -= 1
        if put.series is None:
            numbered.append((put, put.entity))
        else:
            numbered.append((put, put.shelf.book.with_number(put.entity, last[series] - still[series])))
    return numbered


def _series(put: Put) -> Series:
    return (put.shelf.book.name, put.series or "")
