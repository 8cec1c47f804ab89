"""What customers do with their passkeys: add them, see them, rename them, remove them."""

import attrs

from shopaccounts.customers import customer_of
from shopaccounts.kernel.assurance import Operation
from shopaccounts.kernel.chance import as_token
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import ENROLLING_TOO, Present
from shopaccounts.kernel.errors import Taken
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext, TransportPolicy
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import require_text
from shopaccounts.passwords import PASSWORDS, PasswordPolicy
from shopaccounts.signin.authenticators import AUTHENTICATORS, Authenticators, Passkey
from shopaccounts.signin.errors import PasskeyTaken, PasskeyUnknown
from shopaccounts.signin.events import PasskeyAdded, PasskeyRemoved
from shopaccounts.signin.factors.changes import FactorChanges
from shopaccounts.signin.factors.enrolling import without
from shopaccounts.signin.passkeys.adding import PasskeyAdding, with_user_handle
from shopaccounts.signin.passkeys.ceremonies import CeremonyPurpose, PasskeyRequest
from shopaccounts.signin.passkeys.model import PasskeySignal, PasskeySummary, PasskeyWasAdded, PasskeyWasRemoved
from shopaccounts.signin.passkeys.responses import RegistrationResponse, read_registration
from shopaccounts.signin.reaching import Offered

__all__ = ["PasskeyCare"]


