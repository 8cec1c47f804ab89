"""Judging a passkey that was used: at the door, as a second step, and as a fresh proof.

* The key has to be one of the account's, and whoever answers has to be who was asked.
* A key that verified its user is as good as two proofs, and one that didn't counts as one.
* A right answer uses up its question and moves the key's counter on, in the change that it leads to.
* Where the counter stood still, two devices may hold one key: unless the shop refuses such a use, it counts, and the
  owner hears of it.

[W3C WebAuthn 3 section 7.2; NIST SP 800-63B-4 3.1.7]
"""

from typing import Final

import attrs

from shopaccounts.customers import NOT_ME_SIGN_IN, Customer, Notices
from shopaccounts.kernel.assurance import KIND_OF, Method, Proof
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.record import Change
from shopaccounts.signin.answers import PasskeyAnswer
from shopaccounts.signin.authenticators import Authenticators, Passkey
from shopaccounts.signin.errors import PasskeyRefused
from shopaccounts.signin.events import PasskeyMaybeCloned
from shopaccounts.signin.factor_check import Proven, Tried, Wrong
from shopaccounts.signin.passkeys.asking import Ceremonies
from shopaccounts.signin.passkeys.ceremonies import Ceremony, CeremonyPurpose
from shopaccounts.signin.passkeys.responses import AssertionResponse, read_assertion
from shopaccounts.signin.passkeys.rules import Counting, check_owner, used

__all__ = ["PasskeyCheck", "PasskeyProver", "PasskeyUse", "subject_of"]

_NOBODYS: Final = "none"
"""Stands for the passkey in the counter of tries that lead to none."""


def subject_of(own: Authenticators, credential: bytes) -> str:
    """Answer whose counter a try with a key of this name is charged on."""
    passkey = own.passkey(credential)
    return f"{own.id} {passkey.id if passkey else _NOBODYS}"


@attrs.frozen(kw_only=True)
class PasskeyUse:
    """A passkey was used, and may be believed.

    Args:
        passkey: The key after this use.
        own: What the account has enrolled, after this use.
        proof: What it proves.
        part: What it uses up besides.
    """

    passkey: Passkey
    own: Authenticators
    proof: Proof
    part: Change


@attrs.frozen(kw_only=True)
class PasskeyCheck:
    """Judges uses of passkeys."""

    desk: Desk
    ceremonies: Ceremonies
    notices: Notices

    async def judge(
        self, customer: Customer, own: Authenticators, response: AssertionResponse, ceremony: Ceremony
    ) -> PasskeyUse:
        """Answer what a passkey proves.

        Args:
            customer: Whose account the key belongs to.
            own: What that account has enrolled.
            response: What the browser answered.
            ceremony: What it was asked.

        Raises:
            PasskeyRefused: It isn't believed.
        """
        passkey = own.passkey(response.credential)
        is_theirs = ceremony.account == own.id if ceremony.is_named else True
        if passkey is None or passkey.is_disabled or not is_theirs:
            raise PasskeyRefused(reason="credential")
        assertion = await self.ceremonies.judge_used(ceremony, response, passkey)
        check_owner(response, own.user_handle, named=ceremony.is_named)
        now = self.desk.now()
        after, counting = used(passkey, assertion, self.ceremonies.policy, now)
        part = self.ceremonies.spent(ceremony)
        if counting is Counting.SUSPECT:
            part |= await self._maybe_cloned(customer, passkey, ceremony)
        method = Method.PASSKEY
        proof = Proof(method=method, kind=KIND_OF[method], at=now, user_verified=assertion.seen.user_verified)
        return PasskeyUse(passkey=after, own=own.with_passkey(after), proof=proof, part=part)

    async def _maybe_cloned(self, customer: Customer, passkey: Passkey, ceremony: Ceremony) -> Change:
        now = self.desk.now()
        told = PasskeyMaybeCloned(at=now, account=customer.id, passkey=passkey.id)
        session = ceremony.bound.removeprefix("session ") if ceremony.bound.startswith("session ") else ""
        notice = await self.notices.about(
            customer,
            "signin.passkey_maybe_cloned",
            f"passkey_maybe_cloned {ceremony.id}",
            now,
            objection=NOT_ME_SIGN_IN,
            bound=session,
        )
        return notice | Change(events=self.desk.tell(told))


@attrs.frozen(kw_only=True)
class PasskeyProver:
    """Judges passkeys as second steps and fresh proofs."""

    check: PasskeyCheck
    wait: Wait

    def limit(self, tried: Tried, answer: PasskeyAnswer) -> tuple[str, Method, Wait]:
        """Answer the counter of the passkey that is tried."""
        response = _readable(answer)
        subject = (
            subject_of(tried.own, response.credential) if tried.own and response else f"{tried.account} {_NOBODYS}"
        )
        return subject, Method.PASSKEY, self.wait

    async def prove(self, tried: Tried, answer: PasskeyAnswer) -> Proven | Wrong:
        """Judge a use of a passkey; its question is used up in the part, its counter in the row."""
        own, response = tried.own, _readable(answer)
        if own is None or response is None:
            return Wrong()
        try:
            ceremony = await self.check.ceremonies.find(
                answer.handle, CeremonyPurpose.PROVE, tried.bound, tried.context
            )
            use = await self.check.judge(tried.customer, own, response, ceremony)
        except PasskeyRefused:
            known = own.passkey(response.credential)
            return Wrong(used=known.id if known else "")
        return Proven(proof=use.proof, own=use.own, used=use.passkey.id, part=use.part)


def _readable(answer: PasskeyAnswer) -> AssertionResponse | None:
    try:
        return read_assertion(answer.response)
    except (PasskeyRefused, InvalidInput):
        return None
