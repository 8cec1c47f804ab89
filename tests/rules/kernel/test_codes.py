import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.adapters.memory import MemoryStorage
from shopaccounts.kernel.chance import LETTERS
from shopaccounts.kernel.codes import (
    MAX_CHALLENGE_LIFE,
    MAX_CODE_LIFE,
    Challenge,
    ChallengeState,
    CodeShape,
    Judged,
    Verdict,
    answer_challenge,
    canonical_code,
    code_mac,
    resend,
)
from shopaccounts.kernel.errors import BadPolicy, StaleWrite
from shopaccounts.kernel.record import Book, Change
from shopaccounts.kernel.scope import Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.testing.doubles import ScriptedEntropy

NOW = datetime(2031, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = Secret(b"k" * 32)
SIX = CodeShape(digits=6)
EIGHT = CodeShape(digits=0, letters=8)
WRONG = "000000"


def challenge(code="123456", id="challenge-1", shape=SIX, purpose="verify_contact", **facts) -> Challenge:
    made = Challenge(
        id=id,
        purpose=purpose,
        code_mac=code_mac(KEY, id, purpose, code),
        key_id="key-1",
        shape=shape,
        issued_at=NOW,
        code_expires_at=NOW + MAX_CODE_LIFE,
        expires_at=NOW + MAX_CHALLENGE_LIFE,
    )
    return attrs.evolve(made, **facts)


def answered(waiting: Challenge, *typed: str, now: datetime = NOW) -> Judged:
    for text in typed:
        judged = answer_challenge(waiting, text, KEY, now)
        waiting = judged.challenge
    return judged


class TestShapes:
    @pytest.mark.proves("KER-240")
    def test_a_code_is_of_six_digits_unless_the_shop_wants_more_or_letters(self):
        dice = ScriptedEntropy()
        assert CodeShape() == SIX
        assert dice.digits(0) == ""
        assert len(SIX.draw(dice).reveal()) == 6
        assert SIX.draw(dice).reveal().isdecimal()
        assert len(EIGHT.draw(dice).reveal()) == 8
        assert set(EIGHT.draw(dice).reveal()) <= set(LETTERS)

    @pytest.mark.proves("KER-240")
    @pytest.mark.parametrize(
        ("digits", "letters"), [(5, 0), (0, 0), (0, 4), (6, 8), (-6, 0), (0, -8), (-1, 8), (5, 8), (1, 0)]
    )
    def test_a_shorter_code_or_one_of_both_is_refused_at_start_up(self, digits, letters):
        with pytest.raises(BadPolicy):
            CodeShape(digits=digits, letters=letters)

    @pytest.mark.proves("KER-240")
    def test_the_shortest_letters_are_worth_twenty_bits(self):
        assert len(LETTERS) ** 5 >= 2**20 > len(LETTERS) ** 4
        assert CodeShape(digits=0, letters=5)


class TestTyping:
    @pytest.mark.proves("KER-243")
    @pytest.mark.parametrize("typed", ["123456", "123 456", "123-456", " 1-2-3 4 5 6 ", "--123456"])
    def test_spaces_and_hyphens_dont_matter(self, typed):
        assert canonical_code(typed, SIX) == "123456"

    @pytest.mark.proves("KER-243")
    @pytest.mark.parametrize("typed", ["BCDFGHJK", "bcdfghjk", "bcdf-ghJK"])
    def test_letter_case_doesnt_matter(self, typed):
        assert canonical_code(typed, EIGHT) == "BCDFGHJK"

    @pytest.mark.proves("KER-243")
    @pytest.mark.parametrize(
        "typed",
        [
            "", " ", "-", "12345", "1234567", "12345a", "１２３４５６", "१२३४५६", "²²²²²²", "123\t456", "123456\n",
            "123\u00a0456", "123\u2010456", "+12345", "1e5678", "0x1234", "\ud800", "123456\0",
        ],
        ids=ascii,
    )  # fmt: skip
    def test_anything_else_is_no_code(self, typed):
        assert canonical_code(typed, SIX) is None

    @pytest.mark.proves("KER-243")
    @pytest.mark.parametrize(
        "typed", ["ABCDFGHJ", "BCDFGHJ", "BCDFGHJ1", "ｂcdfghjk", "bcdfghj\u212a", "ßBCDFGH"], ids=ascii
    )
    def test_letters_outside_the_alphabet_are_no_code(self, typed):
        assert canonical_code(typed, EIGHT) is None

    @pytest.mark.proves("KER-243")
    @given(st.text(st.characters(), max_size=64))
    def test_a_canonical_code_is_always_exactly_of_the_shape(self, typed):
        for shape, alphabet in ((SIX, "0123456789"), (EIGHT, LETTERS)):
            code = canonical_code(typed, shape)
            assert code is None or (len(code) == shape.digits + shape.letters and set(code) <= set(alphabet))
            assert code is None or canonical_code(code, shape) == code

    @pytest.mark.proves("KER-243")
    @given(st.data())
    def test_every_code_that_is_drawn_is_taken_as_it_is(self, data):
        shape = data.draw(st.sampled_from([SIX, EIGHT, CodeShape(digits=9)]))
        code = shape.draw(ScriptedEntropy(data.draw(st.text("ab", max_size=5)))).reveal()
        assert canonical_code(code, shape) == canonical_code(f" {code[:3]}-{code[3:]}".lower(), shape) == code

    @pytest.mark.proves("KER-243")
    @pytest.mark.parametrize("typed", ["", "١٢٣٤٥٦", "no idea"])
    def test_what_is_no_code_is_a_wrong_answer_and_costs_a_try(self, typed):
        judged = answered(challenge(), typed)
        assert (judged.verdict, judged.tries_left) == (Verdict.WRONG, 4)


class TestAnswers:
    @pytest.mark.proves("KER-242", "KER-174")
    def test_a_code_is_kept_as_a_keyed_digest_over_its_challenge_and_purpose(self):
        by_hand = hmac.new(b"k" * 32, b"challenge-1\0verify_contact\000123456", hashlib.sha256).digest()
        assert challenge().code_mac == by_hand
        assert "123456" not in repr(attrs.asdict(challenge()))

    @pytest.mark.proves("KER-174")
    def test_one_code_has_another_digest_for_each_challenge_purpose_and_key(self):
        digests = {
            code_mac(Secret(key), id, purpose, "123456")
            for key in (b"k", b"j")
            for id in "ab"
            for purpose in ("x", "y")
        }
        assert len(digests) == 8

    @pytest.mark.proves("KER-241")
    def test_the_right_code_of_another_challenge_is_a_wrong_code(self):
        mine, yours = challenge("123456", id="mine"), challenge("654321", id="yours")
        assert answered(mine, "123456").verdict is Verdict.RIGHT
        assert answered(mine, "654321").verdict is Verdict.WRONG
        assert answered(attrs.evolve(mine, code_mac=yours.code_mac), "654321").verdict is Verdict.WRONG
        assert answered(attrs.evolve(mine, purpose="sign_in"), "123456").verdict is Verdict.WRONG

    @pytest.mark.proves("KER-244")
    @given(st.lists(st.sampled_from(["000000", "111111", "", "123456"]), min_size=1, max_size=12), st.integers(1, 6))
    def test_each_answer_costs_one_try_until_the_right_one_or_the_last(self, guesses, max_tries):
        waiting, told = challenge(max_tries=max_tries), []
        for guess in guesses:
            judged = answer_challenge(waiting, guess, KEY, NOW)
            waiting = judged.challenge
            told.append(judged.verdict)
            assert waiting.tries <= max_tries
        answers = [verdict for verdict in told if verdict is not Verdict.EXHAUSTED]
        assert len(answers) <= max_tries
        assert told.count(Verdict.RIGHT) <= 1
        first_right = guesses.index("123456") if "123456" in guesses else len(guesses)
        assert (Verdict.RIGHT in told) is (first_right < min(max_tries, len(guesses)))
        assert told[len(answers) :] == [Verdict.EXHAUSTED] * (len(told) - len(answers))

    @pytest.mark.proves("KER-244")
    def test_the_last_wrong_answer_ends_the_challenge_even_for_the_right_code(self):
        judged = answered(challenge(), *[WRONG] * 5)
        assert (judged.verdict, judged.tries_left) == (Verdict.WRONG, 0)
        assert judged.challenge.state is ChallengeState.EXHAUSTED
        late = answered(judged.challenge, "123456")
        assert (late.verdict, late.challenge) == (Verdict.EXHAUSTED, judged.challenge)

    @pytest.mark.proves("KER-244", "KER-192")
    def test_a_solved_challenge_stays_solved_and_takes_no_more_answers(self):
        solved = answered(challenge(), "123456").challenge
        assert solved.state is ChallengeState.SOLVED
        for now in (NOW - MINUTE, NOW, NOW + timedelta(days=1)):
            assert answered(solved, "123456", now=now) == Judged(solved, Verdict.EXHAUSTED)

    @pytest.mark.proves("KER-245")
    def test_a_code_lives_ten_minutes_and_a_late_one_costs_a_try_like_any_wrong_one(self):
        assert MAX_CODE_LIFE == 10 * MINUTE
        in_time, late = NOW + MAX_CODE_LIFE - timedelta(microseconds=1), NOW + MAX_CODE_LIFE
        assert answered(challenge(), "123456", now=in_time).verdict is Verdict.RIGHT
        judged = answered(challenge(), "123456", now=late)
        assert (judged.verdict, judged.tries_left) == (Verdict.WRONG, 4)

    @pytest.mark.proves("KER-244")
    @pytest.mark.parametrize("guesses", [["000000"] * 12, ["123456"] * 12, ["000000", "123456"] * 6])
    def test_any_number_of_guesses_at_once_get_at_most_as_many_answers_as_there_are_tries(self, guesses):
        store = MemoryStorage().open(Scope.single())
        store.record(Change(writes=(SLIPS.add(Slip(challenge=challenge())),)))

        def guess(typed):
            while True:
                slip = found_slip(store)
                judged = answer_challenge(slip.challenge, typed, KEY, NOW)
                if judged.verdict is Verdict.EXHAUSTED:
                    return judged.verdict
                try:
                    store.record(Change(writes=(SLIPS.change(slip, attrs.evolve(slip, challenge=judged.challenge)),)))
                except StaleWrite:
                    continue
                return judged.verdict

        with ThreadPoolExecutor(8) as pool:
            told = list(pool.map(guess, guesses))
        assert told.count(Verdict.EXHAUSTED) >= len(guesses) - 5
        assert told.count(Verdict.RIGHT) <= 1
        if set(guesses) == {WRONG}:
            assert told.count(Verdict.WRONG) == 5


class TestResending:
    @pytest.mark.proves("KER-245")
    def test_another_code_ends_the_first_at_once_and_keeps_the_tries(self):
        waiting = answered(challenge(), WRONG, WRONG).challenge
        renewed = resend(
            waiting, code_mac(KEY, waiting.id, waiting.purpose, "777777"), "key-2", MAX_CODE_LIFE, NOW + MINUTE
        )
        assert renewed.tries == 2
        assert renewed.key_id == "key-2"
        assert answered(renewed, "123456").verdict is Verdict.WRONG
        judged = answered(renewed, "777777", now=NOW + 11 * MINUTE - timedelta(microseconds=1))
        assert (judged.verdict, judged.tries_left) == (Verdict.RIGHT, 2)

    @pytest.mark.proves("KER-245")
    @given(st.lists(st.integers(0, 40 * 60), max_size=12).map(sorted))
    def test_however_often_it_is_renewed_a_challenge_ends_half_an_hour_after_it_began(self, seconds):
        waiting = challenge()
        for at in seconds:
            now = NOW + timedelta(seconds=at)
            waiting = resend(waiting, waiting.code_mac, waiting.key_id, MAX_CODE_LIFE, now)
            assert waiting.code_expires_at <= now + MAX_CODE_LIFE
        assert MAX_CHALLENGE_LIFE == 30 * MINUTE
        assert waiting.expires_at == NOW + MAX_CHALLENGE_LIFE
        assert answered(waiting, "123456", now=NOW + MAX_CHALLENGE_LIFE).verdict is Verdict.WRONG

    @pytest.mark.proves("KER-245")
    def test_renewing_wakes_no_challenge_that_has_ended(self):
        ended = answered(challenge(), *[WRONG] * 5).challenge
        renewed = resend(ended, ended.code_mac, ended.key_id, MAX_CODE_LIFE, NOW)
        assert answered(renewed, "123456").verdict is Verdict.EXHAUSTED


def found_slip(store):
    found = store.find(SLIPS, "slip")
    assert found is not None
    return found.it


@attrs.frozen(kw_only=True)
class Slip:
    """A challenge as a book keeps it."""

    id: str = "slip"
    realm: str = "main"
    version: int = 1
    challenge: Challenge


SLIPS = Book(name="slips", of=Slip)
