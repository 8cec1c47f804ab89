"""The story: Ann opens an account, loses her password, throws strangers out, and gets by without a password at last.

The shop loses its power. Twice.
"""

from datetime import timedelta
from typing import Final

import attrs

from demo.coffee import tell_of_coffee
from demo.doomed import die_before_the_commit, die_before_the_mail
from demo.looking import contains, fingerprint
from demo.postbox import Letter
from demo.second_steps import SecondSteps
from demo.strangers import Strangers
from shopaccounts.adapters.babel import Messages
from shopaccounts.kernel.errors import Throttled
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import CodeWrong, Registered, RegistrationForm, RegistrationStarted
from shopaccounts.signin import SignInRefused

__all__ = ["Story"]

_MINUTE: Final = timedelta(minutes=1)
_WRONG_TRIES: Final = 5
_FIRST: Final = "four lamps and a moth in winter"
_SECOND: Final = "eleven candles under the stairs"
_FOURTH: Final = "a lighthouse asleep behind the hill"


class Story(Strangers, SecondSteps):
    """What happens to Ann and the shop."""

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
            self._object()
            self._take_back()
            token = self._lose_power_before_the_mail()
            self._lose_power_before_the_commit(token)
            self._add_app()
            self._ask_for_more()
            self._use_recovery_code()
            self._make_passkey()
            self._look_back()
            tell_of_coffee(self._teller)
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
        self._keep_secret(self._password)
        self._teller.say(f"Ann fills in the form: {self._email} and a password.")
        form = RegistrationForm(identifier=self._email, password=self._password)
        return self._opened.shop.registration.register(form, self._at("Laptop"))

    def _scan(self, token: str) -> None:
        self._teller.chapter("A scanner opens the link first")
        self._teller.say("Ann's mail provider opens each link, three times. It sees a page; nobody presses its button.")
        peek, scanner = self._opened.shop.registration.peek_contact, self._at("Mail scanner")
        self._scanned(
            lambda: [peek(Secret(token), scanner) for _ in range(3)], "Every row of the database is as it was."
        )

    def _verify(self, started: RegistrationStarted, letter: Letter) -> None:
        self._teller.chapter("Ann proves that the address is hers")
        wrong = f"{(int(letter.code) + 1) % 10**6:06}"
        refused = self._refused(lambda: self._complete(started, wrong), CodeWrong)
        self._teller.say(f"She mistypes the code: {wrong}. The page says: {refused}")
        registered = self._until_accepted(
            lambda: self._complete(started, self._customer.types("Code from the mail", letter.code))
        )
        self._come_in(registered.step, "Laptop")
        self._teller.say(f"Then {letter.code}. The account is hers, and she is signed in.")
        self._show_stored()

    def _complete(self, started: RegistrationStarted, code: str) -> Registered:
        return self._opened.shop.registration.complete_registration(started.handle, code, self._at("Laptop"))

    # Ann gets her password wrong

    def _get_it_wrong(self) -> None:
        self._teller.chapter("Ann gets her password wrong")
        self._opened.shop.sessions.sign_out(self._sessions["Laptop"], self._at("Laptop"))
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
            self._go_astray()
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
        self._show_sessions("Phone")
        self._show_stored()

    def _show_sessions(self, browser: str) -> None:
        asked, given = self._opened.shop.sessions, (self._sessions[browser], self._at(browser))
        sessions, devices = asked.list_sessions(*given), asked.list_devices(*given)
        self._teller.say("Her account shows where she is signed in, and which devices it knows:")
        lines = [f"{s.device}, since {s.created_at:%d %b %H:%M}{', this one' if s.current else ''}" for s in sessions]
        known = ", ".join(device.label for device in devices)
        self._teller.quote("\n".join([*lines, f"Devices that we know: {known}"]))

    def _typed_password(self) -> str:
        return self._customer.types("Password", self._password, hidden=True)

    # Ann loses her password

    def _recover(self) -> None:
        self._teller.chapter("Ann loses her password")
        recovery = self._opened.shop.recovery
        self._clock.advance(timedelta(hours=1))
        stranger = recovery.request_reset("nobody@elsewhere.example", self._at("Laptop"))
        is_quiet = self._postbox.is_empty
        answer = recovery.request_reset(self._email, self._at("Laptop"))
        self._teller.say(f"She asks for a link and is told: if {answer.masked} is known here, a mail is on its way.")
        same = attrs.evolve(stranger, masked=answer.masked) == answer
        self._must(is_quiet and same, "An address that nobody has gets the same answer, and no mail.")
        letter = self._read_mail()
        self._keep_secret(letter.token)
        self._scanned(
            lambda: recovery.peek_reset(Secret(letter.token), self._at("Mail scanner")),
            "The scanner opens this link, too, and nothing happens.",
        )
        earlier = self._password
        self._set_password(letter.token, _SECOND)
        self._read_mail()
        self._teller.say("Every address of hers is told that the password has changed.")
        gone = not self._is_in("Laptop") and not self._is_in("Phone")
        self._must(gone, "Laptop and phone are signed out, and the old password opens nothing.")
        self._refused(lambda: self._sign_in("Laptop", earlier), SignInRefused)
        self._show_stored()

    # The shop loses its power

    def _lose_power_before_the_mail(self) -> str:
        self._teller.chapter("The process is killed between the commit and the mail")
        self._opened.storage.close()
        self._clock.advance(timedelta(hours=1))
        code = die_before_the_mail(self._place, self._clock.now(), self._email)
        self._teller.say(
            f"Ann asks for a link to choose a password. The process stores that and is killed (signal {-code})."
        )
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
        code = die_before_the_commit(self._place, self._clock.now(), token, _FOURTH)
        self._teller.say(
            "Ann sends her new password. The used link, the password, the end of all sessions, events and a mail are "
            f"written, and right before the commit the process is killed (signal {-code})."
        )
        self._opened = self._open()
        self._must(
            fingerprint(self._place) == before, "After the restart every row is as it was. Nothing is half done."
        )
        self._set_password(token, _FOURTH)
        self._read_mail()
        self._teller.say("This time it went through, with the same link: it had not been used.")
        self._show_stored()

    # The end

    def _look_back(self) -> None:
        self._teller.chapter("Ann looks back")
        self._show_sessions("Laptop")
        history = self._opened.shop.history.security_history(self._sessions["Laptop"], self._at("Laptop"), limit=100)
        self._teller.say("And everything that happened to it, newest first; strangers who only tried stand nowhere:")
        self._teller.quote("\n".join(f"{e.at:%d %b %H:%M}  {e.what}, by {e.by.value}" for e in history.items))
        self._show_stored()

    def _end(self) -> None:
        self._teller.chapter("What a thief of the database would find")
        self._keep_secret(self._email)
        if not contains(self._place, "signin.signed_in"):
            self._go_astray()
        found = [secret for secret in self._secrets if contains(self._place, secret)]
        self._must(not found, f"Of {len(self._secrets)} passwords, links, sessions, addresses none stands in the file.")
        self._teller.say("The end. Nothing was lost, nothing happened twice, and the folder of this demo is removed.")
