"""Who stops an account, and who may let it go on.

* The shop stops an account for one of its reasons, until further notice or until a time.
* An owner stops it with a link of any security notice, without signing in. That hold has no end of its own.
* A hold lies beneath a stop of the shop, whichever came first. So an owner's link can neither soften nor shorten what
  the shop decided, and a stop of the shop that ends leaves the hold in place.
* The owner lifts the hold with a reset through a proven address, the shop by reinstating; the owner lifts nothing else.
* An account that was being closed stays: whoever asks for a hold wants nothing more to happen to it.
"""

from datetime import datetime
from typing import Final

import attrs

from shopaccounts.customers.errors import StatusForbids
from shopaccounts.customers.lifecycle import follow
from shopaccounts.customers.model import AccountStatus, Customer, Standing, StatusReason, Trigger
from shopaccounts.kernel.record import Write
from shopaccounts.kernel.security import SECURITY, AccountSecurity, Stamp

__all__ = ["SILENT_REASONS", "held", "is_held", "released", "sessions_ended", "suspended"]

SILENT_REASONS: Final = frozenset({StatusReason.LEGAL_REQUEST})
"""Stops of which the customer gets no mail, since the law may forbid to warn."""


def suspended(
    customer: Customer, reason: StatusReason, *, note: str | None = None, until: datetime | None = None
) -> Customer:
    """Answer *customer* stopped by the shop; who is already stopped by it stays so, for the first reason and time.

    Args:
        customer: The record as it is now.
        reason: Why.
        note: The reason in words, for ``StatusReason.OTHER``.
        until: When it ends by itself.

    Raises:
        StatusForbids: The record can't be stopped from where it stands.
        InvalidInput: Another reason without words.
    """
    if not is_held(customer):
        return follow(customer, Trigger.SUSPEND, reason=reason, note=note, until=until)
    if reason is StatusReason.SECURITY_HOLD:
        return customer
    stopped = follow(released(customer), Trigger.SUSPEND, reason=reason, note=note, until=until)
    return attrs.evolve(stopped, standing=attrs.evolve(stopped.standing, before=customer.standing))


def held(customer: Customer) -> Customer:
    """Answer *customer* with the owner's hold on it.

    Raises:
        StatusForbids: There is no account that could be stopped.
    """
    return attrs.evolve(customer, standing=_held(customer, customer.standing))


def is_held(customer: Customer) -> bool:
    """Tell whether it is the hold that stops the account now."""
    return customer.status is AccountStatus.SUSPENDED and customer.status_reason is StatusReason.SECURITY_HOLD


def released(customer: Customer) -> Customer:
    """Answer *customer* without the hold; whatever else stops it still does."""
    return follow(customer, Trigger.REINSTATE) if is_held(customer) else customer


def sessions_ended(security: AccountSecurity | None) -> tuple[Write, ...]:
    """Answer what ends every session of an account, and whatever else was opened for it; a guest has none."""
    return (SECURITY.change(security, security.bump(Stamp.ACCOUNT)),) if security else ()


def _held(customer: Customer, standing: Standing) -> Standing:
    here = attrs.evolve(customer, standing=standing)
    if is_held(here):
        return standing
    if standing.status is AccountStatus.CLOSING:
        return _held(customer, follow(here, Trigger.CANCEL_CLOSING).standing)
    if standing.status is AccountStatus.SUSPENDED and standing.before is not None:
        return attrs.evolve(standing, before=_held(customer, standing.before))
    if standing.status is not AccountStatus.ACTIVE:
        raise StatusForbids(customer.status.value, Trigger.SUSPEND.value)
    return follow(here, Trigger.SUSPEND, reason=StatusReason.SECURITY_HOLD).standing
