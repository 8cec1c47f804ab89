"""Security questions: the policy, and what an answer has to be like."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopaccounts.kernel.errors import BadPolicy
from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.limits import Wait
from shopaccounts.passwords import BUILT_IN, PersonalWords, prepare
from shopaccounts.recovery import AnswersUnacceptable, Question, SecurityQuestions, SecurityQuestionsPolicy
from shopaccounts.recovery.questions import AnswerHash, answered_right, answered_wrong, check_answers, normalised

NOW = datetime(2031, 1, 1, tzinfo=UTC)
ON = SecurityQuestionsPolicy(enabled=True, accept_risk=True)
ANN = PersonalWords(emails=("ann.lamp@shop.example",), family_name="Winterberg")
Q1, Q2, Q3 = Question.FIRST_PET, Question.FIRST_CONCERT, Question.WORST_HOLIDAY


def counted(text):
    return normalised(prepare(text))


def problems(first, second="the velvet lampshades", third="rain in Bremen", passwords=()):
    answers = {Q1: counted(first), Q2: counted(second), Q3: counted(third)}
    try:
        check_answers(answers, passwords, ANN, BUILT_IN, ON)
    except AnswersUnacceptable as refused:
        return {(finding.question, finding.problem) for finding in refused.findings}
    return set()


@pytest.mark.proves("RCV-40")
def test_they_are_off_and_only_who_accepts_their_risk_turns_them_on() -> None:
    assert SecurityQuestionsPolicy().enabled is False
    with pytest.raises(BadPolicy, match="risk"):
        SecurityQuestionsPolicy(enabled=True)
    with pytest.raises(BadPolicy, match="risk"):
        SecurityQuestionsPolicy(enabled=True, accept_risk=1)  # type: ignore[arg-type]  # what a settings file may hold
    assert (ON.need, ON.of, ON.disable_after, ON.review_after) == (2, 3, 20, timedelta(days=365))
    assert ON.waits == Wait(free=5, base=timedelta(seconds=60), cap=timedelta(hours=1), forget_after=None)
    assert "guessed" in (SecurityQuestionsPolicy.__doc__ or "")


@pytest.mark.proves("RCV-40")
@pytest.mark.parametrize(
    "wrong", [{"need": 1}, {"need": 4}, {"of": 6, "need": 6}, {"disable_after": 4}, {"review_after": timedelta(days=1)}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(BadPolicy):
        SecurityQuestionsPolicy(enabled=True, accept_risk=True, **wrong)


@pytest.mark.proves("RCV-42")
@pytest.mark.parametrize(
    ("typed", "counts"),
    [
        ("  Mr. Whiskers!! ", "mr whiskers"),
        ("MR WHISKERS", "mr whiskers"),
        ("\uff4d\uff52-whiskers", "mr whiskers"),
        ("Straße 7", "strasse 7"),
        ("?!", ""),
    ],
)
def test_only_letters_and_digits_count(typed, counts) -> None:
    assert counted(typed).text.reveal() == counts


@pytest.mark.proves("RCV-42")
@given(st.text(max_size=60))
def test_what_counts_counts_the_same_again(text) -> None:
    once = counted(text.encode("utf-8", "ignore").decode())
    assert normalised(once).text.reveal() == once.text.reveal()


@pytest.mark.proves("RCV-42")
def test_good_answers_will_do() -> None:
    assert problems("a goldfish called Ottokar") == set()


@pytest.mark.proves("RCV-42")
@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("Rex", "too_short"),
        ("R e x", None),
        ("first pet", "word_of_the_question"),
        ("the velvet lampshades", None),
        ("winterberg", "own_details"),
        ("my Winterberg", "own_details"),
        ("chocolate", "common"),
    ],
)
def test_an_answer_that_is_easy_to_guess_will_not_do(answer, problem) -> None:
    found = problems(answer)
    assert ((Q1.value, problem) in found) if problem else not {p for q, p in found if q == Q1.value}


@pytest.mark.proves("RCV-42")
def test_no_two_answers_are_the_same_and_none_is_the_password() -> None:
    assert (Q2.value, "repeated") in problems("The velvet   lampshades")
    assert problems("a goldfish called Ottokar", passwords=(Q3,)) == {(Q3.value, "password")}


@pytest.mark.proves("RCV-42")
def test_there_are_as_many_as_the_policy_wants_and_a_finding_never_holds_an_answer() -> None:
    with pytest.raises(AnswersUnacceptable) as refused:
        check_answers({Q1: counted("Rex")}, (), ANN, BUILT_IN, ON)
    assert {finding.problem for finding in refused.value.findings} == {"wrong_number", "too_short"}
    assert "rex" not in repr(refused.value).lower()


@pytest.mark.proves("RCV-42")
def test_no_question_asks_for_what_stands_in_the_account() -> None:
    words = {word for question in Question for word in question.words}
    assert not words & {"birth", "birthday", "name", "maiden", "mother", "email", "phone", "address", "password"}


@pytest.mark.proves("RCV-43")
def test_failures_in_a_row_are_told_and_end_the_asking() -> None:
    kept = SecurityQuestions(
        id=AccountId("ann"),
        realm=RealmId("main"),
        answers=(AnswerHash(question=Q1, hash="$x$"),),
        set_at=NOW,
        review_at=NOW,
    )
    told = []
    for number in range(1, 21):
        kept, tells = answered_wrong(kept, ON, NOW)
        told += [number] if tells else []
    assert told == [5, 10, 15, 20]
    assert kept.disabled_at == NOW
    assert kept.questions == ()
    assert answered_right(kept).failures == 0
