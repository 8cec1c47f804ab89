"""Security questions: what an answer has to be like, and what comes of giving it.

* They are off unless a shop accepts their risk, and are never a way in: they are asked of whoever has already proven
  the mailbox, all at once, and the answer to all of them is one yes or no.
* Questions come from a fixed list. None asks for what stands in the account, or for a date of birth.
* An answer counts by its letters and digits alone. It is not short, not a word of its question, not what the shop knows
  of the person, not their password, not what many people say, and not the same as another answer.
* Each is kept as a hash of its own. Nobody sees one again.
* Wrong answers make wait, are told to the owner, and end the asking after so many in a row: what is left is the
  mailbox, as for everybody else.

[OWASP Choosing and Using Security Questions Cheat Sheet]
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Final

import attrs

from shopaccounts.kernel.ids import AccountId, RealmId
from shopaccounts.kernel.personal import described, impersonal, secret
from shopaccounts.kernel.record import Book
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import CommonPasswords, PersonalWords, Prepared, StoredHash, prepare
from shopaccounts.recovery.errors import AnswerFinding, AnswersUnacceptable
from shopaccounts.recovery.model import Question
from shopaccounts.recovery.policy import SecurityQuestionsPolicy

__all__ = [
    "QUESTIONS",
    "AnswerHash",
    "AnswerProblem",
    "SecurityQuestions",
    "answered_right",
    "answered_wrong",
    "check_answers",
    "normalised",
    "owner_of",
    "reviewed",
]

SHORTEST_ANSWER: Final = 4
_SERIES: Final = 5
"""Every so many failures in a row are told to the owner."""


class AnswerProblem(Enum):
    """Why an answer won't do."""

    TOO_SHORT = "too_short"
    REPEATED = "repeated"
    WORD_OF_THE_QUESTION = "word_of_the_question"
    OWN_DETAILS = "own_details"
    PASSWORD = "password"  # noqa: S105  (a reason)
    COMMON = "common"
    WRONG_NUMBER = "wrong_number"


@described(data_class="security", default=impersonal("the name of a question"))
@attrs.frozen(kw_only=True)
class AnswerHash:
    """One answer, as it is kept."""

    question: Question
    hash: str = attrs.field(repr=False, metadata=secret("security", "hash of an answer"))

    @property
    def stored(self) -> StoredHash:
        """The hash, for a ``Hasher``."""
        return StoredHash(self.hash)


@described(data_class="security", default=impersonal("ids, times, counters"))
@attrs.frozen(kw_only=True)
class SecurityQuestions:
    """The answers of one account.

    Args:
        id: The account.
        answers: One for each question.
        set_at: When they were set or last looked at.
        review_at: When their owner is asked whether they still hold.
        failures: How often in a row they were answered wrong.
        disabled_at: Since when they are asked no more.
    """

    id: AccountId
    realm: RealmId
    version: int = 1
    answers: tuple[AnswerHash, ...]
    set_at: datetime
    review_at: datetime
    failures: int = 0
    disabled_at: datetime | None = None

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked; nothing once they are disabled."""
        return () if self.disabled_at else tuple(answer.question for answer in self.answers)


QUESTIONS = Book(
    name="security_questions",
    of=SecurityQuestions,
    due=lambda q: None if q.disabled_at else q.review_at,
)


def owner_of(account: AccountId, question: Question) -> str:
    """Answer for whom an answer is hashed: a hash is of no use with another question or account."""
    return f"{account} {question.value}"


def normalised(answer: Prepared) -> Prepared:
    """Answer what of an answer counts: letters and digits in lower case, with single spaces between words."""
    folded = unicodedata.normalize("NFKC", answer.text.reveal()).casefold()
    words = "".join(sign if sign.isalnum() else " " for sign in folded).split()
    return prepare(Secret(" ".join(words)))


def check_answers(
    answers: Mapping[Question, Prepared],
    passwords: Iterable[Question],
    person: PersonalWords,
    common: CommonPasswords,
    policy: SecurityQuestionsPolicy,
) -> None:
    """Hold new answers to every rule; everything that is wrong is said at once.

    Args:
        answers: What was typed, normalised.
        passwords: Which of them turned out to be the account's password.
        person: What is known of the person.
        common: What many people say.
        policy: How many there have to be.

    Raises:
        AnswersUnacceptable: They won't do.
    """
    findings = tuple(_findings(answers, frozenset(passwords), person.words(), common))
    if len(answers) != policy.of:
        findings = (AnswerFinding(None, AnswerProblem.WRONG_NUMBER.value), *findings)
    if findings:
        raise AnswersUnacceptable(findings)


def answered_right(asked: SecurityQuestions) -> SecurityQuestions:
    """Answer the record after all was right that had to be."""
    return attrs.evolve(asked, failures=0)


def answered_wrong(
    asked: SecurityQuestions, policy: SecurityQuestionsPolicy, now: datetime
) -> tuple[SecurityQuestions, bool]:
    """Answer the record after a wrong answer, and whether its owner is told: every fifth in a row and the last."""
    failures = asked.failures + 1
    disabled = now if failures >= policy.disable_after else None
    tells = disabled is not None or failures % _SERIES == 0
    return attrs.evolve(asked, failures=failures, disabled_at=disabled), tells


def reviewed(asked: SecurityQuestions, policy: SecurityQuestionsPolicy, now: datetime) -> SecurityQuestions:
    """Answer the record after its owner was reminded of it."""
    return attrs.evolve(asked, review_at=now + policy.review_after)


def _findings(
    answers: Mapping[Question, Prepared], passwords: frozenset[Question], known: frozenset[str], common: CommonPasswords
) -> Iterator[AnswerFinding]:
    seen = set[str]()
    for question, answer in answers.items():
        text = answer.text.reveal()
        wrong = {
            AnswerProblem.TOO_SHORT: len(text) < SHORTEST_ANSWER,
            AnswerProblem.REPEATED: text in seen,
            AnswerProblem.WORD_OF_THE_QUESTION: bool(text) and set(text.split()) <= question.words,
            AnswerProblem.OWN_DETAILS: bool(known & {text, *text.split()}),
            AnswerProblem.PASSWORD: question in passwords,
            AnswerProblem.COMMON: common.holds(text),
        }
        yield from (AnswerFinding(question.value, problem.value) for problem, holds in wrong.items() if holds)
        seen.add(text)
