"""The pages behind the links in mails, one pair each: the first asks, the second does it.

Nobody needs to be signed in here, unless a docstring says so. Scanners open links, so opening one changes nothing.
"""

from flask import Blueprint, Response

from flask_shop.web import enter, field, go, guide, keep_cookies_of, page, the_shop, token, visit
from shop_common import QUESTIONS
from shopaccounts.customers import ClosingDeferred
from shopaccounts.kernel.errors import Rejected
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import (
    ConfirmationNeeded,
    ContactChanged,
    HolderUnknown,
    InvitationForAnotherContact,
    RegistrationForm,
)

__all__ = ["pages"]

pages = Blueprint("links", __name__)


# In every security notice


@pages.get("/account/not-me-sign-in")
def show_not_me_sign_in() -> Response:
    """Ask whether somebody else signed in."""
    return ask("not_me_sign_in", the_shop().objections.peek_not_me_sign_in(token(), visit().context))


@pages.post("/account/not-me-sign-in")
def not_me_sign_in() -> Response:
    """Take the account out of the hands of whoever signed in."""
    the_shop().objections.not_me_sign_in(token(), visit().context)
    return go("/sign-in", note="protected")


@pages.get("/account/not-me-change")
def show_not_me_change() -> Response:
    """Ask whether somebody else changed the account."""
    return ask("not_me_change", the_shop().objections.peek_not_me_change(token(), visit().context))


@pages.post("/account/not-me-change")
def not_me_change() -> Response:
    """Take the account out of the hands of whoever changed it."""
    the_shop().objections.not_me_change(token(), visit().context)
    return go("/sign-in", note="protected")


@pages.get("/account/freeze-account")
def show_freeze() -> Response:
    """Ask whether to stop the account."""
    return ask("freeze", the_shop().customers.peek_freeze(token(), visit().context))


@pages.post("/account/freeze-account")
def freeze() -> Response:
    """Stop the account."""
    the_shop().customers.freeze_account(token(), visit().context)
    return go("/sign-in", note="frozen")


# Addresses


@pages.get("/account/add-contact")
def show_add_contact() -> Response:
    """Ask whether the address is theirs."""
    return ask("add_contact", the_shop().contacts.peek_added_contact(token(), visit().context))


@pages.post("/account/add-contact")
def add_contact() -> Response:
    """Add the address, in the session that asked or in one that was signed in to just now."""
    added = the_shop().contacts.confirm_added_contact(token(), visit().session, visit().context)
    if isinstance(added, HolderUnknown):
        return go("/sign-in", note="elsewhere")
    return go("/account/contacts", note="contact-added")


@pages.get("/account/check-contact")
def show_check_contact() -> Response:
    """Ask whether mail arrives."""
    return ask("check_contact", the_shop().contact_care.peek_contact_check(token(), visit().context))


@pages.post("/account/check-contact")
def check_contact() -> Response:
    """Note that it does."""
    the_shop().contact_care.answer_contact_check(token(), visit().context)
    return go("/", note="contact-works")


@pages.get("/account/change-contact-new")
def show_change_at_new() -> Response:
    """Ask the new mailbox."""
    return ask_about_change("change_contact")


@pages.post("/account/change-contact-new")
def change_at_new() -> Response:
    """Prove the new address, in the session that asked or in one that was signed in to just now."""
    return changed(the_shop().contact_changes.confirm_change_new(token(), visit().session, visit().context))


@pages.get("/account/change-contact-old")
def show_change_at_old() -> Response:
    """Ask the old mailbox."""
    return ask_about_change("change_contact")


@pages.post("/account/change-contact-old")
def change_at_old() -> Response:
    """Agree from the old address."""
    return changed(the_shop().contact_changes.confirm_change_old(token(), visit().session, visit().context))


@pages.get("/account/undo-contact-change")
def show_undo_change() -> Response:
    """Ask the old mailbox whether to take the change back."""
    return ask_about_change("undo_change")


@pages.post("/account/undo-contact-change")
def undo_change() -> Response:
    """Take the change back; every device is signed out."""
    the_shop().contact_changes.reverse_contact_change(token(), visit().context)
    return go("/sign-in", note="change-undone")


def ask_about_change(question: str) -> Response:
    """Answer the page of any link of a change."""
    return ask(question, the_shop().contact_changes.peek_contact_change(token(), visit().context))


def changed(step: ContactChanged | ConfirmationNeeded | HolderUnknown) -> Response:
    """Say how far the change is."""
    keep_cookies_of(step)
    match step:
        case HolderUnknown():
            return go("/sign-in", note="elsewhere")
        case ConfirmationNeeded():
            return go("/", note="change-half-done")
        case ContactChanged():
            return go("/", note="change-done")


# Leaving


@pages.get("/account/close-account")
def show_close() -> Response:
    """Ask once more, in the session that asked for the link."""
    offer = the_shop().closings.peek_account_closing(visit().require_session(), token(), visit().context)
    return ask("close_account", offer)


@pages.post("/account/close-account")
def close() -> Response:
    """Begin the time of grace, in the session that asked for the link; every device is signed out."""
    closing = the_shop().closings.confirm_account_closing(visit().require_session(), token(), visit().context)
    return go("/", note="closing-waits" if isinstance(closing, ClosingDeferred) else "closing")


# An invitation


@pages.get("/invitation")
def show_invitation() -> Response:
    """Show the invitation, with a form for who has no account."""
    return invitation()


@pages.post("/invitation")
def accept_invitation() -> Response:
    """Open an account with the invited address; the link has proven it."""
    form = RegistrationForm(identifier=field("email"), password=field("password"))
    try:
        registered = the_shop().invitations.accept_invitation(token(), form, visit().context)
    except (PasswordUnacceptable, InvitationForAnotherContact) as no:
        return invitation(no)
    return enter(registered.step)


@pages.post("/invitation/accept")
def accept_with_account() -> Response:
    """Accept with the account that one is signed in to."""
    the_shop().invitations.accept_with_account(token(), visit().require_session(), visit().context)
    return go("/account", note="invitation-accepted")


@pages.post("/invitation/decline")
def decline_invitation() -> Response:
    """Say no."""
    the_shop().invitations.decline_invitation(token(), visit().context)
    return go("/", note="invitation-declined")


def invitation(rejected: Rejected | None = None) -> Response:
    """Answer the page of an invitation."""
    offer = the_shop().invitations.peek_invitation(token(), visit().context)
    return page("invitation.html", rejected=rejected, offer=offer, guide=guide())


def ask(question: str, offer: object) -> Response:
    """Answer a page with one question; its button sends the ticket back."""
    return page("question.html", question=QUESTIONS[question], offer=offer)
