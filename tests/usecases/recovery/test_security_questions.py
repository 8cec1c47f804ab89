"""Security questions, in a shop that accepts their risk."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import FreshSignInNeeded, InvalidInput, Throttled
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import (
    QUESTIONS,
    AnswersUnacceptable,
    AnswersWrong,
    PasswordWasReset,
    ProofsMissing,
    Question,
    QuestionsNotOffered,
    SecurityQuestionsPolicy,
)
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.leaks import assert_no_leak

ANN, HERE, NEW = "ann@lamp.example", request_from(agent="a browser"), "eight lamps in the summer rain"
ON = SecurityQuestionsPolicy(enabled=True, accept_risk=True)
Q1, Q2, Q3 = Question.FIRST_PET, Question.FIRST_CONCERT, Question.WORST_HOLIDAY
ANSWERS = {Q1: "a goldfish called Ottokar", Q2: "The Velvet Lampshades", Q3: "rain in Bremen"}
WRONG = {Q1: "a goldfish called Ottokar", Q2: "somebody else", Q3: "somewhere else"}


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(questions=ON))


async def with_questions(shop):
    account = await shop.open_account(ANN)
    await shop.questions.set_questions(account.session, ANSWERS, HERE)
    return account


async def link(shop, builder):
    builder.clock.advance(timedelta(minutes=2))
    await shop.recovery.request_reset(ANN, HERE)
    return builder.mailbag.last.token


def kept(builder):
    return tuple(builder.storage.snapshot()["main"].books[QUESTIONS.name].values())


def told(builder, template):
    return [letter for letter in builder.mailbag.to(ANN) if letter.template == template]


@pytest.mark.proves("RCV-40")
async def test_a_shop_that_says_nothing_has_none(host) -> None:
    shop = ShopBuilder(host=host).build()
    account = await shop.open_account(ANN)
    with pytest.raises(QuestionsNotOffered):
        await shop.questions.set_questions(account.session, ANSWERS, HERE)


@pytest.mark.proves("RCV-41")
async def test_they_are_asked_of_who_has_proven_the_mailbox_and_of_nobody_before(shop, builder) -> None:
    await with_questions(shop)
    asked = await shop.recovery.request_reset("ann@lamp.example", request_from("192.0.2.9"))
    assert "question" not in repr(asked).lower()
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).questions == (Q1, Q2, Q3)
    with pytest.raises(ProofsMissing) as missing:
        await shop.recovery.reset_password(token, NEW, HERE)
    assert missing.value.needed == ("security_answers",)
    assert isinstance(await shop.recovery.reset_password(token, NEW, HERE, ANSWERS), PasswordWasReset)


@pytest.mark.proves("RCV-41", "RCV-43")
async def test_two_right_ones_of_three_are_enough_and_fewer_are_one_no(shop, builder) -> None:
    await with_questions(shop)
    token = await link(shop, builder)
    for answers in (WRONG, {}, {Q1: None, Q2: "x", Q3: ""}):
        with pytest.raises(AnswersWrong) as refused:
            await shop.recovery.reset_password(token, NEW, HERE, answers)
        assert attrs.asdict(refused.value) == {}
    spelled = {Q1: Secret("A GOLDFISH  called ottokar!"), Q2: "the velvet lampshades"}
    assert isinstance(await shop.recovery.reset_password(token, NEW, HERE, spelled), PasswordWasReset)


@pytest.mark.proves("RCV-41", "RCV-12")
async def test_right_answers_without_the_mailbox_open_nothing(shop) -> None:
    await with_questions(shop)
    forged = Secret("sa1.rst." + "a" * 22 + "." + "b" * 43)
    with pytest.raises(Exception, match=r"recovery\.link_invalid"):
        await shop.recovery.reset_password(forged, NEW, HERE, ANSWERS)


@pytest.mark.proves("RCV-42", "RCV-43")
async def test_answers_are_kept_as_hashes_of_their_own_and_shown_nowhere(shop, builder) -> None:
    await with_questions(shop)
    (row,) = kept(builder)
    hashes = {answer.hash for answer in row.answers}
    assert len(hashes) == 3
    assert all(text.startswith("$argon2id") for text in hashes)
    everything = repr((row, builder.storage.snapshot()["main"].books)).lower()
    assert_no_leak(
        {question.value: answer.lower() for question, answer in ANSWERS.items()},
        [("the store", everything), ("hashes", " ".join(hashes))],
    )


@pytest.mark.proves("RCV-42")
async def test_an_answer_is_good_for_its_own_question_alone(shop, builder) -> None:
    await with_questions(shop)
    swapped = {Q1: ANSWERS[Q2], Q2: ANSWERS[Q3], Q3: ANSWERS[Q1]}
    with pytest.raises(AnswersWrong):
        await shop.recovery.reset_password(await link(shop, builder), NEW, HERE, swapped)


@pytest.mark.proves("RCV-42")
async def test_the_password_is_no_answer(shop) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(AnswersUnacceptable) as refused:
        await shop.questions.set_questions(account.session, {**ANSWERS, Q3: PASSWORD}, HERE)
    assert (Q3.value, "password") in {(f.question, f.problem) for f in refused.value.findings}
    with pytest.raises(InvalidInput):
        await shop.questions.set_questions(account.session, {"first_pet": "a text for a key"}, HERE)


@pytest.mark.proves("RCV-43")
async def test_setting_them_takes_a_fresh_proof_and_is_told(shop, builder) -> None:
    account = await with_questions(shop)
    assert len(told(builder, "recovery.questions_changed")) == 1
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.questions.set_questions(account.session, ANSWERS, HERE)
    with pytest.raises(FreshSignInNeeded):
        await shop.questions.remove_questions(account.session, HERE)


@pytest.mark.proves("RCV-43")
async def test_who_guesses_waits_and_the_owner_hears_of_every_fifth(shop, builder) -> None:
    await with_questions(shop)
    token = await link(shop, builder)
    for _ in range(5):
        with pytest.raises(AnswersWrong):
            await shop.recovery.reset_password(token, NEW, HERE, WRONG)
    with pytest.raises(Throttled) as held:
        await shop.recovery.reset_password(token, NEW, HERE, ANSWERS)
    assert held.value.retry_after == timedelta(seconds=60)
    assert len(told(builder, "recovery.questions_failed")) == 1
    builder.clock.advance(timedelta(seconds=60))
    assert isinstance(await shop.recovery.reset_password(token, NEW, HERE, ANSWERS), PasswordWasReset)
    assert kept(builder)[0].failures == 0


@pytest.mark.proves("RCV-43")
async def test_a_reset_forgets_the_wrong_answers_before_it(shop, builder) -> None:
    await with_questions(shop)
    for password in (NEW, PASSWORD):
        token = await link(shop, builder)
        for _ in range(4):
            with pytest.raises(AnswersWrong):
                await shop.recovery.reset_password(token, password, HERE, WRONG)
        assert isinstance(await shop.recovery.reset_password(token, password, HERE, ANSWERS), PasswordWasReset)


@pytest.mark.proves("RCV-43")
async def test_the_shop_hears_of_everything_that_happens_to_them(shop, builder) -> None:
    account = await with_questions(shop)
    token = await link(shop, builder)
    with pytest.raises(AnswersWrong):
        await shop.recovery.reset_password(token, NEW, HERE, WRONG)
    await shop.recovery.reset_password(token, NEW, HERE, ANSWERS)
    await builder.edit(QUESTIONS, account.id, lambda asked: attrs.evolve(asked, failures=ON.disable_after - 1))
    with pytest.raises(AnswersWrong):
        await shop.recovery.reset_password(await link(shop, builder), PASSWORD, HERE, WRONG)
    names = [event.name for event in builder.storage.snapshot()["main"].books["events"].values()]
    assert [name.removeprefix("recovery.") for name in names if "questions" in name] == [
        "questions_set",
        "questions_answered_wrong",
        "questions_used",
        "questions_answered_wrong",
        "questions_disabled",
    ]
    assert len(told(builder, "recovery.questions_failed")) == 1


@pytest.mark.proves("RCV-43")
async def test_after_twenty_in_a_row_they_are_asked_no_more_and_the_mailbox_is_enough(shop, builder) -> None:
    await with_questions(shop)
    for _ in range(20):
        builder.clock.advance(timedelta(hours=3))
        with pytest.raises(AnswersWrong):
            await shop.recovery.reset_password(await link(shop, builder), NEW, HERE, WRONG)
    builder.clock.advance(timedelta(hours=3))
    token = await link(shop, builder)
    assert (await shop.recovery.peek_reset(token, HERE)).questions == ()
    assert isinstance(await shop.recovery.reset_password(token, NEW, HERE), PasswordWasReset)


@pytest.mark.proves("RCV-43")
async def test_who_gives_them_up_is_asked_no_more_and_twice_is_no_error(shop, builder) -> None:
    account = await with_questions(shop)
    await shop.questions.remove_questions(account.session, HERE)
    await shop.questions.remove_questions(account.session, HERE)
    assert kept(builder) == ()
    assert len(told(builder, "recovery.questions_changed")) == 2
    names = [event.name for event in builder.storage.snapshot()["main"].books["events"].values()]
    assert names.count("recovery.questions_removed") == 1
    assert isinstance(await shop.recovery.reset_password(await link(shop, builder), NEW, HERE), PasswordWasReset)


@pytest.mark.proves("RCV-44")
async def test_once_a_year_somebody_may_remind_their_owner(shop, builder) -> None:
    await with_questions(shop)
    builder.clock.advance(timedelta(days=365))
    assert (await shop.upkeep.tick()).worked >= 1
    await shop.upkeep.tick()
    events = builder.storage.snapshot()["main"].books["events"].values()
    assert [event.name for event in events].count("recovery.questions_review_due") == 1
    assert kept(builder)[0].review_at == builder.clock.now() + timedelta(days=365)


@pytest.mark.proves("RCV-41", "RCV-40")
async def test_a_shop_that_gives_them_up_asks_nobody_any_more(builder, shop) -> None:
    await with_questions(shop)
    builder.policies = quick_policies()
    later = builder.build()
    assert isinstance(await later.recovery.reset_password(await link(later, builder), NEW, HERE), PasswordWasReset)
