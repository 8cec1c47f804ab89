"""What every use-case does with what comes from outside, before it asks anybody anything."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, get_args

import attrs
import pytest

from shopaccounts.adapters.argon2 import ThreadedArgon2Hasher
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.customers import ContactRole
from shopaccounts.customers.closing import CLOSE_ACCOUNT
from shopaccounts.customers.notices import FREEZE, NOT_ME_CHANGE, NOT_ME_SIGN_IN
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput, Kind, Rejected
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.tickets import LinkInvalid, forge
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import Argon2Profile
from shopaccounts.recovery import Question, SecurityQuestionsPolicy
from shopaccounts.recovery.cases import CANCEL_RECOVERY, RECOVER_MAILBOX, RECOVERY_HOLDER
from shopaccounts.recovery.deciding import RESET
from shopaccounts.registration import RegistrationForm, RegistrationPolicy, UsernamePolicy
from shopaccounts.registration.adding import PROVE_ADDED
from shopaccounts.registration.changing import CONFIRM_NEW, CONFIRM_OLD, UNDO
from shopaccounts.registration.checking import CHECK
from shopaccounts.registration.inviting import INVITE
from shopaccounts.registration.verifying import HANDLE, VERIFY
from shopaccounts.shop import Adapters, AsyncShopAccounts, Policies
from shopaccounts.signin import NoSession, RenewalPolicy, SessionPolicy, SignedOut, SignInRefused, SignInRequired
from shopaccounts.signin.model import SESSION, ActingScope
from shopaccounts.testing.doubles import ScriptedEntropy, StaffRoom
from shopaccounts.testing.faces import use_cases
from shopaccounts.testing.recording import Recorder

SAFE = RequestContext(secure=True, client_ip=ip_address("192.0.2.1"))
UNSAFE = RequestContext(secure=False, client_ip=ip_address("127.0.0.1"))
GOOD_PASSWORD = "a lamp in the winter wind"
FORM = RegistrationForm(identifier="ann@lamp.example", password=GOOD_PASSWORD)
ANSWERS = dict(zip(Question, ("a grey kettle", "the blue door", "old mill lane"), strict=False))
SESSIONS = {"value", "session"}
"""What a parameter is called that takes what the session cookie holds."""
PURPOSES = {
    "cases.cancel_case": CANCEL_RECOVERY,
    "cases.open_mailbox_case": RECOVER_MAILBOX,
    "cases.peek_cancel": CANCEL_RECOVERY,
    "case_help.complete_case": RECOVER_MAILBOX,
    "closings.confirm_account_closing": CLOSE_ACCOUNT,
    "closings.peek_account_closing": CLOSE_ACCOUNT,
    "contact_care.answer_contact_check": CHECK,
    "contact_care.peek_contact_check": CHECK,
    "contact_changes.confirm_change_new": CONFIRM_NEW,
    "contact_changes.confirm_change_old": CONFIRM_OLD,
    "contact_changes.peek_contact_change": CONFIRM_NEW,
    "contact_changes.reverse_contact_change": UNDO,
    "contacts.confirm_added_contact": PROVE_ADDED,
    "contacts.peek_added_contact": PROVE_ADDED,
    "customers.freeze_account": FREEZE,
    "customers.peek_freeze": FREEZE,
    "invitations.accept_invitation": INVITE,
    "invitations.accept_with_account": INVITE,
    "invitations.decline_invitation": INVITE,
    "invitations.peek_invitation": INVITE,
    "objections.not_me_change": NOT_ME_CHANGE,
    "objections.not_me_sign_in": NOT_ME_SIGN_IN,
    "objections.peek_not_me_change": NOT_ME_CHANGE,
    "objections.peek_not_me_sign_in": NOT_ME_SIGN_IN,
    "recovery.peek_reset": RESET,
    "recovery.reset_password": RESET,
    "registration.confirm_contact": VERIFY,
    "registration.peek_contact": VERIFY,
    "registration.take_over_contact": VERIFY,
}
"""What the token of each use-case is for."""
PLAIN = {
    "accepted": "f" * 32,
    "addition": "addition-1",
    "answers": ANSWERS,
    "code": "123456",
    "contact": "contact-1",
    "current": GOOD_PASSWORD,
    "cursor": None,
    "form": FORM,
    "id": "invitation-1",
    "identifier": "ann@lamp.example",
    "ids": ["device-1"],
    "limit": 20,
    "name": "lamplighter",
    "new": GOOD_PASSWORD,
    "new_password": GOOD_PASSWORD,
    "not_me": False,
    "password": GOOD_PASSWORD,
    "public_id": "session-1",
    "remember": False,
    "role": ContactRole.NOTIFY,
    "use": True,
}
"""An argument of each name that would do."""
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
FORGIVEN = {
    "signin.sign_in_with_password.password",
    "signin.confirm_identity.password",
    "passwords.change_password.current",
}
"""Any wrong password is a wrong password, with equal work."""
NO_TEXTS = {
    "form": "read field by field, below",
    "answers": "read one by one, below",
    "ids": "read one by one, below",
    "limit": "a number that the host's page has",
    "not_me": "a choice between two buttons",
    "remember": "a choice between two buttons",
    "role": "one of three, by the host's page",
    "use": "a choice between two buttons",
}
"""Parameters that aren't texts, each with what it is."""
OF_AGENTS = {"impersonation.start_impersonation": "asks first whether the agent may, and by that a port"}
"""Use-cases with a request that isn't a customer's."""
WITHOUT_A_REQUEST = {
    "limit": "due work, begun by a clock",
    "budget": "due work, begun by a clock",
    "reason": "an agent, who is asked for the right to it before anything else",
    "why": "an agent, who is asked for the right to it before anything else",
    "ids": "the operator's console",
    "page": "the operator's console",
}
"""Why a use-case with such a parameter needn't know of a request."""
NO_REQUEST_EITHER = {
    "assisted.import_account": "the operator's console",
    "contact_care.note_delivery": "a webhook of whoever delivers mail, which the host has checked",
    "relay.status": "the operator's console",
}


