"""The pages of a customer who is signed in, one function each.

What matters asks for a proof of the last minutes: the library refuses with ``FreshSignInNeeded``, and ``web`` sends the
customer to ``/confirm-identity``.
"""

from contextlib import suppress

from flask import Blueprint, Response, make_response, request

from flask_shop.web import field, go, guide, keep_cookies_of, page, the_shop, visit
from shop_common import QUESTIONS, answer_in, happened, reason_to_stay, ways_to_prove
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.registration import HolderUnknown
from shopaccounts.signin import WayNotOffered

__all__ = ["pages"]

pages = Blueprint("account", __name__)


@pages.get("/account")
def account() -> Response:
    """Show the account."""
    visit().require_session()
    return page("account.html")


@pages.get("/confirm-identity")
def show_confirm_identity() -> Response:
    """Ask for a fresh proof."""
    return ask_again()


@pages.post("/confirm-identity")
def confirm_identity() -> Response:
    """Prove again who one is, and go back to the page that asked for it."""
    session = visit().require_session()
    try:
        keep_cookies_of(the_shop().signin.confirm_identity(session, answer_in(request.form), visit().context))
    except Rejected as no:
        return ask_again(no)
    return go(safe_return_path(field("next")), note="proven")


def ask_again(rejected: Rejected | None = None) -> Response:
    """Answer the page that asks for a fresh proof, by one of the ways that the library named."""
    given = (visit().require_session(), visit().context)
    methods = request.values.get("by", "").split()
    ways, passkey = ways_to_prove(methods, the_shop().factors.factors(*given).factors), None
    if "passkey" in ways:
        with suppress(WayNotOffered):  # the account has none
            passkey = the_shop().passkey_signin.confirmation_options(*given)
            keep_cookies_of(passkey)
    return page("confirm_identity.html", rejected=rejected, ways=ways, passkey=passkey)


# Where one is signed in, and what happened


@pages.get("/account/sessions")
def sessions() -> Response:
    """Show where the customer is signed in, and the devices that the account knows."""
    given = (visit().require_session(), visit().context)
    listed, devices = the_shop().sessions.list_sessions(*given), the_shop().sessions.list_devices(*given)
    return page("sessions.html", sessions=listed, devices=devices)


@pages.post("/account/sessions/<public_id>/end")
def end_session(public_id: str) -> Response:
    """Sign out one device."""
    the_shop().sessions.end_session(visit().require_session(), public_id, visit().context)
    return go("/account/sessions", note="session-ended")


@pages.post("/account/sessions/end-others")
def end_others() -> Response:
    """Sign out every device but this one."""
    keep_cookies_of(the_shop().sessions.end_other_sessions(visit().require_session(), visit().context))
    return go("/account/sessions", note="others-ended")


@pages.post("/account/sessions/end-all")
def end_all() -> Response:
    """Sign out everywhere."""
    keep_cookies_of(the_shop().sessions.sign_out_everywhere(visit().require_session(), visit().context))
    return go("/", note="signed-out")


@pages.post("/account/sessions/devices/<public_id>/forget")
def forget_device(public_id: str) -> Response:
    """Forget one device; it is as new when it comes back."""
    the_shop().sessions.forget_device(visit().require_session(), public_id, visit().context)
    return go("/account/sessions", note="device-forgotten")


@pages.post("/account/sessions/devices/forget-all")
def forget_all_devices() -> Response:
    """Forget every device, this one too."""
    the_shop().sessions.forget_all_devices(visit().require_session(), visit().context)
    return go("/account/sessions", note="device-forgotten")


@pages.get("/account/history")
def history() -> Response:
    """Show what happened to the account, newest first."""
    after = request.args.get("after")
    told = the_shop().history.security_history(visit().require_session(), visit().context, after)
    return page("history.html", history=told, happened=happened)


@pages.get("/account/history.csv")
def history_table() -> Response:
    """Answer all of it as a table for a spreadsheet."""
    response = make_response(the_shop().history.security_history_csv(visit().require_session(), visit().context))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = 'attachment; filename="history.csv"'
    return response


# The password


@pages.get("/account/password")
def show_password() -> Response:
    """Show the form."""
    visit().require_session(SessionScope.CHANGE_PASSWORD)
    return page("change_password.html", guide=guide())


@pages.post("/account/password")
def change_password() -> Response:
    """Replace the password; a session that was opened for this alone ends with it."""
    session = visit().require_session(SessionScope.CHANGE_PASSWORD)
    try:
        changed = the_shop().passwords.change_password(session, field("current"), field("password"), visit().context)
    except Rejected as no:
        return page("change_password.html", rejected=no, guide=guide())
    keep_cookies_of(changed)
    return go("/account", note="password-changed") if changed.next_value else go("/sign-in", note="new-password")


