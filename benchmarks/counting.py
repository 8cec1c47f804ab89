"""How many statements each use-case tells the database."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from benchmarks.databases import KINDS, opened
from benchmarks.measuring import Effort
from benchmarks.peers import ours
from benchmarks.peers.sites import PASSWORD, Place, fresh_address, hearing
from benchmarks.reports import Report, Row
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock

__all__ = ["run"]

MOST: Final[Mapping[str, int]] = {
    "register": 8,
    "complete the registration": 8,
    "sign in with a new device": 8,
    "sign in": 5,
    "refuse a sign-in": 6,
    "resume a session": 1,
    "sign out": 4,
    "sign out everywhere": 4,
    "ask for a reset": 8,
    "reset the password": 8,
    "list sessions": 2,
    "look back": 2,
    "change the password": 10,
    "add a contact": 6,
    "prove a contact": 10,
    "list contacts": 1,
    "remove a contact": 10,
    "ask for another address": 11,
    "confirm at the old address": 3,
    "confirm at the new address": 15,
    "ask to close the account": 3,
    "close the account": 10,
}
COUNTERS: Final = "shopaccounts_counters"
OTHER_PASSWORD: Final = "a kettle in the summer rain"  # noqa: S105  (nobody's)


def run(effort: Effort) -> Report:  # noqa: ARG001  (statements are counted, not timed)
    """Count the statements of each use-case on both databases."""
    rows: list[Row] = []
    for kind in KINDS:
        with opened(kind) as make:
            for step, heard in _walk(make()).items():
                on_counters = sum(COUNTERS in statement for statement in heard)
                apart = f", and {on_counters} on counters" if on_counters else ""
                case = f"{step}, {kind}{apart}"
                rows.append(Row(case=case, ours=len(heard) - on_counters, at_most=MOST[step], counted="statement"))
    notes = ("BEGIN and COMMIT aren't counted. Counters may live apart from the books, so they are counted apart.",)
    return Report(name="statements", title="Statements of each use-case", rows=tuple(rows), notes=notes)


def _walk(place: Place) -> dict[str, list[str]]:
    """Follow a customer through everything, and answer what the database heard at each step."""
    clock, address = FixedClock(datetime(2031, 1, 1, tzinfo=UTC)), fresh_address()
    shop = ours.open_shop(place, clock)
    accounts, context = shop.accounts, ours.context
    heard: dict[str, list[str]] = {}

    def step(name: str, work: Callable[[], Any]) -> Any:
        with hearing() as heard[name]:
            return work()

    def sign_in(password: str, device: Secret[str] | None = None) -> Any:
        known = attrs.evolve(context(), device=device)
        return accounts.signin.sign_in_with_password(address, password, known)

    def refused() -> None:
        try:
            sign_in("not the password of anybody")
        except ours.SignInRefused:
            return

    ours.bare(shop).admit(fresh_address())  # what is needed once for each process is no part of a use-case
    started = step("register", lambda: accounts.registration.register(ours.form(address), context()))
    code = shop.mailbox.last["code"]
    complete = accounts.registration.complete_registration
    step("complete the registration", lambda: complete(started.handle, code, context()))
    device = step("sign in with a new device", lambda: sign_in(PASSWORD)).set_cookies[1].value
    session = step("sign in", lambda: sign_in(PASSWORD, device)).session
    step("refuse a sign-in", refused)
    step("resume a session", lambda: accounts.sessions.resume(session, context()))
    step("sign out", lambda: accounts.sessions.sign_out(session, context()))
    session = sign_in(PASSWORD).session
    step("sign out everywhere", lambda: accounts.sessions.sign_out_everywhere(session, context()))
    clock.advance(timedelta(minutes=2))  # one mailbox gets one mail a minute
    step("ask for a reset", lambda: accounts.recovery.request_reset(address, context()))
    link = Secret(shop.mailbox.last["link"].partition("token=")[2])
    step("reset the password", lambda: accounts.recovery.reset_password(link, OTHER_PASSWORD, context()))
    clock.advance(timedelta(minutes=2))
    _with_an_account(shop, lambda: sign_in(OTHER_PASSWORD, device).session, step)
    shop.storage.close()
    return heard


def _with_an_account(
    shop: Any, come_in: Callable[[], Secret[str]], step: Callable[[str, Callable[[], Any]], Any]
) -> None:
    """Do what customers do with an account of theirs; leave, and stay after all."""
    accounts, ticket, context = shop.accounts, shop.mailbox.ticket, ours.context
    contacts, changes, closings = accounts.contacts, accounts.contact_changes, accounts.closings
    value = come_in()
    step("list sessions", lambda: accounts.sessions.list_sessions(value, context()))
    step("look back", lambda: accounts.history.security_history(value, context()))
    step("ask to close the account", lambda: closings.request_account_closing(value, None, context()))
    step("close the account", lambda: closings.confirm_account_closing(value, ticket("cls"), context()))
    closings.cancel_account_closing(come_in(), context())
    going_on = come_in()
    step("add a contact", lambda: contacts.add_contact(going_on, fresh_address(), context()))
    added = step("prove a contact", lambda: contacts.confirm_added_contact(ticket("adc"), going_on, context()))
    step("list contacts", lambda: contacts.list_contacts(going_on, context()))
    removing = step("remove a contact", lambda: contacts.remove_contact(going_on, added.contact, context()))
    without = removing.next_value.session
    step("ask for another address", lambda: changes.promote_contact(without, fresh_address(), context()))
    new, old = ticket("ccn"), ticket("cco")
    step("confirm at the old address", lambda: changes.confirm_change_old(old, None, context()))
    moved = step("confirm at the new address", lambda: changes.confirm_change_new(new, without, context()))
    change = accounts.passwords.change_password
    last = moved.next_value.session
    step("change the password", lambda: change(last, OTHER_PASSWORD, PASSWORD, context()))
