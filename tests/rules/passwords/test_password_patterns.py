"""Passwords that are one simple movement."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shopaccounts.passwords.patterns import Pattern, find_pattern

pytestmark = pytest.mark.proves("PAS-13")


@pytest.mark.parametrize(
    ("password", "pattern"),
    [
        ("aaaaaaaaaaaaaaa", Pattern.REPEAT),
        ("LampLAMPlampLaMp", Pattern.REPEAT),
        ("lamplamplampla", Pattern.REPEAT),
        ("teapots!teapots!tea", Pattern.REPEAT),
        ("lamphauslamphau", Pattern.REPEAT),
        ("teapotteap", Pattern.REPEAT),
        ("äÄäÄäÄäÄäÄ", Pattern.REPEAT),
        ("abcdefghijklmno", Pattern.RUN),
        ("ABCdefGHI", Pattern.RUN),
        ("zyxwvutsrq", Pattern.RUN),
        ("123456789", Pattern.RUN),
        ("987654321", Pattern.RUN),
        ("абвгдежз", Pattern.RUN),
        ("qwertyuiop", Pattern.KEYBOARD),
        ("qwertyuiopasdfghjkl", Pattern.KEYBOARD),
        ("QWERTZUIOPÜ", Pattern.KEYBOARD),
        ("qwertzuiopasdfg", Pattern.KEYBOARD),
        ("azertyuiopqsdfgh", Pattern.KEYBOARD),
        ("mnbvcxzlkjhgfdsa", Pattern.KEYBOARD),
        ("1234567890", Pattern.KEYBOARD),
        ("0987654321", Pattern.KEYBOARD),
        ("14.02.1984", Pattern.DATE),
        ("1984-02-14", Pattern.DATE),
        ("2/14/1984", Pattern.DATE),
        ("14. 2. 84", Pattern.DATE),
        ("1984 14 02", Pattern.DATE),
        ("14021984", Pattern.DATE),
        ("02141984", Pattern.DATE),
        ("19840214", Pattern.DATE),
        ("02198414", Pattern.DATE),
        ("140284", Pattern.DATE),
    ],
)
def test_a_password_that_is_one_movement_is_seen(password: str, pattern: Pattern) -> None:
    assert find_pattern(password) is pattern


@pytest.mark.parametrize(
    "password",
    [
        "",
        "a",
        "anna",
        "teapot4t",
        "teapot te",
        "teapots!tea",
        "ab",
        "12",
        "winter teapot balcony",
        "lamplamplamplamp!",
        "ninechars ninechars ninechars",
        "abcdefgh-qwertz",
        "abcdefgabcdefgh",
        "acegikmo",
        "qwertyqwertzazerty",
        "qweasdzxc",
        "1qaz2wsx3edc",
        "14.02.1984 was a tuesday",
        "32.01.1984",
        "13.13.1984",
        "14.02.1884",
        "14.02.198",
        "14.02",
        "1402198",
        "140219845",
        "14..x.1984",
    ],
)
def test_a_movement_inside_a_longer_password_or_another_one_does_no_harm(password: str) -> None:
    assert find_pattern(password) is None


@given(st.text(min_size=1, max_size=8), st.integers(2, 20), st.integers(0, 7))
def test_any_block_of_up_to_eight_characters_said_again_is_a_repetition(block: str, times: int, cut: int) -> None:
    said = block * times
    assume(len(block.casefold()) <= 8)  # as ß becomes ss
    assert find_pattern(said + block[: cut % len(block)]) is not None


@given(st.integers(0x4E00, 0x9000), st.integers(3, 40))
def test_any_run_up_or_down_is_seen(first: int, length: int) -> None:
    run = "".join(map(chr, range(first, first + length)))
    assert find_pattern(run) is Pattern.RUN
    assert find_pattern(run[::-1]) is Pattern.RUN
