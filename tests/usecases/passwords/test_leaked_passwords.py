"""Passwords that leaked: refused when they are chosen, and found out when they are used."""

import contextlib
from datetime import timedelta

import attrs
import pytest

from shopaccounts.kernel.assurance import SessionScope
from shopaccounts.kernel.errors import Throttled, TryLater
from shopaccounts.kernel.outbox import EVENTS
from shopaccounts.kernel.security import SECURITY
from shopaccounts.passwords import (
    PASSWORDS,
    BreachPolicy,
    MustChange,
    OnOutage,
    PasswordUnacceptable,
)
from shopaccounts.passwords.model import FindingCode
from shopaccounts.registration import RegistrationForm
from shopaccounts.signin import (
    SESSIONS,
    AccountClosing,
    AccountSuspended,
    NoSession,
    PasswordChangeNeeded,
    Resumed,
    SessionPolicy,
    SignedIn,
    SignInRefused,
)
from shopaccounts.testing.builders import PASSWORD, Between, quick_policies, request_from

ANN, HERE = "ann@lamp.example", request_from(agent="a browser")
NEW, OTHER = "another lamp by the river", "a third lamp on the hill"


def rows(builder, book):
    return tuple(builder.storage.snapshot()[builder.scope.realm].books[book.name].values())


def told(builder):
    return [event.name for event in rows(builder, EVENTS)]


async def wait(builder):
    builder.clock.advance(timedelta(minutes=2))


# When it is chosen


async def ways_to_choose(shop, builder):
    """Every place at which a password is chosen, each ready for its new password."""
    form = RegistrationForm(identifier="new@lamp.example")
    await shop.registration.register(form, HERE)
    taken_over = builder.mailbag.last.token
    with_one = await shop.open_account(ANN)
    without = await shop.open_account("eve@lamp.example", None)
    await shop.recovery.request_reset(ANN, HERE)
    reset = builder.mailbag.last.token
    return {
        "register": lambda password: shop.registration.register(
            RegistrationForm(identifier="bea@lamp.example", password=password), HERE
        ),
        "take over": lambda password: shop.registration.take_over_contact(taken_over, password, HERE),
        "reset": lambda password: shop.recovery.reset_password(reset, password, HERE),
        "change": lambda password: shop.passwords.change_password(with_one.session, PASSWORD, password, HERE),
        "first": lambda password: shop.passwords.set_first_password(without.session, password, HERE),
    }


WAYS = ("register", "take over", "reset", "change", "first")


@pytest.mark.proves("PAS-15", "PAS-11")
@pytest.mark.parametrize("way", WAYS)
async def test_a_leaked_password_is_chosen_nowhere(shop, builder, leaked, way) -> None:
    choose = (await ways_to_choose(shop, builder))[way]
    leaked.passwords[NEW] = 340
    with pytest.raises(PasswordUnacceptable) as refused:
        await choose(NEW)
    (finding,) = refused.value.findings
    assert (finding.code, dict(finding.facts)) == (FindingCode.BREACHED, {"count_band": 100})
    await choose(OTHER)


@pytest.mark.proves("PAS-10", "PAS-15")
@pytest.mark.parametrize("way", WAYS)
async def test_the_list_is_asked_once_and_only_if_nothing_else_is_wrong(shop, builder, leaked, way) -> None:
    choose = (await ways_to_choose(shop, builder))[way]
    leaked.asked.clear()
    with pytest.raises(PasswordUnacceptable):
        await choose("short")
    assert leaked.asked == []
    await choose(NEW)
    assert len(leaked.asked) == 1


@pytest.mark.proves("KER-263")
async def test_a_network_that_registers_too_often_causes_no_questions_to_the_list(shop, builder, leaked) -> None:
    most = builder.policies.registration.attempts_per_network.limit
    for number in range(most + 5):
        form = RegistrationForm(identifier=f"ann{number}@lamp.example", password=f"{OTHER} number {number}")
        with contextlib.suppress(Throttled):
            await shop.registration.register(form, HERE)
    assert len(leaked.asked) == most


@pytest.mark.proves("PAS-15")
@pytest.mark.parametrize("way", WAYS)
async def test_a_shop_may_refuse_while_the_list_is_out(builder, leaked, way) -> None:
    breach = BreachPolicy(on_outage=OnOutage.REFUSE)
    builder.policies = quick_policies(passwords=attrs.evolve(builder.policies.passwords, breach=breach))
    shop = builder.build()
    choose = (await ways_to_choose(shop, builder))[way]
    leaked.is_out = True
    with pytest.raises(TryLater):
        await choose(NEW)
    leaked.is_out = False
    await choose(NEW)


