"""Judging codes of apps and recovery codes.

* The secret of an app lies sealed, bound to its account and factor. It is opened to judge a code, and sealed anew where
  it lay under an older key.
* A code of an app that was used up before is wrong to whoever gives it; the shop hears of it.
* Who uses a recovery code hears how many are left, and the shop when they run low. Where the shop wants it so, a fresh
  one takes the place of the one that was used.

[NIST SP 800-63B-4 3.1.4, 4.2.1.1; OWASP ASVS 6.5.1]
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers import Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import KIND_OF, Method, Proof
from shopaccounts.kernel.codes import CodeShape, canonical_code
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.events import Event
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.text import CAPS
from shopaccounts.kernel.vault import Keyring, Ring, SealContext, Sealed, Vault
from shopaccounts.signin.answers import RecoveryCodeAnswer, TotpCode
from shopaccounts.signin.authenticators import Authenticators, Factor, FactorKind, RecoveryCodes, TotpSecret
from shopaccounts.signin.devices import device_label
from shopaccounts.signin.events import RecoveryCodesLow, RecoveryCodeUsed, TotpReplayed
from shopaccounts.signin.factor_check import Proven, Tried, Wrong
from shopaccounts.signin.factor_policy import RecoveryCodePolicy, TotpAlgorithm, TotpParameters, TotpPolicy
from shopaccounts.signin.factors.ports import Totp
from shopaccounts.signin.factors.recovery_codes import (
    NewRecoveryCodes,
    canonical_recovery_code,
    draw_recovery_codes,
    replaced_recovery_code,
    spent_recovery_code,
)
from shopaccounts.signin.factors.totp import Accepted, NotAccepted, WhyNotAccepted, judge_totp, step_at

__all__ = ["RecoveryCodeProver", "RecoveryCodeSets", "TotpProver", "TotpSecrets", "seed_place"]

_NOBODYS: Final = "none"
"""Stands for the factor in the counter of tries that lead to none."""


def seed_place(realm: str, account: AccountId, factor: str) -> SealContext:
    """Answer where the secret of an app belongs."""
    return SealContext(ring=Ring.SEEDS, realm=realm, kind="factor", id=f"{account} {factor}", field="secret")


@attrs.frozen(kw_only=True)
class TotpSecrets:
    """Keeps the secrets of apps, and judges the codes that come from them."""

    desk: Desk
    vault: Vault
    totp: Totp
    policy: TotpPolicy

    async def keep(self, secret: Secret[bytes], account: AccountId, factor: str) -> TotpSecret:
        """Answer a fresh secret as it is kept, with the parameters of today's policy."""
        made = self.policy.parameters
        sealed = await got(self.vault.seal(secret, self._place(account, factor)))
        return TotpSecret(sealed=sealed, digits=made.digits, period=made.period, algorithm=made.algorithm.value)

    async def judge(self, account: AccountId, factor: Factor, typed: object, now: datetime) -> Factor | NotAccepted:
        """Answer the factor after this code was used, or why it doesn't count.

        Raises:
            KeyMissing, SealBroken: The secret can't be opened.
        """
        kept = factor.totp
        code = _canonical(typed, kept)
        if kept is None or code is None:
            return NotAccepted(WhyNotAccepted.WRONG)
        place = self._place(account, factor.id)
        secret: Secret[bytes] = await got(self.vault.open(kept.sealed, place))
        step: int | None = await got(
            self.totp.matching_step(
                secret, code, now, _made(kept), past=self.policy.past_steps, future=self.policy.future_steps
            )
        )
        judged = judge_totp(step, kept.last_step, step_at(now, kept.period), self.policy)
        if isinstance(judged, NotAccepted):
            return judged
        return await self._used(factor, kept, judged, place, now)

    async def _used(
        self, factor: Factor, kept: TotpSecret, judged: Accepted, place: SealContext, now: datetime
    ) -> Factor:
        anew: Sealed | None = await got(self.vault.reseal(kept.sealed, place))
        after = attrs.evolve(kept, last_step=judged.step, sealed=anew or kept.sealed)
        return attrs.evolve(factor, totp=after, last_used_at=now)

    def _place(self, account: AccountId, factor: str) -> SealContext:
        return seed_place(self.desk.scope.realm, account, factor)


