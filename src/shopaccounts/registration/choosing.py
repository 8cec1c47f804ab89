"""The password of a new account: judged against the shop and the person, then hashed for its account alone."""

from collections.abc import Mapping

import attrs

from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ids import AccountId
from shopaccounts.passwords import Chooser, Chosen
from shopaccounts.registration.forms import personal_words
from shopaccounts.registration.model import WaitingPassword

__all__ = ["NewPasswords"]


@attrs.frozen(kw_only=True)
class NewPasswords:
    """Takes the passwords of accounts that are on their way."""

    chooser: Chooser

    async def choose(self, password: object, contact: Contact, fields: Mapping[str, str]) -> Chosen:
        """Judge what was typed.

        Args:
            password: Text or ``Secret``.
            contact: Whose account it will open.
            fields: What the person told beside it.

        Raises:
            InvalidInput: It isn't text, or no password can be that long.
            PasswordUnacceptable: It won't do, with every reason.
            TryLater: The list of leaked passwords is not available, and the policy says to wait for it.
        """
        return await self.chooser.choose(password, personal_words(contact, fields))

    async def hash(self, chosen: Chosen, account: AccountId) -> WaitingPassword:
        """Hash a password for one account.

        Raises:
            TryLater: The hasher is not available.
        """
        new = await self.chooser.hash(chosen, account)
        return WaitingPassword(
            account=account,
            hash=new.stored.text,
            meets_single_factor_minimum=new.meets_single_factor_minimum,
            breach_unchecked=new.breach_unchecked,
        )
