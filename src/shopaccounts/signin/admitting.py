"""What every way in does once its proofs are right, however they came about.

The gate decides. Around it: the device is met, room is made among the account's sessions, what the proofs used up is
stored together with what they lead to, and the owner is told of what is unusual. A sign-in is one change, guarded by
what it was decided on, so whoever changes the account first makes it lose.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, NOT_ME_SIGN_IN, AccountStatus, Customer, Notices, as_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Level, Method, Proof, level_of
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.errors import StaleWrite, Taken, Throttled
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.phones import CountryNotServed
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found, Once
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.security import SECURITY, AccountSecurity
from shopaccounts.passwords import PASSWORDS, Resets, Tended
from shopaccounts.signin.authenticators import AUTHENTICATORS
from shopaccounts.signin.devices import Met, Visitor, agent_family, device_label, meet, wider_network
from shopaccounts.signin.errors import SignInRefused, WayNotOffered
from shopaccounts.signin.events import SessionEnded
from shopaccounts.signin.gate import Credentials, Gate
from shopaccounts.signin.model import (
    DEVICES,
    REALMS,
    SESSIONS,
    AccountSuspended,
    EndReason,
    KnownDevices,
    PasswordChangeNeeded,
    SecondFactorNeeded,
    Session,
    SignInStep,
)
from shopaccounts.signin.placing import place_of
from shopaccounts.signin.ports import Places
from shopaccounts.signin.proving import PasswordCheck
from shopaccounts.signin.sessions import made_room
from shopaccounts.signin.throttling import Attempts
from shopaccounts.signin.unusual import notice_of

__all__ = ["CROWD", "Admission", "Arrival", "is_open", "may_open"]

_DAY: Final = timedelta(days=1)
_OPENS: Final = frozenset({AccountStatus.ACTIVE, AccountStatus.SUSPENDED, AccountStatus.CLOSING})
CROWD: Final = 32
"""So many sign-ins to one account may meet, each with a device to be noted or an old session to be put away."""


@attrs.frozen(kw_only=True)
class Arrival:
    """Somebody at the door of an account, with proofs that are right.

    Args:
        customer: Whose account it is, as it is stored.
        found: What was looked up, with what ``Admission.bring`` names.
        proofs: What was proven.
        used: The part of a change that the proofs use up.
        failures: How many tries had failed before.
        tended: What became of the password, where one was given.
        shown: The passkey, or the contact that a code went to, that proved it.
        counted: Whose counters were charged, by method; a complete sign-in clears them.
        is_complete: Whether the second step was given, if one was asked for.
        trusts_device: Whether the customer wants this device to stand for the second step from now on.
    """

    customer: Customer
    found: Found[Any]
    proofs: tuple[Proof, ...]
    used: Change = attrs.field(factory=Change)
    failures: int = 0
    tended: Tended | None = None
    shown: frozenset[str] = frozenset()
    counted: Mapping[Method, str] = attrs.field(factory=dict)
    is_complete: bool = False
    trusts_device: bool = False

    @property
    def credentials(self) -> Credentials:
        """What the gate is shown."""
        return Credentials(
            proofs=self.proofs,
            password=self.tended.record if self.tended else self.found[PASSWORDS],
            own=self.found[AUTHENTICATORS],
            shown=self.shown,
            failures=self.failures,
            counted=self.counted,
            is_complete=self.is_complete,
        )


@attrs.frozen(kw_only=True)
class Admission:
    """Takes whoever has proven enough through the gate."""

    desk: Desk
    records: Records
    resets: Resets
    attempts: Attempts
    passwords: PasswordCheck
    gate: Gate
    places: Places
    notices: Notices
    letters: Letters

    def bring(self, via: str = "id") -> tuple[Bring, ...]:
        """Answer what is read along with an account that may be let in; *via* leads there from what is looked up."""
        crowd = SESSIONS.newest("open", via, after=self.gate.policy.max_sessions - 1)
        return (SECURITY.via(via), PASSWORDS.via(via), DEVICES.via(via), AUTHENTICATORS.via(via), crowd)

    async def admit(
        self, arrival: Arrival, context: RequestContext, now: datetime, *, remember: bool = False
    ) -> SignInStep:
        """Store what the proofs lead to, and answer it; to be decided anew on ``StaleWrite``, up to ``CROWD`` times.

        Args:
            arrival: Who, and by which proofs.
            context: Where the request came from.
            now: When.
            remember: Keep the session beyond the browser's.

        Raises:
            SignInRefused: To outsiders there is no such account.
            TooManySessions: One more session is refused.
            StaleWrite, Taken: Somebody was faster.
        """
        found = arrival.found
        customer, security = as_of(arrival.customer, now), found[SECURITY]
        if security is None:
            raise SignInRefused
        met = await self._met(customer, found[DEVICES], context, now)
        met = self._trusted(met, arrival, security, now)
        step, part = self.gate.let_in(
            customer,
            security,
            arrival.credentials,
            context,
            now,
            network=await self.attempts.digest("network", context.network),
            remember=remember,
            met=met,
        )
        change = part | arrival.used | _relied_on(arrival, part, customer, security, now)
        if isinstance(step, AccountSuspended):
            await self._record_suspended(change | _tending(arrival.tended), customer, now)
        else:
            opened: Session | None = next((write.now for write in part.writes if write.book is SESSIONS), None)
            if opened is not None and found[SESSIONS] is not None:
                change |= await self._room(customer, security, now)
            if opened is not None:
                unusual = notice_of(met, found[DEVICES], arrival.failures, self.gate.devices, now)
                change |= await self._notice(unusual, customer, met, opened, now) if unusual else Change()
            await self._record(change, arrival.tended)
        if not isinstance(step, SecondFactorNeeded):
            await self._forget(arrival)
        return step

    async def follow_up(self, step: SignInStep, customer: Customer, context: RequestContext) -> SignInStep:
        """Send the owner what changes a password which nobody may change here, where that is the answer.

        By mail it is a link; where there is only a number to sign in by, a code that counts with what is answered.
        """
        to = customer.sign_in_contact
        if not isinstance(step, PasswordChangeNeeded) or step.via != "mailbox" or to is None:
            return step
        channel = Channel.EMAIL if isinstance(to, EmailAddress) else Channel.SMS
        try:
            sent = await self.resets.request_reset(to.send_to, context, channel)
        except (Throttled, WayNotOffered, CountryNotServed):
            return step  # what was sent a moment ago is still good, or another way back has to do
        return attrs.evolve(step, reset=sent.handle, set_cookies=(*step.set_cookies, *sent.set_cookies))

    async def _forget(self, arrival: Arrival) -> None:
        """Forget the tries on the counters of what was used, now that all that was asked for is given."""
        record = arrival.found[PASSWORDS]
        for method, subject in arrival.counted.items():
            if method is Method.PASSWORD and record is not None:
                await self.passwords.succeeded(subject, record)
            else:
                await self.attempts.succeeded(subject, authenticator=method)
                await self.attempts.is_fresh_again(subject)

    async def _record(self, change: Change, tended: Tended | None) -> None:
        """Store a sign-in; that somebody else was faster in looking after the same password doesn't refuse it.

        A newer password moves the account's stamps, and so has this decided anew.
        """
        try:
            await self.desk.record(change | _tending(tended))
        except StaleWrite as faster:
            if tended is None or not tended.dispensable or faster.kind != PASSWORDS.name:
                raise
            await self.desk.record(change)

    async def _met(self, customer: Customer, known: KnownDevices | None, context: RequestContext, now: datetime) -> Met:
        """Answer the device that somebody came with."""
        label = device_label(context.user_agent)
        like = f"{agent_family(context.user_agent)} {wider_network(context.client_ip)}"
        visitor = Visitor(
            device=context.device,
            label=label,
            place=await place_of(self.places, context),
            seen_like=await self.attempts.digest("seen_like", like),
        )
        return meet(customer, known, visitor, self.gate.devices, self.desk.entropy, now)

    def _trusted(self, met: Met, arrival: Arrival, security: AccountSecurity, now: datetime) -> Met:
        """Answer the device, trusted where the shop allows that and the proofs were those of two factors."""
        trusted_for = self.gate.devices.trusted_for
        if trusted_for is None or not arrival.trusts_device or level_of(arrival.proofs) < Level.MULTI:
            return met
        own = arrival.found[AUTHENTICATORS]
        return met.trusted(security.stamps, own.steps if own else frozenset(), now + trusted_for)

    async def _room(self, customer: Customer, security: AccountSecurity, now: datetime) -> Change:
        """Answer the part that puts away dead sessions, and what is too many of the live ones.

        It is asked for only where as many are open as there may be; an account with fewer has its sessions never read.

        Raises:
            TooManySessions: One more is refused.
        """
        most = self.gate.policy.max_sessions
        still_open = await got(self.records.rows(SESSIONS, "open", customer.id, None, 2 * most))
        realm = await got(self.records.find(REALMS, customer.realm))
        ending = made_room(still_open.items, security, realm.it if realm else None, self.gate.policy, now)
        crowded_out = (was for was, after in ending if after.ended is EndReason.CROWDED_OUT)
        told = (
            SessionEnded(at=now, account=was.account, session=was.public_id, reason=EndReason.CROWDED_OUT.value)
            for was in crowded_out
        )
        return Change(writes=tuple(SESSIONS.change(was, after) for was, after in ending), events=self.desk.tell(*told))

    async def _notice(self, template: str, customer: Customer, met: Met, opened: Session, now: datetime) -> Change:
        return await self.notices.about(
            customer,
            template,
            f"signed_in {opened.public_id}",
            now,
            objection=NOT_ME_SIGN_IN,
            bound=opened.public_id,
            where=Where(device=met.device.label, place=met.place or ""),
        )

    async def _record_suspended(self, change: Change, customer: Customer, now: datetime) -> None:
        """Tell the owner once a day that somebody can prove to be the owner of the stopped account."""
        once = Once(namespace="signin.suspended_tried", key=customer.id, now=now, keep_until=now + _DAY)
        try:
            await self.desk.record(change | Change(messages=await self._warning(customer, now), once=(once,)))
        except Taken:
            await self.desk.record(change)

    async def _warning(self, customer: Customer, now: datetime) -> tuple[Message, ...]:
        contact = customer.sign_in_contact
        if contact is None:
            return ()
        message = await self.letters.write(
            "signin.suspended_tried",
            contact,
            key=f"suspended_tried {self.desk.entropy.token(128)}",
            until=now + _DAY,
            subject=customer.id,
            locale=customer.locale,
        )
        return (message,)


def _tending(tended: Tended | None) -> Change:
    return tended.part if tended else Change()


def is_open(customer: Customer, now: datetime) -> bool:
    """Tell whether proofs of a customer are looked at all."""
    return as_of(customer, now).status in _OPENS


def may_open(customer: Customer, key: str, now: datetime) -> bool:
    """Tell whether proofs of somebody who signs in by what has this ``identifier_key`` are looked at all."""
    return customer.signs_in_by(key) and is_open(customer, now)


def _relied_on(
    arrival: Arrival, decided: Change, customer: Customer, security: AccountSecurity, now: datetime
) -> Change:
    """Answer the part that relies on the account being as it was read, and notes that a number was used.

    That isn't noted where the account itself changes by this sign-in, as one that stays after all.
    """
    used = customer.with_number_used(arrival.shown, now)
    guards = (SECURITY.unchanged(security),)
    if used == customer or any(write.book is CUSTOMERS for write in decided.writes):
        return Change(guards=(CUSTOMERS.unchanged(customer), *guards))
    return Change(writes=(CUSTOMERS.change(customer, used),), guards=guards)
