"""Words of the shop and of the person."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.passwords.context_words import PersonalWords, ShopWords, leans_on

pytestmark = pytest.mark.proves("PAS-14")

LAMPENHAUS = ShopWords(names=("Lampenhaus",), domains=("www.lampenhaus.example",)).words(["Glühwurm", "LED"])
ANNA = PersonalWords(
    emails=("anna.bauer-42+shop@posteo.example",),
    user_name="annab_2031",
    phones=("+49 30 1234567",),
    given_name="Anna Maria",
    family_name="O'Brien",
    birthday=date(1984, 2, 14),
).words()


def test_a_shop_is_known_by_its_names_its_domains_labels_and_its_policys_words() -> None:
    assert {"lampenhaus", "example", "glühwurm"} == LAMPENHAUS
    assert ShopWords(names=("Haus & Garten Berlin",)).words() == {"haus & garten berlin", "haus", "garten", "berlin"}


def test_a_person_is_known_by_pieces_of_address_name_number_and_birthday() -> None:
    address = {"anna.bauer-42+shop", "anna", "bauer", "shop", "posteo", "example"}
    names = {"annab_2031", "annab", "2031", "anna maria", "maria", "o'brien", "brien"}
    numbers = {"49301234567", "19840214", "14021984", "02141984", "140284", "021484", "840214", "1984"}
    known = address | names | numbers
    assert known == ANNA


def test_words_below_four_characters_count_for_nothing() -> None:
    assert ShopWords(names=("Lux", "LED-Eck")).words() == {"led-eck"}
    assert PersonalWords(given_name="Bo").words() == frozenset()


@pytest.mark.parametrize(
    "password",
    [
        "Lampenhaus-2031-Lampenhaus",
        "LAMPENHAUS lampenhaus",
        "Ｌａｍｐｅｎｈａｕｓ-20-31",
        "l4mp3nh4u5-20312031",
        "1amp3nh@us 20312031",
        "|@mp3nh@u$ 20312031",
        "Glühwurm!!! 12345 abc",
        "G1ühwurm---12345678",
        "anna-bauer-1984-0214",
        "BRIEN 49301234567",
        "0'br1en 0'br1en 0",
    ],
)
def test_a_password_with_fewer_than_four_other_letters_leans_on_the_words(password: str) -> None:
    assert leans_on(password, LAMPENHAUS | ANNA)


@pytest.mark.parametrize(
    "password",
    [
        "lampenhaus winter teapot",
        "Lampenhaus-2031-word",
        "winter teapot balcony",
        "1234567890123456",
        "l4mp3nh4u5 winter",
        "lamp house lamp house",
    ],
)
def test_a_password_with_enough_of_something_else_does_not(password: str) -> None:
    assert not leans_on(password, LAMPENHAUS | ANNA)


def test_the_longest_word_is_taken_out_first() -> None:
    assert leans_on("lampenhaus 12", {"lampen", "lampenhaus"}) == {"lampenhaus"}


def test_one_may_be_read_as_l_or_as_i() -> None:
    assert leans_on("br1en 20312031", {"brien"})
    assert leans_on("b|ack 20312031", {"black"})
    assert leans_on("br!en 20312031", {"brien"})
    assert leans_on("1amp 20312031", {"lamp"})


@given(st.text(max_size=60))
def test_without_words_nothing_leans_on_them(password: str) -> None:
    assert not leans_on(password, frozenset())


@given(
    st.text(st.characters(categories=["Nd", "Po", "Zs"]), max_size=20),
    st.text(st.sampled_from("0123 -._!"), max_size=20),
)
def test_digits_and_signs_around_a_word_never_help(before: str, after: str) -> None:
    assert leans_on(f"{before}Lampenhaus{after}", {"lampenhaus"}) == {"lampenhaus"}


def test_what_is_known_of_a_person_is_never_shown() -> None:
    assert "anna" not in repr(PersonalWords(emails=("anna@posteo.example",), given_name="Anna")).lower()
