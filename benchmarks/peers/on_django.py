"""Django: its own accounts, allauth headless, and ours behind two views.

Django is set up once for each process, so the shops share a database, which ``open_at`` changes.
"""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import django
from django.conf import settings
from django.db import connections
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.test.utils import override_settings

from benchmarks.peers.ours import Shop, admit, context, form, must_be_in, set_cookie
from benchmarks.peers.sites import CHEAP, PASSWORD, PRAGMAS, Place, Site
from shopaccounts import ShopAccounts
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.web import DEVICE_COOKIE

__all__ = [
    "allauth_site",
    "django_bare",
    "django_site",
    "login",
    "login_ours",
    "open_at",
    "ours_behind_django",
    "register",
    "register_ours",
]

PLAIN = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
WITH_ALLAUTH = [*PLAIN, "allauth.account.middleware.AccountMiddleware"]
VALIDATORS = (
    "UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator"
)  # fmt: skip
OURS: dict[str, Shop[ShopAccounts]] = {}


def open_at(place: Place) -> None:
    """Set Django up, and make its tables at *place*."""
    from django.core.management import call_command  # noqa: PLC0415  (Django has to be set up first)

    database = _database(place)
    if not settings.configured:
        _set_up(database)
    connections.close_all()
    connections.settings = connections.configure_settings({"default": database})
    connections["default"] = connections.create_connection("default")
    call_command("migrate", verbosity=0)


def _set_up(database: dict[str, Any]) -> None:
    from django.contrib.auth.hashers import Argon2PasswordHasher  # noqa: PLC0415  (as above)

    for name in ("time_cost", "memory_cost", "parallelism"):
        setattr(Argon2PasswordHasher, name, getattr(CHEAP, name))
    settings.configure(
        SECRET_KEY="k" * 50,
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ROOT_URLCONF="benchmarks.peers.django_urls",
        MIDDLEWARE=WITH_ALLAUTH,
        INSTALLED_APPS=[
            "django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
            "allauth", "allauth.account", "allauth.headless",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"],
        AUTH_PASSWORD_VALIDATORS=[{"NAME": f"django.contrib.auth.password_validation.{name}"} for name in VALIDATORS],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend", "allauth.account.auth_backends.AuthenticationBackend",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        ACCOUNT_LOGIN_METHODS={"email"},
        ACCOUNT_SIGNUP_FIELDS=["email*", "password1*"],
        ACCOUNT_EMAIL_VERIFICATION="mandatory",
        ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED=True,
        ACCOUNT_RATE_LIMITS=False,
        HEADLESS_ONLY=True,
        HEADLESS_CLIENTS=("browser",),
        HEADLESS_FRONTEND_URLS={},
    )  # fmt: skip
    django.setup()


def _database(place: Place) -> dict[str, Any]:
    if place.is_sqlite:
        begin = "; ".join(f"PRAGMA {pragma}" for pragma in PRAGMAS)
        options = {"init_command": begin, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": place.bare, "OPTIONS": options}
    from sqlalchemy import make_url  # noqa: PLC0415  (knows how to read a URL)

    url = make_url(place.url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "PASSWORD": url.password or "",
        "HOST": url.host or url.query.get("host", ""),
        "PORT": url.port or "",
        "CONN_MAX_AGE": None,
    }


def _create(address: str) -> Any:
    from django.contrib.auth.models import User  # noqa: PLC0415  (as above)
    from django.contrib.auth.password_validation import validate_password  # noqa: PLC0415  (as above)

    user = User(username=address, email=address)
    validate_password(PASSWORD, user)
    user.set_password(PASSWORD)
    user.save()
    return user


def register(request: HttpRequest) -> JsonResponse:
    """Register with Django."""
    _create(json.loads(request.body)["email"])
    return JsonResponse({"status": 200})


def login(request: HttpRequest) -> JsonResponse:
    """Sign in with Django."""
    from django.contrib import auth  # noqa: PLC0415  (as above)

    sent = json.loads(request.body)
    user = auth.authenticate(request, username=sent["email"], password=sent["password"])
    auth.login(request, user)
    return JsonResponse({"account": user.pk})


def register_ours(request: HttpRequest) -> JsonResponse:
    """Register with us."""
    started = OURS["shop"].accounts.registration.register(form(json.loads(request.body)["email"]), context())
    return JsonResponse({"handle": started.handle.reveal(), "masked": started.masked})


def login_ours(request: HttpRequest) -> JsonResponse:
    """Sign in with us."""
    sent = json.loads(request.body)
    signin = OURS["shop"].accounts.signin
    here = context(request.COOKIES.get(DEVICE_COOKIE))
    step = must_be_in(signin.sign_in_with_password(sent["email"], sent["password"], here))
    answer = JsonResponse({"account": step.account})
    for cookie in step.set_cookies:
        set_cookie(answer, cookie)
    return answer


def django_site() -> Site:
    """Answer a shop on Django's own accounts, behind two views as a project writes them."""
    return _site("Django", PLAIN, "/plain/register", "/plain/login", _create)


def allauth_site() -> Site:
    """Answer a shop on allauth headless, behind its own API."""

    def admit(address: str) -> None:
        from allauth.account.models import EmailAddress  # noqa: PLC0415  (as above)

        EmailAddress.objects.create(user=_create(address), email=address, verified=True, primary=True)

    steps = "/_allauth/browser/v1/auth/signup", "/_allauth/browser/v1/auth/login"
    return _site("allauth headless", WITH_ALLAUTH, *steps, admit)


def ours_behind_django(shop: Shop[ShopAccounts]) -> Site:
    """Answer our shop behind Django, which then needs no middleware."""
    OURS["shop"] = shop
    steps = "/ours/register", "/ours/login"
    return _site("ours", [], *steps, lambda address: admit(shop, address), shop.devices)


def django_bare() -> Site:
    """Answer a shop on Django's own accounts, called directly."""
    from importlib import import_module  # noqa: PLC0415  (as above)

    from django.contrib import auth  # noqa: PLC0415  (as above)

    engine = import_module(settings.SESSION_ENGINE)

    def sign_in(address: str) -> None:
        request = HttpRequest()
        request.session = engine.SessionStore()
        auth.login(request, auth.authenticate(request, username=address, password=PASSWORD))
        request.session.save()

    return Site(name="Django", register=_create, sign_in=sign_in, admit=_create)


def _site(
    name: str,
    middleware: list[str],
    register_at: str,
    login_at: str,
    admit: Callable[[str], object],
    devices: Mapping[str, Secret[str]] = MappingProxyType({}),
) -> Site:
    client = Client()
    with override_settings(MIDDLEWARE=middleware):
        client.handler.load_middleware()

    def post(url: str, address: str, expected: set[int]) -> None:
        if address in devices:
            client.cookies[DEVICE_COOKIE] = devices[address].reveal()
        answer = client.post(url, {"email": address, "password": PASSWORD}, content_type="application/json")
        client.cookies.clear()
        if answer.status_code not in expected:
            raise RuntimeError(answer.content.decode())

    return Site(
        name=name,
        register=lambda address: post(register_at, address, {200, 401}),  # allauth says 401 until the address is proven
        sign_in=lambda address: post(login_at, address, {200}),
        admit=admit,
    )
