"""What people do on the way to an account: register, type the code or open the link, and start."""

from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, LifecyclePolicy, VerificationMethod
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.codes import ChallengeState, Verdict, answer_challenge
from shopaccounts.kernel.contact import mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import AccountId, WorkerId
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change, Found
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import fits, peek, read_selector, selector_in
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.passwords import prepare
from shopaccounts.registration.activating import activation, proofs_of, waiting_account
from shopaccounts.registration.automation import Automation
from shopaccounts.registration.deciding import check_correctable, cleansed, lapsed, settled, taken_over
from shopaccounts.registration.errors import CodeExhausted, CodeWrong
from shopaccounts.registration.events import AccountCleansed, AttemptExpired, AutomationSuspected
from shopaccounts.registration.forms import require_open
from shopaccounts.registration.model import (
    ATTEMPTS,
    Attempt,
    CodeSent,
    ContactConfirmed,
    ContactOffer,
    HolderUnknown,
    Registered,
    RegistrationForm,
    RegistrationStarted,
    WaitingPassword,
    Wish,
)
from shopaccounts.registration.openings import Openings
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.verifying import HANDLE, VERIFY, Verifications
from shopaccounts.signin import Attempts, Credentials, Gate, is_owners_browser

__all__ = ["Registration"]

_BRING: Final = (CUSTOMERS.via("account"), SECURITY.via("account"))
_CROWD: Final = MAX_WINDOW + 1
"""No mailbox gets more messages in an hour than a window holds, so no more can meet at one address."""


