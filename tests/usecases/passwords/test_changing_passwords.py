"""Changing a password, setting the first one, removing it: what it takes, what it ends, and who hears of it."""

from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.errors import FreshSignInNeeded, InsecureTransport, InvalidInput, Rejected, Throttled
from shopaccounts.kernel.limits import Wait
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY, Stamp
from shopaccounts.passwords import (
    PASSWORDS,
    NoOtherWayIn,
    NoPassword,
    PasswordAlreadySet,
    PasswordUnacceptable,
    WrongPassword,
)
from shopaccounts.passwords.model import FindingCode, GuidanceKey
from shopaccounts.signin import (
    SESSIONS,
    AttemptPolicy,
    CodeSignInPolicy,
    NoSession,
    Resumed,
    SignedIn,
    SignInRefused,
    SignInRequired,
)
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from
from shopaccounts.testing.recording import Recorder

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
NEW, OTHER = "another lamp by the river", "a third lamp on the hill"
NOT_IT = "seven other lamps in the wind"


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


def codes(refused):
    return [finding.code for finding in refused.value.findings]


@pytest.mark.proves("PAS-20", "SIG-76")
async def test_a_change_keeps_this_session_under_a_new_value_and_ends_every_other(shop, builder) -> None:
    account = await shop.open_account(ANN)
    security = await builder.kept(SECURITY, account.id)
    other = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    changed = await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert (changed.clear_cookies, changed.guidance) == ((), ())
    assert changed.next_value.set_cookies[0].value == changed.next_value.session
    assert isinstance(await shop.sessions.resume(changed.next_value.session, HERE), Resumed)
    for dead in (account.session, other.session):
        assert isinstance(await shop.sessions.resume(dead, HERE), NoSession)
    assert (await builder.kept(SECURITY, account.id)).stamps == security.stamps.bump(Stamp.PASSWORD)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("PAS-20")
async def test_a_change_is_told_and_its_notice_has_the_ways_to_object(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = len(builder.mailbag.letters)
    await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    (letter,) = builder.mailbag.letters[before:]
    assert (letter.template, letter.to, letter.deliver) == ("passwords.was_changed", ANN, True)
    assert set(letter.secrets) == {"not_me_link", "freeze_link"}
    assert told(builder).count("passwords.changed") == 1


@pytest.mark.proves("PAS-20")
async def test_the_current_password_is_always_asked_and_is_proof_enough(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(hours=1))
    before = [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)]
    for wrong in (NOT_IT, "", None, 7, "x" * 2000):
        with pytest.raises(WrongPassword):
            await shop.passwords.change_password(account.session, wrong, NEW, HERE)
    assert [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)] == before
    builder.clock.advance(timedelta(seconds=1))
    await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)


@pytest.mark.proves("PAS-20", "KER-260")
async def test_guesses_here_and_at_the_door_are_counted_together(shop) -> None:
    account = await shop.open_account(ANN)
    for _ in range(3):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(ANN, NOT_IT, HERE)
    for _ in range(2):
        with pytest.raises(WrongPassword):
            await shop.passwords.change_password(account.session, NOT_IT, NEW, HERE)
    with pytest.raises(Throttled):
        await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


@pytest.mark.proves("PAS-20", "KER-260")
async def test_who_guesses_here_uses_up_what_the_network_may_fail(builder) -> None:
    network = Wait(free=2, base=timedelta(minutes=1), cap=timedelta(hours=1), forget_after=timedelta(hours=2))
    builder.policies = quick_policies(attempts=AttemptPolicy(network=network))
    shop = builder.build()
    account = await shop.open_account(ANN)
    for _ in range(2):
        with pytest.raises(WrongPassword):
            await shop.passwords.change_password(account.session, NOT_IT, NEW, HERE)
    with pytest.raises(Throttled):
        await shop.signin.sign_in_with_password("eve@lamp.example", NOT_IT, HERE)


