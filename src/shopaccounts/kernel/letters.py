"""The messages that go out about an account, by e-mail, SMS or voice: every context writes them here.

* A letter is in the language of whoever it is about; for strangers, in that of the request.
* It names the shop, and says how to reach it.
* Security letters go out before everything else, and ask nobody's consent.
* It isn't sent after what it says is over.
"""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

import attrs

from shopaccounts.kernel.contact import Contact, PhoneNumber
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.vault import Vault
from shopaccounts.kernel.writing import compose

__all__ = ["Letters"]


@attrs.frozen(kw_only=True)
class Letters:
    """Writes what goes out, and the links in it."""

    desk: Desk
    vault: Vault
    storefront: Storefront

    @property
    def host(self) -> Mapping[str, str]:
        """The host that a code is for, as a variable of text messages; nothing where the shop has no page."""
        host = urlsplit(self.storefront.links.base.get(self.desk.scope.store, "")).hostname
        return {"host": host} if host else {}

    def link(self, use: str, ticket: Secret[str]) -> Secret[str]:
        """Answer the link to the page of the shop where a ticket for *use* is spent."""
        return self.storefront.link(self.desk.scope.store, use, ticket)

    async def write(
        self,
        template: str,
        to: str | Contact,
        *,
        key: str,
        until: datetime,
        subject: str = "",
        locale: str | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret[str]] | None = None,
        category: MessageCategory = MessageCategory.SECURITY,
        channel: Channel | None = None,
        deliver: bool = True,
    ) -> Message:
        """Answer a letter, to be recorded with the change that causes it.

        Args:
            template: Which text, as ``context.situation``.
            to: The contact, or its address, or its number in E.164.
            key: Natural key of the cause; a second letter with it is refused by the store.
            until: When what it says is over.
            subject: The customer it is about, empty for strangers.
            locale: The language that they read; None takes that of the request.
            variables: Plain values for the text, besides the shop's name.
            secrets: Values for the text that nobody else may see: links, codes, where somebody was.
            category: Why it is sent.
            channel: By which way it goes out; None: by text message to a phone number, else by e-mail.
            deliver: False for a decoy.

        Raises:
            InvalidInput: An address, locale or variable that no message can hold.
        """
        return await compose(
            self.desk,
            self.vault,
            template=template,
            channel=channel or (Channel.SMS if isinstance(to, PhoneNumber) else Channel.EMAIL),
            to=to if isinstance(to, str) else to.send_to,
            locale=locale or self.desk.scope.locale,
            variables=self.storefront.variables(**(variables or {})),
            secrets=secrets or {},
            subject=subject,
            key=key,
            category=category,
            priority=Priority.SECURITY if category is MessageCategory.SECURITY else Priority.NORMAL,
            expires_at=until,
            deliver=deliver,
        )
