"""What the pages behind the links in mails ask.

Scanners open links, so opening one only asks (GET), and a button does it (POST, to the same address).
"""

from collections.abc import Mapping
from typing import Final

import attrs

__all__ = ["QUESTIONS", "Question"]


@attrs.frozen
class Question:
    """One such page.

    Args:
        title: Its heading.
        text: What the button will do; ``{offer}`` is what the library answers about the link.
        button: What stands on it.
    """

    title: str
    text: str
    button: str

    def about(self, offer: object) -> str:
        """Answer the text for one link."""
        return self.text.format(offer=offer)


QUESTIONS: Final[Mapping[str, Question]] = {
    "sign_in_link": Question("Sign in", "Sign in as {offer.masked}, on this device?", "Sign me in"),
    "not_me_sign_in": Question(
        "That wasn't you?",
        "We sign out every device and mail you a link for a new password. Until you have chosen one, nobody gets in.",
        "That wasn't me, protect my account",
    ),
    "not_me_change": Question(
        "That wasn't you?",
        "We take the change back as far as we can, sign out every device, and mail you a link for a new password.",
        "That wasn't me, protect my account",
    ),
    "freeze": Question(
        "Stop your account?",
        "Nobody can sign in for two weeks, or until you choose a new password by a link to your mailbox.",
        "Stop my account",
    ),
    "add_contact": Question("Add an address", "Is {offer.masked} yours, and may we write to it?", "Yes, add it"),
    "check_contact": Question("Did our mail arrive?", "Then we know that we can write to you here.", "Yes, it did"),
    "change_contact": Question(
        "Change your address",
        "From now on you sign in by {offer.new} instead of {offer.old}, and every other device is signed out.",
        "Yes, change it",
    ),
    "undo_change": Question(
        "Take the change back?",
        "{offer.old} counts again. What was added to your account since then is gone, every device is signed out, and "
        "you choose a new password.",
        "Take it back",
    ),
    "close_account": Question(
        "Close your account?",
        "Every device is signed out. We close the account on {offer.plan.closes_at:%d %B %Y}; until then you can stay.",
        "Close my account",
    ),
    "stay": Question(
        "Your account is about to be closed",
        "You asked us to close it. It is not too late: with one click everything stays as it was.",
        "I want to stay",
    ),
}
