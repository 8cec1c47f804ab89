"""Whether a browser that asks for mail is one of its owner's: some of each mailbox's budget is kept for those."""

from datetime import datetime

from shopaccounts.customers import CUSTOMERS, login_key
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.contact import Contact
from shopaccounts.kernel.ports import Records
from shopaccounts.kernel.request import RequestContext
from shopaccounts.signin.devices import device_values, recognise
from shopaccounts.signin.model import DEVICES

__all__ = ["is_owners_browser"]


async def is_owners_browser(records: Records, contact: Contact, context: RequestContext, now: datetime) -> bool:
    """Tell whether the account that signs in by *contact* knows the browser.

    Whether anything is looked up depends on the request alone, so it tells a stranger nothing.

    Args:
        records: The books.
        contact: The mailbox or number.
        context: Where the request came from.
        now: When.
    """
    if not device_values(context.device):
        return False
    key = login_key(contact.kind, contact.key)
    found = await got(records.find(CUSTOMERS, key, by="login_contact", bring=(DEVICES.via(),)))
    if found is None or not found.it.signs_in_by(key):
        return False
    return recognise(found[DEVICES], context.device, now) is not None
