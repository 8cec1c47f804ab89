"""Somebody who knows a password tries to get rid of the second factor: at once, by one mailbox for all, by talking."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import Rejected
from shopaccounts.kernel.messages import Channel
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.recovery import CasePolicy, Evidence, EvidenceKind
from shopaccounts.signin import AUTHENTICATORS, SESSIONS, SecondFactorNeeded, SentCodeAnswer, SignedIn, TotpCode
from shopaccounts.testing.apps import enrol_app
from shopaccounts.testing.builders import PASSWORD, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

ANN = "ann@lamp.example"
HERE = request_from("192.0.2.1", browser=Secret("the value of Ann's own browser"))
EVE = request_from("203.0.113.66", agent="eve", browser=Secret("the value of Eve's browser"))
DAY = timedelta(days=1)
RIGHT = (Evidence(EvidenceKind.DOCUMENT, right=True), Evidence(EvidenceKind.ORDER_AND_POSTAL_CODE, right=True))


@pytest.fixture
def builder(builder):
    builder.policies = quick_policies(sends=without_gaps())
    return builder


async def at_the_door(shop, context=EVE):
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, context)
    assert isinstance(step, SecondFactorNeeded)
    return step.progress


async def with_the_code(shop, builder, context=EVE):
    progress = await at_the_door(shop, context)
    sent = await shop.lost_factor.send_case_code(progress, Channel.EMAIL, context)
    return progress, [SentCodeAnswer(sent.handle, builder.mailbag.last.code)]


async def ann_with_an_app(shop, builder):
    ann = await shop.open_account(ANN)
    return ann, (await enrol_app(shop.factors, ann.session, HERE, builder.clock)).app


async def is_still_there(builder, ann):
    return bool((await builder.kept(AUTHENTICATORS, ann.id)).factors)


@pytest.mark.proves("RCV-20", "RCV-22", "RCV-12")
async def test_nobody_removes_a_second_factor_at_once(shop, builder) -> None:
    """Eve knows the password and reads the mailbox; until the wait is over every door stays shut."""
    ann, app = await ann_with_an_app(shop, builder)
    before = len(builder.storage.snapshot()["main"].books[SESSIONS.name])
    progress, codes = await with_the_code(shop, builder)
    with pytest.raises(Rejected):
        await shop.lost_factor.complete_factor_case(progress, codes, EVE)
    await shop.lost_factor.open_factor_case(*await with_the_code(shop, builder), EVE)
    for _ in range(71):
        builder.clock.advance(timedelta(hours=1))
        with pytest.raises(Rejected):
            await shop.lost_factor.complete_factor_case(*await with_the_code(shop, builder), EVE)
    await shop.recovery.request_reset(ANN, EVE)
    await shop.recovery.reset_password(builder.mailbag.last.token, PASSWORD + " of Eve", EVE)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD + " of Eve", EVE)
    assert isinstance(step, SecondFactorNeeded)
    builder.clock.advance(DAY)
    assert await is_still_there(builder, ann)
    assert len(builder.storage.snapshot()["main"].books[SESSIONS.name]) == before
    assert app.code()


@pytest.mark.proves("RCV-24", "SIG-80")
async def test_who_uses_the_app_meanwhile_ends_it_whoever_reads_the_mail(shop, builder) -> None:
    """Eve deletes every mail; Ann signs in as on any other day."""
    ann, app = await ann_with_an_app(shop, builder)
    await shop.lost_factor.open_factor_case(*await with_the_code(shop, builder), EVE)
    builder.clock.advance(2 * DAY)
    progress = await at_the_door(shop, HERE)
    done = await shop.second_step.give_second_factor(progress, TotpCode(app.next_code()), HERE)
    assert isinstance(done, SignedIn)
    builder.clock.advance(DAY)
    with pytest.raises(Rejected):
        await shop.lost_factor.complete_factor_case(*await with_the_code(shop, builder), EVE)
    assert await is_still_there(builder, ann)


@pytest.mark.proves("RCV-20", "RCV-21")
async def test_one_mailbox_is_no_two_methods(shop, builder) -> None:
    """Two codes of one mailbox are one proof, and a code is none of another half-done sign-in."""
    ann, _ = await ann_with_an_app(shop, builder)
    progress, codes = await with_the_code(shop, builder)
    builder.clock.advance(timedelta(minutes=1))
    again = await shop.lost_factor.send_case_code(progress, Channel.EMAIL, EVE)
    both = [*codes, SentCodeAnswer(again.handle, builder.mailbag.last.code)]
    with pytest.raises(Rejected):
        await shop.lost_factor.open_factor_case(progress, both, EVE)
    with pytest.raises(Rejected):
        await shop.lost_factor.send_case_code(progress, Channel.SMS, EVE)
    opened = await shop.lost_factor.open_factor_case(progress, both[1:], EVE)
    assert opened.earliest_at - builder.clock.now() == 3 * DAY
    assert await is_still_there(builder, ann)


@pytest.mark.proves("RCV-28", "SIG-92")
async def test_who_talks_an_agent_round_gains_no_time(shop, builder) -> None:
    """An agent who believes Eve can vouch; that opens nothing, shortens nothing, and gives nobody a code."""
    ann, _ = await ann_with_an_app(shop, builder)
    cases = CasePolicy(factor_by_mailbox_takes_agent=True)
    builder.policies = quick_policies(sends=without_gaps(), cases=cases)
    staff = StaffRoom()
    staff.hire("bob")
    scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "bob"))
    office = attrs.evolve(builder, scope=scope, agents=staff).build().case_help
    shop = builder.build()
    opened = await shop.lost_factor.open_factor_case(*await with_the_code(shop, builder), EVE)
    letters = len(builder.mailbag.letters)
    seen = await office.vouch_for_case(opened.case, RIGHT, "sounded like her")
    assert "code" not in repr(seen).lower()
    assert len(builder.mailbag.letters) == letters
    assert seen.earliest_at == opened.earliest_at
    with pytest.raises(Rejected):
        await shop.lost_factor.complete_factor_case(*await with_the_code(shop, builder), EVE)
    assert await is_still_there(builder, ann)
