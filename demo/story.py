"""The story: Ann opens an account, gets her password wrong, loses it, and the shop loses its power. Twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final, TypeVar

import attrs

from demo.doomed import die_before_the_commit, die_before_the_mail
from demo.looking import Ledger, contains, fingerprint
from demo.people import Customer, GaveUp
from demo.postbox import Letter, Postbox
from demo.shop import OpenShop, Place, open_shop
from demo.telling import Teller
from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.errors import Rejected, Throttled
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import DEVICE_COOKIE
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import CodeExhausted, CodeWrong, Registered, RegistrationForm, RegistrationStarted
from shopaccounts.signin import NoSession, SignedIn, SignInRefused, SignInStep

__all__ = ["Story"]

T = TypeVar("T")
_BEGIN: Final = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)
_MINUTE: Final = timedelta(minutes=1)
_WRONG_TRIES: Final = 5
_FIRST: Final = "four lamps and a moth in winter"
_SECOND: Final = "eleven candles under the stairs"
_THIRD: Final = "a lighthouse asleep behind the hill"


class Story:
    """What happens in one morning at the shop.

    Args:
        place: Where the shop's things are.
        postbox: Where its mail arrives.
        teller: Writes the story down.
        customer: Types for Ann.
    """

    def __init__(self, place: Place, postbox: Postbox, teller: Teller, customer: Customer) -> None:
        self._place, self._postbox, self._teller, self._customer = place, postbox, teller, customer
        self._devices: dict[str, Secret[str]] = {}
        self._clock, self._ledger = FixedClock(_BEGIN), Ledger()
        self._opened = self._open()
        self._email = self._password = ""
        self._secrets: list[str] = []
        self._sessions: list[SignedIn] = []

    def tell(self) -> None:
        """Tell it from the beginning to the end."""
        try:
            self._begin()
            started, letter = self._register()
            self._scan(letter.token)
            self._verify(started, letter)
            self._get_it_wrong()
            self._sign_in_twice()
            self._recover()
            token = self._lose_power_before_the_mail()
            self._lose_power_before_the_commit(token)
            self._end()
        finally:
            self._opened.storage.close()

    def _begin(self) -> None:
        self._teller.say(
            "A shop opens on a fresh SQLite file. A mail server listens on this machine and takes all mail. The "
            "clock of this story is moved by hand, so nobody has to wait."
        )

    # Ann opens an account

    def _register(self) -> tuple[RegistrationStarted, Letter]:
        self._teller.chapter("Ann opens an account")
        started = self._until_accepted(self._send_form)
        self._teller.say(f"The page says: look into your mailbox, {started.masked}. It says so for every address.")
        letter = self._read_mail()
        self._keep_secret(letter.token)
        self._show_stored()
        return started, letter

    def _send_form(self) -> RegistrationStarted:
        self._email = self._customer.types("E-mail address", "ann@winter.example")
        self._password = self._customer.types("Password", _FIRST, hidden=True)
        self._teller.say(f"Ann fills in the form: {self._email} and a password.")
        form = RegistrationForm(identifier=self._email, password=self._password)
        return self._opened.shop.registration.register(form, _browser("Laptop"))

    def _scan(self, token: str) -> None:
        self._teller.chapter("A scanner opens the link first")
        before = fingerprint(self._place)
        for _ in range(3):
            self._opened.shop.registration.peek_contact(Secret(token), _browser("Mail scanner"))
        self._teller.say("Ann's mail provider opens each link, three times. It sees a page; nobody presses its button.")
        self._must(fingerprint(self._place) == before, "Every row of the database is as it was.")

    def _verify(self, started: RegistrationStarted, letter: Letter) -> None:
        self._teller.chapter("Ann proves that the address is hers")
        wrong = f"{(int(letter.code) + 1) % 10**6:06}"
        refused = self._refused(lambda: self._complete(started, wrong), CodeWrong)
        self._teller.say(f"She mistypes the code: {wrong}. The page says: {refused}")
        registered = self._until_accepted(
            lambda: self._complete(started, self._customer.types("Code from the mail", letter.code))
        )
        self._come_in(registered.step)
        self._teller.say(f"Then {letter.code}. The account is hers, and she is signed in.")
        self._show_stored()

    def _complete(self, started: RegistrationStarted, code: str) -> Registered:
        return self._opened.shop.registration.complete_registration(started.handle, code, _browser("Laptop"))

    # Ann gets her password wrong

    def _get_it_wrong(self) -> None:
        self._teller.chapter("Ann gets her password wrong")
        self._opened.shop.sessions.sign_out(self._sessions.pop().session, _browser("Laptop"))
        self._teller.say(f"She signs out. On another day she types a wrong password, {_WRONG_TRIES} times.")
        self._clock.advance(timedelta(days=1))
        for _ in range(_WRONG_TRIES):
            refused = self._refused(lambda: self._sign_in("Laptop", "lamps and a moth, was it?"), SignInRefused)
        self._teller.say(f"Each time the page says: {refused} It never says which of the two was wrong.")
        try:
            self._sign_in("Laptop", self._password)
        except Throttled as held:
            self._teller.say(f"Now even the right one has to wait. The page says: {Messages('en').say(held)}")
            self._clock.advance(held.retry_after)
        else:
            self._must(False, "She has to wait.")  # noqa: FBT003  (a promise that was not kept)
        self._teller.say("The clock moves on. Nobody is locked out; waits grow only while somebody keeps guessing.")
        self._show_stored()

    def _sign_in_twice(self) -> None:
        self._teller.chapter("Ann signs in twice")
        self._until_accepted(lambda: self._sign_in("Laptop", self._typed_password()))
        self._read_mail()
        self._teller.say("A mail tells her that somebody came in after several failures.")
        self._clock.advance(_MINUTE)
        self._sign_in("Phone", self._password)
        self._read_mail()
        self._teller.say("Another one tells her of a device that was never seen before. Each lets her object at once.")
        sessions = self._opened.shop.sessions.list_sessions(self._sessions[-1].session, _browser("Phone"))
        browsers = " and ".join(session.agent for session in sessions)
        self._teller.say(f"On her laptop and on her phone. Her account lists both: {browsers}.")
        self._show_stored()

    def _typed_password(self) -> str:
        return self._customer.types("Password", self._password, hidden=True)

    def _sign_in(self, browser: str, password: str) -> SignInStep:
        context = attrs.evolve(_browser(browser), device=self._devices.get(browser))
        step = self._opened.shop.signin.sign_in_with_password(self._email, password, context)
        self._come_in(step, browser)
        return step

    def _come_in(self, step: SignInStep, browser: str = "Laptop") -> None:
        self._must_be(isinstance(step, SignedIn))
        if isinstance(step, SignedIn):
            self._sessions.append(step)
            self._keep_secret(step.session.reveal())
            kept = {cookie.name: cookie.value for cookie in step.set_cookies}
            if DEVICE_COOKIE in kept:
                self._devices[browser] = kept[DEVICE_COOKIE]
                self._keep_secret(kept[DEVICE_COOKIE].reveal())

    # Ann loses her password

    def _recover(self) -> None:
        self._teller.chapter("Ann loses her password")
        recovery = self._opened.shop.recovery
        self._clock.advance(timedelta(hours=1))
        stranger = recovery.request_reset("nobody@elsewhere.example", _browser("Laptop"))
        is_quiet = self._postbox.is_empty
        answer = recovery.request_reset(self._email, _browser("Laptop"))
        self._teller.say(f"She asks for a link and is told: if {answer.masked} is known here, a mail is on its way.")
        same = attrs.evolve(stranger, masked=answer.masked) == answer
        self._must(is_quiet and same, "An address that nobody has gets the same answer, and no mail.")
        letter = self._read_mail()
        self._keep_secret(letter.token)
        self._scan_reset(letter.token)
        self._set_password(letter.token, _SECOND)
        self._read_mail()
        self._teller.say("Every address of hers is told that the password has changed.")
        gone = [isinstance(self._resumed(signed_in), NoSession) for signed_in in self._sessions]
        self._must(all(gone) and len(gone) > 1, "Laptop and phone are signed out, and the old password opens nothing.")
        self._refused(lambda: self._sign_in("Laptop", self._password), SignInRefused)
        self._show_stored()

    def _scan_reset(self, token: str) -> None:
        before = fingerprint(self._place)
        self._opened.shop.recovery.peek_reset(Secret(token), _browser("Mail scanner"))
        self._must(fingerprint(self._place) == before, "The scanner opens this link, too, and nothing happens.")

    def _set_password(self, token: str, suggestion: str) -> None:
        self._until_accepted(lambda: self._send_new_password(token, suggestion))
        self._teller.say("She opens the link and chooses a new password. It signs nobody in.")

    def _send_new_password(self, token: str, suggestion: str) -> None:
        password = self._customer.types("New password", suggestion, hidden=True)
        self._keep_secret(password)
        self._opened.shop.recovery.reset_password(Secret(token), password, _browser("Laptop"))

    def _resumed(self, signed_in: SignedIn) -> object:
        return self._opened.shop.sessions.resume(signed_in.session, _browser("Laptop"))

    # The shop loses its power

    def _lose_power_before_the_mail(self) -> str:
        self._teller.chapter("The process is killed between the commit and the mail")
        self._opened.storage.close()
        self._clock.advance(timedelta(hours=1))
        code = die_before_the_mail(self._place, self._clock.now(), self._email)
        self._teller.say(f"Ann asks for another link. The process stores that and is killed (signal {-code}).")
        self._must(self._postbox.is_empty, "No mail had left.")
        self._opened = self._open()
        self._show_stored()
        self._teller.say("The shop starts again, looks what is to be done, and sends the mail:")
        report = self._opened.shop.upkeep.tick()
        letter = self._read_mail()
        self._keep_secret(letter.token)
        self._must(report.finished and self._postbox.is_empty, "It came once. Nothing was lost.")
        self._show_stored()
        return letter.token

    def _lose_power_before_the_commit(self, token: str) -> None:
        self._teller.chapter("The process is killed in the middle of a change")
        before = fingerprint(self._place)
        self._opened.storage.close()
        code = die_before_the_commit(self._place, self._clock.now(), token, _THIRD)
        self._teller.say(
            "Ann sends her new password. The used link, the password, the end of all sessions, events and a mail are "
            f"written, and right before the commit the process is killed (signal {-code})."
        )
        self._opened = self._open()
        self._must(
            fingerprint(self._place) == before, "After the restart every row is as it was. Nothing is half done."
        )
        self._set_password(token, _THIRD)
        self._read_mail()
        self._teller.say("This time it went through, with the same link: it had not been used.")
        self._show_stored()

    # The end

    def _end(self) -> None:
        self._teller.chapter("What a thief of the database would find")
        self._keep_secret(self._email)
        self._keep_secret(self._password)
        self._must_be(contains(self._place, "signin.signed_in"))
        found = [secret for secret in self._secrets if contains(self._place, secret)]
        self._must(not found, f"Of {len(self._secrets)} passwords, links, sessions, addresses none stands in the file.")
        self._teller.say("The end. Nothing was lost, nothing happened twice, and the folder of this demo is removed.")

    # How it is told

    def _open(self) -> OpenShop:
        return open_shop(self._place, self._clock)

    def _read_mail(self) -> Letter:
        letter = self._postbox.next()
        self._teller.quote(f"To: {letter.to}\nSubject: {letter.subject}\n\n{letter.text.strip()}")
        return letter

    def _show_stored(self) -> None:
        self._teller.stored(self._ledger.news(self._opened))

    def _keep_secret(self, secret: str) -> None:
        self._secrets.append(secret)

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

    def _must_be(self, holds: bool) -> None:  # noqa: FBT001  (what is to hold)
        if not holds:
            msg = "the story went another way"
            raise RuntimeError(msg)


def _browser(name: str) -> RequestContext:
    return RequestContext(secure=True, client_ip=ip_address("192.0.2.7"), user_agent=name)


def _worded(no: Rejected) -> str:
    if isinstance(no, PasswordUnacceptable):
        return "That password won't do: " + ", ".join(finding.code.value.replace("_", " ") for finding in no.findings)
    return Messages("en").say(no)
