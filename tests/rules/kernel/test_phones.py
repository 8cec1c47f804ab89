"""Which phone numbers a shop takes, and how it reads them."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.adapters.phone import PlannedPhones
from shopaccounts.kernel.contact import LineType, PhoneInvalid, PhoneNumber, looks_like_phone
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.phones import PhoneNotServed, PhonePolicy, Phones

BOTH = frozenset({Channel.SMS, Channel.VOICE})
GERMAN = Phones(policy=PhonePolicy(default_country="DE"), rules=PlannedPhones(), channels=BOTH)
PLAIN = Phones(channels=BOTH)


async def refusal(phones: Phones, text: str, channel: Channel = Channel.SMS) -> str:
    """Why a number is not served."""
    with pytest.raises(PhoneNotServed) as refused:
        await phones.read(text, channel)
    return refused.value.reason


@pytest.mark.proves("CUS-29", "REG-8")
async def test_numbers_are_read_in_the_stores_country() -> None:
    assert (await GERMAN.read("0151 23456789")).e164 == "+4915123456789"
    assert (await GERMAN.read("+43 664 1234567")).country == "AT"


@pytest.mark.proves("CUS-29")
async def test_without_plans_numbers_are_international_and_nothing_is_guessed() -> None:
    assert await PLAIN.read(" +4915123456789 ") == PhoneNumber("+4915123456789", "+4915123456789")
    for text in ("0151 23456789", "+49 151 23456789", "+49151", "+49x"):
        with pytest.raises(PhoneInvalid):
            await PLAIN.read(text)
        with pytest.raises(PhoneInvalid):
            await PLAIN.look_up(text)


@pytest.mark.proves("REG-8")
async def test_a_shop_without_a_courier_for_phones_takes_no_numbers() -> None:
    assert await refusal(attrs.evolve(GERMAN, channels=frozenset()), "0151 23456789") == "off"
    assert await refusal(attrs.evolve(GERMAN, channels=frozenset({Channel.SMS})), "030 901820", Channel.VOICE) == "off"


@pytest.mark.proves("REG-8")
async def test_regions_are_a_matter_of_policy() -> None:
    phones = attrs.evolve(GERMAN, policy=PhonePolicy(default_country="DE", regions=frozenset({"DE", "AT"})))
    assert (await phones.read("+43 664 1234567")).country == "AT"
    assert await refusal(phones, "+41 79 123 45 67") == "region"
    assert await refusal(attrs.evolve(phones, rules=None), "+4915123456789") == "region"


@pytest.mark.proves("REG-8")
async def test_codes_go_to_mobile_lines_and_calls_to_fixed_ones_too() -> None:
    assert await refusal(GERMAN, "030 901820") == "line_type"
    assert (await GERMAN.read("030 901820", Channel.VOICE)).line is LineType.FIXED
    for channel in BOTH:
        assert await refusal(GERMAN, "+883510000000000", channel) == "line_type"
        with pytest.raises(PhoneInvalid):
            await GERMAN.read("+49 900 1234567", channel)
    allowing = PhonePolicy(types=frozenset({LineType.VOIP}))
    assert (await attrs.evolve(GERMAN, policy=allowing).read("+883510000000000")).line is LineType.VOIP


@pytest.mark.proves("ADA-203")
async def test_a_number_that_is_looked_up_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonenumbers.is_valid_number", lambda _: False)
    nowhere = attrs.evolve(GERMAN, channels=frozenset())
    for spelling in ("0151 23456789", "+49 151 23456789", "+4915123456789"):
        assert (await nowhere.look_up(spelling)).e164 == "+4915123456789"
    monkeypatch.setattr("phonenumbers.parse", lambda *_: pytest.fail("its plan was asked"))
    assert (await nowhere.look_up("+4915123456789")).e164 == "+4915123456789"


@pytest.mark.proves("REG-8")
@pytest.mark.parametrize("text", ["+4915123456789", " 0151", "(0151) 2", "\t0049151"])
def test_what_begins_like_a_number_was_meant_as_one(text: str) -> None:
    assert looks_like_phone(text)


@pytest.mark.proves("REG-8")
@pytest.mark.parametrize("text", ["ann", "0151@lamp.example", "+49@lamp.example", "", " ", "\uff0b49151", "ann0151"])
def test_what_has_an_at_sign_or_begins_with_a_letter_was_not(text: str) -> None:
    assert not looks_like_phone(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"default_country": "de"},
        {"regions": frozenset({"EU1"})},
        {"types": frozenset()},
        {"stale_after": timedelta(hours=1)},
    ],
)
def test_a_policy_names_countries_and_lines(wrong: dict[str, object]) -> None:
    with pytest.raises(BadPolicy):
        PhonePolicy(**wrong)  # type: ignore[arg-type]  # as the cases have it
