"""The pages of the shop, one function each: those of everybody.

How customers get in stands in ``door``, what they do then in ``account`` and ``security``, and where the links in mails
lead in ``links``. Run it with ``flask --app docs/examples/flask_shop/app.py run``, and open http://localhost:5000.
"""

from pathlib import Path

from flask import Blueprint, Flask, Response, abort

from flask_shop import account, door, links, security
from flask_shop.web import (
    enter,
    field,
    go,
    guide,
    install,
    leave_cookies,
    page,
    the_shop,
    token,
    visit,
)
from flask_shop.wiring import open_shop
from shop_common import PRODUCTS, REGISTRATION_COOKIE, STATIC, TEMPLATES, Mailbox, Settings
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie, SetCookie
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import ContactLinkInvalid, HolderUnknown, RegistrationForm

__all__ = ["create_app"]

pages = Blueprint("pages", __name__, cli_group=None)


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Flask:
    """Build the shop.

    Args:
        settings: None takes the environment's.
        clock: None takes the system's; tests bring one that they can move.
    """
    settings = settings or Settings.from_environment("http://localhost:5000", Path(__file__).parent / "instance")
    app = Flask("flask_shop", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    install(app, open_shop(settings, clock or SystemClock()), settings)
    for blueprint in (pages, door.pages, account.pages, security.pages, links.pages):
        app.register_blueprint(blueprint)
    return app


@pages.get("/")
def front() -> Response:
    """Show what there is to buy."""
    return page("front.html", products=PRODUCTS)


# A new account


@pages.get("/sign-up")
def show_sign_up() -> Response:
    """Show the form."""
    return page("sign_up.html", guide=guide())


@pages.post("/sign-up")
def sign_up() -> Response:
    """Start an account; whether the address was known before, only its mailbox learns."""
    form = RegistrationForm(identifier=field("email"), password=field("password"))
    try:
        started = the_shop().registration.register(form, visit().context)
    except Rejected as no:
        return page("sign_up.html", rejected=no, guide=guide())
    leave_cookies(SetCookie(name=REGISTRATION_COOKIE, value=started.handle))
    return go("/sign-up/code")


@pages.get("/sign-up/code")
def show_code() -> Response:
    """Ask for the code from the mail."""
    return page("look_into_your_mailbox.html")


@pages.post("/sign-up/code")
def complete() -> Response:
    """Open the account with the code."""
    try:
        registered = the_shop().registration.complete_registration(registration(), field("code"), visit().context)
    except Rejected as no:
        return page("look_into_your_mailbox.html", rejected=no)
    leave_cookies(ClearCookie(REGISTRATION_COOKIE))
    return enter(registered.step)


@pages.post("/sign-up/resend")
def resend() -> Response:
    """Send another code."""
    try:
        the_shop().registration.resend_verification(registration(), visit().context)
    except Rejected as no:
        return page("look_into_your_mailbox.html", rejected=no)
    return go("/sign-up/code", note="sent-again")


@pages.get("/confirm")
def show_confirm() -> Response:
    """Show whose address the link in the mail would confirm; looking changes nothing."""
    return page("confirm.html", offer=the_shop().registration.peek_contact(token(), visit().context))


@pages.post("/confirm")
def confirm() -> Response:
    """Confirm the address, if this is the browser that asked; else offer to start anew."""
    confirmed = the_shop().registration.confirm_contact(token(), visit().registration, visit().context)
    if isinstance(confirmed, HolderUnknown):
        return page("take_over.html", guide=guide())
    leave_cookies(ClearCookie(REGISTRATION_COOKIE))
    return go("/sign-in", note="confirmed")


@pages.post("/confirm/take-over")
def take_over() -> Response:
    """Start anew with a password of whoever reads the mailbox."""
    try:
        registered = the_shop().registration.take_over_contact(token(), field("password"), visit().context)
    except PasswordUnacceptable as no:
        return page("take_over.html", rejected=no, guide=guide())
    return enter(registered.step)


# A lost password


@pages.get("/lost-password")
def show_lost_password() -> Response:
    """Show the form."""
    return page("lost_password.html")


@pages.post("/lost-password")
def lost_password() -> Response:
    """Send a link; the answer is the same for every address."""
    try:
        the_shop().recovery.request_reset(field("email"), visit().context)
    except Rejected as no:
        return page("lost_password.html", rejected=no)
    return go("/lost-password/sent")


@pages.get("/lost-password/sent")
def link_sent() -> Response:
    """Say where to look."""
    return page("link_sent.html")


@pages.get("/new-password")
def show_new_password() -> Response:
    """Show whose password the link would change; looking changes nothing."""
    offer = the_shop().recovery.peek_reset(token(), visit().context)
    return page("new_password.html", offer=offer, guide=offer.guide)


@pages.post("/new-password")
def new_password() -> Response:
    """Set the new password; everybody is signed out."""
    try:
        the_shop().recovery.reset_password(token(), field("password"), visit().context)
    except PasswordUnacceptable as no:
        offer = the_shop().recovery.peek_reset(token(), visit().context)
        return page("new_password.html", rejected=no, offer=offer, guide=offer.guide)
    leave_cookies(ClearCookie(SESSION_COOKIE))
    return go("/sign-in", note="new-password")


# For the developer


@pages.get("/development/mails")
def mails() -> Response:
    """Show the mails that were sent."""
    courier = the_shop().adapters.couriers[Channel.EMAIL]
    return page("mails.html", mails=courier.mails) if isinstance(courier, Mailbox) else abort(404)


@pages.cli.command("tick")
def tick() -> None:
    """Do what is due: send what could not be sent before, remove what nobody can use any more."""
    the_shop().upkeep.tick()


# What the pages read


def registration() -> Secret[str]:
    """Answer what this browser got when it began to register.

    Raises:
        ContactLinkInvalid: It has nothing, or nothing any more.
    """
    handle = visit().registration
    if handle is None:
        raise ContactLinkInvalid
    return handle
