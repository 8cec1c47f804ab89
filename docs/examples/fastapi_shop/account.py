"""The pages of a customer who is signed in, one function each.

What matters asks for a proof of the last minutes: the library refuses with ``FreshSignInNeeded``, and ``web`` sends the
customer to ``/confirm-identity``.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response

from fastapi_shop.web import Field, ThisVisit, Visit, go
from shop_common import QUESTIONS, answer_in, happened, reason_to_stay, ways_to_prove
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.registration import HolderUnknown
from shopaccounts.signin import WayNotOffered

__all__ = ["pages"]

pages = APIRouter(default_response_class=Response)


@pages.get("/account")
async def account(visit: ThisVisit) -> Response:
    """Show the account."""
    visit.require_session()
    return visit.page("account.html")


@pages.get("/confirm-identity")
async def show_confirm_identity(
    visit: ThisVisit, path: Annotated[str, Query(alias="next")] = "/", by: str = ""
) -> Response:
    """Ask for a fresh proof."""
    return await ask_again(visit, {"next": path, "by": by})


@pages.post("/confirm-identity")
async def confirm_identity(visit: ThisVisit) -> Response:
    """Prove again who one is, and go back to the page that asked for it."""
    session, form = visit.require_session(), await visit.form()
    try:
        visit.keep_cookies_of(await visit.shop.signin.confirm_identity(session, answer_in(form), visit.context))
    except Rejected as no:
        return await ask_again(visit, {"next": form.get("next", "/"), "by": form.get("by", "")}, no)
    return go(safe_return_path(form.get("next", "/")), note="proven")


async def ask_again(visit: Visit, form: Mapping[str, str], rejected: Rejected | None = None) -> Response:
    """Answer the page that asks for a fresh proof, by one of the ways that the library named."""
    session = visit.require_session()
    known = await visit.shop.factors.factors(session, visit.context)
    ways, passkey = ways_to_prove(form["by"].split(), known.factors), None
    if "passkey" in ways:
        with suppress(WayNotOffered):  # the account has none
            passkey = await visit.shop.passkey_signin.confirmation_options(session, visit.context)
            visit.keep_cookies_of(passkey)
    return visit.page("confirm_identity.html", rejected=rejected, form=form, ways=ways, passkey=passkey)


# Where one is signed in, and what happened


@pages.get("/account/sessions")
async def sessions(visit: ThisVisit) -> Response:
    """Show where the customer is signed in, and the devices that the account knows."""
    given = (visit.require_session(), visit.context)
    listed, devices = await visit.shop.sessions.list_sessions(*given), await visit.shop.sessions.list_devices(*given)
    return visit.page("sessions.html", sessions=listed, devices=devices)


@pages.post("/account/sessions/{public_id}/end")
async def end_session(visit: ThisVisit, public_id: str) -> Response:
    """Sign out one device."""
    await visit.shop.sessions.end_session(visit.require_session(), public_id, visit.context)
    return go("/account/sessions", note="session-ended")


@pages.post("/account/sessions/end-others")
async def end_others(visit: ThisVisit) -> Response:
    """Sign out every device but this one."""
    visit.keep_cookies_of(await visit.shop.sessions.end_other_sessions(visit.require_session(), visit.context))
    return go("/account/sessions", note="others-ended")


@pages.post("/account/sessions/end-all")
async def end_all(visit: ThisVisit) -> Response:
    """Sign out everywhere."""
    visit.keep_cookies_of(await visit.shop.sessions.sign_out_everywhere(visit.require_session(), visit.context))
    return go("/", note="signed-out")


@pages.post("/account/sessions/devices/{public_id}/forget")
async def forget_device(visit: ThisVisit, public_id: str) -> Response:
    """Forget one device; it is as new when it comes back."""
    await visit.shop.sessions.forget_device(visit.require_session(), public_id, visit.context)
    return go("/account/sessions", note="device-forgotten")


@pages.post("/account/sessions/devices/forget-all")
async def forget_all_devices(visit: ThisVisit) -> Response:
    """Forget every device, this one too."""
    await visit.shop.sessions.forget_all_devices(visit.require_session(), visit.context)
    return go("/account/sessions", note="device-forgotten")


@pages.get("/account/history")
async def history(visit: ThisVisit, after: str | None = None) -> Response:
    """Show what happened to the account, newest first."""
    told = await visit.shop.history.security_history(visit.require_session(), visit.context, after)
    return visit.page("history.html", history=told, happened=happened)


@pages.get("/account/history.csv")
async def history_table(visit: ThisVisit) -> Response:
    """Answer all of it as a table for a spreadsheet."""
    table = await visit.shop.history.security_history_csv(visit.require_session(), visit.context)
    headers = {"Content-Disposition": 'attachment; filename="history.csv"'}
    return Response(table, media_type="text/csv", headers=headers)


# The password


@pages.get("/account/password")
async def show_password(visit: ThisVisit) -> Response:
    """Show the form."""
    visit.require_session(SessionScope.CHANGE_PASSWORD)
    return visit.page("change_password.html", guide=visit.guide)


@pages.post("/account/password")
async def change_password(visit: ThisVisit, current: Field = "", password: Field = "") -> Response:
    """Replace the password; a session that was opened for this alone ends with it."""
    session = visit.require_session(SessionScope.CHANGE_PASSWORD)
    try:
        changed = await visit.shop.passwords.change_password(session, current, password, visit.context)
    except Rejected as no:
        return visit.page("change_password.html", rejected=no, guide=visit.guide)
    visit.keep_cookies_of(changed)
    return go("/account", note="password-changed") if changed.next_value else go("/sign-in", note="new-password")


# Addresses


@pages.get("/account/contacts")
async def contacts(visit: ThisVisit) -> Response:
    """Show the customer's addresses."""
    listed = await visit.shop.contacts.list_contacts(visit.require_session(), visit.context)
    return visit.page("contacts.html", contacts=listed)


