"""How the parts of signing in with accounts elsewhere fit together."""

from datetime import timedelta
from functools import cached_property
from typing import Final

from shopaccounts.kernel.assurance import Operation
from shopaccounts.providers import Believing, Entering, Keeping, Linker, Providers, Steps
from shopaccounts.wiring.doors import Doors
from shopaccounts.wiring.ground import chosen

__all__ = ["ProviderParts"]

_FRESH: Final = timedelta(minutes=15)
"""How old a sign-in elsewhere may be that confirms somebody, in shops that ask for no fresh proof at all."""


class ProviderParts(Doors):
    """Letting people in, and linking, by the word of providers."""

    @cached_property
    def steps(self) -> Steps:
        return Steps(
            desk=self.desk,
            records=self.store,
            vault=self.vault,
            attempts=self.attempts,
            policy=self.policies.providers,
        )

    @cached_property
    def keeping(self) -> Keeping:
        return Keeping(
            desk=self.desk,
            vault=self.vault,
            policy=self.policies.providers,
            fields=self.policies.registration.fields,
        )

    @cached_property
    def providers(self) -> Providers:
        need = self.policies.step_up.rules.get(Operation.LINK_PROVIDER)
        return Providers(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            steps=self.steps,
            entering=Entering(
                desk=self.desk,
                records=self.store,
                steps=self.steps,
                keeping=self.keeping,
                openings=self.openings,
                additions=self.additions,
                admission=self.admission,
                notices=self.notices,
            ),
            linker=Linker(
                desk=self.desk,
                records=self.store,
                doorkeeper=self.doorkeeper,
                steps=self.steps,
                keeping=self.keeping,
                gate=self.gate,
                confirmation=self.confirmation,
                attempts=self.attempts,
                notices=self.notices,
            ),
            keeping=self.keeping,
            registration=self.registration,
            believing=Believing(desk=self.desk, tokens=chosen(self.adapters.id_tokens)),
            fresh=need.max_age if need else _FRESH,
            transport=self.policies.transport,
        )
