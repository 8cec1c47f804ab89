"""Two chapters of the story: somebody else is in Ann's account, and she gets it back without signing in."""

from datetime import timedelta
from typing import Final

from demo.stage import Stage
from shopaccounts.registration import ConfirmationNeeded, ContactChanged
from shopaccounts.signin import PasswordChangeNeeded, SignInRefused

__all__ = ["Strangers"]

_THIRD: Final = "a kettle sings in the blue kitchen"
_ELSEWHERE: Final = "ann@spring.example"


class Strangers(Stage):
    """What the links in notices are for."""

    def _object(self) -> None:
        self._teller.chapter("Somebody else knows her password")
        self._clock.advance(timedelta(hours=1))
        self._sign_in("Laptop", self._password)
        self._clock.advance(timedelta(minutes=5))
        self._sign_in("Desktop", self._password)
        self._teller.say("Somebody signs in from a computer that is not hers. She reads in her mailbox:")
        notice = self._read_mail()
        ticket, objections = self._ticket([notice], "/account/not-me-sign-in"), self._opened.shop.objections
        self._scanned(
            lambda: objections.peek_not_me_sign_in(ticket, self._at("Mail scanner")),
            "Her mail scanner opens that link as well, and nothing happens.",
        )
        objections.not_me_sign_in(ticket, self._at("Phone"))
        self._teller.say('She presses "That wasn\'t me" on her phone, where she is not signed in.')
        self._glance_at_mails(2)
        gone = not self._is_in("Desktop") and not self._is_in("Laptop")
        self._must(gone, "Everybody is signed out, the stranger too.")
        self._clock.advance(timedelta(minutes=5))
        step = self._opened.shop.signin.sign_in_with_password(self._email, self._password, self._at("Desktop"))
        told = isinstance(step, PasswordChangeNeeded) and step.via == "mailbox" and step.session is None
        self._must(told, "The stranger's password no longer opens the account: a new one is set by her mailbox only.")
        self._set_password(self._ticket(self._glance_at_mails(1), "/new-password").reveal(), _THIRD)
        self._glance_at_mails(1)
        self._show_stored()

    def _take_back(self) -> None:
        self._teller.chapter("Her e-mail address is changed, and she takes it back")
        self._clock.advance(timedelta(hours=1))
        self._sign_in("Laptop", self._password)
        at_laptop, changes = self._at("Laptop"), self._opened.shop.contact_changes
        changes.promote_contact(self._sessions["Laptop"], _ELSEWHERE, at_laptop)
        self._keep_secret(_ELSEWHERE)
        self._teller.say(
            "Ann leaves her laptop open, and her mailbox too. Somebody asks there to sign in by another address from "
            "now on. Nothing changes before both mailboxes have agreed:"
        )
        letters = self._glance_at_mails(3)
        new, old = (self._ticket(letters, f"/account/change-contact-{which}") for which in ("new", "old"))
        half = changes.confirm_change_new(new, self._sessions["Laptop"], at_laptop)
        done = changes.confirm_change_old(old, self._sessions["Laptop"], at_laptop)
        if not isinstance(half, ConfirmationNeeded) or not isinstance(done, ContactChanged):
            self._go_astray()
        self._teller.say("Both have agreed. The old mailbox and the new one are told:")
        undo = self._ticket(self._glance_at_mails(3), "/account/undo-contact-change")
        self._refused(lambda: self._sign_in("Phone", self._password), SignInRefused)
        self._show_stored()
        self._clock.advance(timedelta(days=10))
        changes.reverse_contact_change(undo, self._at("Phone"))
        self._teller.say("Ten days later Ann finds the mail in her old mailbox, and takes the change back.")
        self._glance_at_mails(2)
        self._must(not self._is_in("Laptop"), "Her address counts again, and everybody is signed out.")
        self._show_stored()
