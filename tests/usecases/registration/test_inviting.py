"""Invitations: who was asked to come comes, and nobody else by the same word."""

import json
from datetime import timedelta

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, AccountStatus, Trigger, follow, is_verified
from shopaccounts.kernel.answers import got
from shopaccounts.kernel.errors import BadPolicy, InsecureTransport, Throttled
from shopaccounts.kernel.ids import WorkerId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.record import Change
from shopaccounts.passwords import PasswordUnacceptable
from shopaccounts.registration import (
    ATTEMPTS,
    INVITATION_STEPS,
    INVITATIONS,
    ContactLinkExpired,
    ContactLinkInvalid,
    ContactLinkStale,
    ContactLinkUsed,
    FieldRule,
    InvitationForAnotherContact,
    InvitationPolicy,
    InvitationState,
    InvitationUnknown,
    OpenTo,
    RegistrationForm,
    RegistrationNotOpen,
    RegistrationPolicy,
)
from shopaccounts.registration.inviting import Answer
from shopaccounts.signin import DEVICES, NoSession, Resumed, SignedIn, SignInRefused, SignInRequired
from shopaccounts.testing.builders import PASSWORD, SITUATIONS, ShopBuilder, quick_policies, request_from, without_gaps

BOB, ANN, HERE = "bob@lamp.example", "ann@lamp.example", request_from()
POLICY = RegistrationPolicy(fields={"given_name": FieldRule()}, open_to=OpenTo.INVITED)
FORM = RegistrationForm(identifier=ANN, password="ann chose this one herself", fields={"given_name": "Annabel"})
WORKER = WorkerId("test")


@pytest.fixture
def builder(host):
    policy = attrs.evolve(POLICY, open_to=OpenTo.EVERYONE)
    return ShopBuilder(host=host, policies=quick_policies(registration=policy, sends=without_gaps()))


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder, name):
    return [json.loads(e.data) for e in rows(builder, EVENTS) if e.name == f"registration.invitation_{name}"]


async def invited(shop, address=ANN):
    """Bob invites; answers Bob, what he is told, and the link in the mail."""
    bob = await shop.open_account(BOB)
    answer = await shop.invitations.invite(bob.session, address, HERE)
    return bob, answer, shop.builder.mailbag.last.token


@pytest.mark.proves("REG-50", "REG-51", "REG-19")
async def test_who_is_invited_opens_an_account_without_another_proof(shop, builder) -> None:
    bob, answer, token = await invited(shop)
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.variables["days"]) == ("registration.invitation", ANN, "7")
    assert answer.masked == "a***@lamp.example"
    offer = await shop.invitations.peek_invitation(token, HERE)
    assert (offer.masked, offer.has_account, offer.referrer_policy) == ("a***@lamp.example", False, "no-referrer")
    done = await shop.invitations.accept_invitation(token, FORM, HERE)
    assert isinstance(done.step, SignedIn)
    customer = await builder.kept(CUSTOMERS, done.account)
    assert customer.status is AccountStatus.ACTIVE
    assert is_verified(customer.contacts[0])
    assert customer.fields == {"given_name": "Annabel"}
    assert isinstance(await shop.signin.sign_in_with_password(ANN, FORM.password, HERE), SignedIn)
    assert told(builder, "accepted") == [{"account": done.account, "invitation": answer.id, "inviter": bob.id}]
    (activated,) = [
        e for e in rows(builder, EVENTS) if e.name == "registration.account_activated" and e.subject == done.account
    ]
    assert json.loads(activated.data)["way"] == "invitation"


@pytest.mark.proves("REG-52")
async def test_who_invited_learns_that_it_was_accepted_and_nothing_else(shop, builder) -> None:
    bob, answer, token = await invited(shop)
    await shop.invitations.accept_invitation(token, FORM, HERE)
    (seen,) = await shop.invitations.list_invitations(bob.session, HERE)
    assert (seen.id, seen.masked, seen.state) == (answer.id, "a***@lamp.example", InvitationState.ACCEPTED)
    assert {field.name for field in attrs.fields(type(seen))} == {"id", "masked", "state", "sent_at", "expires_at"}
    assert not [letter for letter in builder.mailbag.to(BOB) if "invitation" in letter.template]


