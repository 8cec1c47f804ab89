"""What happened to an account, as its owner sees it: the account's own security events of the last 90 days.

They are kept for longer, 400 days, for the shop. What was refused to strangers stands in nobody's history, so that an
attack fills none; a sign-in says how many tries went before it.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.paging import MAX_CURSOR, Page, read_cursor, write_cursor
from shopaccounts.kernel.ports import Position, Records
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.spreadsheets import csv_text
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.vault import Keyring, Ring

__all__ = ["SHOWN_FOR", "History", "HistoryEntry"]

SHOWN_FOR: Final = timedelta(days=90)
"""How far back an owner sees, of the house."""
_QUERY: Final = "security_history"
_READ: Final = 100
_NOT_SHOWN: Final = frozenset({"account", "network", "tried"})
"""What an entry doesn't show: whose it is goes without saying, and digests mean nothing to people."""


@attrs.frozen(kw_only=True)
class HistoryEntry:
    """One thing that happened.

    Args:
        at: When.
        what: The event's name, such as ``signin.signed_in``.
        by: Who did it.
        agent: Which agent of the shop, if one did.
        facts: What else is known, such as ``session``, ``methods``, ``device``.
    """

    at: datetime
    what: str
    by: ActorKind
    agent: str | None
    facts: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class History:
    """Looking back."""

    desk: Desk
    records: Records
    doorkeeper: Doorkeeper
    keyring: Keyring

    async def security_history(
        self, value: Secret[str], context: RequestContext, cursor: str | None = None, limit: int = 20
    ) -> Page[HistoryEntry]:
        """Answer what happened to the account, newest first.

        Args:
            value: The session value.
            context: Where the request came from.
            cursor: Where the page before ended; None for the newest.
            limit: How many entries, 1 to 100.

        Raises:
            SignInRequired: The value opens nothing.
            CursorInvalid: That is no place in this list.
            InvalidInput: It isn't even text, or longer than any.
            InsecureTransport: The request didn't come over TLS.
        """
        place = require_text(cursor, "cursor", cap=MAX_CURSOR) if cursor is not None else None
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        after = await self._read(place, here.account) if place is not None else None
        told = await self._told(here.account, after, min(max(limit, 1), _READ) + 1)
        shown = told[: min(max(limit, 1), _READ)]
        goes_on = len(told) > len(shown)
        return Page(
            tuple(_entry(envelope) for envelope in shown),
            await self._write(shown[-1], here.account) if goes_on else None,
        )

    async def security_history_csv(self, value: Secret[str], context: RequestContext) -> str:
        """Answer the whole of it as a table for a spreadsheet: time, event, who, and what else is known.

        Raises:
            SignInRequired: The value opens nothing.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        entries = [_entry(envelope) for envelope in await self._told(here.account, None, None)]
        rows = [(e.at.isoformat(), e.what, e.by.value, e.agent or "", json.dumps(dict(e.facts))) for e in entries]
        return csv_text([("at", "what", "by", "agent", "facts"), *rows])

    async def _told(self, account: AccountId, after: Position | None, wanted: int | None) -> list[Envelope]:
        """Answer the account's security events, newest first, up to *wanted* and no older than is shown."""
        since, told = self.desk.now() - SHOWN_FOR, list[Envelope]()
        while True:
            page = await got(self.records.rows(EVENTS, "subject", account, after, _READ, newest_first=True))
            told += [e for e in page.items if e.is_security and e.recorded_at >= since]
            past = bool(page.items) and page.items[-1].recorded_at < since
            if page.next is None or past or (wanted is not None and len(told) >= wanted):
                return told[:wanted]
            after = page.next

    async def _read(self, cursor: str, account: AccountId) -> Position:
        keys = await got(self.keyring.all(Ring.CURSOR))
        return read_cursor(cursor, keys, realm=self.desk.scope.realm, owner=account, query=_QUERY)

    async def _write(self, last: Envelope, account: AccountId) -> str:
        key = await got(self.keyring.current(Ring.CURSOR))
        place = Position(last.recorded_at, last.id)
        return write_cursor(place, key, realm=self.desk.scope.realm, owner=account, query=_QUERY)


def _entry(envelope: Envelope) -> HistoryEntry:
    facts = {name: fact for name, fact in json.loads(envelope.data).items() if name not in _NOT_SHOWN}
    agent = envelope.actor.id if envelope.actor.kind is ActorKind.AGENT else None
    return HistoryEntry(at=envelope.occurred_at, what=envelope.name, by=envelope.actor.kind, agent=agent, facts=facts)
