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


SHARED = ("keys", "numbers", "once", "receipts", "counters", "leases")
"""What all books use."""


def upgrade() -> None:
    """Make the tables."""
    _shared_tables()
    for name, columns in _books().items():
        _book(name, columns)


def downgrade() -> None:
    """Drop the tables with all that is in them."""
    for name in (*SHARED, *_books()):
        op.drop_table(_prefix() + name, schema=_schema())


def _shared_tables() -> None:
    _table(
        "keys",
        (_key("realm"), _key("name"), _key("key"), _key("book"), _key("entity_id"), Column("key_id", KeyText)),
        primary=("realm", "name", "key"),
    )
    _index("keys", "entity", ("realm", "book", "entity_id"))
    _index("keys", "sealed", ("key_id",), "key_id IS NOT NULL")
    series = ("realm", "book", "series")
    _table("numbers", (*map(_key, series), _number("last")), primary=series)
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


def _books() -> dict[str, tuple[Column[Any], ...]]:
    """Answer the books, each with the columns by which its entities are found."""
    lane = (Column("lane", KeyText), Column("lane_place", BigInteger))
    priority = Column("priority", Integer, nullable=False)
    return {
        "events": (*_groups("subject"), _keep_until(), *_work(), *lane),
        "deliveries": (*_groups("event", "subject", "standing", "skipped"), _keep_until(), *_work(), *lane),
        "messages": (*_groups("subject"), _keep_until(), *_work(), priority),
        "tickets": (*_groups("subject", "issued"), _keep_until()),
        "security": (),
        "customers": (_key_id(), *_groups("key_version"), *_work()),
        "closings": _work(),
        "passwords": (Column("g_pepper", KeyText), *_work()),
        "sent_codes": (_key_id(), *_groups("account", "issued"), _keep_until()),
        "provider_flows": (_key_id(), *_groups("account"), _keep_until()),
        "sessions": (*_groups("account", "public_id", "open", "full", "renewed"), _keep_until()),
        "devices": (_keep_until(),),
        "authenticators": (_key_id(), Column("g_seeds", KeyText), *_work()),
        "progresses": (*_groups("account"), _keep_until(), *_work()),
        "passkey_ceremonies": (*_groups("account"), _keep_until()),
        "device_bindings": (_keep_until(),),
        "realms": (),
        "impersonations": (*_groups("account"), _keep_until(), *_work()),
        "attempts": (_key_id(), *_groups("account", "contact"), _keep_until()),
        "invitations": (_key_id(), *_groups("inviter", "waiting"), _keep_until(), *_work()),
        "contact_additions": (_key_id(), *_groups("account", "wanted"), _keep_until()),
        "contact_changes": (_key_id(), *_groups("account"), _keep_until(), *_work()),
        "contact_checks": (*_groups("account"), _keep_until(), *_work()),
        "proven_numbers": (_key_id(), Column("g_account", KeyText)),
        "stop_notices": (_keep_until(),),
        "security_questions": _work(),
        "recovery_cases": (_key_id(), *_groups("account", "asked", "cancelled"), _keep_until(), *_work()),
        "billing_accounts": (Column("g_customer", KeyText), *_work()),
        "subscriptions": (*_groups("account", "customer", "doubled"), *_work(), *lane),
        "invoices": (*_groups("account", "customer", "unsettled"), *_work()),
        "credit_notes": _groups("invoice", "account", "customer"),
        "billed_cycles": _groups("subscription", "invoice"),
        "balance_entries": _groups("account", "customer"),
        "payment_intents": (*_groups("invoice", "account"), *_work()),
        "price_changes": _groups("store"),
        "price_answers": (Column("g_subscription", KeyText),),
        "sent_notices": _groups("subscription"),
        "notice_agendas": _work(),
        "subscription_meters": (Column("g_customer", KeyText),),
        "subscription_deliveries": _groups("subscription", "open", "customer"),
        "subscription_delivery_rounds": (Column("g_customer", KeyText), *_work()),
        "last_billing_runs": (),
        "subscription_requests": (Column("g_asker", KeyText), _keep_until()),
        "campaign_uses": (Column("g_customer", KeyText),),
        "trial_uses": (Column("g_customer", KeyText),),
        "clerk_acts": _groups("account", "customer"),
        "cancellation_statements": _groups("queue", "subscription"),
        "withdrawal_statements": _groups("queue", "subscription"),
    }


def _book(name: str, columns: tuple[Column[Any], ...]) -> None:
    """Make the table of a book, each entity as JSON and what it is found by, and the indexes that lead there."""
    entity = (_key("realm"), _key("id"), _number("version"), Column("body", Text, nullable=False))
    _table(name, entity + columns, primary=("realm", "id"))
    found_by = [column.name for column in columns]
    sort = ("sort_at", "id") if "sort_at" in found_by else ("id",)
    for column in found_by:
        if column.startswith("g_"):
            _index(name, column, ("realm", column, *sort), f"{column} IS NOT NULL")
    if "keep_until" in found_by:
        _index(name, "kept", ("realm", "keep_until", "id"), "keep_until IS NOT NULL")
    if "key_id" in found_by:
        _index(name, "sealed", ("key_id",), "key_id IS NOT NULL")
    if "due_at" in found_by:
        _index(name, "due", ("realm", "due_at", "id"), "due_at IS NOT NULL AND parked IS NULL")
        _index(name, "parked", ("realm", "id"), "parked IS NOT NULL")
    if "lane" in found_by:
        _index(name, "lane", ("realm", "lane", "lane_place", "id"), "lane IS NOT NULL AND wants_at IS NOT NULL")


def _table(name: str, columns: tuple[Column[Any], ...], primary: tuple[str, ...]) -> None:
    key = PrimaryKeyConstraint(*primary, name=f"pk_{_prefix()}{name}")
    op.create_table(_prefix() + name, *columns, key, schema=_schema())


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


def _groups(*names: str) -> tuple[Column[Any], ...]:
    return (*(Column(f"g_{name}", KeyText) for name in names), _instant("sort_at"))


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