@pytest.mark.proves("REG-51", "REG-30", "REG-12")
async def test_an_unproven_attempt_of_a_stranger_is_gone_when_the_invited_comes(shop, builder) -> None:
    stranger = await shop.registration.register(
        RegistrationForm(identifier=ANN, password=PASSWORD, fields={"given_name": "Eve"}), HERE
    )
    code, link = builder.mailbag.last.code, builder.mailbag.last.token
    _, _, token = await invited(shop)
    done = await shop.invitations.accept_invitation(token, attrs.evolve(FORM, fields={}), HERE)
    assert (await builder.kept(CUSTOMERS, done.account)).fields == {}
    assert not [attempt for attempt in rows(builder, ATTEMPTS) if attempt.account == done.account]
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.complete_registration(stranger.handle, code, HERE)
    with pytest.raises(ContactLinkInvalid):
        await shop.registration.peek_contact(link, HERE)
    assert "guests.account_cleansed" in [e.name for e in rows(builder, EVENTS)]


@pytest.mark.proves("REG-51")
async def test_an_invitation_is_good_for_the_invited_address_alone(shop) -> None:
    _, _, token = await invited(shop)
    with pytest.raises(InvitationForAnotherContact):
        await shop.invitations.accept_invitation(token, attrs.evolve(FORM, identifier="eve@lamp.example"), HERE)
    eve = await shop.open_account("eve@lamp.example")
    with pytest.raises(InvitationForAnotherContact):
        await shop.invitations.accept_with_account(token, eve.session, HERE)
    await shop.invitations.accept_invitation(token, attrs.evolve(FORM, identifier="ANN@lamp.example"), HERE)


@pytest.mark.proves("REG-51")
async def test_an_account_with_the_address_unproven_does_not_accept(shop, builder) -> None:
    holder = await shop.arrange("unverified contact", ANN)
    _, _, token = await invited(shop)
    value = (await shop.signin.sign_in_with_password(f"other.{ANN}", PASSWORD, HERE)).session
    assert (await builder.kept(CUSTOMERS, holder)).contacts[1].key == ANN
    with pytest.raises(InvitationForAnotherContact):
        await shop.invitations.accept_with_account(token, value, HERE)


@pytest.mark.proves("REG-51")
async def test_who_has_an_account_accepts_with_that(shop, builder) -> None:
    ann = await shop.open_account("Ann@lamp.example")
    _, answer, token = await invited(shop)
    assert builder.mailbag.last.to == "Ann@lamp.example", "to the spelling that its owner proved"
    assert (await shop.invitations.peek_invitation(token, HERE)).has_account
    with pytest.raises(SignInRequired):
        await shop.invitations.accept_invitation(token, FORM, HERE)
    before = await builder.kept(CUSTOMERS, ann.id)
    await shop.invitations.accept_with_account(token, ann.session, HERE)
    assert await builder.kept(CUSTOMERS, ann.id) == before
    assert (await builder.kept(INVITATIONS, answer.id)).account == ann.id
    with pytest.raises(ContactLinkUsed):
        await shop.invitations.accept_with_account(token, ann.session, HERE)


@pytest.mark.proves("REG-51")
async def test_a_form_that_will_not_do_leaves_the_link_good(shop, builder) -> None:
    _, _, token = await invited(shop)
    before = builder.storage.snapshot()
    with pytest.raises(PasswordUnacceptable):
        await shop.invitations.accept_invitation(token, attrs.evolve(FORM, password="short"), HERE)
    assert builder.storage.snapshot() == before
    done = await shop.invitations.accept_invitation(token, attrs.evolve(FORM, password=None), HERE)
    assert isinstance(done.step, SignedIn)


@pytest.mark.proves("REG-50")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_whoever_has_the_address_one_invitation_goes_out(shop, builder, situation) -> None:
    await shop.arrange(situation, ANN)
    bob = await shop.open_account(BOB)
    before = len(builder.mailbag.letters)
    await shop.invitations.invite(bob.session, ANN, HERE)
    assert len(builder.mailbag.letters) == before + 1
    letter = builder.mailbag.last
    assert (letter.template, letter.to, letter.deliver) == ("registration.invitation", ANN, True)