@pytest.mark.proves("PAS-20", "KER-263", "KER-265")
async def test_whoever_guesses_at_the_door_keeps_nobody_from_a_change_at_home(shop) -> None:
    await shop.open_account(ANN)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    home = attrs.evolve(HERE, device=step.set_cookies[1].value)
    for _ in range(6):
        with pytest.raises(Rejected):
            await shop.signin.sign_in_with_password(ANN, "a stranger's guess", request_from("203.0.113.66"))
    with pytest.raises(Throttled):
        await shop.passwords.change_password(step.session, PASSWORD, NEW, HERE)
    await shop.passwords.change_password(step.session, PASSWORD, NEW, home)


@pytest.mark.proves("KER-266", "PAS-20")
async def test_guesses_here_count_among_the_failures_in_a_row(builder) -> None:
    second = timedelta(seconds=1)
    wait = Wait(free=2, base=second, cap=second, forget_after=None, disable_after=4)
    builder.policies = quick_policies(attempts=AttemptPolicy(password=wait))
    shop = builder.build()
    account = await shop.open_account(ANN)
    for _ in range(4):
        with pytest.raises(WrongPassword):
            await shop.passwords.change_password(account.session, "a thief's guess", NEW, HERE)
        builder.clock.advance(second)
    assert builder.mailbag.to(ANN)[-1].template == "signin.password_disabled"
    with pytest.raises(WrongPassword):
        await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)


@pytest.mark.proves("PAS-20")
async def test_the_right_current_password_clears_what_was_counted(shop) -> None:
    account = await shop.open_account(ANN)
    value, current = account.session, PASSWORD
    for wanted in (NEW, OTHER, PASSWORD):
        for _ in range(4):
            with pytest.raises(WrongPassword):
                await shop.passwords.change_password(value, NOT_IT, wanted, HERE)
        value = (await shop.passwords.change_password(value, current, wanted, HERE)).next_value.session
        current = wanted


@pytest.mark.proves("PAS-20")
@pytest.mark.parametrize("wanted", ["short", "ann@lamp.example", "lampenhaus-2031-lampenhaus"])
async def test_a_new_password_that_will_not_do_changes_nothing(shop, builder, wanted) -> None:
    account = await shop.open_account(ANN)
    before = [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)]
    with pytest.raises(PasswordUnacceptable):
        await shop.passwords.change_password(account.session, PASSWORD, wanted, HERE)
    assert [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)] == before
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)


@pytest.mark.proves("KER-201")
@pytest.mark.parametrize("wanted", [None, 7, b"bytes", "x" * 2000])
async def test_what_can_be_no_password_is_refused_before_anything_is_counted(shop, builder, wanted) -> None:
    account = await shop.open_account(ANN)
    counters = dict(builder.storage.snapshot()["main"].counters)
    for use in (
        shop.passwords.change_password(account.session, PASSWORD, wanted, HERE),
        shop.passwords.set_first_password(account.session, wanted, HERE),
    ):
        with pytest.raises(InvalidInput):
            await use
    assert dict(builder.storage.snapshot()["main"].counters) == counters


@pytest.mark.proves("PAS-6")
async def test_who_chooses_signs_of_other_keyboards_is_told_so_once(shop) -> None:
    account = await shop.open_account(ANN)
    changed = await shop.passwords.change_password(account.session, PASSWORD, "sieben Lämpchen überm Weiher", HERE)
    assert changed.guidance == (GuidanceKey.UNICODE_MAY_DIFFER,)


@pytest.mark.proves("PAS-27")
@pytest.mark.parametrize("remembered", [0, 1, 2])
async def test_the_current_password_and_those_that_are_remembered_are_refused(builder, remembered) -> None:
    policy = attrs.evolve(builder.policies.passwords, history=remembered)
    builder.policies = quick_policies(passwords=policy)
    shop = builder.build()
    account = await shop.open_account(ANN)
    value, current = account.session, PASSWORD
    for wanted in (NEW, OTHER):
        with pytest.raises(PasswordUnacceptable) as refused:
            await shop.passwords.change_password(value, current, current, HERE)
        assert codes(refused) == [FindingCode.SAME_AS_CURRENT]
        value = (await shop.passwords.change_password(value, current, wanted, HERE)).next_value.session
        current = wanted
    for times, earlier in ((1, NEW), (2, PASSWORD)):
        if times <= remembered:
            with pytest.raises(PasswordUnacceptable) as refused:
                await shop.passwords.change_password(value, current, earlier, HERE)
            assert codes(refused) == [FindingCode.USED_BEFORE]
    forgotten = (OTHER, NEW, PASSWORD)[remembered + 1] if remembered < 2 else "a fourth lamp at the gate"
    await shop.passwords.change_password(value, current, forgotten, HERE)


