"""Adding a passkey, in a session or from another device.

* Who adds one has a proven address or number, and fewer passkeys than an account may have.
* Devices know the account by 64 bytes of chance, drawn once and told to nobody else.
* A key that any account of the realm has is taken by no other, nor twice by one.

[W3C WebAuthn 3 sections 5.4.3, 7.1, 14.6.1]
"""

from typing import Final

import attrs

from shopaccounts.customers import Customer, is_verified
from shopaccounts.kernel.chance import Entropy
from shopaccounts.kernel.contact import mask
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.signin.authenticators import Authenticators, Passkey
from shopaccounts.signin.errors import EnrolmentNeedsVerifiedContact, PasskeyTaken, TooManyPasskeys
from shopaccounts.signin.passkeys.asking import Ceremonies, Questioned
from shopaccounts.signin.passkeys.ceremonies import Ceremony, CeremonyPurpose, PasskeyRequest
from shopaccounts.signin.passkeys.ports import PasskeyUser
from shopaccounts.signin.passkeys.responses import RegistrationResponse
from shopaccounts.signin.passkeys.rules import descriptors

__all__ = ["PasskeyAdding", "with_user_handle"]

_HANDLE_BYTES: Final = 64


def with_user_handle(own: Authenticators, entropy: Entropy) -> Authenticators:
    """Answer the row with what devices know the account by; once made, it stays."""
    return own if own.user_handle is not None else attrs.evolve(own, user_handle=entropy.raw(_HANDLE_BYTES))


@attrs.frozen(kw_only=True)
class PasskeyAdding:
    """Asks for new passkeys, and takes them."""

    desk: Desk
    ceremonies: Ceremonies

    async def ask(
        self, customer: Customer, own: Authenticators, bound: str, context: RequestContext
    ) -> tuple[PasskeyRequest, Change]:
        """Answer what a browser is asked to make a passkey, and the part of a change that keeps the question.

        Args:
            customer: For whom.
            own: What the account has enrolled, its handle among it.
            bound: In what it is asked.
            context: Where the request came from.

        Raises:
            WayNotOffered: The shop has no passkeys.
            EnrolmentNeedsVerifiedContact: Nothing of the account is proven.
            TooManyPasskeys: The account has as many as it may have.
        """
        self._check_room(customer, own)
        asked = Questioned(purpose=CeremonyPurpose.REGISTER, account=own.id, is_named=True, bound=bound)
        user = PasskeyUser(handle=own.user_handle or b"", name=_name(customer))
        return await self.ceremonies.ask_to_make(asked, user, descriptors(own.passkeys), context)

    async def take(
        self, customer: Customer, own: Authenticators, ceremony: Ceremony, response: RegistrationResponse, label: str
    ) -> tuple[Passkey, Authenticators]:
        """Answer the passkey that was made, and what the account has enrolled with it.

        Args:
            customer: Whose it is.
            own: What the account has enrolled.
            ceremony: What the browser was asked.
            response: What it answered.
            label: What the customer calls it.

        Raises:
            PasskeyRefused: It isn't believed.
            PasskeyTaken: The account has it already.
            EnrolmentNeedsVerifiedContact, TooManyPasskeys: As ``ask``.
        """
        self._check_room(customer, own)
        made = await self.ceremonies.judge_made(ceremony, response)
        if own.passkey(made.credential) is not None:
            raise PasskeyTaken
        passkey = Passkey(
            id=self.desk.entropy.token(128),
            credential=made.credential,
            public_key=made.public_key,
            counter=made.seen.counter,
            label=label,
            created_at=self.desk.now(),
            aaguid=made.aaguid,
            transports=made.transports,
            is_backup_eligible=made.seen.is_backup_eligible,
            is_backed_up=made.seen.is_backed_up,
            user_verified=made.seen.user_verified,
        )
        return passkey, attrs.evolve(own, passkeys=(*own.passkeys, passkey))

    def _check_room(self, customer: Customer, own: Authenticators) -> None:
        if not any(is_verified(contact) for contact in customer.contacts):
            raise EnrolmentNeedsVerifiedContact
        most = self.ceremonies.policy.max_per_account
        if len(own.passkeys) >= most:
            raise TooManyPasskeys(most)


def _name(customer: Customer) -> str:
    """Answer what a device calls the account: its owner is to tell it from others of theirs."""
    if customer.sign_in_email is not None:
        return customer.sign_in_email.stored
    return next(mask(contact.value) for contact in customer.contacts if is_verified(contact))
