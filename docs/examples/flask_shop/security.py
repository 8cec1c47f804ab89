"""The pages on which customers say what their account asks for: passkeys, apps, recovery codes."""

from collections.abc import Sequence

from flask import Blueprint, Response

from flask_shop.web import field, go, keep_cookies_of, page, the_shop, visit
from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret

__all__ = ["pages"]

pages = Blueprint("security", __name__)
ENROLLING = SessionScope.ENROL_ONLY
"""A session in a shop that wants a second step of everybody, of somebody who has none yet."""


@pages.get("/account/security")
def security() -> Response:
    """Show what the account asks for."""
    return overview()


def overview(rejected: Rejected | None = None) -> Response:
    """Answer the page with the lists."""
    given = (visit().require_session(), visit().context)
    known, passkeys = the_shop().factors.factors(*given), the_shop().passkeys.passkeys(*given)
    return page("security.html", rejected=rejected, known=known, passkeys=passkeys)


# Passkeys


@pages.get("/account/security/passkeys/add")
def show_add_passkey() -> Response:
    """Ask the browser to make a passkey."""
    asked = the_shop().passkeys.start_adding(visit().require_session(ENROLLING), visit().context)
    keep_cookies_of(asked)
    return page("add_passkey.html", passkey=asked)


@pages.post("/account/security/passkeys/add")
def add_passkey() -> Response:
    """Add the passkey that the browser made; every other device is signed out."""
    session, handle, add = visit().require_session(ENROLLING), Secret(field("handle")), the_shop().passkeys.add_passkey
    try:
        added = add(session, handle, field("response"), field("label"), visit().context)
    except Rejected as no:
        return overview(no)
    keep_cookies_of(added)
    return show_codes(added.recovery_codes) or go("/account/security", note="passkey-added")


@pages.post("/account/security/passkeys/<id>/rename")
def rename_passkey(id: str) -> Response:
    """Call a passkey something else."""
    the_shop().passkeys.rename_passkey(visit().require_session(), id, field("label"), visit().context)
    return go("/account/security", note="renamed")


@pages.post("/account/security/passkeys/<id>/remove")
def remove_passkey(id: str) -> Response:
    """Remove a passkey; every other device is signed out."""
    session = visit().require_session()
    try:
        keep_cookies_of(the_shop().passkeys.remove_passkey(session, id, visit().context))
    except Rejected as no:
        return overview(no)
    return go("/account/security", note="factor-removed")


# Apps


@pages.get("/account/security/apps/add")
def show_add_app() -> Response:
    """Ask what the customer calls it."""
    visit().require_session(ENROLLING)
    return page("name_app.html")


@pages.post("/account/security/apps/add")
def start_app() -> Response:
    """Show the app's secret, this once."""
    started = the_shop().factors.start_totp(visit().require_session(ENROLLING), field("label"), visit().context)
    return page("add_app.html", started=started)


@pages.post("/account/security/apps")
def confirm_app() -> Response:
    """Add the app, with its first code; every other device is signed out."""
    try:
        added = the_shop().factors.confirm_totp(visit().require_session(ENROLLING), field("answer"), visit().context)
    except Rejected as no:
        return page("add_app.html", rejected=no)
    keep_cookies_of(added)
    there = go("/account/security") if added.next_value else go("/sign-in", note="enrolled")
    return show_codes(added.recovery_codes) or there


@pages.post("/account/security/factors/<id>/rename")
def rename_factor(id: str) -> Response:
    """Call an app something else."""
    the_shop().factors.rename_factor(visit().require_session(), id, field("label"), visit().context)
    return go("/account/security", note="renamed")


@pages.post("/account/security/factors/<id>/remove")
def remove_factor(id: str) -> Response:
    """Remove an app; every other device is signed out."""
    session = visit().require_session()
    try:
        keep_cookies_of(the_shop().factors.remove_factor(session, id, visit().context))
    except Rejected as no:
        return overview(no)
    return go("/account/security", note="factor-removed")


# Recovery codes


@pages.post("/account/security/recovery-codes")
def renew_recovery_codes() -> Response:
    """Make new recovery codes; those from before no longer work."""
    renewed = the_shop().factors.renew_recovery_codes(visit().require_session(), visit().context)
    keep_cookies_of(renewed)
    return page("recovery_codes.html", codes=renewed.recovery_codes)


def show_codes(codes: Sequence[Secret[str]]) -> Response | None:
    """Answer the page with fresh recovery codes, which is shown once; None if there are none."""
    return page("recovery_codes.html", codes=codes) if codes else None
