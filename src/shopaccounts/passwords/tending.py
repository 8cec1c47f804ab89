"""What is done for a password at the moment when it was given rightly, the only one at which the shop holds it.

It is looked up among leaked passwords; its hash is made anew if it was made with older settings; its next reminder is
set. If it turns out to have leaked it has to be changed, and every address of its owner hears of it. What came of it is
stored with the sign-in or not at all.
"""

from datetime import datetime

import attrs

from shopaccounts.customers import Customer, Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change
from shopaccounts.passwords.breach_check import Breaches
from shopaccounts.passwords.breaches import BreachVerdict, Unchecked
from shopaccounts.passwords.events import PasswordBreachFound, PasswordRehashed
from shopaccounts.passwords.forcing import after_check, is_to_be_checked
from shopaccounts.passwords.keeping import PASSWORDS
from shopaccounts.passwords.model import PasswordRecord
from shopaccounts.passwords.policy import PasswordPolicy
from shopaccounts.passwords.ports import Hasher
from shopaccounts.passwords.preparing import Prepared
from shopaccounts.passwords.reminding import scheduled

__all__ = ["Caretaker", "Tended", "told_to_change"]


@attrs.frozen(kw_only=True)
class Tended:
    """A password after it was given rightly.

    Args:
        record: As it is from now on.
        part: The part of a change that makes it so, or relies on its being as it was.
        dispensable: Who is slower than somebody else loses nothing by leaving the part out.
    """

    record: PasswordRecord
    part: Change
    dispensable: bool


@attrs.frozen(kw_only=True)
class Caretaker:
    """Looks after passwords that were given rightly."""

    desk: Desk
    hasher: Hasher
    notices: Notices
    policy: PasswordPolicy
    breaches: Breaches | None = None

    async def look_up(self, record: PasswordRecord, typed: Prepared | None) -> BreachVerdict:
        """Ask whether a password that was given rightly has leaked; ``Unchecked`` also where nobody is to be asked."""
        if typed is None or self.breaches is None or not is_to_be_checked(record, self.policy):
            return Unchecked()
        return await self.breaches.seen(typed)

    async def tend(
        self,
        customer: Customer,
        record: PasswordRecord,
        typed: Prepared | None,
        verdict: BreachVerdict,
        now: datetime,
        *,
        rehash: bool,
    ) -> Tended:
        """Answer what becomes of a password that was given rightly.

        Args:
            customer: Whose it is.
            record: The password as it is stored.
            typed: The password.
            verdict: What ``look_up`` answered.
            now: When.
            rehash: Its hash was made with older settings.

        Raises:
            TryLater: The hasher is not available.
        """
        checked = after_check(scheduled(record, self.policy), verdict, now)
        if rehash and typed is not None:
            checked = attrs.evolve(checked, hash=(await got(self.hasher.hash(typed, record.id))).text)
        if checked == record:
            return Tended(record=record, part=Change(guards=(PASSWORDS.unchanged(record),)), dispensable=False)
        found = checked.must_change is not record.must_change
        told = await told_to_change(self.notices, customer, checked, now) if found else Change()
        part = Change(writes=(PASSWORDS.change(record, checked),)) | self._events(record, checked, now) | told
        return Tended(record=checked, part=part, dispensable=not found)

    def _events(self, record: PasswordRecord, checked: PasswordRecord, now: datetime) -> Change:
        rehashed = PasswordRehashed(at=now, account=record.id) if checked.hash != record.hash else None
        found = PasswordBreachFound(at=now, account=record.id) if checked.must_change != record.must_change else None
        return Change(events=self.desk.tell(*(event for event in (rehashed, found) if event)))


async def told_to_change(notices: Notices, customer: Customer, record: PasswordRecord, now: datetime) -> Change:
    """Answer the part of a change that tells an owner at every address that the password has to be changed."""
    evidence = record.must_change.value if record.must_change else ""
    key = f"must_change {record.id} {record.version} {record.set_at.isoformat()}"
    return await notices.about(customer, "passwords.must_change", key, now, variables={"evidence": evidence})
