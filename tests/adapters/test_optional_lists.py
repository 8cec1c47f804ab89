"""The small optional adapters: throw-away domains, texts that look alike, another meter; and what each asks for."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.breach import AsyncHttpBreachedPasswords, HttpBreachedPasswords
from shopaccounts.adapters.confusables import UnicodeConfusables
from shopaccounts.adapters.disposable import ListedDisposableDomains
from shopaccounts.adapters.email_syntax import StrictEmailSyntax
from shopaccounts.adapters.extras import ExtraMissing
from shopaccounts.adapters.zxcvbn import ZxcvbnMeter
from shopaccounts.kernel.errors import Defect
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PasswordContext, PasswordPolicy, PersonalWords, Prepared, ShopWords, prepare

DOMAINS, LOOKS, METER = ListedDisposableDomains(), UnicodeConfusables(), ZxcvbnMeter()
ABOUT = PasswordContext(shop=ShopWords(names=("Lampenhaus",)), person=PersonalWords(given_name="Wilhelmine"))
POLICY = PasswordPolicy(context_words=("Glühwurm",))


@pytest.mark.proves("ADA-210")
@pytest.mark.parametrize("domain", ["mailinator.com", "MAILINATOR.com", "mailinator.com.", "box.mailinator.com"])
def test_a_throw_away_domain_is_known_in_any_case_and_below_it(domain: str) -> None:
    assert DOMAINS.lists(domain)


@pytest.mark.proves("ADA-210")
@pytest.mark.parametrize(
    "domain", ["lamp.example", "xmailinator.com", "mailinator.com.example", "com", "", ".", "x" * 10_000, "é\0"]
)
def test_other_domains_and_what_is_none_are_not_listed(domain: str) -> None:
    assert not DOMAINS.lists(domain)


@pytest.mark.proves("ADA-210")
@pytest.mark.parametrize(
    ("one", "other"),
    [("paypal", "раураl"), ("modern", "rnodern"), ("lamp", "Iamp"), ("lamp", "1amp"), ("O", "0")],
)
def test_texts_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert LOOKS.skeleton(one) == LOOKS.skeleton(other)


@pytest.mark.proves("ADA-210")
@pytest.mark.parametrize(("one", "other"), [("ann", "bert"), ("lamp", "lamps"), ("ann", "änn"), ("", "a")])
def test_texts_that_look_different_have_different_ones(one: str, other: str) -> None:
    assert LOOKS.skeleton(one) != LOOKS.skeleton(other)


@pytest.mark.proves("ADA-210")
@given(st.text(max_size=40))
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    skeleton = LOOKS.skeleton(text)
    assert LOOKS.skeleton(skeleton) == skeleton


@pytest.mark.proves("ADA-210")
def test_what_is_kept_of_a_list_names_no_sign_as_nothing() -> None:
    assert "" not in LOOKS._prototypes.values()


@pytest.mark.proves("ADA-210", "PAS-17")
@pytest.mark.parametrize(
    ("typed", "score", "help_"),
    [
        ("", 0, "add_length"),
        ("password", 0, "choose_unrelated_words"),
        ("qwertyuiop", 0, "choose_unrelated_words"),
        ("abcabcabcabc", 0, "avoid_repeats"),
        ("efghijklm", 0, "avoid_sequences"),
        ("Lampenhaus", 0, "avoid_shop_name"),
        ("wilhelmine", 0, "avoid_own_details"),
        ("glühwurm", 0, "avoid_shop_name"),
        ("correct teapot balcony winter", 4, None),
    ],
)
def test_the_other_meter_rates_and_advises(typed: str, score: int, help_: str | None) -> None:
    strength = METER.rate(prepare(typed), ABOUT, POLICY)
    assert strength.score == score
    assert help_ in {key.value for key in strength.guidance} | {None}
    assert (strength.guidance == ()) == (score == 4)


@pytest.mark.proves("ADA-210", "PAS-17")
def test_the_other_meter_rates_the_first_72_characters_of_a_long_password() -> None:
    assert METER.rate(prepare("a" * 72 + "correct teapot balcony winter"), ABOUT, POLICY).score < 2
    assert METER.rate(prepare("correct teapot balcony winter" * 30), ABOUT, POLICY).score == 4


@pytest.mark.proves("ADA-210")
def test_the_words_of_one_person_are_left_nowhere() -> None:
    from zxcvbn import matching  # noqa: PLC0415  (what the adapter keeps its hands off)

    METER.rate(prepare("wilhelmine"), ABOUT, POLICY)
    assert matching.RANKED_DICTIONARIES.keys().isdisjoint({"user_inputs", "shop", "person"})


@pytest.mark.proves("ADA-210", "PAS-17")
@given(st.text(max_size=30))
def test_no_text_makes_the_other_meter_raise(text: str) -> None:
    assert METER.rate(Prepared(Secret(text)), ABOUT, POLICY).score in range(5)


@pytest.mark.proves("ADA-211")
@pytest.mark.parametrize(
    ("adapter", "module", "extra"),
    [
        (HttpBreachedPasswords, "httpx", "breach"),
        (AsyncHttpBreachedPasswords, "httpx", "breach"),
        (StrictEmailSyntax, "email_validator", "email"),
        (ListedDisposableDomains, "disposable_email_domains", "disposable"),
        (UnicodeConfusables, "confusable_homoglyphs.confusables", "confusables"),
        (ZxcvbnMeter, "zxcvbn", "zxcvbn"),
    ],
)
def test_an_adapter_without_its_package_names_the_extra_when_it_is_made(
    adapter: type, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ExtraMissing) as missing:
        adapter()
    assert isinstance(missing.value, Defect)
    assert missing.value.extra == extra
    assert str(missing.value) == f"{adapter.__name__} needs an optional package; install shopaccounts[{extra}]"
