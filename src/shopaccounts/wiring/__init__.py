"""Puts the use-cases of a shop together, for one scope; nothing else knows all of them."""

from functools import cached_property

import attrs

from shopaccounts.kernel.desk import SilentBell
from shopaccounts.relay import Relay
from shopaccounts.signin import SignIn
from shopaccounts.upkeep import Upkeep
from shopaccounts.wiring.entrance import Entrance
from shopaccounts.wiring.way_back import WayBack

__all__ = ["Wiring"]


class Wiring(Entrance, WayBack):
    """The use-cases of one shop in one scope."""

    @cached_property
    def signin(self) -> SignIn:
        return SignIn(
            desk=self.desk,
            records=self.store,
            caretaker=self.caretaker,
            resets=self.recovery,
            attempts=self.attempts,
            passwords=self.check,
            gate=self.gate,
            confirmation=self.confirmation,
            places=self.adapters.places,
            notices=self.notices,
            letters=self.letters,
            usernames=self.policies.registration.usernames.enabled,
            transport=self.policies.transport,
        )

    @cached_property
    def relay(self) -> Relay:
        return Relay(
            desk=attrs.evolve(self.desk, bell=SilentBell()),
            store=self.store,
            vault=self.vault,
            templates=self.templates,
            couriers=self.adapters.couriers,
            targets=self.adapters.targets,
            policy=self.policies.relay,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        return Upkeep(
            desk=self.desk,
            records=self.store,
            storage=self.adapters.storage,
            relay=self.relay,
            tasks=(
                self.registration.expire_unproven,
                self.closings.finish_closings,
                self.invitations.expire_invitations,
                self.contact_changes.finish_changes,
                self.contact_care.finish_checks,
                self.impersonation.end_due,
                self.passwords.remind,
                self.questions.remind_to_review,
                self.cases.attend_cases,
            ),
        )