@pages.get("/account/contacts/add")
async def show_add_contact(visit: ThisVisit) -> Response:
    """Show the form."""
    visit.require_session()
    return visit.page("add_contact.html")


@pages.post("/account/contacts/add")
async def add_contact(visit: ThisVisit, email: Field = "") -> Response:
    """Ask for a further address; whose it is, only its mailbox learns."""
    session = visit.require_session()
    try:
        started = await visit.shop.contacts.add_contact(session, email, visit.context)
    except Rejected as no:
        return visit.page("add_contact.html", rejected=no, form={"email": email})
    return go(f"/account/contacts/prove?addition={started.addition}")


@pages.get("/account/contacts/prove")
async def show_prove_contact(visit: ThisVisit, addition: str = "") -> Response:
    """Ask for the code from the mail."""
    visit.require_session()
    return visit.page("prove_contact.html", form={"addition": addition})


@pages.post("/account/contacts/prove")
async def prove_contact(visit: ThisVisit, addition: Field = "", code: Field = "") -> Response:
    """Add the address, with the code."""
    session = visit.require_session()
    try:
        added = await visit.shop.contacts.prove_added_contact(session, addition, code, visit.context)
    except Rejected as no:
        return visit.page("prove_contact.html", rejected=no, form={"addition": addition})
    return go("/account/contacts", note="elsewhere" if isinstance(added, HolderUnknown) else "contact-added")


@pages.post("/account/contacts/{id}/remove")
async def remove_contact(visit: ThisVisit, id: str) -> Response:
    """Remove an address; every other device is signed out."""
    visit.keep_cookies_of(await visit.shop.contacts.remove_contact(visit.require_session(), id, visit.context))
    return go("/account/contacts", note="contact-removed")


@pages.get("/account/contacts/change")
async def show_change_contact(visit: ThisVisit) -> Response:
    """Show the form."""
    visit.require_session()
    return visit.page("change_contact.html")


@pages.post("/account/contacts/change")
async def change_contact(visit: ThisVisit, email: Field = "") -> Response:
    """Ask to sign in by another address; nothing changes before both mailboxes have agreed."""
    session = visit.require_session()
    try:
        await visit.shop.contact_changes.promote_contact(session, email, visit.context)
    except Rejected as no:
        return visit.page("change_contact.html", rejected=no, form={"email": email})
    return go("/account/contacts", note="change-asked")


@pages.post("/account/contacts/cancel-change")
async def cancel_change(visit: ThisVisit) -> Response:
    """Give up a change that waits for a mailbox."""
    await visit.shop.contact_changes.cancel_contact_change(visit.require_session(), visit.context)
    return go("/account/contacts", note="change-cancelled")


# Invitations


@pages.get("/account/invitations")
async def invitations(visit: ThisVisit) -> Response:
    """Show whom the customer has invited."""
    return await invited(visit)


@pages.post("/account/invitations")
async def invite(visit: ThisVisit, email: Field = "") -> Response:
    """Invite somebody; whether they have an account, nobody learns."""
    session = visit.require_session()
    try:
        await visit.shop.invitations.invite(session, email, visit.context)
    except Rejected as no:
        return await invited(visit, no, email)
    return go("/account/invitations", note="invited")


@pages.post("/account/invitations/{id}/revoke")
async def revoke_invitation(visit: ThisVisit, id: str) -> Response:
    """Take an invitation back."""
    await visit.shop.invitations.revoke_invitation(visit.require_session(), id, visit.context)
    return go("/account/invitations", note="invitation-revoked")


async def invited(visit: Visit, rejected: Rejected | None = None, email: str = "") -> Response:
    """Answer the page with the form and the list."""
    listed = await visit.shop.invitations.list_invitations(visit.require_session(), visit.context)
    return visit.page("invitations.html", rejected=rejected, invitations=listed, form={"email": email})


# Leaving, and staying


@pages.get("/account/close")
async def show_close(visit: ThisVisit) -> Response:
    """Show what closing the account means; looking changes nothing."""
    plan = await visit.shop.closings.plan_account_closing(visit.require_session(), visit.context)
    return visit.page("close.html", plan=plan, reason_to_stay=reason_to_stay)


@pages.post("/account/close")
async def close(visit: ThisVisit, plan: Field = "") -> Response:
    """Mail a link that closes the account; *plan* says what the customer has seen."""
    await visit.shop.closings.request_account_closing(visit.require_session(), plan, visit.context)
    return go("/account", note="closing-asked")


@pages.get("/account/stay")
async def show_stay(visit: ThisVisit) -> Response:
    """Ask whether the customer wants to stay; sign-in leads here while an account is being closed."""
    visit.require_session(SessionScope.CLOSING)
    return visit.page("question.html", question=QUESTIONS["stay"])


@pages.post("/account/stay")
async def stay(visit: ThisVisit) -> Response:
    """Stop the closing; the session was for this alone and ends."""
    await visit.shop.closings.cancel_account_closing(visit.require_session(SessionScope.CLOSING), visit.context)
    return go("/sign-in", note="staying")
