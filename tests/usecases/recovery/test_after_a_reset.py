"""What a reset leaves as it is, what it shows of what is new, how that is taken out; and resets that agents start."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import (
    CUSTOMERS,
    ContactPoint,
    ContactRole,
    LastLoginContact,
    NotFound,
    StatusForbids,
    VerificationMethod,
)
from shopaccounts.kernel.contact import ContactKind, EmailAddress
from shopaccounts.kernel.errors import Forbidden, FreshSignInNeeded, InvalidInput, Throttled
from shopaccounts.kernel.ids import ContactId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.scope import Actor, ActorKind
from shopaccounts.kernel.security import SECURITY
from shopaccounts.recovery import ResetPolicy
from shopaccounts.signin import DEVICES, NoSession, Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, ShopBuilder, quick_policies, request_from, without_gaps
from shopaccounts.testing.doubles import StaffRoom

ANN, THIEF, NEW = "ann@lamp.example", "thief@else.example", "another lamp by the river"
HERE = request_from(agent="Mozilla/5.0 (X11; Linux) Firefox/1")
STRANGE = request_from("203.0.113.9", agent="Mozilla/5.0 (Windows) Chrome/1")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def builder(host):
    return ShopBuilder(host=host, policies=quick_policies(sends=without_gaps()))


def told(builder, name):
    rows = builder.storage.snapshot()["main"].books[EVENTS.name].values()
    return [event for event in rows if event.name == name]


def contact(address, at, *roles):
    point = ContactPoint(
        id=ContactId(address),
        kind=ContactKind.EMAIL,
        value=EmailAddress.parse(address),
        added_at=at,
        roles=frozenset(roles),
    )
    return point.proven(VerificationMethod.CODE, "a challenge", at)


async def with_contact(builder, account, point):
    await builder.edit(CUSTOMERS, account.id, lambda c: attrs.evolve(c, contacts=(*c.contacts, point)))


async def reset(shop, builder):
    await shop.recovery.request_reset(ANN, HERE)
    letter = next(one for one in reversed(builder.mailbag.letters) if one.template == "recovery.reset_password")
    return await shop.recovery.reset_password(letter.token, NEW, HERE)


async def an_old_account_with_a_thief_in_it(shop, builder):
    account = await shop.open_account(ANN)
    builder.clock.advance(60 * DAY)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, STRANGE)
    await with_contact(builder, account, contact(THIEF, builder.clock.now(), ContactRole.NOTIFY, ContactRole.RECOVERY))
    builder.clock.advance(DAY)
    return account


@pytest.mark.proves("RCV-12", "RCV-11")
async def test_a_reset_leaves_contacts_and_devices_as_they_are_and_signs_nobody_in(shop, builder) -> None:
    account = await an_old_account_with_a_thief_in_it(shop, builder)
    before = await builder.kept(CUSTOMERS, account.id), await builder.kept(DEVICES, account.id)
    sessions = len(builder.storage.snapshot()["main"].books["sessions"])
    await reset(shop, builder)
    assert (await builder.kept(CUSTOMERS, account.id), await builder.kept(DEVICES, account.id)) == before
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    assert (stamps.factors, stamps.providers, stamps.contacts) == (0, 0, 0)
    assert len(builder.storage.snapshot()["main"].books["sessions"]) == sessions
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)


@pytest.mark.proves("RCV-15")
async def test_a_reset_shows_what_is_new_masked_and_nothing_that_is_old(shop, builder) -> None:
    account = await an_old_account_with_a_thief_in_it(shop, builder)
    answer = await reset(shop, builder)
    (device,) = [one for one in answer.recent if one.kind == "device"]
    (address,) = [one for one in answer.recent if one.kind == "contact"]
    assert (address.id, address.label) == (THIEF, "t***@else.example")
    assert (device.label, device.at) == ("Chrome, Windows", builder.clock.now() - DAY)
    assert THIEF not in answer.recent[0].label
    assert len((await builder.kept(DEVICES, account.id)).devices) == 2


@pytest.mark.proves("RCV-15")
async def test_one_call_takes_out_what_the_owner_does_not_know(shop, builder) -> None:
    account = await an_old_account_with_a_thief_in_it(shop, builder)
    answer = await reset(shop, builder)
    other = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    mine = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    assert isinstance(mine, SignedIn)
    known = {one.public_id for one in (await builder.kept(DEVICES, account.id)).devices}
    mails = len(builder.mailbag.to(THIEF))

    drop = [one.id for one in answer.recent if one.id == THIEF or one.label == "Chrome, Windows"]
    following = await shop.recovery.drop_recent(mine.session, drop, HERE)
    assert isinstance(await shop.sessions.resume(following.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(other.session, HERE), NoSession)
    kept = await builder.kept(CUSTOMERS, account.id)
    assert [one.value.stored for one in kept.contacts] == [ANN]
    assert kept.former_contacts == ()
    assert {one.public_id for one in (await builder.kept(DEVICES, account.id)).devices} == known - set(drop)
    assert builder.mailbag.last.template == "recovery.recent_dropped"
    assert len(builder.mailbag.to(THIEF)) == mails
    assert len(told(builder, "customers.contact_removed")) == len(told(builder, "signin.device_revoked")) == 1


@pytest.mark.proves("RCV-15")
async def test_devices_alone_can_be_taken_out(shop, builder) -> None:
    account = await an_old_account_with_a_thief_in_it(shop, builder)
    answer = await reset(shop, builder)
    mine = await shop.signin.sign_in_with_password(ANN, NEW, HERE)
    drop = [one.id for one in answer.recent if one.kind == "device"]
    await shop.recovery.drop_recent(mine.session, drop, HERE)
    assert len((await builder.kept(CUSTOMERS, account.id)).contacts) == 2
    assert (await builder.kept(SECURITY, account.id)).stamps.contacts == 0


@pytest.mark.proves("RCV-15")
async def test_what_is_old_or_needed_can_not_be_taken_out_so(shop, builder) -> None:
    account = await shop.open_account(ANN)
    (first,) = (await builder.kept(CUSTOMERS, account.id)).contacts
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(LastLoginContact):
        await shop.recovery.drop_recent(step.session, [first.id], HERE)
    with pytest.raises(NotFound):
        await shop.recovery.drop_recent(step.session, ["nothing"], HERE)
    for no_ids in ("text", None, [7]):
        with pytest.raises(InvalidInput):
            await shop.recovery.drop_recent(step.session, no_ids, HERE)
    builder.clock.advance(timedelta(minutes=16))
    with pytest.raises(FreshSignInNeeded):
        await shop.recovery.drop_recent(step.session, [first.id], HERE)
    builder.clock.advance(30 * DAY)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(NotFound):
        await shop.recovery.drop_recent(step.session, [first.id], HERE)


def as_agent(builder, *hired):
    staff = StaffRoom()
    for agent in hired or ("eve",):
        staff.hire(agent)
    scope = attrs.evolve(builder.scope, actor=Actor(ActorKind.AGENT, "eve"))
    office = attrs.evolve(builder, scope=scope, agents=staff)
    office.mailbag = builder.mailbag
    return office.build()


@pytest.mark.proves("RCV-4", "SIG-92")
async def test_an_agent_has_the_same_link_mailed_and_sees_nothing_of_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    sent = await as_agent(builder).recovery.start_reset_for(account.id, "called us")
    assert sent.masked == "a***@lamp.example"
    letter = builder.mailbag.last
    assert (letter.template, letter.to) == ("recovery.reset_password", ANN)
    (event,) = told(builder, "recovery.reset_started")
    assert (event.actor, event.subject) == (Actor(ActorKind.AGENT, "eve"), account.id)
    assert '"reason":"called us"' in event.data
    assert len(told(builder, "recovery.reset_requested")) == 1
    await shop.recovery.reset_password(letter.token, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("RCV-4", "SIG-92", "KER-264")
async def test_an_agent_starts_no_reset_without_right_account_or_measure(shop, builder) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(Forbidden):
        await shop.recovery.start_reset_for(account.id, "because")
    with pytest.raises(NotFound):
        await as_agent(builder).recovery.start_reset_for("nobody", "called us")
    suspended = await shop.arrange("suspended", "sam@lamp.example")
    with pytest.raises(StatusForbids):
        await as_agent(builder).recovery.start_reset_for(suspended, "called us")
    bare = await shop.arrange("no password", "bea@lamp.example")
    builder.policies = quick_policies(resets=ResetPolicy(creates_first_password=False))
    office = as_agent(builder)
    with pytest.raises(StatusForbids):
        await office.recovery.start_reset_for(bare, "called us")
    await office.recovery.start_reset_for(account.id, "called us")
    with pytest.raises(Throttled):
        await office.recovery.start_reset_for(account.id, "called us again")