@pytest.mark.proves("REG-50")
async def test_an_invitation_ends_once(shop, builder) -> None:
    bob, answer, token = await invited(shop)
    await shop.invitations.decline_invitation(token, HERE)
    assert told(builder, "declined") == [{"invitation": answer.id, "inviter": bob.id}]
    for again in (
        shop.invitations.peek_invitation(token, HERE),
        shop.invitations.decline_invitation(token, HERE),
        shop.invitations.accept_invitation(token, FORM, HERE),
    ):
        with pytest.raises(ContactLinkUsed):
            await again
    with pytest.raises(InvitationUnknown):
        await shop.invitations.revoke_invitation(bob.session, answer.id, HERE)
    (seen,) = await shop.invitations.list_invitations(bob.session, HERE)
    assert seen.state is InvitationState.DECLINED


@pytest.mark.proves("REG-50")
async def test_who_invited_takes_it_back_and_nobody_else_does(shop, builder) -> None:
    bob, answer, token = await invited(shop)
    eve = await shop.open_account("eve@lamp.example")
    for id in (answer.id, "unknown"):
        with pytest.raises(InvitationUnknown):
            await shop.invitations.revoke_invitation(eve.session, id, HERE)
    await shop.invitations.revoke_invitation(bob.session, answer.id, HERE)
    with pytest.raises(ContactLinkStale):
        await shop.invitations.accept_invitation(token, FORM, HERE)
    assert told(builder, "revoked") == [{"invitation": answer.id, "inviter": bob.id}]


@pytest.mark.proves("REG-50")
async def test_an_invitation_expires_after_seven_days_and_the_sweep_may_come_late_and_twice(shop, builder) -> None:
    bob, answer, token = await invited(shop)
    builder.clock.advance(timedelta(days=7) - timedelta(microseconds=1))
    await shop.invitations.peek_invitation(token, HERE)
    assert await shop.invitations.expire_invitations(10, WORKER) == 0
    builder.clock.advance(timedelta(microseconds=1))
    with pytest.raises(ContactLinkExpired):
        await shop.invitations.accept_invitation(token, FORM, HERE)
    value = (await shop.signin.sign_in_with_password(BOB, PASSWORD, HERE)).session
    (seen,) = await shop.invitations.list_invitations(value, HERE)
    assert seen.state is InvitationState.EXPIRED
    assert await shop.invitations.expire_invitations(10, WORKER) == 1
    assert await shop.invitations.expire_invitations(10, WORKER) == 0
    assert told(builder, "expired") == [{"invitation": answer.id, "inviter": bob.id}]
    builder.clock.advance(timedelta(days=31))
    await shop.upkeep.tick()
    assert not rows(builder, INVITATIONS)


@pytest.mark.proves("REG-50")
async def test_every_tick_ends_what_is_over(shop, builder) -> None:
    await invited(shop)
    builder.clock.advance(timedelta(days=7))
    await shop.upkeep.tick()
    assert [invitation.state for invitation in rows(builder, INVITATIONS)] == [InvitationState.EXPIRED]


@pytest.mark.proves("REG-50")
async def test_a_customer_invites_ten_times_a_day_and_has_twenty_open(shop, builder) -> None:
    bob = await shop.open_account(BOB)
    for day in range(2):
        value = (await shop.signin.sign_in_with_password(BOB, bob.password, HERE)).session
        for number in range(10):
            builder.clock.advance(timedelta(minutes=1))
            await shop.invitations.invite(value, f"ann{day}{number}@lamp.example", HERE)
        with pytest.raises(Throttled):
            await shop.invitations.invite(value, ANN, HERE)
        builder.clock.advance(timedelta(days=1))
    value = (await shop.signin.sign_in_with_password(BOB, bob.password, HERE)).session
    with pytest.raises(Throttled) as full:
        await shop.invitations.invite(value, ANN, HERE)
    assert timedelta(days=4) < full.value.retry_after < timedelta(days=5)
    await shop.invitations.invite(value, "ann00@lamp.example", HERE)
    first = next(
        one
        for one in await shop.invitations.list_invitations(value, HERE)
        if one.masked and one.state is InvitationState.OPEN
    )
    await shop.invitations.revoke_invitation(value, first.id, HERE)
    await shop.invitations.invite(value, ANN, HERE)
    assert sum(one.is_open for one in rows(builder, INVITATIONS)) == 20


