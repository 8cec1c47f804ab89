"""One customer's whole way through the shop, and then a search for everything that nobody may see."""

import logging
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from shopaccounts import serial
from shopaccounts.adapters.argon2 import Argon2Hasher
from shopaccounts.adapters.crypto import AesVault, RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.events import Envelope
from shopaccounts.kernel.ids import StoreId
from shopaccounts.kernel.messages import Message
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.kernel.writing import read_sealed, seal_context
from shopaccounts.passwords import Argon2Profile
from shopaccounts.registration import RegistrationForm
from shopaccounts.shop import Adapters, ShopAccounts
from shopaccounts.testing.doubles import ScriptedEntropy
from shopaccounts.testing.leaks import assert_no_leak, find_leaks

MINUTE = timedelta(minutes=1)
TYPED, KEY = "Ann.Lampenhaus+Shop@Lamp.Example", "ann.lampenhaus+shop@lamp.example"
FIRST, SECOND, WRONG = "a moth around the winter lamp", "eleven candles under the stairs", "is it the moth and candle"
ADDRESS, AGENT = "203.0.113.177", "Lampenbrowser/7.7"
VERIFY_PAGE, RESET_PAGE = "https://lamp.example/verify?token=", "https://lamp.example/reset?token="


class Walk:
    """What Ann does, and what of it was a secret."""

    def __init__(self):
        self.storage, self.clock = MemoryStorage(), FixedClock(datetime(2031, 3, 1, 12, tzinfo=UTC))
        self.keyring = RootKeyring([Secret(b"k" * 32)])
        paths = {"verify_contact": "/verify", "password_reset": "/reset"}
        adapters = Adapters(
            storage=self.storage, keyring=self.keyring, clock=self.clock, entropy=ScriptedEntropy("walk"),
            bell=SilentBell(), hasher=Argon2Hasher(Argon2Profile.tests_only()),
        )  # fmt: skip
        links = LinkBuilder(base={StoreId("main"): "https://lamp.example"}, paths=paths)
        self.shop = ShopAccounts(adapters=adapters, storefront=Storefront(name="Lamps", links=links))
        self.context = RequestContext(secure=True, client_ip=ip_address(ADDRESS), user_agent=AGENT)
        self.shown: list[object] = [self.context]
        self.logged: list[str] = []
        self.codes: set[str] = set()
        self.secrets = {"first password": FIRST, "second password": SECOND, "wrong": WRONG}

    def entities(self):
        (realm,) = self.storage.snapshot().values()
        return [entity for book in realm.books.values() for entity in book.values()]

    def do(self, use_case, *arguments, **named):
        """Call a use-case, and keep whatever it showed."""
        self.clock.advance(2 * MINUTE)
        try:
            answer = use_case(*arguments, self.context, **named)
        except Rejected as refusal:
            self.shown += [refusal, refusal.args, refusal.__context__, refusal.__cause__]
            return None
        self.shown.append(answer)
        return answer

    def mail(self):
        """The newest message as the courier would get it."""
        message = max((e for e in self.entities() if isinstance(e, Message)), key=lambda m: (m.created_at, m.id))
        assert message.sealed is not None
        plain = AesVault(self.keyring, ScriptedEntropy()).open(message.sealed, seal_context(message.id, message.realm))
        _, secrets = read_sealed(plain)
        for name, secret in secrets.items():
            if name == "code":
                self.codes.add(secret)
            else:
                self.secrets[f"{name} {len(self.secrets)}"] = secret
                self.secrets[f"verifier {len(self.secrets)}"] = secret[-43:]
        return secrets

    def session(self, step):
        self.secrets[f"session {len(self.secrets)}"] = step.session.reveal()
        return step.session

    def run(self):
        registration, signin, recovery = self.shop.registration, self.shop.signin, self.shop.recovery
        sessions = self.shop.sessions
        form = RegistrationForm(identifier=TYPED, password=FIRST)
        started = self.do(registration.register, form)
        self.secrets["handle"] = started.handle.reveal()
        mail = self.mail()
        self.do(registration.peek_contact, Secret(mail["link"].removeprefix(VERIFY_PAGE)))
        self.do(registration.complete_registration, started.handle, "000000")
        self.session(self.do(registration.complete_registration, started.handle, mail["code"]).step)
        self.do(registration.complete_registration, started.handle, mail["code"])
        self.do(registration.register, form)
        self.mail()
        self.do(signin.sign_in_with_password, TYPED, WRONG)
        self.do(signin.sign_in_with_password, "stranger.nobody@lamp.example", WRONG)
        value = self.session(self.do(signin.sign_in_with_password, KEY, FIRST, remember=True))
        self.do(sessions.resume, value)
        self.do(sessions.list_sessions, value)
        self.do(sessions.end_session, value, "no-such-session")
        value = self.session(self.do(sessions.end_other_sessions, value))
        self.do(recovery.request_reset, TYPED)
        token = Secret(self.mail()["link"].removeprefix(RESET_PAGE))
        self.do(recovery.peek_reset, token)
        self.do(recovery.reset_password, token, "short")
        self.do(recovery.reset_password, token, SECOND)
        self.do(recovery.reset_password, token, SECOND)
        self.do(recovery.request_reset, "stranger.nobody@lamp.example")
        self.do(sessions.resume, value)
        for _ in range(7):
            self.do(signin.sign_in_with_password, TYPED, WRONG)
        self.do(sessions.sign_out, self.session(self.do(signin.sign_in_with_password, TYPED, SECOND) or self.wait()))
        return self

    def wait(self):
        self.clock.advance(timedelta(hours=2))
        return self.do(self.shop.signin.sign_in_with_password, TYPED, SECOND)


