"""What people sign in with: their address, their number, or the user name where the shop has them.

What was typed is read by its form alone, so a refusal tells nothing about accounts. A number is spelled and never
judged: numbering plans change, and whoever is here already stays.
"""

import attrs

from shopaccounts.customers.model import identifier_key, login_key
from shopaccounts.customers.usernames import canonical_username
from shopaccounts.kernel.contact import Contact, EmailAddress, looks_like_phone
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.text import require_text

__all__ = ["Identifiers"]


@attrs.frozen(kw_only=True)
class Identifiers:
    """Reads what people sign in with.

    Args:
        phones: Reads phone numbers.
        usernames: Whether the shop has user names.
    """

    phones: Phones = attrs.field(factory=Phones)
    usernames: bool = False

    async def key(self, text: object) -> str:
        """Answer the unique key under which whoever signs in with *text* is found.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be any of them.
        """
        contact = await self.contact(text)
        if contact is not None:
            return login_key(contact.kind, contact.key)
        return identifier_key(_text(text), usernames=True)

    async def contact(self, text: object) -> Contact | None:
        """Answer the address or number that *text* is; None for a user name, where the shop has them.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be any of them.
        """
        typed = _text(text)
        if looks_like_phone(typed):
            return await self.phones.look_up(typed)
        if self.usernames and canonical_username(typed) is not None:
            return None
        return EmailAddress.parse(typed)


def _text(text: object) -> str:
    return require_text(text, "identifier", printable=False)
