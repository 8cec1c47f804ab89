"""What every use-case does with what comes from outside, before it asks anybody anything."""

import asyncio
import io
import json
from contextlib import nullcontext
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, get_args

import attrs
import pytest

from shopaccounts.adapters.argon2 import ThreadedArgon2Hasher
from shopaccounts.adapters.crypto import RootKeyring
from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.adapters.phone import PlannedPhones
from shopaccounts.adapters.sms import ConsoleCourier
from shopaccounts.customers import ContactRole
from shopaccounts.customers.closing import CLOSE_ACCOUNT
from shopaccounts.customers.notices import FREEZE, NOT_ME_CHANGE, NOT_ME_SIGN_IN
from shopaccounts.kernel.contact import ContactKind
from shopaccounts.kernel.desk import SilentBell
from shopaccounts.kernel.errors import InsecureTransport, InvalidInput, Kind, Rejected
from shopaccounts.kernel.ids import RealmId, StoreId
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.storefront import Storefront
from shopaccounts.kernel.tickets import LinkInvalid, forge
from shopaccounts.kernel.time import FixedClock
from shopaccounts.kernel.web import LinkBuilder
from shopaccounts.passwords import Argon2Profile
from shopaccounts.providers import Intent, NoIdTokens, ProviderConfig, ProviderPolicy
from shopaccounts.providers.model import EMAIL_WANTED, EXCHANGE, LINK_PROPOSAL, PROVIDER_STATE
from shopaccounts.recovery import Question, SecurityQuestionsPolicy
from shopaccounts.recovery.cases import CANCEL_RECOVERY, CASE_CODE, RECOVER_MAILBOX, RECOVERY_HOLDER
from shopaccounts.recovery.deciding import RESET, RESET_CODE
from shopaccounts.registration import RegistrationForm, RegistrationPolicy, UsernamePolicy, WhichNumber
from shopaccounts.registration.adding import PROVE_ADDED
from shopaccounts.registration.changing import CONFIRM_NEW, CONFIRM_OLD, UNDO
from shopaccounts.registration.checking import CHECK
from shopaccounts.registration.inviting import INVITE
from shopaccounts.registration.verifying import HANDLE, VERIFY
from shopaccounts.shop import Adapters, AsyncShopAccounts, Policies
from shopaccounts.signin import (
    NoSession,
    PasskeyAnswer,
    PasskeyPolicy,
    PasskeyRefused,
    ProgressEnded,
    RecoveryCodeAnswer,
    RenewalPolicy,
    SentCodeAnswer,
    SessionPolicy,
    SignedOut,
    SignInRefused,
    SignInRequired,
    TotpCode,
)
from shopaccounts.signin.codes.sent import SIGN_IN, SIGN_IN_LINK, STEP
from shopaccounts.signin.model import SESSION, ActingScope
from shopaccounts.signin.passkeys.ceremonies import CEREMONY
from shopaccounts.signin.progress import PROGRESS
from shopaccounts.subscriptions.leaving.statements import CancellationForm, WithdrawalForm
from shopaccounts.subscriptions.usecases.statement_letters import CONFIRM_CANCELLATION
from shopaccounts.testing.doubles import ScriptedEntropy, StaffRoom
from shopaccounts.testing.faces import use_cases
from shopaccounts.testing.recording import Recorder

