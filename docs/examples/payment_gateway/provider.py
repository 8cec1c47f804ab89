"""A stand-in for a payment provider: a small HTTP server on this machine that keeps books, and loses answers if told.

It is for tests and for this example. Cards are words: ``poor`` has no money, ``stolen`` is stolen, ``odd`` is declined
with a code that nobody knows; all others are charged.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

Movement = dict[str, Any]
CARDS = {"poor": "insufficient_funds", "stolen": "stolen_card", "odd": "code_9912"}


@attrs.define
class Books:
    """What the provider knows.

    Args:
        secret: With which it signs webhooks.
        movements: What became of each reference.
        is_down: Whether it answers everything with a fault of its own.
    """

    secret: bytes = b"whsec-of-the-shop"
    movements: dict[str, Movement] = attrs.field(factory=dict)
    is_down: bool = False

    def move(self, path: str, asked: Movement) -> tuple[int, Movement]:
        """Answer a charge or a refund; a reference is decided once."""
        known = self.movements.get(asked["reference"])
        if known is not None:
            return (200, known) if known["asked"] == [path, asked] else (409, {"error": "the key was used before"})
        decline = CARDS.get(asked["method"]) if path == "/charges" else self._decline_of(asked)
        result: Movement = {"status": "declined", "code": decline} if decline else {"status": "succeeded"}
        sign = 1 if path == "/charges" else -1
        moved = 0 if decline else sign * asked["amount"]
        known = {"id": f"mv_{len(self.movements) + 1}", "asked": [path, asked], "moved": moved, **asked, **result}
        self.movements[asked["reference"]] = known
        return 201, known

    def webhook(self, reference: str) -> tuple[bytes, str]:
        """Answer the body of a webhook about a movement, and its signature."""
        body = json.dumps(self.movements[reference]).encode()
        return body, hmac.digest(self.secret, body, hashlib.sha256).hex()

    def _decline_of(self, refund: Movement) -> str | None:
        charge = refund["charge"]
        parts = [one for one in self.movements.values() if charge in {one["reference"], one.get("charge")}]
        left = sum(one["moved"] for one in parts)
        return None if refund["amount"] <= left else "refund_too_large"


class Counter(BaseHTTPRequestHandler):
    """Where the provider is asked.

    Args:
        books: What it knows.
        is_deaf: Whether the line breaks before the answer.
    """

    def __init__(self, *args: Any, books: Books, is_deaf: bool) -> None:
        self._books, self._is_deaf = books, is_deaf
        super().__init__(*args)

    def do_POST(self) -> None:
        """Move money."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(*self._books.move(self.path, asked))

    def do_GET(self) -> None:
        """Look something up."""
        (reference,) = parse_qs(urlsplit(self.path).query)["reference"]
        found = self._books.movements.get(reference)
        self._answer(200, {"found": [found] if found else []})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the standard library names it so)
        """Say nothing."""

    def _answer(self, status: int, body: Movement) -> None:
        if self._is_deaf:
            return
        self.send_response(503 if self._books.is_down else status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@contextmanager
def provider(books: Books, *, is_deaf: bool = False) -> Iterator[partial[HTTPConnection]]:
    """Run a provider for a while, and answer how to connect to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Counter, books=books, is_deaf=is_deaf))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield partial(HTTPConnection, "127.0.0.1", server.server_port, timeout=5)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
