"""Whom the relay hands things to: couriers for messages, targets for events, and who words messages."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.messages import Channel
from shopaccounts.relay.model import CourierAnswer, Rendered, TargetAnswer, Wording
from shopaccounts.relay.policy import TargetPolicy

__all__ = ["Courier", "Target", "Templates"]


class Courier(Protocol):
    """Takes messages out of the house.

    Promises:
        1. ``send`` never raises for what the other side answers, or because it doesn't answer.
        2. A message's id goes along as idempotency key where the other side has one.
        3. One message has one recipient.
        4. Nothing is logged but ids.
    """

    def send(self, message: Rendered) -> Answer[CourierAnswer]:
        """Send one message; it may come again with the same id after a crash."""
        ...

    def hang_up(self) -> Answer[None]:
        """Let go of connections: nothing more is to be sent for now."""
        ...


class Templates(Protocol):
    """Puts messages into words.

    Promises:
        1. The same arguments give the same words.
        2. A language that isn't there falls back to one that is.
    """

    def render(
        self, template: str, locale: str, variables: Mapping[str, str], channel: Channel = Channel.EMAIL
    ) -> Answer[Wording]:
        """Word one message for a channel; phones get a text alone, and a short one.

        Raises:
            TemplateUnknown: There is no such text.
            BadMessage: A variable is missing, or the text can't be a message.
        """
        ...


class Target(Protocol):
    """Who wants to hear of events, under a name that is stable for good.

    Promises:
        1. An exception counts as ``Retry`` for the whole batch.
        2. ``Ack`` means that the other side has the event.
        3. The order of the batch is kept, and the answers are in it.
        4. Events are not changed.
    """

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def patterns(self) -> tuple[str, ...]:
        """Which events it wants: names, ``context.*`` or ``*``."""
        ...

    @property
    def policy(self) -> TargetPolicy:
        """How it is served."""
        ...

    def publish(self, batch: Sequence[Envelope]) -> Answer[Sequence[TargetAnswer]]:
        """Hand events over; answer one outcome for each, in order."""
        ...
