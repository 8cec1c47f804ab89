"""What registration may ask from the outside. Each is optional, reports facts, and decides nothing about who is who."""

from enum import Enum
from typing import Protocol

from shopaccounts.kernel.answers import Answer
from shopaccounts.kernel.ids import AccountId, ContactId
from shopaccounts.kernel.request import HumanEvidence

__all__ = [
    "Confusables",
    "ContactUses",
    "DisposableDomains",
    "EmailSyntax",
    "HumanCheck",
    "HumanVerdict",
    "MailDomains",
]


class EmailSyntax(Protocol):
    """A second opinion on an e-mail address that the library's own rules accept.

    Promises:
        1. It answers why the address should be refused, or nothing; it never answers another spelling of it.
        2. A reason is a word such as ``local_part``; it holds no part of the address.
        3. It never raises, whatever it is given, and takes no longer for endless input.
        4. It asks no network.
    """

    def objections(self, address: str) -> Answer[tuple[str, ...]]:
        """Answer what speaks against *address*; empty if nothing does."""
        ...


class DisposableDomains(Protocol):
    """Knows mail domains that give out addresses for a few minutes.

    Promises:
        1. A domain is looked up whole and by each domain above it, in whatever letter case.
        2. What is no domain is not listed; nothing raises.
        3. It asks no network.
    """

    def lists(self, domain: str) -> Answer[bool]:
        """Tell whether *domain* (ASCII form) gives out throw-away addresses."""
        ...


class MailDomains(Protocol):
    """Knows which domains take mail, by asking the network.

    Promises:
        1. An outage is None, never an exception and never a no.
    """

    def accepts_mail(self, domain: str) -> Answer[bool | None]:
        """Tell whether *domain* (ASCII form) takes mail; None if nobody could say."""
        ...


class Confusables(Protocol):
    """Knows which signs look alike.

    Promises:
        1. Two texts that look alike have one skeleton; a skeleton is its own skeleton.
        2. Nothing raises, whatever text it is given.
    """

    def skeleton(self, text: str) -> Answer[str]:
        """Answer one text for all that look like *text*, as UTS 39 section 4 makes it."""
        ...


class HumanVerdict(Enum):
    """What a check for people found."""

    HUMAN = "human"
    NOT_HUMAN = "not_human"
    UNAVAILABLE = "unavailable"


class HumanCheck(Protocol):
    """Judges the answer to a puzzle that people solve and programs don't, such as a CAPTCHA service.

    Promises:
        1. Evidence without an answer is ``NOT_HUMAN``.
        2. An outage is ``UNAVAILABLE``, never an exception and never ``HUMAN``.
        3. An answer that was given for one action is no good for another.
    """

    def judge(self, evidence: HumanEvidence, action: str) -> Answer[HumanVerdict]:
        """Judge *evidence*.

        Args:
            evidence: What came with the request.
            action: What the person wants to do, such as ``register``.
        """
        ...


class ContactUses(Protocol):
    """Knows what else writes to a customer's contacts: a subscription's bills, a store's orders.

    Promises:
        1. A contact that nothing needs answers nothing.
        2. What is answered are names that the shop's pages know, such as ``subscription``; never a customer's data.
    """

    def uses(self, account: AccountId, contact: ContactId) -> Answer[tuple[str, ...]]:
        """Answer what needs this contact."""
        ...
