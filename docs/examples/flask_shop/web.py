"""All there is between Flask and the library.

* A request becomes a ``Visit``: where it came from, which secrets the browser holds, who is signed in.
* ``SetCookie`` and ``ClearCookie`` values become cookies, on whatever response follows.
* A rejection becomes a page with its words, and with the status that its kind stands for. Who has to sign in, or to
  prove again who they are, is sent there.
* A POST must come from a page of this shop.
"""

import math
from contextlib import suppress
from typing import Final, assert_never, cast
from urllib.parse import urlsplit

import attrs
from flask import Flask, Response, current_app, g, make_response, redirect, render_template, request

from shop_common import NOTES, NOTHING_WRONG, REGISTRATION_COOKIE, Asked, Problems, Settings, way_in, way_to_prove
from shopaccounts import ShopAccounts
from shopaccounts.kernel.assurance import Level, SessionScope
from shopaccounts.kernel.errors import Forbidden, FreshSignInNeeded, Kind, Rejected, Throttled, TryLater, Unavailable
from shopaccounts.kernel.request import RequestContext, client_ip
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import DEVICE_COOKIE, FLOW_COOKIE, SESSION_COOKIE, ClearCookie, SetCookie
from shopaccounts.passwords import PasswordGuide, describe
from shopaccounts.signin import (
    AccountClosing,
    AccountSuspended,
    EnrolmentNeeded,
    NoSession,
    PasswordChangeNeeded,
    Resumed,
    SecondFactorNeeded,
    SignedIn,
    SignInRequired,
    SignInStep,
)

__all__ = [
    "Visit",
    "ask_for_more",
    "enter",
    "field",
    "go",
    "guide",
    "install",
    "keep_cookies_of",
    "leave_cookies",
    "page",
    "the_settings",
    "the_shop",
    "token",
    "visit",
]

STATUS: Final = {
    Kind.INVALID: 422,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.NOT_FOUND: 404,
    Kind.CONFLICT: 409,
    Kind.THROTTLED: 429,
    Kind.GONE: 410,
}
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


@attrs.frozen(kw_only=True)
class Visit:
    """A request as the library wants to know it.

    Args:
        context: Where it came from.
        session: What the session cookie holds.
        registration: What holds a registration together until it is proven.
        resumed: Who is signed in, None if nobody is.
    """

    context: RequestContext
    session: Secret[str] | None
    registration: Secret[str] | None
    resumed: Resumed | None

    @property
    def scope(self) -> SessionScope | None:
        """What the session is for, None without one."""
        return self.resumed.auth.scope if self.resumed else None

    def require_session(self, *tasks: SessionScope) -> Secret[str]:
        """Answer the session of whoever is signed in, or of whoever may do one of *tasks* and nothing else.

        Raises:
            SignInRequired: Nobody is.
        """
        if self.session is None or self.scope not in {SessionScope.FULL, *tasks}:
            raise SignInRequired
        return self.session


def install(app: Flask, shop: ShopAccounts, settings: Settings) -> None:
    """Give a Flask application its shop."""
    app.extensions["shopaccounts"] = shop
    app.extensions["settings"] = settings
    app.before_request(_refuse_strangers)
    app.after_request(_finish)
    app.register_error_handler(Rejected, _refused)
    app.register_error_handler(Unavailable, lambda _: _refused(TryLater()))


def the_shop() -> ShopAccounts:
    """Answer the shop of this application."""
    return cast("ShopAccounts", current_app.extensions["shopaccounts"])


def the_settings() -> Settings:
    """Answer the settings of this application."""
    return cast("Settings", current_app.extensions["settings"])


# Requests


def visit() -> Visit:
    """Answer who comes with this request; looked up once."""
    if "visit" not in g:
        g.visit = _look_up()
    return cast("Visit", g.visit)


def _look_up() -> Visit:
    # Behind a proxy, put werkzeug's ProxyFix around the application: it knows how many proxies are yours.
    context = RequestContext(
        secure=request.is_secure,
        client_ip=client_ip(request.remote_addr or "", (), ()),
        user_agent=request.user_agent.string,
        device=_cookie(DEVICE_COOKIE),
        binding=_cookie(FLOW_COOKIE),
    )
    session = _cookie(SESSION_COOKIE)
    found = the_shop().sessions.resume(session, context) if session else None
    if isinstance(found, NoSession):
        leave_cookies(*found.clear_cookies)
    resumed = found if isinstance(found, Resumed) else None
    return Visit(context=context, session=session, registration=_cookie(REGISTRATION_COOKIE), resumed=resumed)


def _refuse_strangers() -> None:
    """Refuse what another site makes a customer's browser send."""
    if request.method not in {"GET", "HEAD"} and not _comes_from_here():
        raise Forbidden


def _comes_from_here() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" if site else request.headers.get("Origin") == the_settings().url


