"""Who may write and who has lost, judged from what was read; the same rules as in memory, and no database in sight.

The rules, in plain English:

* A command that was answered before is answered the same, whatever else is wrong with it.
* Then everything must be as it was when the decision was taken: versions in the order of the change, then fences.
* Then every unique key must be free, or become free by the same change, and every once-marker unset or lapsed.
* Changes that stand on one page are judged one after the other, as if each had been recorded before the next.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.adapters.sqlalchemy.drafting import Draft, Place
from shopaccounts.kernel.errors import KeyReused, StaleWrite, Taken
from shopaccounts.kernel.record import Receipt

__all__ = ["AlreadyAnswered", "Known", "Lost", "judge", "judge_places"]

_LEASES: Final = "leases"
LogicalKey = tuple[str, str]


class Lost(Exception):  # noqa: N818  (a situation)
    """Somebody else was faster in a way that the database doesn't tell apart; read again and judge."""


class AlreadyAnswered(Exception):  # noqa: N818  (a situation)
    """The command of this change was answered before."""

    def __init__(self, result: bytes) -> None:
        super().__init__()
        self.result = result


@attrs.define
class Known:
    """What was read of all that some changes rely on; what isn't there is absent."""

    versions: dict[Place, int] = attrs.field(factory=dict)
    fences: dict[Place, int] = attrs.field(factory=dict)
    leases: dict[str, int] = attrs.field(factory=dict)
    receipts: dict[LogicalKey, tuple[str, bytes]] = attrs.field(factory=dict)
    keys: set[LogicalKey] = attrs.field(factory=set)
    once: dict[LogicalKey, datetime] = attrs.field(factory=dict)
    moved: set[Place] = attrs.field(factory=set)


def judge(draft: Draft, known: Known) -> None:
    """Let a change pass, and take its effects into account for those that are judged after it.

    Raises:
        AlreadyAnswered, KeyReused: There is a receipt.
        StaleWrite, Taken: As ``Records.record``.
        Lost: It goes on from what another change of the page wrote, so the two can't be stored at once.
    """
    _judge_receipt(draft.change.receipt, known)
    judge_places(draft, known)
    _judge_keys(draft, known)
    _judge_once(draft, known)
    _accept(draft, known)


def judge_places(draft: Draft, known: Known) -> None:
    """Check every version and fence.

    Raises:
        StaleWrite: One has moved.
    """
    relied_on = [*draft.moved.items(), *((guard.place, guard.version) for guard in draft.change.guards)]
    for place, version in relied_on:
        if known.versions.get(place) != version:
            raise StaleWrite(*place)
    for claim in draft.change.claims:
        if known.fences.get((claim.book.name, claim.id), 0) != claim.fence:
            raise StaleWrite(claim.book.name, claim.id)
    for lease in draft.change.leases:
        if known.leases.get(lease.name, 0) != lease.fence:
            raise StaleWrite(_LEASES, lease.name)


def _judge_receipt(receipt: Receipt | None, known: Known) -> None:
    earlier = known.receipts.get((receipt.namespace, receipt.key)) if receipt else None
    if receipt is None or earlier is None:
        return
    body_hash, result = earlier
    if body_hash != receipt.body_hash:
        raise KeyReused(receipt.namespace)
    raise AlreadyAnswered(result)


def _judge_keys(draft: Draft, known: Known) -> None:
    freed = {(row["name"], row["key"]) for row in draft.keys_out}
    claimed: set[LogicalKey] = set()
    for row in draft.keys_in:
        key = (row["name"], row["key"])
        if key in claimed or (key in known.keys and key not in freed):
            raise Taken(row["name"])
        claimed.add(key)


def _judge_once(draft: Draft, known: Known) -> None:
    for once in draft.change.once:
        kept_until = known.once.get((once.namespace, once.key))
        if kept_until is not None and kept_until > once.now:
            raise Taken(once.field)


def _accept(draft: Draft, known: Known) -> None:
    if not known.moved.isdisjoint(draft.moved):
        raise Lost
    known.moved |= draft.moved.keys()
    for removal in draft.change.removals:
        del known.versions[removal.place]
    for put in draft.puts:
        known.versions[put.place] = put.entity.version
    known.keys -= {(row["name"], row["key"]) for row in draft.keys_out}
    known.keys |= {(row["name"], row["key"]) for row in draft.keys_in}
    for once in draft.change.once:
        known.once[(once.namespace, once.key)] = once.keep_until
    if receipt := draft.change.receipt:
        known.receipts[(receipt.namespace, receipt.key)] = (receipt.body_hash, receipt.result)
