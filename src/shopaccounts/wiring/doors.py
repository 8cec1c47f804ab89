"""How the ways in fit together, and the way around a second step that is lost."""

from functools import cached_property

from shopaccounts.recovery import FactorProofs, LostFactor
from shopaccounts.signin import Admission, CodeSignIn, HalfDone, PasskeySignIn, SecondStep, SignIn, StepCodes
from shopaccounts.wiring.resets import Resets

__all__ = ["Doors"]


class Doors(Resets):
    """Signing in by passwords, codes, links and passkeys, with a second step or without."""

    @cached_property
    def admission(self) -> Admission:
        return Admission(
            desk=self.desk,
            records=self.store,
            resets=self.recovery,
            attempts=self.attempts,
            passwords=self.check,
            gate=self.gate,
            places=self.adapters.places,
            notices=self.notices,
            letters=self.letters,
        )

    @cached_property
    def half_done(self) -> HalfDone:
        return HalfDone(desk=self.desk, records=self.store, admission=self.admission)

    @cached_property
    def second_step(self) -> SecondStep:
        return SecondStep(
            desk=self.desk,
            records=self.store,
            work=self.store,
            half_done=self.half_done,
            check=self.factor_check,
            admission=self.admission,
            attempts=self.attempts,
            notices=self.notices,
            transport=self.policies.transport,
        )

    @cached_property
    def signin(self) -> SignIn:
        return SignIn(
            desk=self.desk,
            records=self.store,
            caretaker=self.caretaker,
            attempts=self.attempts,
            passwords=self.check,
            admission=self.admission,
            confirmation=self.confirmation,
            identifiers=self.identifiers,
            transport=self.policies.transport,
        )

    @cached_property
    def code_signin(self) -> CodeSignIn:
        return CodeSignIn(
            desk=self.desk,
            records=self.store,
            codes=self.sent_codes,
            unproven=self.reminders,
            phones=self.phones,
            attempts=self.attempts,
            admission=self.admission,
            places=self.adapters.places,
            policy=self.policies.code_sign_in,
            transport=self.policies.transport,
        )

    @cached_property
    def passkey_signin(self) -> PasskeySignIn:
        return PasskeySignIn(
            desk=self.desk,
            records=self.store,
            ceremonies=self.ceremonies,
            check=self.passkey_check,
            admission=self.admission,
            half_done=self.half_done,
            doorkeeper=self.doorkeeper,
            offered=self.offered,
            attempts=self.attempts,
            keyring=self.adapters.keyring,
            wait=self.policies.attempts.passkey,
            identifiers=self.identifiers,
            transport=self.policies.transport,
        )

    @cached_property
    def step_codes(self) -> StepCodes:
        return StepCodes(
            desk=self.desk,
            codes=self.sent_codes,
            half_done=self.half_done,
            doorkeeper=self.doorkeeper,
            offered=self.offered,
            transport=self.policies.transport,
        )

    @cached_property
    def factor_proofs(self) -> FactorProofs:
        return FactorProofs(
            desk=self.desk,
            half_done=self.half_done,
            codes=self.sent_codes,
            attempts=self.attempts,
            phones=self.phones,
            policy=self.policies.cases,
        )

    @cached_property
    def lost_factor(self) -> LostFactor:
        return LostFactor(
            desk=self.desk,
            records=self.store,
            proofs=self.factor_proofs,
            steps=self.case_steps,
            offered=self.offered,
            policy=self.policies.cases,
            passwords=self.policies.passwords,
            transport=self.policies.transport,
        )
