"""What customers do about security questions: set them, give them up; and what the shop does when they are answered."""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from shopaccounts.customers import Customer, Notices, customer_of
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.assurance import Method, Operation
from shopaccounts.kernel.desk import Desk
from shopaccounts.kernel.doorkeeper import Doorkeeper, Present
from shopaccounts.kernel.due import work_off
from shopaccounts.kernel.errors import InvalidInput
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.ports import DueWork, Records
from shopaccounts.kernel.record import Change
from shopaccounts.kernel.request import RequestContext
from shopaccounts.kernel.secret import Secret
from shopaccounts.passwords import PASSWORDS, CommonPasswords, Hasher, PasswordRecord, Prepared, prepare, words_of
from shopaccounts.recovery.errors import AnswersWrong, ProofsMissing, QuestionsNotOffered
from shopaccounts.recovery.events import (
    QuestionsAnsweredWrong,
    QuestionsDisabled,
    QuestionsRemoved,
    QuestionsReviewDue,
    QuestionsSet,
    QuestionsUsed,
)
from shopaccounts.recovery.model import Question
from shopaccounts.recovery.policy import SecurityQuestionsPolicy
from shopaccounts.recovery.questions import (
    QUESTIONS,
    AnswerHash,
    SecurityQuestions,
    answered_right,
    answered_wrong,
    check_answers,
    normalised,
    owner_of,
    reviewed,
)
from shopaccounts.signin import Attempts

__all__ = ["Answering", "Answers", "Questions", "read_answers"]

Answers: TypeAlias = Mapping[Question, object]
"""What a person typed to each question, text or ``Secret``."""


@attrs.frozen(kw_only=True)
class Answering:
    """Asks for answers where a mailbox alone shall not be enough."""

    desk: Desk
    records: Records
    hasher: Hasher
    attempts: Attempts
    notices: Notices
    policy: SecurityQuestionsPolicy

    def asked_of(self, kept: SecurityQuestions | None) -> tuple[Question, ...]:
        """Answer what is asked of whoever has proven the mailbox of an account."""
        return kept.questions if kept is not None and self.policy.enabled else ()

    async def check(
        self,
        kept: SecurityQuestions | None,
        answers: Mapping[Question, Prepared] | None,
        customer: Customer,
        network: str,
    ) -> None:
        """Let pass who gives the answers, if any are asked.

        Args:
            kept: What the account has set.
            answers: What was typed, as ``read_answers`` has it; None if nothing was asked for yet.
            customer: Whose account.
            network: Where the request came from.

        Raises:
            ProofsMissing: There are questions, and no answers.
            AnswersWrong: They aren't right; which isn't told.
            Throttled: Too many tries; wait ``retry_after``.
            TryLater: The counters or the hasher are not available.
        """
        if kept is None or not self.asked_of(kept):
            return
        if answers is None:
            raise ProofsMissing(needed=(Method.SECURITY_ANSWERS.value,))
        typed = {question: _typed(answers.get(question)) for question in kept.questions}
        now = self.desk.now()
        await self.attempts.charge(
            customer.id, network, now, authenticator=Method.SECURITY_ANSWERS, rule=self.policy.waits
        )
        right = [
            (await got(self.hasher.verify(a.stored, typed[a.question], owner_of(kept.id, a.question)))).ok
            for a in kept.answers
        ]
        if sum(right) < self.policy.need:
            await self._note_failure(customer)
            raise AnswersWrong

    async def passed(self, kept: SecurityQuestions | None) -> Change:
        """Answer the part of a change that goes with right answers."""
        if kept is None or not self.asked_of(kept):
            return Change()
        told = self.desk.tell(QuestionsUsed(at=self.desk.now(), account=kept.id))
        return Change(writes=(QUESTIONS.change(kept, answered_right(kept)),), events=told)

    async def forget(self, customer: Customer) -> None:
        """Forget the tries, after a complete success."""
        await self.attempts.succeeded(customer.id, authenticator=Method.SECURITY_ANSWERS)

    async def _note_failure(self, customer: Customer) -> None:
        async def decide() -> None:
            now = self.desk.now()
            found = await got(self.records.find(QUESTIONS, customer.id))
            if found is None or not found.it.questions:
                return
            after, tells = answered_wrong(found.it, self.policy, now)
            told = self.desk.tell(QuestionsAnsweredWrong(at=now, account=customer.id, failures=after.failures))
            if after.disabled_at:
                told += self.desk.tell(QuestionsDisabled(at=now, account=customer.id))
            part = Change(writes=(QUESTIONS.change(found.it, after),), events=told)
            if tells:
                key = f"questions_failed {customer.id} {after.version + 1}"
                part |= await self.notices.about(customer, "recovery.questions_failed", key, now)
            await self.desk.record(part)

        await self.desk.retrying(decide)


