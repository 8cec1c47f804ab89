"""What people do when they lost their password: ask for a link, look at it, choose a new one."""

from collections.abc import Collection
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Notices, login_key
from shopaccounts.customers.events import ContactRemoved
from shopaccounts.kernel.assurance import Method, Operation
from shopaccounts.kernel.contact import Contact, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, NextValue, Present
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.staff import Permission, Staff
from shopaccounts.kernel.text import require_choice, require_text
from shopaccounts.passwords import PASSWORDS, Chooser, describe
from shopaccounts.recovery.answering import Answers
from shopaccounts.recovery.events import ResetStarted
from shopaccounts.recovery.model import PasswordWasReset, ResetOffer, ResetSent
from shopaccounts.recovery.policy import ResetPolicy
from shopaccounts.recovery.questions import QUESTIONS
from shopaccounts.recovery.recent import Owned, without_recent
from shopaccounts.recovery.reset_requests import ResetRequests
from shopaccounts.recovery.reset_second import ResetSecond
from shopaccounts.recovery.resetting import Opened, Resetting, read_given
from shopaccounts.registration import Account
from shopaccounts.signin import (
    AUTHENTICATORS,
    DEVICES,
    Answer,
    Attempts,
    CodeSent,
    Offered,
    PasskeyRequest,
    WayNotOffered,
    is_owners_browser,
    withdraw,
)
from shopaccounts.signin.events import DeviceRevoked

__all__ = ["Recovery"]

_CROWD: Final = MAX_WINDOW + 1
"""No mailbox gets more messages in an hour than a window holds, so no more can meet at one address."""