@attrs.frozen(kw_only=True)
class PasskeyCare:
    """The passkeys of whoever is signed in."""

    desk: Desk
    changes: FactorChanges
    adding: PasskeyAdding
    offered: Offered
    passwords: PasswordPolicy
    transport: TransportPolicy

    async def start_adding(self, value: Secret[str], context: RequestContext) -> PasskeyRequest:
        """Ask a browser to make a passkey for whoever is signed in.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            WayNotOffered: The shop has no passkeys.
            EnrolmentNeedsVerifiedContact: Nothing of the account is proven.
            TooManyPasskeys: The account has as many as it may have.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InsecureTransport: The request didn't come over TLS.
        """

        async def decide() -> PasskeyRequest:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            own = with_user_handle(self.changes.own(here), self.desk.entropy)
            request, part = await self.adding.ask(customer_of(here), own, f"session {here.session}", context)
            kept = Change() if own == here[AUTHENTICATORS] else self.changes.write(here, own)
            await self.desk.record(part | kept)
            return request

        return await self.desk.retrying(decide)

    async def add_passkey(
        self, value: Secret[str], handle: Secret[str], response: str, label: str, context: RequestContext
    ) -> PasskeyWasAdded:
        """Add the passkey that a browser made.

        The account's other sessions end, and every address hears of it. The first second step beyond e-mail brings
        recovery codes along, which are shown this once.

        Args:
            value: The session value; one that was opened for enrolling alone ends here.
            handle: From ``start_adding``.
            response: What ``navigator.credentials.create`` answered, as JSON text.
            label: What the customer calls it, up to 64 characters; may be empty.
            context: Where the request came from; the browser that was asked.

        Raises:
            PasskeyRefused: What the browser answered isn't believed; the reason tells why.
            PasskeyTaken: An account has that passkey already.
            WayNotOffered, EnrolmentNeedsVerifiedContact, TooManyPasskeys, FreshSignInNeeded, SignInRequired,
                NotWhileImpersonating: As ``start_adding``.
            InvalidInput: The handle, the answer or the label is no text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        self.transport.check(context)
        name, answer = require_text(label, "label").strip(), read_registration(response)
        self.adding.ceremonies.read(handle)

        async def decide() -> PasskeyWasAdded:
            here = await self.changes.may_change(value, context, scopes=ENROLLING_TOO)
            return await self._add(here, handle, answer, name, context)

        return await self.desk.retrying(decide)

    async def passkeys(self, value: Secret[str], context: RequestContext) -> tuple[PasskeySummary, ...]:
        """Answer the account's passkeys, oldest first.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            SignInRequired: The value opens nothing, or not this.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.changes.doorkeeper.present(value, context, Operation.LOOK)
        own = here[AUTHENTICATORS]
        return tuple(_summary(passkey) for passkey in own.passkeys) if own else ()

    async def rename_passkey(self, value: Secret[str], passkey: str, label: str, context: RequestContext) -> None:
        """Call a passkey something else.

        Args:
            value: The session value.
            passkey: Its id.
            label: What the customer calls it, up to 64 characters; may be empty.
            context: Where the request came from.

        Raises:
            PasskeyUnknown: The account has no such passkey.
            SignInRequired: The value opens nothing, or not this.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InvalidInput: The id or the label isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        id, name = require_text(passkey, "label"), require_text(label, "label").strip()

        async def decide() -> None:
            here = await self.changes.doorkeeper.present(value, context, Operation.MANAGE)
            own, known = _known(here, id)
            renamed = own.with_passkey(attrs.evolve(known, label=name))
            await self.desk.record(self.changes.write(here, renamed))

        await self.desk.retrying(decide)

    async def remove_passkey(self, value: Secret[str], passkey: str, context: RequestContext) -> PasskeyWasRemoved:
        """Remove a passkey; the account's other sessions end, and every address hears of it.

        The browser may then be told by ``signal_payload`` to forget it.

        Args:
            value: The session value.
            passkey: Its id.
            context: Where the request came from.

        Raises:
            PasskeyUnknown: The account has no such passkey.
            LastWayIn: Nothing else would open the account.
            FactorProtectsShortPassword: It is the last second step beyond e-mail, and the password is too short to
                open the account alone.
            FreshSignInNeeded: The proofs are too weak or too old, or no second step of the account is among them.
            SignInRequired: The value opens nothing, or not this.
            NotWhileImpersonating: An agent who acts for a customer may not.
            InvalidInput: The id isn't text, or too long.
            InsecureTransport: The request didn't come over TLS.
        """
        id = require_text(passkey, "label")

        async def decide() -> PasskeyWasRemoved:
            here = await self.changes.may_change(value, context)
            own, _ = _known(here, id)
            after = without(own, {id})
            self.offered.check_way_stays(customer_of(here), after, here[PASSWORDS])
            self.offered.check_password_suffices(own, after, here[PASSWORDS], self.passwords)
            told = PasskeyRemoved(at=self.desk.now(), account=here.account, passkey=id)
            next_value, handed = self.changes.go_on(here)
            await self.changes.record(here, after, told, "signin.passkey_removed", handed)
            codes_went = own.recovery_codes is not None and after.recovery_codes is None
            return PasskeyWasRemoved(next_value=next_value, recovery_codes_removed=codes_went)

        return await self.desk.retrying(decide)

    async def signal_payload(self, value: Secret[str], context: RequestContext) -> PasskeySignal | None:
        """Answer which passkeys open the account, for the browser to forget the others; None if it never had any.

        Args:
            value: The session value.
            context: Where the request came from.

        Raises:
            WayNotOffered: The shop has no passkeys.
            SignInRequired: The value opens nothing, or not this.
            InsecureTransport: The request didn't come over TLS.
        """
        here = await self.changes.doorkeeper.present(value, context, Operation.LOOK)
        own, policy = here[AUTHENTICATORS], self.adding.ceremonies.policy
        if own is None or own.user_handle is None:
            return None
        return PasskeySignal(
            rp_id=policy.rp_id,
            user_id=as_token(own.user_handle),
            all_accepted_credential_ids=tuple(
                as_token(passkey.credential) for passkey in self.offered.usable_passkeys(own)
            ),
        )

    async def _add(
        self, here: Present, handle: Secret[str], answer: RegistrationResponse, label: str, context: RequestContext
    ) -> PasskeyWasAdded:
        ceremonies, own = self.adding.ceremonies, self.changes.own(here)
        ceremony = await ceremonies.find(handle, CeremonyPurpose.REGISTER, f"session {here.session}", context)
        passkey, with_it = await self.adding.take(customer_of(here), own, ceremony, answer, label)
        after, codes = await self.changes.with_recovery_codes(own, with_it)
        told = PasskeyAdded(at=self.desk.now(), account=here.account, passkey=passkey.id)
        next_value, dropped, handed = self.changes.after_enrolling(here)
        part = handed | ceremonies.spent(ceremony)
        try:
            await self.changes.record(here, after, told, "signin.passkey_added", part)
        except Taken:
            raise PasskeyTaken from None
        return PasskeyWasAdded(
            passkey=passkey.id,
            recovery_codes=codes,
            next_value=next_value,
            clear_cookies=dropped,
        )


def _known(here: Present, id: str) -> tuple[Authenticators, Passkey]:
    own = here[AUTHENTICATORS]
    known = next((passkey for passkey in own.passkeys if passkey.id == id), None) if own else None
    if own is None or known is None:
        raise PasskeyUnknown
    return own, known


def _summary(passkey: Passkey) -> PasskeySummary:
    return PasskeySummary(
        id=passkey.id,
        label=passkey.label,
        created_at=passkey.created_at,
        last_used_at=passkey.last_used_at,
        aaguid=passkey.aaguid,
        transports=passkey.transports,
        is_backed_up=passkey.is_backed_up,
        is_disabled=passkey.is_disabled,
    )
