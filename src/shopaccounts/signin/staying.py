"""What customers do once they are in: come back, look where they are signed in, sign out."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import NextValue, Present
from shopaccounts.kernel.errors import StaleWrite
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change, Found, Write
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie
from shopaccounts.signin.authenticators import AUTHENTICATORS
from shopaccounts.signin.devices import device_label, forget
from shopaccounts.signin.doorkeeping import SessionDoorkeeper
from shopaccounts.signin.errors import DeviceUnknown, SessionUnknown
from shopaccounts.signin.events import DeviceRevoked, SessionEnded, SessionsEndedByStaff
from shopaccounts.signin.model import (
    DEVICES,
    REALMS,
    SESSIONS,
    Device,
    DeviceSummary,
    EndReason,
    KnownDevices,
    NoSession,
    RealmSecurity,
    Resumed,
    Session,
    SessionSummary,
    SignedOut,
    WhyNoSession,
)
from shopaccounts.signin.policy import SessionPolicy
from shopaccounts.signin.renewing import Renewal
from shopaccounts.signin.sessions import end, is_live, is_orphaned, touched

__all__ = ["Sessions"]

_CLEAR: Final = (ClearCookie(SESSION_COOKIE),)
_LISTED: Final = 500
_DEVICES: Final = (DEVICES.via("account"),)
_INSTANT: Final = timedelta(microseconds=1)


@attrs.frozen(kw_only=True)
class Sessions:
    """Coming back, and signing out."""

    desk: Desk
    records: Records
    doorkeeper: SessionDoorkeeper
    renewal: Renewal
    staff: Staff
    policy: SessionPolicy
    transport: TransportPolicy

    async def resume(self, value: Secret[str], context: RequestContext) -> Resumed | NoSession:
        """Answer who a session value belongs to.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        found = await self.doorkeeper.find(value)
        live = await self.doorkeeper.judge(found, context)
        if isinstance(live, WhyNoSession):
            await self._react(found, live)
            return NoSession(reason=live, clear_cookies=_CLEAR)
        await self._touch(live.session)
        return Resumed(
            account=live.customer.id,
            auth=live.session.auth,
            public_id=live.session.public_id,
            renewal_due=self.renewal.is_due(live.session),
            impersonated_by=live.session.acting.agent if live.session.acting else None,
        )

    async def renew(self, value: Secret[str], context: RequestContext) -> NextValue:
        """Answer a new value of a session that lives long, in an app for instance; the value before is dead.

        Whoever lost the answer asks again with the old value within a few seconds. An old value that comes back later
        ends the session, and its owner is told.

        Raises:
            SignInRequired: The value opens nothing, or was renewed before.
            WayNotOffered: The shop renews no values.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self.renewal.renew(value, context)

    async def list_sessions(self, value: Secret[str], context: RequestContext) -> tuple[SessionSummary, ...]:
        """Answer where the account is signed in, newest first.

        Raises:
            SignInRequired: The value opens nothing.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK)
        now = self.desk.now()
        newest = await got(self.records.rows(SESSIONS, "open", here.account, None, _LISTED, newest_first=True))
        return tuple(_summary(s, here) for s in newest.items if self._is_live(s, here, now))

    async def end_session(self, value: Secret[str], public_id: str, context: RequestContext) -> None:
        """End one session of the account.

        Raises:
            SessionUnknown: The account has no such session; another account's is answered the same.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """
        require_text(public_id, "label")

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS)
            named = await got(self.records.rows(SESSIONS, "public_id", public_id, None, 1))
            if not named.items or named.items[0].account != here.account:
                raise SessionUnknown
            await self._end(named.items[0], EndReason.ENDED_BY_OWNER)

        await self.desk.retrying(decide)

    async def sign_out(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End the session on the server, whatever happens to the cookie; ending twice is no error.

        Raises:
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> SignedOut:
            found = await self.doorkeeper.find(value)
            if found is not None:
                await self._end(found.it, EndReason.SIGNED_OUT)
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def sign_out_everywhere(self, value: Secret[str], context: RequestContext) -> SignedOut:
        """End every session of the account, this one too; it costs the same for one and for a thousand.

        Signing out needs no fresh proof: whoever holds the session can only give it up.

        Raises:
            SignInRequired: The value opens nothing.
        """

        async def decide() -> SignedOut:
            here = await self.doorkeeper.present(value, context, Operation.MANAGE)
            moved = SECURITY.change(here.security, here.security.bump(Stamp.ACCOUNT))
            await self.desk.record(Change(writes=(moved,)) | self._all_ended(here))
            return SignedOut(clear_cookies=_CLEAR)

        return await self.desk.retrying(decide)

    async def end_other_sessions(self, value: Secret[str], context: RequestContext) -> NextValue:
        """End every session of the account but this one, which gets a new value.

        Raises:
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """

        async def decide() -> NextValue:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS)
            security = here.security.bump(Stamp.ACCOUNT)
            next_value, part = self.doorkeeper.hand_on(here, security, self.desk.now())
            await self.desk.record(part | self._all_ended(here))
            return next_value

        return await self.desk.retrying(decide)

    def _is_live(self, session: Session, here: Present, now: datetime) -> bool:
        closed = self.doorkeeper.gate.offered.closed
        return is_live(session, here.security, here[REALMS], now) and not is_orphaned(
            session, here[AUTHENTICATORS], closed
        )

    # Devices

    async def list_devices(self, value: Secret[str], context: RequestContext) -> tuple[DeviceSummary, ...]:
        """Answer the devices that the account knows, the last used first.

        Raises:
            SignInRequired: The value opens nothing.
        """
        here = await self.doorkeeper.present(value, context, Operation.LOOK, _DEVICES)
        known, now = here[DEVICES], self.desk.now()
        devices = sorted(known.devices, key=lambda device: device.last_seen, reverse=True) if known else ()
        return tuple(_device(device, here) for device in devices if now < device.known_until)

    async def forget_device(self, value: Secret[str], public_id: str, context: RequestContext) -> None:
        """Forget one device of the account; it is as new when it comes back.

        Raises:
            DeviceUnknown: The account knows no such device; another account's is answered the same.
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """
        require_text(public_id, "label")

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS, _DEVICES)
            known = here[DEVICES]
            left = forget(known, public_id) if known else None
            if known is None or left is None:
                raise DeviceUnknown
            await self._forget(known, left, public_id)

        await self.desk.retrying(decide)

    async def forget_all_devices(self, value: Secret[str], context: RequestContext) -> None:
        """Forget every device of the account, this one too.

        Raises:
            SignInRequired: The value opens nothing.
            FreshSignInNeeded: The last proof is too old.
        """

        async def decide() -> None:
            here = await self.doorkeeper.present(value, context, Operation.END_SESSIONS, _DEVICES)
            known = here[DEVICES]
            if known is not None and known.devices:
                await self._forget(known, attrs.evolve(known, devices=()), None)

        await self.desk.retrying(decide)

    # What the shop's own people do

    async def end_sessions_of(self, account: AccountId, reason: str) -> None:
        """End every session of one customer, on behalf of the shop.

        Args:
            account: Whose sessions.
            reason: Why, in words.

        Raises:
            Forbidden: The agent may not.
            SessionUnknown: There is no such account.
        """
        duty = await self.staff.require(Permission.END_SESSIONS, reason)

        async def decide() -> None:
            found = await got(self.records.find(SECURITY, account))
            if found is None:
                raise SessionUnknown
            limited = attrs.evolve(found.it, not_before=self._after_now(), ended_why=duty.reason)
            await self._end_by_staff(SECURITY.change(found.it, limited), account)

        await self.desk.retrying(decide)

    async def end_sessions_of_everybody(self, reason: str) -> None:
        """End every session of every customer; it costs one small write, however many there are.

        Args:
            reason: Why, in words.

        Raises:
            Forbidden: The agent may not.
        """
        duty = await self.staff.require(Permission.END_SESSIONS, reason)

        async def decide() -> None:
            realm = self.desk.scope.realm
            found = await got(self.records.find(REALMS, realm))
            limited = RealmSecurity(id=realm, realm=realm, not_before=self._after_now(), why=duty.reason)
            await self._end_by_staff(REALMS.change(found.it, limited) if found else REALMS.add(limited), None)

        await self.desk.retrying(decide, on_taken=True)

    # The parts

    def _after_now(self) -> datetime:
        """Answer the limit that ends what began up to now, this instant included."""
        return self.desk.now() + _INSTANT

    async def _end_by_staff(self, write: Write, account: AccountId | None) -> None:
        told = SessionsEndedByStaff(at=self.desk.now(), account=account)
        await self.desk.record(Change(writes=(write,), events=self.desk.tell(told)))

    async def _forget(self, known: KnownDevices, left: KnownDevices, public_id: str | None) -> None:
        told = DeviceRevoked(at=self.desk.now(), account=known.id, device=public_id)
        await self.desk.record(Change(writes=(DEVICES.change(known, left),), events=self.desk.tell(told)))

    async def _react(self, found: Found[Session] | None, why: WhyNoSession) -> None:
        """End what is to end because its value was presented; somebody who was faster did the same."""
        if found is None:
            return
        try:
            if why is WhyNoSession.OTHER_AGENT:
                await self._end(found.it, EndReason.OTHER_AGENT)
            await self.renewal.watch(found)
        except StaleWrite:
            return

    def _all_ended(self, here: Present) -> Change:
        told = SessionEnded(
            at=self.desk.now(), account=here.account, session=None, reason=EndReason.ENDED_BY_OWNER.value
        )
        return Change(events=self.desk.tell(told))

    async def _touch(self, session: Session) -> None:
        """Note the activity; losing it to another request does no harm."""
        seen = touched(session, self.policy, self.desk.now())
        if seen is None:
            return
        try:
            await self.desk.record(Change(writes=(SESSIONS.change(session, seen),)))
        except StaleWrite:
            return

    async def _end(self, session: Session, reason: EndReason) -> None:
        if session.ended is not None:
            return
        now = self.desk.now()
        told = SessionEnded(at=now, account=session.account, session=session.public_id, reason=reason.value)
        ended = SESSIONS.change(session, end(session, reason, now))
        await self.desk.record(Change(writes=(ended,), events=self.desk.tell(told)))


def _summary(session: Session, here: Present) -> SessionSummary:
    return SessionSummary(
        public_id=session.public_id,
        agent=session.agent,
        device=device_label(session.agent),
        place=session.place,
        created_at=session.created_at,
        last_seen=session.last_seen,
        level=int(session.auth.level),
        methods=tuple(proof.method.value for proof in session.auth.proofs),
        current=session.public_id == here.session,
    )


def _device(device: Device, here: Present) -> DeviceSummary:
    session: Session = here.found.it
    return DeviceSummary(
        public_id=device.public_id,
        label=device.label,
        place=device.place,
        first_seen=device.first_seen,
        last_seen=device.last_seen,
        current=device.public_id == session.device,
    )
