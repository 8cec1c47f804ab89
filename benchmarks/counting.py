"""How many statements each use-case tells the database."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
    "sign in": 6,
    "refuse a sign-in": 6,
    "resume a session": 1,
    "sign out": 4,
    "sign out everywhere": 4,
    "ask for a reset": 8,
    "reset the password": 8,
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

    def sign_in(password: str) -> Any:
        return accounts.signin.sign_in_with_password(address, password, context())

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
    session = step("sign in", lambda: sign_in(PASSWORD)).session
    step("refuse a sign-in", refused)
    step("resume a session", lambda: accounts.sessions.resume(session, context()))
    step("sign out", lambda: accounts.sessions.sign_out(session, context()))
    session = sign_in(PASSWORD).session
    step("sign out everywhere", lambda: accounts.sessions.sign_out_everywhere(session, context()))
    clock.advance(timedelta(minutes=2))  # one mailbox gets one mail a minute
    step("ask for a reset", lambda: accounts.recovery.request_reset(address, context()))
    link = Secret(shop.mailbox.last["link"].partition("token=")[2])
    step("reset the password", lambda: accounts.recovery.reset_password(link, OTHER_PASSWORD, context()))
    shop.storage.close()
    return heard
