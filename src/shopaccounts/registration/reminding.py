"""What sign-in asks for where it meets an account whose address nobody has proven: that its verification goes out."""

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.registration.model import ATTEMPTS
from shopaccounts.registration.verifying import Readied, Verifications

__all__ = ["Reminders"]


@attrs.frozen(kw_only=True)
class Reminders:
    """Sends verifications once more; the ``Unproven`` of sign-in."""

    verifications: Verifications

    @property
    def bring(self) -> tuple[Bring, ...]:
        """What is read along with the account for it."""
        return (ATTEMPTS.newest("account"),)

    async def ready(self, contact: Contact) -> Readied:
        """Ask for all that ``remind`` needs; the same questions for every address and number."""
        return await self.verifications.ready(contact)

    async def remind(self, readied: Readied, found: Found[Customer], contact: Contact) -> Change:
        """Answer the part of a change that sends it, with one message."""
        return await self.verifications.prepare_reminder(readied, found.it, contact, found[ATTEMPTS])
