"""Somebody lost everything: two agents vouch, everybody hears of it, and the new mailbox does the rest."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, NotFound, StatusForbids, Trigger
from shopaccounts.kernel.errors import Forbidden, InsecureTransport, InvalidInput
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.security import SECURITY
from shopaccounts.kernel.staff import Permission
from shopaccounts.recovery import (
    CASES,
    AgentNotAllowed,
    CaseClosed,
    CaseNotReady,
    CasePolicy,
    CaseState,
    Evidence,
    EvidenceInsufficient,
    EvidenceKind,
    ProofsMissing,
    ResetLinkExpired,
    ResetLinkInvalid,
    ResetLinkUsed,
    Shown,
)
from shopaccounts.registration import ChangeNotPossible, ContactBelongsElsewhere
from shopaccounts.signin import NoSession, SignedIn
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

ANN, NEW, HERE = "ann@old.example", "ann@new.example", request_from()
AFRESH = "another lamp by the river"
MINUTE, DAY, WEEK = timedelta(minutes=1), timedelta(days=1), timedelta(days=7)
ENOUGH = (Evidence(EvidenceKind.ORDER_AND_POSTAL_CODE, True), Evidence(EvidenceKind.PAYMENT_METHOD_END, True))
WHY = "called us, knew the last order"


@pytest.fixture
def staff():
    room = StaffRoom()
    for agent in ("eve", "bob"):
        room.hire(agent)
    return room


@pytest.fixture
def builder(host, staff):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()), agents=staff)


@pytest.fixture
def office(builder):
    def as_agent(agent="eve"):
        return attrs.evolve(builder, scope=attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, agent)))

    class Office:
        def __init__(self, agent):
            self.builder = as_agent(agent)
            self.builder.mailbag = builder.mailbag
            self.help = self.builder.build().case_help
            self.recovery = self.builder.build().recovery

    return Office


def rows(builder, book):
    return tuple(builder.storage.snapshot()["main"].books[book.name].values())


def told(builder, name):
    return [event for event in rows(builder, EVENTS) if event.name == name]


def newest(builder, template):
    return next(one for one in reversed(builder.mailbag.letters) if one.template == template)


async def agreed(office, account):
    asked = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    return await office("bob").help.agree_to_case(asked.case, WHY)


async def ready(shop, builder, office, account):
    case = await agreed(office, account)
    builder.clock.set(case.earliest_at)
    assert await shop.cases.attend_cases(10, WorkerId("test")) == 1
    return case, newest(builder, "recovery.complete_case").token


@pytest.mark.proves("RCV-28", "RCV-20", "RCV-24")
async def test_two_agents_a_week_and_a_link_lead_back_in(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    asked = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    assert (asked.state, asked.earliest_at) == ("requested", None)
    assert not told(builder, "recovery.case_opened")
    opened = await office("bob").help.agree_to_case(asked.case, WHY)
    assert (opened.state, opened.earliest_at) == ("waiting", builder.clock.now() + WEEK)
    (event,) = told(builder, "recovery.case_opened")
    assert (event.actor, event.subject) == (Actor(ActorKind.AGENT, "bob"), account.id)
    assert [one.template for one in builder.mailbag.to(ANN)][-1] == "recovery.case_waiting"
    assert builder.mailbag.to(NEW) == ()

    builder.clock.set(opened.earliest_at)
    await shop.cases.attend_cases(10, WorkerId("test"))
    assert [one.template for one in builder.mailbag.to(ANN)][-1] == "recovery.case_ready"
    (letter,) = builder.mailbag.to(NEW)
    done = await shop.case_help.complete_case(letter.token, HERE)
    assert (done.masked, done.on_hold_until) == ("a***@new.example", builder.clock.now() + WEEK)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert (await builder.kept(SECURITY, account.id)).hold_until == done.on_hold_until
    await shop.recovery.request_reset(NEW, HERE)
    await shop.recovery.reset_password(newest(builder, "recovery.reset_password").token, AFRESH, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(NEW, AFRESH, HERE), SignedIn)


@pytest.mark.proves("RCV-28")
async def test_what_is_kept_of_evidence_is_method_and_outcome(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    await agreed(office, account)
    (case,) = rows(builder, CASES)
    assert case.evidence == ENOUGH
    assert {field.name for field in attrs.fields(Evidence)} == {"kind", "right"}
    assert [(helper.agent, helper.reason) for helper in case.helpers] == [("eve", WHY), ("bob", WHY)]
    assert case.proofs == (Shown.TWO_AGENTS,)


@pytest.mark.proves("RCV-28")
async def test_too_little_evidence_opens_nothing(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    once = Evidence(EvidenceKind.DOCUMENT, True)
    for evidence in ((), (once,), (once, once), (once, Evidence(EvidenceKind.ORDER_AMOUNT_AND_DATE, False))):
        with pytest.raises(EvidenceInsufficient):
            await office("eve").help.open_case_for(account.id, NEW, evidence, WHY)
    assert rows(builder, CASES) == ()


@pytest.mark.proves("RCV-28", "SIG-92")
async def test_nobody_agrees_with_themselves_or_without_the_right_to(shop, office, staff) -> None:
    account = await shop.open_account(ANN)
    case = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    with pytest.raises(AgentNotAllowed):
        await office("eve").help.agree_to_case(case.case, WHY)
    staff.hire("tom", {Permission.SUSPEND})
    for call in (
        office("tom").help.agree_to_case(case.case, WHY),
        office("tom").help.open_case_for(account.id, NEW, ENOUGH, WHY),
        office("tom").help.stop_case(case.case, WHY),
        shop.case_help.agree_to_case(case.case, WHY),
    ):
        with pytest.raises(Forbidden):
            await call
    with pytest.raises(InvalidInput):
        await office("bob").help.agree_to_case(case.case, " ")
    staff.protected.add(account.id)
    with pytest.raises(AgentNotAllowed):
        await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)


@pytest.mark.proves("RCV-28")
async def test_a_colleague_agrees_within_a_day_once_and_to_the_newest(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    first = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    builder.clock.advance(MINUTE)
    second = await office("eve").help.open_case_for(account.id, "ann@other.example", ENOUGH, WHY)
    with pytest.raises(CaseClosed):
        await office("bob").help.agree_to_case(first.case, WHY)
    await office("bob").help.agree_to_case(second.case, WHY)
    with pytest.raises(CaseClosed) as refused:
        await office("bob").help.agree_to_case(second.case, WHY)
    assert refused.value.state == "waiting"
    builder.clock.advance(MINUTE)
    third = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    with pytest.raises(CaseNotReady):
        await office("bob").help.agree_to_case(third.case, WHY)
    builder.clock.advance(DAY)
    with pytest.raises(CaseClosed) as late:
        await office("bob").help.agree_to_case(third.case, WHY)
    assert late.value.state == "expired"
    with pytest.raises(NotFound):
        await office("bob").help.agree_to_case("no case", WHY)


@pytest.mark.proves("RCV-28")
async def test_what_happens_to_the_account_between_the_agents_counts(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    case = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    await builder.step(account.id, Trigger.SUSPEND)
    with pytest.raises(CaseClosed) as refused:
        await office("bob").help.agree_to_case(case.case, WHY)
    assert refused.value.state == "blocked"
    with pytest.raises(StatusForbids):
        await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    with pytest.raises(NotFound):
        await office("eve").help.open_case_for("nobody", NEW, ENOUGH, WHY)


@pytest.mark.proves("RCV-28")
async def test_an_address_of_somebody_else_is_no_new_one(shop, office) -> None:
    account = await shop.open_account(ANN)
    await shop.open_account(NEW)
    with pytest.raises(ContactBelongsElsewhere):
        await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)


@pytest.mark.proves("RCV-28")
async def test_there_has_to_be_an_address_to_be_replaced_by_another_one(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(ChangeNotPossible) as refused:
        await office("eve").help.open_case_for(account.id, ANN, ENOUGH, WHY)
    assert refused.value.state == "in_force"
    await builder.edit(CUSTOMERS, account.id, lambda customer: attrs.evolve(customer, contacts=()))
    with pytest.raises(ChangeNotPossible) as without:
        await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    assert without.value.state == "none"


@pytest.mark.proves("RCV-28", "KER-181")
async def test_an_account_that_is_stopped_between_reading_and_recording_gets_no_case(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    case = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    between = Between(lambda: builder.step(account.id, Trigger.SUSPEND))
    agent = attrs.evolve(builder, scope=attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "bob")))
    with pytest.raises(CaseClosed):
        await agent.build(between).case_help.agree_to_case(case.case, WHY)
    assert between.happened
    assert not told(builder, "recovery.case_opened")


@pytest.mark.proves("RCV-28", "RCV-20")
async def test_a_shop_may_leave_agents_out(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    builder.policies = quick_policies(cases=CasePolicy(everything_by_agents=None))
    case = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    with pytest.raises(ProofsMissing):
        await office("bob").help.agree_to_case(case.case, WHY)


@pytest.mark.proves("RCV-24", "RCV-28")
async def test_the_owner_cancels_from_any_notice_or_session_and_staff_stop(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    case = await agreed(office, account)
    await shop.cases.cancel_case(newest(builder, "recovery.case_waiting").ticket("cancel_link"), HERE, not_me=True)
    assert (await builder.kept(CASES, case.case)).state is CaseState.CANCELLED
    builder.clock.advance(DAY)
    case = await agreed(office, account)
    builder.clock.advance(DAY)
    await office("eve").help.stop_case(case.case, "a second call, it was somebody else")
    stopped = await builder.kept(CASES, case.case)
    assert (stopped.state, stopped.helpers[-1].agent) == (CaseState.CANCELLED, "eve")
    assert '"reason":"staff"' in told(builder, "recovery.case_cancelled")[-1].data
    with pytest.raises(CaseClosed):
        await office("eve").help.stop_case(case.case, WHY)
    with pytest.raises(NotFound):
        await office("eve").help.stop_case("no case", WHY)
    again = await office("eve").help.open_case_for(account.id, NEW, ENOUGH, WHY)
    with pytest.raises(CaseClosed):
        await office("bob").help.agree_to_case(again.case, WHY)


@pytest.mark.proves("RCV-28", "KER-236")
async def test_the_link_works_once_for_a_day_and_a_new_one_comes_every_day(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    _, link = await ready(shop, builder, office, account)
    builder.clock.advance(DAY)
    with pytest.raises(ResetLinkExpired):
        await shop.case_help.complete_case(link, HERE)
    await shop.upkeep.tick()
    with pytest.raises(ResetLinkInvalid):
        await shop.case_help.complete_case(link, HERE)
    link = newest(builder, "recovery.complete_case").token
    await shop.case_help.complete_case(link, HERE)
    with pytest.raises(ResetLinkUsed):
        await shop.case_help.complete_case(link, HERE)
    with pytest.raises(ResetLinkInvalid):
        await shop.case_help.complete_case(Secret("sa1.rmb.nothing"), HERE)
    with pytest.raises(InsecureTransport):
        await shop.case_help.complete_case(link, request_from(secure=False))


@pytest.mark.proves("RCV-28", "RCV-24")
async def test_a_link_of_a_case_that_is_over_leads_nowhere(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    _, link = await ready(shop, builder, office, account)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.cases.cancel_case_here(step.session, HERE)
    with pytest.raises(CaseClosed) as refused:
        await shop.case_help.complete_case(link, HERE)
    assert refused.value.state == "cancelled"


@pytest.mark.proves("RCV-28")
async def test_an_address_that_somebody_took_meanwhile_stays_theirs(shop, builder, office) -> None:
    account = await shop.open_account(ANN)
    _, link = await ready(shop, builder, office, account)
    await shop.open_account(NEW)
    with pytest.raises(ContactBelongsElsewhere):
        await shop.case_help.complete_case(link, HERE)
    assert (await builder.kept(CUSTOMERS, account.id)).contacts[0].value.stored == ANN