@pytest.mark.proves("PAS-15")
@pytest.mark.parametrize("way", ["take over", "reset", "change", "first"])
async def test_what_was_accepted_while_the_list_is_out_is_marked(shop, builder, leaked, way) -> None:
    choose = (await ways_to_choose(shop, builder))[way]
    before = {record.id: record.version for record in rows(builder, PASSWORDS)}
    leaked.is_out = True
    await choose(NEW)
    (record,) = [record for record in rows(builder, PASSWORDS) if before.get(record.id) != record.version]
    assert record.breach_unchecked


@pytest.mark.proves("PAS-15")
async def test_a_password_that_waits_for_its_proof_keeps_the_mark(shop, builder, leaked) -> None:
    leaked.is_out = True
    account = await shop.open_account(ANN)
    assert (await builder.kept(PASSWORDS, account.id)).breach_unchecked


@pytest.mark.proves("PAS-15")
async def test_a_shop_without_a_list_asks_nobody_and_marks_nothing(builder, leaked) -> None:
    leaked.passwords[PASSWORD] = 9
    builder.policies = quick_policies(passwords=attrs.evolve(builder.policies.passwords, breach=None))
    shop = builder.build()
    account = await shop.open_account(ANN)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert leaked.asked == []
    assert not (await builder.kept(PASSWORDS, account.id)).breach_unchecked


@pytest.mark.proves("PAS-15", "KER-250")
@pytest.mark.parametrize("situation", ["unknown", "pending", "active", "suspended", "closed"])
async def test_what_is_asked_depends_on_the_password_alone(shop, builder, leaked, situation) -> None:
    await shop.arrange(situation, ANN)
    await wait(builder)
    leaked.asked.clear()
    await shop.registration.register(RegistrationForm(identifier=ANN, password=NEW), HERE)
    first = list(leaked.asked)
    await wait(builder)
    await shop.registration.register(RegistrationForm(identifier="other@lamp.example", password=NEW), HERE)
    assert leaked.asked == first * 2


# When it is used


@pytest.mark.proves("PAS-16", "SIG-5", "PAS-25")
async def test_a_leaked_password_gives_no_session_and_the_owner_gets_a_link(shop, builder, leaked) -> None:
    account = await shop.open_account(ANN)
    leaked.passwords[PASSWORD] = 2
    sessions, letters = len(rows(builder, SESSIONS)), len(builder.mailbag.letters)
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    since = builder.clock.now()
    assert step == PasswordChangeNeeded(via="mailbox", reason="breached", since=since)
    assert len(rows(builder, SESSIONS)) == sessions
    record = await builder.kept(PASSWORDS, account.id)
    assert (record.must_change, record.must_change_since) == (MustChange.BREACHED, since)
    sent = builder.mailbag.letters[letters:]
    assert [letter.template for letter in sent] == ["passwords.must_change", "recovery.reset_password"]
    assert {letter.to for letter in sent} == {ANN}
    assert "passwords.breach_found" in told(builder)
    await shop.recovery.reset_password(builder.mailbag.last.token, NEW, HERE)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("PAS-16", "KER-264")
async def test_trying_again_tells_the_same_and_does_not_flood_the_mailbox(shop, builder, leaked) -> None:
    await shop.open_account(ANN)
    leaked.passwords[PASSWORD] = 2
    letters = len(builder.mailbag.letters)
    steps = [await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE) for _ in range(4)]
    assert len(set(steps)) == 1
    assert len(builder.mailbag.letters) == letters + 2
    assert told(builder).count("passwords.breach_found") == 1
    asked = len(leaked.asked)
    await wait(builder)
    await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert len(leaked.asked) == asked, "what is known is not asked again"
    assert [letter.template for letter in builder.mailbag.letters[letters + 2 :]] == ["recovery.reset_password"]


@pytest.mark.proves("PAS-16")
async def test_a_wrong_password_is_never_looked_up(shop, leaked) -> None:
    await shop.open_account(ANN)
    leaked.passwords[NEW] = 7
    leaked.asked.clear()
    for address in (ANN, "nobody@lamp.example"):
        with pytest.raises(SignInRefused):
            await shop.signin.sign_in_with_password(address, NEW, HERE)
    assert leaked.asked == []


@pytest.mark.proves("PAS-16")
async def test_a_shop_may_leave_passwords_in_use_alone(builder, leaked) -> None:
    breach = BreachPolicy(at_sign_in=False)
    builder.policies = quick_policies(passwords=attrs.evolve(builder.policies.passwords, breach=breach))
    shop = builder.build()
    await shop.open_account(ANN)
    leaked.passwords[PASSWORD] = 2
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)