@pytest.mark.proves("PAS-27")
async def test_a_reset_remembers_and_refuses_earlier_passwords_too(builder) -> None:
    builder.policies = quick_policies(passwords=attrs.evolve(builder.policies.passwords, history=2))
    shop = builder.build()
    account = await shop.open_account(ANN)
    await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    await shop.recovery.request_reset(ANN, HERE)
    link = builder.mailbag.last.token
    with pytest.raises(PasswordUnacceptable) as refused:
        await shop.recovery.reset_password(link, PASSWORD, HERE)
    assert codes(refused) == [FindingCode.USED_BEFORE]
    await shop.recovery.reset_password(link, OTHER, HERE)
    assert len((await builder.kept(PASSWORDS, account.id)).earlier) == 2


@pytest.mark.proves("PAS-28", "KER-181")
async def test_who_is_slower_with_another_change_does_not_know_the_current_password_any_more(shop, builder) -> None:
    account = await shop.open_account(ANN)
    second = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    between = Between(lambda: builder.build().passwords.change_password(second.session, PASSWORD, OTHER, HERE))
    with pytest.raises((WrongPassword, SignInRequired)):
        await builder.build(between).passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert between.happened
    assert isinstance(await shop.signin.sign_in_with_password(ANN, OTHER, HERE), SignedIn)


@pytest.mark.proves("PAS-28")
async def test_a_password_that_is_written_meanwhile_is_compared_and_counted_anew(shop, builder) -> None:
    account = await shop.open_account(ANN)
    between = Between(lambda: builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, hash="$none$")))
    with pytest.raises(WrongPassword):
        await builder.build(between).passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert between.happened


@pytest.mark.proves("PAS-20")
async def test_a_session_that_was_touched_meanwhile_costs_no_second_guess(shop, builder, leaked) -> None:
    account = await shop.open_account(ANN)
    for _ in range(4):
        with pytest.raises(WrongPassword):
            await shop.passwords.change_password(account.session, NOT_IT, NEW, HERE)
    id = next(session.id for session in rows(builder, SESSIONS))
    between = Between(lambda: builder.edit(SESSIONS, id, lambda s: s))
    leaked.asked.clear()
    await builder.build(between).passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert between.happened
    assert len(leaked.asked) == 1


@pytest.mark.proves("PAS-20")
async def test_a_disabled_password_is_changed_by_a_reset_only(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, is_disabled=True))
    with pytest.raises(WrongPassword):
        await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)


# The first password


@pytest.mark.proves("PAS-20")
async def test_changing_a_password_that_is_not_there_is_refused_alike_and_costs_the_same(builder) -> None:
    account = await builder.build().open_account(ANN, None)
    recorder = Recorder()
    shop = builder.build(recorder)
    recorder.trace.clear()
    with pytest.raises(WrongPassword):
        await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)
    assert ("QuickHasher", "spend") in recorder.trace


