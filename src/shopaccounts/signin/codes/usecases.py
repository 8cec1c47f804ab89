"""What customers do to get in without a password: ask for a code or a link, and use it.

* It goes to the address or number that the account's owner proved, as it is stored, and to no other. For an address
  that leads nowhere the same is done and nothing goes out; who has never proven an address gets its verification.
* One message carries code and link. The code is typed where it was asked for. The link works in the browser that asked;
  opened elsewhere it signs in nobody and stays good.
* Only who has used it is told how the account stands.
* Looking at a link changes nothing, however often a scanner opens it.

[OWASP ASVS 6.3.8, 6.6; OWASP Forgot Password Cheat Sheet]
"""

import functools
from datetime import datetime
from typing import Any, Final

import attrs

from shopaccounts.customers import CUSTOMERS, AccountStatus, Customer, as_of, is_stale, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import KIND_OF, Method, Proof
from shopaccounts.kernel.codes import Verdict
from shopaccounts.kernel.contact import Contact, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.flows import bind, is_same_browser
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import Phones
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.text import require_choice, require_text
from shopaccounts.signin.acquainted import is_owners_browser
from shopaccounts.signin.admitting import CROWD, Admission, Arrival, may_open
from shopaccounts.signin.codes.policy import CodeSignInPolicy, CodeWay, SameBrowser
from shopaccounts.signin.codes.sending import Asking, Instead, Owner, SentCodes
from shopaccounts.signin.codes.sent import (
    SENT_CODES,
    SIGN_IN,
    SIGN_IN_LINK,
    CodeSent,
    CodeUse,
    LinkOffer,
    OpenedElsewhere,
    SentCode,
    has_moved,
    used_up,
)
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.errors import CodeExhausted, CodeWrong, SignInLinkStale, WayNotOffered
from shopaccounts.signin.events import AttackSuspected, LinkOpenedElsewhere, SignInRefusedEvent
from shopaccounts.signin.model import SignInStep
from shopaccounts.signin.placing import place_of
from shopaccounts.signin.ports import Places, Unproven
from shopaccounts.signin.throttling import Attempts

__all__ = ["CodeSignIn"]

_WAYS: Final = {Channel.EMAIL: CodeWay.EMAIL_CODE, Channel.SMS: CodeWay.SMS_CODE, Channel.VOICE: CodeWay.VOICE}