class Listener(logging.Handler):
    """Hears every log record of the whole program."""

    def __init__(self):
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record):
        self.heard.append(record.getMessage())


@pytest.fixture(scope="module")
def walk():
    handler = Listener()
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        ended = Walk().run()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    ended.logged = handler.heard
    return ended


def personal():
    return {"typed address": TYPED, "address": KEY, "stranger": "stranger.nobody@lamp.example", "network": ADDRESS}


@pytest.mark.proves("KER-203")
def test_the_walk_went_where_it_should(walk):
    told = [e.name for e in walk.entities() if isinstance(e, Envelope)]
    assert {"registration.account_activated", "registration.duplicate_attempted", "signin.refused", "signin.signed_in",
            "signin.session_ended", "recovery.password_reset"} <= set(told)  # fmt: skip
    assert len(walk.secrets) >= 12
    assert len(walk.codes) == 1


@pytest.mark.proves("KER-203")
def test_no_event_holds_a_secret_or_anything_about_the_person(walk):
    events = [(e.name, f"{e!r} {e.data}") for e in walk.entities() if isinstance(e, Envelope)]
    assert_no_leak(walk.secrets | personal() | {"agent": AGENT}, events)


@pytest.mark.proves("KER-203")
def test_no_open_part_of_a_message_does(walk):
    messages = [(m.template, f"{m!r} {dict(m.variables)}") for m in walk.entities() if isinstance(m, Message)]
    assert messages
    assert_no_leak(walk.secrets | personal() | {"agent": AGENT}, messages)


@pytest.mark.proves("KER-203")
def test_no_answer_refusal_or_log_record_does_when_it_is_printed(walk):
    shown = [(type(thing).__name__, f"{thing!r} {thing} {thing!s:>1}") for thing in walk.shown[1:]]
    assert_no_leak(walk.secrets | {k: v for k, v in personal().items() if k != "network"}, shown)
    assert_no_leak(walk.secrets | personal() | {"agent": AGENT}, [("log", line) for line in walk.logged])


@pytest.mark.proves("KER-203", "KER-174", "KER-230")
def test_nothing_that_is_stored_holds_a_secret(walk):
    stored = [(type(entity).__name__, serial.dump(entity)) for entity in walk.entities()]
    assert_no_leak(walk.secrets, stored)


@pytest.mark.proves("KER-203", "KER-233")
def test_no_ticket_and_no_session_names_the_address_that_it_is_about(walk):
    stored = [(type(e).__name__, serial.dump(e)) for e in walk.entities() if type(e).__name__ in {"Ticket", "Session"}]
    assert {name for name, _ in stored} == {"Ticket", "Session"}
    assert_no_leak(personal(), stored)


@pytest.mark.proves("KER-203")
def test_nothing_prints_an_address_in_full_not_even_what_keeps_it(walk):
    assert_no_leak(personal(), [(type(entity).__name__, repr(entity)) for entity in walk.entities()])


def test_the_search_would_find_something(walk):
    stored = [(type(entity).__name__, serial.dump(entity)) for entity in walk.entities()]
    assert find_leaks({"address": TYPED}, stored)