# Addresses


@pages.get("/account/contacts")
def contacts() -> Response:
    """Show the customer's addresses."""
    return page("contacts.html", contacts=the_shop().contacts.list_contacts(visit().require_session(), visit().context))


@pages.get("/account/contacts/add")
def show_add_contact() -> Response:
    """Show the form."""
    visit().require_session()
    return page("add_contact.html")


@pages.post("/account/contacts/add")
def add_contact() -> Response:
    """Ask for a further address; whose it is, only its mailbox learns."""
    session = visit().require_session()
    try:
        started = the_shop().contacts.add_contact(session, field("email"), visit().context)
    except Rejected as no:
        return page("add_contact.html", rejected=no)
    return go(f"/account/contacts/prove?addition={started.addition}")


@pages.get("/account/contacts/prove")
def show_prove_contact() -> Response:
    """Ask for the code from the mail."""
    visit().require_session()
    return page("prove_contact.html")


@pages.post("/account/contacts/prove")
def prove_contact() -> Response:
    """Add the address, with the code."""
    session = visit().require_session()
    try:
        added = the_shop().contacts.prove_added_contact(session, field("addition"), field("code"), visit().context)
    except Rejected as no:
        return page("prove_contact.html", rejected=no)
    return go("/account/contacts", note="elsewhere" if isinstance(added, HolderUnknown) else "contact-added")


@pages.post("/account/contacts/<id>/remove")
def remove_contact(id: str) -> Response:
    """Remove an address; every other device is signed out."""
    keep_cookies_of(the_shop().contacts.remove_contact(visit().require_session(), id, visit().context))
    return go("/account/contacts", note="contact-removed")


@pages.get("/account/contacts/change")
def show_change_contact() -> Response:
    """Show the form."""
    visit().require_session()
    return page("change_contact.html")


@pages.post("/account/contacts/change")
def change_contact() -> Response:
    """Ask to sign in by another address; nothing changes before both mailboxes have agreed."""
    session = visit().require_session()
    try:
        the_shop().contact_changes.promote_contact(session, field("email"), visit().context)
    except Rejected as no:
        return page("change_contact.html", rejected=no)
    return go("/account/contacts", note="change-asked")


@pages.post("/account/contacts/cancel-change")
def cancel_change() -> Response:
    """Give up a change that waits for a mailbox."""
    the_shop().contact_changes.cancel_contact_change(visit().require_session(), visit().context)
    return go("/account/contacts", note="change-cancelled")


# Invitations


@pages.get("/account/invitations")
def invitations() -> Response:
    """Show whom the customer has invited."""
    return invited()


@pages.post("/account/invitations")
def invite() -> Response:
    """Invite somebody; whether they have an account, nobody learns."""
    session = visit().require_session()
    try:
        the_shop().invitations.invite(session, field("email"), visit().context)
    except Rejected as no:
        return invited(no)
    return go("/account/invitations", note="invited")


@pages.post("/account/invitations/<id>/revoke")
def revoke_invitation(id: str) -> Response:
    """Take an invitation back."""
    the_shop().invitations.revoke_invitation(visit().require_session(), id, visit().context)
    return go("/account/invitations", note="invitation-revoked")


def invited(rejected: Rejected | None = None) -> Response:
    """Answer the page with the form and the list."""
    listed = the_shop().invitations.list_invitations(visit().require_session(), visit().context)
    return page("invitations.html", rejected=rejected, invitations=listed)


# Leaving, and staying


@pages.get("/account/close")
def show_close() -> Response:
    """Show what closing the account means; looking changes nothing."""
    plan = the_shop().closings.plan_account_closing(visit().require_session(), visit().context)
    return page("close.html", plan=plan, reason_to_stay=reason_to_stay)


@pages.post("/account/close")
def close() -> Response:
    """Mail a link that closes the account; *plan* says what the customer has seen."""
    the_shop().closings.request_account_closing(visit().require_session(), field("plan"), visit().context)
    return go("/account", note="closing-asked")


@pages.get("/account/stay")
def show_stay() -> Response:
    """Ask whether the customer wants to stay; sign-in leads here while an account is being closed."""
    visit().require_session(SessionScope.CLOSING)
    return page("question.html", question=QUESTIONS["stay"])


@pages.post("/account/stay")
def stay() -> Response:
    """Stop the closing; the session was for this alone and ends."""
    the_shop().closings.cancel_account_closing(visit().require_session(SessionScope.CLOSING), visit().context)
    return go("/sign-in", note="staying")
