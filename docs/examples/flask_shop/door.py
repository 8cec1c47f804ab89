"""The pages by which customers get in and out, one function each: password, passkey, code by mail, second step."""

from flask import Blueprint, Response, request

from flask_shop.web import ask_for_more, enter, field, go, keep_cookies_of, page, the_shop, token, visit
from shop_common import QUESTIONS, Asked, answer_in
from shopaccounts.kernel.errors import Rejected, Throttled, TryLater
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.request import safe_return_path
from shopaccounts.kernel.secret import Secret
from shopaccounts.signin import OpenedElsewhere, PasskeyRequest, ProgressEnded

__all__ = ["pages"]

pages = Blueprint("door", __name__)


@pages.get("/sign-in")
def show_sign_in() -> Response:
    """Show the form."""
    return the_door()


@pages.post("/sign-in")
def sign_in() -> Response:
    """Sign in with a password."""
    remember, door = "remember" in request.form, the_shop().signin
    try:
        step = door.sign_in_with_password(field("email"), field("password"), visit().context, remember=remember)
    except Rejected as no:
        return the_door(no)
    return enter(step, safe_return_path(field("next")))


@pages.post("/sign-in/passkey")
def sign_in_with_passkey() -> Response:
    """Sign in with a passkey; who it is, the passkey says."""
    handle, door = Secret(field("handle")), the_shop().passkey_signin
    try:
        step = door.sign_in_with_passkey(handle, field("response"), visit().context)
    except Rejected as no:
        return the_door(no)
    return enter(step, safe_return_path(field("next")))


@pages.post("/sign-in/second-step")
def second_step() -> Response:
    """Go on with a sign-in that asked for more."""
    asked, trust = Asked.read(request.form), "trust" in request.form
    give = the_shop().second_step.give_second_factor
    try:
        step = give(asked.progress, answer_in(request.form), visit().context, trust_device=trust)
    except ProgressEnded as no:
        return the_door(no)
    except Rejected as no:
        return ask_for_more(asked, no)
    return enter(step, safe_return_path(asked.path))


@pages.post("/sign-out")
def sign_out() -> Response:
    """Sign out here."""
    session = visit().session
    if session:
        keep_cookies_of(the_shop().sessions.sign_out(session, visit().context))
    return go("/", note="signed-out")


# A code by mail


@pages.get("/sign-in/code")
def show_ask_for_code() -> Response:
    """Show the form."""
    return page("ask_for_code.html")


@pages.post("/sign-in/code")
def ask_for_code() -> Response:
    """Mail a code; the answer is the same for every address."""
    try:
        sent = the_shop().code_signin.request_sign_in_code(field("email"), Channel.EMAIL, visit().context)
    except Rejected as no:
        return page("ask_for_code.html", rejected=no)
    keep_cookies_of(sent)
    return page("type_code.html", form={"handle": sent.handle.reveal()})


@pages.post("/sign-in/code/answer")
def sign_in_with_code() -> Response:
    """Sign in with the code."""
    try:
        step = the_shop().code_signin.sign_in_with_code(Secret(field("handle")), field("answer"), visit().context)
    except Rejected as no:
        return page("type_code.html", rejected=no)
    return enter(step)


@pages.get("/account/sign-in-link")
def show_sign_in_link() -> Response:
    """Ask whether to sign in; a scanner that opens the link changes nothing."""
    offer = the_shop().code_signin.peek_sign_in_link(token(), visit().context)
    return page("question.html", question=QUESTIONS["sign_in_link"], offer=offer)


@pages.post("/account/sign-in-link")
def sign_in_with_link() -> Response:
    """Sign in with the link, in the browser that asked; any other shows the code for that one."""
    step = the_shop().code_signin.sign_in_with_link(token(), visit().context)
    if isinstance(step, OpenedElsewhere):
        return page("code_for_elsewhere.html", opened=step)
    return enter(step)


# What the pages share


def the_door(rejected: Rejected | None = None) -> Response:
    """Answer the page to sign in, which asks the browser for a passkey as well."""
    return page("sign_in.html", rejected=rejected, passkey=passkey_request())


def passkey_request() -> PasskeyRequest | None:
    """Answer what to ask the browser; nothing for a network that asks too often."""
    try:
        asked = the_shop().passkey_signin.passkey_options(visit().context)
    except (Throttled, TryLater):
        return None
    keep_cookies_of(asked)
    return asked