def is_secret(annotation):
    return "Secret" in str(annotation)


def may_be_missing(annotation):
    return type(None) in get_args(annotation) or "None" in str(annotation)


def is_optional_secret(annotation):
    """Whether it may be missing, so that a strange one counts as none."""
    return is_secret(annotation) and may_be_missing(annotation)


def where(use_case, parameter):
    return f"{use_case}.{parameter.name}"


ALL = use_cases()
OF_PAGES = [one for one in ALL if one.serves_a_request]
USE_CASES = [one for one in OF_PAGES if str(one) not in OF_AGENTS]
TEXTS = [
    (one, parameter)
    for one in USE_CASES
    for parameter in one.parameters
    if parameter.name not in NO_TEXTS and where(one, parameter) not in FORGIVEN
]
TICKETS = [(one, parameter) for one, parameter in TEXTS if parameter.name in {"token", "handle", "proof"}]


def named(pairs):
    """Parameters for a test, each under its own name."""
    return [pytest.param(one, parameter, id=where(one, parameter)) for one, parameter in pairs]


def each(some):
    return [pytest.param(one, id=str(one)) for one in some]


class Shop:
    """A shop that has everything, and writes down whom it asks."""

    def __init__(self):
        self.recorder = Recorder()
        paths = {"verify_contact": "/verify", "password_reset": "/reset"}
        staff = StaffRoom()
        staff.hire("eve")
        adapters = Adapters(
            storage=self.recorder(MemoryStorage()),
            keyring=self.recorder(RootKeyring([Secret(b"k" * 32)])),
            clock=FixedClock(datetime(2031, 3, 1, tzinfo=UTC)),
            entropy=ScriptedEntropy(),
            hasher=self.recorder(ThreadedArgon2Hasher(Argon2Profile.tests_only())),
            agents=self.recorder(staff),
            bell=SilentBell(),
        )
        names = UsernamePolicy(enabled=True)
        self.accounts = AsyncShopAccounts(
            adapters=adapters,
            storefront=Storefront(
                name="Lamps", links=LinkBuilder(base={StoreId("main"): "https://lamp.example"}, paths=paths)
            ),
            policies=Policies(
                registration=RegistrationPolicy(usernames=names),
                questions=SecurityQuestionsPolicy(enabled=True, accept_risk=True),
                sessions=SessionPolicy(renewal=RenewalPolicy()),
            ),
            scope=attrs.evolve(Scope.single(), actor=Actor(ActorKind.AGENT, "eve")),
        )

    def call(self, use_case, request=SAFE, **different):
        self.recorder.trace.clear()
        good = {parameter.name: well_formed(use_case, parameter.name) for parameter in use_case.parameters}
        work = getattr(getattr(self.accounts, use_case.face), use_case.name)
        return asyncio.run(work(**good | different, context=request))


