"""Puts the use-cases of a shop together, for one scope; nothing else knows all of them.

Each file makes the parts of one thing, and builds on those before it:

* ``ground``: the store, the keys, the counters, messages, the door.
* ``factors``, ``passkeys``: second steps. ``entrance``: sessions, passwords, fresh proofs, acting for customers.
* ``accounts``: opening accounts, their addresses, closing them.
* ``way_back``, ``resets``: what brings back an account whose password or mailbox is lost.
* ``doors``: the ways in, which may lead to a reset. ``providers``: accounts elsewhere, which may open one here.
* ``subscriptions``: what comes again, and is billed.
* Here: what hands on messages, and what does all that is due.
"""

from functools import cached_property

import attrs

from shopaccounts.kernel.desk import SilentBell
from shopaccounts.relay import Relay, Target
from shopaccounts.subscriptions import HEARD
from shopaccounts.upkeep import Upkeep
from shopaccounts.wiring.subscriptions import SubscriptionParts

__all__ = ["Wiring"]


class Wiring(SubscriptionParts):
    """The use-cases of one shop in one scope."""

    @cached_property
    def relay(self) -> Relay:
        return Relay(
            desk=attrs.evolve(self.desk, bell=SilentBell()),
            store=self.store,
            vault=self.vault,
            templates=self.templates,
            couriers=self.adapters.couriers,
            targets=(self._subscribed, *self.adapters.targets),
            policy=self.policies.relay,
        )

    @cached_property
    def _subscribed(self) -> Target:
        """What hears of customers for their subscriptions."""
        from shopaccounts.adapters.subscribers import CallableTarget  # noqa: PLC0415  (as other adapters: when used)

        return CallableTarget("shopaccounts_subscriptions", HEARD, self._following.hear)

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
                self.second_step.tell_unanswered,
                self.factors.drop_unconfirmed,
                self.passwords.remind,
                self.questions.remind_to_review,
                self.cases.attend_cases,
                self.sweeping.sweep_page,
            ),
        )
