"""Asking browsers for passkeys, and finding the question again that an answer belongs to."""

from typing import Literal

import attrs

from shopaccounts.kernel.answers import got
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.flows import bind
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import Forged, check_handle, fits, forge, selector_in
from shopaccounts.signin.authenticators import Passkey
from shopaccounts.signin.errors import PasskeyRefused, WayNotOffered
from shopaccounts.signin.passkeys.ceremonies import (
    CEREMONIES,
    CEREMONY,
    CHALLENGE_BYTES,
    Ceremony,
    CeremonyPurpose,
    PasskeyRequest,
    check_answerable,
)
from shopaccounts.signin.passkeys.policy import CEREMONY_LIFE, PasskeyPolicy
from shopaccounts.signin.passkeys.ports import Passkeys, PasskeyUser
from shopaccounts.signin.passkeys.responses import AssertionResponse, RegistrationResponse
from shopaccounts.signin.passkeys.rules import Assertion, Descriptor, Expected, NewCredential

__all__ = ["Ceremonies", "Questioned"]


@attrs.frozen(kw_only=True)
class Questioned:
    """Who is asked, and for what.

    Args:
        purpose: What for.
        account: Whose passkey it is about, where that is known.
        is_named: Whether somebody was named.
        bound: In what it is asked.
    """

    purpose: CeremonyPurpose
    account: AccountId | None = None
    is_named: bool = False
    bound: str = ""


@attrs.frozen(kw_only=True)
class Ceremonies:
    """Asks browsers, and judges what they answer.

    Args:
        passkeys: Who knows WebAuthn; None where the shop has no passkeys.
        chosen: The shop's policy; None where it has no passkeys.
    """

    desk: Desk
    records: Records
    passkeys: Passkeys | None
    chosen: PasskeyPolicy | None

    @property
    def policy(self) -> PasskeyPolicy:
        """The shop's policy.

        Raises:
            WayNotOffered: It has no passkeys.
        """
        return self._offered()[1]

    def check_offered(self) -> None:
        """Check that the shop has passkeys.

        Raises:
            WayNotOffered: It has none.
        """
        self._offered()

    async def ask_to_make(
        self, asked: Questioned, user: PasskeyUser, exclude: tuple[Descriptor, ...], context: RequestContext
    ) -> tuple[PasskeyRequest, Change]:
        """Answer what a browser is asked to make a passkey, and the part of a change that keeps the question.

        Args:
            asked: Who, and in what.
            user: For whom.
            exclude: Keys that the account has already.
            context: Where the request came from.

        Raises:
            WayNotOffered: The shop has no passkeys.
        """
        passkeys, policy = self._offered()
        challenge = self.desk.entropy.raw(CHALLENGE_BYTES)
        options = await got(passkeys.registration_options(policy, challenge, user, exclude))
        return self._kept(asked, challenge, options, context, user_verification=policy.user_verification == "required")

    async def ask_to_use(
        self,
        asked: Questioned,
        allow: tuple[Descriptor, ...],
        context: RequestContext,
        *,
        user_verification: Literal["required", "preferred", "discouraged"] | None = None,
    ) -> tuple[PasskeyRequest, Change]:
        """Answer what a browser is asked to use a passkey, and the part of a change that keeps the question.

        Args:
            asked: Who, what for and in what.
            allow: The keys that may be used; none: whichever the browser has.
            context: Where the request came from.
            user_verification: Whether the device makes sure who uses it; None: as the policy says.

        Raises:
            WayNotOffered: The shop has no passkeys.
        """
        passkeys, policy = self._offered()
        wish = user_verification or policy.user_verification
        challenge = self.desk.entropy.raw(CHALLENGE_BYTES)
        options = await got(passkeys.authentication_options(policy, challenge, allow, user_verification=wish))
        return self._kept(asked, challenge, options, context, user_verification=wish == "required")

    def read(self, handle: Secret[str]) -> str:
        """Answer the selector in the handle of a question, by which that is found.

        Raises:
            PasskeyRefused: It is no such handle (``over``).
            InvalidInput: Not even a secret text, or longer than any handle.
        """
        check_handle(handle)
        selector = selector_in(handle, CEREMONY)
        if selector is None:
            raise PasskeyRefused(reason="over")
        return selector

    async def find(
        self, handle: Secret[str], purpose: CeremonyPurpose, bound: str, context: RequestContext
    ) -> Ceremony:
        """Answer the question that an answer belongs to.

        Raises:
            PasskeyRefused: There is none that may be answered here and now (``over``).
            InvalidInput: Not even a secret text, or longer than any handle.
        """
        found = await got(self.records.find(CEREMONIES, self.read(handle)))
        if found is None or not fits(handle, CEREMONY, found.it.realm, found.it.id, found.it.digest):
            raise PasskeyRefused(reason="over")
        check_answerable(found.it, purpose, bound, context, self.desk.now())
        return found.it

    async def judge_made(self, ceremony: Ceremony, response: RegistrationResponse) -> NewCredential:
        """Answer the key that was made.

        Raises:
            PasskeyRefused: It isn't believed.
        """
        passkeys, policy = self._offered()
        made: NewCredential = await got(passkeys.verify_registration(response, self._expected(ceremony, policy)))
        return made

    async def judge_used(self, ceremony: Ceremony, response: AssertionResponse, passkey: Passkey) -> Assertion:
        """Answer what a device says with a right signature of *passkey*.

        Raises:
            PasskeyRefused: It isn't believed.
        """
        passkeys, policy = self._offered()
        expected = self._expected(ceremony, policy)
        assertion: Assertion = await got(passkeys.verify_assertion(response, passkey, expected))
        return assertion

    def spent(self, ceremony: Ceremony) -> Change:
        """Answer the part of a change by which a question is answered for good."""
        over = attrs.evolve(ceremony, used_at=self.desk.now())
        return Change(writes=(CEREMONIES.change(ceremony, over),))

    def _offered(self) -> tuple[Passkeys, PasskeyPolicy]:
        if self.passkeys is None or self.chosen is None:
            raise WayNotOffered(way="passkey")
        return self.passkeys, self.chosen

    def _expected(self, ceremony: Ceremony, policy: PasskeyPolicy) -> Expected:
        return Expected(
            challenge=ceremony.challenge,
            policy=policy,
            user_verification=ceremony.user_verification,
            now=self.desk.now(),
        )

    def _kept(
        self,
        asked: Questioned,
        challenge: bytes,
        options: str,
        context: RequestContext,
        *,
        user_verification: bool,
    ) -> tuple[PasskeyRequest, Change]:
        now, realm = self.desk.now(), self.desk.scope.realm
        forged: Forged = forge(CEREMONY, realm, self.desk.entropy)
        browser = bind(context, self.desk.entropy)
        ceremony = Ceremony(
            id=forged.selector,
            realm=realm,
            purpose=asked.purpose,
            digest=forged.digest,
            challenge=challenge,
            account=asked.account,
            is_named=asked.is_named,
            browser=browser.digest,
            bound=asked.bound,
            user_verification=user_verification,
            opened_at=now,
            expires_at=now + CEREMONY_LIFE,
        )
        request = PasskeyRequest(
            handle=forged.text, options=options, expires_at=ceremony.expires_at, set_cookies=browser.cookies
        )
        return request, Change(writes=(CEREMONIES.add(ceremony),))
