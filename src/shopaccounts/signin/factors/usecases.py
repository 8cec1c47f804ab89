"""What customers do with their second steps: add them, see them, rename them, remove them, renew recovery codes."""

import attrs

from shopaccounts.customers import Customer, customer_of
from shopaccounts.kernel.assurance import Method, Operation
from shopaccounts.kernel.contact import mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import ENROLLING_TOO, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import DueWork
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamp
from shopaccounts.kernel.text import require_text
from shopaccounts.kernel.tickets import read_selector
from shopaccounts.passwords import (
    PASSWORDS,
    Chooser,
    NewPassword,
    NoPassword,
    PasswordPolicy,
    Prepared,
    keep,
    prepare,
    words_of,
)
from shopaccounts.passwords.events import PasswordChanged
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators, Factor, FactorKind
from shopaccounts.signin.codes.sent import STEP, CodeSent
from shopaccounts.signin.errors import FactorUnknown
from shopaccounts.signin.events import FactorRemoved, RecoveryCodesRenewed
from shopaccounts.signin.factors.apps import TotpFactors
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.factors.enrolling import (
    check_may_enrol,
    dropped,
    has_more_than_email,
    offers,
    without,
)
from shopaccounts.signin.factors.model import (
    EnrolledFactors,
    FactorEnrolment,
    FactorSummary,
    FactorWasRemoved,
    RecoveryCodesSummary,
    RecoveryCodesWereRenewed,
    TotpStarted,
)
from shopaccounts.signin.factors.sent import SentFactors
from shopaccounts.signin.throttling import Attempts

__all__ = ["Factors"]


