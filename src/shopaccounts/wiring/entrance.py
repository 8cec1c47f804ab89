"""How the parts of being signed in fit together."""

from collections.abc import Mapping
from functools import cached_property

from shopaccounts.passwords import Caretaker, LegacyHashes, PasswordImports, Passwords
from shopaccounts.signin import (
    Confirmation,
    FactorCheck,
    History,
    Impersonation,
    PasskeyAnswer,
    PasswordCheck,
    Prover,
    RecoveryCodeAnswer,
    Renewal,
    SentCodeAnswer,
    Sessions,
    TotpCode,
)
from shopaccounts.wiring.passkeys import PasskeyParts

__all__ = ["Entrance"]


class Entrance(PasskeyParts):
    """Sessions, passwords, and what stands beside them."""

    @cached_property
    def renewal(self) -> Renewal:
        return Renewal(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            gate=self.gate,
            notices=self.notices,
            transport=self.policies.transport,
        )

    @cached_property
    def sessions(self) -> Sessions:
        return Sessions(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            renewal=self.renewal,
            staff=self.staff,
            policy=self.policies.sessions,
            transport=self.policies.transport,
        )

    @cached_property
    def history(self) -> History:
        return History(desk=self.desk, records=self.store, doorkeeper=self.doorkeeper, keyring=self.adapters.keyring)

    @cached_property
    def impersonation(self) -> Impersonation:
        return Impersonation(
            desk=self.desk,
            records=self.store,
            work=self.store,
            gate=self.gate,
            doorkeeper=self.doorkeeper,
            staff=self.staff,
            agents=self.adapters.agents,
            notices=self.notices,
            policy=self.policies.impersonation,
            transport=self.policies.transport,
        )

    @cached_property
    def caretaker(self) -> Caretaker:
        return Caretaker(
            desk=self.desk,
            hasher=self.hasher,
            notices=self.notices,
            policy=self.policies.passwords,
            breaches=self.breaches,
        )

    @cached_property
    def passwords(self) -> Passwords:
        return Passwords(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            current=self.check,
            chooser=self.chooser,
            notices=self.notices,
            staff=self.staff,
            policy=self.policies.passwords,
        )

    @cached_property
    def check(self) -> PasswordCheck:
        return PasswordCheck(
            desk=self.desk, hasher=self.hasher, attempts=self.attempts, notices=self.notices, caretaker=self.caretaker
        )

    @cached_property
    def confirmation(self) -> Confirmation:
        return Confirmation(desk=self.desk, doorkeeper=self.doorkeeper, check=self.factor_check, gate=self.gate)

    @cached_property
    def factor_check(self) -> FactorCheck:
        return FactorCheck(
            desk=self.desk,
            attempts=self.attempts,
            passwords=self.check,
            notices=self.notices,
            provers=self.provers,
        )

    @cached_property
    def provers(self) -> Mapping[type, Prover]:
        return {
            PasskeyAnswer: self.passkey_prover,
            TotpCode: self.totp_prover,
            RecoveryCodeAnswer: self.recovery_code_prover,
            SentCodeAnswer: self.sent_code_prover,
        }

    @cached_property
    def password_imports(self) -> PasswordImports:
        legacy = self.hasher if isinstance(self.hasher, LegacyHashes) else None
        return PasswordImports(desk=self.desk, records=self.store, legacy=legacy)
