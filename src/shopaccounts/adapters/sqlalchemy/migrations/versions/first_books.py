"""The first books, from events, deliveries and messages to sessions, attempts and stop notices.

Written out by hand: a revision says what it does, whatever the library's tables become later.
"""

from typing import Any

from alembic import context, op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, PrimaryKeyConstraint, Text, text

from shopaccounts.adapters.sqlalchemy.types import Instant, KeyText

revision = "shopaccounts_0001"
down_revision = None
branch_labels = ("shopaccounts",)
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _shared_tables()
    _outbox_tables()
    _account_tables()


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    shared = ("keys", "subjects", "once", "receipts", "counters", "leases")
    outbox = ("events", "deliveries", "messages")
    accounts = ("tickets", "security", "customers", "passwords", "sessions", "attempts", "stop_notices")
    for name in shared + outbox + accounts:
        op.drop_table(_prefix() + name, schema=_schema())


def _shared_tables() -> None:
    _table(
        "keys",
        (_key("realm"), _key("name"), _key("key"), _key("book"), _key("entity_id"), Column("key_id", KeyText)),
        primary=("realm", "name", "key"),
    )
    _index("keys", "entity", ("realm", "book", "entity_id"))
    _index("keys", "sealed", ("key_id",), "key_id IS NOT NULL")
    _table("subjects", (_key("realm"), _key("subject"), _number("last_seq")), primary=("realm", "subject"))
    _table(
        "once",
        (_key("realm"), _key("namespace"), _key("key"), _instant("set_at"), _instant("keep_until")),
        primary=("realm", "namespace", "key"),
    )
    _index("once", "lapsing", ("keep_until",))
    receipt = (_key("body_hash"), Column("result", LargeBinary, nullable=False), _instant("keep_until"))
    _table("receipts", (_key("realm"), _key("namespace"), _key("key"), *receipt), primary=("realm", "namespace", "key"))
    _index("receipts", "lapsing", ("keep_until",))
    counter = (Column("state", LargeBinary), Column("total", BigInteger), _number("revision"), _instant("keep_until"))
    _table("counters", (_key("realm"), _key("key"), *counter), primary=("realm", "key"))
    _index("counters", "lapsing", ("keep_until",))
    lease = (_key("holder"), _number("fence"), Column("until", Instant))
    _table("leases", (_key("realm"), _key("name"), *lease), primary=("realm", "name"))


def _outbox_tables() -> None:
    lane = (Column("lane", KeyText), Column("lane_place", BigInteger))
    _book("events", (_group("subject"), *_sorted(), _keep_until(), *_work(), *lane))
    listed = (_group("event"), _group("subject"), _group("standing"), _group("skipped"))
    _book("deliveries", (*listed, *_sorted(), _keep_until(), *_work(), *lane))
    priority = Column("priority", Integer, nullable=False)
    _book("messages", (_group("subject"), *_sorted(), _keep_until(), *_work(), priority))
    for name in ("events", "deliveries"):
        in_line = "lane IS NOT NULL AND wants_at IS NOT NULL"
        _index(name, "lane", ("realm", "lane", "lane_place", "id"), in_line)
    for name in ("events", "deliveries", "messages"):
        _work_indexes(name)
        _index(name, "kept", ("realm", "keep_until", "id"), "keep_until IS NOT NULL")
        _group_index(name, "subject")
    for group in ("event", "standing", "skipped"):
        _group_index("deliveries", group)


def _account_tables() -> None:
    _book("tickets", (_group("subject"), _group("issued"), *_sorted(), _keep_until()))
    _book("security", ())
    _book("customers", (_key_id(), *_sorted(), *_work()))
    _book("passwords", ())
    _book("sessions", (_group("account"), _group("public_id"), *_sorted(), _keep_until()))
    _book("attempts", (_key_id(), _group("account"), _group("contact"), *_sorted(), _keep_until()))
    _book("stop_notices", (_keep_until(),))
    for name, group in (
        ("tickets", "subject"),
        ("tickets", "issued"),
        ("sessions", "account"),
        ("sessions", "public_id"),
        ("attempts", "account"),
        ("attempts", "contact"),
    ):
        _group_index(name, group)
    for name in ("tickets", "sessions", "attempts", "stop_notices"):
        _index(name, "kept", ("realm", "keep_until", "id"), "keep_until IS NOT NULL")
    for name in ("customers", "attempts"):
        _index(name, "sealed", ("key_id",), "key_id IS NOT NULL")
    _work_indexes("customers")


def _book(name: str, columns: tuple[Column[Any], ...]) -> None:
    """Make the table of a book: each entity as JSON, and what it is found by."""
    entity = (_key("realm"), _key("id"), _number("version"), Column("body", Text, nullable=False))
    _table(name, entity + columns, primary=("realm", "id"))


def _table(name: str, columns: tuple[Column[Any], ...], primary: tuple[str, ...]) -> None:
    key = PrimaryKeyConstraint(*primary, name=f"pk_{_prefix()}{name}")
    op.create_table(_prefix() + name, *columns, key, schema=_schema())


def _work_indexes(name: str) -> None:
    _index(name, "due", ("realm", "due_at", "id"), "due_at IS NOT NULL AND parked IS NULL")
    _index(name, "parked", ("realm", "id"), "parked IS NOT NULL")


def _group_index(name: str, group: str) -> None:
    column = f"g_{group}"
    _index(name, column, ("realm", column, "sort_at", "id"), f"{column} IS NOT NULL")


def _index(name: str, what: str, columns: tuple[str, ...], where: str | None = None) -> None:
    partial: dict[str, Any] = {} if where is None else {"sqlite_where": text(where), "postgresql_where": text(where)}
    op.create_index(f"ix_{_prefix()}{name}_{what}", _prefix() + name, list(columns), schema=_schema(), **partial)


def _key(name: str) -> Column[Any]:
    return Column(name, KeyText, nullable=False)


def _number(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _instant(name: str) -> Column[Any]:
    return Column(name, Instant, nullable=False)


def _key_id() -> Column[Any]:
    return Column("key_id", KeyText)


def _group(name: str) -> Column[Any]:
    return Column(f"g_{name}", KeyText)


def _sorted() -> tuple[Column[Any], ...]:
    return (_instant("sort_at"),)


def _keep_until() -> Column[Any]:
    return Column("keep_until", Instant)


def _work() -> tuple[Column[Any], ...]:
    times = (Column(name, Instant) for name in ("wants_at", "retry_at", "due_at", "claimed_until"))
    return (*times, _number("fence"), Column("attempts", Integer, nullable=False), Column("parked", KeyText))


def _prefix() -> str:
    prefix: str = context.config.attributes.get("shopaccounts", {}).get("prefix", "shopaccounts_")
    return prefix


def _schema() -> str | None:
    schema: str | None = context.config.attributes.get("shopaccounts", {}).get("schema")
    return schema
