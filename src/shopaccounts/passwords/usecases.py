"""What people do with their passwords once they are in, and the little that the shop's people may do."""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Notices, customer_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation, SessionScope, WayIn
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import FULL_ONLY, Doorkeeper, NextValue, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.passwords.errors import NoPassword, PasswordAlreadySet, WrongPassword
from shopaccounts.passwords.events import (
    PasswordChanged,
    PasswordFlagged,
    PasswordReminderDue,
    PasswordRemoved,
    PasswordSet,
)
from shopaccounts.passwords.forcing import flagged
from shopaccounts.passwords.keeping import PASSWORDS, NewPassword, keep
from shopaccounts.passwords.model import MustChange, PasswordRecord, PasswordWasChanged
from shopaccounts.passwords.neighbours import CurrentPasswords
from shopaccounts.passwords.policy import PasswordPolicy
from shopaccounts.passwords.preparing import Prepared, prepare, prepare_to_verify
from shopaccounts.passwords.reminding import reminded, reminder_due, scheduled
from shopaccounts.passwords.removing import check_password_may_go
from shopaccounts.passwords.taking import Chooser, words_of
from shopaccounts.passwords.tending import told_to_change

__all__ = ["Passwords"]

_BRING: Final = (PASSWORDS.via("account"),)
_MAY_CHANGE: Final = frozenset({SessionScope.FULL, SessionScope.CHANGE_PASSWORD})
_CLEAR: Final = (ClearCookie(SESSION_COOKIE),)