@attrs.frozen(kw_only=True)
class Recovery:
    """The way back in."""

    desk: Desk
    records: Records
    chooser: Chooser
    attempts: Attempts
    budget: SendBudget
    phones: Phones
    requests: ResetRequests
    resetting: Resetting
    second: ResetSecond
    notices: Notices
    doorkeeper: Doorkeeper
    offered: Offered
    staff: Staff
    policy: ResetPolicy
    transport: TransportPolicy

    async def request_reset(
        self, identifier: str, context: RequestContext, channel: Channel = Channel.EMAIL
    ) -> ResetSent:
        """Send a reset link or code to the owner of an address or number, if there is one; the answer is always alike.

        Args:
            identifier: The e-mail address or, for text messages and calls, the phone number, as typed.
            context: Where the request came from.
            channel: By which way.

        Raises:
            WayNotOffered: The shop resets no passwords by this way.
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be an address or number.
            CountryNotServed: The shop sends nothing to this number's country.
            Throttled: Too many messages to this mailbox or number, or for this network.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        contact, now = await self._read(identifier, channel), self.desk.now()
        by_owner = await is_owners_browser(self.records, contact, context, now)
        await self.budget.charge(contact, context.network, now, by_owner=by_owner)

        async def decide() -> ResetSent:
            if not isinstance(contact, EmailAddress):
                return await self.requests.by_phone(contact, channel, context)
            await self.requests.by_mail(contact)
            return ResetSent(channel=channel, masked=mask(contact), resend_after=self.budget.resend_after)

        return await self.desk.retrying(decide, _CROWD)

    async def peek_reset(self, token: Secret[str], context: RequestContext) -> ResetOffer:
        """Answer what the landing page of a reset link shows; nothing changes, however often a scanner opens it.

        Raises:
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
        """
        self.transport.check(context)
        opened = await self.resetting.by_link(token)
        return ResetOffer(
            masked=mask(opened.contact),
            expires_at=opened.ticket.expires_at,
            guide=describe(self.chooser.policy, self.resetting.password_reaches(opened)),
            questions=self.resetting.answering.asked_of(opened.found[QUESTIONS]),
            second=self.resetting.second_of(opened) or (),
        )

    async def send_reset_factor_code(self, token: Secret[str], factor: str, context: RequestContext) -> CodeSent:
        """Send the code that is asked for at a reset to a phone or mailbox of the account.

        Args:
            token: From the link.
            factor: Which of the second factors that ``peek_reset`` shows.
            context: Where the request came from.

        Returns:
            The handle of the code, for ``SentCodeAnswer``.

        Raises:
            FactorUnknown: It is none of those.
            WayNotOffered: The number was put on another card a short while ago.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            Throttled, TryLater: Too many messages, or the counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        id = require_text(factor, "factor", cap=64)
        await self.second.charge(await self.resetting.by_link(token), id, context)

        async def decide() -> CodeSent:
            sent, part = await self.second.send(await self.resetting.by_link(token), id, context)
            await self.desk.record(part)
            return sent

        return await self.desk.retrying(decide)

    async def reset_passkey_options(self, token: Secret[str], context: RequestContext) -> PasskeyRequest:
        """Ask a browser for the passkey that is asked for at a reset.

        Args:
            token: From the link.
            context: Where the request came from.

        Returns:
            What to ask the browser; its answer goes into a ``PasskeyAnswer``.

        Raises:
            WayNotOffered: No passkey is asked for.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        request, part = await self.second.ask_for_passkey(await self.resetting.by_link(token), context)
        await self.desk.record(part)
        return request

    async def reset_password(
        self,
        token: Secret[str],
        new_password: object,
        context: RequestContext,
        answers: Answers | None = None,
        second: Answer | None = None,
    ) -> PasswordWasReset:
        """Set a new password with a reset link; every session ends, and nobody is signed in by it.

        A password that won't do leaves the link good.

        Args:
            token: From the link.
            new_password: Text, or ``Secret`` of it.
            context: Where the request came from.
            answers: To the questions of ``peek_reset``, where it shows any.
            second: One of the second factors of ``peek_reset``, where it shows any.

        Raises:
            ProofsMissing: It takes the answers to the security questions, or a second factor, as well.
            AnswersWrong, CodeWrong: Those are not the answers, or that isn't the second factor.
            WayNotOffered: It is none of the second factors that are asked for.
            PasswordUnacceptable: The password won't do, with every reason.
            InvalidInput: The password, an answer or something in the second factor is no text, or endless.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The link is of no use.
            Throttled: Too many tries at what is asked for besides.
            TryLater: The hasher, the counters, or the list of leaked passwords is not available.
        """
        self.transport.check(context)
        given = read_given(new_password, answers, second)

        async def opening() -> Opened:
            return await self.resetting.by_link(token)

        return await self.resetting.reset(opening, given, context)

    async def reset_with_code(
        self,
        handle: Secret[str],
        code: str,
        new_password: object,
        context: RequestContext,
        answers: Answers | None = None,
        second: Answer | None = None,
    ) -> PasswordWasReset:
        """Set a new password with a code that went to a phone; every session ends, and nobody is signed in by it.

        A password that won't do, or a second factor that is missing, leaves the code good.

        Args:
            handle: As ``request_reset`` answered it.
            code: As typed; spaces and hyphens don't matter.
            new_password: Text, or ``Secret`` of it.
            context: Where the request came from.
            answers: To the account's security questions, where ``ProofsMissing`` wants them.
            second: One of the account's second factors, where ``ProofsMissing`` wants one.

        Raises:
            CodeWrong, CodeExhausted: That isn't the code, or the second factor.
            ProofsMissing, AnswersWrong, WayNotOffered: As ``reset_password``.
            PasswordUnacceptable: The password won't do, with every reason.
            InvalidInput: Something is no text, or endless.
            ResetLinkInvalid, ResetLinkExpired, ResetLinkUsed, ResetLinkStale: The handle is of no use.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The hasher, the counters, or the list of leaked passwords is not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed, given = require_text(code, "code", printable=False), read_given(new_password, answers, second)
        subject = await self._charge_code(handle, context)

        async def opening() -> Opened:
            return await self.resetting.by_code(handle, typed)

        was_reset = await self.resetting.reset(opening, given, context)
        await self.attempts.succeeded(subject, authenticator=Method.SMS_CODE)
        return was_reset

    async def drop_recent(self, value: Secret[str], ids: Collection[str], context: RequestContext) -> NextValue:
        """Remove what was added to the account lately and its owner doesn't know; every other session ends.

        Args:
            value: The session value, of a fresh sign-in.
            ids: As ``PasswordWasReset.recent`` names them.
            context: Where the request came from.

        Raises:
            NotFound: One of them is nothing that was added lately.
            LastLoginContact, LastNoticeContact: The account can't do without it.
            FactorProtectsShortPassword: The password is too short to open the account alone.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            InvalidInput: No ids.
            InsecureTransport: The request didn't come over TLS.
        """
        if isinstance(ids, str) or not isinstance(ids, Collection):
            raise InvalidInput(field="ids")
        chosen = frozenset(require_text(id, "label") for id in ids)

        async def decide() -> NextValue:
            here = await self.doorkeeper.present(value, context, Operation.RECOVER, (DEVICES.via("account"),))
            return await self._drop(here, chosen)

        return await self.desk.retrying(decide)

    async def start_reset_for(self, account: AccountId, reason: str) -> ResetSent:
        """Have a reset link mailed to the owner of an account: the same link, to the address that one signs in by.

        Nobody but the owner sees it, or sets a password.

        Args:
            account: Whose.
            reason: Why, up to 500 characters; stands in the event.

        Raises:
            Forbidden: Nobody, or an agent who may not.
            NotFound: There is no such account.
            StatusForbids: The account is in no state for a reset.
            Throttled: Too many messages to this mailbox.
        """
        duty = await self.staff.require(Permission.START_RESET, reason)
        id = require_text(account, "account", cap=64)
        _, email = await self.requests.resettable(id)
        await self.budget.charge(email, duty.agent, self.desk.now())

        async def decide() -> None:
            now, (known, to) = self.desk.now(), await self.requests.resettable(id)
            told = self.desk.tell(ResetStarted(at=now, account=known.it.id, reason=duty.reason))
            await self.desk.record(await self.requests.link(known, to, now) | Change(events=told))

        await self.desk.retrying(decide)
        return ResetSent(channel=Channel.EMAIL, masked=mask(email), resend_after=self.budget.resend_after)

    # Asking

    async def _read(self, identifier: str, channel: Channel) -> Contact:
        """Answer the address or number that somebody typed.

        Raises:
            WayNotOffered: The shop resets no passwords by this way.
        """
        require_choice(channel, "channel", Channel)
        typed = require_text(identifier, "identifier", printable=False)
        if channel is Channel.EMAIL:
            return EmailAddress.parse(typed)
        if channel not in self.policy.channels & self.phones.channels:
            raise WayNotOffered(channel.value)
        return await self.phones.look_up(typed)

    async def _charge_code(self, handle: Secret[str], context: RequestContext) -> str:
        """Charge one try at a code, and answer on whose counter."""
        sent = (await self.resetting.sent(handle)).it
        subject = sent.account or login_key(sent.typed.kind, sent.typed.key)
        rule = self.attempts.policy.code
        await self.attempts.charge(subject, context.network, self.desk.now(), authenticator=Method.SMS_CODE, rule=rule)
        return subject

    # Afterwards

    async def _drop(self, here: Present, ids: frozenset[str]) -> NextValue:
        customer, known, now = Account.of(here).customer, here[DEVICES], self.desk.now()
        before = Owned(customer=customer, own=here[AUTHENTICATORS], devices=known)
        kept = without_recent(before, ids, now)
        after, left, proofs = kept.customer, kept.devices, withdraw(before.own, kept.own, self.desk, now)
        self.offered.check_password_suffices(before.own, kept.own, here[PASSWORDS], self.chooser.policy)
        moved = {Stamp.ACCOUNT} | proofs.stamps | ({Stamp.CONTACTS} if after != customer else set())
        next_value, part = self.doorkeeper.hand_on(here, here.security.bump(*moved), now)
        gone = [contact.id for contact in customer.contacts if contact.id in ids]
        revoked = [device.public_id for device in known.devices if device.public_id in ids] if known else []
        told = self.desk.tell(
            *(ContactRemoved(at=now, account=customer.id, contact=id) for id in gone),
            *(DeviceRevoked(at=now, account=customer.id, device=id) for id in sorted(revoked)),
        )
        part |= proofs.part | Change(
            writes=(
                *((CUSTOMERS.change(customer, after),) if gone else ()),
                *((DEVICES.change(known, left),) if known and left and left != known else ()),
            ),
            guards=() if gone else (CUSTOMERS.unchanged(customer),),
            events=told,
        )
        key = f"recent_dropped {here.session}"
        notice = await self.notices.about(after, "recovery.recent_dropped", key, now, where=here.where)
        await self.desk.record(part | notice)
        return next_value