@attrs.frozen(kw_only=True)
class Questions:
    """Security questions, where a shop offers them in spite of their risk."""

    desk: Desk
    records: Records
    work: DueWork
    doorkeeper: Doorkeeper
    hasher: Hasher
    notices: Notices
    common: CommonPasswords
    policy: SecurityQuestionsPolicy

    async def set_questions(self, value: Secret[str], answers: Answers, context: RequestContext) -> None:
        """Set or replace the answers of an account; its other ways in stay as they are.

        Args:
            value: The session value.
            answers: As many as the policy wants, each to another question.
            context: Where the request came from.

        Raises:
            QuestionsNotOffered: The shop has none.
            AnswersUnacceptable: They won't do, with every reason.
            InvalidInput: An answer is no text, or endless.
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            TryLater: The hasher is not available.
            InsecureTransport: The request didn't come over TLS.
        """
        if not self.policy.enabled:
            raise QuestionsNotOffered
        raw = read_answers(answers)
        here, customer = await self._here(value, context)
        typed = {question: normalised(answer) for question, answer in raw.items()}
        passwords = [q for q in typed if await self._is_password(here[PASSWORDS], (raw[q], typed[q]))]
        check_answers(typed, passwords, words_of(customer), self.common, self.policy)
        hashes = [
            AnswerHash(question=q, hash=(await got(self.hasher.hash(answer, owner_of(customer.id, q)))).text)
            for q, answer in typed.items()
        ]

        async def decide() -> None:
            await self._keep(*await self._here(value, context), tuple(hashes))

        await self.desk.retrying(decide)

    async def remove_questions(self, value: Secret[str], context: RequestContext) -> None:
        """Give them up; twice is no error.

        Raises:
            SignInRequired, FreshSignInNeeded, NotWhileImpersonating: Nobody who may is signed in here.
            InsecureTransport: The request didn't come over TLS.
        """

        async def decide() -> None:
            here, customer = await self._here(value, context)
            kept, now = here[QUESTIONS], self.desk.now()
            if kept is None:
                return
            told = self.desk.tell(QuestionsRemoved(at=now, account=customer.id))
            key = f"questions_removed {self.desk.entropy.token(128)}"
            notice = await self.notices.about(customer, "recovery.questions_changed", key, now, where=here.where)
            await self.desk.record(Change(removals=(QUESTIONS.remove(kept),), events=told) | notice)

        await self.desk.retrying(decide)

    async def remind_to_review(self, limit: int, worker: WorkerId) -> int:
        """Tell of up to *limit* accounts that their answers should be looked at again; answer how many.

        Safe to run at any time, twice, and by many workers.
        """
        return await work_off(self.desk, self.work, QUESTIONS, self._reminded, limit, worker)

    def _reminded(self, questions: SecurityQuestions) -> Change:
        now = self.desk.now()
        told = self.desk.by_itself.tell(QuestionsReviewDue(at=now, account=questions.id))
        return Change(
            writes=(QUESTIONS.change(questions, reviewed(questions, self.policy, now)),),
            events=told,
        )

    async def _here(self, value: Secret[str], context: RequestContext) -> tuple[Present, Customer]:
        bring = (PASSWORDS.via("account"), QUESTIONS.via("account"))
        here = await self.doorkeeper.present(value, context, Operation.CHANGE_QUESTIONS, bring)
        return here, customer_of(here)

    async def _is_password(self, record: PasswordRecord | None, spellings: tuple[Prepared, ...]) -> bool:
        if record is None:
            return False
        for spelling in spellings:
            attempt = spelling if len(spelling) else None
            if (await got(self.hasher.verify(record.stored, attempt, record.id))).ok:
                return True
        return False

    async def _keep(self, here: Present, customer: Customer, hashes: tuple[AnswerHash, ...]) -> None:
        kept, now = here[QUESTIONS], self.desk.now()
        fresh = SecurityQuestions(
            id=customer.id,
            realm=customer.realm,
            answers=hashes,
            set_at=now,
            review_at=now + self.policy.review_after,
        )
        told = self.desk.tell(QuestionsSet(at=now, account=customer.id))
        key = f"questions_set {self.desk.entropy.token(128)}"
        notice = await self.notices.about(customer, "recovery.questions_changed", key, now, where=here.where)
        write = QUESTIONS.change(kept, fresh) if kept else QUESTIONS.add(fresh)
        await self.desk.record(Change(writes=(write,), events=told) | notice)


def read_answers(answers: object) -> dict[Question, Prepared]:
    """Answer what was typed to each question; nothing is an empty answer.

    Raises:
        InvalidInput: These are no answers to questions, or one of them is no text, or endless.
    """
    if not isinstance(answers, Mapping) or not all(isinstance(question, Question) for question in answers):
        raise InvalidInput(field="answers")
    return {question: prepare("" if answer is None else answer) for question, answer in answers.items()}


def _typed(answer: Prepared | None) -> Prepared | None:
    """Answer what counts of an answer, None if nothing does; None is a wrong answer like any other."""
    counted = normalised(answer) if answer is not None else ()
    return counted or None
