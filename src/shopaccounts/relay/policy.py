"""What a shop may decide about handing on events and messages."""

from datetime import timedelta
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.policy import require

__all__ = ["MailPolicy", "OnDead", "RelayPolicy", "SmsPolicy", "TargetPolicy"]

_SHORTEST_LEASE: Final = timedelta(seconds=10)
_LARGEST_PAGE: Final = 500


class OnDead(Enum):
    """What becomes of a customer's later events when one of them could not be delivered to a target."""

    SKIP = "skip"
    PARK = "park"


@attrs.frozen(kw_only=True)
class RelayPolicy:
    """How the relay works through what waits.

    Args:
        lease: For how long a worker holds what it has claimed; at least 10 s.
        page: How much it claims at once, 1 to 500.
        stop_before: How long before the end of its lease it starts nothing new.
        spread: By which part the waits before another try are spread around their plan, 0 to below 1.
        keep_published: How long delivered events are kept.
        keep_dead: How long undeliverable events lie in the box of dead letters.

    Why these defaults:
        lease: longer than any single delivery takes (mail servers get 30 s); of the house.
        page: small enough to be worked off within a lease; of the house.
        stop_before, keep_published, keep_dead: of the house.
        spread: keeps a thousand failed deliveries from coming back at the same moment. [Standard Webhooks 1.0.0 advises
            it for retries]
    """

    lease: timedelta = timedelta(seconds=60)
    page: int = 100
    stop_before: timedelta = timedelta(seconds=5)
    spread: float = 0.2
    keep_published: timedelta = timedelta(days=30)
    keep_dead: timedelta = timedelta(days=90)

    def __attrs_post_init__(self) -> None:
        require(self.lease >= _SHORTEST_LEASE, "a lease lasts at least 10 seconds")
        require(1 <= self.page <= _LARGEST_PAGE, f"a page has 1 to {_LARGEST_PAGE} items")
        require(timedelta(0) <= self.stop_before < self.lease, "a worker stops within its lease")
        require(0 <= self.spread < 1, "waits are spread by less than their own length")
        require(timedelta(0) < self.keep_published <= self.keep_dead, "what is dead is kept no shorter than the rest")


@attrs.frozen(kw_only=True)
class TargetPolicy:
    """How one target is served.

    Args:
        on_dead: ``SKIP``: the customer's next event goes on, and the gap shows in its ``seq``. ``PARK``: the
            customer's events wait until a person has looked.
        batch: How many events the target gets at once, 1 to 500.

    Why these defaults:
        on_dead: one consumer's failure must not stop all that follows, unless it says that order is all; of the house.
        batch: one event at a time, so that a slow consumer never holds more than one beyond its lease; brokers may take
            more; of the house.
    """

    on_dead: OnDead = OnDead.SKIP
    batch: int = 1

    def __attrs_post_init__(self) -> None:
        require(1 <= self.batch <= _LARGEST_PAGE, f"a batch has 1 to {_LARGEST_PAGE} events")


@attrs.frozen(kw_only=True)
class MailPolicy:
    """From whom mail comes.

    Args:
        sender: The address that mail comes from.
        sender_name: The name beside it, such as the shop's.
        reply_to: Where answers go, if not to the sender.
        domain: The right half of ``Message-ID``; the sender's domain where empty.
        timeout: How long a mail server may take for one step.

    Why these defaults:
        sender_name, reply_to, domain: none: mail needs no more than the sender's address.
        timeout: 30 s is what we wait for a server before another try is cheaper, of the house; RFC 5321 section 4.5.3.2
            allows servers minutes, but a page of messages waits behind each.
    """

    sender: str
    sender_name: str = ""
    reply_to: str = ""
    domain: str = ""
    timeout: timedelta = timedelta(seconds=30)

    def __attrs_post_init__(self) -> None:
        texts = (self.sender, self.sender_name, self.reply_to, self.domain)
        require("@" in self.sender, "a sender is an address")
        require(not any(set(text) & {"\r", "\n"} for text in texts), "a mail header has no line breaks")
        require(self.timeout > timedelta(0), "a mail server gets some time")

    @property
    def message_domain(self) -> str:
        """The domain in which message ids are ours."""
        return self.domain or self.sender.rpartition("@")[2]


@attrs.frozen(kw_only=True)
class SmsPolicy:
    """How text messages and calls go out.

    Args:
        max_segments: The pieces that one text message may take; a longer one is not sent.
        timeout: How long a gateway may take.

    Why these defaults:
        max_segments: 3, as each is paid for; of the house.
        timeout: 10 s, since gateways answer at once or not at all; of the house.
    """

    max_segments: int = 3
    timeout: timedelta = timedelta(seconds=10)

    def __attrs_post_init__(self) -> None:
        require(self.max_segments >= 1, "a text message takes at least one piece")
        require(self.timeout > timedelta(0), "a gateway gets some time")
