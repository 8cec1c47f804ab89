"""What a decision rests on and doesn't write is guarded: who was faster makes it be taken again on fresh facts."""

from typing import Any

import attrs
import pytest

from shopaccounts.customers import CUSTOMERS, StatusReason, Trigger, follow
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import PASSWORDS, MustChange
from shopaccounts.recovery import ResetLinkStale
from shopaccounts.registration import ContactLinkStale, RegistrationForm, RegistrationPolicy, UsernamePolicy
from shopaccounts.signin import PasswordChangeNeeded, SignedIn, SignInRequired
from shopaccounts.testing.builders import PASSWORD, Between, ShopBuilder, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from()
NEW = "another lamp by the river"
pytestmark = pytest.mark.proves("KER-181")


@pytest.fixture
def meanwhile(builder):
    """A shop in which something happens to a record between reading and recording."""

    def shop_with(book, id, change):
        between = Between(lambda: builder.edit(book, id, change))
        return builder.build(between), between

    return shop_with


def suspended(customer):
    return follow(customer, Trigger.SUSPEND, reason=StatusReason.ABUSE)


def closed(customer):
    return follow(follow(customer, Trigger.REQUEST_CLOSING), Trigger.CLOSE)


@pytest.mark.proves("REG-10")
async def test_an_owner_who_leaves_meanwhile_is_not_told_and_the_address_is_free(shop, builder, meanwhile) -> None:
    account = await shop.open_account(ANN)
    other, between = meanwhile(CUSTOMERS, account.id, closed)
    await other.registration.register(RegistrationForm(identifier=ANN, password=PASSWORD), HERE)
    assert between.happened
    assert builder.mailbag.last.template == "registration.verify_contact"


@pytest.mark.proves("REG-17")
async def test_an_account_that_is_stopped_meanwhile_is_not_taken_over(shop, builder, meanwhile) -> None:
    account = await shop.arrange("pending", ANN)
    other, between = meanwhile(CUSTOMERS, account, suspended)
    with pytest.raises(ContactLinkStale):
        await other.registration.take_over_contact(builder.mailbag.last.token, NEW, HERE)
    assert between.happened


@pytest.mark.proves("REG-13")
async def test_the_proof_of_an_account_that_is_stopped_meanwhile_is_not_mailed_again(shop, builder, meanwhile) -> None:
    account = await shop.arrange("pending", ANN)
    other, between = meanwhile(CUSTOMERS, account, suspended)
    await other.recovery.request_reset(ANN, HERE)
    assert between.happened
    assert not builder.mailbag.last.deliver


@pytest.mark.proves("RCV-2")
async def test_an_account_that_is_stopped_meanwhile_gets_no_link(shop, builder, meanwhile) -> None:
    account = await shop.open_account(ANN)
    other, between = meanwhile(CUSTOMERS, account.id, suspended)
    await other.recovery.request_reset(ANN, HERE)
    assert between.happened
    assert builder.mailbag.last.template == "recovery.account_suspended"


@pytest.mark.proves("RCV-10")
@pytest.mark.parametrize("change", ["stopped", "signed out everywhere"])
async def test_an_account_that_changes_meanwhile_gets_no_new_password(shop, builder, meanwhile, change) -> None:
    account = await shop.open_account(ANN)
    await shop.recovery.request_reset(ANN, HERE)
    changes = {"stopped": (CUSTOMERS, suspended), "signed out everywhere": (SECURITY, lambda s: s.bump(Stamp.ACCOUNT))}
    other, between = meanwhile(changes[change][0], account.id, changes[change][1])
    with pytest.raises(ResetLinkStale):
        await other.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    assert between.happened


@pytest.mark.proves("SIG-73")
async def test_a_session_that_ends_meanwhile_is_not_renewed(shop, meanwhile) -> None:
    account = await shop.open_account(ANN)
    other, between = meanwhile(SECURITY, account.id, lambda s: s.bump(Stamp.ACCOUNT))
    with pytest.raises(SignInRequired):
        await other.sessions.end_other_sessions(account.session, HERE)
    assert between.happened


@pytest.mark.proves("REG-50", "REG-51", "REG-9")
@pytest.mark.parametrize("does", ["invite", "accept", "take a name"])
async def test_who_is_signed_out_meanwhile_neither_invites_nor_accepts_nor_takes_a_name(host, does) -> None:
    policy = RegistrationPolicy(usernames=UsernamePolicy(enabled=True))
    builder: Any = ShopBuilder(host=host, policies=quick_policies(registration=policy))
    shop = builder.build()
    account, friend = await shop.open_account(ANN), await shop.open_account("bob@lamp.example")
    await shop.invitations.invite(friend.session, ANN, HERE)
    token = builder.mailbag.last.token
    between = Between(lambda: builder.edit(SECURITY, account.id, lambda s: s.bump(Stamp.ACCOUNT)))
    other = builder.build(between)
    doing = {
        "invite": lambda: other.invitations.invite(account.session, "eve@lamp.example", HERE),
        "accept": lambda: other.invitations.accept_with_account(token, account.session, HERE),
        "take a name": lambda: other.usernames.change_username(account.session, "lamplighter", HERE),
    }
    with pytest.raises(SignInRequired):
        await doing[does]()
    assert between.happened
    assert (await builder.kept(CUSTOMERS, account.id)).username is None
    await shop.invitations.peek_invitation(token, HERE)


@pytest.mark.proves("PAS-20")
@pytest.mark.parametrize("change", ["stopped", "signed out everywhere"])
async def test_a_password_is_not_changed_for_who_is_not_signed_in_any_more(shop, builder, meanwhile, change) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(PASSWORDS, account.id)
    changes = {"stopped": (CUSTOMERS, suspended), "signed out everywhere": (SECURITY, lambda s: s.bump(Stamp.ACCOUNT))}
    other, between = meanwhile(changes[change][0], account.id, changes[change][1])
    with pytest.raises(SignInRequired):
        await other.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert between.happened
    assert await builder.kept(PASSWORDS, account.id) == before


@pytest.mark.proves("PAS-21")
async def test_a_first_password_is_not_set_twice(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    between = Between(lambda: builder.build().passwords.set_first_password(account.session, NEW, HERE))
    with pytest.raises(SignInRequired):
        await builder.build(between).passwords.set_first_password(account.session, PASSWORD, HERE)
    assert between.happened
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("PAS-25", "SIG-7")
async def test_a_password_that_has_to_be_changed_meanwhile_opens_no_session(shop, builder, meanwhile) -> None:
    account = await shop.open_account(ANN)
    reported = {"must_change": MustChange.REPORTED, "must_change_since": builder.clock.now()}
    other, between = meanwhile(PASSWORDS, account.id, lambda record: attrs.evolve(record, **reported))
    step = await other.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert isinstance(step, PasswordChangeNeeded)
    assert step.session is None