@attrs.frozen(kw_only=True)
class TotpProver:
    """Judges codes of apps as second steps and fresh proofs."""

    desk: Desk
    secrets: TotpSecrets
    wait: Wait

    def limit(self, tried: Tried, answer: TotpCode) -> tuple[str, Method, Wait]:
        """Answer the counter of the app that is tried."""
        factor = _app(tried.own, answer)
        return f"{tried.account} {factor.id if factor else _NOBODYS}", Method.TOTP, self.wait

    async def prove(self, tried: Tried, answer: TotpCode) -> Proven | Wrong:
        """Judge a code; what it uses up is in the row."""
        now, own, factor = self.desk.now(), tried.own, _app(tried.own, answer)
        if own is None or factor is None:
            return Wrong()
        after = await self.secrets.judge(tried.account, factor, answer.code, now)
        if isinstance(after, Factor):
            return Proven(proof=_proof(Method.TOTP, now), own=own.with_factor(after), used=factor.id)
        return Wrong(used=factor.id, part=self.replayed(tried.account, factor, after, now))

    def replayed(self, account: AccountId, factor: Factor, why: NotAccepted, now: datetime) -> Change:
        """Answer the part of a change that tells of a code that was used up before."""
        is_replay = why.reason is WhyNotAccepted.REPLAYED
        told = (TotpReplayed(at=now, account=account, factor=factor.id),) if is_replay else ()
        return Change(events=self.desk.tell(*told))


@attrs.frozen(kw_only=True)
class RecoveryCodeSets:
    """Draws recovery codes and looks them up."""

    desk: Desk
    keyring: Keyring
    policy: RecoveryCodePolicy

    async def draw(self, account: AccountId, now: datetime) -> NewRecoveryCodes:
        """Draw a fresh set."""
        key = await got(self.keyring.current(Ring.LOOKUP))
        return draw_recovery_codes(account, self.policy, key, self.desk.entropy, now)

    async def spend(self, codes: RecoveryCodes, account: AccountId, typed: object) -> RecoveryCodes | None:
        """Answer the set with the code that was typed spent; None if that is none of them, or was spent before."""
        code = canonical_recovery_code(typed)
        if code is None:
            return None
        return spent_recovery_code(codes, account, code, await got(self.keyring.all(Ring.LOOKUP)), self.desk.now())

    async def replace(self, codes: RecoveryCodes, account: AccountId) -> NewRecoveryCodes:
        """Answer the set with a fresh code in place of one that is spent, where the policy says so."""
        if not self.policy.replace_used:
            return NewRecoveryCodes(kept=codes, shown=())
        key = await got(self.keyring.current(Ring.LOOKUP))
        return replaced_recovery_code(codes, account, self.policy, key, self.desk.entropy)


@attrs.frozen(kw_only=True)
class RecoveryCodeProver:
    """Judges recovery codes as second steps and fresh proofs."""

    desk: Desk
    sets: RecoveryCodeSets
    notices: Notices
    wait: Wait

    def limit(self, tried: Tried, answer: RecoveryCodeAnswer) -> tuple[str, Method, Wait]:  # noqa: ARG002  (one for all)
        """Answer the one counter that all recovery codes of an account share."""
        return tried.account, Method.RECOVERY_CODE, self.wait

    async def prove(self, tried: Tried, answer: RecoveryCodeAnswer) -> Proven | Wrong:
        """Judge a code; it is spent in the row, and its owner is told."""
        own = tried.own
        codes = own.recovery_codes if own else None
        spent = await self.sets.spend(codes, tried.account, answer.code) if codes else None
        if own is None or spent is None:
            return Wrong()
        now, fresh = self.desk.now(), await self.sets.replace(spent, tried.account)
        return Proven(
            proof=_proof(Method.RECOVERY_CODE, now),
            own=attrs.evolve(own, recovery_codes=fresh.kept),
            part=await self._told(tried, own, fresh.kept.left, now),
            handed_out=fresh.shown[0] if fresh.shown else None,
        )

    async def _told(self, tried: Tried, own: Authenticators, left: int, now: datetime) -> Change:
        told: Iterable[Event] = (RecoveryCodeUsed(at=now, account=tried.account, left=left),)
        if left == self.sets.policy.low_mark:
            told = (*told, RecoveryCodesLow(at=now, account=tried.account, left=left))
        notice = await self.notices.about(
            tried.customer,
            "signin.recovery_code_used",
            f"recovery_code_used {tried.account} {own.version}",
            now,
            where=Where(device=device_label(tried.context.user_agent)),
            variables={"left": str(left)},
        )
        return notice | Change(events=self.desk.tell(*told))


def _app(own: Authenticators | None, answer: TotpCode) -> Factor | None:
    """Answer the app that a code is held against: the one that is named, or the one that was enrolled first."""
    usable = (f for f in own.factors if f.kind is FactorKind.TOTP and not f.is_disabled) if own else ()
    return next((factor for factor in usable if answer.factor in {None, factor.id}), None)


def _canonical(typed: object, kept: TotpSecret | None) -> str | None:
    if kept is None or not isinstance(typed, str) or len(typed) > CAPS["code"]:
        return None
    return canonical_code(typed, CodeShape(digits=kept.digits))


def _made(kept: TotpSecret) -> TotpParameters:
    return TotpParameters(digits=kept.digits, period=kept.period, algorithm=TotpAlgorithm(kept.algorithm))


def _proof(method: Method, now: datetime) -> Proof:
    return Proof(method=method, kind=KIND_OF[method], at=now)
