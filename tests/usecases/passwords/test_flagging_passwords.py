"""What the shop's people may do about a password: have it changed, and nothing else."""

import inspect

import attrs
import pytest

from shopaccounts.kernel.errors import Forbidden, InvalidInput
from shopaccounts.kernel.ids import AccountId
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.staff import Permission
from shopaccounts.passwords import PASSWORDS, MustChange, NoPassword, Passwords
from shopaccounts.signin import PasswordChangeNeeded, Resumed, SignedIn
from shopaccounts.testing.builders import PASSWORD, BuiltShop, request_from

ANN, HERE = "ann@lamp.example", request_from()
WHY = "somebody wrote it on a postcard"
pytestmark = pytest.mark.proves("PAS-24")


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


async def test_a_flagged_password_has_to_be_changed_at_the_next_sign_in(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await office.passwords.flag_password(account.id, WHY)
    record = await builder.kept(PASSWORDS, account.id)
    assert (record.must_change, record.must_change_since) == (MustChange.STAFF_FLAG, builder.clock.now())
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, PasswordChangeNeeded)
    assert step.via == "here"


@pytest.mark.proves("SIG-92")
async def test_the_event_names_agent_and_reason_and_the_owner_hears_of_it(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await office.passwords.flag_password(account.id, WHY)
    (event,) = [event for event in rows(builder, EVENTS) if event.name == "passwords.flagged"]
    assert (event.subject, event.actor.id) == (account.id, "eve")
    assert WHY in event.data
    assert (builder.mailbag.last.template, builder.mailbag.last.to) == ("passwords.must_change", ANN)


async def test_a_flag_takes_nothing_away_from_graver_evidence(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, must_change=MustChange.REPORTED))
    await office.passwords.flag_password(account.id, WHY)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.REPORTED


async def test_flagging_again_is_told_to_the_shop_and_not_to_the_owner(shop, office, builder) -> None:
    account = await shop.open_account(ANN)
    letters = len(builder.mailbag.letters)
    for _ in range(2):
        await office.passwords.flag_password(account.id, WHY)
    assert len(builder.mailbag.letters) == letters + 1
    assert [event.name for event in rows(builder, EVENTS)].count("passwords.flagged") == 2


async def test_only_agents_who_may_flag_passwords(shop, office, staff, builder) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(Forbidden):
        await shop.passwords.flag_password(account.id, WHY)
    staff.hire("eve", set(Permission) - {Permission.FLAG_PASSWORD})
    for anybody in (account.id, AccountId("nobody")):
        with pytest.raises(Forbidden):
            await office.passwords.flag_password(anybody, WHY)
    assert (await builder.kept(PASSWORDS, account.id)).must_change is None


@pytest.mark.proves("SIG-92")
@pytest.mark.parametrize("reason", ["", None, "x" * 501])
async def test_a_flag_needs_a_reason(shop, office, reason) -> None:
    account = await shop.open_account(ANN)
    with pytest.raises(InvalidInput):
        await office.passwords.flag_password(account.id, reason)


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("account", [None, 7, b"bytes", "x" * 2000])
async def test_what_can_be_no_id_is_refused(office, account) -> None:
    with pytest.raises(InvalidInput):
        await office.passwords.flag_password(account, WHY)


async def test_there_is_nothing_to_flag_without_a_password(shop, office) -> None:
    account = await shop.open_account(ANN, None)
    for anybody in (account.id, AccountId("nobody")):
        with pytest.raises(NoPassword):
            await office.passwords.flag_password(anybody, WHY)


def test_no_operation_of_staff_sets_shows_or_chooses_a_password() -> None:
    """What takes an account instead of a session is for staff, and none of that takes or answers a password."""
    for name in ("change_password", "set_first_password", "remove_password"):
        assert next(iter(list(inspect.signature(getattr(Passwords, name)).parameters)[1:])) == "value"
    public = {
        name
        for name in vars(Passwords)
        if not name.startswith("_") and inspect.iscoroutinefunction(getattr(Passwords, name))
    }
    by_account = public - {"change_password", "set_first_password", "remove_password", "remind"}
    assert by_account == {"flag_password"}
    assert list(inspect.signature(Passwords.flag_password).parameters) == ["self", "account", "reason"]
    assert inspect.signature(Passwords.flag_password).return_annotation is None


async def test_no_face_of_the_shop_takes_a_password_for_somebody_elses_account(shop) -> None:
    """An agent's word never comes with a password."""
    faces = [getattr(shop, field.name) for field in attrs.fields(BuiltShop) if field.name != "builder"]
    for face in faces:
        inner = getattr(face, "_face", face)
        for name, method in inspect.getmembers(inner, callable):
            if name.startswith("_") or not inspect.ismethod(method):
                continue
            taken = set(inspect.signature(method).parameters)
            assert not (taken & {"account", "customer"} and taken & {"password", "new", "new_password", "current"}), (
                name
            )


async def test_who_has_changed_it_goes_on_as_usual(shop, office) -> None:
    account = await shop.open_account(ANN)
    await office.passwords.flag_password(account.id, WHY)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    await shop.passwords.change_password(step.session, PASSWORD, "another lamp by the river", HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, "another lamp by the river", HERE), SignedIn)
