"""Somebody holds one thing and tries it wherever a thing is taken: another kind, another person's, a changed one.

Everything that there is to hold is gathered in one shop. Each of it is offered to every use-case that takes a secret,
in the place of the right one, with everything else as it should be: it does what a thing does that never was, and
changes nothing. The right one does something else, which shows that nothing but the thing itself is refused.
"""

import re
from datetime import timedelta
from functools import cache
from typing import Any

import attrs
import pytest

from shopaccounts.customers import ContactRole
from shopaccounts.kernel.answers import run
from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS
from shopaccounts.providers import Intent
from shopaccounts.recovery import Question
from shopaccounts.registration import RegistrationForm, WhichNumber
from shopaccounts.signin import NoSession, PasskeyAnswer, PasswordAnswer, SentCodeAnswer
from shopaccounts.testing.builders import PASSWORD
from shopaccounts.testing.faces import use_cases
from tests.journeys.abuse.gathering import HERE, NEW, Gathering
from tests.rules.kernel.test_tickets import USES

ANSWERS = {
    Question.FIRST_PET: "an eel called Edda",
    Question.FIRST_JOB: "ladder holder",
    Question.FIRST_FLIGHT: "to Oslo",
}
OWN: dict[str, tuple[str, ...]] = {
    "registration.change_attempt_contact handle": ("challenge",),
    "registration.complete_registration handle": ("challenge",),
    "registration.resend_verification handle": ("challenge",),
    "registration.confirm_contact token": ("verify_contact",),
    "registration.confirm_contact handle": ("challenge",),
    "registration.peek_contact token": ("verify_contact",),
    "registration.take_over_contact token": ("verify_contact",),
    "invitations.accept_invitation token": ("invitation",),
    "invitations.accept_with_account token": ("invitation",),
    "invitations.decline_invitation token": ("invitation",),
    "invitations.peek_invitation token": ("invitation",),
    "contacts.confirm_added_contact token": ("add_contact",),
    "contacts.confirm_added_contact value": ("hans's session",),
    "contacts.peek_added_contact token": ("add_contact",),
    "contact_changes.cancel_contact_change value": ("cleo's session",),
    "contact_changes.confirm_change_new token": ("change_contact_new",),
    "contact_changes.confirm_change_new value": ("cleo's session",),
    "contact_changes.confirm_change_old token": ("change_contact_old",),
    "contact_changes.confirm_change_old value": ("carl's session",),
    "contact_changes.peek_contact_change token": (
        "change_contact_new",
        "change_contact_old",
        "undo_contact_change",
    ),
    "contact_changes.reverse_contact_change token": ("undo_contact_change",),
    "contact_care.answer_contact_check token": ("check_contact",),
    "contact_care.peek_contact_check token": ("check_contact",),
    "code_signin.peek_sign_in_link token": ("sign_in_link",),
    "code_signin.resend_code handle": ("sign_in_code",),
    "code_signin.sign_in_with_code handle": ("sign_in_code",),
    "code_signin.sign_in_with_link token": ("sign_in_link",),
    "factors.confirm_sent_factor handle": ("step_code of a new factor",),
    "passkey_signin.sign_in_with_passkey handle": ("passkey_ceremony to sign in",),
    "passkeys.add_passkey handle": ("passkey_ceremony to make one",),
    "another_device.add_passkey handle": ("passkey_ceremony on another device",),
    "providers.accept_logout_token token": ("logout token",),
    "providers.answer_proposal proposal": ("link_proposal",),
    "providers.answer_proposal session": ("karl's session",),
    "providers.finish_provider flow": ("provider_exchange", "provider_exchange to link"),
    "providers.finish_provider answer": ("id token",),
    "providers.finish_provider session": ("hans's session",),
    "providers.give_email handle": ("provider_email",),
    "providers.kept_tokens session": ("lisa's session",),
    "providers.link_after_email handle": ("provider_email",),
    "providers.link_after_email session": ("hans's session",),
    "providers.unlink_provider session": ("lisa's session",),
    "impersonation.end_impersonation value": ("acting session",),
    "customers.freeze_account token": ("freeze_account",),
    "customers.peek_freeze token": ("freeze_account",),
    "closings.cancel_account_closing value": ("closing session",),
    "closings.confirm_account_closing token": ("close_account",),
    "closings.confirm_account_closing value": ("zoe's session",),
    "closings.peek_account_closing token": ("close_account",),
    "closings.peek_account_closing value": ("zoe's session",),
    "objections.not_me_change token": ("not_me_change",),
    "objections.not_me_sign_in token": ("not_me_sign_in",),
    "objections.peek_not_me_change token": ("not_me_change",),
    "objections.peek_not_me_sign_in token": ("not_me_sign_in",),
    "recovery.peek_reset token": ("password_reset",),
    "recovery.reset_passkey_options token": ("password_reset",),
    "recovery.reset_password token": ("password_reset",),
    "recovery.reset_with_code handle": ("reset_code",),
    "recovery.send_reset_factor_code token": ("password_reset",),
    "cases.cancel_case token": ("cancel_recovery",),
    "cases.cancel_case_here value": ("emil's session",),
    "cases.complete_mailbox_case proof": ("recovery_holder",),
    "cases.complete_mailbox_case value": ("emil's session",),
    "cases.open_mailbox_case token": ("recover_mailbox",),
    "cases.open_mailbox_case value": ("erna's session",),
    "cases.peek_cancel token": ("cancel_recovery",),
    "case_help.complete_case token": ("complete_case",),
}
"""What is right where it is neither a session nor a half-done sign-in of hers who has everything."""
USUAL = {"value": ("session",), "session": ("session",), "progress": ("sign_in_progress",)}
TAKERS = {
    f"{case} {parameter.name}": (case, parameter.name)
    for case in use_cases()
    for parameter in case.parameters
    if "Secret" in str(parameter.annotation) and case.face != "statements"
}
REFUSED_IN_WRITING = {
    "providers.finish_provider answer": {"provider_flows", "events"},
    "another_device.start_adding code": {"device_bindings"},
}
"""Where a wrong one leaves a trace: what a provider says and isn't believed ends its flow, and guesses are counted."""
GOES_ON_WITHOUT = {"contact_changes.confirm_change_old value", "a device"}
"""Where a thing isn't needed: the link is enough, and the password."""
BOUND = {"sa1.pky.", "sa1.stc."}
"""Kinds of which each is good only in what it was asked for."""
OPENED = {"sessions", "authenticators", "passwords", "customers", "security", "recovery_cases", "devices"}
"""Books that only a right answer changes."""
REFUSAL = re.compile(r"[a-z]+\.[a-z_]+ ")
OF_CONTRACTS = "confirm_cancellation"
"""What is about a contract and opens no account: tests/usecases/subscriptions/test_statement_forms.py."""
UNSIGNED = {"device binding", "id token", "logout token"}
"""What is no text of ours."""


