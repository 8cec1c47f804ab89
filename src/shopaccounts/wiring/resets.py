"""How the parts fit together that replace lost passwords and mailboxes."""

from functools import cached_property

import attrs

from shopaccounts.recovery import CaseProofs, Cases, Recovery, ResetRequests, ResetSecond, Resetting
from shopaccounts.signin import SentCodes
from shopaccounts.wiring.entrance import Entrance
from shopaccounts.wiring.way_back import WayBack

__all__ = ["Resets"]


class Resets(Entrance, WayBack):
    """Resets and lost mailboxes: what goes out, and what is done with it."""

    @cached_property
    def reset_codes(self) -> SentCodes:
        life = self.policies.resets.sms_code_life
        longest = max(life, self.policies.code_sign_in.challenge_life)
        policy = attrs.evolve(self.policies.code_sign_in, code_life=life, challenge_life=longest)
        return attrs.evolve(self.sent_codes, policy=policy)

    @cached_property
    def reset_requests(self) -> ResetRequests:
        return ResetRequests(
            desk=self.desk,
            records=self.store,
            attempts=self.attempts,
            verifications=self.verifications,
            letters=self.letters,
            codes=self.reset_codes,
            phones=self.phones,
            shared=self.shared_numbers,
            policy=self.policies.resets,
        )

    @cached_property
    def resetting(self) -> Resetting:
        return Resetting(
            desk=self.desk,
            records=self.store,
            chooser=self.chooser,
            attempts=self.attempts,
            notices=self.notices,
            answering=self.answering,
            offered=self.offered,
            check=self.factor_check,
            codes=self.reset_codes,
            policy=self.policies.resets,
        )

    @cached_property
    def recovery(self) -> Recovery:
        return Recovery(
            desk=self.desk,
            records=self.store,
            chooser=self.chooser,
            attempts=self.attempts,
            budget=self.budget,
            phones=self.phones,
            requests=self.reset_requests,
            resetting=self.resetting,
            second=ResetSecond(
                desk=self.desk,
                resetting=self.resetting,
                codes=self.sent_codes,
                ceremonies=self.ceremonies,
            ),
            notices=self.notices,
            doorkeeper=self.doorkeeper,
            offered=self.offered,
            staff=self.staff,
            policy=self.policies.resets,
            transport=self.policies.transport,
        )

    @cached_property
    def case_proofs(self) -> CaseProofs:
        return CaseProofs(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            keyring=self.adapters.keyring,
            attempts=self.attempts,
            codes=self.sent_codes,
            phones=self.phones,
            policy=self.policies.cases,
        )

    @cached_property
    def cases(self) -> Cases:
        return Cases(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            addresses=self.openings.addresses,
            budget=self.budget,
            proofs=self.case_proofs,
            steps=self.case_steps,
            repudiations=self.repudiations,
            policy=self.policies.cases,
            transport=self.policies.transport,
        )
