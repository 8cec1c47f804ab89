"""Somebody types what is almost an address: two of them, a look-alike, one with lines of its own."""

from contextlib import suppress
from email.message import EmailMessage

import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.registration import RegistrationForm
from shopaccounts.testing.builders import PASSWORD, request_from
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from()
NO_ADDRESS = (
    "ann@lamp.example,eve@evil.example",
    "ann@lamp.example;eve@evil.example",
    "ann@lamp.example eve@evil.example",
    "ann@lamp.example\neve@evil.example",
    "ann@lamp.example\r\nBcc: eve@evil.example",
    "ann@lamp.example\0@evil.example",
    "ann@lamp.example%0aBcc:eve@evil.example\n",
    "<ann@lamp.example>, <eve@evil.example>",
    "Ann <ann@lamp.example>",
    "ann@[192.0.2.1]",
    "ann@lamp.example@evil.example",
    "ann\u200b@lamp.example",
    "ann\u202e@lamp.example",
    "ann\uff20lamp.example",
    ["ann@lamp.example", "eve@evil.example"],
    ("ann@lamp.example",),
    {"email": "ann@lamp.example"},
    b"ann@lamp.example",
    None,
    True,
    7,
)
LOOK_ALIKES = ("\u0430nn@lamp.example", "ann@l\u0430mp.example", "ann@lamp.ex\u00e4mple", "a\u00f1n@lamp.example")
ASKING = {
    "registering": lambda shop, address: shop.registration.register(
        RegistrationForm(identifier=address, password=PASSWORD), HERE
    ),
    "signing in": lambda shop, address: shop.signin.sign_in_with_password(address, PASSWORD, HERE),
    "a reset": lambda shop, address: shop.recovery.request_reset(address, HERE),
}


@pytest.mark.proves("KER-201", "CUS-24")
@pytest.mark.parametrize("address", NO_ADDRESS)
@pytest.mark.parametrize("asking", ASKING)
async def test_what_is_no_single_address_reaches_nobody(builder, asking, address) -> None:
    await builder.build().open_account(ANN)
    recorder, letters = Recorder(), len(builder.mailbag.letters)
    with pytest.raises(Rejected):
        await ASKING[asking](builder.build(recorder), address)
    assert not recorder.trace
    assert len(builder.mailbag.letters) == letters


@pytest.mark.proves("CUS-24", "CUS-25", "RCV-3", "KER-206")
@pytest.mark.parametrize("address", LOOK_ALIKES)
async def test_a_look_alike_is_somebody_else_or_nobody(shop, builder, address) -> None:
    await shop.open_account(ANN)
    letters = len(builder.mailbag.letters)
    for asking in ("a reset", "signing in", "registering"):
        with suppress(Rejected):
            await ASKING[asking](shop, address)
    assert not any(letter.to == ANN for letter in builder.mailbag.letters[letters:])


@pytest.mark.proves("CUS-24", "KER-206")
async def test_whatever_is_accepted_can_stand_in_the_head_of_a_mail_alone(shop, builder) -> None:
    for address in ("ann@lamp.example", "ANN@LAMP.EXAMPLE", "o'neil+x@lamp.example", "j\u00f6rg@lamp.example"):
        await shop.registration.register(RegistrationForm(identifier=address, password=PASSWORD), HERE)
        builder.clock.advance(builder.policies.sends.mailbox_hourly.per)
    for letter in builder.mailbag.letters:
        mail = EmailMessage()
        mail["To"] = letter.to
        assert len(mail["To"].addresses) == 1
