"""What is recorded when somebody asks for a further contact: what proves it, and one message to it."""

from typing import Final

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, Notices
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.limits import counter_key
from shopaccounts.kernel.messages import Channel, Message
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.tickets import mint
from shopaccounts.kernel.vault import Keyring, Ring
from shopaccounts.registration.adding import ADDITIONS, PROVE_ADDED, Addition
from shopaccounts.registration.claiming import Claims
from shopaccounts.registration.coding import challenge_for
from shopaccounts.registration.holders import Account
from shopaccounts.registration.model import Wanted
from shopaccounts.registration.policy import RegistrationPolicy

__all__ = ["Additions"]

_DROPPED: Final = 10


@attrs.frozen(kw_only=True)
class Additions:
    """Asks contacts for their proof."""

    desk: Desk
    records: Records
    claims: Claims
    keyring: Keyring
    notices: Notices
    policy: RegistrationPolicy

    async def asked(self, account: Account, session: str, wanted: Wanted) -> tuple[Addition, Change]:
        """Answer a contact that waits for its proof, and what is recorded, with one message to whoever has it.

        Args:
            account: Whose contact it will be.
            session: The public id of the session that asks.
            wanted: The contact.
        """
        now = self.desk.now()
        key = await got(self.keyring.current(Ring.CODES))
        owner = (await self.claims.holding(wanted.value, account.customer.id, now)).owner
        link, text = mint(
            PROVE_ADDED,
            realm=account.customer.realm,
            subject=account.customer.id,
            bound="",
            stamps=account.security.stamps,
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )
        id, purpose = link.selector, PROVE_ADDED.name
        challenge, code = challenge_for(key, id, purpose, self.policy, now, self.desk.entropy, decoy=owner is not None)
        addition = Addition(
            id=id,
            realm=account.customer.realm,
            account=account.customer.id,
            session=session,
            contact=ContactId(self.desk.entropy.new_id(now)),
            value=wanted.value,
            wanted=await self._digest(wanted.value),
            channel=wanted.channel,
            challenge=challenge,
            link=link,
            started_at=now,
        )
        letter = await self._letter(addition, account.customer, owner, code, text)
        return addition, Change(writes=(ADDITIONS.add(addition),), messages=(letter,)) | account.guarded

    async def given_up(self, value: Contact) -> Change:
        """Answer the part of a change that drops a contact wherever it waits for its proof, as somebody has proven it.

        Whose account wanted it hears of that. Of very many the oldest go; the others lead nowhere from now on.
        """
        rows = await got(self.records.rows(ADDITIONS, "wanted", await self._digest(value), None, _DROPPED))
        part = Change()
        for addition in rows.items:
            part |= Change(removals=(ADDITIONS.remove(addition),)) | await self._told(addition)
        return part

    async def _told(self, addition: Addition) -> Change:
        found = await got(self.records.find(CUSTOMERS, addition.account))
        if found is None:
            return Change()
        key = f"addition_dropped {addition.id}"
        return await self.notices.about(
            found.it, "registration.addition_dropped", key, self.desk.now(), bound=addition.id
        )

    async def _digest(self, value: Contact) -> str:
        lookup = await got(self.keyring.current(Ring.LOOKUP))
        return counter_key(lookup.secret, "wanted", value.kind.value, value.key)

    async def _letter(
        self, addition: Addition, customer: Customer, owner: Customer | None, code: Secret[str], link: Secret[str]
    ) -> Message:
        by_mail, key = addition.channel is Channel.EMAIL, f"add_contact {addition.id}"
        until = addition.link.expires_at if by_mail else addition.challenge.code_expires_at
        if owner is not None:
            return await self.claims.word_to_owner(owner, addition.value, key, until, addition.channel)
        links = {"link": self.claims.link(PROVE_ADDED.name, link)} if by_mail else {}
        more = {"minutes": str(int(self.policy.code_life.total_seconds()) // 60)}
        return await self.claims.letter(
            "registration.add_contact",
            addition.value,
            customer,
            key,
            until,
            {"code": code, **links},
            more if by_mail else {**more, **self.claims.letters.host},
            addition.channel,
        )
