"""Making and renewing what proves an address: a code for the browser that asked, a link for the mailbox."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Challenge, resend
from shopaccounts.kernel.contact import Contact, ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, AttemptId, ContactId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp, Stamps
from shopaccounts.kernel.tickets import Purpose, Refusals, Ticket, mint
from shopaccounts.kernel.vault import Key, Keyring, Ring
from shopaccounts.registration.coding import challenge_for
from shopaccounts.registration.deciding import holder_of
from shopaccounts.registration.errors import (
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
)
from shopaccounts.registration.model import ATTEMPTS, Attempt, WaitingPassword, Wish
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = ["HANDLE", "REFUSALS", "VERIFY", "Provable", "Readied", "Verifications"]

REFUSALS = Refusals(ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale)
HANDLE: Final = Purpose("challenge", "chl", frozenset(), REFUSALS)
VERIFY: Final = Purpose("verify_contact", "vfy", frozenset({Stamp.ACCOUNT}), REFUSALS)
_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen
class Readied:
    """What it takes to make proofs for an address; asked of the ports once, whatever comes of it.

    Args:
        contact: Keyed digest by which attempts at one address find each other.
        codes: The key of codes.
    """

    contact: str
    codes: Key


@attrs.frozen
class Provable:
    """An attempt with the texts that prove its address; they go out and exist nowhere else."""

    attempt: Attempt
    code: Secret[str]
    link: Secret[str]
    key: str


@attrs.frozen(kw_only=True)
class Verifications:
    """Makes attempts and the messages that prove them."""

    desk: Desk
    letters: Letters
    keyring: Keyring
    policy: RegistrationPolicy

    async def ready(self, value: Contact) -> Readied:
        """Ask the ports for all that ``start`` and ``renew`` need; the same questions for every address."""
        lookup = await got(self.keyring.current(Ring.LOOKUP))
        codes = await got(self.keyring.current(Ring.CODES))
        return Readied(counter_key(lookup.secret, "contact", value.key), codes)

    def start(
        self, readied: Readied, wish: Wish, account: AccountId | None, password: WaitingPassword | None, now: datetime
    ) -> tuple[Provable, Secret[str]]:
        """Answer a new attempt with what proves it, and the handle for the browser that asked.

        Without an account the attempt is a decoy: its code fits nothing, and its message isn't sent.
        """
        handle, handle_text = self.handle(account, now)
        id = AttemptId(handle.selector)
        link, link_text = self._ticket(VERIFY, account, self.policy.link_life, now, id)
        challenge, code = self._challenge(readied.codes, id, account, now)
        attempt = Attempt(
            id=id,
            realm=self.desk.scope.realm,
            account=account,
            destined=wish.account,
            contact=readied.contact,
            value=wish.value,
            channel=wish.channel,
            password=password,
            challenge=challenge,
            handle=handle,
            link=link,
            locale=wish.locale,
            return_path=wish.return_path,
            started_at=now,
            details=wish.details,
            disposable=wish.disposable,
        )
        return Provable(attempt, code, link_text, f"verify {id}"), handle_text

    def handle(self, account: AccountId | None, now: datetime) -> tuple[Ticket, Secret[str]]:
        """Answer a new handle for the browser that asked."""
        return self._ticket(HANDLE, account, self.policy.challenge_life, now)

    def renew(self, readied: Readied, attempt: Attempt, now: datetime) -> Provable:
        """Answer the attempt with a new code and link; the old ones are dead, the tries stay counted."""
        link, link_text = self._ticket(VERIFY, attempt.account, self.policy.link_life, now, attempt.id)
        fresh, code = self._challenge(readied.codes, attempt.id, attempt.account, now)
        challenge = resend(attempt.challenge, fresh.code_mac, fresh.key_id, self.policy.code_life, now)
        renewed = attrs.evolve(attempt, link=link, challenge=challenge)
        return Provable(renewed, code, link_text, f"verify {attempt.id} after {attempt.version}")

    async def letter(self, provable: Provable) -> Message:
        """Answer the message that carries code and link to the mailbox, or a decoy of it."""
        attempt = provable.attempt
        by_mail = attempt.channel is Channel.EMAIL
        link = {"link": self.letters.link(VERIFY.name, provable.link)} if by_mail else {}
        return await self.letters.write(
            "registration.verify_contact",
            attempt.value,
            key=provable.key,
            until=_ends(attempt),
            subject=attempt.account or "",
            locale=attempt.locale,
            variables={"minutes": str(self.policy.code_life // _MINUTE), **({} if by_mail else self.letters.host)},
            secrets={"code": provable.code, **link},
            channel=attempt.channel,
            deliver=attempt.account is not None,
        )

    async def letter_for(self, owner: Customer | None, provable: Provable) -> Message:
        """Answer the message to the address that its owner proved; where nobody did, to the one that was typed."""
        if owner is None or not holder_of(owner).is_owner:
            return await self.letter(provable)
        attempt = provable.attempt
        kind, key = attempt.value.kind, attempt.value.key
        contact, template, more = owner.contact_with(kind, key), holder_of(owner).value, {}
        if contact is None and (former := owner.former_contact_with(kind, key)):
            contact, template = former.contact, "registration.address_held"
            more = {"until": former.until.isoformat(timespec="minutes")}
        return await self.letters.write(
            template,
            contact.value if contact else attempt.value,
            key=f"registered {provable.key}",
            until=_ends(attempt),
            channel=attempt.channel,
            subject=owner.id,
            locale=owner.locale,
            variables=more,
        )

    async def prepare_reminder(
        self, readied: Readied, customer: Customer, value: Contact, attempt: Attempt | None
    ) -> Change:
        """Answer the part of a change that mails the verification of a pending account again.

        Published for recovery: who lost the way into an account that was never proven proves it first.

        Args:
            readied: From ``ready``.
            customer: A pending account.
            value: The address or number that waits for its proof.
            attempt: The account's newest attempt, if there is one.
        """
        now = self.desk.now()
        if attempt is not None:
            provable = self.renew(readied, attempt, now)
            write = ATTEMPTS.change(attempt, provable.attempt)
        else:
            locale = customer.locale or self.desk.scope.locale
            channel = Channel.EMAIL if value.kind is ContactKind.EMAIL else Channel.SMS
            wish = Wish(value=value, channel=channel, locale=locale, account=customer.id, contact=ContactId(""))
            provable, _ = self.start(readied, wish, customer.id, None, now)
            write = ATTEMPTS.add(provable.attempt)
        message = await self.letter(provable)
        return Change(writes=(write,), guards=(CUSTOMERS.unchanged(customer),), messages=(message,))

    def _ticket(
        self, purpose: Purpose, account: AccountId | None, life: timedelta, now: datetime, selector: str = ""
    ) -> tuple[Ticket, Secret[str]]:
        return mint(
            purpose,
            realm=self.desk.scope.realm,
            subject=account or "",
            bound="",
            stamps=Stamps(),
            life=life,
            now=now,
            entropy=self.desk.entropy,
            selector=selector,
        )

    def _challenge(
        self, key: Key, id: AttemptId, account: AccountId | None, now: datetime
    ) -> tuple[Challenge, Secret[str]]:
        return challenge_for(key, id, VERIFY.name, self.policy, now, self.desk.entropy, decoy=account is None)


def _ends(attempt: Attempt) -> datetime:
    """Answer when a message of an attempt is over: with its link, or with its code where it has no link."""
    return attempt.link.expires_at if attempt.channel is Channel.EMAIL else attempt.challenge.code_expires_at
