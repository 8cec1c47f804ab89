"""How the parts of the way back in fit together."""

from functools import cached_property

from shopaccounts.recovery import (
    Answering,
    CaseHelp,
    CaseSteps,
    Objections,
    Questions,
    Repudiations,
)
from shopaccounts.wiring.accounts import Accounts

__all__ = ["WayBack"]


class WayBack(Accounts):
    """Recovery, and objecting to what one did not do."""

    @cached_property
    def answering(self) -> Answering:
        return Answering(
            desk=self.desk,
            records=self.store,
            hasher=self.hasher,
            attempts=self.attempts,
            notices=self.notices,
            policy=self.policies.questions,
        )

    @cached_property
    def questions(self) -> Questions:
        return Questions(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            hasher=self.hasher,
            notices=self.notices,
            common=self.policies.passwords.common_list,
            policy=self.policies.questions,
        )

    @cached_property
    def repudiations(self) -> Repudiations:
        return Repudiations(
            desk=self.desk,
            records=self.store,
            letters=self.letters,
            notices=self.notices,
            policy=self.policies.resets,
        )

    @cached_property
    def objections(self) -> Objections:
        return Objections(
            desk=self.desk, records=self.store, repudiations=self.repudiations, transport=self.policies.transport
        )

    @cached_property
    def case_steps(self) -> CaseSteps:
        return CaseSteps(
            desk=self.desk,
            records=self.store,
            keyring=self.adapters.keyring,
            claims=self.claims,
            notices=self.notices,
            moves=self.moves,
            policy=self.policies.cases,
        )

    @cached_property
    def case_help(self) -> CaseHelp:
        return CaseHelp(
            desk=self.desk,
            records=self.store,
            addresses=self.openings.addresses,
            staff=self.staff,
            steps=self.case_steps,
            policy=self.policies.cases,
            transport=self.policies.transport,
        )