@attrs.frozen(kw_only=True)
class Registration:
    """Registration by e-mail or phone."""

    desk: Desk
    records: Records
    work: DueWork
    openings: Openings
    automation: Automation
    attempts: Attempts
    budget: SendBudget
    gate: Gate
    verifications: Verifications
    keyring: Keyring
    policy: RegistrationPolicy
    lifecycle: LifecyclePolicy
    transport: TransportPolicy

    async def register(self, form: RegistrationForm, context: RequestContext) -> RegistrationStarted:
        """Start an account for an address or a number; the answer is the same whatever the shop knows of it.

        Args:
            form: What the person filled in.
            context: Where the request came from.

        Returns:
            A handle for this browser. The code, or the link, is in the mailbox; a phone gets the code alone.

        Raises:
            RegistrationNotOpen: Not everybody may.
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be an address or a number.
            DomainNotAccepted: The shop takes no addresses of this domain.
            PhoneNotServed, CountryNotServed: The shop takes no such numbers, or sends nothing there.
            FormRejected: Fields are missing, unsuitable or not on the form.
            TermsNotAccepted, TermsOutdated: Documents that have to be accepted.
            PasswordUnacceptable: The password won't do, with every reason.
            HumanCheckNeeded: A puzzle has to be solved first.
            Throttled: Too many registrations from this network, or messages to this mailbox.
            TryLater: The counters or the hasher are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        require_open(self.policy)
        typed = None if form.password is None else prepare(form.password).text
        wish, now = await self.openings.wish(form), self.desk.now()
        await self.budget.take("registration", context.network, self.policy.attempts_per_network, now)
        chosen = None
        if typed is not None:
            chosen = await self.openings.passwords.choose(typed, wish.value, wish.details.fields)
        if sign := self.automation.sign(context):
            return await self._pretend(wish, sign, context)
        await self.automation.require_human("register", context, now)
        by_owner = await is_owners_browser(self.records, wish.value, context, now)
        await self.budget.charge(wish.value, context.network, now, by_owner=by_owner)

        hashes: dict[AccountId, WaitingPassword] = {}

        async def decide() -> RegistrationStarted:
            return await self.openings.register(wish, chosen, hashes)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def complete_registration(self, handle: Secret[str], code: str, context: RequestContext) -> Registered:
        """Prove the address with the code from the mail, in the browser that asked for it.

        Args:
            handle: As ``register`` answered it.
            code: As typed; spaces, hyphens and letter case don't matter.
            context: Where the request came from.

        Raises:
            CodeWrong: That isn't the code; some tries are left.
            CodeExhausted: No tries are left.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The handle is of no use.
            ContactLinkStale: The code is right, but the account has gone another way since.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed = require_text(code, "code", printable=False)

        async def decide() -> Registered:
            return await self._complete(handle, typed, context)

        return await self.desk.retrying(decide, self._rounds)

    async def resend_verification(
        self, handle: Secret[str], context: RequestContext, *, by_call: bool = False
    ) -> CodeSent:
        """Send another code and link; the earlier ones are dead, the tries stay counted.

        Args:
            handle: As ``register`` answered it.
            context: Where the request came from.
            by_call: Call a number and say the code, instead of sending a text message.

        Raises:
            PhoneNotServed, CountryNotServed: The number can't be reached so.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The handle is of no use.
            CodeExhausted: There were too many wrong codes, so another one would be of no use.
            Throttled: Too soon, or too many messages.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read = [await self._by_handle(handle)]
        channel = self.openings.addresses.channel_to(read[0].it.value, by_call=by_call)
        await self.budget.charge(read[0].it.value, context.network, self.desk.now())

        async def decide() -> CodeSent:
            return await self._resend(read.pop() if read else await self._by_handle(handle), channel)

        return await self.desk.retrying(decide, self._rounds)

    async def change_attempt_contact(
        self, handle: Secret[str], identifier: str, context: RequestContext, *, by_call: bool = False
    ) -> RegistrationStarted:
        """Correct the address of an attempt while it is unproven; what else was filled in stays.

        The earlier code and link are dead. The answer is the same whatever the shop knows of either address.

        Args:
            handle: As ``register`` answered it; it stays good.
            identifier: The right address or number as typed.
            context: Where the request came from.
            by_call: Call the number and say the code, instead of sending a text message.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, PhoneInvalid, InvalidInput: It can't be an address or a number.
            DomainNotAccepted, PhoneNotServed, CountryNotServed: The shop doesn't take it.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The handle is of no use.
            CorrectionsUsedUp: The address was corrected too often.
            CodeExhausted: There were too many wrong codes.
            Throttled: Too many registrations from this network, or messages to this mailbox.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wanted, now = await self.openings.addresses.read_contact(identifier, by_call=by_call), self.desk.now()
        read = [await self._by_handle(handle)]
        check_correctable(read[0].it, self.policy)
        await self.budget.take("registration", context.network, self.policy.attempts_per_network, now)
        await self.budget.charge(wanted.value, context.network, now)

        async def decide() -> RegistrationStarted:
            found = read.pop() if read else await self._by_handle(handle)
            return await self.openings.correct(found.it, handle, wanted)

        return await self.desk.retrying(decide, _CROWD, on_taken=True)

    async def peek_contact(self, token: Secret[str], context: RequestContext) -> ContactOffer:
        """Answer what the landing page of a link shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        attempt = (await self._by_link(token)).it
        return ContactOffer(masked=mask(attempt.value), expires_at=attempt.link.expires_at)

    async def confirm_contact(
        self, token: Secret[str], handle: Secret[str] | None, context: RequestContext
    ) -> ContactConfirmed | HolderUnknown:
        """Prove the address with the link, in the browser that asked for it; it never signs in.

        Args:
            token: From the link.
            handle: As ``register`` answered it; None if this browser has none.
            context: Where the request came from.

        Returns:
            ``HolderUnknown`` if it isn't the browser that asked: nothing changed, and the link stays good.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        holder = handle if handle is not None and selector_in(handle, HANDLE) else None

        async def decide() -> ContactConfirmed | HolderUnknown:
            found = await self._by_link(token)
            if holder is None or not _is_holder(found.it, holder):
                return HolderUnknown()
            now = self.desk.now()
            left = settled(found.it, now)
            account, change = activation(self.desk, found, found.it, left, VerificationMethod.LINK, now)
            await self.desk.record(change)
            return ContactConfirmed(account=account.id, return_path=found.it.return_path)

        return await self.desk.retrying(decide, self._rounds)

    async def take_over_contact(self, token: Secret[str], password: object, context: RequestContext) -> Registered:
        """Prove the address with the link, without having filled in the form, and start clean with a password.

        Nothing of the attempt survives: not its password, not its language, not where it came from.

        Args:
            token: From the link.
            password: The new password, text or ``Secret``.
            context: Where the request came from.

        Raises:
            PasswordUnacceptable: The password won't do; the link stays good.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            TryLater: The hasher is not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed = prepare(password).text
        read = [await self._by_link(token)]
        attempt = read[0].it
        chosen = await self.openings.passwords.choose(typed, attempt.value, {})
        waiting = await self.openings.passwords.hash(chosen, attempt.account or AccountId(""))

        async def decide() -> Registered:
            return await self._take_over(read.pop() if read else await self._by_link(token), waiting, context)

        return await self.desk.retrying(decide, self._rounds)

    async def expire_unproven(self, limit: int, worker: WorkerId) -> int:
        """Empty the records of up to *limit* accounts that nobody proved in time; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, CUSTOMERS, self._lapse, limit, worker)

    async def _pretend(self, wish: Wish, sign: str, context: RequestContext) -> RegistrationStarted:
        """Answer a program as if nothing were wrong; nothing comes of it."""
        now = self.desk.now()
        network = await self.attempts.digest("network", context.network)
        await self.desk.record(Change(events=self.desk.tell(AutomationSuspected(at=now, network=network, sign=sign))))
        _, handle = self.verifications.handle(None, now)
        return self.openings.started(handle, wish, now + self.policy.code_life)

    # Proving

    @property
    def _rounds(self) -> int:
        """How often an attempt can change under somebody's hands: by every try, every mail, and its end."""
        return self.policy.code_tries + _CROWD + 1

    async def _by_handle(self, handle: Secret[str]) -> Found[Attempt]:
        selector = read_selector(handle, HANDLE)
        found = await got(self.records.find(ATTEMPTS, selector, bring=_BRING))
        peek(found.it.handle if found else None, handle, HANDLE, Stamps(), self.desk.now())
        if found is None:
            raise HANDLE.refusals.invalid
        return found

    async def _by_link(self, token: Secret[str]) -> Found[Attempt]:
        selector = read_selector(token, VERIFY)
        found = await got(self.records.find(ATTEMPTS, selector, bring=_BRING))
        peek(found.it.link if found else None, token, VERIFY, Stamps(), self.desk.now())
        if found is None:
            raise VERIFY.refusals.invalid
        waiting_account(found, self.desk.now())
        return found

    async def _resend(self, found: Found[Attempt], channel: Channel) -> CodeSent:
        attempt, now = found.it, self.desk.now()
        readied = await self.verifications.ready(attempt.value)
        if attempt.challenge.state is ChallengeState.EXHAUSTED:
            raise CodeExhausted
        provable = self.verifications.renew(readied, attrs.evolve(attempt, channel=channel), now)
        message = await self.verifications.letter(provable)
        await self.desk.record(Change(writes=(ATTEMPTS.change(attempt, provable.attempt),), messages=(message,)))
        return CodeSent(
            channel=channel,
            masked=mask(attempt.value),
            resend_after=self.budget.resend_after,
            expires_at=provable.attempt.challenge.code_expires_at,
        )

    async def _complete(self, handle: Secret[str], typed: str, context: RequestContext) -> Registered:
        found = await self._by_handle(handle)
        attempt, now = found.it, self.desk.now()
        key = await got(self.keyring.key(Ring.CODES, attempt.challenge.key_id))
        judged = answer_challenge(attempt.challenge, typed, key.secret, now)
        if judged.verdict is Verdict.EXHAUSTED:
            raise CodeExhausted
        answered = attrs.evolve(attempt, challenge=judged.challenge)
        if judged.verdict is Verdict.WRONG:
            await self.desk.record(Change(writes=(ATTEMPTS.change(attempt, answered),)))
            raise CodeWrong(judged.tries_left)
        left = settled(answered, now)
        account, change = activation(self.desk, found, answered, left, VerificationMethod.CODE, now)
        return await self._enter(attempt, account, change, proofs_of(attempt, now), context)

    async def _take_over(self, found: Found[Attempt], waiting: WaitingPassword, context: RequestContext) -> Registered:
        now = self.desk.now()
        clean = cleansed(found.it, waiting, self.desk.scope.locale)
        nobody = AccountId(self.desk.entropy.new_id(now))
        left = taken_over(found.it, nobody, self.desk.entropy.raw(len(found.it.challenge.code_mac)), now)
        account, change = activation(self.desk, found, clean, left, VerificationMethod.LINK, now)
        wiped = Change(events=self.desk.tell(AccountCleansed(at=now, account=account.id)))
        proof = Proof(method=Method.EMAIL_LINK, kind=ProofKind.MAILBOX, at=now)
        return await self._enter(clean, account, wiped | change, (proof,), context)

    async def _enter(
        self, attempt: Attempt, account: Customer, change: Change, proofs: tuple[Proof, ...], context: RequestContext
    ) -> Registered:
        """Let the customer in with the proofs given on the way here."""
        security = next(write.now for write in change.writes if write.book is SECURITY)
        network = await self.attempts.digest("network", context.network)
        given = Credentials(proofs=proofs)
        step, part = self.gate.let_in(account, security, given, context, self.desk.now(), network=network)
        await self.desk.record(change | part)
        return Registered(account=account.id, return_path=attempt.return_path, step=step)

    def _lapse(self, customer: Customer) -> Change:
        told = AttemptExpired(at=self.desk.now(), account=customer.id)
        return Change(writes=(CUSTOMERS.change(customer, lapsed(customer)),), events=self.desk.by_itself.tell(told))


def _is_holder(attempt: Attempt, handle: Secret[str]) -> bool:
    return fits(handle, HANDLE, attempt.realm, attempt.handle.selector, attempt.handle.digest)
