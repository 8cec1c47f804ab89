"""What people do on the way to an account: register, type the code or open the link, and start."""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers import (
    CUSTOMERS,
    Customer,
    LifecyclePolicy,
    VerificationMethod,
    login_key,
)
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Proof, ProofKind
from shopaccounts.kernel.codes import Verdict, answer_challenge
from shopaccounts.kernel.contact import ContactKind, EmailAddress, mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import AccountId, ContactId, WorkerId
from shopaccounts.kernel.messages import Channel, Message, MessageCategory, Priority
from shopaccounts.kernel.ports import Claimed, DueWork, Records
from shopaccounts.kernel.record import Change, ClaimGuard, Found, PageResult, Sweep
from shopaccounts.kernel.request import RequestContext, TransportPolicy, safe_return_path
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY, Stamps
from shopaccounts.kernel.sending import SendBudget
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import fits, peek, read_selector
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
)
from shopaccounts.registration.activating import WAY, activation, proofs_of
from shopaccounts.registration.deciding import (
    Holder,
    cleansed,
    holder_of,
    lapsed,
    opened,
    restarted,
)
from shopaccounts.registration.errors import CodeExhausted, CodeWrong
from shopaccounts.registration.events import (
    AccountCleansed,
    AccountOpened,
    AttemptExpired,
    AttemptRestarted,
    DuplicateAttempted,
)
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
)
from shopaccounts.registration.policy import RegistrationPolicy
from shopaccounts.registration.verifying import HANDLE, VERIFY, Verifications
from shopaccounts.signin import Attempts, Gate

__all__ = ["Registration"]

