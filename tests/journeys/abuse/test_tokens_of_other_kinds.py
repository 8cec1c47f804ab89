"""Somebody holds one thing and tries it wherever a thing is taken: another kind, another person's, a changed one.

Everything that a customer can hold is gathered twice, for Ann and for Eve, and offered at every place that takes one.
"""

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import NoSession
from shopaccounts.testing.builders import PASSWORD, request_from

HERE = request_from("203.0.113.66", agent="eve")
NEW = "a lantern on a rainy evening"

TAKERS = {
    "a code's handle": lambda shop, text: shop.registration.complete_registration(text, "000000", HERE),
    "another mail": lambda shop, text: shop.registration.resend_verification(text, HERE),
    "a look at a contact": lambda shop, text: shop.registration.peek_contact(text, HERE),
    "a contact": lambda shop, text: shop.registration.confirm_contact(text, None, HERE),
    "a take-over": lambda shop, text: shop.registration.take_over_contact(text, NEW, HERE),
    "a look at a reset": lambda shop, text: shop.recovery.peek_reset(text, HERE),
    "a reset": lambda shop, text: shop.recovery.reset_password(text, NEW, HERE),
    "a list of sessions": lambda shop, text: shop.sessions.list_sessions(text, HERE),
    "the end of a session": lambda shop, text: shop.sessions.end_session(text, "unknown", HERE),
    "the end of the others": lambda shop, text: shop.sessions.end_other_sessions(text, HERE),
    "the end of all": lambda shop, text: shop.sessions.sign_out_everywhere(text, HERE),
}
BELONG = {
    "handle": {"a code's handle", "another mail"},
    "link": {"a look at a contact", "a contact", "a take-over"},
    "reset link": {"a look at a reset", "a reset"},
    "session": {"a list of sessions", "the end of a session", "the end of the others", "the end of all"},
}


async def holdings(shop, name):
    """Everything that somebody with a new account and a second, waiting one has in hand."""
    account = await shop.open_account(f"{name}@lamp.example")
    await shop.recovery.request_reset(account.email, HERE)
    reset = shop.builder.mailbag.last.token
    waiting = RegistrationForm(identifier=f"{name}.waits@lamp.example", password=PASSWORD)
    started = await shop.registration.register(waiting, HERE)
    link = shop.builder.mailbag.last.token
    return {"handle": started.handle, "link": link, "reset link": reset, "session": account.session}


@pytest.mark.proves("KER-230", "KER-231")
@pytest.mark.parametrize("kind", BELONG)
async def test_a_thing_of_one_kind_is_taken_nowhere_else(shop, builder, kind) -> None:
    held = (await holdings(shop, "ann"))[kind]
    before = builder.storage.snapshot()
    for taker in TAKERS.keys() - BELONG[kind]:
        with pytest.raises(Rejected):
            await TAKERS[taker](shop, held)
        assert builder.storage.snapshot() == before, f"a {kind} did something at {taker!r}"
    if kind != "session":
        assert isinstance(await shop.sessions.resume(held, HERE), NoSession)


@pytest.mark.proves("KER-231")
@pytest.mark.parametrize("kind", BELONG)
async def test_with_one_character_changed_it_is_as_unknown_as_one_that_never_was(shop, kind) -> None:
    text = (await holdings(shop, "ann"))[kind].reveal()
    taker = min(BELONG[kind])
    refusals = {await refusal_at(shop, taker, "sa1.xxx.invented.text")}
    for place in (0, 5, 10, len(text) // 2, len(text) - 2):
        other = "A" if text[place] != "A" else "B"
        refusals.add(await refusal_at(shop, taker, text[:place] + other + text[place + 1 :]))
    assert len(refusals) == 1


async def refusal_at(shop, taker, text):
    with pytest.raises(Rejected) as refused:
        await TAKERS[taker](shop, Secret(text))
    return repr(refused.value)


@pytest.mark.proves("KER-230", "KER-231")
async def test_halves_of_two_peoples_things_make_no_whole(shop) -> None:
    anns, eves = await holdings(shop, "ann"), await holdings(shop, "eve")
    for kind, takers in BELONG.items():
        *whose, _ = anns[kind].reveal().split(".")
        *_, verifier = eves[kind].reveal().split(".")
        for taker in takers:
            with pytest.raises(Rejected):
                await TAKERS[taker](shop, Secret(".".join([*whose, verifier])))


@pytest.mark.proves("KER-232", "RCV-14")
async def test_whoever_holds_a_thing_acts_on_its_own_account_and_on_no_other(shop, builder) -> None:
    eves = await holdings(shop, "eve")
    ann = await shop.open_account("ann@lamp.example")
    before = await builder.kept(PASSWORDS, ann.id)
    await shop.recovery.reset_password(eves["reset link"], NEW, HERE)
    assert await builder.kept(PASSWORDS, ann.id) == before
    assert not isinstance(await shop.sessions.resume(ann.session, HERE), NoSession)
