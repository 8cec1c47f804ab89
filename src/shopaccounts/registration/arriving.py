"""Somebody comes whose address is proven already: by an invitation's link, or by a provider that the shop believes.

Their account lives at once. Where somebody else had begun to register the address, nothing of what they brought is
left: no password, no details, no code that would still fit.
"""

from datetime import datetime

from shopaccounts.customers import CUSTOMERS, Customer, Origin, VerificationMethod
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.record import Change, Sweep
from shopaccounts.kernel.security import AccountSecurity
from shopaccounts.registration.activating import coming_alive
from shopaccounts.registration.deciding import activated, opened, restarted
from shopaccounts.registration.events import AccountCleansed
from shopaccounts.registration.model import ATTEMPTS, WaitingPassword, Wish

__all__ = ["arrival"]


def arrival(
    desk: Desk,
    known: Customer | None,
    wish: Wish,
    method: VerificationMethod,
    proof: str,
    now: datetime,
    *,
    way: str,
    password: WaitingPassword | None = None,
    security: AccountSecurity | None = None,
) -> tuple[Customer, Change]:
    """Answer the account as it lives from now on, and the change that makes it so.

    Args:
        desk: Puts what happened into envelopes.
        known: The account that waited for a proof of this address, as it is stored; None if there is none.
        wish: What somebody filled in.
        method: How the address was proven.
        proof: The id of what proved it.
        now: When.
        way: By which way the account came about.
        password: A first password, hashed for this account.
        security: The row of an account that was closed and is reopened.
    """
    if known is None:
        pending = opened(wish, desk.scope.realm, now, now, Origin.REGISTRATION)
    else:
        pending = restarted(known, wish, now, now)
    contact = pending.contacts[0].proven(method, proof, now)
    account = activated(pending, contact, wish.locale, wish.details.fields)
    alive = coming_alive(
        desk, account, contact, password, wish.details, now, disposable=wish.disposable, way=way, security=security
    )
    return account, _opening(desk, known, account, now) | alive


def _opening(desk: Desk, known: Customer | None, account: Customer, now: datetime) -> Change:
    if known is None:
        return Change(writes=(CUSTOMERS.add(account),))
    return Change(
        writes=(CUSTOMERS.change(known, account),),
        sweeps=(Sweep(book=ATTEMPTS, group="account", value=known.id),),
        events=desk.tell(AccountCleansed(at=now, account=known.id)),
    )
