"""The contract that a statement names, with its customer.

The rules, in plain English:

* A contract is found by its id, or by what the customer's papers call it, in whatever case they write it.
* Looking for one takes the same steps whether it is there or not.
* Only addresses and numbers that a customer has proven tell that a statement is theirs.
"""

import attrs

from shopaccounts.customers import CUSTOMERS, Customer, is_verified, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.desk import Desk
from shopaccounts.subscriptions.leaving.statements import ContractOnFile
from shopaccounts.subscriptions.model import SUBSCRIPTIONS, Subscription, reference_key

__all__ = ["Contract", "contract_under"]


@attrs.frozen(kw_only=True)
class Contract:
    """What is on file under a reference: the contract and its customer, as far as they are there."""

    subscription: Subscription | None
    customer: Customer | None

    @property
    def on_file(self) -> ContractOnFile | None:
        """What a statement is compared with; None where there is no customer to ask."""
        if self.subscription is None or self.customer is None or self.own_address is None:
            return None
        proven = filter(is_verified, self.customer.contacts)
        return ContractOnFile(self.subscription.id, frozenset(login_key(one.kind, one.key) for one in proven))

    @property
    def own_address(self) -> EmailAddress | None:
        """An address that the customer has proven."""
        contacts = self.customer.contacts if self.customer else ()
        values = (one.value for one in contacts if is_verified(one))
        return next((value for value in values if isinstance(value, EmailAddress)), None)


async def contract_under(desk: Desk, reference: str) -> Contract:
    """Answer what is on file under a reference, with as many look-ups where that is nothing.

    Args:
        desk: Whose books.
        reference: The id of a subscription, or what a customer's papers call it.
    """
    records, store, id = desk.records, desk.scope.store, reference.strip()
    by_id = await got(records.find(SUBSCRIPTIONS, id))
    by_name = await got(records.find(SUBSCRIPTIONS, reference_key(store, id), "reference"))
    found = by_id or by_name
    subscription = found.it if found and found.it.store == store else None
    customer = await got(records.find(CUSTOMERS, subscription.customer if subscription else id))
    return Contract(subscription=subscription, customer=customer.it if subscription and customer else None)
