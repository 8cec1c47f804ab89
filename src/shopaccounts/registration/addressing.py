"""Which addresses the shop takes: a matter of the address alone, so refusing one tells nothing about accounts.

The rules, in plain English:

* What the library's own reading accepts may be refused by a second opinion, never changed by it.
* A domain is blocked or allowed with everything below it. Where some are allowed, only those are.
* Addresses that live for a few minutes are flagged, refused or taken, as the shop wants.
* A domain that is known to take no mail is refused. Whoever can't be asked refuses nobody.
"""

from collections.abc import Iterable

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress, EmailInvalid
from shopaccounts.kernel.text import require_text
from shopaccounts.registration.errors import DomainNotAccepted
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
    """Reads addresses as the shop's policy wants them.

    Args:
        policy: Which domains the shop takes.
        syntax: A second opinion; None has none.
        disposable: Knows throw-away domains; None knows none.
        mail: Knows which domains take mail; None doesn't ask.
    """

    policy: RegistrationPolicy
    syntax: EmailSyntax | None = None
    disposable: DisposableDomains | None = None
    mail: MailDomains | None = None

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
