"""How the parts of opening, keeping and closing an account fit together."""

from functools import cached_property

from shopaccounts.books import BELONGINGS
from shopaccounts.customers import Closings, Customers, Erasures
from shopaccounts.registration import (
    Additions,
    Addresses,
    AssistedRegistration,
    Automation,
    Claims,
    Confirmations,
    ContactCare,
    ContactChanges,
    Contacts,
    Holders,
    Invitations,
    Invites,
    Moves,
    NewPasswords,
    Openings,
    Proposals,
    Registration,
    Reminders,
    SharedNumbers,
    Usernames,
    Verifications,
)
from shopaccounts.signin import PointedSteps
from shopaccounts.subscriptions import Stakes
from shopaccounts.wiring.ground import Ground

__all__ = ["Accounts"]


class Accounts(Ground):
    """Registration, contacts, and the account itself."""

    @cached_property
    def verifications(self) -> Verifications:
        return Verifications(
            desk=self.desk,
            letters=self.letters,
            keyring=self.adapters.keyring,
            policy=self.policies.registration,
        )

    @cached_property
    def reminders(self) -> Reminders:
        return Reminders(verifications=self.verifications)

    @cached_property
    def openings(self) -> Openings:
        return Openings(
            desk=self.desk,
            records=self.store,
            passwords=NewPasswords(chooser=self.chooser),
            addresses=Addresses(
                policy=self.policies.registration,
                syntax=self.adapters.email_syntax,
                disposable=self.adapters.disposable_domains,
                mail=self.adapters.mail_domains,
                phones=self.phones,
            ),
            verifications=self.verifications,
            policy=self.policies.registration,
            lifecycle=self.policies.lifecycle,
            resend_after=self.budget.resend_after,
        )

    @cached_property
    def registration(self) -> Registration:
        return Registration(
            desk=self.desk,
            records=self.store,
            work=self.store,
            openings=self.openings,
            automation=Automation(
                policy=self.policies.registration, budget=self.budget, human=self.adapters.human_check
            ),
            attempts=self.attempts,
            budget=self.budget,
            gate=self.gate,
            verifications=self.verifications,
            keyring=self.adapters.keyring,
            policy=self.policies.registration,
            lifecycle=self.policies.lifecycle,
            transport=self.policies.transport,
        )

    @cached_property
    def invites(self) -> Invites:
        return Invites(
            desk=self.desk,
            records=self.store,
            letters=self.letters,
            keyring=self.adapters.keyring,
            policy=self.policies.registration.invitations,
        )

    @cached_property
    def invitations(self) -> Invitations:
        return Invitations(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            openings=self.openings,
            invites=self.invites,
            attempts=self.attempts,
            budget=self.budget,
            gate=self.gate,
            policy=self.policies.registration,
            transport=self.policies.transport,
        )

    @cached_property
    def usernames(self) -> Usernames:
        return Usernames(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            budget=self.budget,
            keyring=self.adapters.keyring,
            storefront=self.storefront,
            confusables=self.adapters.confusables,
            policy=self.policies.registration.usernames,
            transport=self.policies.transport,
        )

    @cached_property
    def assisted(self) -> AssistedRegistration:
        return AssistedRegistration(
            desk=self.desk,
            staff=self.staff,
            openings=self.openings,
            invites=self.invites,
            policy=self.policies.registration,
        )

    @cached_property
    def claims(self) -> Claims:
        return Claims(desk=self.desk, records=self.store, letters=self.letters)

    @cached_property
    def shared_numbers(self) -> SharedNumbers:
        return SharedNumbers(desk=self.desk, records=self.store)

    @cached_property
    def holders(self) -> Holders:
        return Holders(doorkeeper=self.doorkeeper)

    @cached_property
    def moves(self) -> Moves:
        return Moves(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            claims=self.claims,
            notices=self.notices,
            proposals=Proposals(
                desk=self.desk,
                claims=self.claims,
                keyring=self.adapters.keyring,
                codes=self.policies.registration,
                policy=self.policies.contact_changes,
            ),
            steps=PointedSteps(
                desk=self.desk,
                notices=self.notices,
                offered=self.offered,
                step_up=self.policies.step_up,
                passwords=self.policies.passwords,
            ),
            shared=self.shared_numbers,
            policy=self.policies.contact_changes,
        )

    @cached_property
    def additions(self) -> Additions:
        return Additions(
            desk=self.desk,
            records=self.store,
            claims=self.claims,
            keyring=self.adapters.keyring,
            notices=self.notices,
            policy=self.policies.registration,
        )

    @cached_property
    def contacts(self) -> Contacts:
        return Contacts(
            desk=self.desk,
            records=self.store,
            doorkeeper=self.doorkeeper,
            claims=self.claims,
            holders=self.holders,
            moves=self.moves,
            additions=self.additions,
            shared=self.shared_numbers,
            notices=self.notices,
            budget=self.budget,
            addresses=self.openings.addresses,
            keyring=self.adapters.keyring,
            uses=self.adapters.contact_uses,
            policy=self.policies.registration,
            transport=self.policies.transport,
        )

    @cached_property
    def contact_changes(self) -> ContactChanges:
        return ContactChanges(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            holders=self.holders,
            moves=self.moves,
            confirmations=Confirmations(
                desk=self.desk,
                records=self.store,
                moves=self.moves,
                keyring=self.adapters.keyring,
                policy=self.policies.contact_changes,
            ),
            budget=self.budget,
            addresses=self.openings.addresses,
            policy=self.policies.contact_changes,
            transport=self.policies.transport,
        )

    @cached_property
    def contact_care(self) -> ContactCare:
        return ContactCare(
            desk=self.desk,
            records=self.store,
            work=self.store,
            letters=self.letters,
            budget=self.budget,
            staff=self.staff,
            policy=self.policies.contact_changes,
            transport=self.policies.transport,
        )

    @cached_property
    def customers(self) -> Customers:
        return Customers(
            desk=self.desk,
            records=self.store,
            staff=self.staff,
            notices=self.notices,
            policy=self.policies.lifecycle,
            transport=self.policies.transport,
        )

    @cached_property
    def stakes(self) -> Stakes:
        return Stakes(desk=self.desk, policy=self.policies.subscriptions.keeping)

    @cached_property
    def erasures(self) -> Erasures:
        return Erasures(desk=self.desk, objections=(self.stakes,), belongings=BELONGINGS)

    @cached_property
    def closings(self) -> Closings:
        return Closings(
            desk=self.desk,
            records=self.store,
            work=self.store,
            doorkeeper=self.doorkeeper,
            objections=(self.stakes, *self.adapters.closing_objections),
            staff=self.staff,
            budget=self.budget,
            letters=self.letters,
            notices=self.notices,
            belongings=BELONGINGS,
            policy=self.policies.lifecycle,
        )
