"""How the parts of passkeys fit together."""

from functools import cached_property

from shopaccounts.signin import AnotherDevice, Ceremonies, PasskeyAdding, PasskeyCare, PasskeyCheck, PasskeyProver
from shopaccounts.wiring.factors import SecondFactors

__all__ = ["PasskeyParts"]


class PasskeyParts(SecondFactors):
    """Passkeys as a way in and as a second step."""

    @cached_property
    def ceremonies(self) -> Ceremonies:
        return Ceremonies(
            desk=self.desk, records=self.store, passkeys=self.adapters.passkeys, chosen=self.policies.passkeys
        )

    @cached_property
    def passkey_check(self) -> PasskeyCheck:
        return PasskeyCheck(desk=self.desk, ceremonies=self.ceremonies, notices=self.notices)

    @cached_property
    def passkey_prover(self) -> PasskeyProver:
        return PasskeyProver(check=self.passkey_check, wait=self.policies.attempts.passkey)

    @cached_property
    def passkey_adding(self) -> PasskeyAdding:
        return PasskeyAdding(desk=self.desk, ceremonies=self.ceremonies)

    @cached_property
    def passkeys(self) -> PasskeyCare:
        return PasskeyCare(
            desk=self.desk,
            changes=self.factor_changes,
            adding=self.passkey_adding,
            offered=self.offered,
            passwords=self.policies.passwords,
            transport=self.policies.transport,
        )

    @cached_property
    def another_device(self) -> AnotherDevice:
        return AnotherDevice(
            desk=self.desk,
            records=self.store,
            keyring=self.adapters.keyring,
            changes=self.factor_changes,
            adding=self.passkey_adding,
            notices=self.notices,
            attempts=self.attempts,
            wait=self.policies.attempts.code,
            identifiers=self.identifiers,
            transport=self.policies.transport,
        )