def field(name: str) -> str:
    """Answer what was typed into a field."""
    return request.form.get(name, "")


def token() -> Secret[str]:
    """Answer the ticket of a link: from the address of its landing page, then from that page's form."""
    return Secret(request.values.get("token", ""))


# Cookies


def keep_cookies_of(answer: object) -> None:
    """Set and clear what a use-case answered, whichever answer it is."""
    for one in (answer, getattr(answer, "next_value", None)):
        leave_cookies(*getattr(one, "set_cookies", ()), *getattr(one, "clear_cookies", ()))


def leave_cookies(*cookies: SetCookie | ClearCookie) -> None:
    """Set or clear cookies with the response to this request."""
    g.setdefault("cookies", []).extend(cookies)


def _cookie(name: str) -> Secret[str] | None:
    value = request.cookies.get(_name(name))
    return Secret(value) if value else None


def _name(name: str) -> str:
    return name.removeprefix("__Host-") if _is_plain_localhost() else name


def _is_plain_localhost() -> bool:
    """Tell whether a developer looks at the shop without TLS, where browsers take no secure cookies."""
    host = urlsplit(f"//{request.host}").hostname
    return the_settings().development and not request.is_secure and host in {"localhost", "127.0.0.1"}


def _write(response: Response, cookie: SetCookie | ClearCookie) -> None:
    secure = not _is_plain_localhost()
    match cookie:
        case SetCookie():
            response.set_cookie(
                _name(cookie.name),
                cookie.value.reveal(),
                max_age=cookie.max_age,
                secure=secure,
                httponly=cookie.http_only,
                samesite=cookie.same_site.value,
                path=cookie.path,
            )
        case ClearCookie():
            response.delete_cookie(_name(cookie.name), secure=secure, httponly=True, samesite="Lax")


# Responses


def page(template: str, status: int = 200, *, rejected: Rejected | None = None, **values: object) -> Response:
    """Answer a page; if something was rejected, it says so and has that status."""
    if isinstance(rejected, FreshSignInNeeded):
        return go(way_to_prove(request.path, rejected))
    comer: Visit | None = g.get("visit") if rejected else visit()  # what was rejected may be the visit itself
    response = make_response(
        render_template(
            template,
            form=values.pop("form", request.values),
            problems=Problems.of(rejected) if rejected else NOTHING_WRONG,
            note=NOTES.get(request.args.get("note", "")),
            visit=comer,
            signed_in=comer is not None and comer.scope is SessionScope.FULL,
            path=request.path,
            development=the_settings().development,
            **values,
        ),
        STATUS[rejected.kind] if rejected else status,
    )
    if isinstance(rejected, Throttled | TryLater):
        response.headers["Retry-After"] = str(math.ceil(rejected.retry_after.total_seconds()))
    return response


def go(path: str, note: str = "") -> Response:
    """Send the browser to a page after a POST."""
    return cast("Response", redirect(f"{path}?note={note}" if note else path, 303))


def enter(step: SignInStep, path: str = "/") -> Response:
    """Let a customer in, as far as the gate opened."""
    earlier = visit().session
    keep_cookies_of(step)
    match step:
        case SignedIn():
            there = go("/account" if path == "/" else path)
        case SecondFactorNeeded():
            return ask_for_more(Asked.of(step, path))
        case EnrolmentNeeded():
            there = go("/account/security/apps/add")
        case AccountClosing():
            there = go("/account/stay")
        case PasswordChangeNeeded(via="here"):
            there = go("/account/password")
        case PasswordChangeNeeded():
            return page("stopped.html", 403, why="password")
        case AccountSuspended():
            return page("stopped.html", 403, why="suspended")
        case _:
            assert_never(step)
    if earlier:
        the_shop().sessions.sign_out(earlier, visit().context)
    return there


def ask_for_more(asked: Asked, rejected: Rejected | None = None) -> Response:
    """Answer the page of the second step."""
    passkey = None
    if "passkey" in asked.ways:
        with suppress(Rejected):  # another browser, or too late: whatever is answered, the page will say so
            passkey = the_shop().passkey_signin.step_options(asked.progress, visit().context)
    return page("second_step.html", rejected=rejected, asked=asked, passkey=passkey)


def guide() -> PasswordGuide:
    """Answer what to say about passwords before one is typed."""
    return describe(the_shop().policies.passwords, Level.SINGLE)


def _refused(rejected: Rejected) -> Response:
    if isinstance(rejected, SignInRequired) and request.method == "GET":
        return go(way_in(request.path, visit().scope))
    return page("refused.html", rejected=rejected)


def _finish(response: Response) -> Response:
    for cookie in g.get("cookies", ()):
        _write(response, cookie)
    if request.endpoint != "static":
        response.headers.update(HEADERS)
        # An address with a ticket is told to nobody; others only to this shop.
        response.headers["Referrer-Policy"] = "no-referrer" if "token" in request.args else "same-origin"
    return response