@attrs.frozen(kw_only=True)
class Passwords:
    """Changing, setting and removing passwords."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    current: CurrentPasswords
    chooser: Chooser
    notices: Notices
    staff: Staff
    policy: PasswordPolicy

    async def change_password(
        self, value: Secret[str], current: object, new: object, context: RequestContext
    ) -> PasswordWasChanged:
        """Replace the password; every other session ends, and every address hears of it.

        The current password is always asked, and guessing at it is counted with the guesses at sign-in.

        Args:
            value: The session value; one that was opened for this alone ends here.
            current: The current password, text or ``Secret``.
            new: The new password, text or ``Secret``.
            context: Where the request came from.

        Raises:
            WrongPassword: That isn't the current one.
            PasswordUnacceptable: The new one won't do, with every reason.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters, the hasher or the list of leaked passwords are not available.
            SignInRequired: The value opens nothing, or not this.
            InvalidInput: The new password isn't text, or no password can be that long.
            InsecureTransport: The request didn't come over TLS.
        """
        typed, wanted = prepare_to_verify(current), prepare(new)
        ready: dict[str, NewPassword] = {}

        async def decide() -> PasswordWasChanged:
            bring = (*_BRING, *self.current.bring)
            here = await self.doorkeeper.present(value, context, Operation.REPLACE_PASSWORD, bring, _MAY_CHANGE)
            record = here[PASSWORDS]
            compared_with = record.hash if record else ""
            if compared_with not in ready:
                if not await self.current.is_current(here, typed, context):
                    raise WrongPassword
                ready[compared_with] = await self._chosen(here, wanted)
            return await self._replace(here, ready[compared_with])

        return await self.desk.retrying(decide)

    async def set_first_password(self, value: Secret[str], new: object, context: RequestContext) -> PasswordWasChanged:
        """Give an account that has none a password; every other session ends, and every address hears of it.

        Args:
            value: The session value.
            new: The password, text or ``Secret``.
            context: Where the request came from.

        Raises:
            PasswordAlreadySet: The account has one.
            PasswordUnacceptable: It won't do, with every reason.
            TryLater: The hasher or the list of leaked passwords are not available.
            SignInRequired: The value opens nothing, or not this.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            InvalidInput: It isn't text, or no password can be that long.
            InsecureTransport: The request didn't come over TLS.
        """
        wanted, ready = prepare(new), list[NewPassword]()

        async def decide() -> PasswordWasChanged:
            here = await self.doorkeeper.present(value, context, Operation.CHANGE_PASSWORD, _BRING)
            if here[PASSWORDS] is not None:
                raise PasswordAlreadySet
            if not ready:
                ready.append(await self._chosen(here, wanted))
            return await self._replace(here, ready[0])

        return await self.desk.retrying(decide)

    async def remove_password(self, value: Secret[str], context: RequestContext) -> PasswordWasChanged:
        """Remove the password from an account that has another way in; every address hears of it.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            NoPassword: There is none.
            NoOtherWayIn: Nothing else would open the account.
            SignInRequired: The value opens nothing, or not this.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            InsecureTransport: The request didn't come over TLS.
        """

        async def decide() -> PasswordWasChanged:
            here = await self.doorkeeper.present(value, context, Operation.CHANGE_PASSWORD, _BRING)
            record = here[PASSWORDS]
            if record is None:
                raise NoPassword
            check_password_may_go(here.ways - {WayIn.PASSWORD})
            told = self.desk.tell(PasswordRemoved(at=self.desk.now(), account=here.account))
            part = Change(removals=(PASSWORDS.remove(record),), events=told)
            return await self._conclude(here, part, "passwords.was_removed")

        return await self.desk.retrying(decide)

    async def flag_password(self, account: AccountId, reason: str) -> None:
        """Have a customer change the password at the next sign-in, since somebody else may know it. For agents.

        Nobody but the owner sees, sets or chooses a password.

        Args:
            account: Whose password it is.
            reason: Why, up to 500 characters; stands in the event.

        Raises:
            Forbidden: Nobody, or somebody who may not.
            NoPassword: There is no such account, or it has no password.
            InvalidInput: No reason, or no id.
        """
        on_duty = await self.staff.require(Permission.FLAG_PASSWORD, reason)
        require_text(account, "label")

        async def decide() -> None:
            await self._flag(account, on_duty.reason)

        await self.desk.retrying(decide)

    async def remind(self, limit: int, worker: WorkerId) -> int:
        """Tell the shop of up to *limit* passwords whose owners are to be reminded; answer how many were looked at.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, PASSWORDS, self._reminder, limit, worker)

    # Changing

    async def _chosen(self, here: Present, wanted: Prepared) -> NewPassword:
        words = words_of(customer_of(here))
        chosen = await self.chooser.choose(wanted.text, words, here[PASSWORDS], here.password_reaches)
        return await self.chooser.hash(chosen, here.account)

    async def _replace(self, here: Present, new: NewPassword) -> PasswordWasChanged:
        now, record = self.desk.now(), here[PASSWORDS]
        kept = keep(here.account, self.desk.scope.realm, new, self.policy, now, record)
        if record is None:
            told = self.desk.tell(PasswordSet(at=now, account=here.account))
            first = Change(writes=(PASSWORDS.add(kept),), events=told)
            return await self._conclude(here, first, "passwords.was_set", new)
        told = self.desk.tell(PasswordChanged(at=now, account=here.account))
        next_one = Change(writes=(PASSWORDS.change(record, kept),), events=told)
        return await self._conclude(here, next_one, "passwords.was_changed", new)

    async def _conclude(
        self, here: Present, part: Change, template: str, new: NewPassword | None = None
    ) -> PasswordWasChanged:
        """Record what happened, with its notice; what rested on the password ends, this session goes on."""
        now, customer = self.desk.now(), customer_of(here)
        next_value, handed = self._go_on(here, here.security.bump(Stamp.PASSWORD), now)
        told = await self.notices.about(customer, template, f"{template} {here.session}", now, where=here.where)
        await self.desk.record(part | handed | Change(guards=(CUSTOMERS.unchanged(customer),)) | told)
        return PasswordWasChanged(
            next_value=next_value,
            clear_cookies=() if next_value else _CLEAR,
            guidance=new.guidance if new else (),
        )

    def _go_on(self, here: Present, security: AccountSecurity, now: datetime) -> tuple[NextValue | None, Change]:
        """Renew the session; one that was opened for this alone has done its work, and ends with the others."""
        if here.auth.scope in FULL_ONLY:
            return self.doorkeeper.hand_on(here, security, now)
        return None, Change(writes=(SECURITY.change(here.security, security),))

    # Flagging and reminding

    async def _flag(self, account: AccountId, reason: str) -> None:
        now = self.desk.now()
        found = await got(self.records.find(PASSWORDS, account, bring=(CUSTOMERS.via(),)))
        customer = found[CUSTOMERS] if found else None
        if found is None or customer is None:
            raise NoPassword
        record = flagged(found.it, MustChange.STAFF_FLAG, now)
        event = PasswordFlagged(at=now, account=account, evidence=MustChange.STAFF_FLAG.value, reason=reason)
        part = Change(guards=(CUSTOMERS.unchanged(customer),), events=self.desk.tell(event))
        if record != found.it:
            written = Change(writes=(PASSWORDS.change(found.it, record),))
            part = part | written | await told_to_change(self.notices, customer, record, now)
        await self.desk.record(part)

    def _reminder(self, record: PasswordRecord) -> Change:
        now = self.desk.now()
        due = reminder_due(record, self.policy, now)
        after = reminded(record, self.policy, now) if due else scheduled(record, self.policy)
        told = (PasswordReminderDue(at=now, account=record.id, reason=due.why),) if due else ()
        return Change(
            writes=(PASSWORDS.change(record, after),),
            events=self.desk.tell(*told),
        )