SAFE = RequestContext(secure=True, client_ip=ip_address("192.0.2.1"))
UNSAFE = RequestContext(secure=False, client_ip=ip_address("127.0.0.1"))
GOOD_PASSWORD = "a lamp in the winter wind"
ELSEWHERE = ProviderConfig(
    id="elsewhere",
    issuer="https://elsewhere.example",
    client_id="the shop",
    redirect_uri="https://lamp.example/elsewhere",
    keys="https://elsewhere.example/keys",
)
FORM = RegistrationForm(identifier="ann@lamp.example", password=GOOD_PASSWORD)
ANSWERS = dict(zip(Question, ("a grey kettle", "the blue door", "old mill lane"), strict=False))
SESSIONS = {"value", "session"}
"""What a parameter is called that takes what the session cookie holds."""
PURPOSES = {
    "cases.cancel_case": CANCEL_RECOVERY,
    "cases.open_mailbox_case": RECOVER_MAILBOX,
    "cases.peek_cancel": CANCEL_RECOVERY,
    "case_help.complete_case": RECOVER_MAILBOX,
    "code_signin.peek_sign_in_link": SIGN_IN_LINK,
    "code_signin.sign_in_with_link": SIGN_IN_LINK,
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
    "recovery.reset_passkey_options": RESET,
    "recovery.reset_password": RESET,
    "recovery.send_reset_factor_code": RESET,
    "registration.confirm_contact": VERIFY,
    "registration.peek_contact": VERIFY,
    "registration.take_over_contact": VERIFY,
    "statements.confirm_cancellation": CONFIRM_CANCELLATION,
}
"""What the token of each use-case is for."""
HANDLES = {
    "flow": EXCHANGE,
    "handle": HANDLE,
    "progress": PROGRESS,
    "proof": RECOVERY_HOLDER,
    "proposal": LINK_PROPOSAL,
    "another_device.add_passkey.handle": CEREMONY,
    "code_signin.resend_code.handle": SIGN_IN.handle,
    "code_signin.sign_in_with_code.handle": SIGN_IN.handle,
    "factors.confirm_sent_factor.handle": STEP.handle,
    "passkey_signin.sign_in_with_passkey.handle": CEREMONY,
    "passkeys.add_passkey.handle": CEREMONY,
    "providers.give_email.handle": EMAIL_WANTED,
    "providers.link_after_email.handle": EMAIL_WANTED,
    "recovery.reset_with_code.handle": RESET_CODE.handle,
}
"""What handles are for: those of a name, and those of a use-case that has others."""
NO_HANDLES = {"providers.accept_logout_token.token": "signed by a provider, not made here"}
"""What is called like a ticket and is none."""
ENDS_AS = {
    "progress": ProgressEnded,
    "another_device.add_passkey.handle": PasskeyRefused,
    "passkey_signin.sign_in_with_passkey.handle": PasskeyRefused,
    "passkeys.add_passkey.handle": PasskeyRefused,
}
"""As what a handle of no known form is refused, where not as an invalid link."""
ENDS_SILENTLY = {"second_step.cancel_sign_in.progress": "to give up what is over is no mistake"}
"""Where a handle of no known form is passed over."""


def forged(purpose):
    """A ticket's text or a handle as the shop would make it."""
    return forge(purpose, RealmId("main"), ScriptedEntropy("texts")).text