@pytest.mark.proves("REG-50", "KER-235")
async def test_inviting_an_address_again_takes_back_the_earlier_invitation(shop, builder) -> None:
    bob, _, earlier = await invited(shop)
    await shop.invitations.invite(bob.session, "Ann@LAMP.example", HERE)
    with pytest.raises(ContactLinkStale):
        await shop.invitations.peek_invitation(earlier, HERE)
    await shop.invitations.accept_invitation(builder.mailbag.last.token, FORM, HERE)


@pytest.mark.proves("REG-50", "REG-14")
async def test_who_is_not_signed_in_or_has_no_account_yet_invites_nobody(shop, builder) -> None:
    started = await shop.registration.register(FORM, HERE)
    before = builder.storage.snapshot()
    for value in (started.handle, builder.mailbag.last.token):
        with pytest.raises(SignInRequired):
            await shop.invitations.invite(value, BOB, HERE)
    assert builder.storage.snapshot() == before


async def test_nothing_travels_unencrypted(shop) -> None:
    bob, _, token = await invited(shop)
    plain = request_from(secure=False)
    for work in (
        shop.invitations.invite(bob.session, ANN, plain),
        shop.invitations.peek_invitation(token, plain),
        shop.invitations.accept_invitation(token, FORM, plain),
        shop.invitations.accept_with_account(token, bob.session, plain),
        shop.invitations.decline_invitation(token, plain),
        shop.invitations.list_invitations(bob.session, plain),
    ):
        with pytest.raises(InsecureTransport):
            await work


@pytest.mark.proves("REG-4", "REG-50")
async def test_a_shop_for_the_invited_lets_the_invited_in_and_a_closed_one_invites_nobody(host) -> None:
    builder = ShopBuilder(host=host)
    bob = await builder.build().open_account(BOB)
    invited_only = attrs.evolve(builder, policies=quick_policies(registration=POLICY))
    shop = invited_only.build()
    await shop.invitations.invite(bob.session, ANN, HERE)
    await shop.invitations.accept_invitation(invited_only.mailbag.last.token, FORM, HERE)
    from_nobody = attrs.evolve(POLICY, open_to=OpenTo.NOBODY)
    needs = quick_policies().requirements
    nothing = attrs.evolve(needs, by_action={action: type(need).OPTIONAL for action, need in needs.by_action.items()})
    closed = attrs.evolve(builder, policies=quick_policies(registration=from_nobody, requirements=nothing)).build()
    with pytest.raises(RegistrationNotOpen):
        await closed.invitations.invite(bob.session, "eve@lamp.example", HERE)


@pytest.mark.proves("REG-50")
def test_every_end_of_an_invitation_is_final() -> None:
    assert {state for state, _ in INVITATION_STEPS} == {InvitationState.OPEN}
    assert {answer for _, answer in INVITATION_STEPS} == set(Answer)
    assert set(INVITATION_STEPS.values()) == set(InvitationState) - {InvitationState.OPEN}


@pytest.mark.parametrize(
    "values",
    [{"life": timedelta(hours=12)}, {"life": timedelta(days=31)}, {"life": timedelta(hours=36)}, {"open_at_most": 0}],
)
def test_a_policy_for_invitations_that_can_not_be_kept_fails_at_start_up(values) -> None:
    with pytest.raises(BadPolicy):
        InvitationPolicy(**values)


@pytest.mark.proves("REG-51")
async def test_an_account_that_is_reopened_comes_back_by_an_invitation_and_nothing_from_before_does(
    shop, builder
) -> None:
    ann = await shop.open_account(ANN, None)
    over = builder.clock.now() + timedelta(days=30)
    for trigger in (Trigger.REQUEST_CLOSING, Trigger.CLOSE, Trigger.REOPEN):
        await builder.edit(CUSTOMERS, ann.id, lambda c, trigger=trigger: follow(c, trigger, until=over))
    gone = Change(removals=(DEVICES.remove(await builder.kept(DEVICES, ann.id)),))
    await got(builder.storage.open(builder.scope).record(gone))
    _, _, token = await invited(shop)
    done = await shop.invitations.accept_invitation(token, FORM, HERE)
    assert done.account == ann.id
    assert isinstance(await shop.sessions.resume(done.step.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(ann.session, HERE), NoSession)