@cache
def gathered():
    return run(Gathering().gather())


TEXTS = tuple(gathered().texts)


def own_of(taker):
    if taker in FREELY:
        return FREELY[taker][:1]
    return OWN.get(taker) or USUAL.get(taker.split()[1], ())


def given(gathering, taker):
    """What is given beside the thing, by the name of the parameter, all of it good."""
    case, _ = TAKERS[taker]
    hand, texts = gathering.hand, gathering.texts
    own = {name: own_of(f"{case} {name}")[0] for takes, name in TAKERS.values() if takes is case}
    answered = [hand[held] for held in own.values() if held in hand]
    usual: dict[str, Any] = {
        "identifier": "quite.new@lamp.example",
        "code": answered[0] if answered else hand["recovery code"],
        "response": answered[0] if answered else "",
        "form": RegistrationForm(identifier="guest@lamp.example", password=PASSWORD),
        "name": "lanternkeeper",
        "role": ContactRole.NOTIFY,
        "which": WhichNumber.NEW,
        "answer": PasswordAnswer(PASSWORD),
        "current": PASSWORD,
        "new": NEW,
        "new_password": NEW,
        "password": PASSWORD if case.face == "signin" else NEW,
        "factor": "sms" if "send" in case.name else hand["factor"],
        "passkey": hand["passkey"],
        "provider_id": gathering.provider.id,
        "intent": Intent.LINK,
        "accept": True,
        "identity_id": hand["identity"],
        "public_id": hand["public id"],
        "accepted": None,
        "ids": ["any"],
        "answers": ANSWERS,
        "codes": [SentCodeAnswer(texts["case_code"], hand["case_code"])],
        "channel": Channel.EMAIL,
    }
    needed = (one.name for one in case.parameters if one.default is one.empty and one.name not in own)
    held = {name: texts[text] for name, text in own.items()}
    if taker == "providers.finish_provider session":
        held |= {"flow": texts["provider_exchange to link"], "answer": hand["linking token"]}
    return {name: usual.get(name, "any") for name in needed} | held


