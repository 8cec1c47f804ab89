"""What every chapter of the story needs: the shop, Ann at her browsers, her mailbox, and a way to tell it."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final, NoReturn, TypeVar

from demo.looking import Ledger, fingerprint
from demo.people import Customer, GaveUp
from demo.postbox import Letter, Postbox
from demo.shop import OpenShop, Place, open_shop
from demo.telling import Teller
from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import DEVICE_COOKIE, FLOW_COOKIE, SetCookie
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import CodeExhausted
from shopaccounts.signin import FactorEnrolment, PasskeyWasAdded, Resumed, SignedIn, SignInStep

__all__ = ["Stage"]

T = TypeVar("T")
_BEGIN: Final = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)


class Stage:
    """Where the story happens.

    Args:
        place: Where the shop's things are.
        postbox: Where its mail arrives.
        teller: Writes the story down.
        customer: Types for Ann.
    """

    def __init__(self, place: Place, postbox: Postbox, teller: Teller, customer: Customer) -> None:
        self._place, self._postbox, self._teller, self._customer = place, postbox, teller, customer
        self._clock, self._ledger = FixedClock(_BEGIN), Ledger()
        self._opened = self._open()
        self._email = self._password = ""
        self._secrets: set[str] = set()
        self._sessions: dict[str, Secret[str]] = {}
        self._cookies: dict[tuple[str, str], Secret[str]] = {}

    def _open(self) -> OpenShop:
        return open_shop(self._place, self._clock)

    # Ann and others at their browsers

    def _at(self, browser: str) -> RequestContext:
        network = ip_address("192.0.2.7" if browser in {"Laptop", "Phone"} else "198.51.100.9")
        return RequestContext(
            secure=True,
            client_ip=network,
            user_agent=browser,
            device=self._cookies.get((browser, DEVICE_COOKIE)),
            binding=self._cookies.get((browser, FLOW_COOKIE)),
        )

    def _sign_in(self, browser: str, password: str) -> None:
        signin = self._opened.shop.signin
        self._come_in(signin.sign_in_with_password(self._email, password, self._at(browser)), browser)

    def _come_in(self, step: SignInStep, browser: str) -> None:
        if not isinstance(step, SignedIn):
            self._go_astray()
        self._keep_session(browser, step.session)
        self._keep_cookies(browser, step.set_cookies)

    def _go_on(self, browser: str, done: FactorEnrolment | PasskeyWasAdded) -> None:
        if done.next_value is None:
            self._go_astray()
        self._keep_session(browser, done.next_value.session)

    def _keep_session(self, browser: str, session: Secret[str]) -> None:
        self._sessions[browser] = session
        self._keep_secret(session.reveal())

    def _keep_cookies(self, browser: str, cookies: Iterable[SetCookie]) -> None:
        for cookie in cookies:
            self._cookies[browser, cookie.name] = cookie.value
            self._keep_secret(cookie.value.reveal())

    def _is_in(self, browser: str) -> bool:
        return isinstance(self._opened.shop.sessions.resume(self._sessions[browser], self._at(browser)), Resumed)

    def _set_password(self, token: str, suggestion: str) -> None:
        self._until_accepted(lambda: self._send_new_password(token, suggestion))
        self._teller.say("She opens the link and chooses a new password. It signs nobody in.")

    def _send_new_password(self, token: str, suggestion: str) -> None:
        password = self._customer.types("New password", suggestion, hidden=True)
        self._keep_secret(password)
        self._opened.shop.recovery.reset_password(Secret(token), password, self._at("Laptop"))
        self._password = password

    def _scanned(self, open_link: Callable[[], object], text: str) -> None:
        """Let a mail scanner open a link, and see that nothing happens."""
        before = fingerprint(self._place)
        open_link()
        self._must(fingerprint(self._place) == before, text)

    # What is shown

    def _read_mail(self) -> Letter:
        letter = self._postbox.next()
        self._teller.quote(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text.strip()}")
        return letter

    def _glance_at_mails(self, count: int) -> list[Letter]:
        """Answer the next mails, of which only the subjects are shown."""
        letters = sorted((self._postbox.next() for _ in range(count)), key=lambda letter: letter.subject)
        self._teller.quote("\n".join(f"To: {letter.to}, Subject: {letter.subject}" for letter in letters))
        return letters

    def _ticket(self, letters: list[Letter], page: str) -> Secret[str]:
        """Answer the ticket in the link to one of the shop's pages, from whichever mail has it."""
        letter = next(letter for letter in letters if f"{page}?" in letter.text)
        ticket = letter.link_to(page).rpartition("token=")[2]
        self._keep_secret(ticket)
        return Secret(ticket)

    def _show_stored(self) -> None:
        self._teller.stored(self._ledger.news(self._opened))

    def _keep_secret(self, secret: str) -> None:
        self._secrets.add(secret)

    # How it goes on

    def _until_accepted(self, act: Callable[[], T]) -> T:
        """Let the customer try again what the shop refuses; the script is never refused."""
        while True:
            try:
                return act()
            except Rejected as no:
                if not self._customer.is_typing:
                    raise
                self._teller.say(_worded(no))
                if isinstance(no, CodeExhausted):
                    raise GaveUp from no
                if isinstance(no, Throttled):
                    self._clock.advance(no.retry_after)

    def _refused(self, act: Callable[[], object], kind: type[Rejected]) -> str:
        """Answer what the page says when something is refused."""
        try:
            act()
        except kind as no:
            return Messages("en").say(no)
        msg = f"this should have been refused: {kind.code}"
        raise RuntimeError(msg)

    def _must(self, holds: bool, text: str) -> None:  # noqa: FBT001  (what is to hold)
        """Tell what holds, or stop the story."""
        if not holds:
            msg = f"this did not hold: {text}"
            raise RuntimeError(msg)
        self._teller.good(text)

    def _go_astray(self) -> NoReturn:
        msg = "the story went another way"
        raise RuntimeError(msg)


def _worded(no: Rejected) -> str:
    if isinstance(no, PasswordUnacceptable):
        return "That password won't do: " + ", ".join(finding.code.value.replace("_", " ") for finding in no.findings)
    return Messages("en").say(no)
