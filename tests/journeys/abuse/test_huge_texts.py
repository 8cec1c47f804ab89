"""Somebody sends megabytes where a word belongs, to keep the shop busy."""

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.secret import Secret
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from(agent="x" * 1_000_000)
TEXTS = ("x" * 1_000_000, "\u00e9" * 300_000, "a@" * 200_000, "1-" * 400_000, "\ufdfa" * 100_000)
PLACES = {
    "an address to register": lambda shop, text: shop.registration.register(
        RegistrationForm(identifier=text, password=PASSWORD), HERE
    ),
    "a password to register": lambda shop, text: shop.registration.register(
        RegistrationForm(identifier=ANN, password=text), HERE
    ),
    "a code": lambda shop, text: shop.registration.complete_registration(Secret("sa1.chl.x.y"), text, HERE),
    "a handle": lambda shop, text: shop.registration.resend_verification(Secret(text), HERE),
    "a link": lambda shop, text: shop.registration.peek_contact(Secret(text), HERE),
    "a password to take over": lambda shop, text: shop.registration.take_over_contact(Secret("x"), text, HERE),
    "an address to sign in": lambda shop, text: shop.signin.sign_in_with_password(text, PASSWORD, HERE),
    "an address to reset": lambda shop, text: shop.recovery.request_reset(text, HERE),
    "a reset link": lambda shop, text: shop.recovery.peek_reset(Secret(text), HERE),
    "a new password": lambda shop, text: shop.recovery.reset_password(Secret("x"), text, HERE),
    "a session": lambda shop, text: shop.sessions.list_sessions(Secret(text), HERE),
    "an id of a session": lambda shop, text: shop.sessions.end_session(Secret("x"), text, HERE),
}


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", TEXTS, ids=["ASCII", "two bytes", "signs", "codes", "that unfolds"])
async def test_a_megabyte_is_refused_before_anybody_is_asked(builder, place, text) -> None:
    """Neither the database nor the hasher nor a counter hears of it."""
    recorder = Recorder()
    with pytest.raises(Rejected):
        await PLACES[place](builder.build(recorder), text)
    assert not recorder.trace


@pytest.mark.proves("KER-201", "PAS-5", "PAS-30")
@pytest.mark.parametrize("text", TEXTS, ids=["ASCII", "two bytes", "signs", "codes", "that unfolds"])
async def test_a_megabyte_as_a_password_costs_what_a_wrong_one_costs(builder, text) -> None:
    await builder.build().open_account(ANN)
    traces = []
    for password in ("a wrong one", text):
        recorder = Recorder()
        with pytest.raises(Rejected):
            await builder.build(recorder).signin.sign_in_with_password(ANN, password, HERE)
        traces.append(recorder.trace)
    assert traces[0] == traces[1]
