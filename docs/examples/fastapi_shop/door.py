"""The pages by which customers get in and out, one function each: password, passkey, code by mail, second step."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query, Response

from fastapi_shop.web import Field, ThisVisit, Visit, ask_for_more, enter, go
from shop_common import QUESTIONS, Asked, answer_in
from shopaccounts.kernel.errors import Rejected, Throttled, TryLater
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import OpenedElsewhere, PasskeyRequest, ProgressEnded

__all__ = ["pages"]

pages = APIRouter(default_response_class=Response)


@pages.get("/sign-in")
async def show_sign_in(visit: ThisVisit, path: Annotated[str, Query(alias="next")] = "/") -> Response:
    """Show the form; *path* is where to go afterwards."""
    return await the_door(visit, {"next": path})


@pages.post("/sign-in")
async def sign_in(
    visit: ThisVisit,
    email: Field = "",
    password: Field = "",
    remember: Field = "",
    path: Annotated[str, Form(alias="next")] = "/",
) -> Response:
    """Sign in with a password."""
    try:
        step = await visit.shop.signin.sign_in_with_password(email, password, visit.context, remember=bool(remember))
    except Rejected as no:
        return await the_door(visit, {"email": email, "remember": remember, "next": path}, no)
    return await enter(visit, step, safe_return_path(path))


@pages.post("/sign-in/passkey")
async def sign_in_with_passkey(
    visit: ThisVisit, handle: Field = "", response: Field = "", path: Annotated[str, Form(alias="next")] = "/"
) -> Response:
    """Sign in with a passkey; who it is, the passkey says."""
    try:
        step = await visit.shop.passkey_signin.sign_in_with_passkey(Secret(handle), response, visit.context)
    except Rejected as no:
        return await the_door(visit, {"next": path}, no)
    return await enter(visit, step, safe_return_path(path))


@pages.post("/sign-in/second-step")
async def second_step(visit: ThisVisit) -> Response:
    """Go on with a sign-in that asked for more."""
    form = await visit.form()
    asked, trust = Asked.read(form), "trust" in form
    give = visit.shop.second_step.give_second_factor
    try:
        step = await give(asked.progress, answer_in(form), visit.context, trust_device=trust)
    except ProgressEnded as no:
        return await the_door(visit, {"next": asked.path}, no)
    except Rejected as no:
        return await ask_for_more(visit, asked, no)
    return await enter(visit, step, safe_return_path(asked.path))


@pages.post("/sign-out")
async def sign_out(visit: ThisVisit) -> Response:
    """Sign out here."""
    if visit.session:
        visit.keep_cookies_of(await visit.shop.sessions.sign_out(visit.session, visit.context))
    return go("/", note="signed-out")


# A code by mail


@pages.get("/sign-in/code")
async def show_ask_for_code(visit: ThisVisit) -> Response:
    """Show the form."""
    return visit.page("ask_for_code.html")


@pages.post("/sign-in/code")
async def ask_for_code(visit: ThisVisit, email: Field = "") -> Response:
    """Mail a code; the answer is the same for every address."""
    try:
        sent = await visit.shop.code_signin.request_sign_in_code(email, Channel.EMAIL, visit.context)
    except Rejected as no:
        return visit.page("ask_for_code.html", rejected=no, form={"email": email})
    visit.keep_cookies_of(sent)
    return visit.page("type_code.html", form={"handle": sent.handle.reveal()})


@pages.post("/sign-in/code/answer")
async def sign_in_with_code(visit: ThisVisit, handle: Field = "", answer: Field = "") -> Response:
    """Sign in with the code."""
    try:
        step = await visit.shop.code_signin.sign_in_with_code(Secret(handle), answer, visit.context)
    except Rejected as no:
        return visit.page("type_code.html", rejected=no, form={"handle": handle})
    return await enter(visit, step)


@pages.get("/account/sign-in-link")
async def show_sign_in_link(visit: ThisVisit, token: str = "") -> Response:
    """Ask whether to sign in; a scanner that opens the link changes nothing."""
    offer = await visit.shop.code_signin.peek_sign_in_link(Secret(token), visit.context)
    return visit.page("question.html", question=QUESTIONS["sign_in_link"], offer=offer, form={"token": token})


@pages.post("/account/sign-in-link")
async def sign_in_with_link(visit: ThisVisit, token: Field = "") -> Response:
    """Sign in with the link, in the browser that asked; any other shows the code for that one."""
    step = await visit.shop.code_signin.sign_in_with_link(Secret(token), visit.context)
    if isinstance(step, OpenedElsewhere):
        return visit.page("code_for_elsewhere.html", opened=step)
    return await enter(visit, step)


# What the pages share


async def the_door(visit: Visit, form: Mapping[str, str], rejected: Rejected | None = None) -> Response:
    """Answer the page to sign in, which asks the browser for a passkey as well."""
    return visit.page("sign_in.html", rejected=rejected, form=form, passkey=await passkey_request(visit))


async def passkey_request(visit: Visit) -> PasskeyRequest | None:
    """Answer what to ask the browser; nothing for a network that asks too often."""
    try:
        asked = await visit.shop.passkey_signin.passkey_options(visit.context)
    except (Throttled, TryLater):
        return None
    visit.keep_cookies_of(asked)
    return asked
