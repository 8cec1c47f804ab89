"""Agents who act for customers: how they begin, what they may do meanwhile, and how it ends."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, NOT_ME_SIGN_IN, StatusReason, Trigger, follow
from shopaccounts.kernel.assurance import Level, Operation
from shopaccounts.kernel.chance import SystemEntropy
from shopaccounts.kernel.errors import Forbidden, FreshSignInNeeded, InvalidInput
from shopaccounts.kernel.scope import Actor, ActorKind, Scope
from shopaccounts.kernel.secret import Secret
from shopaccounts.kernel.staff import Permission
from shopaccounts.kernel.tickets import TICKETS
from shopaccounts.signin import (
    IMPERSONATIONS,
    ActingScope,
    ImpersonationNotAllowed,
    ImpersonationPolicy,
    NoSession,
    NotWhileImpersonating,
    Resumed,
    SessionPolicy,
    SignedIn,
    SignInRequired,
)
from shopaccounts.signin.impersonating import may_while_acting
from shopaccounts.signin.model import Acting
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from
from shopaccounts.testing.contracts.steps import listed
from shopaccounts.testing.doubles import StaffRoom
from shopaccounts.testing.races import assert_one_winner, race

ANN, HERE, DESK = "ann@lamp.example", request_from(agent="a browser"), request_from("198.51.100.20", agent="the office")
WHY = "she can't find her order"
EVE = Actor(ActorKind.AGENT, "eve")
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def staff() -> StaffRoom:
    return StaffRoom()


@pytest.fixture
def builder(host, staff):
    return ShopBuilder(host=host, agents=staff)


@pytest.fixture
def office(builder, staff):
    """The same shop on behalf of an agent who has just signed in."""
    staff.hire("eve", signed_in_at=builder.clock.now())
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    office = builder.build()
    builder.scope = Scope.single()
    return office


async def begin(builder, staff, office, account, scope=ActingScope.READ_ONLY):
    staff.hire("eve", signed_in_at=builder.clock.now())
    return await office.impersonation.start_impersonation(account.id, WHY, scope, DESK)


def told(builder, name):
    events = builder.storage.snapshot()["main"].books["events"].values()
    return [event for event in events if event.name == name]


@pytest.mark.proves("SIG-95", "SIG-97")
async def test_an_agent_sees_the_shop_as_the_customer_does_and_the_page_can_say_so(
    shop, builder, staff, office
) -> None:
    account = await shop.open_account(ANN)
    begun = await begin(builder, staff, office, account)
    resumed = await shop.sessions.resume(begun.session, DESK)
    assert isinstance(resumed, Resumed)
    assert (resumed.account, resumed.impersonated_by, resumed.auth.level) == (account.id, "eve", Level.NONE)
    mine = await shop.sessions.resume(account.session, HERE)
    assert mine.impersonated_by is None
    (event,) = told(builder, "signin.impersonation_started")
    assert (event.subject, event.actor) == (account.id, EVE)
    assert WHY not in event.data


@pytest.mark.proves("SIG-95", "KER-235")
async def test_an_agent_who_comes_in_takes_nobodys_way_back(shop, builder, staff, office) -> None:
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    token = builder.mailbag.last.token
    builder.clock.advance(timedelta(seconds=1))
    await begin(builder, staff, office, account)
    await shop.recovery.reset_password(token, "another lamp by the river", HERE)


@pytest.mark.proves("SIG-95")
async def test_it_ends_after_half_an_hour_whatever_the_agent_does(shop, builder, staff, office) -> None:
    begun = await begin(builder, staff, office, await shop.open_account(ANN))
    for _ in range(29):
        builder.clock.advance(timedelta(minutes=1))
        assert isinstance(await shop.sessions.resume(begun.session, DESK), Resumed)
    builder.clock.advance(timedelta(minutes=1) - MOMENT)
    assert isinstance(await shop.sessions.resume(begun.session, DESK), Resumed)
    builder.clock.advance(MOMENT)
    assert isinstance(await shop.sessions.resume(begun.session, DESK), NoSession)


@pytest.mark.proves("SIG-95", "CUS-8")
async def test_who_may_not_is_told_so_whether_or_not_there_is_such_an_account(shop, builder, staff, office) -> None:
    account = await shop.open_account(ANN)
    staff.hire("eve", set(Permission) - {Permission.IMPERSONATE}, signed_in_at=builder.clock.now())
    for id in (account.id, "nobody"):
        with pytest.raises(Forbidden):
            await office.impersonation.start_impersonation(id, WHY, ActingScope.READ_ONLY, DESK)
    with pytest.raises(Forbidden):
        await shop.impersonation.start_impersonation(account.id, WHY, ActingScope.READ_ONLY, DESK)


@pytest.mark.proves("SIG-95")
async def test_a_reason_in_words_is_wanted(shop, office) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(InvalidInput):
        await office.impersonation.start_impersonation(account.id, "x" * 501, ActingScope.READ_ONLY, DESK)
    with pytest.raises(InvalidInput):
        await office.impersonation.start_impersonation(account.id, "", ActingScope.READ_ONLY, DESK)


@pytest.mark.proves("SIG-95")
@pytest.mark.parametrize("weakness", ["one factor", "a quarter of an hour ago", "never"])
async def test_the_agents_own_sign_in_is_strong_and_fresh(shop, builder, staff, office, weakness) -> None:
    account = await shop.open_account(ANN)
    now = builder.clock.now()
    at = {"one factor": now, "a quarter of an hour ago": now - timedelta(minutes=15), "never": None}[weakness]
    staff.hire("eve", signed_in_at=at)
    if weakness == "one factor":
        staff.agents["eve"] = attrs.evolve(staff.agents["eve"], level=Level.SINGLE)
    with pytest.raises(ImpersonationNotAllowed, match="signin"):
        await office.impersonation.start_impersonation(account.id, WHY, ActingScope.READ_ONLY, DESK)
    staff.hire("eve", signed_in_at=now - timedelta(minutes=15) + MOMENT)
    await office.impersonation.start_impersonation(account.id, WHY, ActingScope.READ_ONLY, DESK)


@pytest.mark.proves("SIG-95")
@pytest.mark.parametrize("situation", ["unknown", "pending", "suspended", "closing", "closed", "protected"])
async def test_only_an_active_account_that_is_not_protected(shop, builder, staff, office, situation) -> None:
    if situation == "protected":
        id = (await shop.open_account(ANN)).id
        staff.protected.add(id)
    else:
        id = await shop.arrange(situation, ANN) or "nobody"
    staff.hire("eve", signed_in_at=builder.clock.now())
    with pytest.raises(ImpersonationNotAllowed) as refused:
        await office.impersonation.start_impersonation(id, WHY, ActingScope.READ_ONLY, DESK)
    assert refused.value.reason == "target"


@pytest.mark.proves("SIG-95")
async def test_one_customer_at_a_time_and_never_from_within(shop, builder, staff, office) -> None:
    ann, ben = await shop.open_account(ANN), await shop.open_account("ben@lamp.example")
    begun = await begin(builder, staff, office, ann)
    with pytest.raises(ImpersonationNotAllowed) as refused:
        await begin(builder, staff, office, ben)
    assert refused.value.reason == "busy"
    await office.impersonation.end_impersonation(begun.session, DESK)
    await begin(builder, staff, office, ben)
    builder.clock.advance(timedelta(minutes=30))
    await begin(builder, staff, office, ann)  # the one before was over, whether or not anybody had written so
    assert len(told(builder, "signin.impersonation_ended")) == 2
    builder.scope = attrs.evolve(builder.scope, actor=attrs.evolve(EVE, on_behalf_of=ann.id))
    with pytest.raises(ImpersonationNotAllowed) as refused:
        await begin(builder, staff, builder.build(), ben)
    assert refused.value.reason == "nested"


@pytest.mark.proves("SIG-95")
async def test_the_shop_says_how_far_agents_may_go(host, staff) -> None:
    off = quick_policies(impersonation=ImpersonationPolicy(scopes=frozenset({ActingScope.READ_ONLY})))
    builder = ShopBuilder(host=host, agents=staff, policies=off, scope=attrs.evolve(Scope.single(), actor=EVE))
    shop = builder.build()
    account = await shop.open_account(ANN)
    with pytest.raises(ImpersonationNotAllowed) as refused:
        await begin(builder, staff, shop, account, ActingScope.ASSIST)
    assert refused.value.reason == "not_offered"
    await begin(builder, staff, shop, account)


@pytest.mark.proves("SIG-96")
@pytest.mark.parametrize("scope", ActingScope)
def test_an_agent_looks_and_helps_and_does_nothing_else(scope) -> None:
    acting = Acting(agent="eve", reason=WHY, scope=scope)
    allowed = {operation for operation in Operation if may_while_acting(acting, operation)}
    assert allowed == {Operation.LOOK} | ({Operation.SHOP} if scope is ActingScope.ASSIST else set())
    assert all(may_while_acting(None, operation) for operation in Operation)


@pytest.mark.proves("SIG-96")
async def test_what_decides_who_gets_in_is_refused_to_an_agent(shop, builder, staff, office) -> None:
    account = await shop.open_account(ANN)
    begun = await begin(builder, staff, office, account, ActingScope.ASSIST)
    for ask in (shop.sessions.end_other_sessions,):
        with pytest.raises(NotWhileImpersonating):
            await ask(begun.session, DESK)
    with pytest.raises(NotWhileImpersonating):
        await shop.sessions.end_session(begun.session, "any", DESK)
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)


@pytest.mark.proves("SIG-97")
@pytest.mark.parametrize("change", ["gone", "not allowed any more"])
async def test_it_ends_as_soon_as_the_agent_may_no_longer(shop, builder, staff, office, change) -> None:
    begun = await begin(builder, staff, office, await shop.open_account(ANN))
    if change == "gone":
        staff.agents["eve"] = attrs.evolve(staff.agents["eve"], active=False)
    else:
        staff.hire("eve", set(Permission) - {Permission.IMPERSONATE})
    assert isinstance(await shop.sessions.resume(begun.session, DESK), NoSession)


@pytest.mark.proves("SIG-95", "SIG-75")
async def test_agent_and_customer_take_no_place_from_each_other(host, staff) -> None:
    policies = quick_policies(sessions=SessionPolicy(max_sessions=1))
    builder = ShopBuilder(host=host, agents=staff, policies=policies, entropy=SystemEntropy())
    shop = builder.build()
    account = await shop.open_account(ANN)
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    begun = await begin(builder, staff, builder.build(), account)
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)
    newer = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(newer, SignedIn)
    for value in (begun.session, newer.session):
        assert isinstance(await shop.sessions.resume(value, HERE), Resumed)


@pytest.mark.proves("SIG-97")
async def test_it_ends_when_the_customer_signs_out_everywhere(shop, builder, staff, office) -> None:
    account = await shop.open_account(ANN)
    begun = await begin(builder, staff, office, account)
    await shop.sessions.sign_out_everywhere(account.session, HERE)
    assert isinstance(await shop.sessions.resume(begun.session, DESK), NoSession)


@pytest.mark.proves("SIG-97", "SIG-80")
async def test_the_customer_hears_of_it_once_when_it_has_ended(shop, builder, staff, office) -> None:
    begun = await begin(builder, staff, office, await shop.open_account(ANN))
    await office.impersonation.end_impersonation(begun.session, DESK)
    with pytest.raises(SignInRequired):
        await office.impersonation.end_impersonation(begun.session, DESK)
    await shop.upkeep.tick()
    letters = [letter for letter in builder.mailbag.to(ANN) if letter.template == "signin.impersonation_ended"]
    assert len(letters) == len(told(builder, "signin.impersonation_ended")) == 1
    (event,) = told(builder, "signin.impersonation_ended")
    assert event.actor == EVE
    tickets = builder.storage.snapshot()["main"].books[TICKETS.name].values()
    assert begun.public_id in {ticket.bound for ticket in tickets if ticket.purpose == NOT_ME_SIGN_IN.name}
    assert isinstance(await shop.sessions.resume(begun.session, DESK), NoSession)


@pytest.mark.proves("SIG-97")
async def test_an_end_that_nobody_wrote_is_told_by_the_upkeep(shop, builder, staff, office) -> None:
    await begin(builder, staff, office, await shop.open_account(ANN))
    builder.clock.advance(timedelta(minutes=30))
    assert (await shop.upkeep.tick()).worked == 1
    assert (await shop.upkeep.tick()).worked == 0
    (event,) = told(builder, "signin.impersonation_ended")
    assert '"outcome":"over"' in event.data
    assert event.actor.kind is ActorKind.SYSTEM
    assert builder.mailbag.to(ANN)[-1].template == "signin.impersonation_ended"


@pytest.mark.proves("SIG-97")
async def test_a_shop_may_mail_nothing_about_it(host, staff) -> None:
    policies = quick_policies(impersonation=ImpersonationPolicy(notice=False))
    builder = ShopBuilder(host=host, agents=staff, policies=policies)
    account = await builder.build().open_account(ANN)
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    office = builder.build()
    begun, letters = await begin(builder, staff, office, account), len(builder.mailbag.letters)
    await office.impersonation.end_impersonation(begun.session, DESK)
    assert len(told(builder, "signin.impersonation_ended")) == 1
    assert len(builder.mailbag.letters) == letters


@pytest.mark.proves("SIG-97", "SIG-77")
async def test_only_an_agents_own_session_is_ended_so(shop, office) -> None:
    account = await shop.open_account(ANN)
    for value in (account.session, Secret("nonsense"), Secret(f"sa1.ses.{'a' * 22}.{'b' * 43}")):
        with pytest.raises(SignInRequired):
            await office.impersonation.end_impersonation(value, DESK)
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)


@pytest.mark.proves("SIG-95", "KER-181")
async def test_an_account_that_is_stopped_meanwhile_is_not_acted_for(shop, builder, staff) -> None:
    account = await shop.open_account(ANN)
    between = Between(
        lambda: builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.SUSPEND, reason=StatusReason.ABUSE))
    )
    builder.scope = attrs.evolve(builder.scope, actor=EVE)
    with pytest.raises(ImpersonationNotAllowed):
        await begin(builder, staff, builder.build(between), account)
    assert between.happened
    assert told(builder, "signin.impersonation_started") == []


@pytest.mark.proves("SIG-95", "CUS-11")
async def test_an_account_whose_stop_is_over_is_acted_for_again(shop, builder, staff, office) -> None:
    account, until = await shop.open_account(ANN), builder.clock.now() + timedelta(days=1)
    stop = {"reason": StatusReason.ABUSE, "until": until}
    await builder.edit(CUSTOMERS, account.id, lambda c: follow(c, Trigger.SUSPEND, **stop))
    with pytest.raises(ImpersonationNotAllowed):
        await begin(builder, staff, office, account)
    builder.clock.advance(timedelta(days=1))
    begun = await begin(builder, staff, office, account)
    assert isinstance(await shop.sessions.resume(begun.session, DESK), Resumed)


@pytest.mark.proves("SIG-95")
async def test_no_proof_of_the_agent_counts_as_one_of_the_customer(shop, builder, staff, office) -> None:
    begun = await begin(builder, staff, office, await shop.open_account(ANN))
    with pytest.raises((NotWhileImpersonating, FreshSignInNeeded)):
        await shop.sessions.end_other_sessions(begun.session, DESK)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert (await shop.sessions.resume(step.session, HERE)).impersonated_by is None


@pytest.mark.proves("SIG-95")
async def test_of_many_starts_at_once_one_agent_gets_one(staff) -> None:
    builder = ShopBuilder(agents=staff, scope=attrs.evolve(Scope.single(), actor=EVE))
    shop = builder.build()
    account = await shop.open_account(ANN)
    staff.hire("eve", signed_in_at=builder.clock.now())

    async def start(_):
        return await builder.build().impersonation.start_impersonation(account.id, WHY, ActingScope.READ_ONLY, DESK)

    assert_one_winner(await race(8, start), ImpersonationNotAllowed)
    assert len(await listed(builder.storage.open(builder.scope), IMPERSONATIONS, "account", account.id)) == 1
