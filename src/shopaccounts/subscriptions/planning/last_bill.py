"""The last bill of an account: what waits for an invoice, where none is to come.

The rules, in plain English:

* What waits in a currency is one final invoice. Its lines have the taxes that they had when they began to wait.
* What is too little for an invoice is waived then: there is nothing that it could wait for.
"""

from datetime import datetime

from shopaccounts.kernel.money import Currency
from shopaccounts.subscriptions.invoices.balance import waiting
from shopaccounts.subscriptions.invoices.invoicing import assemble
from shopaccounts.subscriptions.invoices.issuing import NotIssued, issue
from shopaccounts.subscriptions.model import BillingAccount, Subscription
from shopaccounts.subscriptions.papers.documents import InvoiceKind
from shopaccounts.subscriptions.planning.writing_up import NameId, PaperDesk, PaperFacts, Papers
from shopaccounts.subscriptions.policy import SubscriptionPolicy
from shopaccounts.subscriptions.states import ENDED

__all__ = ["is_to_be_billed", "write_last"]


def is_to_be_billed(subscription: Subscription) -> bool:
    """Tell whether a subscription has another bill to come, or may have, that what waits could join."""
    return subscription.lifecycle not in ENDED or subscription.due_at is not None


def write_last(
    account: BillingAccount, facts: PaperFacts, policy: SubscriptionPolicy, now: datetime, name: NameId
) -> Papers:
    """Write up what still waits of an account that has no next invoice to come; what is too little is waived.

    Args:
        account: Whose.
        facts: What is known besides.
        policy: How the shop bills.
        now: When it is really issued.
        name: Gives documents their ids.
    """
    desk = PaperDesk(account, facts, policy, now, name, {})
    for currency in sorted({pending.line.amount.currency for pending in account.pending}):
        _bill(desk, currency)
    return desk.papers()


def _bill(desk: PaperDesk, currency: Currency) -> None:
    lines = waiting(desk.account, currency)
    draft = assemble(
        (),
        (),
        key=f"{lines[0].id}/last",
        kind=InvoiceKind.FINAL,
        mode=desk.account.tax_mode,
        tax=desk.policy.tax,
        waiting=lines,
    )
    issued = issue(draft, desk.account, desk.policy.invoices, id=desk.name(draft.key), now=desk.now, last=True)
    desk.account = issued.account
    if not isinstance(issued, NotIssued):
        desk.entries.extend(issued.entries)
        desk.file(issued.invoice, ())
