"""Whether a password leaked is found out without telling it, and an outage is neither a yes nor a no."""

import hashlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy, Defect, Unavailable
from shopaccounts.kernel.policy import overlay
from shopaccounts.passwords import (
    Breaches,
    BreachPolicy,
    Clean,
    OnOutage,
    Outage,
    PasswordPolicy,
    Seen,
    Unchecked,
    prepare,
)
from shopaccounts.passwords.breaches import fingerprint, seen_in

PASSWORD = prepare("password")
SUFFIX = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
pytestmark = pytest.mark.proves("PAS-15")


def test_five_digits_of_the_sha_1_are_sent_and_35_stay() -> None:
    assert fingerprint(PASSWORD) == ("5BAA6", SUFFIX)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_what_is_looked_up_is_the_prepared_text_in_utf_8(text: str) -> None:
    prepared = prepare(text)
    whole = hashlib.sha1(prepared.text.reveal().encode()).hexdigest().upper()  # noqa: S324  (the list is kept by it)
    assert "".join(fingerprint(prepared)) == whole


def test_two_spellings_of_a_password_are_looked_up_as_one() -> None:
    assert fingerprint(prepare("cafe\u0301\u00a0noir")) == fingerprint(prepare("café noir"))


@pytest.mark.parametrize(
    ("listed", "verdict"),
    [
        ((), Clean()),
        (((SUFFIX, 0),), Clean()),
        (((SUFFIX, 1),), Seen(1)),
        (((SUFFIX, 0), (SUFFIX, 7)), Seen(7)),
        (((SUFFIX.lower(), 7),), Clean()),
        (((SUFFIX[:-1], 7), (SUFFIX + "0", 7), ("5BAA6" + SUFFIX, 7)), Clean()),
        (Outage("timeout"), Unchecked()),
    ],
)
def test_a_hit_is_the_same_35_digits_with_a_count(listed, verdict) -> None:
    assert seen_in(listed, SUFFIX, 1) == verdict


@pytest.mark.parametrize(("count", "verdict"), [(9, Clean()), (10, Seen(10)), (11, Seen(11))])
def test_a_count_below_the_policys_is_no_hit(count: int, verdict: object) -> None:
    assert seen_in(((SUFFIX, count),), SUFFIX, 10) == verdict


def test_padding_is_no_hit_whatever_the_least_count_is() -> None:
    assert seen_in(((SUFFIX, 0),), SUFFIX, 0) == Clean()


class Scripted:
    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def range(self, prefix: str):
        self.asked.append(prefix)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_each_check_asks_once() -> None:
    listed = Scripted(((SUFFIX, 3),))
    assert await Breaches(listed, BreachPolicy()).seen(PASSWORD) == Seen(3)
    assert await Breaches(listed, BreachPolicy(min_count=4)).seen(PASSWORD) == Clean()
    assert listed.asked == ["5BAA6", "5BAA6"]


@pytest.mark.parametrize("failure", [Unavailable("down"), OSError("secret of the network"), ValueError()])
async def test_a_list_that_fails_leaves_the_password_unchecked_and_its_words_unsaid(failure, caplog) -> None:
    with caplog.at_level(logging.DEBUG):
        assert await Breaches(Scripted(failure), BreachPolicy()).seen(PASSWORD) == Unchecked()
    assert type(failure).__name__ in caplog.text
    assert "secret of the network" not in caplog.text


async def test_a_defect_stays_one() -> None:
    with pytest.raises(Defect):
        await Breaches(Scripted(Defect("badly put together")), BreachPolicy()).seen(PASSWORD)


def test_a_shop_asks_for_every_leak_unless_it_says_otherwise() -> None:
    policy = PasswordPolicy().breach
    assert policy == BreachPolicy()
    assert (policy.min_count, policy.timeout.total_seconds(), policy.at_sign_in) == (1, 2, True)
    assert policy.on_outage is OnOutage.ACCEPT_AND_FLAG
    assert PasswordPolicy().deviations == ()
    assert [weaker.rule for weaker in PasswordPolicy(breach=None).deviations] == ["ASVS 6.2.12"]


def test_a_settings_file_can_say_otherwise() -> None:
    policy = overlay(PasswordPolicy(), {"breach": {"min_count": 5, "on_outage": "refuse"}})
    assert policy.breach == BreachPolicy(min_count=5, on_outage=OnOutage.REFUSE)
    assert overlay(PasswordPolicy(), {"breach": None}).breach is None


@pytest.mark.parametrize("wrong", [{"min_count": 0}, {"timeout": "PT0S"}, {"timeout": "PT11S"}], ids=str)
def test_a_policy_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(BadPolicy):
        overlay(BreachPolicy(), wrong)
