"""What went out: every message that a shop recorded, opened, as whoever it is for would read it."""

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

from shopaccounts.adapters.crypto import AesVault
from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.ports import Storage
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.writing import read_sealed, seal_context
from shopaccounts.testing.wrapping import PortCall, afterwards, wrapped

__all__ = ["Letter", "Mailbag"]


@attrs.frozen(kw_only=True)
class Letter:
    """A message as whoever it is for would read it.

    Args:
        template: Which text.
        to: The address.
        deliver: False for a decoy, which nobody gets.
        variables: What it says openly.
        secrets: What only its reader may see.
        message: As it was recorded.
    """

    template: str
    to: str
    deliver: bool
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = attrs.field(repr=False)
    message: Message = attrs.field(repr=False)

    @property
    def code(self) -> str:
        """The code to type."""
        return self.secrets["code"]

    @property
    def token(self) -> Secret[str]:
        """The ticket in its link."""
        return self.ticket("link")

    def ticket(self, link: str) -> Secret[str]:
        """Answer the ticket in the link of this name."""
        return Secret(parse_qs(urlsplit(self.secrets[link]).query)["token"][0])


class Mailbag:
    """Every message that was recorded, in order, opened.

    Args:
        vault: What the shop seals with.
    """

    def __init__(self, vault: AesVault) -> None:
        self._vault = vault
        self._messages: list[Message] = []

    def behind(self, storage: Storage) -> Storage:
        """Answer a stand-in for *storage* that fills the bag."""
        return wrapped(storage, self._around)

    @property
    def letters(self) -> tuple[Letter, ...]:
        """Everything that was recorded, decoys included."""
        return tuple(self._opened(message) for message in self._messages)

    @property
    def last(self) -> Letter:
        """What was recorded last."""
        return self._opened(self._messages[-1])

    def to(self, address: str) -> tuple[Letter, ...]:
        """Answer what really goes out to an address."""
        return tuple(letter for letter in self.letters if letter.to == address and letter.deliver)

    def _around(self, call: PortCall) -> Answer[Any]:
        answer = call.make()
        writes = call.method in {"record", "record_page"}
        return afterwards(answer, functools.partial(self._collect, call)) if writes else answer

    def _collect(self, call: PortCall) -> None:
        assert isinstance(call.make, functools.partial), "a storage is wrapped, not a wrapper"
        (recorded,) = call.make.args
        for change in recorded if call.method == "record_page" else (recorded,):
            self._messages.extend(change.messages)

    def _opened(self, message: Message) -> Letter:
        assert message.sealed is not None, "a message is sealed until it has ended"
        to, secrets = read_sealed(self._vault.open(message.sealed, seal_context(message.id, message.realm)))
        return Letter(
            template=message.template,
            to=to.reveal(),
            deliver=message.deliver,
            variables=message.variables,
            secrets=secrets,
            message=message,
        )
