"""All there is between FastAPI and the library.

* A request becomes a ``Visit``: where it came from, which secrets the browser holds, who is signed in.
* ``SetCookie`` and ``ClearCookie`` values become cookies, on whatever response follows.
* A rejection becomes a page with its words, and with the status that its kind stands for. Who has to sign in, or to
  prove again who they are, is sent there.
* A POST must come from a page of this shop.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, Final, assert_never, cast

import attrs
from fastapi import Depends, FastAPI, Form, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from shop_common import (
    NOTES,
    NOTHING_WRONG,
    REGISTRATION_COOKIE,
    TEMPLATES,
    Asked,
    Problems,
    Settings,
    way_in,
    way_to_prove,
)
from shopaccounts import AsyncShopAccounts
from shopaccounts.kernel.assurance import Level, SessionScope
from shopaccounts.kernel.errors import Forbidden, FreshSignInNeeded, Kind, Rejected, Throttled, TryLater, Unavailable
from shopaccounts.kernel.request import RequestContext, client_ip
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import DEVICE_COOKIE, FLOW_COOKIE, SESSION_COOKIE, ClearCookie, SameSite, SetCookie
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

__all__ = ["Field", "ThisVisit", "Visit", "ask_for_more", "enter", "go", "install"]

Field = Annotated[str, Form()]

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
PAGES: Final = Jinja2Templates(TEMPLATES)


@attrs.frozen(kw_only=True)
class Visit:
    """A request as the library wants to know it.

    Args:
        shop: The shop.
        request: The request itself.
        context: Where it came from.
        session: What the session cookie holds.
        registration: What holds a registration together until it is proven.
        resumed: Who is signed in, None if nobody is.
    """

    shop: AsyncShopAccounts
    request: Request
    context: RequestContext
    session: Secret[str] | None
    registration: Secret[str] | None
    resumed: Resumed | None

    @property
    def scope(self) -> SessionScope | None:
        """What the session is for, None without one."""
        return self.resumed.auth.scope if self.resumed else None

    @property
    def guide(self) -> PasswordGuide:
        """What to say about passwords before one is typed."""
        return describe(self.shop.policies.passwords, Level.SINGLE)

    def require_session(self, *tasks: SessionScope) -> Secret[str]:
        """Answer the session of whoever is signed in, or of whoever may do one of *tasks* and nothing else.

        Raises:
            SignInRequired: Nobody is.
        """
        if self.session is None or self.scope not in {SessionScope.FULL, *tasks}:
            raise SignInRequired
        return self.session

    async def form(self) -> Mapping[str, str]:
        """Answer what was typed, for pages with many fields."""
        return {name: value for name, value in (await self.request.form()).items() if isinstance(value, str)}

    def keep_cookies_of(self, answer: object) -> None:
        """Set and clear what a use-case answered, whichever answer it is."""
        for one in (answer, getattr(answer, "next_value", None)):
            self.leave_cookies(*getattr(one, "set_cookies", ()), *getattr(one, "clear_cookies", ()))

    def leave_cookies(self, *cookies: SetCookie | ClearCookie) -> None:
        """Set or clear cookies with the response to this request."""
        self.request.state.cookies.extend(cookies)

    def page(  # noqa: D417  (more values of a page need no names here)
        self,
        template: str,
        status: int = 200,
        *,
        rejected: Rejected | None = None,
        form: Mapping[str, str] | None = None,
        **values: object,
    ) -> Response:
        """Answer a page.

        Args:
            template: Which one.
            status: If nothing was rejected.
            rejected: What the page is to say, with the status that it stands for.
            form: What was typed, to be shown again.
        """
        return _page(self.request, template, status, rejected, form=form or {}, **values)


def install(app: FastAPI, settings: Settings) -> None:
    """Give a FastAPI application all it needs for the shop in ``app.state.shop``."""
    app.state.settings = settings
    app.middleware("http")(_finish)
    app.exception_handler(Rejected)(_refused)
    app.exception_handler(Unavailable)(_unavailable)


# Requests


async def _visit(request: Request) -> Visit:
    """Look up who comes with a request, and refuse what another site makes a customer's browser send."""
    if request.method not in {"GET", "HEAD"} and not _comes_from_here(request):
        raise Forbidden
    # Behind a proxy, give uvicorn --proxy-headers and --forwarded-allow-ips, so that it knows which proxies are yours.
    context = RequestContext(
        secure=request.url.scheme == "https",
        client_ip=client_ip(request.client.host if request.client else "", (), ()),
        user_agent=request.headers.get("User-Agent", ""),
        device=_cookie(request, DEVICE_COOKIE),
        binding=_cookie(request, FLOW_COOKIE),
    )
    shop: AsyncShopAccounts = request.app.state.shop
    session = _cookie(request, SESSION_COOKIE)
    found = await shop.sessions.resume(session, context) if session else None
    if isinstance(found, NoSession):
        request.state.cookies.extend(found.clear_cookies)
    resumed = found if isinstance(found, Resumed) else None
    registration = _cookie(request, REGISTRATION_COOKIE)
    visit = Visit(
        shop=shop, request=request, context=context, session=session, registration=registration, resumed=resumed
    )
    request.state.visit = visit
    return visit