@pytest.mark.proves("PAS-15")
@pytest.mark.parametrize("at_sign_in", [True, False])
async def test_what_nobody_could_check_is_checked_at_the_next_sign_in(builder, leaked, at_sign_in) -> None:
    breach = BreachPolicy(at_sign_in=at_sign_in)
    builder.policies = quick_policies(passwords=attrs.evolve(builder.policies.passwords, breach=breach))
    shop = builder.build()
    leaked.is_out = True
    account = await shop.open_account(ANN)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert (await builder.kept(PASSWORDS, account.id)).breach_unchecked, "still nobody can say"
    leaked.is_out = False
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), SignedIn)
    assert not (await builder.kept(PASSWORDS, account.id)).breach_unchecked
    await builder.edit(PASSWORDS, account.id, lambda p: attrs.evolve(p, breach_unchecked=True))
    leaked.passwords[PASSWORD] = 2
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), PasswordChangeNeeded)


@pytest.mark.proves("PAS-16", "KER-181")
async def test_who_has_to_decide_again_does_not_ask_the_list_again(shop, builder, leaked) -> None:
    account = await shop.open_account(ANN)
    leaked.asked.clear()
    between = Between(lambda: builder.edit(SECURITY, account.id, lambda s: s))
    await builder.build(between).signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert len(leaked.asked) == 1


@pytest.mark.proves("PAS-16", "PAS-31")
async def test_what_was_found_out_is_kept_even_if_somebody_else_writes_the_password_meanwhile(
    shop, builder, leaked
) -> None:
    account = await shop.open_account(ANN)
    leaked.passwords[PASSWORD] = 2
    between = Between(lambda: builder.edit(PASSWORDS, account.id, must_change(MustChange.STAFF_FLAG)))
    step = await builder.build(between).signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert between.happened
    assert (step.via, step.reason) == ("mailbox", "breached")
    assert (await builder.kept(PASSWORDS, account.id)).must_change is MustChange.BREACHED


# On other evidence


def must_change(evidence):
    return lambda p: attrs.evolve(p, must_change=evidence)


@pytest.mark.proves("SIG-5", "SIG-9", "PAS-16", "PAS-20")
@pytest.mark.parametrize("evidence", [MustChange.STAFF_FLAG, MustChange.IMPORT_WEAK])
async def test_a_password_that_may_be_changed_here_opens_a_session_for_that_alone(shop, builder, evidence) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(PASSWORDS, account.id, must_change(evidence))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE, remember=True)
    assert isinstance(step, PasswordChangeNeeded)
    assert (step.via, step.reason, step.set_cookies[0].max_age) == ("here", evidence.value, None)
    resumed = await shop.sessions.resume(step.session, HERE)
    assert isinstance(resumed, Resumed)
    assert resumed.auth.scope is SessionScope.CHANGE_PASSWORD
    changed = await shop.passwords.change_password(step.session, PASSWORD, NEW, HERE)
    assert changed.next_value is None
    assert changed.clear_cookies
    for dead in (step.session, account.session):
        assert isinstance(await shop.sessions.resume(dead, HERE), NoSession)
    assert isinstance(await shop.signin.sign_in_with_password(ANN, NEW, HERE), SignedIn)


@pytest.mark.proves("SIG-9")
async def test_a_session_for_one_thing_lives_for_half_an_hour(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(PASSWORDS, account.id, must_change(MustChange.STAFF_FLAG))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    builder.clock.advance(timedelta(minutes=30))
    assert isinstance(await shop.sessions.resume(step.session, HERE), NoSession)


@pytest.mark.proves("PAS-16", "SIG-5")
async def test_a_reported_password_gives_no_session_either(shop, builder) -> None:
    account = await shop.open_account(ANN)
    await builder.edit(PASSWORDS, account.id, must_change(MustChange.REPORTED))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert (step.via, step.reason, step.session) == ("mailbox", "reported", None)
    assert builder.mailbag.last.template == "recovery.reset_password"


@pytest.mark.proves("SIG-5", "SIG-2")
@pytest.mark.parametrize(("situation", "answer"), [("suspended", AccountSuspended), ("closing", AccountClosing)])
async def test_what_the_accounts_status_says_goes_first(shop, builder, situation, answer) -> None:
    await shop.arrange(situation, ANN)
    (record,) = rows(builder, PASSWORDS)
    await builder.edit(PASSWORDS, record.id, must_change(MustChange.REPORTED))
    step = await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE)
    assert isinstance(step, answer)


@pytest.mark.proves("SIG-5")
async def test_who_gets_no_session_ends_none_of_the_owners(builder, leaked) -> None:
    builder.policies = quick_policies(sessions=SessionPolicy(max_sessions=1))
    shop = builder.build()
    account = await shop.open_account(ANN)
    leaked.passwords[PASSWORD] = 2
    assert isinstance(await shop.signin.sign_in_with_password(ANN, PASSWORD, HERE), PasswordChangeNeeded)
    assert isinstance(await shop.sessions.resume(account.session, HERE), Resumed)