_BRING: Final = (CUSTOMERS.via("account"),)
_LEASE: Final = timedelta(minutes=1)


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
        email = _email(form.identifier)
        locale = require_text(form.locale or self.desk.scope.locale, "label")
        chosen = self._choose(form.password, email) if form.password is not None else None
        now = self.desk.now()
        await self.budget.take("registration", context.network, self.policy.attempts_per_network, now)
        await self.budget.charge(email, context.network, now)
        hashes: dict[AccountId, WaitingPassword] = {}

        async def decide() -> RegistrationStarted:
            return await self._register(email, chosen, locale, safe_return_path(form.return_path), hashes)

        return await self.desk.retrying(decide, on_taken=True)

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
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed = require_text(code, "code", printable=False)

        async def decide() -> Registered:
            return await self._complete(handle, typed, context)

        return await self.desk.retrying(decide, attempts=self.policy.code_tries + 1)

    async def resend_verification(self, handle: Secret[str], context: RequestContext) -> CodeSent:
        """Send another code and link; the earlier ones are dead, the tries stay counted.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed: The handle is of no use.
            Throttled: Too soon, or too many messages.
        """
        self.transport.check(context)
        found = await self._by_handle(handle)
        await self.budget.charge(found.it.email, context.network, self.desk.now())

        async def decide() -> CodeSent:
            again = await self._by_handle(handle)
            renewed, message = await self.verifications.renew(again.it, self.desk.now())
            await self.desk.record(Change(writes=(ATTEMPTS.change(again.it, renewed),), messages=(message,)))
            return CodeSent(
                channel=Channel.EMAIL,
                masked=mask(renewed.email),
                resend_after=self.budget.resend_after,
                expires_at=renewed.challenge.code_expires_at,
            )

        return await self.desk.retrying(decide)

    async def peek_contact(self, token: Secret[str], context: RequestContext) -> ContactOffer:
        """Answer what the landing page of a link shows; nothing changes, however often a scanner opens it.

        Raises:
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
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
        """
        self.transport.check(context)

        async def decide() -> ContactConfirmed | HolderUnknown:
            found = await self._by_link(token)
            if handle is None or not _is_holder(found.it, handle):
                return HolderUnknown()
            account, change = activation(self.desk, found, found.it, VerificationMethod.LINK, self.desk.now())
            await self.desk.record(change)
            return ContactConfirmed(account=account.id, return_path=found.it.return_path)

        return await self.desk.retrying(decide)

    async def take_over_contact(self, token: Secret[str], password: object, context: RequestContext) -> Registered:
        """Prove the address with the link, without having filled in the form, and start clean with a password.

        Nothing of the attempt survives: not its password, not what it filled in.

        Raises:
            PasswordUnacceptable: The password won't do; the link stays good.
            ContactLinkInvalid, ContactLinkExpired, ContactLinkUsed, ContactLinkStale: The link is of no use.
        """
        self.transport.check(context)
        first = await self._by_link(token)
        chosen = self._choose(password, first.it.email)
        waiting = await self._hash(chosen, first.it.account or AccountId(""))

        async def decide() -> Registered:
            found, now = await self._by_link(token), self.desk.now()
            account, change = activation(self.desk, found, cleansed(found.it, waiting), VerificationMethod.LINK, now)
            wiped = Change(events=self.desk.tell(AccountCleansed(at=now, account=account.id)))
            proof = Proof(method=Method.EMAIL_LINK, kind=ProofKind.MAILBOX, at=now)
            return await self._enter(cleansed(found.it, waiting), account, wiped | change, (proof,), context)

        return await self.desk.retrying(decide)

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

    async def _register(
        self,
        email: EmailAddress,
        chosen: _Chosen | None,
        locale: str,
        return_path: str,
        hashes: dict[AccountId, WaitingPassword],
    ) -> RegistrationStarted:
        now = self.desk.now()
        key = login_key(ContactKind.EMAIL, email.login_key)
        found = await got(self.records.find(CUSTOMERS, key, by="login_contact", bring=(SECURITY.via(),)))
        holder = holder_of(found.it if found else None)
        account = found.it.id if found else AccountId(self.desk.entropy.new_id(now))
        if chosen and account not in hashes:
            hashes[account] = await self._hash(chosen, account)
        owned = holder.is_owner
        attempt, handle, message = await self.verifications.start(
            None if owned else account, email, None if owned else hashes.get(account), locale, return_path, now
        )
        change = Change(
            writes=(ATTEMPTS.add(attempt),), sweeps=(Sweep(book=ATTEMPTS, group="contact", value=attempt.contact),)
        )
        consequence = (
            await self._tell_owner(found, holder, attempt, now)
            if owned and found
            else self._open(found, account, email, message, locale, now)
        )
        await self.desk.record(change | consequence)
        return RegistrationStarted(
            handle=handle,
            channel=Channel.EMAIL,
            masked=mask(email),
            resend_after=self.budget.resend_after,
            expires_at=attempt.challenge.code_expires_at,
        )

    def _open(
        self,
        found: Found[Customer] | None,
        account: AccountId,
        email: EmailAddress,
        message: Message,
        locale: str,
        now: datetime,
    ) -> Change:
        contact = ContactId(self.desk.entropy.new_id(now))
        until = now + self.lifecycle.unverified_after
        if found is None:
            customer = opened(account, self.desk.scope.realm, email, contact, locale, until, now)
            told = self.desk.tell(AccountOpened(at=now, account=account, way=WAY))
            return Change(writes=(CUSTOMERS.add(customer),), messages=(message,), events=told)
        again = restarted(found.it, email, contact, locale, until, now)
        told = self.desk.tell(AttemptRestarted(at=now, account=account))
        return Change(writes=(CUSTOMERS.change(found.it, again),), messages=(message,), events=told)

    async def _tell_owner(self, found: Found[Customer], holder: Holder, attempt: Attempt, now: datetime) -> Change:
        """Write to the address that the owner proved, not to the one that was typed."""
        owner = found.it
        contact = owner.contact_with(ContactKind.EMAIL, attempt.email.login_key)
        to = contact.value if contact and isinstance(contact.value, EmailAddress) else attempt.email
        message = await compose(
            self.desk,
            self.vault,
            template=holder.value,
            channel=Channel.EMAIL,
            to=to.stored,
            locale=owner.locale or attempt.locale,
            variables=self.storefront.variables(),
            secrets={},
            subject=owner.id,
            key=f"registered {attempt.id}",
            category=MessageCategory.SECURITY,
            priority=Priority.SECURITY,
            expires_at=attempt.link.expires_at,
        )
        told = self.desk.tell(DuplicateAttempted(at=now, account=owner.id))
        return Change(guards=(CUSTOMERS.unchanged(owner),), messages=(message,), events=told)

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

    async def _by_handle(self, handle: Secret[str]) -> Found[Attempt]:
        selector = read_selector(handle, HANDLE)
        found = await got(self.records.find(ATTEMPTS, selector, by="ticket_selector", bring=_BRING))
        peek(found.it.handle if found else None, handle, HANDLE, Stamps(), self.desk.now())
        if found is None:
            raise HANDLE.refusals.invalid
        return found

    async def _by_link(self, token: Secret[str]) -> Found[Attempt]:
        selector = read_selector(token, VERIFY)
        found = await got(self.records.find(ATTEMPTS, selector, by="ticket_selector", bring=_BRING))
        peek(found.it.link if found else None, token, VERIFY, Stamps(), self.desk.now())
        if found is None:
            raise VERIFY.refusals.invalid
        return found

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
        account, change = activation(self.desk, found, answered, VerificationMethod.CODE, now)
        return await self._enter(attempt, account, change, proofs_of(attempt, now), context)

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


def _is_holder(attempt: Attempt, handle: Secret[str]) -> bool:
    return fits(handle, HANDLE, attempt.realm, attempt.handle.selector, attempt.handle.digest)