ThisVisit = Annotated[Visit, Depends(_visit)]


def _comes_from_here(request: Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" if site else request.headers.get("Origin") == _settings(request).url


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


# Cookies


def _cookie(request: Request, name: str) -> Secret[str] | None:
    value = request.cookies.get(_name(request, name))
    return Secret(value) if value else None


def _name(request: Request, name: str) -> str:
    return name.removeprefix("__Host-") if _is_plain_localhost(request) else name


def _is_plain_localhost(request: Request) -> bool:
    """Tell whether a developer looks at the shop without TLS, where browsers take no secure cookies."""
    plain = request.url.scheme == "http" and request.url.hostname in {"localhost", "127.0.0.1"}
    return plain and _settings(request).development


def _write(request: Request, response: Response, cookie: SetCookie | ClearCookie) -> None:
    name, secure = _name(request, cookie.name), not _is_plain_localhost(request)
    match cookie:
        case SetCookie():
            response.set_cookie(
                name,
                cookie.value.reveal(),
                max_age=int(cookie.max_age.total_seconds()) if cookie.max_age else None,
                secure=secure,
                httponly=cookie.http_only,
                samesite="strict" if cookie.same_site is SameSite.STRICT else "lax",
                path=cookie.path,
            )
        case ClearCookie():
            response.delete_cookie(name, secure=secure, httponly=True, samesite="lax")


# Responses


def _page(request: Request, template: str, status: int, rejected: Rejected | None, **values: object) -> Response:
    if isinstance(rejected, FreshSignInNeeded):
        return go(way_to_prove(request.url.path, rejected))
    visit = _known_visit(request)
    shown = {
        "problems": Problems.of(rejected) if rejected else NOTHING_WRONG,
        "note": NOTES.get(request.query_params.get("note", "")),
        "visit": visit,
        "signed_in": visit is not None and visit.scope is SessionScope.FULL,
        "path": request.url.path,
        "development": _settings(request).development,
        **values,
    }
    response = PAGES.TemplateResponse(request, template, shown, STATUS[rejected.kind] if rejected else status)
    if isinstance(rejected, Throttled | TryLater):
        response.headers["Retry-After"] = str(math.ceil(rejected.retry_after.total_seconds()))
    return response


def go(path: str, note: str = "") -> Response:
    """Send the browser to a page after a POST."""
    return RedirectResponse(f"{path}?note={note}" if note else path, 303)


async def enter(visit: Visit, step: SignInStep, path: str = "/") -> Response:
    """Let a customer in, as far as the gate opened."""
    visit.keep_cookies_of(step)
    match step:
        case SignedIn():
            there = go("/account" if path == "/" else path)
        case SecondFactorNeeded():
            return await ask_for_more(visit, Asked.of(step, path))
        case EnrolmentNeeded():
            there = go("/account/security/apps/add")
        case AccountClosing():
            there = go("/account/stay")
        case PasswordChangeNeeded(via="here"):
            there = go("/account/password")
        case PasswordChangeNeeded():
            return visit.page("stopped.html", 403, why="password")
        case AccountSuspended():
            return visit.page("stopped.html", 403, why="suspended")
        case _:
            assert_never(step)
    if visit.session:
        await visit.shop.sessions.sign_out(visit.session, visit.context)
    return there


async def ask_for_more(visit: Visit, asked: Asked, rejected: Rejected | None = None) -> Response:
    """Answer the page of the second step."""
    passkey = None
    if "passkey" in asked.ways:
        with suppress(Rejected):  # another browser, or too late: whatever is answered, the page will say so
            passkey = await visit.shop.passkey_signin.step_options(asked.progress, visit.context)
    return visit.page("second_step.html", rejected=rejected, asked=asked, passkey=passkey)


def _known_visit(request: Request) -> Visit | None:
    """Answer the visit; None if what was rejected is the visit itself."""
    return cast("Visit | None", getattr(request.state, "visit", None))


async def _refused(request: Request, rejected: Exception) -> Response:
    visit = _known_visit(request)
    if isinstance(rejected, SignInRequired) and request.method == "GET":
        return go(way_in(request.url.path, visit.scope if visit else None))
    return _page(request, "refused.html", 500, rejected if isinstance(rejected, Rejected) else None)


async def _unavailable(request: Request, _: Exception) -> Response:
    return await _refused(request, TryLater())


async def _finish(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    request.state.cookies = []
    response = await call_next(request)
    for cookie in request.state.cookies:
        _write(request, response, cookie)
    if not request.url.path.startswith("/static/"):
        response.headers.update(HEADERS)
        # An address with a ticket is told to nobody; others only to this shop.
        response.headers["Referrer-Policy"] = "no-referrer" if "token" in request.query_params else "same-origin"
    return response