def outcome(gathering, work):
    """What comes of it, and which books it changed; the shop is put back to where it was."""
    storage = gathering.builder.storage
    before = storage.snapshot()
    try:
        came = repr(run(work))
    except Rejected as refusal:
        came = f"{refusal.code} {refusal!r}"
    books = storage.snapshot()["main"].books
    changed = {name for name in books if books[name] != before["main"].books[name]}
    storage.restore(before)
    return came, changed


async def is_new_with(shop, device):
    step = await shop.signin.sign_in_with_password("agathe@lamp.example", PASSWORD, attrs.evolve(HERE, device=device))
    return step.new_device


FREELY: dict[str, Any] = {
    "providers.accept_callback params": (
        "provider_state",
        lambda shop, text: shop.providers.accept_callback(
            {"state": text.reveal(), "code": "a code"}, HERE, provider_id=gathered().provider.id
        ),
    ),
    "another_device.start_adding code": (
        "device binding",
        lambda shop, text: shop.another_device.start_adding("cleo@lamp.example", text.reveal(), HERE),
    ),
    "a device": ("device", is_new_with),
}
"""Where a thing is taken that isn't handed over as a secret."""
EVERYWHERE = (*TAKERS, *FREELY)


def at(taker, text):
    gathering = gathered()
    if taker in FREELY:
        return outcome(gathering, FREELY[taker][1](gathering.shop, text))
    case, name = TAKERS[taker]
    work = getattr(getattr(gathering.shop, case.face), case.name)
    return outcome(gathering, work(**given(gathering, taker) | {name: text, "context": HERE}))


def invented(name):
    """A text that never was, of the same kind."""
    head = gathered().texts[name].reveal()[:8]
    return Secret((head if head.startswith("sa1.") else "sa1.xxx.") + "A" * 22 + "." + "B" * 43)


def others(own):
    """Everything that isn't of that kind; of what is bound to what it was asked for in, everything else."""
    texts = gathered().texts
    kinds = {texts[name].reveal()[:8] for name in own} - BOUND
    return {
        name: text for name, text in texts.items() if name not in {*own, *UNSIGNED} and text.reveal()[:8] not in kinds
    }


@pytest.mark.proves("KER-230", "KER-231")
@pytest.mark.parametrize("taker", EVERYWHERE)
def test_a_thing_of_another_kind_is_taken_nowhere(taker) -> None:
    own = own_of(taker)
    unknown = at(taker, invented(own[0]))
    assert taker in GOES_ON_WITHOUT or unknown[1] <= REFUSED_IN_WRITING.get(taker, set())
    for name in own:
        assert at(taker, gathered().texts[name]) != unknown, f"the right one does nothing at {taker}"
    for name, text in others(own).items():
        assert at(taker, text) == unknown, f"{name} did something at {taker}"


@pytest.mark.proves("KER-230", "KER-231")
@pytest.mark.parametrize("taker", EVERYWHERE)
def test_what_was_not_signed_here_is_refused_everywhere(taker) -> None:
    for name in UNSIGNED - {*own_of(taker)}:
        came, changed = at(taker, gathered().texts[name])
        assert taker in GOES_ON_WITHOUT or changed <= REFUSED_IN_WRITING.get(taker, set())
        ends_nothing = came.startswith(("NoSession", "SignedOut", "None"))
        assert REFUSAL.match(came) or ends_nothing or came == at(taker, invented("session"))[0]


