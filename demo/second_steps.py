"""Four chapters of the story: a password alone is not enough any more, and then there is no password at all."""

from datetime import timedelta
from typing import Final

from demo.stage import Stage
from shopaccounts.kernel.assurance import Level
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import (
    Answer,
    CodeWrong,
    RecoveryCodeAnswer,
    SecondFactorNeeded,
    SignedIn,
    SignInStep,
    TotpCode,
)
from shopaccounts.testing.apps import AuthenticatorApp
from shopaccounts.testing.authenticator import SoftwareAuthenticator

__all__ = ["SecondSteps"]

_HOUR: Final = timedelta(hours=1)


class SecondSteps(Stage):
    """What Ann has besides her password."""

    _app: AuthenticatorApp
    _codes: list[Secret[str]]

    def _add_app(self) -> None:
        self._teller.chapter("Ann adds a second step")
        self._clock.advance(_HOUR)
        self._sign_in("Laptop", self._password)
        factors, session, at_laptop = self._opened.shop.factors, self._sessions["Laptop"], self._at("Laptop")
        started = factors.start_totp(session, "Phone", at_laptop)
        self._keep_secret(started.secret.reveal())
        self._app = AuthenticatorApp(started.uri, self._clock)
        self._teller.say(
            "Her account shows a picture, and she scans it with an app on her phone. It is shown this once."
        )
        done = factors.confirm_totp(session, self._app.code(), at_laptop)
        self._codes = list(done.recovery_codes)
        for code in self._codes:
            self._keep_secret(code.reveal())
        self._go_on("Laptop", done)
        self._teller.say(
            "She types the code that the app shows. Now she gets recovery codes, which are shown this once too:"
        )
        self._teller.quote("\n".join(code.reveal() for code in self._codes))
        self._glance_at_mails(1)
        self._show_stored()

    def _ask_for_more(self) -> None:
        self._teller.chapter("The password alone is not enough any more")
        self._teller.say("Somebody at another computer has seen her type her password.")
        asked = self._begin_sign_in("Desktop")
        self._teller.say(
            "The right password opens nothing there: the shop asks for a code, and says how it can be given:"
        )
        self._teller.quote("\n".join(option.kind.replace("_", " ") for option in asked.options))
        said = self._refused(lambda: self._answer("Desktop", asked, TotpCode("123456")), CodeWrong)
        self._teller.say(f"A guess is answered by: {said}")
        self._clock.advance(self._app.period)
        code = TotpCode(self._app.code())
        self._come_in(self._answer("Phone", self._begin_sign_in("Phone"), code), "Phone")
        self._teller.say("Ann signs in on her phone, with the password and the code of her app.")
        self._refused(lambda: self._answer("Desktop", asked, code), CodeWrong)
        self._teller.good("Whoever looked over her shoulder can't use that code: each opens an account once.")
        self._show_stored()

    def _use_recovery_code(self) -> None:
        self._teller.chapter("Ann's phone is at the bottom of a lake")
        self._clock.advance(_HOUR)
        used = RecoveryCodeAnswer(self._codes[0].reveal())
        self._come_in(self._answer("Laptop", self._begin_sign_in("Laptop"), used), "Laptop")
        self._teller.say("At home she has the recovery codes, on paper. One of them stands in for the app:")
        self._read_mail()
        again = self._begin_sign_in("Laptop")
        self._refused(lambda: self._answer("Laptop", again, used), CodeWrong)
        self._teller.good("Each of them works once.")
        self._show_stored()

    def _make_passkey(self) -> None:
        self._teller.chapter("Ann makes a passkey, and signs in with it")
        passkeys, at_laptop = self._opened.shop.passkeys, self._at("Laptop")
        asked = passkeys.start_adding(self._sessions["Laptop"], at_laptop)
        laptop = SoftwareAuthenticator(entropy=SystemEntropy())
        made = laptop.create(asked.options)
        self._go_on("Laptop", passkeys.add_passkey(self._sessions["Laptop"], asked.handle, made, "Laptop", at_laptop))
        self._teller.say(
            "Her laptop has a reader for fingerprints. Its key never leaves it; the shop gets the other half."
        )
        self._glance_at_mails(1)
        self._opened.shop.sessions.sign_out(self._sessions["Laptop"], self._at("Laptop"))
        self._clock.advance(_HOUR)
        door = self._opened.shop.passkey_signin
        question = door.passkey_options(self._at("Laptop"))
        step = door.sign_in_with_passkey(question.handle, laptop.get(question.options), self._at("Laptop"))
        self._come_in(step, "Laptop")
        self._teller.say("The next time she touches the reader. She types nothing: no address, no password, no code.")
        is_enough = isinstance(step, SignedIn) and step.auth.level is Level.MULTI
        self._must(is_enough, "That counts as two factors: the laptop, and her finger on it.")
        self._show_stored()

    def _begin_sign_in(self, browser: str) -> SecondFactorNeeded:
        step = self._opened.shop.signin.sign_in_with_password(self._email, self._password, self._at(browser))
        if not isinstance(step, SecondFactorNeeded):
            self._go_astray()
        self._keep_secret(step.progress.reveal())
        self._keep_cookies(browser, step.set_cookies)
        return step

    def _answer(self, browser: str, asked: SecondFactorNeeded, answer: Answer) -> SignInStep:
        return self._opened.shop.second_step.give_second_factor(asked.progress, answer, self._at(browser))
