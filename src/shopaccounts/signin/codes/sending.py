"""Sending codes, and judging what is typed: for every purpose the same way."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from shopaccounts.customers import ContactPoint, Customer, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Challenge, Verdict, answer_challenge, code_mac, resend
from shopaccounts.kernel.contact import Contact, ContactKind, PhoneNumber, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.flows import Binding, bind
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Bring, Change, Found
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.tickets import Purpose, Ticket, mint, peek, read_selector
from shopaccounts.kernel.vault import Keyring, Ring, SealContext, Sealed, Vault
from shopaccounts.signin.codes.policy import CodeSignInPolicy
from shopaccounts.signin.codes.sent import SENT_CODES, CodeSent, CodeUse, SentCode, used_up
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.errors import CodeExhausted, WayNotOffered
from shopaccounts.signin.events import CodeSentEvent
from shopaccounts.signin.ports import NumberRisk, RiskSignals

__all__ = ["Answered", "Asking", "Instead", "Owner", "SentCodes"]

_MINUTE: Final = timedelta(minutes=1)


Instead: TypeAlias = Callable[[], Awaitable[Change]]
"""Writes something else than a code, when its turn has come."""


@attrs.frozen(kw_only=True)
class Owner:
    """Whose code it is, and where it goes.

    Args:
        customer: Whose.
        contact: Which of their contacts.
        value: Its address or number, as it is stored.
        stamps: Of the account.
    """

    customer: Customer
    contact: ContactId
    value: Contact
    stamps: Stamps


@attrs.frozen(kw_only=True)
class Asking:
    """Somebody asks for a code.

    Args:
        use: What for.
        typed: The address or number as it was asked for.
        channel: By which way.
        owner: Whose it is; None if it leads nowhere.
        bound: What it is for besides its purpose, as ``progress`` or ``session`` and its id.
        binding: The browser that asks.
        where: On what, and about where, it was asked for.
    """

    use: CodeUse
    typed: Contact
    channel: Channel
    owner: Owner | None
    bound: str = ""
    binding: Binding
    where: Where


@attrs.frozen(kw_only=True)
class Answered:
    """How an answer was judged; *part* has to be stored before anybody is told."""

    verdict: Verdict
    tries_left: int
    part: Change


@attrs.frozen
class _Drawn:
    """A code and the link that goes with it; their texts go out and exist nowhere else."""

    challenge: Challenge
    code: Secret[str]
    link: Ticket | None = None
    link_text: Secret[str] | None = None
    sealed: Sealed | None = None


@attrs.frozen(kw_only=True)
class SentCodes:
    """Makes, sends and judges codes."""

    desk: Desk
    records: Records
    keyring: Keyring
    vault: Vault
    letters: Letters
    budget: SendBudget
    risks: RiskSignals
    policy: CodeSignInPolicy

    async def charge(self, contact: Contact, context: RequestContext, *, by_owner: bool = False) -> None:
        """Charge one message to somebody who has proven something already, before anything is sent.

        Args:
            contact: Where it goes.
            context: Where the request came from.
            by_owner: Whether whoever asks is known to be the owner.

        Raises:
            WayNotOffered: The number was put on another card a short while ago.
            Throttled: Too many messages to this number or mailbox, or for this network.
            CountryNotServed: The shop sends nothing to this number's country.
            TryLater: The counters are not available.
        """
        if isinstance(contact, PhoneNumber):
            risks: frozenset[NumberRisk] = await got(self.risks.number(contact.e164))
            if risks:
                raise WayNotOffered(Channel.SMS.value)
        await self.budget.charge(contact, context.network, self.desk.now(), by_owner=by_owner)

    async def send_to(
        self,
        point: ContactPoint,
        customer: Customer,
        security: AccountSecurity,
        use: CodeUse,
        bound: str,
        context: RequestContext,
    ) -> tuple[CodeSent, Change]:
        """Answer a new code for somebody who has proven something already, and the part that keeps and sends it.

        Args:
            point: Which of their contacts it goes to.
            customer: Whose.
            security: What it relies on.
            use: What for.
            bound: In what it counts: ``progress``, ``session`` or the like, and its id.
            context: Where the request came from.
        """
        asking = Asking(
            use=use,
            typed=point.value,
            channel=Channel.SMS if point.kind is ContactKind.PHONE else Channel.EMAIL,
            owner=Owner(customer=customer, contact=point.id, value=point.value, stamps=security.stamps),
            bound=bound,
            binding=bind(context, self.desk.entropy),
            where=Where(device=device_label(context.user_agent)),
        )
        sent, part = await self.send(asking, self.desk.now())
        return sent, part | Change(guards=(SECURITY.unchanged(security),))

    async def send(self, asking: Asking, now: datetime, instead: Instead | None = None) -> tuple[CodeSent, Change]:
        """Answer a new code with the part of a change that keeps and sends it.

        The budget of messages has to be charged before.

        Args:
            asking: Who asks for what.
            now: When.
            instead: What is written to the owner in place of the code.
        """
        owner, use = asking.owner, asking.use
        handle, handle_text = self._ticket(use.handle, owner, self.policy.challenge_life, now)
        mailbox = await self.digest(asking.typed)
        drawn = await self._draw(use, handle.id, owner, now)
        sent = SentCode(
            id=handle.id,
            realm=self.desk.scope.realm,
            purpose=use.name,
            account=owner.customer.id if owner else None,
            contact=owner.contact if owner else None,
            typed=asking.typed,
            mailbox=mailbox,
            channel=asking.channel,
            bound=asking.bound,
            browser=asking.binding.digest,
            challenge=drawn.challenge,
            handle=handle,
            link=drawn.link,
            code=drawn.sealed,
            device=asking.where.device,
            place=asking.where.place,
            asked_at=now,
        )
        part = Change(writes=(SENT_CODES.add(sent),))
        part |= await self._out(use, sent, owner, drawn, instead, f"{use.name} {sent.id}", now)
        return self._answer(sent, handle_text, asking.binding), part

    async def resend(
        self,
        use: CodeUse,
        handle: Secret[str],
        sent: SentCode,
        owner: Owner | None,
        now: datetime,
        instead: Instead | None = None,
    ) -> tuple[CodeSent, Change]:
        """Answer another code with the part that keeps and sends it; the earlier one is dead, its tries stay counted.

        Args:
            use: What for.
            handle: Of the earlier one; it stays good.
            sent: The earlier one.
            owner: Whose it is, as they are now; None if it leads nowhere.
            now: When.
            instead: What is written to the owner in place of the code.

        Raises:
            CodeExhausted: It takes no more answers, so another one would be of no use.
        """
        if sent.is_exhausted:
            raise CodeExhausted
        drawn = await self._draw(use, sent.id, owner, now, sent.handle.expires_at)
        again = resend(sent.challenge, drawn.challenge.code_mac, drawn.challenge.key_id, self.policy.code_life, now)
        renewed = attrs.evolve(sent, challenge=again, link=drawn.link, code=drawn.sealed)
        part = Change(writes=(SENT_CODES.change(sent, renewed),))
        key = f"{use.name} {sent.id} after {sent.version}"
        part |= await self._out(use, renewed, owner, drawn, instead, key, now)
        return self._answer(renewed, handle), part

    async def find(
        self, use: CodeUse, handle: Secret[str], bring: tuple[Bring, ...] = (), bound: str = ""
    ) -> Found[SentCode]:
        """Answer the code that a handle is for, with what is read along with it.

        Args:
            use: What it was sent for.
            handle: As asking answered it.
            bring: What else is read.
            bound: What else it was asked for.

        Raises:
            LinkInvalid, LinkExpired, LinkUsed, LinkStale: The handle is of no use, in the words of *use*.
        """
        found = await self._look_up(read_selector(handle, use.handle), bring)
        ticket = found.it.handle if found else None
        peek(ticket, handle, use.handle, ticket.stamps if ticket else Stamps(), self.desk.now())
        if found is None or found.it.bound != bound:
            raise use.handle.refusals.invalid
        return _newest(found, use.handle)

    async def open(self, link: Purpose, token: Secret[str], bring: tuple[Bring, ...]) -> Found[SentCode]:
        """Answer what a link is for; *bring* names the account's security among what is read along.

        Raises:
            LinkInvalid, LinkExpired, LinkUsed, LinkStale: The link is of no use, in its own words.
        """
        found = await self._look_up(read_selector(token, link), bring)
        security = found[SECURITY] if found else None
        peek(found.it.link if found else None, token, link, security.stamps if security else Stamps(), self.desk.now())
        if found is None or security is None:
            raise link.refusals.invalid
        return _newest(found, link)

    async def judge(self, sent: SentCode, typed: str, now: datetime) -> Answered:
        """Judge what was typed; the counter of guesses has to be charged before, and the part stored after."""
        key = await got(self.keyring.key(Ring.CODES, sent.challenge.key_id))
        judged = answer_challenge(sent.challenge, typed, key.secret, now)
        if judged.verdict is Verdict.EXHAUSTED:
            return Answered(verdict=judged.verdict, tries_left=0, part=Change())
        answered = attrs.evolve(sent, challenge=judged.challenge)
        after = used_up(answered, now) if judged.verdict is Verdict.RIGHT else answered
        part = Change(writes=(SENT_CODES.change(sent, after),))
        return Answered(verdict=judged.verdict, tries_left=judged.tries_left, part=part)

    async def shown(self, sent: SentCode) -> Secret[str] | None:
        """Answer the code that went with a link, for whoever has opened it."""
        if sent.code is None:
            return None
        plain = await got(self.vault.open(sent.code, self._place(sent.id)))
        return Secret(plain.reveal().decode())

    async def digest(self, contact: Contact) -> str:
        """Answer a keyed digest of an address or number."""
        lookup = await got(self.keyring.current(Ring.LOOKUP))
        return counter_key(lookup.secret, "contact", login_key(contact.kind, contact.key))

    # Making

    async def _draw(
        self, use: CodeUse, id: str, owner: Owner | None, now: datetime, until: datetime | None = None
    ) -> _Drawn:
        """Answer a code, and a link where one goes with it; without an owner they fit nothing."""
        key = await got(self.keyring.current(Ring.CODES))
        code = self.policy.shape.draw(self.desk.entropy)
        right = code_mac(key.secret, id, use.name, code.reveal())
        challenge = Challenge(
            id=id,
            purpose=use.name,
            code_mac=right if owner else self.desk.entropy.raw(len(right)),
            key_id=key.id,
            shape=self.policy.shape,
            max_tries=self.policy.tries,
            issued_at=now,
            code_expires_at=now + self.policy.code_life,
            expires_at=now + self.policy.challenge_life,
        )
        if use.link is None:
            return _Drawn(challenge, code)
        ends_at = min(now + self.policy.link_life, until or now + self.policy.challenge_life)
        link, link_text = self._ticket(use.link, owner, ends_at - now, now, id)
        sealed = await got(self.vault.seal(Secret(code.reveal().encode()), self._place(id)))
        return _Drawn(challenge, code, link, link_text, sealed)

    def _ticket(
        self, purpose: Purpose, owner: Owner | None, life: timedelta, now: datetime, selector: str = ""
    ) -> tuple[Ticket, Secret[str]]:
        return mint(
            purpose,
            realm=self.desk.scope.realm,
            subject=owner.customer.id if owner else "",
            bound="",
            stamps=owner.stamps if owner else Stamps(),
            life=life,
            now=now,
            entropy=self.desk.entropy,
            selector=selector,
        )

    def _place(self, id: str) -> SealContext:
        return SealContext(ring=Ring.OUTBOX, realm=self.desk.scope.realm, kind=SENT_CODES.name, id=id, field="code")

    # Sending

    async def _out(
        self,
        use: CodeUse,
        sent: SentCode,
        owner: Owner | None,
        drawn: _Drawn,
        instead: Instead | None,
        key: str,
        now: datetime,
    ) -> Change:
        """Answer the part that sends a message, or a decoy of one, and tells the shop."""
        asked_for = sent.account or sent.mailbox
        told = CodeSentEvent(at=now, asked_for=asked_for, purpose=use.name, channel=sent.channel.value)
        out = await instead() if instead else Change(messages=(await self._letter(use, sent, owner, drawn, key),))
        return out | Change(events=self.desk.tell(told))

    async def _letter(self, use: CodeUse, sent: SentCode, owner: Owner | None, drawn: _Drawn, key: str) -> Message:
        ends_at = sent.challenge.code_expires_at
        host = self.letters.host if sent.channel is Channel.SMS else {}
        links = {"link": self.letters.link(use.link.name, drawn.link_text)} if use.link and drawn.link_text else {}
        return await self.letters.write(
            use.template,
            owner.value if owner else sent.typed,
            key=key,
            until=max(ends_at, drawn.link.expires_at) if drawn.link else ends_at,
            subject=owner.customer.id if owner else "",
            locale=owner.customer.locale if owner else None,
            variables={"minutes": str(self.policy.code_life // _MINUTE), **host},
            secrets={"code": drawn.code, **links},
            channel=sent.channel,
            deliver=owner is not None,
        )

    def _answer(self, sent: SentCode, handle: Secret[str], binding: Binding | None = None) -> CodeSent:
        return CodeSent(
            handle=handle,
            channel=sent.channel,
            masked=mask(sent.typed),
            resend_after=self.budget.resend_after,
            expires_at=sent.challenge.code_expires_at,
            set_cookies=binding.cookies if binding else (),
        )

    async def _look_up(self, selector: str, bring: tuple[Bring, ...]) -> Found[SentCode] | None:
        newest = SENT_CODES.newest("issued", via="issued")
        return await got(self.records.find(SENT_CODES, selector, bring=(*bring, newest)))


def _newest(found: Found[SentCode], purpose: Purpose) -> Found[SentCode]:
    """Answer what was found, if nothing newer was asked for in its place."""
    newest = found[SENT_CODES]
    if newest is not None and newest.id != found.it.id:
        raise purpose.refusals.stale(purpose.name)
    return found
