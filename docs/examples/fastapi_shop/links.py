"""The pages behind the links in mails, one pair each: the first asks, the second does it.

Nobody needs to be signed in here, unless a docstring says so. Scanners open links, so opening one changes nothing.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Response

from fastapi_shop.web import Field, ThisVisit, Visit, enter, go
from shop_common import QUESTIONS
from shopaccounts.customers import ClosingDeferred
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import (
    ConfirmationNeeded,
    ContactChanged,
    HolderUnknown,
    InvitationForAnotherContact,
    RegistrationForm,
)

__all__ = ["pages"]

pages = APIRouter(default_response_class=Response)


# In every security notice


@pages.get("/account/not-me-sign-in")
async def show_not_me_sign_in(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether somebody else signed in."""
    offer = await visit.shop.objections.peek_not_me_sign_in(Secret(token), visit.context)
    return ask(visit, "not_me_sign_in", offer, token)


@pages.post("/account/not-me-sign-in")
async def not_me_sign_in(visit: ThisVisit, token: Field = "") -> Response:
    """Take the account out of the hands of whoever signed in."""
    await visit.shop.objections.not_me_sign_in(Secret(token), visit.context)
    return go("/sign-in", note="protected")


@pages.get("/account/not-me-change")
async def show_not_me_change(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether somebody else changed the account."""
    offer = await visit.shop.objections.peek_not_me_change(Secret(token), visit.context)
    return ask(visit, "not_me_change", offer, token)


@pages.post("/account/not-me-change")
async def not_me_change(visit: ThisVisit, token: Field = "") -> Response:
    """Take the account out of the hands of whoever changed it."""
    await visit.shop.objections.not_me_change(Secret(token), visit.context)
    return go("/sign-in", note="protected")


@pages.get("/account/freeze-account")
async def show_freeze(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether to stop the account."""
    offer = await visit.shop.customers.peek_freeze(Secret(token), visit.context)
    return ask(visit, "freeze", offer, token)


@pages.post("/account/freeze-account")
async def freeze(visit: ThisVisit, token: Field = "") -> Response:
    """Stop the account."""
    await visit.shop.customers.freeze_account(Secret(token), visit.context)
    return go("/sign-in", note="frozen")


# Addresses


@pages.get("/account/add-contact")
async def show_add_contact(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether the address is theirs."""
    offer = await visit.shop.contacts.peek_added_contact(Secret(token), visit.context)
    return ask(visit, "add_contact", offer, token)


@pages.post("/account/add-contact")
async def add_contact(visit: ThisVisit, token: Field = "") -> Response:
    """Add the address, in the session that asked or in one that was signed in to just now."""
    added = await visit.shop.contacts.confirm_added_contact(Secret(token), visit.session, visit.context)
    if isinstance(added, HolderUnknown):
        return go("/sign-in", note="elsewhere")
    return go("/account/contacts", note="contact-added")


@pages.get("/account/check-contact")
async def show_check_contact(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether mail arrives."""
    offer = await visit.shop.contact_care.peek_contact_check(Secret(token), visit.context)
    return ask(visit, "check_contact", offer, token)


@pages.post("/account/check-contact")
async def check_contact(visit: ThisVisit, token: Field = "") -> Response:
    """Note that it does."""
    await visit.shop.contact_care.answer_contact_check(Secret(token), visit.context)
    return go("/", note="contact-works")


@pages.get("/account/change-contact-new")
async def show_change_at_new(visit: ThisVisit, token: str = "") -> Response:
    """Ask the new mailbox."""
    return await ask_about_change(visit, "change_contact", token)


@pages.post("/account/change-contact-new")
async def change_at_new(visit: ThisVisit, token: Field = "") -> Response:
    """Prove the new address, in the session that asked or in one that was signed in to just now."""
    changes = visit.shop.contact_changes
    return changed(visit, await changes.confirm_change_new(Secret(token), visit.session, visit.context))


@pages.get("/account/change-contact-old")
async def show_change_at_old(visit: ThisVisit, token: str = "") -> Response:
    """Ask the old mailbox."""
    return await ask_about_change(visit, "change_contact", token)


@pages.post("/account/change-contact-old")
async def change_at_old(visit: ThisVisit, token: Field = "") -> Response:
    """Agree from the old address."""
    changes = visit.shop.contact_changes
    return changed(visit, await changes.confirm_change_old(Secret(token), visit.session, visit.context))


@pages.get("/account/undo-contact-change")
async def show_undo_change(visit: ThisVisit, token: str = "") -> Response:
    """Ask the old mailbox whether to take the change back."""
    return await ask_about_change(visit, "undo_change", token)


@pages.post("/account/undo-contact-change")
async def undo_change(visit: ThisVisit, token: Field = "") -> Response:
    """Take the change back; every device is signed out."""
    await visit.shop.contact_changes.reverse_contact_change(Secret(token), visit.context)
    return go("/sign-in", note="change-undone")


async def ask_about_change(visit: Visit, question: str, token: str) -> Response:
    """Answer the page of any link of a change."""
    offer = await visit.shop.contact_changes.peek_contact_change(Secret(token), visit.context)
    return ask(visit, question, offer, token)


def changed(visit: Visit, step: ContactChanged | ConfirmationNeeded | HolderUnknown) -> Response:
    """Say how far the change is."""
    visit.keep_cookies_of(step)
    match step:
        case HolderUnknown():
            return go("/sign-in", note="elsewhere")
        case ConfirmationNeeded():
            return go("/", note="change-half-done")
        case ContactChanged():
            return go("/", note="change-done")


# Leaving


@pages.get("/account/close-account")
async def show_close(visit: ThisVisit, token: str = "") -> Response:
    """Ask once more, in the session that asked for the link."""
    offer = await visit.shop.closings.peek_account_closing(visit.require_session(), Secret(token), visit.context)
    return ask(visit, "close_account", offer, token)


@pages.post("/account/close-account")
async def close(visit: ThisVisit, token: Field = "") -> Response:
    """Begin the time of grace, in the session that asked for the link; every device is signed out."""
    closing = await visit.shop.closings.confirm_account_closing(visit.require_session(), Secret(token), visit.context)
    return go("/", note="closing-waits" if isinstance(closing, ClosingDeferred) else "closing")


# An invitation


@pages.get("/invitation")
async def show_invitation(visit: ThisVisit, token: str = "") -> Response:
    """Show the invitation, with a form for who has no account."""
    return await invitation(visit, {"token": token})


@pages.post("/invitation")
async def accept_invitation(visit: ThisVisit, token: Field = "", email: Field = "", password: Field = "") -> Response:
    """Open an account with the invited address; the link has proven it."""
    form = RegistrationForm(identifier=email, password=password)
    try:
        registered = await visit.shop.invitations.accept_invitation(Secret(token), form, visit.context)
    except (PasswordUnacceptable, InvitationForAnotherContact) as no:
        return await invitation(visit, {"token": token, "email": email}, no)
    return await enter(visit, registered.step)


@pages.post("/invitation/accept")
async def accept_with_account(visit: ThisVisit, token: Field = "") -> Response:
    """Accept with the account that one is signed in to."""
    await visit.shop.invitations.accept_with_account(Secret(token), visit.require_session(), visit.context)
    return go("/account", note="invitation-accepted")


@pages.post("/invitation/decline")
async def decline_invitation(visit: ThisVisit, token: Field = "") -> Response:
    """Say no."""
    await visit.shop.invitations.decline_invitation(Secret(token), visit.context)
    return go("/", note="invitation-declined")


async def invitation(visit: Visit, form: Mapping[str, str], rejected: Rejected | None = None) -> Response:
    """Answer the page of an invitation."""
    offer = await visit.shop.invitations.peek_invitation(Secret(form["token"]), visit.context)
    return visit.page("invitation.html", rejected=rejected, offer=offer, form=form, guide=visit.guide)


def ask(visit: Visit, question: str, offer: object, token: str) -> Response:
    """Answer a page with one question; its button sends the ticket back."""
    return visit.page("question.html", question=QUESTIONS[question], offer=offer, form={"token": token})