@attrs.frozen(kw_only=True)
class CodeSignIn:
    """Signing in by codes and links."""

    desk: Desk
    records: Records
    codes: SentCodes
    unproven: Unproven
    phones: Phones
    attempts: Attempts
    admission: Admission
    places: Places
    policy: CodeSignInPolicy
    transport: TransportPolicy

    async def request_sign_in_code(self, identifier: str, channel: Channel, context: RequestContext) -> CodeSent:
        """Send a code to the owner of an address or number, if there is one; the answer is always the same.

        Args:
            identifier: The e-mail address or, for text messages and calls, the phone number, as typed.
            channel: By which way.
            context: Where the request came from.

        Returns:
            A handle for this browser; by e-mail a link goes out with the code.

        Raises:
            WayNotOffered: The shop sends no such codes.
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be an address or number.
            CountryNotServed: The shop sends nothing to this number's country.
            Throttled: Too many messages to this mailbox or number, or for this network.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        by = require_choice(channel, "channel", Channel)
        return await self._request(_WAYS[by], identifier, by, context)

    async def request_sign_in_link(self, identifier: str, context: RequestContext) -> CodeSent:
        """Send a link to the owner of an e-mail address, if there is one; the answer is always the same.

        Args:
            identifier: The address as typed.
            context: Where the request came from.

        Returns:
            A handle for this browser; the code in the same message counts with it.

        Raises:
            WayNotOffered: The shop sends no links to sign in by.
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: It can't be an address.
            Throttled: Too many messages to this mailbox, or for this network.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self._request(CodeWay.EMAIL_LINK, identifier, Channel.EMAIL, context)

    async def resend_code(self, handle: Secret[str], context: RequestContext) -> CodeSent:
        """Send another code and link; the earlier ones are dead, the tries stay counted.

        Raises:
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The handle is of no use.
            CodeExhausted: There were too many wrong codes, so another one would be of no use.
            Throttled: Too soon, or too many messages.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read = [await self.codes.find(SIGN_IN, handle)]
        await self._charge(read[0].it.typed, context)

        async def decide() -> CodeSent:
            return await self._resend(handle, read.pop() if read else await self.codes.find(SIGN_IN, handle))

        return await self.desk.retrying(decide, CROWD)

    async def sign_in_with_code(
        self, handle: Secret[str], code: str, context: RequestContext, *, remember: bool = False
    ) -> SignInStep:
        """Sign in with a code, where it was asked for.

        Args:
            handle: As asking for the code answered it.
            code: As typed; spaces, hyphens and letter case don't matter.
            context: Where the request came from.
            remember: Keep the session beyond the browser's.

        Returns:
            What the proof leads to; match on it.

        Raises:
            CodeWrong: That isn't the code; some tries are left.
            CodeExhausted: No tries are left.
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed: The handle is of no use.
            SignInLinkStale: A newer one was asked for here, or the account has changed since.
            SignInRefused: The account is open no more.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            Throttled: Too many guesses; wait ``retry_after``.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed = require_text(code, "code", printable=False)
        read = [await self._by_handle(handle)]
        subject, method = _counter(read[0].it)
        tries = await self.attempts.charge(
            subject, context.network, self.desk.now(), authenticator=method, rule=self.policy.waits
        )

        async def decide() -> tuple[SignInStep, Customer]:
            found = read.pop() if read else await self._by_handle(handle)
            return await self._with_code(found, typed, context, tries - 1, remember=remember)

        try:
            step, customer = await self.desk.retrying(decide, CROWD)
        except CodeWrong:
            await self._count_failure(context)
            raise
        return await self.admission.follow_up(step, customer, context)

    async def peek_sign_in_link(self, token: Secret[str], context: RequestContext) -> LinkOffer:
        """Answer what the landing page of a link shows; nothing changes, however often a scanner opens it.

        Args:
            token: From the link.
            context: Where the request came from.

        Raises:
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        sent = (await self._by_link(token)).it
        return LinkOffer(
            masked=mask(sent.typed),
            expires_at=sent.link.expires_at if sent.link else sent.handle.expires_at,
            same_browser=is_same_browser(context, sent.browser),
            asked_at=sent.asked_at,
            device=sent.device,
            place=sent.place,
        )

    async def sign_in_with_link(
        self, token: Secret[str], context: RequestContext, *, remember: bool = False, confirmed: bool = False
    ) -> SignInStep | OpenedElsewhere:
        """Sign in with a link, in the browser that asked for it.

        Args:
            token: From the link.
            context: Where the request came from.
            remember: Keep the session beyond the browser's.
            confirmed: Whoever opened it in another browser was told when, where and on which device it was asked for,
                and said yes; passed over unless the shop wants it so.

        Returns:
            What the proof leads to, or ``OpenedElsewhere``: nobody is signed in, and the link stays good.

        Raises:
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The link is of no use.
            SignInRefused: The account is open no more.
            TooManySessions: The account has as many sessions as it may have, where the shop refuses one more.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)

        async def decide() -> tuple[SignInStep, Customer] | OpenedElsewhere:
            found, now = await self._by_link(token), self.desk.now()
            may_confirm = self.policy.same_browser is SameBrowser.CONFIRM
            if not is_same_browser(context, found.it.browser) and not (may_confirm and confirmed):
                return await self._elsewhere(found.it, now, may_confirm=may_confirm)
            used = Change(writes=(SENT_CODES.change(found.it, used_up(found.it, now)),))
            return await self._enter(found, used, Method.EMAIL_LINK, context, now, remember=remember)

        answer = await self.desk.retrying(decide, CROWD)
        if isinstance(answer, OpenedElsewhere):
            return answer
        step, customer = answer
        return await self.admission.follow_up(step, customer, context)

    # Asking

    async def _request(self, way: CodeWay, identifier: str, channel: Channel, context: RequestContext) -> CodeSent:
        self.transport.check(context)
        if way not in self.policy.ways or (channel is not Channel.EMAIL and channel not in self.phones.channels):
            raise WayNotOffered(way.value)
        typed = require_text(identifier, "identifier", printable=False)
        contact = EmailAddress.parse(typed) if channel is Channel.EMAIL else await self.phones.look_up(typed)
        await self._charge(contact, context)
        place = await place_of(self.places, context)
        asking = Asking(
            use=self._use(channel),
            typed=contact,
            channel=channel,
            owner=None,
            binding=bind(context, self.desk.entropy),
            where=Where(device=device_label(context.user_agent), place=place or ""),
        )

        async def decide() -> CodeSent:
            now = self.desk.now()
            owner, instead, guarded = await self._owner(contact, now)
            sent, part = await self.codes.send(attrs.evolve(asking, owner=owner), now, instead)
            await self.desk.record(part | guarded)
            return sent

        return await self.desk.retrying(decide, CROWD)

    async def _resend(self, handle: Secret[str], found: Found[SentCode]) -> CodeSent:
        now, earlier = self.desk.now(), found.it
        owner, instead, guarded = await self._owner(earlier.typed, now)
        same = owner if owner and owner.customer.id == earlier.account else None
        sent, part = await self.codes.resend(self._use(earlier.channel), handle, earlier, same, now, instead)
        await self.desk.record(part | guarded)
        return sent

    async def _owner(self, contact: Contact, now: datetime) -> tuple[Owner | None, Instead | None, Change]:
        """Answer who may have a code, what is sent in its place, and what that relies on."""
        key = login_key(contact.kind, contact.key)
        bring = (SECURITY.via(), *self.unproven.bring)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=bring))
        readied = await got(self.unproven.ready(contact))
        if found is None:
            return None, None, Change()
        guarded = Change(guards=(CUSTOMERS.unchanged(found.it),))
        if as_of(found.it, now).status is AccountStatus.PENDING:
            return None, functools.partial(self.unproven.remind, readied, found, contact), guarded
        return self._owner_of(found, contact, key, now), None, guarded

    def _owner_of(self, found: Found[Customer], contact: Contact, key: str, now: datetime) -> Owner | None:
        """Answer who may have a code: nobody by a number that may be somebody else's by now."""
        security, proven = found[SECURITY], found.it.contact_with(contact.kind, contact.key)
        if security is None or proven is None or not may_open(found.it, key, now):
            return None
        if is_stale(proven, self.phones.policy.stale_after, now):
            return None
        return Owner(customer=as_of(found.it, now), contact=proven.id, value=proven.value, stamps=security.stamps)

    async def _charge(self, contact: Contact, context: RequestContext) -> None:
        now = self.desk.now()
        by_owner = isinstance(contact, EmailAddress) and await is_owners_browser(self.records, contact, context, now)
        await self.codes.budget.charge(contact, context.network, now, by_owner=by_owner)

    def _use(self, channel: Channel) -> CodeUse:
        """Answer what is sent: a link goes along by e-mail, where the shop has links."""
        has_link = channel is Channel.EMAIL and CodeWay.EMAIL_LINK in self.policy.ways
        return SIGN_IN if has_link else attrs.evolve(SIGN_IN, link=None)

    # Using

    @property
    def _bring(self) -> tuple[Bring, ...]:
        return (CUSTOMERS.via("account"), *self.admission.bring("account"))

    async def _by_handle(self, handle: Secret[str]) -> Found[SentCode]:
        return await self.codes.find(SIGN_IN, handle, self._bring)

    async def _by_link(self, token: Secret[str]) -> Found[SentCode]:
        return await self.codes.open(SIGN_IN_LINK, token, self._bring)

    async def _with_code(
        self, found: Found[SentCode], typed: str, context: RequestContext, failures: int, *, remember: bool
    ) -> tuple[SignInStep, Customer]:
        now, sent = self.desk.now(), found.it
        answered = await self.codes.judge(sent, typed, now)
        if answered.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        if answered.verdict is Verdict.WRONG:
            network = await self.attempts.digest("network", context.network)
            tried = sent.account or sent.mailbox
            told = SignInRefusedEvent(at=now, tried=tried, reason=CodeWrong.code, network=network)
            await self.desk.record(answered.part | Change(events=self.desk.tell(told)))
            raise CodeWrong(answered.tries_left)
        method = _counter(sent)[1]
        return await self._enter(found, answered.part, method, context, now, failures, remember=remember)

    async def _enter(
        self,
        found: Found[Any],
        used: Change,
        method: Method,
        context: RequestContext,
        now: datetime,
        failures: int = 0,
        *,
        remember: bool,
    ) -> tuple[SignInStep, Customer]:
        sent, customer = found.it, found[CUSTOMERS]
        if customer is None or has_moved(sent, SIGN_IN, found[SECURITY]):
            await self.desk.record(used)
            raise SignInLinkStale(sent.purpose)
        subject, counted = _counter(sent)
        arrival = Arrival(
            customer=customer,
            found=found,
            proofs=(Proof(method=method, kind=KIND_OF[method], at=now),),
            used=used,
            failures=failures,
            shown=frozenset({sent.contact or ""}),
            counted={counted: subject} if counted is method else {},
        )
        return await self.admission.admit(arrival, context, now, remember=remember), customer

    async def _elsewhere(self, sent: SentCode, now: datetime, *, may_confirm: bool) -> OpenedElsewhere:
        if sent.account is not None:
            told = LinkOpenedElsewhere(at=now, account=sent.account)
            await self.desk.record(Change(events=self.desk.tell(told)))
        return OpenedElsewhere(
            code=await self.codes.shown(sent),
            asked_at=sent.asked_at,
            device=sent.device,
            place=sent.place,
            may_confirm=may_confirm,
        )

    async def _count_failure(self, context: RequestContext) -> None:
        now = self.desk.now()
        await self.attempts.failed(context.network, now)
        if failures := await self.attempts.attack(now):
            await self.desk.record(Change(events=self.desk.tell(AttackSuspected(at=now, failures=failures))))


def _counter(sent: SentCode) -> tuple[str, Method]:
    """Answer whose counter a guess is charged on, and for which method."""
    method = Method.EMAIL_CODE if sent.channel is Channel.EMAIL else Method.SMS_CODE
    return sent.account or login_key(sent.typed.kind, sent.typed.key), method
