"""Which contacts the shop takes: a matter of the contact alone, so refusing one tells nothing about accounts.

The rules, in plain English:

* What the library's own reading accepts may be refused by a second opinion, never changed by it.
* A domain is blocked or allowed with everything below it. Where some are allowed, only those are.
* Addresses that live for a few minutes are flagged, refused or taken, as the shop wants.
* What begins like a phone number and has no ``@`` is one. Codes go to numbers that the shop serves.
* A domain that is known to take no mail is refused. Whoever can't be asked refuses nobody.
"""

from collections.abc import Iterable

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact, EmailAddress, EmailInvalid, looks_like_phone
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.text import require_text
from shopaccounts.registration.errors import DomainNotAccepted
from shopaccounts.registration.model import Wanted
from shopaccounts.registration.policy import Disposable, RegistrationPolicy
from shopaccounts.registration.ports import DisposableDomains, EmailSyntax, MailDomains

__all__ = ["Address", "Addresses"]


@attrs.frozen
class Address:
    """An address that the shop takes; *disposable* if it lives for a few minutes."""

    email: EmailAddress
    disposable: bool


@attrs.frozen(kw_only=True)
class Addresses:
    """Reads addresses and numbers as the shop's policy wants them.

    Args:
        policy: Which domains the shop takes.
        syntax: A second opinion; None has none.
        disposable: Knows throw-away domains; None knows none.
        mail: Knows which domains take mail; None doesn't ask.
        phones: Reads numbers.
    """

    policy: RegistrationPolicy
    syntax: EmailSyntax | None = None
    disposable: DisposableDomains | None = None
    mail: MailDomains | None = None
    phones: Phones = attrs.field(factory=Phones)

    async def read_contact(self, identifier: object, *, by_call: bool = False) -> Wanted:
        """Answer the address or number that somebody typed.

        Args:
            identifier: As typed.
            by_call: Whether a number is to be called; an address never is.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, DomainNotAccepted: It can't be the address.
            PhoneInvalid, PhoneNotServed: It can't be the number.
            InvalidInput: It is neither.
        """
        text = require_text(identifier, "identifier", printable=False)
        if not looks_like_phone(text):
            address = await self.read(text)
            return Wanted(address.email, Channel.EMAIL, address.disposable)
        channel = Channel.VOICE if by_call else Channel.SMS
        return Wanted(await self.phones.read(text, channel), channel)

    def channel_to(self, value: Contact, *, by_call: bool = False) -> Channel:
        """Answer by which way a code goes to a contact that was read before.

        Raises:
            PhoneNotServed: The number can't be reached so.
        """
        if isinstance(value, EmailAddress):
            return Channel.EMAIL
        channel = Channel.VOICE if by_call else Channel.SMS
        self.phones.check_reach(value, channel)
        return channel

    async def read(self, identifier: object) -> Address:
        """Answer the address that somebody typed.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            DomainNotAccepted: The shop doesn't take it.
        """
        email = EmailAddress.parse(require_text(identifier, "identifier", printable=False))
        _, _, domain = email.login_key.rpartition("@")
        if self.syntax is not None:
            objections: tuple[str, ...] = await got(self.syntax.objections(email.login_key))
            if objections:
                raise EmailInvalid(part="local")
        self._check_lists(domain)
        if self.mail is not None and await got(self.mail.accepts_mail(domain)) is False:
            raise DomainNotAccepted(reason="no_mail")
        return Address(email, await self._is_disposable(domain))

    def _check_lists(self, domain: str) -> None:
        if _is_under(domain, self.policy.blocked_domains):
            raise DomainNotAccepted(reason="blocked")
        if self.policy.allowed_domains and not _is_under(domain, self.policy.allowed_domains):
            raise DomainNotAccepted(reason="not_allowed")

    async def _is_disposable(self, domain: str) -> bool:
        if self.disposable is None or self.policy.disposable_domains is Disposable.ALLOW:
            return False
        listed = await got(self.disposable.lists(domain))
        if listed and self.policy.disposable_domains is Disposable.REFUSE:
            raise DomainNotAccepted(reason="disposable")
        return listed


def _is_under(domain: str, listed: Iterable[str]) -> bool:
    return any(domain == one or domain.endswith(f".{one}") for one in listed)