def well_formed(use_case, parameter):
    """An argument that would do."""
    purposes = {"handle": HANDLE, "proof": RECOVERY_HOLDER, **dict.fromkeys(SESSIONS, SESSION)}
    if parameter == "token":
        purposes["token"] = PURPOSES[str(use_case)]
    if parameter in purposes:
        return forge(purposes[parameter], RealmId("main"), ScriptedEntropy("texts")).text
    if str(use_case) in OF_AGENTS:
        return {"account": "account-1", "reason": "as the customer asked", "scope": ActingScope.READ_ONLY}[parameter]
    return PLAIN[parameter]


@pytest.fixture
def shop():
    return Shop()


class TestTransport:
    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize("use_case", each(OF_PAGES))
    def test_every_use_case_refuses_an_insecure_request_before_it_asks_anybody(self, shop, use_case):
        with pytest.raises(InsecureTransport):
            shop.call(use_case, UNSAFE)
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize("use_case", each(OF_PAGES))
    def test_and_asks_somebody_where_the_request_is_secure(self, shop, use_case):
        try:
            shop.call(use_case)
        except Rejected as refusal:
            assert not isinstance(refusal, InsecureTransport)  # noqa: PT017  (being refused for what is unknown is fine)
        assert shop.recorder.trace

    @pytest.mark.proves("KER-212")
    @pytest.mark.parametrize("use_case", each(one for one in ALL if not one.serves_a_request))
    def test_whoever_knows_of_no_request_serves_none(self, use_case):
        names = {parameter.name for parameter in use_case.parameters}
        assert names & set(WITHOUT_A_REQUEST) or str(use_case) in NO_REQUEST_EITHER
        assert not names & {*SESSIONS, "token", "handle", "proof", "password", "code"}


