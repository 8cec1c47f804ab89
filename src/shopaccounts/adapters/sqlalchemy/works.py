"""What a storage is made of, put together once for all its stores."""

from collections.abc import Iterable
from typing import Literal, TypedDict

import attrs

from shopaccounts.adapters.sqlalchemy.counting import Counting, Leasing
from shopaccounts.adapters.sqlalchemy.drafting import Drafter
from shopaccounts.adapters.sqlalchemy.hosts import Host
from shopaccounts.adapters.sqlalchemy.reading import Reader
from shopaccounts.adapters.sqlalchemy.sealing import Bodies, ClearBodies, SealedBodies
from shopaccounts.adapters.sqlalchemy.tables import PREFIX, Tables
from shopaccounts.adapters.sqlalchemy.transactions import Transactions
from shopaccounts.adapters.sqlalchemy.working import Worker
from shopaccounts.adapters.sqlalchemy.writing import Writer
from shopaccounts.kernel.chance import Entropy, SystemEntropy
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.record import AnyBook
from shopaccounts.kernel.vault import Keyring, Vault

__all__ = ["Options", "PersonalData", "Works", "entropy_of", "tables_of", "works_of"]

PersonalData = Literal["clear", "sealed"]


class Options(TypedDict, total=False):
    """What may be said when a storage is made; everything has a default.

    Args:
        books: What is to be kept; the shop's own books (``shopaccounts.books.BOOKS``).
        prefix: What every table's name begins with; ``shopaccounts_``.
        schema: The database schema; the connection's own.
        personal_data: ``"sealed"`` keeps bodies of books about persons encrypted and their keys as digests.
        vault: Seals and opens bodies; needed for sealed ones.
        keyring: Where the keys of digests come from; needed for sealed bodies.
        entropy: Draws pauses between tries and first revisions of counters.
        skip_locked: Whether workers skip items that another one is claiming, where the database can; true.
    """

    books: Iterable[AnyBook]
    prefix: str
    schema: str | None
    personal_data: PersonalData
    vault: Vault | None
    keyring: Keyring | None
    entropy: Entropy
    skip_locked: bool


@attrs.frozen(kw_only=True)
class Works:
    """The parts of a storage."""

    tables: Tables
    bodies: Bodies
    transactions: Transactions
    reader: Reader
    drafter: Drafter
    writer: Writer
    worker: Worker
    counting: Counting
    leasing: Leasing
    entropy: Entropy


def tables_of(options: Options) -> Tables:
    """Answer the tables of the books that are to be kept."""
    books = options.get("books")
    return Tables(_own_books() if books is None else books, options.get("prefix", PREFIX), options.get("schema"))


def entropy_of(options: Options) -> Entropy:
    """Answer where chance comes from."""
    return options.get("entropy") or SystemEntropy()


def works_of(options: Options, tables: Tables, transactions: Transactions, host: Host) -> Works:
    """Put the parts together.

    Raises:
        BadPolicy: Sealed personal data without vault or keyring.
    """
    bodies = _bodies(options, host)
    drafter = Drafter(tables, bodies)
    return Works(
        tables=tables,
        bodies=bodies,
        transactions=transactions,
        reader=Reader(tables, bodies),
        drafter=drafter,
        writer=Writer(tables, drafter),
        worker=Worker(tables, bodies, skip_locked=options.get("skip_locked", True)),
        counting=Counting(tables),
        leasing=Leasing(tables),
        entropy=entropy_of(options),
    )


def _own_books() -> Iterable[AnyBook]:
    from shopaccounts.books import BOOKS  # noqa: PLC0415  (loads every context)

    return BOOKS


def _bodies(options: Options, host: Host) -> Bodies:
    if options.get("personal_data", "clear") == "clear":
        return ClearBodies()
    vault, keyring = options.get("vault"), options.get("keyring")
    if vault is None or keyring is None:
        msg = "sealed personal data needs a vault and a keyring"
        raise BadPolicy(msg)
    return SealedBodies(vault, keyring, host)
