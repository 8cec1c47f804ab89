"""What every use-case does with what comes from outside, before it asks anybody anything."""

import asyncio
import inspect
from collections.abc import Collection
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, get_args

import pytest

from shopaccounts.adapters.argon2 import ThreadedArgon2Hasher
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput, Kind, Rejected
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.tickets import LinkInvalid, forge
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import Argon2Profile
from shopaccounts.recovery import Recovery
from shopaccounts.recovery.deciding import RESET
from shopaccounts.registration import Registration, RegistrationForm
from shopaccounts.registration.verifying import HANDLE, VERIFY
from shopaccounts.shop import Adapters, AsyncShopAccounts
from shopaccounts.signin import NoSession, SignedOut, SignIn, SignInRequired
from shopaccounts.signin.model import SESSION
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.recording import Recorder

SAFE = RequestContext(secure=True, client_ip=ip_address("192.0.2.1"))
UNSAFE = RequestContext(secure=False, client_ip=ip_address("127.0.0.1"))
GOOD_PASSWORD = "a lamp in the winter wind"
CONTEXTS = {Registration: "registration", SignIn: "signin", Recovery: "recovery"}
PURPOSES = {"peek_reset": RESET, "reset_password": RESET}
NO_TEXT: list[Any] = [
    None,
    b"ann",
    5,
    1.5,
    True,
    ["ann@lamp.example"],
    ("ann@lamp.example",),
    {"to": "ann@lamp.example"},
]
BAD_TEXT: list[Any] = ["x" * 2000, "\ud800"]
FORGIVEN = {("sign_in_with_password", "password")}  # any wrong password is a wrong password, with equal work


def public_use_cases():
    for owner, attribute in CONTEXTS.items():
        for name, method in inspect.getmembers(owner, inspect.iscoroutinefunction):
            signature = inspect.signature(method)
            if not name.startswith("_") and "context" in signature.parameters:
                yield attribute, name, [p for p in signature.parameters.values() if p.name not in {"self", "context"}]


def is_secret(annotation):
    return "Secret" in str(annotation)


def may_be_missing(annotation):
    return type(None) in get_args(annotation)


USE_CASES = list(public_use_cases())
TEXTS = [
    (context, name, parameter.name, parameter.annotation)
    for context, name, parameters in USE_CASES
    for parameter in parameters
    if parameter.annotation not in {bool, "bool", RegistrationForm, Collection[str]}
    and (name, parameter.name) not in FORGIVEN
]


class Shop:
    """A shop that writes down whom it asks."""

    def __init__(self):
        self.recorder = Recorder()
        paths = {"verify_contact": "/verify", "password_reset": "/reset"}
        adapters = Adapters(
            storage=self.recorder(MemoryStorage()),
            keyring=self.recorder(RootKeyring([Secret(b"k" * 32)])),
            clock=FixedClock(datetime(2031, 3, 1, tzinfo=UTC)),
            entropy=ScriptedEntropy(),
            hasher=self.recorder(ThreadedArgon2Hasher(Argon2Profile.tests_only())),
            bell=SilentBell(),
        )
        self.accounts = AsyncShopAccounts(
            adapters=adapters,
            storefront=Storefront(
                name="Lamps", links=LinkBuilder(base={StoreId("main"): "https://lamp.example"}, paths=paths)
            ),
        )

    def call(self, context, name, request=SAFE, **different):
        use_case = getattr(getattr(self.accounts, context), name)
        good = {p.name: well_formed(name, p.name) for _, n, ps in USE_CASES if n == name for p in ps}
        self.recorder.trace.clear()
        arguments = {key: value for key, value in good.items() if value is not ...} | different
        return asyncio.run(use_case(**arguments, context=request))


def well_formed(use_case, parameter):
    """An argument that would do."""
    dice = ScriptedEntropy("texts")
    purposes = {"token": PURPOSES.get(use_case, VERIFY), "handle": HANDLE, "value": SESSION}
    if parameter in purposes:
        return forge(purposes[parameter], RealmId("main"), dice).text
    plain = {
        "form": RegistrationForm(identifier="ann@lamp.example", password=GOOD_PASSWORD),
        "identifier": "ann@lamp.example",
        "password": GOOD_PASSWORD,
        "new_password": GOOD_PASSWORD,
        "code": "123456",
        "public_id": "session-1",
        "ids": ["contact-1"],
    }
    return plain.get(parameter, ...)


@pytest.fixture
def shop():
    return Shop()


