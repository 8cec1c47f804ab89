"""What passkeys need from outside."""

from typing import Protocol

import attrs

from shopaccounts.kernel.answers import Answer
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.passkeys.policy import PasskeyPolicy
from shopaccounts.signin.passkeys.responses import AssertionResponse, RegistrationResponse
from shopaccounts.signin.passkeys.rules import Assertion, Descriptor, Expected, NewCredential

__all__ = ["PasskeyUser", "Passkeys"]


@attrs.frozen(kw_only=True)
class PasskeyUser:
    """For whom a passkey is made.

    Args:
        handle: What the device knows the account by.
        name: What people tell their accounts apart by; devices show it.
    """

    handle: bytes = attrs.field(repr=False)
    name: str = attrs.field(repr=False)


class Passkeys(Protocol):
    """Knows the ceremonies of WebAuthn: words what a browser is asked, and judges what it answers.

    Promises:
        1. Options hold exactly what they were asked for: the challenge, the account's handle and the keys that are
           named; nothing is drawn by chance. They are JSON as ``PublicKeyCredential.parseCreationOptionsFromJSON`` and
           ``parseRequestOptionsFromJSON`` read it.
        2. An answer to another kind of question, to another challenge, of another page or for another domain is
           refused; and so is one from a frame, unless the shop named the page around it.
        3. So is one whose user was absent, or not verified where that is asked for.
        4. A key is taken only if it makes one of the signatures that the shop takes, and is as strong as those are:
           on its curve, and with at least 2,048 bits.
        5. A signature of another key, or over other bytes, is refused.
        6. Where the shop asks for no proof of a device's make, one that is given must still be right, and nothing
           follows from it. Where it asks, none, one by the key itself and one that ends at no trusted root as of
           ``expected.now`` are refused.
        7. A counter is told, never judged.
        8. Whatever is given, every refusal is ``PasskeyRefused`` with a reason key, and no text of another library is
           in it.
    """

    def registration_options(
        self, policy: PasskeyPolicy, challenge: bytes, user: PasskeyUser, exclude: tuple[Descriptor, ...]
    ) -> Answer[str]:
        """Answer what a browser is asked to make a passkey.

        Args:
            policy: The shop's.
            challenge: What the answer is bound to.
            user: For whom.
            exclude: Keys that the account has already.
        """
        ...

    def verify_registration(self, response: RegistrationResponse, expected: Expected) -> Answer[NewCredential]:
        """Answer the key that was made.

        Raises:
            PasskeyRefused: It isn't believed.
        """
        ...

    def authentication_options(
        self, policy: PasskeyPolicy, challenge: bytes, allow: tuple[Descriptor, ...], *, user_verification: str
    ) -> Answer[str]:
        """Answer what a browser is asked to use a passkey.

        Args:
            policy: The shop's.
            challenge: What the answer is bound to.
            allow: Keys that may be used; none: whichever the browser has for this domain.
            user_verification: ``required``, ``preferred`` or ``discouraged``.
        """
        ...

    def verify_assertion(self, response: AssertionResponse, passkey: Passkey, expected: Expected) -> Answer[Assertion]:
        """Answer what a device says with a right signature of *passkey*.

        Raises:
            PasskeyRefused: It isn't believed.
        """
        ...
