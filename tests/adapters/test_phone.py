"""Phone numbers by phonenumbers: what people type is understood, and each trap of the package is closed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.phone import PlannedPhones
from shopaccounts.kernel.contact import LineType, PhoneInvalid, PhoneNumber
from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.phones import PhoneUse

PHONES = PlannedPhones()
pytestmark = pytest.mark.proves("ADA-203", "CUS-29")


def refusal(raw: object, country: str | None = "DE", use: PhoneUse = PhoneUse.PROOF) -> str:
    """Why a text is refused."""
    with pytest.raises(PhoneInvalid) as refused:
        PHONES.parse(raw, country, use)  # type: ignore[arg-type]  # that is the point of some
    return refused.value.reason


@pytest.mark.parametrize(
    ("raw", "country", "e164", "of", "line"),
    [
        ("0151 23456789", "DE", "+4915123456789", "DE", LineType.MOBILE),
        ("+49 151 23456789", None, "+4915123456789", "DE", LineType.MOBILE),
        ("+49 (0)151 / 234-567.89", "FR", "+4915123456789", "DE", LineType.MOBILE),
        ("0049 151 23456789", "DE", "+4915123456789", "DE", LineType.MOBILE),
        ("(0151) 23456789", "DE", "+4915123456789", "DE", LineType.MOBILE),
        ("\t0151\u00a023456789 ", "DE", "+4915123456789", "DE", LineType.MOBILE),
        ("030 901820", "DE", "+4930901820", "DE", LineType.FIXED),
        ("(212) 555-2368", "US", "+12125552368", "US", LineType.FIXED_OR_MOBILE),
        ("06 12345678", "IT", "+390612345678", "IT", LineType.FIXED),
        ("+883510000000000", None, "+883510000000000", None, LineType.VOIP),
    ],
)
def test_promises_1_and_2_numbers_are_read_as_people_type_them(
    raw: str, country: str | None, e164: str, of: str | None, line: LineType
) -> None:
    number = PHONES.parse(raw, country, PhoneUse.PROOF)
    assert (number.e164, number.country, number.line) == (e164, of, line)
    assert number.stored == raw.strip(" \t")
    assert number.plan == PHONES.plan.strip() != ""
    assert PHONES.line_type(number) is line


@pytest.mark.parametrize("use", PhoneUse)
def test_promise_3_letters_are_no_digits(use: PhoneUse) -> None:
    assert refusal("1-800-FLOWERS", "US", use) == "letters"
    assert refusal("tel:+4915123456789", use=use) == "letters"


@pytest.mark.parametrize("use", PhoneUse)
@pytest.mark.parametrize(
    "raw",
    ["+4930901820;ext=12", "030 901820 x12", "030901820x12", "030 901820 ext. 12", "030 901820 # 12", "030901820;12"],
)
def test_promise_3_extensions_reach_a_switchboard_and_nobody(raw: str, use: PhoneUse) -> None:
    assert refusal(raw, use=use) == "extension"


@pytest.mark.parametrize("use", PhoneUse)
@pytest.mark.parametrize(
    "raw",
    [
        "\u0660\u0661\u0665\u0661 23456789",
        "\uff10151 23456789",
        "\uff0b4915123456789",
        "+4915123456789\n",
        "\n+4915123456789",
        "+4915123456789\r\n5",
        "+49\u200b15123456789",
        "+49\x0015123456789",
        "+49 151 +23456789",
        "",
        "+",
        "()",
        "-",
    ],
)
def test_promise_3_other_signs_than_those_of_a_number_are_refused(raw: str, use: PhoneUse) -> None:
    assert refusal(raw, use=use) in {"characters", "letters"}


@pytest.mark.parametrize("use", [PhoneUse.CALL, PhoneUse.PROOF])
@pytest.mark.parametrize(("raw", "country"), [("110", "DE"), ("112", "DE"), ("911", "US"), ("+49110", None)])
def test_promise_3_short_and_emergency_numbers_belong_to_nobody(raw: str, country: str | None, use: PhoneUse) -> None:
    assert refusal(raw, country, use) in {"short_code", "unknown"}
    assert refusal("110", "DE", use) == "short_code"


@pytest.mark.parametrize("raw", ["+49 32 12345678", "+521 55 1234 5678", "+1 111 111 1111", "+999 12345678"])
def test_promise_3_numbers_that_no_plan_has_are_refused(raw: str) -> None:
    assert refusal(raw, None) == "unknown"
    assert refusal(raw, None, PhoneUse.CALL) == "unknown"


@pytest.mark.parametrize("raw", ["1" * 41, "+49" + " " * 40 + "15123456789", "1" * 1_000_000])
def test_promise_3_what_is_too_long_never_reaches_the_package(raw: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonenumbers.parse", lambda *_: pytest.fail("it was asked"))
    assert refusal(raw) == "length"


@pytest.mark.parametrize("raw", [None, b"+4915123456789", 4915123456789, ["+4915123456789"], True])
def test_promise_3_what_is_no_text_is_refused(raw: object) -> None:
    assert refusal(raw) == "type"


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("+49 900 1234567", LineType.PREMIUM_RATE),
        ("+49 180 1234567", LineType.SHARED_COST),
        ("0800 1234567", LineType.TOLL_FREE),
    ],
)
def test_promise_4_lines_that_cost_the_caller_or_belong_to_nobody_prove_nothing(raw: str, line: LineType) -> None:
    assert refusal(raw) == "line_type"
    assert PHONES.parse(raw, "DE", PhoneUse.CALL).line is line


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_promise_5_a_number_in_international_form_is_never_another_number(raw: str) -> None:
    for use in PhoneUse:
        try:
            number = PHONES.parse(raw, "AR", use)
        except PhoneInvalid:
            continue
        assert number.e164 == PhoneNumber.parse(raw).e164


def test_promise_5_a_number_that_would_be_spelled_anew_is_refused() -> None:
    assert PHONES.parse("011 15 2345-6789", "AR", PhoneUse.PROOF).e164 == "+5491123456789"
    assert refusal("+4903090182000", None) == "unknown"
    assert refusal("+4903090182000", None, PhoneUse.LOOK_UP) == "unknown"


def test_promise_6_a_number_is_looked_up_although_its_plan_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phonenumbers.is_valid_number", lambda _: False)
    assert PHONES.parse("0151 23456789", "DE", PhoneUse.LOOK_UP).e164 == "+4915123456789"
    assert PHONES.parse("+52 1 55 1234 5678", None, PhoneUse.LOOK_UP).e164 == "+5215512345678"
    assert refusal("0151 23456789") == "unknown"


def test_a_national_number_needs_a_country() -> None:
    assert refusal("0151 23456789", None) == "not_international"
    with pytest.raises(BadPolicy, match="XX"):
        PHONES.parse("0151 23456789", "XX", PhoneUse.PROOF)


@given(st.text(max_size=45), st.sampled_from([None, "DE", "US", "AR"]), st.sampled_from(PhoneUse))
def test_no_text_makes_it_raise_anything_else(raw: str, country: str | None, use: PhoneUse) -> None:
    with contextlib.suppress(PhoneInvalid):
        number = PHONES.parse(raw, country, use)
        assert PHONES.parse(number.e164, None, use).e164 == number.e164
