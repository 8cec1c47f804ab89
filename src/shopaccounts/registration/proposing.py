"""Asking both contacts of a change: an address gets a link, a number a code, and whoever owns the new one is told."""

from datetime import timedelta
from typing import Final

import attrs

from shopaccounts.customers import Customer
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.codes import Challenge, resend
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import Purpose, mint
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.registration.changing import (
    CONFIRM_NEW,
    CONFIRM_OLD,
    CONTACT_CHANGES,
    ChangeState,
    ContactChange,
)
from shopaccounts.registration.claiming import Claims
from shopaccounts.registration.coding import challenge_for
from shopaccounts.registration.holders import Account
from shopaccounts.registration.policy import ContactChangePolicy, RegistrationPolicy

__all__ = ["Proposals"]

_MINUTE: Final = timedelta(minutes=1)


@attrs.frozen(kw_only=True)
class Proposals:
    """Writes what both contacts of a change confirm with."""

    desk: Desk
    claims: Claims
    keyring: Keyring
    codes: RegistrationPolicy
    policy: ContactChangePolicy

    async def again(self, change: ContactChange, account: Account, channel: Channel) -> tuple[ContactChange, Change]:
        """Answer a number's change with new codes for what isn't confirmed yet, and what is recorded.

        Args:
            change: As it is stored.
            account: Whose it is.
            channel: By which way the new number gets its code.
        """
        fresh, letters, cause = change, list[Message](), f"{change.id} after {change.version}"
        if change.state is not ChangeState.OLD_PENDING and change.new is not None:
            holding = await self.claims.holding(change.new.value, account.customer.id, self.desk.now())
            fresh, letter = await self.to_new(fresh, account.customer, holding.owner, cause, channel)
            letters.append(letter)
        if change.state is not ChangeState.NEW_PENDING:
            fresh, letter = await self.to_old(fresh, account, cause)
            letters.append(letter)
        written = Change(writes=(CONTACT_CHANGES.change(change, fresh),), messages=tuple(letters))
        return fresh, written | account.guarded

    async def to_new(
        self,
        change: ContactChange,
        customer: Customer,
        owner: Customer | None,
        cause: str,
        channel: Channel,
        link: Secret[str] | None = None,
    ) -> tuple[ContactChange, Message]:
        """Answer the change with what proves its new contact, and the message that brings it.

        Args:
            change: What somebody wants.
            customer: Whose contact it is.
            owner: Who signs in by the new one; they are told that somebody wanted it.
            cause: Natural key of the wish for this message.
            channel: By which way it goes out.
            link: The ticket for an address.
        """
        key, until, secrets = f"confirm_new {cause}", change.until, dict[str, Secret[str]]()
        value = change.new.value if change.new else change.old.value
        if change.kind is ContactKind.PHONE:
            challenge, code = await self._code(change, CONFIRM_NEW, change.new_code, decoy=owner is not None)
            change = attrs.evolve(change, new_code=challenge)
            until, secrets = challenge.code_expires_at, {"code": code}
        elif link is not None:
            secrets = {"link": self.claims.link(CONFIRM_NEW.name, link)}
        if owner is not None:
            return change, await self.claims.word_to_owner(owner, value, key, until, channel)
        template = "registration.confirm_new_number" if change.new_code else "registration.confirm_new_contact"
        more = self._minutes() if change.new_code else {}
        return change, await self.claims.letter(template, value, customer, key, until, secrets, more, channel)

    async def to_old(self, change: ContactChange, account: Account, cause: str) -> tuple[ContactChange, Message]:
        """Answer the change with what the old contact agrees with, and the message that brings it; as ``to_new``."""
        key, value = f"confirm_old {cause}", change.old.value
        if change.kind is ContactKind.PHONE:
            challenge, code = await self._code(change, CONFIRM_OLD, change.old_code, decoy=False)
            template, secrets = "registration.confirm_old_number", {"code": code}
            letter = await self.claims.letter(
                template, value, account.customer, key, challenge.code_expires_at, secrets
            )
            return attrs.evolve(change, old_code=challenge), letter
        link, text = mint(
            CONFIRM_OLD,
            realm=change.realm,
            subject=change.account,
            bound=change.old.id,
            stamps=account.security.stamps,
            life=self.policy.link_life,
            now=change.requested_at,
            entropy=self.desk.entropy,
            selector=change.id,
        )
        template, links = "registration.confirm_old_contact", {"link": self.claims.link(CONFIRM_OLD.name, text)}
        letter = await self.claims.letter(template, value, account.customer, key, change.until, links)
        return attrs.evolve(change, old_link=link), letter

    async def _code(
        self, change: ContactChange, purpose: Purpose, earlier: Challenge | None, *, decoy: bool
    ) -> tuple[Challenge, Secret[str]]:
        """Answer a code for one of a change's numbers; after an earlier one the tries stay counted."""
        now, key = self.desk.now(), await got(self.keyring.current(Ring.CODES))
        id = f"{change.id} {purpose.name}"
        fresh, code = challenge_for(key, id, purpose.name, self.codes, now, self.desk.entropy, decoy=decoy)
        if earlier is None:
            return fresh, code
        return resend(earlier, fresh.code_mac, fresh.key_id, self.codes.code_life, now), code

    def _minutes(self) -> dict[str, str]:
        return {"minutes": str(self.codes.code_life // _MINUTE), **self.claims.letters.host}