class TestTransport:
    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize(("context", "name"), [(c, n) for c, n, _ in USE_CASES])
    def test_every_use_case_refuses_an_insecure_request_before_it_asks_anybody(self, shop, context, name):
        with pytest.raises(InsecureTransport):
            shop.call(context, name, UNSAFE)
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize(("context", "name"), [(c, n) for c, n, _ in USE_CASES])
    def test_and_asks_somebody_where_the_request_is_secure(self, shop, context, name):
        try:
            shop.call(context, name)
        except Rejected as refusal:
            assert not isinstance(refusal, InsecureTransport)  # noqa: PT017  (being refused for what is unknown is fine)
        assert shop.recorder.trace


class TestTexts:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        ("context", "name", "parameter", "annotation"), TEXTS, ids=[f"{n}-{p}" for _, n, p, _ in TEXTS]
    )
    def test_what_is_no_text_is_refused_before_anybody_is_asked(self, shop, context, name, parameter, annotation):
        wrong = [value for value in NO_TEXT if not (value is None and may_be_missing(annotation))]
        if is_secret(annotation):
            wrong = [*wrong, *map(Secret, NO_TEXT), "open text"]
        for value in wrong:
            with pytest.raises(InvalidInput):
                shop.call(context, name, **{parameter: value})
            assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        ("context", "name", "parameter", "annotation"),
        [text for text in TEXTS if text[2] not in {"value", "form"} and not may_be_missing(text[3])],
        ids=[f"{n}-{p}" for _, n, p, a in TEXTS if p not in {"value", "form"} and not may_be_missing(a)],
    )
    def test_text_that_is_too_long_or_torn_is_refused_before_anybody_is_asked(
        self, shop, context, name, parameter, annotation
    ):
        for value in BAD_TEXT:
            with pytest.raises(InvalidInput):
                shop.call(context, name, **{parameter: Secret(value) if is_secret(annotation) else value})
            assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(("context", "name"), [(c, n) for c, n, p, _ in TEXTS if p == "value"])
    @pytest.mark.parametrize(
        "value", [*BAD_TEXT, "", "somebody else's cookie"], ids=["long", "torn", "empty", "strange"]
    )
    def test_a_cookie_that_is_no_session_value_is_nobodys_and_asks_nobody(self, shop, context, name, value):
        try:
            answer = shop.call(context, name, value=Secret(value))
        except SignInRequired:
            answer = None
        assert answer is None or isinstance(answer, NoSession | SignedOut)
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("field", ["identifier", "password", "locale"])
    def test_a_form_is_read_as_strictly(self, shop, field):
        allowed = {"password": {None}, "locale": {None}}.get(field, set())
        for value in [*NO_TEXT, *BAD_TEXT, ""]:
            if value == "" and field == "password":
                continue  # text, and no good as a password
            if isinstance(value, str | bytes | int | float | bool | None) and value in allowed:
                continue
            filled_in: dict[str, Any] = {"identifier": "ann@lamp.example", field: value}
            form = RegistrationForm(**filled_in)
            with pytest.raises(Rejected) as refusal:
                shop.call("registration", "register", form=form)
            assert refusal.value.kind is Kind.INVALID
            assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("character", ["\0", "\n", "\r\n", "\u202e", "\u200b", "\u2028", "\u2029"], ids=ascii)
    @pytest.mark.parametrize(("context", "name"), [("signin", "sign_in_with_password"), ("recovery", "request_reset")])
    def test_an_address_with_something_unseen_in_it_is_refused(self, shop, context, name, character):
        with pytest.raises(Rejected) as refusal:
            shop.call(context, name, identifier=f"ann{character}@lamp.example")
        assert refusal.value.kind is Kind.INVALID
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-231")
    @pytest.mark.parametrize(
        ("context", "name", "parameter"),
        [(c, n, p) for c, n, p, a in TEXTS if p in {"token", "handle"} and not may_be_missing(a)],
    )
    def test_a_ticket_of_no_known_form_is_invalid_without_asking_anybody(self, shop, context, name, parameter):
        for text in ("", "sa1", "sa1.xyz.a.b", "x" * 128):
            with pytest.raises(LinkInvalid):
                shop.call(context, name, **{parameter: Secret(text)})
            assert shop.recorder.trace == []


class TestSubjects:
    @pytest.mark.proves("KER-232")
    @pytest.mark.parametrize(("context", "name", "parameters"), USE_CASES, ids=[name for _, name, _ in USE_CASES])
    def test_no_use_case_takes_an_account_beside_what_proves_it(self, context, name, parameters):
        names = {parameter.name for parameter in parameters}
        assert not names & {"account", "account_id", "customer", "customer_id", "subject", "user", "realm", "host"}, (
            context,
            name,
        )
