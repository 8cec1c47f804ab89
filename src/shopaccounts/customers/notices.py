"""Telling owners what happened to their account, with a way to object.

* A notice is recorded with the change that causes it, so that nothing happens without it.
* It goes to every proven address and phone that takes notices, to those that sign in whether or not they take them,
  and to those that were replaced or removed a short while ago: a thief who changes contacts, or what they are for,
  can't keep the owner from hearing of it. At least one e-mail address hears of it, if there is one.
* A phone gets what happened in a line, and the link to object.
* It tells what happened and when, on which device and about where, as far as the shop knows.
* All of one event's notices carry the same two links: "that wasn't me", and "stop my account".
* Nobody can switch them off.

[NIST SP 800-63B-4 4.6; OWASP ASVS 6.3.7]
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.customers.errors import (
    NoticeLinkExpired,
    NoticeLinkInvalid,
    NoticeLinkStale,
    NoticeLinkUsed,
)
from shopaccounts.customers.model import Customer
from shopaccounts.customers.policy import NoticePolicy
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Where
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import TICKETS, Purpose, Refusals, Ticket, Use, mint

__all__ = ["FREEZE", "NOT_ME_CHANGE", "NOT_ME_SIGN_IN", "Notices"]

FREEZE: Final = Purpose(
    "freeze_account",
    "frz",
    frozenset(),
    Refusals(NoticeLinkInvalid, NoticeLinkExpired, NoticeLinkUsed, NoticeLinkStale),
)
"""Stops the account, from any notice, without signing in."""
NOT_ME_SIGN_IN: Final = Use("not_me_sign_in", "nms", frozenset())
"""Objects to a session; it depends on no stamp, so that nothing a thief does takes it away."""
NOT_ME_CHANGE: Final = Use("not_me_change", "nmc", frozenset())
"""Objects to a change of the account; as above."""
_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Notices:
    """Writes what owners are told."""

    desk: Desk
    letters: Letters
    policy: NoticePolicy

    async def about(
        self,
        customer: Customer,
        template: str,
        key: str,
        now: datetime,
        *,
        objection: Use = NOT_ME_CHANGE,
        bound: str = "",
        also: Iterable[Contact] = (),
        where: Where | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret[str]] | None = None,
    ) -> Change:
        """Answer the part of a change that tells every contact of a customer, with both links.

        Args:
            customer: Whose account it is, as it was before what happened.
            template: Which text.
            key: Natural key of what happened; a second notice with it is refused by the store.
            now: When it happened.
            objection: What "that wasn't me" objects to.
            bound: The public id of the session, or the id of the change, that is objected to; empty: the session in
                which it was done, as *where* has it.
            also: Contacts that the change itself brings.
            where: Where whoever did it was; None if nobody knows.
            variables: Plain values for the text besides the shop and the time.
            secrets: Links for the text besides the two of every notice.
        """
        objected = bound or (where.session if where else "")
        not_me, not_me_link = self._link(objection, customer, objected, now)
        freeze, freeze_link = self._link(FREEZE, customer, "", now)
        links = {"not_me_link": not_me_link, "freeze_link": freeze_link}
        hidden = links | _shown(where) | dict(secrets or {})
        letters = await self.word_of(customer, template, key, now, also=also, variables=variables, secrets=hidden)
        return Change(writes=(TICKETS.add(not_me), TICKETS.add(freeze)), messages=letters)

    async def word_of(
        self,
        customer: Customer,
        template: str,
        key: str,
        now: datetime,
        *,
        also: Iterable[Contact] = (),
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, Secret[str]] | None = None,
    ) -> tuple[Message, ...]:
        """Answer letters to every contact of a customer about what nobody needs to object to, such as a closed account.

        Args:
            customer: Whose account it is, as it was before what happened.
            template: Which text.
            key: Natural key of what happened; a second notice with it is refused by the store.
            now: When it happened.
            also: Contacts that the change itself brings.
            variables: Plain values for the text besides the shop and the time.
            secrets: Links for the text.
        """
        shown = {"at": now.isoformat(timespec="minutes"), **(variables or {})}
        told = dict.fromkeys((*customer.notice_contacts(now), *also))
        messages = [
            await self.letters.write(
                template,
                to,
                key=f"{key} {number}",
                until=now + _DAY,
                subject=customer.id,
                locale=customer.locale,
                variables=shown,
                secrets=secrets,
            )
            for number, to in enumerate(told)
        ]
        return tuple(messages)

    def _link(self, use: Use, customer: Customer, bound: str, now: datetime) -> tuple[Ticket, Secret[str]]:
        ticket, text = mint(
            use,
            realm=customer.realm,
            subject=customer.id,
            bound=bound,
            stamps=Stamps(),
            life=self.policy.link_life,
            now=now,
            entropy=self.desk.entropy,
        )
        return ticket, self.letters.link(use.name, text)


def _shown(where: Where | None) -> dict[str, Secret[str]]:
    """Answer what a notice tells of a place; it is personal, so it goes where the links go."""
    told = {"device": where.device, "place": where.place} if where else {}
    return {name: Secret(text) for name, text in told.items() if text}
