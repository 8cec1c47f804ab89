"""Asking again answers the same: what a command is remembered by.

* A command that creates something may come with a request key of the caller's choice, 1 to 128 printable ASCII
  characters. It counts for that caller and that command alone.
* What was asked is remembered as a digest of its canonical text. The time, who asks and the trace are no part of it:
  the same wish asked again later is the same wish.
* The answer is kept for 48 hours.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shopaccounts.kernel.canonical import canonical
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.record import Receipt
from shopaccounts.kernel.scope import Actor
from shopaccounts.kernel.text import require_text

__all__ = ["COMMAND_KEPT_FOR", "body_hash", "receipt", "request_key"]

COMMAND_KEPT_FOR: Final = timedelta(hours=48)
_FIELD: Final = "request_key"


def request_key(value: object) -> str:
    """Answer *value* if it can be a request key.

    Raises:
        InvalidInput: No text, empty, longer than 128 characters, or with others than printable ASCII.
    """
    text = require_text(value, _FIELD)
    if not text:
        raise InvalidInput(_FIELD, "missing")
    if not text.isascii():
        raise InvalidInput(_FIELD, "characters")
    return text


def body_hash(command: str, body: Mapping[str, Any]) -> str:
    """Answer the digest of what a caller asked.

    Args:
        command: Stable name of the command, such as ``registration.register``.
        body: Its arguments as plain values: no time, actor or trace, and no secret, which a digest would let guess.

    Returns:
        SHA-256 (FIPS 180-4) over the canonical text of both, as 64 hex digits.

    Raises:
        Defect: A number or text that no storage holds.
        TypeError: A value that isn't plain, such as a ``Secret``.
    """
    return hashlib.sha256(canonical([command, dict(body)]).encode()).hexdigest()


def receipt(
    command: str, key: object, body: Mapping[str, Any], result: bytes, *, actor: Actor, now: datetime
) -> Receipt:
    """Answer the receipt to be recorded with what a command changes.

    Args:
        command: Stable name of the command; the namespace in which keys are told apart.
        key: The request key, as it came from outside.
        body: What was asked; see ``body_hash``.
        result: What asking again answers, at most 4 kB.
        actor: Who asked; another actor's keys are other keys.
        now: When it was asked; the receipt is kept for 48 hours from then on.

    Raises:
        InvalidInput: It can't be a request key.
    """
    return Receipt(
        namespace=command,
        key=canonical([actor.kind.value, actor.id, actor.on_behalf_of, request_key(key)]),
        body_hash=body_hash(command, body),
        result=result,
        keep_until=now + COMMAND_KEPT_FOR,
    )
