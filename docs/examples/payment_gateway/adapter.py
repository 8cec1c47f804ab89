"""A gateway adapter for a provider with an HTTP API, as most of them are.

The provider takes ``POST /charges`` and ``POST /refunds`` with an idempotency key and a reference of ours, lists what
carries a reference, and tells news by signed webhooks. Names of fields and codes differ between providers; what has to
be done with them doesn't.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import quote

import attrs

from shopaccounts.subscriptions.payments import (
    ActionNeeded,
    Charged,
    ChargeRequest,
    Declined,
    DeclineKind,
    Found,
    NeverSeen,
    NoAnswer,
    Outcome,
    RefundRequest,
)

CODES: Final = {
    "stolen_card": DeclineKind.HARD,
    "account_closed": DeclineKind.HARD,
    "authorization_revoked": DeclineKind.HARD,
    "authentication_required": DeclineKind.ACTION,
}
"""What would help against each code; all others pass with time."""
KEY_IS_TAKEN: Final = 409
FAULT_OF_THEIRS: Final = 500
FAULT_OF_OURS: Final = 400
Answer = tuple[int, dict[str, Any]]


@attrs.frozen
class HttpGateway:
    """A ``Gateway`` over HTTP.

    Args:
        connect: Answers a connection with a time-out, such as ``HTTPSConnection("api.pay.example", timeout=20)``.
        api_key: The shop's key at the provider.
    """

    connect: Callable[[], HTTPConnection]
    api_key: str = attrs.field(repr=False)

    def charge(self, request: ChargeRequest) -> Outcome:
        """Debit an amount, once for each key."""
        amount = {"amount": request.amount.minor, "currency": request.amount.currency}
        return self._move("/charges", request.key, amount | {"method": request.method})

    def refund(self, request: RefundRequest) -> Outcome:
        """Pay some or all of a charge back, once for each key."""
        amount = {"amount": request.amount.minor, "currency": request.amount.currency}
        return self._move("/refunds", request.key, amount | {"charge": request.charge})

    def lookup(self, key: str) -> Found:
        """Answer what became of a key."""
        try:
            _, body = self._send("GET", f"/movements?reference={quote(key, safe='')}")
        except (OSError, HTTPException):
            return NoAnswer()
        return outcome_of(body["found"][0]) if body["found"] else NeverSeen()

    def _move(self, path: str, key: str, facts: dict[str, object]) -> Outcome:
        try:
            status, body = self._send("POST", path, key, facts | {"reference": key})
        except (OSError, HTTPException):
            return NoAnswer()  # a time-out, a broken line, or a fault of theirs: money may have moved
        if status == KEY_IS_TAKEN:  # asked before, about something else: what it said then holds
            found = self.lookup(key)
            return NoAnswer() if isinstance(found, NeverSeen) else found
        return outcome_of(body)

    def _send(self, method: str, path: str, key: str = "", facts: Mapping[str, object] | None = None) -> Answer:
        """Ask the provider; a fault of its own is no answer, and a fault of ours is raised, for somebody to read."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        connection = self.connect()
        try:
            connection.request(method, path, json.dumps(facts or {}), headers | {"Idempotency-Key": key})
            response = connection.getresponse()
            body = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status >= FAULT_OF_THEIRS:
            raise HTTPException(response.status)
        if response.status >= FAULT_OF_OURS and response.status != KEY_IS_TAKEN:
            msg = f"the provider answered {response.status}: {body}"
            raise ValueError(msg)
        return response.status, body


def outcome_of(movement: Mapping[str, Any]) -> Outcome:
    """Answer what a movement of the provider's says; all of its words are translated here and nowhere else."""
    match movement["status"]:
        case "succeeded":
            return Charged(movement["id"])
        case "requires_action":
            return ActionNeeded(movement["action"])
        case "declined":
            code = movement["code"]
            return Declined(CODES.get(code, DeclineKind.SOFT), code, movement.get("message", ""))
        case _:  # it is still thinking
            return NoAnswer()


class NotFromTheProvider(Exception):  # noqa: N818  (it names the situation)
    """A webhook has no valid signature."""


def read_webhook(body: bytes, signature: str, secret: bytes) -> tuple[str, Outcome]:
    """Answer which key a webhook is about and what it says: the two arguments of ``settle_payment``.

    Raises:
        NotFromTheProvider: Somebody else wrote it.
    """
    expected = hmac.digest(secret, body, hashlib.sha256).hex()
    if not hmac.compare_digest(expected, signature):
        raise NotFromTheProvider
    movement = json.loads(body)
    return movement["reference"], outcome_of(movement)
