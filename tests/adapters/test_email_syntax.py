"""The second opinion on e-mail addresses refuses more than the package does, and changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.email_syntax import StrictEmailSyntax

SYNTAX = StrictEmailSyntax()
pytestmark = pytest.mark.proves("ADA-201")


@pytest.mark.parametrize(
    "address",
    ["ann@lamp.example", "ann+shop@lamp.example", "o'neil@lamp.example", "änne@lamp.example", "a@bücher.example"],
)
def test_ordinary_addresses_pass(address: str) -> None:
    assert SYNTAX.objections(address) == ()


def test_a_shop_may_do_without_international_names() -> None:
    assert StrictEmailSyntax(international=False).objections("änne@lamp.example") == ("local_part",)
    assert StrictEmailSyntax(international=False).objections("anne@lamp.example") == ()


def test_what_is_too_long_never_reaches_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("email_validator.validate_email", lambda *_, **__: pytest.fail("it was asked"))
    for endless in ("a" * 10_000_000, "a" * 321, f"ann@{'lamp.' * 2_000_000}example"):
        assert SYNTAX.objections(endless) == ("length",)


@pytest.mark.parametrize("value", [b"ann@lamp.example", None, 5, ["ann@lamp.example"]])
def test_what_is_no_text_is_refused(value: object) -> None:
    assert SYNTAX.objections(value) == ("type",)  # type: ignore[arg-type]  # that is the point


def test_a_name_of_more_than_64_octets_is_refused() -> None:
    assert SYNTAX.objections("a" * 64 + "@lamp.example") == ()
    assert SYNTAX.objections("a" * 65 + "@lamp.example") == ("local_part",)


@pytest.mark.parametrize(
    "address",
    [
        '"ann"@lamp.example',
        "Ann <ann@lamp.example>",
        "@lamp.example",
        "ann..lee@lamp.example",
        ".ann@lamp.example",
        "ann lee@lamp.example",
        "ann@lamp@lamp.example",
        "ann\r\nBcc: eve@lamp.example",
    ],
)
def test_odd_forms_are_refused(address: str) -> None:
    assert SYNTAX.objections(address) != ()


@pytest.mark.parametrize("domain", ["[192.0.2.1]", "lamp", "lamp.test", "lamp.local", "localhost", "-lamp.example", ""])
def test_domains_that_take_no_mail_are_refused_for_their_domain(domain: str) -> None:
    assert SYNTAX.objections(f"ann@{domain}") == ("domain",)


@pytest.mark.parametrize(
    "sign", ["\uff20", "\ufe6b", "\uff0e", "\u2024", "\u212a", "\u2100", "\uff41", "\ufb01"], ids=ascii
)
def test_a_sign_that_is_ascii_in_another_form_is_refused(sign: str) -> None:
    assert SYNTAX.objections(f"ann{sign}lee@lamp.example") == ("local_part",)


@given(st.text(max_size=330))
def test_no_text_makes_it_raise_and_no_reason_quotes_it(address: str) -> None:
    assert set(SYNTAX.objections(address)) <= {"type", "length", "local_part", "domain"}


@given(st.from_regex(r"[a-z]{1,10}@[a-z]{1,10}", fullmatch=True), st.text(max_size=20))
def test_nothing_behind_an_address_makes_it_raise(address: str, more: str) -> None:
    assert set(SYNTAX.objections(address + more)) <= {"type", "length", "local_part", "domain"}
