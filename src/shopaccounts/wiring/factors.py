"""How the parts of second steps fit together."""

from functools import cached_property

from shopaccounts.signin import (
    FactorChanges,
    Factors,
    RecoveryCodeProver,
    RecoveryCodeSets,
    SentCodeProver,
    SentFactors,
    TotpFactors,
    TotpProver,
    TotpSecrets,
)
from shopaccounts.wiring.ground import Ground, chosen

__all__ = ["SecondFactors"]


class SecondFactors(Ground):
    """Apps, phones, the mailbox and recovery codes as second steps."""

    @cached_property
    def totp_secrets(self) -> TotpSecrets:
        totp = chosen(self.adapters.totp)
        return TotpSecrets(desk=self.desk, vault=self.vault, totp=totp, policy=self.policies.totp)

    @cached_property
    def totp_prover(self) -> TotpProver:
        return TotpProver(desk=self.desk, secrets=self.totp_secrets, wait=self.policies.attempts.factor)

    @cached_property
    def recovery_code_sets(self) -> RecoveryCodeSets:
        return RecoveryCodeSets(desk=self.desk, keyring=self.adapters.keyring, policy=self.policies.recovery_codes)

    @cached_property
    def recovery_code_prover(self) -> RecoveryCodeProver:
        return RecoveryCodeProver(
            desk=self.desk,
            sets=self.recovery_code_sets,
            notices=self.notices,
            wait=self.policies.attempts.recovery_code,
        )

    @cached_property
    def sent_code_prover(self) -> SentCodeProver:
        return SentCodeProver(
            desk=self.desk,
            codes=self.sent_codes,
            factor_wait=self.policies.attempts.factor,
            mailbox_wait=self.policies.code_sign_in.waits,
        )

    @cached_property
    def factor_changes(self) -> FactorChanges:
        return FactorChanges(
            desk=self.desk,
            doorkeeper=self.doorkeeper,
            notices=self.notices,
            codes=self.recovery_code_sets,
            policy=self.policies.second_factor,
            offered=self.offered,
        )

    @cached_property
    def sent_factors(self) -> SentFactors:
        return SentFactors(
            desk=self.desk,
            changes=self.factor_changes,
            codes=self.sent_codes,
            phones=self.phones,
            attempts=self.attempts,
            wait=self.policies.attempts.factor,
        )

    @cached_property
    def totp_factors(self) -> TotpFactors:
        return TotpFactors(
            desk=self.desk,
            changes=self.factor_changes,
            secrets=self.totp_secrets,
            qr=chosen(self.adapters.qr),
            attempts=self.attempts,
            wait=self.policies.attempts.factor,
            policy=self.policies.totp,
            storefront=self.storefront,
        )

    @cached_property
    def factors(self) -> Factors:
        return Factors(
            desk=self.desk,
            work=self.store,
            changes=self.factor_changes,
            apps=self.totp_factors,
            sent=self.sent_factors,
            attempts=self.attempts,
            chooser=self.chooser,
            passwords=self.policies.passwords,
            transport=self.policies.transport,
        )