@pytest.mark.proves("PAS-21")
async def test_an_account_without_a_password_gets_one(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    stamps = (await builder.kept(SECURITY, account.id)).stamps
    was_set = await shop.passwords.set_first_password(account.session, NEW, HERE)
    assert isinstance(await shop.sessions.resume(was_set.next_value.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(account.session, HERE), NoSession)
    assert (await builder.kept(SECURITY, account.id)).stamps == stamps.bump(Stamp.PASSWORD)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)
    assert "passwords.was_set" in [letter.template for letter in builder.mailbag.to(ANN)]
    assert "passwords.set" in told(builder)


@pytest.mark.proves("PAS-21")
async def test_a_first_password_takes_a_fresh_proof(shop, builder) -> None:
    account = await shop.open_account(ANN, None)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.passwords.set_first_password(account.session, NEW, HERE)
    assert await builder.kept(PASSWORDS, account.id) is None


@pytest.mark.proves("PAS-21")
async def test_a_password_that_is_there_is_not_set_anew_without_knowing_it(shop, builder) -> None:
    account = await shop.open_account(ANN)
    before = await builder.kept(PASSWORDS, account.id)
    with pytest.raises(PasswordAlreadySet):
        await shop.passwords.set_first_password(account.session, NEW, HERE)
    assert await builder.kept(PASSWORDS, account.id) == before


@pytest.mark.proves("PAS-20")
async def test_who_has_no_password_is_told_no_more_than_who_is_wrong(shop) -> None:
    account = await shop.open_account(ANN, None)
    with pytest.raises(WrongPassword):
        await shop.passwords.change_password(account.session, PASSWORD, NEW, HERE)


# Removing it


@pytest.mark.proves("PAS-22")
async def test_the_only_way_in_stays(builder) -> None:
    builder.policies = quick_policies(code_sign_in=CodeSignInPolicy(ways=frozenset()))
    shop = builder.build()
    account = await shop.open_account(ANN)
    before = [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)]
    with pytest.raises(NoOtherWayIn):
        await shop.passwords.remove_password(account.session, HERE)
    assert [await builder.kept(book, account.id) for book in (PASSWORDS, SECURITY)] == before


@pytest.mark.proves("PAS-22", "PAS-34", "SIG-76")
async def test_a_password_goes_from_an_account_that_has_another_way_in(shop, builder) -> None:
    account = await shop.open_account(ANN)
    other = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    removed = await shop.passwords.remove_password(account.session, HERE)
    assert await builder.kept(PASSWORDS, account.id) is None
    assert isinstance(await shop.sessions.resume(removed.next_value.session, HERE), Resumed)
    assert isinstance(await shop.sessions.resume(other.session, HERE), NoSession)
    assert builder.mailbag.to(ANN)[-1].template == "passwords.was_removed"
    assert "passwords.removed" in told(builder)
    with pytest.raises(SignInRefused):
        await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)


@pytest.mark.proves("PAS-22")
async def test_a_password_takes_a_fresh_proof_to_go(shop, builder) -> None:
    account = await shop.open_account(ANN)
    builder.clock.advance(timedelta(minutes=15))
    with pytest.raises(FreshSignInNeeded):
        await shop.passwords.remove_password(account.session, HERE)


@pytest.mark.proves("PAS-22")
async def test_there_is_nothing_to_remove_where_there_is_no_password(shop) -> None:
    account = await shop.open_account(ANN, None)
    with pytest.raises(NoPassword):
        await shop.passwords.remove_password(account.session, HERE)


# Whoever may not


@pytest.mark.proves("PAS-20", "PAS-21", "PAS-22", "SIG-9")
async def test_only_who_is_signed_in_whole_changes_a_password(shop) -> None:
    await shop.arrange("closing", ANN)
    value = (await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)).session
    for use in (
        shop.passwords.change_password(value, PASSWORD, NEW, HERE),
        shop.passwords.set_first_password(value, NEW, HERE),
        shop.passwords.remove_password(value, HERE),
    ):
        with pytest.raises(SignInRequired):
            await use


async def test_nobody_changes_a_password_over_an_unencrypted_connection(shop) -> None:
    account = await shop.open_account(ANN)
    bare = request_from(secure=False)
    for use in (
        shop.passwords.change_password(account.session, PASSWORD, NEW, bare),
        shop.passwords.set_first_password(account.session, NEW, bare),
        shop.passwords.remove_password(account.session, bare),
    ):
        with pytest.raises(InsecureTransport):
            await use