class TestTexts:
    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(("use_case", "parameter"), named(TEXTS))
    def test_what_is_no_text_is_refused_before_anybody_is_asked(self, shop, use_case, parameter):
        wrong = [value for value in NO_TEXT if not (value is None and may_be_missing(parameter.annotation))]
        if is_secret(parameter.annotation):
            wrong = [*wrong, *map(Secret, NO_TEXT), "open text"]
        for value in wrong:
            with pytest.raises(InvalidInput):
                shop.call(use_case, **{parameter.name: value})
            assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        ("use_case", "parameter"),
        named((o, p) for o, p in TEXTS if p.name not in SESSIONS and not is_optional_secret(p.annotation)),
    )
    def test_text_that_is_too_long_or_torn_is_refused_before_anybody_is_asked(self, shop, use_case, parameter):
        for value in BAD_TEXT:
            with pytest.raises(InvalidInput):
                shop.call(use_case, **{parameter.name: Secret(value) if is_secret(parameter.annotation) else value})
            assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        ("use_case", "parameter"),
        named((o, p) for o, p in TEXTS if p.name in SESSIONS and not may_be_missing(p.annotation)),
    )
    @pytest.mark.parametrize(
        "value", [*BAD_TEXT, "", "somebody else's cookie"], ids=["long", "torn", "empty", "strange"]
    )
    def test_a_cookie_that_is_no_session_value_is_nobodys_and_asks_nobody(self, shop, use_case, parameter, value):
        try:
            answer = shop.call(use_case, **{parameter.name: Secret(value)})
        except SignInRequired:
            answer = None
        assert answer is None or isinstance(answer, NoSession | SignedOut)
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("field", ["identifier", "password", "locale"])
    @pytest.mark.parametrize(
        "use_case", each(one for one in USE_CASES if any(p.name == "form" for p in one.parameters))
    )
    def test_a_form_is_read_as_strictly(self, shop, use_case, field):
        allowed = {"password": {None}, "locale": {None}}.get(field, set())
        for value in [*NO_TEXT, *BAD_TEXT, ""]:
            if value == "" and field == "password":
                continue  # text, and no good as a password
            if isinstance(value, str | bytes | int | float | bool | None) and value in allowed:
                continue
            filled_in: dict[str, Any] = {"identifier": "ann@lamp.example", field: value}
            form = RegistrationForm(**filled_in)
            with pytest.raises(Rejected) as refusal:
                shop.call(use_case, form=form)
            assert refusal.value.kind is Kind.INVALID
            assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize(
        "use_case", each(one for one in USE_CASES if any(p.name in {"answers", "ids"} for p in one.parameters))
    )
    def test_so_is_each_of_many(self, shop, use_case):
        (name,) = {parameter.name for parameter in use_case.parameters} & {"answers", "ids"}
        (one,) = [parameter for parameter in use_case.parameters if parameter.name == name]
        bad = [value for value in [*NO_TEXT, *BAD_TEXT] if value is not None]
        whole = [
            value for value in [None, 5, "text", b"text", Secret("text")] if value or not may_be_missing(one.annotation)
        ]
        lists: list[Any] = [[value] for value in [*bad, None]]
        maps: list[Any] = [{next(iter(Question)): value} for value in bad]
        strange: list[Any] = [{"a question": "of their own"}, ["no", "answers"]]
        for value in [*whole, *(lists if name == "ids" else [*maps, *strange])]:
            with pytest.raises(InvalidInput):
                shop.call(use_case, **{name: value})
            assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201", "PAS-5")
    @pytest.mark.parametrize("place", sorted(FORGIVEN))
    def test_what_is_no_password_at_all_is_a_wrong_one_where_one_is_compared(self, place):
        ((use_case, parameter),) = ((o, p) for o in USE_CASES for p in o.parameters if where(o, p) == place)
        for value in [*NO_TEXT, *BAD_TEXT, ""]:
            shop = Shop()
            with pytest.raises((SignInRefused, SignInRequired)):
                shop.call(use_case, **{parameter.name: value})
            assert shop.recorder.trace

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("character", ["\0", "\n", "\r\n", "\u202e", "\u200b", "\u2028", "\u2029"], ids=ascii)
    @pytest.mark.parametrize(
        "use_case", each(one for one in USE_CASES if any(p.name == "identifier" for p in one.parameters))
    )
    def test_an_address_with_something_unseen_in_it_is_refused(self, shop, use_case, character):
        with pytest.raises(Rejected) as refusal:
            shop.call(use_case, identifier=f"ann{character}@lamp.example")
        assert refusal.value.kind is Kind.INVALID
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-231")
    @pytest.mark.parametrize(
        ("use_case", "parameter"), named((o, p) for o, p in TICKETS if not may_be_missing(p.annotation))
    )
    def test_a_ticket_of_no_known_form_is_invalid_without_asking_anybody(self, shop, use_case, parameter):
        for text in ("", "sa1", "sa1.xyz.a.b", "x" * 128):
            with pytest.raises(LinkInvalid):
                shop.call(use_case, **{parameter.name: Secret(text)})
            assert shop.recorder.trace == []


class TestSubjects:
    @pytest.mark.proves("KER-232")
    @pytest.mark.parametrize("use_case", each(USE_CASES))
    def test_no_use_case_takes_an_account_beside_what_proves_it(self, use_case):
        names = {parameter.name for parameter in use_case.parameters}
        assert not names & {"account", "account_id", "customer", "customer_id", "subject", "user", "realm", "host"}

    def test_whoever_is_an_exception_is_a_use_case(self):
        assert {*OF_AGENTS, *PURPOSES, *NO_REQUEST_EITHER} <= {str(one) for one in ALL}
        assert {where(o, p) for o in ALL for p in o.parameters} >= FORGIVEN
