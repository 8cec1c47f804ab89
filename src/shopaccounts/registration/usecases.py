"""What people do on the way to an account: register, type the code or open the link, and start."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, LifecyclePolicy, VerificationMethod, as_of, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.codes import ChallengeState, Verdict, answer_challenge
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, ContactId, WorkerId
from shopaccounts.kernel.limits import MAX_WINDOW
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Claimed, DueWork, Records
from shopaccounts.kernel.record import Change, ClaimGuard, Found, PageResult, Sweep
from shopaccounts.kernel.request import RequestContext, TransportPolicy, safe_return_path
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_locale, require_text
from shopaccounts.kernel.tickets import fits, peek, read_selector, selector_in
from shopaccounts.kernel.vault import Keyring, Ring, Vault
from shopaccounts.kernel.writing import compose
from shopaccounts.passwords import (
    Acceptable,
    Hasher,
    PasswordContext,
    PasswordPolicy,
    PersonalWords,
    Prepared,
    ShopWords,
    choose,
    prepare,
)
from shopaccounts.registration.activating import activation, opening, proofs_of, waiting_account
from shopaccounts.registration.deciding import cleansed, holder_of, lapsed, settled, taken_over
from shopaccounts.registration.errors import CodeExhausted, CodeWrong
from shopaccounts.registration.events import AccountCleansed, AttemptExpired
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
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.verifying import HANDLE, VERIFY, Provable, Verifications
from shopaccounts.signin import Attempts, Gate

__all__ = ["Registration"]

_BRING: Final = (CUSTOMERS.via("account"),)
_LEASE: Final = timedelta(minutes=1)
_CROWD: Final = MAX_WINDOW + 1
"""No mailbox gets more messages in an hour than a window holds, so no more can meet at one address."""


@attrs.frozen(kw_only=True)
class _Chosen:
    """A password that will do."""

    prepared: Prepared
    verdict: Acceptable


@attrs.frozen(kw_only=True)
class Registration:
    """Registration by e-mail."""

    desk: Desk
    records: Records
    work: DueWork
    hasher: Hasher
    attempts: Attempts
    budget: SendBudget
    gate: Gate
    verifications: Verifications
    vault: Vault
    keyring: Keyring
    storefront: Storefront
    policy: RegistrationPolicy
    passwords: PasswordPolicy
    lifecycle: LifecyclePolicy
    transport: TransportPolicy

    async def register(self, form: RegistrationForm, context: RequestContext) -> RegistrationStarted:
        """Start an account for an address; the answer is the same whatever the shop knows of the address.

        Args:
            form: What the person filled in.
            context: Where the request came from.

        Returns:
            A handle for this browser. The code, or the link, is in the mailbox.

        Raises:
            EmailInvalid, EmailUnsupportedCharacters, InvalidInput: The address can't be one.
            PasswordUnacceptable: The password won't do, with every reason.
            Throttled: Too many registrations from this network, or messages to this mailbox.
            TryLater: The counters or the hasher are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        wish, now = self._wish(form), self.desk.now()
        chosen = self._choose(form.password, wish.email) if form.password is not None else None
        await self.budget.take("registration", context.network, self.policy.attempts_per_network, now)
        await self.budget.charge(wish.email, context.network, now)

        hashes: dict[AccountId, WaitingPassword] = {}

        async def decide() -> RegistrationStarted:
            return await self._register(wish, chosen, hashes)

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

    async def resend_verification(self, handle: Secret[str], context: RequestContext) -> CodeSent:
        """Send another code and link; the earlier ones are dead, the tries stay counted.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The handle is of no use.
            CodeExhausted: There were too many wrong codes, so another one would be of no use.
            Throttled: Too soon, or too many messages.
            TryLater: The counters are not available.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        read = [await self._by_handle(handle)]
        await self.budget.charge(read[0].it.email, context.network, self.desk.now())

        async def decide() -> CodeSent:
            return await self._resend(read.pop() if read else await self._by_handle(handle))

        return await self.desk.retrying(decide, self._rounds)

    async def peek_contact(self, token: Secret[str], context: RequestContext) -> ContactOffer:
        """Answer what the landing page of a link shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        attempt = (await self._by_link(token)).it
        return ContactOffer(masked=mask(attempt.email), expires_at=attempt.link.expires_at)

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
        waiting = await self._hash(self._choose(typed, attempt.email), attempt.account or AccountId(""))

        async def decide() -> Registered:
            return await self._take_over(read.pop() if read else await self._by_link(token), waiting, context)

        return await self.desk.retrying(decide, self._rounds)

    async def expire_unproven(self, limit: int, worker: WorkerId) -> int:
        """Empty the records of up to *limit* accounts that nobody proved in time; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        now = self.desk.now()
        claims = await got(self.work.claim_due(CUSTOMERS, now, limit, _LEASE, worker))
        if not claims:
            return 0
        results = await got(self.records.record_page([self._lapse(claim, now) for claim in claims]))
        return results.count(PageResult.RECORDED)

    # Registering

    def _wish(self, form: RegistrationForm) -> Wish:
        now = self.desk.now()
        return Wish(
            email=_email(form.identifier),
            locale=require_locale(self.desk.scope.locale if form.locale is None else form.locale),
            return_path=safe_return_path(form.return_path),
            account=AccountId(self.desk.entropy.new_id(now)),
            contact=ContactId(self.desk.entropy.new_id(now)),
        )

    async def _register(
        self, wish: Wish, chosen: _Chosen | None, hashes: dict[AccountId, WaitingPassword]
    ) -> RegistrationStarted:
        now, key = self.desk.now(), login_key(ContactKind.EMAIL, wish.email.login_key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact"))
        known = as_of(found.it, now) if found else None
        account, owned = known.id if known else wish.account, holder_of(known).is_owner
        if chosen and account not in hashes:
            hashes[account] = await self._hash(chosen, account)
        readied = await self.verifications.ready(wish.email)
        waits, password = (None, None) if owned else (account, hashes.get(account))
        provable, handle = self.verifications.start(
            readied, waits, wish.email, password, wish.locale, wish.return_path, now
        )
        attempt = provable.attempt
        letter = await self._letter(known, provable, now)
        started = Change(writes=(ATTEMPTS.add(attempt),), sweeps=(_replaced(attempt, known),), messages=(letter,))
        await self.desk.record(started | opening(self.desk, known, wish, now + self.lifecycle.unverified_after, now))
        return RegistrationStarted(
            handle=handle,
            channel=Channel.EMAIL,
            masked=mask(wish.email),
            resend_after=self.budget.resend_after,
            expires_at=attempt.challenge.code_expires_at,
        )

    async def _letter(self, owner: Customer | None, provable: Provable, now: datetime) -> Message:
        """Write to the address that its owner proved; where nobody did, to the one that was typed."""
        if owner is None or not holder_of(owner).is_owner:
            return await self.verifications.letter(provable, now)
        attempt = provable.attempt
        contact = owner.contact_with(ContactKind.EMAIL, attempt.email.login_key)
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else attempt.email
        return await compose(
            self.desk,
            self.vault,
            template=holder_of(owner).value,
            channel=Channel.EMAIL,
            to=to.stored,
            locale=owner.locale or self.desk.scope.locale,
            variables=self.storefront.variables(),
            secrets={},
            subject=owner.id,
            key=f"registered {attempt.id}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=attempt.link.expires_at,
        )

    def _choose(self, password: object, email: EmailAddress) -> _Chosen:
        about = PasswordContext(
            shop=ShopWords(names=(self.storefront.name,), domains=self.storefront.domains),
            person=PersonalWords(emails=(email.login_key,)),
        )
        prepared, verdict = choose(password, about, self.passwords)
        return _Chosen(prepared=prepared, verdict=verdict)

    async def _hash(self, chosen: _Chosen, account: AccountId) -> WaitingPassword:
        stored = await got(self.hasher.hash(chosen.prepared, account))
        return WaitingPassword(hash=stored.text, meets_single_factor_minimum=chosen.verdict.meets_single_factor_minimum)

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

    async def _resend(self, found: Found[Attempt]) -> CodeSent:
        attempt, now = found.it, self.desk.now()
        readied = await self.verifications.ready(attempt.email)
        if attempt.challenge.state is ChallengeState.EXHAUSTED:
            raise CodeExhausted
        provable = self.verifications.renew(readied, attempt, now)
        message = await self.verifications.letter(provable, now)
        await self.desk.record(Change(writes=(ATTEMPTS.change(attempt, provable.attempt),), messages=(message,)))
        return CodeSent(
            channel=Channel.EMAIL,
            masked=mask(attempt.email),
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
        left = taken_over(found.it, self.desk.entropy.raw(len(found.it.challenge.code_mac)), now)
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
        step, part = self.gate.let_in(account, security, proofs, context, self.desk.now(), network=network)
        await self.desk.record(change | part)
        return Registered(account=account.id, return_path=attempt.return_path, step=step)

    def _lapse(self, claim: Claimed[Customer], now: datetime) -> Change:
        return Change(
            writes=(CUSTOMERS.change(claim.item, lapsed(claim.item)),),
            claims=(ClaimGuard(CUSTOMERS, claim.item.id, claim.fence),),
            events=self.desk.tell(AttemptExpired(at=now, account=claim.item.id)),
        )


def _email(identifier: object) -> EmailAddress:
    return EmailAddress.parse(require_text(identifier, "identifier", printable=False))


def _replaced(attempt: Attempt, known: Customer | None) -> Sweep:
    """Answer what a new attempt replaces: the one of the account that starts over, else those at its address."""
    if known is not None and attempt.account == known.id:
        return Sweep(book=ATTEMPTS, group="account", value=known.id)
    return Sweep(book=ATTEMPTS, group="contact", value=attempt.contact)


def _is_holder(attempt: Attempt, handle: Secret[str]) -> bool:
    return fits(handle, HANDLE, attempt.realm, attempt.handle.selector, attempt.handle.digest)
