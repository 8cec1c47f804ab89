"""A real mail server on this machine, and the mails that it has taken."""

import queue
import re
import socket
from email import message_from_bytes
from email.policy import default
from types import TracebackType
from typing import Any, Final, Self

import attrs
from aiosmtpd.controller import Controller

__all__ = ["Letter", "Postbox"]

_PATIENCE: Final = 10.0


@attrs.frozen(kw_only=True)
class Letter:
    """A mail as its reader sees it."""

    to: str
    subject: str
    text: str

    @property
    def link(self) -> str:
        """The link in it."""
        return self._found(r"https?://\S+")

    @property
    def token(self) -> str:
        """The ticket in that link."""
        return self.link.rpartition("token=")[2]

    def link_to(self, page: str) -> str:
        """Answer the link to one of the shop's pages, out of several."""
        return self._found(rf"https?://[^/\s]+{page}\?\S+")

    @property
    def code(self) -> str:
        """The code in it."""
        return self._found(r"\b\d{6}\b")

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        if found is None:
            msg = f"the mail {self.subject!r} has no {pattern}"
            raise LookupError(msg)
        return found[0]


class Postbox:
    """Takes mail by SMTP; a context manager."""

    def __init__(self) -> None:
        self.port = _free_port()
        self._letters: queue.Queue[Letter] = queue.Queue()
        self._server = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.stop()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802  (aiosmtpd's name)
        """Take one mail."""
        mail = message_from_bytes(envelope.content, policy=default)
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        self._letters.put(Letter(to=envelope.rcpt_tos[0], subject=mail["Subject"], text=text))
        return "250 OK"

    def next(self) -> Letter:
        """Answer the next mail.

        Raises:
            queue.Empty: None came.
        """
        return self._letters.get(timeout=_PATIENCE)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come."""
        return self._letters.empty()


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port
