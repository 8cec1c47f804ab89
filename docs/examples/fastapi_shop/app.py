"""The pages of the shop, one function each: those of everybody.

How customers get in stands in ``door``, what they do then in ``account`` and ``security``, and where the links in mails
lead in ``links``. Run it with ``uvicorn --app-dir docs/examples --factory fastapi_shop.app:create_app``, and open
http://localhost:8000.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException, Response
from fastapi.staticfiles import StaticFiles

from fastapi_shop import account, door, links, security
from fastapi_shop.web import Field, ThisVisit, Visit, enter, go, install
from fastapi_shop.wiring import open_shop
from shop_common import PRODUCTS, REGISTRATION_COOKIE, STATIC, Mailbox, Settings
from shopaccounts import AsyncShopAccounts
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.time import Clock, SystemClock
from shopaccounts.kernel.web import SESSION_COOKIE, ClearCookie, SetCookie
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import ContactLinkInvalid, HolderUnknown, RegistrationForm

__all__ = ["create_app"]

A_MINUTE = 60

pages = APIRouter(default_response_class=Response)


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> FastAPI:
    """Build the shop.

    Args:
        settings: None takes the environment's.
        clock: None takes the system's; tests bring one that they can move.
    """
    settings = settings or Settings.from_environment("http://localhost:8000", Path(__file__).parent / "instance")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_shop(settings, clock or SystemClock()) as shop:
            app.state.shop = shop
            upkeep = asyncio.create_task(keep_up(shop))
            yield
            upkeep.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    install(app, settings)
    for router in (pages, door.pages, account.pages, security.pages, links.pages):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


async def keep_up(shop: AsyncShopAccounts) -> None:
    """Do what is due, once a minute: send what could not be sent before, remove what nobody can use any more."""
    while True:
        await asyncio.sleep(A_MINUTE)
        await shop.upkeep.tick()


@pages.get("/")
async def front(visit: ThisVisit) -> Response:
    """Show what there is to buy."""
    return visit.page("front.html", products=PRODUCTS)


# A new account


@pages.get("/sign-up")
async def show_sign_up(visit: ThisVisit) -> Response:
    """Show the form."""
    return visit.page("sign_up.html", guide=visit.guide)


@pages.post("/sign-up")
async def sign_up(visit: ThisVisit, email: Field = "", password: Field = "") -> Response:
    """Start an account; whether the address was known before, only its mailbox learns."""
    form = RegistrationForm(identifier=email, password=password)
    try:
        started = await visit.shop.registration.register(form, visit.context)
    except Rejected as no:
        return visit.page("sign_up.html", rejected=no, form={"email": email}, guide=visit.guide)
    visit.leave_cookies(SetCookie(name=REGISTRATION_COOKIE, value=started.handle))
    return go("/sign-up/code")


@pages.get("/sign-up/code")
async def show_code(visit: ThisVisit) -> Response:
    """Ask for the code from the mail."""
    return visit.page("look_into_your_mailbox.html")


@pages.post("/sign-up/code")
async def complete(visit: ThisVisit, code: Field = "") -> Response:
    """Open the account with the code."""
    try:
        registered = await visit.shop.registration.complete_registration(registration(visit), code, visit.context)
    except Rejected as no:
        return visit.page("look_into_your_mailbox.html", rejected=no)
    visit.leave_cookies(ClearCookie(REGISTRATION_COOKIE))
    return await enter(visit, registered.step)


@pages.post("/sign-up/resend")
async def resend(visit: ThisVisit) -> Response:
    """Send another code."""
    try:
        await visit.shop.registration.resend_verification(registration(visit), visit.context)
    except Rejected as no:
        return visit.page("look_into_your_mailbox.html", rejected=no)
    return go("/sign-up/code", note="sent-again")


@pages.get("/confirm")
async def show_confirm(visit: ThisVisit, token: str = "") -> Response:
    """Show whose address the link in the mail would confirm; looking changes nothing."""
    offer = await visit.shop.registration.peek_contact(Secret(token), visit.context)
    return visit.page("confirm.html", offer=offer, form={"token": token})


@pages.post("/confirm")
async def confirm(visit: ThisVisit, token: Field = "") -> Response:
    """Confirm the address, if this is the browser that asked; else offer to start anew."""
    confirmed = await visit.shop.registration.confirm_contact(Secret(token), visit.registration, visit.context)
    if isinstance(confirmed, HolderUnknown):
        return visit.page("take_over.html", form={"token": token}, guide=visit.guide)
    visit.leave_cookies(ClearCookie(REGISTRATION_COOKIE))
    return go("/sign-in", note="confirmed")


@pages.post("/confirm/take-over")
async def take_over(visit: ThisVisit, token: Field = "", password: Field = "") -> Response:
    """Start anew with a password of whoever reads the mailbox."""
    try:
        registered = await visit.shop.registration.take_over_contact(Secret(token), password, visit.context)
    except PasswordUnacceptable as no:
        return visit.page("take_over.html", rejected=no, form={"token": token}, guide=visit.guide)
    return await enter(visit, registered.step)


# A lost password


@pages.get("/lost-password")
async def show_lost_password(visit: ThisVisit) -> Response:
    """Show the form."""
    return visit.page("lost_password.html")


@pages.post("/lost-password")
async def lost_password(visit: ThisVisit, email: Field = "") -> Response:
    """Send a link; the answer is the same for every address."""
    try:
        await visit.shop.recovery.request_reset(email, visit.context)
    except Rejected as no:
        return visit.page("lost_password.html", rejected=no, form={"email": email})
    return go("/lost-password/sent")


@pages.get("/lost-password/sent")
async def link_sent(visit: ThisVisit) -> Response:
    """Say where to look."""
    return visit.page("link_sent.html")


@pages.get("/new-password")
async def show_new_password(visit: ThisVisit, token: str = "") -> Response:
    """Show whose password the link would change; looking changes nothing."""
    offer = await visit.shop.recovery.peek_reset(Secret(token), visit.context)
    return visit.page("new_password.html", form={"token": token}, offer=offer, guide=offer.guide)


@pages.post("/new-password")
async def new_password(visit: ThisVisit, token: Field = "", password: Field = "") -> Response:
    """Set the new password; everybody is signed out."""
    try:
        await visit.shop.recovery.reset_password(Secret(token), password, visit.context)
    except PasswordUnacceptable as no:
        offer = await visit.shop.recovery.peek_reset(Secret(token), visit.context)
        return visit.page("new_password.html", rejected=no, form={"token": token}, offer=offer, guide=offer.guide)
    visit.leave_cookies(ClearCookie(SESSION_COOKIE))
    return go("/sign-in", note="new-password")


# For the developer


@pages.get("/development/mails")
async def mails(visit: ThisVisit) -> Response:
    """Show the mails that were sent."""
    courier = visit.shop.adapters.couriers[Channel.EMAIL]
    if not isinstance(courier, Mailbox):
        raise HTTPException(404)
    return visit.page("mails.html", mails=courier.mails)


# What the pages read


def registration(visit: Visit) -> Secret[str]:
    """Answer what this browser got when it began to register.

    Raises:
        ContactLinkInvalid: It has nothing, or nothing any more.
    """
    if visit.registration is None:
        raise ContactLinkInvalid
    return visit.registration
