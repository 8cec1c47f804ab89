"""What each subscription has to be told next, and what it was told lately.

The rules, in plain English:

* Each subscription has one agenda, from the day on which it begins. It says when somebody looks again whether there is
  anything to announce: when the next window opens, and once a day at the latest, since what is announced may move.
* It holds what was sent lately, so that one look at it answers whether a notice is still to be sent. Whoever sends
  changes the agenda, so that of two workers one sends.
* It holds the charges that wait for a notice.
"""

from datetime import datetime, timedelta
from typing import Final

import attrs

from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.money import Money
from shopaccounts.kernel.personal import Category, OnErase, described, impersonal, personal
from shopaccounts.kernel.record import Book
from shopaccounts.subscriptions.laws.notices import SentNotice
from shopaccounts.subscriptions.marks import AN_ID
from shopaccounts.subscriptions.model import Subscription

__all__ = ["LOOK_AGAIN", "NOTICE_AGENDAS", "NoticeAgenda", "WaitingCharge", "opened_agenda", "with_sent"]

_TOLD: Final = personal("subscription", Category.PURCHASE, on_erase=OnErase.keep("evidence of what was announced"))

LOOK_AGAIN: Final = timedelta(days=1)
"""How long it takes at most until somebody looks again: what is announced may have moved."""
_REMEMBERED: Final = timedelta(days=400)
_MOST: Final = 60


@attrs.frozen(kw_only=True)
class WaitingCharge:
    """A charge that waits for a notice.

    Args:
        intent: The payment.
        rule: The rule whose notice it waits for.
        instance: What that announces.
        trigger_at: When the charge was due.
        amount: What is charged.
    """

    intent: str
    rule: str
    instance: str
    trigger_at: datetime
    amount: Money

    @property
    def notice(self) -> str:
        """The name of the notice that it waits for: another one than that which came too late or named too little."""
        return f"{self.instance} anew"


@described(data_class="subscription", default=impersonal("ids and times"))
@attrs.frozen(kw_only=True)
class NoticeAgenda:
    """The notices of one subscription.

    Args:
        id: That of the subscription.
        realm: The pool of customers.
        store: The storefront.
        version: How often it was written.
        due_at: When somebody looks again; None when the subscription is over.
        looked_at: Up to when what should have been sent has been judged.
        sent: What was sent lately.
        waiting: The charges that wait for a notice.
    """

    id: str = attrs.field(metadata=AN_ID)
    realm: RealmId
    store: StoreId
    version: int = 1
    due_at: datetime | None
    looked_at: datetime
    sent: tuple[SentNotice, ...] = attrs.field(default=(), metadata=_TOLD)
    waiting: tuple[WaitingCharge, ...] = attrs.field(default=(), metadata=_TOLD)


NOTICE_AGENDAS: Final = Book(name="notice_agendas", of=NoticeAgenda, due=lambda agenda: agenda.due_at)


def opened_agenda(subscription: Subscription, now: datetime) -> NoticeAgenda:
    """Answer the agenda of a subscription that begins."""
    return NoticeAgenda(
        id=subscription.id, realm=subscription.realm, store=subscription.store, due_at=now, looked_at=now
    )


def with_sent(agenda: NoticeAgenda, sent: tuple[SentNotice, ...], now: datetime) -> NoticeAgenda:
    """Answer an agenda with what was sent just now, without what is long past."""
    known = [one for one in agenda.sent if one.trigger_at > now - _REMEMBERED]
    return attrs.evolve(agenda, sent=(*known, *sent)[-_MOST:])
