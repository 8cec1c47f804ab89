"""The pages on which customers say what their account asks for: passkeys, apps, recovery codes."""

from collections.abc import Sequence

from fastapi import APIRouter, Response

from fastapi_shop.web import Field, ThisVisit, Visit, go
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret

__all__ = ["pages"]

pages = APIRouter(default_response_class=Response)
ENROLLING = SessionScope.ENROL_ONLY
"""A session in a shop that wants a second step of everybody, of somebody who has none yet."""


@pages.get("/account/security")
async def security(visit: ThisVisit) -> Response:
    """Show what the account asks for."""
    return await overview(visit)


async def overview(visit: Visit, rejected: Rejected | None = None) -> Response:
    """Answer the page with the lists."""
    given = (visit.require_session(), visit.context)
    known, passkeys = await visit.shop.factors.factors(*given), await visit.shop.passkeys.passkeys(*given)
    return visit.page("security.html", rejected=rejected, known=known, passkeys=passkeys)


# Passkeys


@pages.get("/account/security/passkeys/add")
async def show_add_passkey(visit: ThisVisit) -> Response:
    """Ask the browser to make a passkey."""
    asked = await visit.shop.passkeys.start_adding(visit.require_session(ENROLLING), visit.context)
    visit.keep_cookies_of(asked)
    return visit.page("add_passkey.html", passkey=asked)


@pages.post("/account/security/passkeys/add")
async def add_passkey(visit: ThisVisit, handle: Field = "", response: Field = "", label: Field = "") -> Response:
    """Add the passkey that the browser made; every other device is signed out."""
    session = visit.require_session(ENROLLING)
    try:
        added = await visit.shop.passkeys.add_passkey(session, Secret(handle), response, label, visit.context)
    except Rejected as no:
        return await overview(visit, no)
    visit.keep_cookies_of(added)
    return show_codes(visit, added.recovery_codes) or go("/account/security", note="passkey-added")


@pages.post("/account/security/passkeys/{id}/rename")
async def rename_passkey(visit: ThisVisit, id: str, label: Field = "") -> Response:
    """Call a passkey something else."""
    await visit.shop.passkeys.rename_passkey(visit.require_session(), id, label, visit.context)
    return go("/account/security", note="renamed")


@pages.post("/account/security/passkeys/{id}/remove")
async def remove_passkey(visit: ThisVisit, id: str) -> Response:
    """Remove a passkey; every other device is signed out."""
    session = visit.require_session()
    try:
        visit.keep_cookies_of(await visit.shop.passkeys.remove_passkey(session, id, visit.context))
    except Rejected as no:
        return await overview(visit, no)
    return go("/account/security", note="factor-removed")


# Apps


@pages.get("/account/security/apps/add")
async def show_add_app(visit: ThisVisit) -> Response:
    """Ask what the customer calls it."""
    visit.require_session(ENROLLING)
    return visit.page("name_app.html")


@pages.post("/account/security/apps/add")
async def start_app(visit: ThisVisit, label: Field = "") -> Response:
    """Show the app's secret, this once."""
    started = await visit.shop.factors.start_totp(visit.require_session(ENROLLING), label, visit.context)
    return visit.page("add_app.html", started=started)


@pages.post("/account/security/apps")
async def confirm_app(visit: ThisVisit, answer: Field = "") -> Response:
    """Add the app, with its first code; every other device is signed out."""
    try:
        added = await visit.shop.factors.confirm_totp(visit.require_session(ENROLLING), answer, visit.context)
    except Rejected as no:
        return visit.page("add_app.html", rejected=no)
    visit.keep_cookies_of(added)
    there = go("/account/security") if added.next_value else go("/sign-in", note="enrolled")
    return show_codes(visit, added.recovery_codes) or there


@pages.post("/account/security/factors/{id}/rename")
async def rename_factor(visit: ThisVisit, id: str, label: Field = "") -> Response:
    """Call an app something else."""
    await visit.shop.factors.rename_factor(visit.require_session(), id, label, visit.context)
    return go("/account/security", note="renamed")


@pages.post("/account/security/factors/{id}/remove")
async def remove_factor(visit: ThisVisit, id: str) -> Response:
    """Remove an app; every other device is signed out."""
    session = visit.require_session()
    try:
        visit.keep_cookies_of(await visit.shop.factors.remove_factor(session, id, visit.context))
    except Rejected as no:
        return await overview(visit, no)
    return go("/account/security", note="factor-removed")


# Recovery codes


@pages.post("/account/security/recovery-codes")
async def renew_recovery_codes(visit: ThisVisit) -> Response:
    """Make new recovery codes; those from before no longer work."""
    renewed = await visit.shop.factors.renew_recovery_codes(visit.require_session(), visit.context)
    visit.keep_cookies_of(renewed)
    return visit.page("recovery_codes.html", codes=renewed.recovery_codes)


def show_codes(visit: Visit, codes: Sequence[Secret[str]]) -> Response | None:
    """Answer the page with fresh recovery codes, which is shown once; None if there are none."""
    return visit.page("recovery_codes.html", codes=codes) if codes else None
