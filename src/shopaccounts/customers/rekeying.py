"""Computing the keys of addresses anew, after the rules for them have changed.

What a customer typed is kept, so a key can always be computed again. A contact that was proven stays proven: it is the
same address. Where two customers would sign in by one key from now on, both keep the key they had, and somebody has to
look; nothing is merged. [Unicode Standard Annex 15: normal forms of unassigned characters are not stable]
"""

from collections.abc import Callable

import attrs

from shopaccounts.customers.contact_points import ContactPoint, is_verified
from shopaccounts.customers.model import Customer
from shopaccounts.kernel.contact import EmailAddress
from shopaccounts.kernel.errors import Rejected

__all__ = ["rekeyed", "with_old_keys"]


def rekeyed(customer: Customer, version: int) -> Customer:
    """Answer the customer with every key of an earlier version than *version* computed anew."""
    return _mapped(customer, lambda contact: _rekeyed(contact, version))


def with_old_keys(customer: Customer, version: int) -> Customer:
    """Answer the customer with the keys from before; they count as those of *version*, since somebody has to look."""
    return _mapped(customer, lambda contact: _with_old_key(contact, version))


def _mapped(customer: Customer, change: Callable[[ContactPoint], ContactPoint]) -> Customer:
    return attrs.evolve(
        customer,
        contacts=tuple(change(contact) for contact in customer.contacts),
        former_contacts=tuple(attrs.evolve(f, contact=change(f.contact)) for f in customer.former_contacts),
    )


def _rekeyed(contact: ContactPoint, version: int) -> ContactPoint:
    if not isinstance(contact.value, EmailAddress) or contact.value.key_version >= version:
        return contact
    try:
        value = EmailAddress.parse(contact.value.stored)
    except Rejected:
        return _with_old_key(contact, version)
    return _with_value(attrs.evolve(contact, key_before=contact.key), value)


def _with_old_key(contact: ContactPoint, version: int) -> ContactPoint:
    if not isinstance(contact.value, EmailAddress):
        return contact
    value = attrs.evolve(contact.value, login_key=contact.key_before or contact.key, key_version=version)
    return _with_value(attrs.evolve(contact, key_before=None), value)


def _with_value(contact: ContactPoint, value: EmailAddress) -> ContactPoint:
    verified = contact.verified
    if verified is not None and is_verified(contact):
        verified = attrs.evolve(verified, value_key=value.login_key)
    return attrs.evolve(contact, value=value, verified=verified)