@pytest.mark.proves("KER-231")
@pytest.mark.parametrize("taker", [taker for taker in EVERYWHERE if not UNSIGNED & {*own_of(taker)}])
def test_changed_by_one_character_or_put_together_from_two_it_is_as_unknown_as_one_that_never_was(taker) -> None:
    name = own_of(taker)[0]
    text, unknown = gathered().texts[name].reveal(), at(taker, invented(name))
    for place in (0, 5, 10, len(text) // 2, len(text) - 2):
        other = "A" if text[place] != "A" else "B"
        assert at(taker, Secret(text[:place] + other + text[place + 1 :])) == unknown
    *whose, _ = text.split(".")
    for elses in (other for other in gathered().texts if other not in {name, *UNSIGNED}):
        *_, verifier = gathered().texts[elses].reveal().split(".")
        halves = ".".join([*whose, verifier])
        assert halves == text or at(taker, Secret(halves)) == unknown


ANSWERED = {
    "a second step": (
        lambda shop, texts, answer: shop.second_step.give_second_factor(texts["sign_in_progress"], answer, HERE),
        {"step_code for a second step", "passkey_ceremony as second step"},
    ),
    "a proof in a session": (
        lambda shop, texts, answer: shop.signin.confirm_identity(texts["session"], answer, HERE),
        {"step_code for a session", "passkey_ceremony in a session"},
    ),
    "a reset": (
        lambda shop, texts, answer: shop.recovery.reset_password(texts["password_reset"], NEW, HERE, second=answer),
        {"step_code at a reset", "passkey_ceremony at a reset"},
    ),
    "a case": (
        lambda shop, texts, answer: shop.lost_factor.open_factor_case(texts["sign_in_progress"], [answer], HERE),
        {"case_code"},
    ),
}
"""Where codes and passkeys are answers, and which of them are right there."""


@pytest.mark.proves("KER-230", "SIG-20", "SIG-63")
@pytest.mark.parametrize("where", ANSWERED)
def test_a_right_code_or_passkey_is_no_answer_to_anything_but_what_it_was_asked_for(where) -> None:
    gathering = gathered()
    ask, own = ANSWERED[where]
    taken = set()
    for name, text in gathering.texts.items():
        given = gathering.hand.get(name, "000000")
        sent = SentCodeAnswer(text, given, None if where == "a case" else "sms")
        for answer in (sent,) if where == "a case" else (sent, PasskeyAnswer(text, given)):
            came, changed = outcome(gathering, ask(gathering.shop, gathering.texts, answer))
            if not REFUSAL.match(came):
                taken.add(name)
            assert name in own or not changed & OPENED, f"{name} opened something as {where}"
    assert taken == own


def test_there_is_a_thing_of_every_kind_and_a_right_one_for_every_place() -> None:
    """A new purpose, or a new use-case that takes a secret, has its row here."""
    texts = gathered().texts
    assert {text.reveal().split(".")[1] for name, text in texts.items() if name not in UNSIGNED} == {
        use.code for use in USES if use.name != OF_CONTRACTS
    }
    assert OWN.keys() <= TAKERS.keys()
    taken = {name for taker in EVERYWHERE for name in own_of(taker)} | {
        name for _, own in ANSWERED.values() for name in own
    }
    assert taken == texts.keys()


@pytest.mark.proves("KER-232", "RCV-14")
async def test_whoever_holds_a_thing_acts_on_its_own_account_and_on_no_other(shop, builder) -> None:
    eve = await shop.open_account("eve@lamp.example")
    await shop.recovery.request_reset(eve.email, HERE)
    link = builder.mailbag.last.token
    builder.clock.advance(timedelta(minutes=2))
    ann = await shop.open_account("ann@lamp.example")
    before = await builder.kept(PASSWORDS, ann.id)
    await shop.recovery.reset_password(link, NEW, HERE)
    assert await builder.kept(PASSWORDS, ann.id) == before
    assert not isinstance(await shop.sessions.resume(ann.session, HERE), NoSession)