@attrs.frozen(kw_only=True)
class Factors:
    """Apps, phones, the mailbox and recovery codes as second steps."""

    desk: Desk
    work: DueWork
    changes: FactorChanges
    apps: TotpFactors
    sent: SentFactors
    attempts: Attempts
    chooser: Chooser
    passwords: PasswordPolicy
    transport: TransportPolicy

    async def start_totp(self, value: Secret[str], label: str, context: RequestContext) -> TotpStarted:
        """Begin to add an app: its secret is shown now and never again, and waits 15 minutes for the first code.

        Beginning once more drops what was begun before.

        Args:
            value: The session value.
            label: What the customer calls the app, up to 64 characters; may be empty.
            context: Where the request came from.

        Raises:
            WayNotOffered: The shop doesn't offer apps.
            EnrolmentNeedsVerifiedContact: Nothing of the account is proven.
            TooManyFactors: The account has as many as it may have.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            InvalidInput: The label isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        name = require_text(label, "label").strip()

        async def decide() -> TotpStarted:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            return await self.apps.begin(here, name)

        return await self.desk.retrying(decide)

    async def confirm_totp(self, value: Secret[str], code: str, context: RequestContext) -> FactorEnrolment:
        """Add the app that was begun, with its first code, which is used up by that.

        The account's other sessions end, and every address hears of it. The first second step beyond e-mail brings
        recovery codes along, which are shown this once.

        Args:
            value: The session value; one that was opened for enrolling alone ends here.
            code: What the app shows.
            context: Where the request came from.

        Raises:
            CodeWrong: That isn't what the app should show.
            EnrolmentEnded: Nothing was begun, or more than 15 minutes ago.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters are not available.
            WayNotOffered, EnrolmentNeedsVerifiedContact, TooManyFactors, FreshSignInNeeded, SignInRequired: As
                ``start_totp``.
            InvalidInput: The code isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        typed = require_text(code, "code", printable=False)
        charged = dict[str, str]()

        async def decide() -> FactorEnrolment:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            factor = self.apps.waiting(here)
            if factor.id not in charged:
                charged[factor.id] = await self.apps.charge(here, factor, context)
            return await self.changes.enrol(here, await self.apps.judge(here, factor, typed, context))

        answer = await self.desk.retrying(decide)
        await self.attempts.succeeded(charged[answer.factor], authenticator=Method.TOTP)
        return answer

    async def add_sms_factor(
        self, value: Secret[str], contact: str, context: RequestContext, label: str = ""
    ) -> CodeSent:
        """Begin to make a proven phone number a second step: a code is sent there.

        Texts are weaker than apps and passkeys, as the list says with ``sms_is_weaker``; they stand beside them.

        Args:
            value: The session value.
            contact: The id of the number among the account's contacts.
            context: Where the request came from.
            label: What the customer calls it, up to 64 characters.

        Returns:
            The handle of the code, for ``confirm_sent_factor``.

        Raises:
            WayNotOffered: The shop doesn't offer texts, or not to who has nothing stronger, or the number was put on
                another card a short while ago.
            EnrolmentNeedsVerifiedContact: It is no proven number of the account.
            TooManyFactors: It is a second step already, or the account has as many as it may have.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            Throttled: Too many messages to this number, or for this network.
            PhoneNotServed, CountryNotServed: Nothing is sent to this kind of line, or to this number's country.
            TryLater: The counters are not available.
            InvalidInput: The id or the label isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self._send_first(value, FactorKind.SMS, require_text(contact, "handle"), label, context)

    async def add_email_step(self, value: Secret[str], context: RequestContext, label: str = "") -> CodeSent:
        """Begin to make the address that the account signs in by a second step: a code is sent there.

        It slows down who tries stolen passwords, and is no second factor: it protects no shorter password, brings no
        recovery codes, and isn't asked for after a code or link by mail.

        Args:
            value: The session value.
            context: Where the request came from.
            label: What the customer calls it, up to 64 characters.

        Returns:
            The handle of the code, for ``confirm_sent_factor``.

        Raises:
            WayNotOffered: The shop doesn't offer it.
            EnrolmentNeedsVerifiedContact: The account has no proven address that it signs in by.
            TooManyFactors: It is a second step already, or the account has as many as it may have.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            Throttled: Too many messages to this mailbox, or for this network.
            TryLater: The counters are not available.
            InvalidInput: The label isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        return await self._send_first(value, FactorKind.EMAIL_STEP, None, label, context)

    async def confirm_sent_factor(
        self, value: Secret[str], handle: Secret[str], code: str, context: RequestContext
    ) -> FactorEnrolment:
        """Add the phone or mailbox that was begun, with the code that was sent there.

        Args:
            value: The session value; one that was opened for enrolling alone ends here.
            handle: As ``add_sms_factor`` or ``add_email_step`` answered it.
            code: What the message says.
            context: Where the request came from.

        Raises:
            CodeWrong: That isn't it; so many answers are left.
            CodeExhausted: It takes no more answers.
            EnrolmentEnded: Nothing of the kind was begun, or more than 15 minutes ago.
            SignInLinkInvalid, SignInLinkExpired, SignInLinkUsed, SignInLinkStale: The handle is of no use here.
            WayNotOffered, EnrolmentNeedsVerifiedContact, TooManyFactors, FreshSignInNeeded, SignInRequired: As
                ``add_sms_factor``.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters are not available.
            InvalidInput: The code isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        typed = require_text(code, "code", printable=False)
        read_selector(handle, STEP.handle)
        charged = dict[str, tuple[str, Method]]()

        async def decide() -> FactorEnrolment:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            factor = self.sent.waiting(here)
            if factor.id not in charged:
                charged[factor.id] = await self.sent.charge(here, factor, context)
            part = await self.sent.judge(here, factor, handle, typed, context)
            return await self.changes.enrol(here, factor, part)

        answer = await self.desk.retrying(decide)
        subject, method = charged[answer.factor]
        await self.attempts.succeeded(subject, authenticator=method)
        return answer

    async def factors(self, value: Secret[str], context: RequestContext) -> EnrolledFactors:
        """Answer the account's second steps, how many recovery codes are left, and what may be added; never a value.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            SignInRequired: The value opens nothing, or not this.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.changes.doorkeeper.present(value, context, Operation.LOOK)
        customer, own = customer_of(here), here[AUTHENTICATORS]
        codes = own.recovery_codes if own else None
        return EnrolledFactors(
            factors=tuple(_summary(factor, customer) for factor in own.factors) if own else (),
            recovery_codes=RecoveryCodesSummary(made_at=codes.made_at, left=codes.left) if codes else None,
            offers=offers(customer, own, self.changes.policy, self.sent.reaches),
        )

    async def rename_factor(self, value: Secret[str], factor: str, label: str, context: RequestContext) -> None:
        """Call a second step something else.

        Args:
            value: The session value.
            factor: Its id.
            label: What the customer calls it, up to 64 characters; may be empty.
            context: Where the request came from.

        Raises:
            FactorUnknown: The account has no such second step.
            SignInRequired: The value opens nothing, or not this.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InvalidInput: The id or the label isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        id, name = require_text(factor, "handle"), require_text(label, "label").strip()

        async def decide() -> None:
            here = await self.changes.doorkeeper.present(value, context, Operation.MANAGE)
            own, known = _known(here, id)
            renamed = own.with_factor(attrs.evolve(known, label=name))
            await self.desk.record(self.changes.write(here, renamed))

        await self.desk.retrying(decide)

    async def remove_factor(
        self, value: Secret[str], factor: str, context: RequestContext, new_password: object = None
    ) -> FactorWasRemoved:
        """Remove a second step, after one of the account's second steps was shown; every address hears of it.

        With the last one beyond e-mail the recovery codes go too, and the password has to be long enough to open the
        account alone.

        Args:
            value: The session value.
            factor: Its id.
            context: Where the request came from.
            new_password: A password in place of the present one, text or ``Secret``; None keeps that.

        Raises:
            FactorUnknown: The account has no such second step.
            FactorProtectsShortPassword: The password is too short to open the account alone.
            PasswordUnacceptable: The new one won't do, with every reason.
            NoPassword: There is none that could be replaced.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            TryLater: The hasher or the list of leaked passwords are not available.
            InvalidInput: The id or the new password isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        id, wanted = require_text(factor, "handle"), None if new_password is None else prepare(new_password)
        ready = dict[str, NewPassword]()

        async def decide() -> FactorWasRemoved:
            here = await self.changes.may_change(value, context)
            own, known = _known(here, id)
            new = await self._chosen(here, wanted, ready) if wanted is not None else None
            after = without(own, {id})
            self.changes.offered.check_password_suffices(own, after, here[PASSWORDS], self.passwords, new)
            return await self._remove(here, own, known, after, new)

        return await self.desk.retrying(decide)

    async def renew_recovery_codes(self, value: Secret[str], context: RequestContext) -> RecoveryCodesWereRenewed:
        """Replace the account's recovery codes by new ones, shown this once; every address hears of it.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            FactorUnknown: The account has no second step that they could stand in for.
            WayNotOffered: The shop has no recovery codes.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            InsecureTransport: The request didn't come over TLS.
        """

        async def decide() -> RecoveryCodesWereRenewed:
            here = await self.changes.may_change(value, context)
            own, now = self.changes.own(here), self.desk.now()
            check_may_enrol(customer_of(here), None, FactorKind.RECOVERY_CODES, self.changes.policy)
            if not has_more_than_email(own):
                raise FactorUnknown
            drawn = await self.changes.codes.draw(here.account, now)
            after = attrs.evolve(own, recovery_codes=drawn.kept)
            told = RecoveryCodesRenewed(at=now, account=here.account)
            next_value, handed = self.changes.go_on(here)
            await self.changes.record(here, after, told, "signin.recovery_codes_renewed", handed)
            return RecoveryCodesWereRenewed(recovery_codes=drawn.shown, next_value=next_value)

        return await self.desk.retrying(decide)

    async def drop_unconfirmed(self, limit: int, worker: WorkerId) -> int:
        """Drop up to *limit* secrets whose apps never showed a first code; answer how many. Safe to run twice."""
        return await work_off(self.desk, self.work, AUTHENTICATORS, _dropped, limit, worker)

    async def _send_first(
        self, value: Secret[str], kind: FactorKind, contact: str | None, label: str, context: RequestContext
    ) -> CodeSent:
        name = require_text(label, "label").strip()
        here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
        await self.sent.codes.charge(self.sent.point(here, kind, contact).value, context, by_owner=True)

        async def decide() -> CodeSent:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            return await self.sent.begin(here, kind, self.sent.point(here, kind, contact), name, context)

        return await self.desk.retrying(decide)

    async def _chosen(self, here: Present, wanted: Prepared, ready: dict[str, NewPassword]) -> NewPassword:
        record = here[PASSWORDS]
        if record is None:
            raise NoPassword
        if record.hash not in ready:
            chosen = await self.chooser.choose(wanted.text, words_of(customer_of(here)), record)
            ready[record.hash] = await self.chooser.hash(chosen, here.account)
        return ready[record.hash]

    async def _remove(
        self, here: Present, own: Authenticators, factor: Factor, after: Authenticators, new: NewPassword | None
    ) -> FactorWasRemoved:
        told = FactorRemoved(at=self.desk.now(), account=here.account, factor=factor.id, kind=factor.kind.value)
        next_value, handed = self.changes.go_on(here, *((Stamp.PASSWORD,) if new else ()))
        part = handed | await self._replaced(here, new) if new else handed
        await self.changes.record(here, after, told, "signin.factor_removed", part)
        return FactorWasRemoved(
            next_value=next_value,
            recovery_codes_removed=own.recovery_codes is not None and after.recovery_codes is None,
            guidance=new.guidance if new else (),
        )

    async def _replaced(self, here: Present, new: NewPassword) -> Change:
        now, record, customer = self.desk.now(), here[PASSWORDS], customer_of(here)
        if record is None:
            raise NoPassword
        kept = keep(here.account, record.realm, new, self.passwords, now, record)
        told = self.desk.tell(PasswordChanged(at=now, account=here.account))
        key = f"passwords.was_changed {here.session}"
        notice = await self.changes.notices.about(customer, "passwords.was_changed", key, now, where=here.where)
        return notice | Change(writes=(PASSWORDS.change(record, kept),), events=told)


def _known(here: Present, id: str) -> tuple[Authenticators, Factor]:
    own = here[AUTHENTICATORS]
    known = own.factor(id) if own else None
    if own is None or known is None:
        raise FactorUnknown
    return own, known


def _summary(factor: Factor, customer: Customer) -> FactorSummary:
    return FactorSummary(
        id=factor.id,
        kind=factor.kind,
        label=factor.label,
        hint=next((mask(contact.value) for contact in customer.contacts if contact.id == factor.contact), ""),
        created_at=factor.created_at,
        last_used_at=factor.last_used_at,
        is_disabled=factor.is_disabled,
    )


def _dropped(own: Authenticators) -> Change:
    return Change(writes=(AUTHENTICATORS.change(own, dropped(own)),))