PASSKEY = json.dumps(
    {
        "id": "AAAA",
        "rawId": "AAAA",
        "type": "public-key",
        "response": dict.fromkeys(("clientDataJSON", "attestationObject", "authenticatorData", "signature"), "AAAA"),
    }
)
PLAIN = {
    "statements.submit_cancellation.form": CancellationForm(
        name="Ann", reference="contract-1", contact="ann@lamp.example"
    ),
    "statements.open_withdrawal.form": WithdrawalForm(name="Ann", reference="contract-1", contact="ann@lamp.example"),
    "customer": None,
    "accept": True,
    "accepted": "f" * 32,
    "addition": "addition-1",
    "answers": ANSWERS,
    "by_call": False,
    "channel": Channel.EMAIL,
    "code": "123456",
    "codes": [SentCodeAnswer(forged(CASE_CODE.handle), "123456")],
    "confirmed": False,
    "contact": "contact-1",
    "current": GOOD_PASSWORD,
    "cursor": None,
    "factor": "factor-1",
    "form": FORM,
    "id": "invitation-1",
    "identifier": "ann@lamp.example",
    "identity_id": "identity-1",
    "ids": ["device-1"],
    "intent": Intent.SIGN_IN,
    "kind": ContactKind.EMAIL,
    "label": "the old phone",
    "limit": 20,
    "name": "lamplighter",
    "new": GOOD_PASSWORD,
    "new_password": GOOD_PASSWORD,
    "not_me": False,
    "params": {"state": forged(PROVIDER_STATE).reveal(), "code": "a code"},
    "passkey": "passkey-1",
    "passkeys_too": False,
    "password": GOOD_PASSWORD,
    "phone": None,
    "provider_id": "elsewhere",
    "public_id": "session-1",
    "remember": False,
    "response": PASSKEY,
    "role": ContactRole.NOTIFY,
    "second": None,
    "tokens": None,
    "trust_device": False,
    "use": True,
    "which": WhichNumber.NEW,
    "providers.accept_logout_token.token": Secret("not.signed.yet"),
    "providers.finish_provider.answer": Secret("not.signed.yet"),
    "second_step.give_second_factor.answer": TotpCode("123456"),
    "signin.confirm_identity.answer": GOOD_PASSWORD,
}
"""An argument of each name that would do, and of a use-case that takes another of that name."""
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
LONG_TEXTS = {
    "another_device.add_passkey.response": "what a browser says of a passkey, with certificates",
    "passkey_signin.sign_in_with_passkey.response": "as above",
    "passkeys.add_passkey.response": "as above",
    "providers.accept_logout_token.token": "with whatever a provider says of a customer",
}
"""Texts that may be longer than others, up to 65,536 characters."""
FORGIVEN = {
    "signin.sign_in_with_password.password",
    "signin.confirm_identity.answer",
    "passwords.change_password.current",
}
"""Any wrong password is a wrong password, with equal work."""
ANSWERED = {
    "cases.complete_mailbox_case.phone",
    "cases.open_mailbox_case.phone",
    "recovery.reset_password.second",
    "recovery.reset_with_code.second",
    "second_step.give_second_factor.answer",
    "signin.confirm_identity.answer",
}
"""What takes an answer to what the shop asked for."""
NO_SECRETS: list[Any] = [None, "open text", b""]
BAD_ANSWERS: list[Any] = [
    *(kind(value) for kind in (TotpCode, RecoveryCodeAnswer) for value in (None, b"123456", 123456, *BAD_TEXT)),
    *(TotpCode("123456", value) for value in (b"", 7, *BAD_TEXT)),
    *(SentCodeAnswer(Secret("a handle"), value) for value in (None, b"123456", 123456, *BAD_TEXT)),
    *(SentCodeAnswer(Secret("a handle"), "123456", value) for value in (b"", 7, *BAD_TEXT)),
    *(kind(value, "123456") for kind in (SentCodeAnswer, PasskeyAnswer) for value in NO_SECRETS),
    *(kind(Secret(value), "{}") for kind in (SentCodeAnswer, PasskeyAnswer) for value in (None, b"", 7, *BAD_TEXT)),
]
"""Answers with something in them that can't be there; what else is wrong with one counts as a try."""
NO_TEXTS = {
    "customer": "who is signed in, by the host",
    "accept": "a choice between two buttons",
    "answer": "an answer or what comes from a provider, below",
    "form": "read field by field, below",
    "answers": "read one by one, below",
    "by_call": "a choice between two buttons",
    "codes": "read one by one, below",
    "confirmed": "a choice between two buttons",
    "ids": "read one by one, below",
    "limit": "a number that the host's page has",
    "not_me": "a choice between two buttons",
    "params": "read by their names, below",
    "passkeys_too": "a choice between two buttons",
    "phone": "an answer, below",
    "remember": "a choice between two buttons",
    "role": "one of three, by the host's page",
    "second": "an answer, below",
    "tokens": "what comes from a provider, below",
    "trust_device": "a choice between two buttons",
    "use": "a choice between two buttons",
}
"""Parameters that aren't texts, each with what it is."""
OF_AGENTS = {"impersonation.start_impersonation": "asks first whether the agent may, and by that a port"}
"""Use-cases with a request that isn't a customer's."""
FILLED_LATER = {
    "providers.finish_provider": "its address and password aren't looked at; what a provider says is put into the rest",
    "statements.submit_cancellation": "a form of its own, which is read strictly when it is made",
    "statements.open_withdrawal": "a form of its own, which is read strictly when it is made",
}
"""Use-cases with a form that can't be read at once."""
WITHOUT_A_REQUEST = {
    "customer": "a customer whom the host has signed in, and whose own things alone are found",
    "worker": "due work, begun by a clock",
    "limit": "due work, begun by a clock",
    "budget": "due work, begun by a clock",
    "reason": "an agent, who is asked for the right to it before anything else",
    "why": "an agent, who is asked for the right to it before anything else",
    "ids": "the operator's console",
    "page": "the operator's console",
}
"""Why a use-case with such a parameter needn't know of a request."""
NO_REQUEST_EITHER = {
    "payments.record_payment": "the operator's console, or whoever reads bank statements",
    "payments.reverse_payment": "a webhook of the gateway, which the host has checked",
    "payments.settle_payment": "a webhook of the gateway, which the host has checked",
    "payments.try_now": "the host's own page, after something was ordered",
    "usage_watch.check_usage": "due work, begun by a clock",
    "assisted.import_account": "the operator's console",
    "contact_care.note_delivery": "a webhook of whoever delivers mail, which the host has checked",
    "relay.status": "the operator's console",
    "subscription_records.move_subscriptions": "whoever finds that two records are one person, or that a guest is one",
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
TICKETS = [
    (one, parameter)
    for one, parameter in TEXTS
    if parameter.name in {"token", *HANDLES} and where(one, parameter) not in NO_HANDLES
]


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
            phone_rules=self.recorder(PlannedPhones()),
            id_tokens=self.recorder(NoIdTokens()),
            couriers=dict.fromkeys((Channel.SMS, Channel.VOICE), ConsoleCourier(io.StringIO())),
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
                passkeys=PasskeyPolicy(rp_id="lamp.example", rp_name="Lamps", origins=("https://lamp.example",)),
                providers=ProviderPolicy(configs=(ELSEWHERE,)),
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
    place = f"{use_case}.{parameter}"
    if place in PLAIN:
        return PLAIN[place]
    if parameter == "token":
        return forged(PURPOSES[str(use_case)])
    purposes = {**HANDLES, **dict.fromkeys(SESSIONS, SESSION)}
    if purpose := purposes.get(place) or purposes.get(parameter):
        return forged(purpose)
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
        may_be_none = may_be_missing(parameter.annotation) or parameter.default is None
        wrong = [value for value in NO_TEXT if value is not None or not may_be_none]
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
        too_long, *torn = BAD_TEXT
        endless = "x" * 66_000 if where(use_case, parameter) in LONG_TEXTS else too_long
        for value in [endless, *torn]:
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
        "use_case",
        each(one for one in USE_CASES if str(one) not in FILLED_LATER and "form" in {p.name for p in one.parameters}),
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

    @pytest.mark.proves("KER-201", "KER-243")
    @pytest.mark.parametrize("bad", BAD_ANSWERS)
    @pytest.mark.parametrize("place", sorted(ANSWERED))
    def test_nothing_in_an_answer_may_be_what_it_cannot_be(self, shop, place, bad):
        face_and_name, _, parameter = place.rpartition(".")
        (use_case,) = (one for one in USE_CASES if str(one) == face_and_name)
        with pytest.raises(InvalidInput):
            shop.call(use_case, **{parameter: bad})
        assert shop.recorder.trace == []

    @pytest.mark.proves("KER-201")
    @pytest.mark.parametrize("place", sorted(ANSWERED - FORGIVEN))
    def test_what_is_no_answer_answers_nothing(self, shop, place):
        face_and_name, _, parameter = place.rpartition(".")
        (use_case,) = (one for one in USE_CASES if str(one) == face_and_name)
        may_be_none = any(p.name == parameter and may_be_missing(p.annotation) for p in use_case.parameters)
        for value in [*NO_TEXT, *BAD_TEXT, "123456", Secret("123456"), TotpCode]:
            if value is not None or not may_be_none:
                with pytest.raises(InvalidInput):
                    shop.call(use_case, **{parameter: value})
                assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201", "KER-243")
    @pytest.mark.parametrize("use_case", each(one for one in USE_CASES if "codes" in {p.name for p in one.parameters}))
    def test_so_are_several_codes(self, shop, use_case):
        good: Any = PLAIN["codes"]
        codes = [[value] for value in [*NO_TEXT, *BAD_TEXT, "123456", *BAD_ANSWERS, TotpCode("123456")]]
        for value in [*NO_TEXT, *BAD_TEXT, *codes, good * 2, good * 3]:
            with pytest.raises(InvalidInput):
                shop.call(use_case, codes=value)
            assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201")
    def test_what_comes_back_from_a_provider_is_read_as_strictly(self, shop):
        (use_case,) = (one for one in USE_CASES if str(one) == "providers.accept_callback")
        good: Any = PLAIN["params"]
        names, strange = ("state", "code", "iss", "error"), [5, b"x", ["x"], "\ud800"]
        bent = [good | {name: value} for name in names for value in strange]
        for value in [*NO_TEXT[:-1], "text", *bent, good | {"code": "x" * 5000}]:
            with pytest.raises(InvalidInput):
                shop.call(use_case, params=value)
            assert shop.recorder.trace == [], value

    @pytest.mark.proves("KER-201")
    def test_so_is_what_a_host_brings_from_a_provider(self, shop):
        (use_case,) = (one for one in USE_CASES if str(one) == "providers.finish_provider")
        tokens = [*NO_TEXT, "open text", *map(Secret, [*NO_TEXT, "x" * 66_000, "\ud800"])]
        some = [value for value in NO_TEXT if value is not None]
        besides = [{name: value} for name in ("tokens", "form") for value in some]
        for different in [*({"answer": value} for value in tokens), *besides]:
            with pytest.raises(InvalidInput):
                shop.call(use_case, **different)
            assert shop.recorder.trace == [], different

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
        place = where(use_case, parameter)
        refused = pytest.raises(ENDS_AS.get(place) or ENDS_AS.get(parameter.name) or LinkInvalid)
        for text in ("", "sa1", "sa1.xyz.a.b", "x" * 128):
            with nullcontext() if place in ENDS_SILENTLY else refused:
                shop.call(use_case, **{parameter.name: Secret(text)})
            assert shop.recorder.trace == []


ALSO_BY_STRANGERS = {
    "statements.confirm_withdrawal": {"customer"},
    "statements.open_withdrawal": {"customer"},
}
"""What anybody may send; that somebody is signed in lets them hear more, and do no more."""


class TestSubjects:
    @pytest.mark.proves("KER-232")
    @pytest.mark.parametrize("use_case", each(USE_CASES))
    def test_no_use_case_takes_an_account_beside_what_proves_it(self, use_case):
        names = {parameter.name for parameter in use_case.parameters}
        assert not (names - ALSO_BY_STRANGERS.get(str(use_case), set())) & {
            "account", "account_id", "customer", "customer_id", "subject", "user", "realm", "host"
        }  # fmt: skip

    def test_whoever_is_an_exception_is_a_use_case(self):
        assert {*OF_AGENTS, *PURPOSES, *NO_REQUEST_EITHER, *FILLED_LATER} <= {str(one) for one in ALL}
        named_so = {name for o in ALL for p in o.parameters for name in (p.name, where(o, p))}
        assert {*PLAIN, *HANDLES, *NO_HANDLES, *ENDS_AS, *ENDS_SILENTLY} <= named_so
        assert {*FORGIVEN, *ANSWERED, *LONG_TEXTS, *NO_TEXTS} <= named_so
