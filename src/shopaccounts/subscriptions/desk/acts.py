"""What the shop's own people did to subscriptions, invoices and balances: who, when, why, and what it changed.

The rules, in plain English:

* Every act of a clerk is written down in the same change as its effect: there is neither without the other.
* It says what stood there before and after, in a few short facts: times, amounts, codes. The reason is the clerk's own
  words, and stands nowhere else but on a credit note that it led to.
* An act that came with a key of the clerk's is done once under that key. Asked again it answers what it led to.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import CustomerId, RealmId, StoreId
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.subscriptions.marks import AN_ID, KEPT

__all__ = ["CLERK_ACTS", "ActKind", "ClerkAct"]

_SEEN: Final = personal("billing", Category.FINANCIAL, on_erase=KEPT)


class ActKind(Enum):
    """What a clerk did."""

    IMPORT_SUBSCRIPTION = "import_subscription"
    EXTEND_TRIAL = "extend_trial"
    END_TRIAL = "end_trial_now"
    APPLY_DISCOUNT = "apply_discount"
    REMOVE_DISCOUNT = "remove_discount"
    RESOLVE_HOLD = "resolve_hold"
    CHANGE_ZONE = "change_zone"
    LOCK_PRICE = "lock_price"
    POSTPONE_ALL = "postpone_all"
    VOID_INVOICE = "void_invoice"
    WRITE_OFF = "write_off"
    CREDIT_NOTE = "issue_credit_note"
    REFUND = "refund"
    GOODWILL = "give_goodwill"
    PAY_OUT = "pay_out"


@described(data_class="billing", default=impersonal("ids, times"))
@attrs.frozen(kw_only=True)
class ClerkAct:
    """One act of a clerk.

    Args:
        id: Opaque; made of the clerk's key, where there is one.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written: once.
        kind: What was done.
        account: The billing account that it concerns.
        customer: Whose that is.
        subject: The id of what it was done to: a subscription, an invoice, or the account itself.
        asked: What exactly was asked for, as a digest.
        agent: Who did it.
        reason: Why, in the clerk's words.
        at: When.
        before: What stood there, by name.
        after: What stands there now, by the same names.
        documents: The ids of what was written for it: invoices, credit notes, payments, entries of the balance.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    kind: ActKind
    account: str = attrs.field(metadata=AN_ID)
    customer: CustomerId
    subject: str = attrs.field(metadata=AN_ID)
    asked: str = attrs.field(metadata=impersonal("a digest"))
    agent: str = attrs.field(metadata=AN_ID)
    reason: str = attrs.field(repr=False, metadata=personal("billing", Category.CONTENT, on_erase=OnErase.BLANK))
    at: datetime
    before: Mapping[str, str] = attrs.field(metadata=_SEEN)
    after: Mapping[str, str] = attrs.field(metadata=_SEEN)
    documents: tuple[str, ...] = attrs.field(default=(), metadata=AN_ID)


CLERK_ACTS: Final = Book(
    name="clerk_acts",
    of=ClerkAct,
    groups={"account": lambda act: act.account, "customer": lambda act: act.customer},
    order=lambda act: act.at,
)
"""Every act of the shop's people, listed by billing account."""
