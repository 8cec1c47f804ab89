"""What goes out about a statement: a receipt to whoever sent it, and sometimes a question to the customer.

The rules, in plain English:

* A receipt says what came in, and when, and nothing of what the shop makes of it.
* What somebody wrote travels sealed.
* When the contract ends, and what is paid back, the customer is told at an address of their own.
* The question whether a cancellation was meant goes to an address of the customer's own. Where nobody is asked, a
  letter is written all the same, and not sent.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.letters import Letters
from shopaccounts.kernel.messages import Message, MessageCategory
from shopaccounts.kernel.money import total
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import Stamps
from shopaccounts.kernel.tickets import TICKETS, Purpose, Refusals, mint
from shopaccounts.kernel.time import local_date
from shopaccounts.subscriptions.errors import (
    CancellationLinkExpired,
    CancellationLinkInvalid,
    CancellationLinkStale,
    CancellationLinkUsed,
)
from shopaccounts.subscriptions.leaving.contracts_on_file import Contract
from shopaccounts.subscriptions.leaving.statements import CancellationForm, CancellationStatement, WithdrawalForm
from shopaccounts.subscriptions.office.desk_work import Done

__all__ = ["CONFIRM_CANCELLATION", "StatementLetters"]

CONFIRM_CANCELLATION: Final = Purpose(
    "confirm_cancellation",
    "ccl",
    frozenset(),
    Refusals(CancellationLinkInvalid, CancellationLinkExpired, CancellationLinkUsed, CancellationLinkStale),
)
"""Confirms a cancellation that came from an address which its customer doesn't have."""
_RECEIPT_LIFE: Final = timedelta(days=7)
_LINK_LIFE: Final = timedelta(days=14)


@attrs.frozen(kw_only=True)
class StatementLetters:
    """Writes receipts and questions.

    Args:
        desk: Whose dice, and for which realm.
        letters: Writes everything that goes out.
    """

    desk: Desk
    letters: Letters

    async def receipt(
        self, template: str, id: str, said: CancellationForm | WithdrawalForm, to: EmailAddress, now: datetime
    ) -> Message:
        """Answer the receipt for a statement.

        Args:
            template: Which text.
            id: Of the statement.
            said: What was filled in.
            to: Where it goes.
            now: When the statement came in.
        """
        wrote = {"name": said.name, "reference": said.reference, "address": said.contact}
        variables = {"at": now.isoformat(timespec="minutes")}
        if isinstance(said, CancellationForm):
            wrote |= {"reason": said.reason} if said.reason else {}
            variables |= {"date": said.ends_on.isoformat()} if said.ends_on else {}
        return await self.letters.write(
            template,
            to,
            key=f"receipt {id}",
            until=now + _RECEIPT_LIFE,
            variables=variables,
            secrets={name: Secret(text) for name, text in wrote.items()},
            category=MessageCategory.LEGAL,
        )

    async def question(
        self, statement: CancellationStatement, contract: Contract, to: EmailAddress, *, asks: bool
    ) -> Change:
        """Answer the part of a change that asks a customer whether they cancelled.

        Args:
            statement: What came in.
            contract: What it names.
            to: Where it came from, which stands in for the customer's own address where nobody is asked.
            asks: Whether the letter goes out.
        """
        own, customer = contract.own_address if asks else None, contract.customer if asks else None
        product = contract.subscription.plan_line.product if contract.subscription and asks else "-"
        now = statement.received_at
        ticket, text = mint(
            CONFIRM_CANCELLATION,
            realm=self.desk.scope.realm,
            subject=customer.id if customer else "",
            bound=statement.id if asks else "",
            stamps=Stamps(),
            life=_LINK_LIFE,
            now=now,
            entropy=self.desk.entropy,
        )
        letter = await self.letters.write(
            "subscriptions.confirm_cancellation",
            own or to,
            key=f"cancellation asked {statement.id}",
            until=now + _LINK_LIFE,
            subject=customer.id if customer else "",
            locale=customer.locale if customer else None,
            variables={"at": now.isoformat(timespec="minutes"), "product": product},
            secrets={"link": self.letters.link(CONFIRM_CANCELLATION.name, text)},
            category=MessageCategory.LEGAL,
            deliver=asks,
        )
        return Change(writes=(TICKETS.add(ticket),), messages=(letter,))

    async def outcome(self, statement: str, received_at: datetime, contract: Contract, done: Done) -> Change:
        """Answer the part of a change that tells a customer when the contract ends.

        Args:
            statement: Id of what came in.
            received_at: When it came in.
            contract: What it ends.
            done: What that leads to.
        """
        subscription, customer = done.subscription, contract.customer
        planned = subscription.scheduled.cancel
        ends = planned.at if planned else subscription.ended_at
        if customer is None or contract.own_address is None or ends is None:
            return Change()
        now = self.desk.now()
        back = [note.refund for note in done.papers.notes if not note.refund.is_zero]
        amount = {"amount": str(total(back, subscription.currency))} if back else {}
        letter = await self.letters.write(
            "subscriptions.contract_ends",
            contract.own_address,
            key=f"contract ends {statement}",
            until=now + _RECEIPT_LIFE,
            subject=customer.id,
            locale=customer.locale,
            variables={
                "at": received_at.isoformat(timespec="minutes"),
                "date": local_date(ends, subscription.zone).isoformat(),
                "product": subscription.plan_line.product,
                **amount,
            },
            category=MessageCategory.LEGAL,
        )
        return Change(messages=(letter,))
